//! A plain HTTP/1.1 client that shows everything, and a server with REST.

use std::net::SocketAddr;
use std::time::Duration;

use pemba_model::Limits;
use pemba_server::ServerOptions;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Harness, SCHEMA};

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub trailers: Vec<(String, String)>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    /// The body as one value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as a value a line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        assert!(self.body.is_empty() || self.body.ends_with('\n'), "{self:?}");
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts an error: the HTTP status, and the gRPC code in its JSON.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: i64) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json = self.json();
        let error = json.get("error").unwrap_or(&json).clone();
        assert_eq!(error["code"], code, "{self:?}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(error["details"].is_array());
        error
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A server with REST, and the schema.
pub async fn start() -> (Harness, SocketAddr) {
    let (harness, address) = start_with(Limits::default(), |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    (harness, address)
}

/// A server with REST, without a schema.
pub async fn start_with(limits: Limits, change: impl FnOnce(&mut ServerOptions)) -> (Harness, SocketAddr) {
    let harness = Harness::start_with(limits, |options| {
        options.rest_listen = Some("127.0.0.1:0".parse().unwrap());
        change(options);
    })
    .await;
    let address = harness.server.rest_address().unwrap();
    (harness, address)
}

/// The text of a request that closes its connection.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: pemba\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text
}

pub async fn post(address: SocketAddr, path: &str, body: &str) -> Reply {
    send(address, &request("POST", path, &[], body)).await
}

pub async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, &request("GET", path, &[], "")).await
}

/// Sends text as it is, and reads until the server closes.
pub async fn send(address: SocketAddr, text: &str) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has answered may close before all was sent.
    let _ = stream.write_all(text.as_bytes()).await;
    read(&mut stream).await
}

/// Reads an answer to the end of its connection.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    // A reset after the answer is the server's way to refuse the rest of a body.
    let _ = read.expect("the server closes in time");
    parse(&String::from_utf8(bytes).unwrap())
}

fn parse(text: &str) -> Reply {
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.strip_prefix("HTTP/1.1 ").unwrap().split(' ').next().unwrap().parse().unwrap();
    let headers = parse_headers(headers);
    if find(&headers, "transfer-encoding") != Some("chunked") {
        return Reply { status, headers, body: rest.to_owned(), trailers: Vec::new() };
    }
    let (mut body, mut rest) = (String::new(), rest);
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return Reply { status, headers, body, trailers: parse_headers(after.trim_end()) };
        }
        let (chunk, after) = after.split_at(size);
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap();
    }
}

fn parse_headers(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.trim().to_owned())
    };
    text.split("\r\n").filter(|line| !line.is_empty()).map(pair).collect()
}
