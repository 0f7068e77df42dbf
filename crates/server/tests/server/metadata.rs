//! What comes beside the messages: request metadata that clients send, and the trailers they read.

use pemba_proto::authzed::api::v1 as wire;
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::harness::*;

const DISPATCHED: &str = "io.spicedb.respmeta.dispatchedoperationscount";
const CACHED: &str = "io.spicedb.respmeta.cachedoperationscount";

fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap())
}

async fn counts<M>(mut stream: tonic::Streaming<M>) -> (String, String) {
    while stream.message().await.unwrap().is_some() {}
    let trailers = stream.trailers().await.unwrap().unwrap();
    (text(&trailers, DISPATCHED).unwrap().to_owned(), text(&trailers, CACHED).unwrap().to_owned())
}

#[tokio::test]
async fn an_answer_says_what_it_took_and_which_call_it_was() {
    let harness = Harness::start().await;
    harness.touch(&["document:plan#owner@user:ada"]).await;
    let question = || check_request("document:plan#view@user:ada");
    // A unary answer's trailers come with its headers in one map.
    let answer = harness.permissions().check_permission(with(question(), &[("x-request-id", "abc")])).await;
    let answer = answer.unwrap();
    assert_eq!(text(answer.metadata(), "x-request-id"), Some("abc"));
    assert_eq!(text(answer.metadata(), DISPATCHED), Some("1"));
    assert_eq!(text(answer.metadata(), CACHED), Some("0"));
    assert_eq!(text(answer.metadata(), "io.spicedb.debug.version"), None);
    let made_up = harness.permissions().check_permission(question()).await.unwrap();
    assert!(!text(made_up.metadata(), "x-request-id").unwrap().is_empty());

    let bulk = wire::CheckBulkPermissionsRequest {
        items: vec![bulk_item("document:plan#view@user:ada"), bulk_item("document:plan#nope@user:ada")],
        ..Default::default()
    };
    let answer = harness.permissions().check_bulk_permissions(bulk).await.unwrap();
    assert_eq!(text(answer.metadata(), DISPATCHED), Some("2"));
    let written = wire::WriteRelationshipsRequest {
        updates: vec![update(wire::relationship_update::Operation::Touch, "document:a#owner@user:ada")],
        ..Default::default()
    };
    let answer = harness.permissions().write_relationships(written).await.unwrap();
    assert_eq!(text(answer.metadata(), DISPATCHED), Some("0"));

    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        ..Default::default()
    };
    let stream = harness.permissions().lookup_resources(lookup).await.unwrap().into_inner();
    assert_eq!(counts(stream).await, ("1".to_owned(), "0".to_owned()));
    let read = wire::ReadRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        ..Default::default()
    };
    let stream = harness.permissions().read_relationships(read).await.unwrap().into_inner();
    assert_eq!(counts(stream).await, ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn an_error_has_the_trailers_too() {
    let harness = Harness::start().await;
    let question = check_request("document:plan#nothing@user:ada");
    let status = harness.permissions().check_permission(with(question, &[("x-request-id", "abc")])).await;
    let status = status.unwrap_err();
    assert_eq!(text(status.metadata(), "x-request-id"), Some("abc"));
    assert_eq!(text(status.metadata(), DISPATCHED), Some("0"));
    assert_eq!(text(status.metadata(), CACHED), Some("0"));
}

#[tokio::test]
async fn the_version_is_told_on_request_and_the_overlap_key_is_accepted() {
    let harness = Harness::start().await;
    let metadata = [("io.spicedb.requestversion", "1"), ("io.spicedb.requestoverlapkey", "tenant-1")];
    let answer = harness.schemas().read_schema(with(wire::ReadSchemaRequest {}, &metadata)).await.unwrap();
    assert_eq!(
        text(answer.metadata(), "io.spicedb.debug.version"),
        Some(concat!("pemba-v", env!("CARGO_PKG_VERSION")))
    );
}
