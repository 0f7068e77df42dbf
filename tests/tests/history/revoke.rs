//! What was revoked is never seen again: not by any consistency, call or connection, however busy the server is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pemba_model::{Operation, text::parse_relationship};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_tests::wire::{Wire, at_exact, at_least, fully_consistent, minimize_latency, object, subject};
use tokio_stream::StreamExt as _;

use crate::{end, start};

const SCHEMA: &str = "definition user {}
definition group { relation member: user | group#member }
definition folder { relation viewer: group#member
 permission view = viewer }
definition document {
    relation folder: folder
    relation viewer: user
    relation banned: user
    permission view = (viewer + folder->view) - banned
}";

/// Rounds without `PEMBA_HOURS`.
const ROUNDS: usize = 300;
const BUSY: usize = 3;

/// What stays: the ways from the folder to the user, each with one link that comes and goes.
const STAYS: [&str; 6] = [
    "folder:grouped#viewer@group:outer#member",
    "document:grouped#folder@folder:grouped",
    "document:moved#folder@folder:fixed",
    "folder:fixed#viewer@group:fixed#member",
    "group:fixed#member@user:mallory",
    "document:banned#viewer@user:mallory",
];

/// Document, the relationship that makes the difference, and whether it grants or denies.
const LINKS: [(&str, &str, bool); 4] = [
    ("document:direct", "document:direct#viewer@user:mallory", true),
    ("document:grouped", "group:outer#member@user:mallory", true),
    ("document:moved", "document:moved#folder@folder:fixed", true),
    ("document:banned", "document:banned#banned@user:mallory", false),
];

/// Writes what concerns others until told to stop.
async fn churn(endpoint: String, number: usize, stop: &AtomicBool) -> usize {
    let mut wire = Wire::connect(&endpoint).await;
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let operation = if round % 2 == 0 { Operation::Touch } else { Operation::Delete };
        let texts = [
            format!("group:g{number}#member@user:u{}", round / 2 % 50),
            format!("group:outer#member@group:g{number}#member"),
            format!("document:d{number}-{}#viewer@user:mallory", round / 2 % 50),
        ];
        let updates = texts.iter().map(|text| (operation, parse_relationship(text).unwrap())).collect();
        wire.write(updates).await.unwrap();
        round += 1;
    }
    round
}

/// Whether mallory sees the document, by one of three calls.
async fn sees(wire: &mut Wire, document: &str, consistency: Option<wire::Consistency>, call: usize) -> bool {
    let question = parse_relationship(&format!("{document}#view@user:mallory")).unwrap();
    match call % 3 {
        0 => {
            let answer =
                wire.check(&question.resource, "view", &question.subject, consistency).await.unwrap();
            answer == Permissionship::HasPermission
        }
        1 => {
            let item = wire::CheckBulkPermissionsRequestItem {
                resource: Some(object(&question.resource)),
                permission: "view".to_owned(),
                subject: Some(subject(&question.subject)),
                context: None,
            };
            let request =
                wire::CheckBulkPermissionsRequest { consistency, items: vec![item], ..Default::default() };
            let pairs = wire.permissions.check_bulk_permissions(request).await.unwrap().into_inner().pairs;
            matches!(
                &pairs[0].response,
                Some(wire::check_bulk_permissions_pair::Response::Item(item))
                    if item.permissionship == i32::from(Permissionship::HasPermission)
            )
        }
        _ => {
            let request = wire::LookupResourcesRequest {
                consistency,
                resource_object_type: "document".to_owned(),
                permission: "view".to_owned(),
                subject: Some(subject(&question.subject)),
                ..Default::default()
            };
            let mut stream = wire.permissions.lookup_resources(request).await.unwrap().into_inner();
            let mut found = false;
            while let Some(message) = stream.next().await {
                found |= message.unwrap().resource_object_id == *question.resource.object_id;
            }
            found
        }
    }
}

/// Grants, is seen, revokes, and is seen by nobody any more. Gives how often was looked.
async fn round(writer: &mut Wire, readers: &mut [Wire], number: usize) -> usize {
    let (document, link, grants) = LINKS[number % LINKS.len()];
    let link = parse_relationship(link).unwrap();
    let (grant, revoke) =
        if grants { (Operation::Touch, Operation::Delete) } else { (Operation::Delete, Operation::Touch) };
    let granted = writer.write(vec![(grant, link.clone())]).await.unwrap();
    let reader = number % readers.len();
    assert!(
        sees(&mut readers[reader], document, at_least(&granted), number / 4).await,
        "{document}: not granted"
    );
    let revoked = writer.write(vec![(revoke, link)]).await.unwrap();
    let modes = [
        None,
        minimize_latency(),
        fully_consistent(),
        at_least(&granted),
        at_least(&revoked),
        at_exact(&revoked),
    ];
    let looked = modes.len();
    for (at, mode) in modes.into_iter().enumerate() {
        let reader = (number + at) % readers.len();
        let seen = sees(&mut readers[reader], document, mode.clone(), number + at).await;
        assert!(!seen, "{document} is seen after it was revoked, with {mode:?}");
    }
    // The revision before is a matter of record.
    assert!(
        sees(&mut readers[reader], document, at_exact(&granted), number).await,
        "{document}: history changed"
    );
    looked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_is_never_seen() {
    let end = end();
    let server = start(None, Some(SCHEMA)).await;
    let endpoint = server.endpoint();
    let mut writer = Wire::connect(&endpoint).await;
    let stays = STAYS.iter().map(|text| (Operation::Touch, parse_relationship(text).unwrap())).collect();
    writer.write(stays).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(Wire::connect(&endpoint).await);
    }
    let stop = AtomicBool::new(false);
    let rounds = async {
        let (mut number, mut looked) = (0, 0);
        while number < ROUNDS || end.is_some_and(|end| Instant::now() < end) {
            looked += round(&mut writer, &mut readers, number).await;
            number += 1;
        }
        stop.store(true, Ordering::Relaxed);
        (number, looked)
    };
    let busy: [_; BUSY] = std::array::from_fn(|number| churn(endpoint.clone(), number, &stop));
    let [first, second, third] = busy;
    let ((number, looked), a, b, c) = tokio::join!(rounds, first, second, third);
    println!("{number} revocations, {looked} looks after them, {} writes of others", a + b + c);
    assert!(a + b + c >= number, "the server was not busy");
}
