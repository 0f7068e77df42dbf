//! The body of an answer, watched until it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use pemba_agents::client::Client;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::telemetry::Method;

/// Trailing metadata that a service wants to send after a successful answer; carried in the response's extensions.
#[derive(Debug, Clone)]
pub(crate) struct LastWords(pub(crate) Vec<(HeaderName, HeaderValue)>);

/// How many questions the engine answered for a call; carried in the response's extensions, none when absent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked(pub(crate) u64);

/// A call in progress; reports when it ends, and as cancelled when it is dropped before.
pub(super) struct Ongoing {
    pub(super) method: Arc<Method>,
    pub(super) request_id: HeaderValue,
    /// Who calls, once that is known.
    pub(super) client: Option<Arc<Client>>,
    pub(super) started: Instant,
    pub(super) is_over: bool,
    /// Whether somebody else tells the log when it fails.
    pub(super) is_quiet: bool,
}

impl Ongoing {
    /// Counts and logs the end, once.
    pub(super) fn finish(&mut self, code: Code, message: Option<&HeaderValue>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let took = self.started.elapsed();
        self.method.finished(code, took);
        let method = self.method.name();
        let request_id = self.request_id.to_str().unwrap_or("");
        let client = self.client.as_ref().map_or("", |client| client.name.as_str());
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match code {
            Code::Internal
            | Code::Unknown
            | Code::DataLoss
            | Code::Unavailable
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::Unauthenticated
            | Code::PermissionDenied
                if !self.is_quiet =>
            {
                // gRPC carries the text percent-encoded.
                let encoded = message.map_or(&[][..], HeaderValue::as_bytes);
                let message = percent_encoding::percent_decode(encoded).decode_utf8_lossy();
                tracing::warn!(method, ?code, took_us, request_id, client, %message, "request failed");
            }
            _ => tracing::debug!(method, ?code, took_us, request_id, client, "request"),
        }
    }
}

impl Ongoing {
    /// The id, once nothing else needs it.
    pub(super) fn take_request_id(&mut self) -> HeaderValue {
        std::mem::replace(&mut self.request_id, HeaderValue::from_static(""))
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, None);
    }
}

/// The code in trailers, or in the headers of an answer without a body.
pub(super) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// An answer's body that adds trailers and reports the end.
pub(crate) struct Counted {
    inner: Body,
    ongoing: Ongoing,
    last_words: Vec<(HeaderName, HeaderValue)>,
}

impl Counted {
    pub(super) fn new(inner: Body, ongoing: Ongoing, last_words: Vec<(HeaderName, HeaderValue)>) -> Counted {
        Counted { inner, ongoing, last_words }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &mut frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    let code = code_of(trailers).unwrap_or(Code::Unknown);
                    let message = trailers.get(Status::GRPC_MESSAGE).cloned();
                    self.ongoing.finish(code, message.as_ref());
                    for (name, value) in std::mem::take(&mut self.last_words) {
                        trailers.insert(name, value);
                    }
                }
            }
            Some(Err(status)) => {
                let code = status.code();
                self.ongoing.finish(code, None);
            }
            None => self.ongoing.finish(Code::Ok, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer of one message, counted when it was made.
pub(crate) struct WholeAnswer {
    pub(crate) headers: HeaderMap,
    /// The message in its frame.
    pub(crate) framed: Bytes,
    pub(crate) trailers: HeaderMap,
}
