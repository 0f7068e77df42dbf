//! The body of a request, read from the connection as the service asks for it.

use std::pin::Pin;

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use prost_reflect::MessageDescriptor;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::frames;
use super::read::read;
use super::split::Splitter;
use super::table::{Route, Table};
use crate::status::plain;

/// Where the frames of a request go.
type Frames = mpsc::Sender<Result<Bytes, Status>>;

/// Turns the body into the frames of the route's messages. An error goes the same way, so that the service ends with
/// it; the service going away ends this.
pub(super) async fn feed(table: &Table, route: &Route, body: Incoming, frames: Frames) {
    let fed = if route.method.is_client_streaming() {
        several(table, &route.input, body, &frames).await
    } else {
        one(table, &route.input, body, &frames).await
    };
    if let Err(status) = fed {
        // A service that is gone needs no reason.
        let _ = frames.send(Err(status)).await;
    }
}

/// The whole body as one message.
async fn one(
    table: &Table,
    input: &MessageDescriptor,
    body: Incoming,
    frames: &Frames,
) -> Result<(), Status> {
    let length = body.size_hint().lower();
    if length > u64::try_from(table.json_max_bytes).unwrap_or(u64::MAX) {
        return Err(too_large(table));
    }
    let mut json = Vec::new();
    let mut chunks = Chunks { body, table };
    while let Some(chunk) = chunks.next().await? {
        if json.len().saturating_add(chunk.len()) > table.json_max_bytes {
            return Err(too_large(table));
        }
        json.extend_from_slice(&chunk);
    }
    send(input, &json, frames).await
}

/// Objects, one after another, each a message.
async fn several(
    table: &Table,
    input: &MessageDescriptor,
    body: Incoming,
    frames: &Frames,
) -> Result<(), Status> {
    let mut splitter = Splitter::new(table.json_max_bytes);
    let mut chunks = Chunks { body, table };
    let unsplittable = |error: super::split::Unsplittable| plain(Code::InvalidArgument, error.to_string());
    while let Some(chunk) = chunks.next().await? {
        for object in splitter.push(&chunk).map_err(unsplittable)? {
            send(input, &object, frames).await?;
        }
    }
    splitter.end().map_err(unsplittable)
}

async fn send(input: &MessageDescriptor, json: &[u8], frames: &Frames) -> Result<(), Status> {
    let message = read(json, input).map_err(|error| plain(Code::InvalidArgument, error.to_string()))?;
    // A service that is gone is noticed by who waits for its answer.
    let _ = frames.send(Ok(frames::frame(&message)?)).await;
    Ok(())
}

fn too_large(table: &Table) -> Status {
    let message = format!("the body is longer than {} bytes", table.json_max_bytes);
    plain(Code::ResourceExhausted, message)
}

/// The body as it arrives.
struct Chunks<'a> {
    body: Incoming,
    table: &'a Table,
}

impl Chunks<'_> {
    /// More of the body; `None` at its end. A connection that breaks off is an error, not an end.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
            match tokio::time::timeout(self.table.stall_max, frame).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(_))) => {
                    return Err(Status::aborted("the client broke the request off; nothing was done"));
                }
                Err(_) => {
                    let waited_ms = self.table.stall_max.as_millis();
                    let message = format!("the client sent nothing of the body for {waited_ms} ms");
                    return Err(plain(Code::DeadlineExceeded, message));
                }
            }
        }
    }
}
