//! One million relationships of the support desk through the real server: imported over gRPC, compared with the truth
//! on a sample, and compared again after a restart. Prints what it measured; asserts no timing.
//!
//! `PEMBA_SCALE` sets the relationships (1,000,000 without it).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::time::Instant;

use pemba_model::Operation;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_testkit::support_desk::{Principal, SCHEMA, SupportDesk};
use pemba_tests::process::ServerProcess;
use pemba_tests::wire::{Wire, fully_consistent, object, relationship, subject};
use tokio_stream::StreamExt as _;

const SAMPLE: u64 = 5000;
const SEED: u64 = 7;

async fn import(wire: &mut Wire, desk: SupportDesk) -> u64 {
    let (send, receive) = tokio::sync::mpsc::channel(4);
    let feeder = tokio::spawn(async move {
        let mut batch = Vec::with_capacity(1000);
        for one in desk.relationships() {
            batch.push(relationship(&one));
            if batch.len() == 1000 {
                let relationships = std::mem::take(&mut batch);
                send.send(wire::ImportBulkRelationshipsRequest { relationships }).await.unwrap();
            }
        }
        send.send(wire::ImportBulkRelationshipsRequest { relationships: batch }).await.unwrap();
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(receive);
    let response = wire.permissions.import_bulk_relationships(stream).await.unwrap().into_inner();
    feeder.await.unwrap();
    response.num_loaded
}

async fn compare_checks(wire: &mut Wire, desk: &SupportDesk) {
    let mut granted = 0;
    let numbers: Vec<u64> = (0..SAMPLE).collect();
    for chunk in numbers.chunks(500) {
        let questions: Vec<_> = chunk.iter().map(|number| desk.question(*number)).collect();
        let items = questions
            .iter()
            .map(|question| wire::CheckBulkPermissionsRequestItem {
                resource: Some(object(&question.resource)),
                permission: question.permission.to_string(),
                subject: Some(subject(&question.subject)),
                context: None,
            })
            .collect();
        let request = wire::CheckBulkPermissionsRequest {
            consistency: fully_consistent(),
            items,
            ..Default::default()
        };
        let pairs = wire.permissions.check_bulk_permissions(request).await.unwrap().into_inner().pairs;
        assert_eq!(pairs.len(), questions.len());
        for (question, pair) in questions.iter().zip(pairs) {
            let Some(wire::check_bulk_permissions_pair::Response::Item(item)) = pair.response else {
                panic!("{question:?} has no answer")
            };
            assert_eq!(
                item.permissionship() == Permissionship::HasPermission,
                question.expected,
                "{question:?}"
            );
            granted += u64::from(question.expected);
        }
    }
    assert!(
        granted > SAMPLE / 10 && granted < SAMPLE * 9 / 10,
        "a sample with {granted} yes of {SAMPLE} proves little"
    );
}

async fn compare_lookup(wire: &mut Wire, desk: &SupportDesk, principal: Principal) {
    let expected: BTreeSet<String> =
        desk.tickets_of(principal).map(|ticket| desk.ticket(ticket).object_id.to_string()).collect();
    let who =
        wire::SubjectReference { object: Some(object(&desk.principal(principal))), ..Default::default() };
    let request = wire::LookupResourcesRequest {
        consistency: fully_consistent(),
        resource_object_type: "ticket".to_owned(),
        permission: "view".to_owned(),
        subject: Some(who),
        ..Default::default()
    };
    let mut stream = wire.permissions.lookup_resources(request).await.unwrap().into_inner();
    let mut found = BTreeSet::new();
    while let Some(message) = stream.next().await {
        assert!(found.insert(message.unwrap().resource_object_id), "a resource came twice");
    }
    assert_eq!(found, expected, "{principal:?}");
}

async fn compare(wire: &mut Wire, desk: &SupportDesk) {
    compare_checks(wire, desk).await;
    for principal in
        [Principal::User(3), Principal::User(500 % desk.users), Principal::Agent(1), Principal::Agent(7)]
    {
        compare_lookup(wire, desk, principal).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_relationships_hold_before_and_after_a_restart() {
    let scale: u64 = std::env::var("PEMBA_SCALE").map_or(1_000_000, |text| text.parse().unwrap());
    let desk = SupportDesk::new(scale, SEED);
    let count = desk.relationships().count() as u64;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    let server = ServerProcess::start(Some(&data), &[]);
    let mut wire = Wire::connect(&server.endpoint()).await;
    wire.write_schema(SCHEMA).await.unwrap();
    let before_bytes = server.resident_bytes();
    let started = Instant::now();
    assert_eq!(import(&mut wire, desk).await, count);
    let took = started.elapsed();
    println!(
        "import: {count} relationships in {:.2} s, {:.0} a second",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64()
    );
    println!(
        "resident after import: {:.0} bytes a relationship",
        (server.resident_bytes() - before_bytes) as f64 / count as f64
    );
    compare(&mut wire, &desk).await;
    println!(
        "resident after the questions: {:.0} bytes a relationship",
        (server.resident_bytes() - before_bytes) as f64 / count as f64
    );
    drop(wire);
    server.stop();

    let started = Instant::now();
    let server = ServerProcess::start(Some(&data), &[]);
    println!("restart until served: {:.2} s", started.elapsed().as_secs_f64());
    println!(
        "resident after restart: {:.0} bytes a relationship",
        server.resident_bytes() as f64 / count as f64
    );
    let mut wire = Wire::connect(&server.endpoint()).await;
    compare(&mut wire, &desk).await;
    let one = desk.relationships().next().unwrap();
    let again = wire.write(vec![(Operation::Create, one)]).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::AlreadyExists, "what was imported is there for a writer too");
}
