//! Callers that misbehave: bounded memory, and other clients unharmed.

use std::time::Duration;

use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::harness::*;

#[tokio::test]
async fn an_oversize_message_is_refused() {
    let limits = Limits { message_max_bytes: 64 * 1024, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    let status = harness.write_schema(&" ".repeat(65 * 1024)).await.unwrap_err();
    assert_error(&status, Code::ResourceExhausted, "", &[]);
    assert!(status.message().contains("65536"), "{status:?}");
    let relationships = vec![relationship("document:a#owner@user:ada"); 4000];
    let message = wire::ImportBulkRelationshipsRequest { relationships };
    let status =
        harness.permissions().import_bulk_relationships(tokio_stream::iter([message])).await.unwrap_err();
    assert_error(&status, Code::ResourceExhausted, "", &[]);
    harness.write_schema(SCHEMA).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_calls_on_one_connection_is_answered() {
    let limits = Limits { streams_per_connection_max: 16, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    harness.touch(&["document:a#owner@user:ada"]).await;
    let calls: Vec<_> = (0..2000)
        .map(|_| {
            let mut client = harness.permissions();
            tokio::spawn(
                async move { client.check_permission(check_request("document:a#view@user:ada")).await },
            )
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().into_inner().permissionship, HAS);
    }
}

#[tokio::test]
async fn a_connection_with_many_lookups_waits_in_its_own_line() {
    let limits = Limits { concurrent_queries_max: 1, ..Limits::default() };
    let harness = Harness::start_with(limits, |options| options.worker_threads = 1).await;
    harness.write_schema(SCHEMA).await.unwrap();
    harness.touch(&["document:a#owner@user:ada"]).await;
    let other = connect(&harness.server).await;
    // Far more than may run or wait at once.
    let heavy: Vec<_> = (0..150).map(|_| tokio::spawn(lookup(harness.permissions()))).collect();
    assert_eq!(lookup(PermissionsServiceClient::new(other)).await.unwrap(), ["a"]);
    for answer in heavy {
        assert_eq!(answer.await.unwrap().unwrap(), ["a"]);
    }
}

async fn lookup(mut client: PermissionsServiceClient<Channel>) -> Result<Vec<String>, tonic::Status> {
    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        ..Default::default()
    };
    let mut stream = client.lookup_resources(lookup).await?.into_inner();
    let mut ids = Vec::new();
    while let Some(found) = stream.message().await? {
        ids.push(found.resource_object_id);
    }
    Ok(ids)
}

#[tokio::test]
async fn one_more_stream_than_allowed_is_refused_until_one_ends() {
    let harness = Harness::start_with(Limits::default(), |options| options.streams_max = 3).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(harness.watches().watch(wire::WatchRequest::default()).await.unwrap());
    }
    let status = harness.watches().watch(wire::WatchRequest::default()).await.err().unwrap();
    assert_error(&status, Code::ResourceExhausted, "", &[]);
    assert_eq!(harness.answer("document:a#view@user:ada").await, NO);
    drop(open.pop());
    for _ in 0..100 {
        if harness.watches().watch(wire::WatchRequest::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place of a stream that ended did not come back");
}

#[tokio::test]
async fn a_reader_that_stalls_is_ended_and_harms_nobody() {
    let limits = Limits { stream_stall_max_ms: 300, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let relationships: Vec<_> = (0..30_000)
        .map(|n| relationship(&format!("document:document-number-{n:08}#owner@user:user-number-{n:08}")))
        .collect();
    let messages: Vec<_> = relationships
        .chunks(1000)
        .map(|chunk| wire::ImportBulkRelationshipsRequest { relationships: chunk.to_vec() })
        .collect();
    harness.permissions().import_bulk_relationships(tokio_stream::iter(messages)).await.unwrap();

    let address = harness.server.addresses()[0];
    let lazy = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let lazy = lazy.initial_stream_window_size(64 * 1024).initial_connection_window_size(64 * 1024);
    let mut lazy = PermissionsServiceClient::new(lazy.connect().await.unwrap());
    let request = wire::ReadRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        ..Default::default()
    };
    let mut stalled = lazy.read_relationships(request.clone()).await.unwrap().into_inner();
    stalled.message().await.unwrap().unwrap();
    // While it stalls, and well after its bound, others are served.
    for _ in 0..20 {
        assert_eq!(
            harness.answer("document:document-number-00000007#view@user:user-number-00000007").await,
            HAS
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let whole = all(harness.permissions().read_relationships(request).await.unwrap()).await.unwrap();
    assert_eq!(whole.len(), 30_000);
    let mut taken = 1;
    let status = loop {
        match stalled.message().await {
            Ok(Some(_)) => taken += 1,
            Ok(None) => panic!("the stream ended as if it were whole, after {taken}"),
            Err(status) => break status,
        }
    };
    assert_error(&status, Code::DeadlineExceeded, "", &[]);
    assert!(taken < 30_000, "{taken}");
}

#[tokio::test]
async fn an_import_that_stalls_is_ended() {
    let limits = Limits { stream_stall_max_ms: 200, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let status = harness.permissions().import_bulk_relationships(tokio_stream::pending()).await.unwrap_err();
    assert_error(&status, Code::DeadlineExceeded, "", &[]);
}

#[tokio::test]
async fn broken_frames_end_their_connection_only() {
    let harness = Harness::start().await;
    let address = harness.server.addresses()[0];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // A frame longer than allowed, a header block on stream 0, data on an idle stream, and no HTTP/2 at all.
    let cases: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
        &[0, 0, 1, 1, 4, 0, 0, 0, 0, 0x82],
        &[0, 0, 1, 0, 0, 0, 0, 0, 9, 0],
        b"",
    ];
    for (index, frame) in cases.iter().enumerate() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let bytes = if frame.is_empty() {
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()
        } else {
            [preface.as_slice(), &[0, 0, 0, 4, 0, 0, 0, 0, 0], frame].concat()
        };
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "case {index}: the connection stays open");
        assert_eq!(harness.answer("document:a#view@user:ada").await, NO);
    }
}

#[tokio::test]
async fn one_more_connection_than_allowed_is_closed() {
    let harness = Harness::start_with(Limits::default(), |options| options.connections_max = 2).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let address = harness.server.addresses()[0];
    let _held = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut refused = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), refused.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection stays open");
    assert_eq!(harness.answer("document:a#view@user:ada").await, NO);
}

#[tokio::test]
async fn a_watcher_that_falls_behind_is_told_and_loses_nothing() {
    use pemba_proto::authzed::api::v1::watch_service_client::WatchServiceClient;
    let limits = Limits { stream_stall_max_ms: 300, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let address = harness.server.addresses()[0];
    let lazy = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let lazy = lazy.initial_stream_window_size(64 * 1024).initial_connection_window_size(64 * 1024);
    let mut lazy = WatchServiceClient::new(lazy.connect().await.unwrap());
    let mut stream = lazy.watch(wire::WatchRequest::default()).await.unwrap().into_inner();
    for page in 0..40 {
        let texts: Vec<String> =
            (0..1000).map(|n| format!("document:document-{page:08}-{n:08}#owner@user:user-{n:08}")).collect();
        harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let (mut told, mut through) = (0, None);
    let status = loop {
        match stream.message().await {
            Ok(Some(message)) => {
                told += message.updates.len();
                through = message.changes_through;
            }
            Ok(None) => panic!("the watch ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_error(&status, Code::ResourceExhausted, "", &[]);
    assert!(told < 40_000, "{told}");
    let request = wire::WatchRequest { optional_start_cursor: through, ..Default::default() };
    let mut stream = harness.watches().watch(request).await.unwrap().into_inner();
    while told < 40_000 {
        told += stream.message().await.unwrap().unwrap().updates.len();
    }
    assert_eq!(told, 40_000);
}
