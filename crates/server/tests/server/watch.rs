//! Watching: order, kinds, filters, resuming, ending.

use std::time::Duration;

use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use tonic::{Code, Status, Streaming};

use crate::harness::*;

async fn watch(harness: &Harness, request: wire::WatchRequest) -> Streaming<wire::WatchResponse> {
    harness.watches().watch(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<wire::WatchResponse>) -> Result<wire::WatchResponse, Status> {
    tokio::time::timeout(Duration::from_secs(10), stream.message())
        .await
        .expect("no event")
        .map(Option::unwrap)
}

fn ids(event: &wire::WatchResponse) -> Vec<(i32, String)> {
    let id = |update: &wire::RelationshipUpdate| {
        update.relationship.as_ref().unwrap().resource.as_ref().unwrap().object_id.clone()
    };
    event.updates.iter().map(|update| (update.operation, id(update))).collect()
}

#[tokio::test]
async fn changes_come_in_order_with_their_metadata_and_resume_after_any() {
    let harness = Harness::start().await;
    let start = harness.touch(&["document:z#owner@user:ada"]).await;
    let request = wire::WatchRequest { optional_start_cursor: Some(start), ..Default::default() };
    let mut stream = watch(&harness, request).await;
    harness
        .write(Operation::Create, &["document:a#owner@user:ada", "document:b#owner@user:ada"])
        .await
        .unwrap();
    let metadata = text_struct("who", "ops");
    let write = wire::WriteRelationshipsRequest {
        updates: vec![update(Operation::Delete, "document:a#owner@user:ada")],
        optional_transaction_metadata: Some(metadata.clone()),
        ..Default::default()
    };
    harness.permissions().write_relationships(write).await.unwrap();
    let first = next(&mut stream).await.unwrap();
    assert_eq!(ids(&first), [(2, "a".into()), (2, "b".into())]);
    assert!(first.optional_transaction_metadata.is_none());
    let second = next(&mut stream).await.unwrap();
    assert_eq!(ids(&second), [(3, "a".into())]);
    assert_eq!(second.optional_transaction_metadata.as_ref(), Some(&metadata));
    assert_eq!(second.full_revision_metadata, [metadata]);
    let request = wire::WatchRequest { optional_start_cursor: first.changes_through, ..Default::default() };
    let again = next(&mut watch(&harness, request).await).await.unwrap();
    assert_eq!(again, second);
}

#[tokio::test]
async fn kinds_and_filters_choose() {
    use wire::WatchKind;
    let harness = Harness::start().await;
    let start = harness.touch(&["document:z#owner@user:ada"]).await;
    harness.touch(&["group:eng#member@user:ada"]).await;
    harness.touch(&["document:a#owner@user:ada", "document:b#owner@user:bob"]).await;
    harness.write_schema(&format!("{SCHEMA}\ndefinition extra {{}}")).await.unwrap();

    let typed = wire::WatchRequest {
        optional_object_types: vec!["document".into()],
        optional_start_cursor: Some(start.clone()),
        optional_update_kinds: vec![
            WatchKind::IncludeSchemaUpdates.into(),
            WatchKind::IncludeCheckpoints.into(),
        ],
        ..Default::default()
    };
    let mut stream = watch(&harness, typed).await;
    let changes = next(&mut stream).await.unwrap();
    assert_eq!(ids(&changes), [(2, "a".into()), (2, "b".into())]);
    let schema = next(&mut stream).await.unwrap();
    assert!(schema.schema_updated && schema.updates.is_empty() && !schema.is_checkpoint);
    let checkpoint = next(&mut stream).await.unwrap();
    assert!(checkpoint.is_checkpoint && checkpoint.updates.is_empty());

    let subject_filter = wire::SubjectFilter {
        subject_type: "user".into(),
        optional_subject_id: "bob".into(),
        optional_relation: None,
    };
    let filter =
        wire::RelationshipFilter { optional_subject_filter: Some(subject_filter), ..type_filter("document") };
    let filtered = wire::WatchRequest {
        optional_relationship_filters: vec![filter],
        optional_start_cursor: Some(start),
        ..Default::default()
    };
    let mut stream = watch(&harness, filtered).await;
    assert_eq!(ids(&next(&mut stream).await.unwrap()), [(2, "b".into())]);
    harness.touch(&["document:c#owner@user:bob"]).await;
    assert_eq!(ids(&next(&mut stream).await.unwrap()), [(2, "c".into())]);
}

#[tokio::test]
async fn a_watch_ends_when_the_server_stops() {
    let harness = Harness::start().await;
    let mut stream = watch(&harness, wire::WatchRequest::default()).await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    next(&mut stream).await.unwrap();
    let server = harness.server;
    let stopping = tokio::task::spawn_blocking(move || server.shutdown());
    assert_error(&next(&mut stream).await.unwrap_err(), Code::Unavailable, "", &[]);
    drop((stream, harness.channel));
    assert!(stopping.await.unwrap(), "the shutdown did not drain");
}

fn with(
    message: wire::WatchRequest,
    metadata: &[(&'static str, &str)],
) -> tonic::Request<wire::WatchRequest> {
    let mut request = tonic::Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

fn told(message: &wire::WatchResponse) -> Vec<(i32, String)> {
    let updates = message.updates.iter();
    updates
        .map(|update| {
            let relationship = update.relationship.as_ref().unwrap();
            (update.operation, relationship.resource.as_ref().unwrap().object_id.clone())
        })
        .collect()
}

#[tokio::test]
async fn a_watch_from_the_beginning_replays_everything() {
    let harness = Harness::start().await;
    let first = harness.touch(&["document:a#owner@user:ada"]).await;
    harness.touch(&["document:b#owner@user:ada"]).await;
    let beginning = [("pemba-watch-from", "beginning")];
    let request = with(wire::WatchRequest::default(), &beginning);
    let mut stream = harness.watches().watch(request).await.unwrap().into_inner();
    for id in ["a", "b"] {
        assert_eq!(told(&stream.message().await.unwrap().unwrap()), [(2, id.to_owned())]);
    }
    let both = wire::WatchRequest { optional_start_cursor: Some(first), ..Default::default() };
    let status = harness.watches().watch(with(both, &beginning)).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "", &[]);
    for metadata in [("pemba-watch-from", "start"), ("pemba-watch-expirations", "1")] {
        let request = with(wire::WatchRequest::default(), &[metadata]);
        let status = harness.watches().watch(request).await.err().unwrap();
        assert_error(&status, Code::InvalidArgument, "", &[]);
        assert!(status.message().contains(metadata.0), "{status:?}");
    }
}

#[tokio::test]
async fn a_beginning_that_is_forgotten_is_out_of_range() {
    let limits = Limits { history_window_ms: 0, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    harness.touch(&["document:a#owner@user:ada"]).await;
    harness.database.collect_garbage();
    let request = with(wire::WatchRequest::default(), &[("pemba-watch-from", "beginning")]);
    let status = harness.watches().watch(request).await.err().unwrap();
    assert_error(&status, Code::OutOfRange, "", &[]);
}

#[tokio::test]
async fn an_expiration_is_told_on_request_and_again_when_resumed() {
    let harness = Harness::start().await;
    let expirations = [("pemba-watch-expirations", "true")];
    let request = with(wire::WatchRequest::default(), &expirations);
    let mut stream = harness.watches().watch(request).await.unwrap().into_inner();
    let soon = pemba_db::Clock::now(&pemba_db::SystemClock).plus_millis(1500);
    let token = harness.touch(&[&format!("document:a#viewer@user:ada[expiration:{soon}]")]).await;
    assert_eq!(told(&stream.message().await.unwrap().unwrap()), [(2, "a".to_owned())]);
    let message = stream.message().await.unwrap().unwrap();
    assert_eq!(told(&message), [(3, "a".to_owned())]);
    assert_eq!(message.changes_through, Some(token.clone()));
    let relationship = message.updates[0].relationship.as_ref().unwrap();
    assert_eq!(relationship.optional_expires_at.unwrap().seconds, soon.seconds());
    assert_eq!(harness.answer("document:a#view@user:ada").await, NO);
    let again = wire::WatchRequest { optional_start_cursor: Some(token), ..Default::default() };
    let mut stream = harness.watches().watch(with(again, &expirations)).await.unwrap().into_inner();
    assert_eq!(told(&stream.message().await.unwrap().unwrap()), [(3, "a".to_owned())]);
}
