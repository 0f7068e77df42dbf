//! Validation files: our examples and, where the folder is there, other projects' files, through `pemba validate` and
//! over gRPC. Files with caveats wait for caveat evaluation and are counted as skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pemba_cli::validate::file::{Assertion, ValidationFile, Wanted};
use pemba_cli::validate::run;
use pemba_model::Operation;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_tests::checkout;
use pemba_tests::process::ServerProcess;
use pemba_tests::wire::{Wire, fully_consistent, object, subject};
use tokio_stream::StreamExt as _;

/// Every file in scope, and how many were left out for their caveats.
fn files() -> (Vec<ValidationFile>, usize) {
    let mut paths: Vec<PathBuf> = checkout::examples();
    assert!(paths.len() >= 6, "the example schemas are there");
    match checkout::conformance() {
        Some(folder) => paths.extend(checkout::yaml_files(&folder)),
        None => println!("SKIPPED: no folder with other projects' files (PEMBA_CONFORMANCE_DIR)"),
    }
    let files: Vec<_> = paths.iter().map(|path| ValidationFile::read(path).unwrap()).collect();
    let total = files.len();
    let kept: Vec<_> = files.into_iter().filter(|file| !file.schema.contains("caveat ")).collect();
    let skipped = total - kept.len();
    (kept, skipped)
}

#[test]
fn validate_passes_every_file_without_caveats() {
    let (files, skipped) = files();
    let mut failures = Vec::new();
    let mut passed = 0;
    for file in &files {
        let outcome = run::run(file);
        passed += outcome.passed;
        failures.extend(outcome.failures.iter().map(|failure| format!("{}: {failure}", file.path.display())));
    }
    println!(
        "{} files, {passed} passed, {} failed; {skipped} files with caveats SKIPPED",
        files.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(passed > 50, "only {passed} assertions were run");
}

#[test]
fn a_wrong_assertion_fails_with_its_reason() {
    let path = checkout::root().join("schema/support-desk/validation.yaml");
    let mut file = ValidationFile::read(&path).unwrap();
    for assertion in &mut file.assertions {
        assertion.wanted = if assertion.wanted == Wanted::True { Wanted::False } else { Wanted::True };
    }
    let outcome = run::run(&file);
    assert_eq!(outcome.failures.len(), file.assertions.len());
    assert!(outcome.failures[0].contains("expected denied, found granted"), "{}", outcome.failures[0]);
}

async fn load(wire: &mut Wire, file: &ValidationFile) {
    wire.write_schema(&file.schema).await.unwrap();
    for relationship in &file.relationships {
        wire.write(vec![(Operation::Touch, relationship.clone())]).await.unwrap();
    }
}

async fn bulk(wire: &mut Wire, assertions: &[&Assertion]) -> Vec<Permissionship> {
    let items = assertions
        .iter()
        .map(|assertion| wire::CheckBulkPermissionsRequestItem {
            resource: Some(object(&assertion.resource)),
            permission: assertion.permission.to_string(),
            subject: Some(subject(&assertion.subject)),
            context: None,
        })
        .collect();
    let request =
        wire::CheckBulkPermissionsRequest { consistency: fully_consistent(), items, ..Default::default() };
    let pairs = wire.permissions.check_bulk_permissions(request).await.unwrap().into_inner().pairs;
    pairs
        .into_iter()
        .map(|pair| match pair.response {
            Some(wire::check_bulk_permissions_pair::Response::Item(item)) => item.permissionship(),
            other => panic!("no answer: {other:?}"),
        })
        .collect()
}

/// All pages of a lookup; `page` 0 asks for everything at once. Fails on a duplicate.
async fn lookup(wire: &mut Wire, assertion: &Assertion, page: u32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut cursor = None;
    loop {
        let request = wire::LookupResourcesRequest {
            consistency: if cursor.is_none() { fully_consistent() } else { None },
            resource_object_type: assertion.resource.object_type.to_string(),
            permission: assertion.permission.to_string(),
            subject: Some(subject(&assertion.subject)),
            optional_limit: page,
            optional_cursor: cursor.take(),
            ..Default::default()
        };
        let mut stream = wire.permissions.lookup_resources(request).await.unwrap().into_inner();
        let mut got = 0;
        while let Some(message) = stream.next().await {
            let message = message.unwrap();
            assert!(found.insert(message.resource_object_id), "a resource came twice");
            cursor = message.after_result_cursor;
            got += 1;
        }
        if page == 0 || got < page {
            return found;
        }
    }
}

async fn run_over_grpc(file: &ValidationFile) -> usize {
    let name = file.path.display().to_string();
    let server = ServerProcess::start(None, &[]);
    let mut wire = Wire::connect(&server.endpoint()).await;
    load(&mut wire, file).await;
    let assertions: Vec<_> = file.assertions.iter().collect();
    let answers = bulk(&mut wire, &assertions).await;
    let mut lookups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (assertion, bulk_answer) in assertions.iter().zip(answers) {
        let Assertion { wanted, text, resource, permission, subject, .. } = assertion;
        let answer = wire.check(resource, permission, subject, None).await.unwrap();
        assert_eq!(answer, bulk_answer, "{name}: {text}: Check and CheckBulk differ");
        let expected = match wanted {
            Wanted::True => Permissionship::HasPermission,
            Wanted::Caveated => Permissionship::ConditionalPermission,
            Wanted::False => Permissionship::NoPermission,
        };
        assert_eq!(answer, expected, "{name}: {text}");
        let key = format!("{}#{permission}@{subject}", resource.object_type);
        if !lookups.contains_key(&key) {
            let whole = lookup(&mut wire, assertion, 0).await;
            for page in [1, 2, 7] {
                assert_eq!(
                    lookup(&mut wire, assertion, page).await,
                    whole,
                    "{name}: {key} in pages of {page}"
                );
            }
            lookups.insert(key.clone(), whole);
        }
        let listed = lookups[&key].contains(resource.object_id.as_str());
        assert_eq!(
            listed,
            answer != Permissionship::NoPermission,
            "{name}: {text}: LookupResources disagrees"
        );
    }
    assertions.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_without_caveats_holds_over_grpc() {
    let (files, skipped) = files();
    let mut assertions = 0;
    for file in &files {
        assertions += run_over_grpc(file).await;
    }
    println!(
        "{} files, {assertions} assertions over gRPC; {skipped} files with caveats SKIPPED",
        files.len()
    );
    assert!(assertions > 50, "only {assertions} assertions were run");
}
