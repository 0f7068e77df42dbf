//! Clients that send too much, too slowly, or nothing sensible, or that do not read.

use std::time::Duration;

use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{get, post, read, request, send, start, start_with};
use crate::harness::{SCHEMA, relationship};

const READ_SCHEMA: &str = "/v1/schema/read";
const WRITE_SCHEMA: &str = "/v1/schema/write";
const IMPORT: &str = "/v1/relationships/importbulk";

#[tokio::test]
async fn too_long_a_body_is_refused_however_it_is_sent() {
    let limits = Limits { message_max_bytes: 64 * 1024, ..Limits::default() };
    let (_harness, address) = start_with(limits, |_| ()).await;
    // Short enough as JSON, too long as a message.
    let body = format!("{{\"schema\":\"{}\"}}", " ".repeat(65 * 1024));
    let error = post(address, WRITE_SCHEMA, &body).await.assert_error(429, 8);
    assert!(error["message"].as_str().unwrap().contains("65536"), "{error}");
    // Too long as JSON.
    let body = format!("{{\"more\":\"{}\"}}", " ".repeat(257 * 1024));
    let error = post(address, WRITE_SCHEMA, &body).await.assert_error(429, 8);
    assert!(error["message"].as_str().unwrap().contains("262144"), "{error}");
    post(address, IMPORT, &body).await.assert_error(400, 3);
    let head = request("POST", WRITE_SCHEMA, &[("transfer-encoding", "chunked")], "");
    let head = head.replace("content-length: 0\r\n", "");
    let chunked = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    send(address, &chunked).await.assert_error(429, 8);
    // A promise is enough.
    let promised = request("POST", WRITE_SCHEMA, &[], "").replace("length: 0", "length: 99999999999");
    send(address, &promised).await.assert_error(429, 8);
    let body = format!("{{\"schema\":{}}}", serde_json::to_string(SCHEMA).unwrap());
    assert_eq!(post(address, WRITE_SCHEMA, &body).await.status, 200);
}

#[tokio::test]
async fn json_of_any_depth_is_refused_and_harms_nobody() {
    let (_harness, address) = start().await;
    for open in ["{\"context\":", "[", "{\"a\":["] {
        post(address, "/v1/permissions/check", &open.repeat(500_000)).await.assert_error(400, 3);
    }
    assert_eq!(post(address, READ_SCHEMA, "{}").await.status, 200);
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection() {
    let (_harness, address) = start().await;
    for text in ["nonsense\r\n\r\n", "\0\0\0\0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{text:?}");
    }
    let long = "x".repeat(128 * 1024);
    let reply = send(address, &request("POST", READ_SCHEMA, &[("x-long", &long)], "{}")).await;
    assert_eq!(reply.status, 431);
    let many: Vec<(String, &str)> = (0..200).map(|n| (format!("x-{n}"), "y")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(send(address, &request("POST", READ_SCHEMA, &many, "{}")).await.status, 431);
    assert_eq!(get(address, "/healthz").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = Limits { stream_stall_max_ms: 300, ..Limits::default() };
    let (_harness, address) = start_with(limits, |_| ()).await;
    for path in [WRITE_SCHEMA, IMPORT] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = request("POST", path, &[], "{").replace("length: 1", "length: 100");
        stream.write_all(text.as_bytes()).await.unwrap();
        read(&mut stream).await.assert_error(504, 4);
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_and_its_stream_ends() {
    let limits = Limits { stream_stall_max_ms: 300, ..Limits::default() };
    let (harness, address) = start_with(limits, |options| options.streams_max = 1).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let messages: Vec<_> = (0..60)
        .map(|batch| wire::ImportBulkRelationshipsRequest {
            relationships: (0..1000)
                .map(|n| relationship(&format!("document:document-number-{batch:04}-{n:08}#owner@user:ada")))
                .collect(),
        })
        .collect();
    harness.permissions().import_bulk_relationships(tokio_stream::iter(messages)).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(request("POST", "/v1/relationships/exportbulk", &[], "{}").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    post(address, "/v1/relationships/exportbulk", "{}").await.assert_error(429, 8);
    for _ in 0..100 {
        let reply = post(address, "/v1/relationships/exportbulk", r#"{"optionalLimit":1000}"#).await;
        if reply.status == 200 {
            assert_eq!(reply.lines().len(), 60);
            // What came is no whole answer.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(!rest.ends_with(b"0\r\n\r\n"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place of a stream that nobody reads did not come back");
}

#[tokio::test]
async fn a_flood_of_requests_is_answered() {
    let (harness, address) = start().await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    let check = r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"ada"}}}"#;
    let calls: Vec<_> = (0..500)
        .map(|_| tokio::spawn(async move { post(address, "/v1/permissions/check", check).await }))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().json()["permissionship"], "PERMISSIONSHIP_HAS_PERMISSION");
    }
}

#[tokio::test]
async fn one_more_connection_than_allowed_is_closed() {
    let (_harness, address) = start_with(Limits::default(), |options| options.connections_max = 2).await;
    // The harness holds one for gRPC.
    let held = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut more = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    let _ = more.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    drop(held);
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request("GET", "/healthz", &[], "").as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        if answer.starts_with(b"HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place of a closed connection did not come back");
}
