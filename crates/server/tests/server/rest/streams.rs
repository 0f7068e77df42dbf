//! Streams both ways.

use std::net::SocketAddr;
use std::time::Duration;

use pemba_model::Limits;
use pemba_server::ServerOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::http::{post, request, send, start, start_with};
use crate::harness::SCHEMA;

const IMPORT: &str = "/v1/relationships/importbulk";
const WRITE: &str = "/v1/relationships/write";

fn import(ids: &[&str]) -> String {
    let relationships: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({
                "resource": {"objectType": "document", "objectId": id},
                "relation": "owner",
                "subject": {"object": {"objectType": "user", "objectId": "ada"}},
            })
        })
        .collect();
    json!({ "relationships": relationships }).to_string()
}

async fn documents(address: SocketAddr) -> usize {
    let body = r#"{"relationshipFilter":{"resourceType":"document"}}"#;
    post(address, "/v1/relationships/read", body).await.lines().len()
}

#[tokio::test]
async fn an_import_is_any_number_of_objects() {
    let (_harness, address) = start().await;
    let body = format!("{}{}\n {}", import(&["a"]), import(&["b", "c"]), import(&[]));
    assert_eq!(post(address, IMPORT, &body).await.json(), json!({"numLoaded": "3"}));
    assert_eq!(post(address, IMPORT, "").await.json(), json!({"numLoaded": "0"}));
    assert_eq!(documents(address).await, 3);
}

#[tokio::test]
async fn an_import_with_a_wrong_part_changes_nothing() {
    let (_harness, address) = start().await;
    let good = import(&["a"]);
    for (wrong, status, code, part) in [
        ("x".to_owned(), 400, 3, "message 2 of the body begins with `x`"),
        ("{\"relationships\":[".to_owned(), 400, 3, "message 2 of the body ends within"),
        ("{\"relationships\":5}".to_owned(), 400, 3, "expected an array for the field `relationships`"),
        (import(&["%"]), 400, 3, "relationships"),
        (import(&["a"]), 409, 6, "document:a#owner@user:ada"),
    ] {
        let error = post(address, IMPORT, &format!("{good}{wrong}")).await.assert_error(status, code);
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
        assert_eq!(documents(address).await, 0, "{wrong}");
    }
}

#[tokio::test]
async fn an_import_that_breaks_off_changes_nothing() {
    let (_harness, address) = start().await;
    let whole = request("POST", IMPORT, &[], &import(&["a"]));
    let promised = whole.replace("content-length: ", "content-length: 1");
    let chunked = whole.replace("content-length: ", "transfer-encoding: chunked\r\nx-length: ");
    let (head, body) = chunked.split_once("\r\n\r\n").unwrap();
    let chunked = format!("{head}\r\n\r\n{:x}\r\n{body}\r\n", body.len());
    for text in [promised, chunked.clone()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(documents(address).await, 0);
    }
    assert_eq!(send(address, &format!("{chunked}0\r\n\r\n")).await.json(), json!({"numLoaded": "1"}));
}

#[tokio::test]
async fn an_empty_stream_is_no_lines() {
    let (_harness, address) = start().await;
    let body = r#"{"relationshipFilter":{"resourceType":"document"}}"#;
    let reply = post(address, "/v1/relationships/read", body).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_stream_of_many_pages_comes_whole_and_with_trailers() {
    let (harness, address) = start().await;
    let texts: Vec<String> = (0..3000).map(|n| format!("document:d{n:05}#owner@user:ada")).collect();
    for chunk in texts.chunks(1000) {
        harness.touch(&chunk.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let body = r#"{"relationshipFilter":{"resourceType":"document"}}"#;
    let headers = [("TE", "trailers"), ("Grpc-Metadata-io.spicedb.requestversion", "true")];
    let reply = send(address, &request("POST", "/v1/relationships/read", &headers, body)).await;
    let lines = reply.lines();
    assert_eq!(lines.len(), 3000);
    for (line, text) in lines.iter().zip(&texts) {
        let id = line["result"]["relationship"]["resource"]["objectId"].as_str().unwrap();
        assert!(text.contains(id));
    }
    assert!(reply.trailer("grpc-trailer-io.spicedb.debug.version").is_some(), "{:?}", reply.trailers);
}

/// Reads the headers of an answer.
async fn head(reader: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).await.unwrap() > 0, "{head:?}");
    }
    head
}

/// Reads one chunk of a body as JSON.
async fn chunk(reader: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    let size = usize::from_str_radix(line.trim(), 16).unwrap();
    let mut text = String::new();
    while text.len() < size + 2 {
        reader.read_line(&mut text).await.unwrap();
    }
    (size > 0).then(|| serde_json::from_str(&text).unwrap())
}

async fn watch(address: SocketAddr, headers: &[(&str, &str)]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request("POST", "/v1/watch", headers, "{}").as_bytes()).await.unwrap();
    // There is no sign of a watch that has begun but its first message.
    tokio::time::sleep(Duration::from_millis(300)).await;
    BufReader::new(stream)
}

#[tokio::test]
async fn a_watch_shows_each_change_as_it_happens_and_ends_with_an_error_object() {
    let (_harness, address) = start().await;
    let mut reader = watch(address, &[("Grpc-Timeout", "3S")]).await;
    let write = r#"{"updates":[{"operation":"OPERATION_TOUCH","relationship":{"resource":{"objectType":"document","objectId":"a"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}}],"optionalTransactionMetadata":{"why":"<é&>","n":1e21,"small":1e-7,"list":[1,null,true,{}],"half":0.5}}"#;
    assert_eq!(post(address, WRITE, write).await.status, 200);
    assert!(head(&mut reader).await.starts_with("HTTP/1.1 200"));
    let first = chunk(&mut reader).await.unwrap();
    let result = &first["result"];
    assert_eq!(result["updates"][0]["operation"], "OPERATION_TOUCH");
    assert_eq!(result["updates"][0]["relationship"]["resource"]["objectId"], "a");
    let metadata = json!({"why": "<é&>", "n": 1e21, "small": 1e-7, "list": [1, null, true, {}], "half": 0.5});
    assert_eq!(result["optionalTransactionMetadata"], metadata);
    assert_eq!(result["isCheckpoint"], false);
    let last = chunk(&mut reader).await.unwrap();
    assert_eq!(last["error"]["code"], 4);
    assert!(last["error"]["details"].is_array());
    assert!(chunk(&mut reader).await.is_none());
}

#[tokio::test]
async fn a_shutdown_ends_a_watch_and_answers_what_is_in_progress() {
    // An address of its own, so that no other test's server gets the port once this one is gone.
    let alone = |options: &mut ServerOptions| options.rest_listen = Some("127.0.0.19:0".parse().unwrap());
    let (harness, address) = start_with(Limits::default(), alone).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let mut reader = watch(address, &[]).await;
    let write = r#"{"updates":[{"operation":"OPERATION_TOUCH","relationship":{"resource":{"objectType":"document","objectId":"a"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}}]}"#;
    assert_eq!(post(address, WRITE, write).await.status, 200);
    head(&mut reader).await;
    assert!(chunk(&mut reader).await.unwrap()["result"].is_object());
    let crate::harness::Harness { server, channel, .. } = harness;
    drop(channel);
    let begun = std::time::Instant::now();
    let stopped = tokio::task::spawn_blocking(move || server.shutdown());
    let last = chunk(&mut reader).await;
    assert!(last.is_none_or(|last| last["error"].is_object()));
    assert!(stopped.await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(TcpStream::connect(address).await.is_err());
}
