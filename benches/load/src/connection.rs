//! One HTTP/2 connection, and one call on it.

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use crate::request::{Call, Expected, Prepared, Verdict, digest};
use crate::run::Target;
use crate::scan::{Fields, Value, bytes, messages, number};

/// Window of a stream and of a connection, in bytes: large, so that the client never holds the server up.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// Codes of gRPC.
const OK: u32 = 0;
const RESOURCE_EXHAUSTED: u32 = 8;

/// What one answer said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) conditional: u64,
    /// The call failed, or items of it.
    pub(crate) errors: u64,
    /// The server refused the call for all that it has to do.
    pub(crate) refused: u64,
    /// Answers that are not what was expected.
    pub(crate) wrong: u64,
    pub(crate) ids: u64,
    digest: u64,
}

/// What every request to one target has in its head.
#[derive(Clone)]
pub(crate) struct Heads {
    authority: String,
    headers: HeaderMap,
}

impl Heads {
    pub(crate) fn new(target: &Target) -> Result<Heads> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("user-agent", HeaderValue::from_static("pemba-bench"));
        if let Some(key) = &target.key {
            let value = HeaderValue::try_from(format!("Bearer {key}"))
                .context("the key holds characters that no header may carry")?;
            headers.insert("authorization", value);
        }
        Ok(Heads { authority: target.address.clone(), headers })
    }

    pub(crate) fn uri(&self, call: Call) -> Result<Uri> {
        format!("http://{}{}", self.authority, call.path())
            .parse()
            .with_context(|| format!("`{}` is no address", self.authority))
    }

    fn request(&self, uri: &Uri) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Opens a connection and leaves it to a task of this thread.
pub(crate) async fn open(address: &str) -> Result<SendRequest<Bytes>> {
    let stream =
        tokio::net::TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
    stream.set_nodelay(true)?;
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .handshake(stream)
        .await
        .with_context(|| format!("{address} does not speak HTTP/2"))?;
    // A connection that breaks fails the calls on it, which are counted.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(send)
}

/// Makes one call to its end and compares the answer; ids by their digest only where `digesting`.
pub(crate) async fn call(
    send: &mut SendRequest<Bytes>,
    (heads, uri): (&Heads, &Uri),
    prepared: &Prepared,
    digesting: bool,
) -> Answer {
    match attempt(send, heads.request(uri), prepared, digesting).await {
        Ok(mut answer) => {
            if let Expected::Ids { count, digest } = prepared.expected
                && answer.refused == 0
            {
                let fits = answer.ids == count && (!digesting || answer.digest == digest);
                answer.wrong += u64::from(!fits);
            }
            answer
        }
        Err(_) => Answer { errors: 1, ..Answer::default() },
    }
}

async fn attempt(
    send: &mut SendRequest<Bytes>,
    head: Request<()>,
    prepared: &Prepared,
    digesting: bool,
) -> Result<Answer> {
    std::future::poll_fn(|context| send.poll_ready(context)).await?;
    let (response, mut body) = send.send_request(head, false)?;
    body.send_data(prepared.body.clone(), true)?;
    let response = response.await?;
    let mut status = grpc_status(response.headers());
    let mut received = response.into_body();
    let mut answer = Answer::default();
    let mut rest = BytesMut::new();
    while let Some(chunk) = received.data().await {
        let chunk = chunk?;
        received.flow_control().release_capacity(chunk.len())?;
        if rest.is_empty() {
            let mut unread = &chunk[..];
            messages(&mut unread).for_each(|message| take(&mut answer, prepared, message, digesting));
            rest.extend_from_slice(unread);
        } else {
            rest.extend_from_slice(&chunk);
            let mut unread = &rest[..];
            messages(&mut unread).for_each(|message| take(&mut answer, prepared, message, digesting));
            let taken = rest.len() - unread.len();
            rest.advance(taken);
        }
    }
    if let Some(trailers) = received.trailers().await? {
        status = grpc_status(&trailers);
    }
    match status {
        Some(OK) => Ok(answer),
        Some(RESOURCE_EXHAUSTED) => Ok(Answer { refused: 1, ..Answer::default() }),
        other => bail!("status {other:?}"),
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn take(answer: &mut Answer, prepared: &Prepared, message: &[u8], digesting: bool) {
    match prepared.call {
        Call::Check => judge(answer, &prepared.expected, 0, number(message, 2)),
        Call::Bulk => {
            let pairs = Fields(message).filter(|(field, _)| *field == 2);
            for (place, (_, pair)) in pairs.enumerate() {
                let item = if let Value::Bytes(pair) = pair { bytes(pair, 2) } else { None };
                judge(answer, &prepared.expected, place, item.map_or(0, |item| number(item, 1)));
            }
        }
        Call::LookupResources => found(answer, bytes(message, 2), digesting),
        Call::LookupSubjects => {
            let subject = bytes(message, 6);
            found(answer, subject.and_then(|subject| bytes(subject, 1)), digesting);
        }
        Call::Write => {}
    }
}

fn judge(answer: &mut Answer, expected: &Expected, place: usize, verdict: u64) {
    let verdict = Verdict::from_wire(verdict);
    match verdict {
        Some(Verdict::Allowed) => answer.allowed += 1,
        Some(Verdict::Denied) => answer.denied += 1,
        Some(Verdict::Conditional) => answer.conditional += 1,
        None => answer.errors += 1,
    }
    if let Expected::Verdicts(all) = expected {
        let fits = match all.get(place) {
            Some(None) => true,
            Some(wanted) => *wanted == verdict,
            None => false,
        };
        answer.wrong += u64::from(!fits && verdict.is_some());
    }
}

fn found(answer: &mut Answer, id: Option<&[u8]>, digesting: bool) {
    answer.ids += 1;
    if digesting {
        answer.digest = answer.digest.wrapping_add(id.map_or(0, digest));
    }
}
