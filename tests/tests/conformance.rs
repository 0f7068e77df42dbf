//! Validation files: the corpus in `tests/conformance`, our examples and, where the folder is there, other projects'
//! files, through `pemba validate`, over gRPC with every lookup against brute force, and on the real SpiceDB.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::path::PathBuf;
use std::time::Instant;

use pemba_cli::validate::file::{Assertion, ValidationFile, Wanted};
use pemba_cli::validate::run;
use pemba_model::{ObjectRef, Relationship, SubjectRef};
use pemba_tests::checkout;
use pemba_tests::crosscheck::{Compared, File, check};
use pemba_tests::differential::answer::{Answer, CONDITIONAL, HAS, NO};
use pemba_tests::differential::oracle::Oracle;
use pemba_tests::differential::peer::Peer;
use pemba_tests::differential::step::{At, Edge, Item, Object, Operation, Step, Subject};
use pemba_tests::process::{KEY, ServerProcess};
use tonic::Code;

/// The files of our own corpus.
fn corpus() -> Vec<PathBuf> {
    let paths = checkout::yaml_files(&checkout::root().join("tests/conformance"));
    assert!(paths.len() >= 60, "the corpus is there");
    paths
}

/// Every file in scope.
fn files() -> Vec<ValidationFile> {
    let mut paths: Vec<PathBuf> = checkout::examples();
    assert!(paths.len() >= 6, "the example schemas are there");
    paths.extend(corpus());
    match checkout::conformance() {
        Some(folder) => paths.extend(checkout::yaml_files(&folder)),
        None => println!("SKIPPED: no folder with other projects' files (PEMBA_CONFORMANCE_DIR)"),
    }
    paths.iter().map(|path| ValidationFile::read(path).unwrap()).collect()
}

#[test]
fn validate_passes_every_file() {
    let files = files();
    let mut failures = Vec::new();
    let mut passed = 0;
    for file in &files {
        let outcome = run::run(file);
        passed += outcome.passed;
        failures.extend(outcome.failures.iter().map(|failure| format!("{}: {failure}", file.path.display())));
    }
    println!("{} files, {passed} passed, {} failed", files.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(passed > 400, "only {passed} assertions were run");
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

/// A file as the cross-check takes it.
fn plain(file: &ValidationFile) -> File {
    let schema = pemba_schema::compile(&file.schema).unwrap().schema;
    let types = schema.definitions.values().map(|definition| {
        let names = definition.names().map(ToString::to_string).collect();
        (definition.name.to_string(), names)
    });
    let object = |object: &ObjectRef| Object::new(&object.object_type, &object.object_id);
    let subject = |subject: &SubjectRef| Subject {
        object: object(&subject.object),
        relation: subject.relation.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    let edge = |one: &Relationship| Edge {
        resource: object(&one.resource),
        relation: one.relation.to_string(),
        subject: subject(&one.subject),
        caveat: one.caveat.as_ref().map(|caveat| (caveat.name.to_string(), caveat.context.clone())),
        expires_at_s: one.expires_at.map(|instant| instant.seconds()),
    };
    let assertion = |one: &Assertion| {
        let item = Item {
            resource: object(&one.resource),
            permission: one.permission.to_string(),
            subject: subject(&one.subject),
            context: one.context.clone().unwrap_or_default(),
        };
        let wanted = match one.wanted {
            Wanted::True => HAS,
            Wanted::Caveated => CONDITIONAL,
            Wanted::False => NO,
        };
        (item, wanted)
    };
    File {
        name: file.path.display().to_string(),
        schema: file.schema.clone(),
        types: types.collect(),
        edges: file.relationships.iter().map(edge).collect(),
        assertions: file.assertions.iter().map(assertion).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_holds_over_grpc_by_every_call() {
    let started = Instant::now();
    let files = files();
    let server = ServerProcess::start(None, &[]);
    let mut peer = Peer::new(&server.endpoint(), KEY);
    let mut compared = Compared::default();
    let mut failures = Vec::new();
    for file in files.iter().map(plain) {
        match check(&mut peer, &file).await {
            Ok(more) => compared.add(more),
            Err(reason) => failures.push(format!("{}: {reason}", file.name)),
        }
        let types: Vec<&str> = file.types.keys().map(String::as_str).collect();
        assert!(peer.clear(&types).await, "{} cannot be removed", file.name);
    }
    println!("{} files in {:.0} s: {compared:?}", files.len(), started.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "{} files fail:\n{}", failures.len(), failures.join("\n"));
    assert!(compared.assertions > 400, "only {} assertions were run", compared.assertions);
}

/// Files whose assertions SpiceDB answers with its depth limit.
const BEYOND_ITS_DEPTH: [&str; 2] = ["deeper-than-fifty", "folders-in-a-cycle"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_corpus_holds_on_the_real_spicedb() {
    let Some(oracle) = Oracle::start() else {
        println!("SKIPPED: PEMBA_ORACLE=skip, the corpus was not run on the real SpiceDB");
        return;
    };
    let (mut held, mut failures) = (0, Vec::new());
    for (number, path) in corpus().iter().enumerate() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = plain(&ValidationFile::read(path).unwrap());
        let mut peer = Peer::new(&oracle.endpoint, &format!("file-{}", number % 4));
        let schema = peer.ask(&Step::Schema(file.schema.clone())).await;
        let updates = file.edges.iter().map(|edge| (Operation::Touch, edge.clone())).collect();
        let written = peer.ask(&Step::Write { updates, preconditions: Vec::new() }).await;
        if !matches!((&schema, &written), (Answer::Done, Answer::Done)) {
            failures.push(format!("{name}: {schema}, {written}"));
        }
        for (item, wanted) in &file.assertions {
            match peer.ask(&Step::Check(item.clone(), At::Head)).await {
                Answer::Check(verdict) if verdict.permissionship == *wanted => held += 1,
                Answer::Fault(fault)
                    if BEYOND_ITS_DEPTH.contains(&&*name) && fault.code == Code::FailedPrecondition => {}
                other => failures.push(format!("{name}: {item}: {other}")),
            }
        }
        let types: Vec<&str> = file.types.keys().map(String::as_str).collect();
        assert!(peer.clear(&types).await, "{} cannot be removed", file.name);
    }
    println!("{held} assertions of the corpus hold on the real SpiceDB");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(held > 400, "only {held} assertions were run");
}
