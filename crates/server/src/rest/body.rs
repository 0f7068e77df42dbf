//! The body of an answer in HTTP.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use prost_reflect::MessageDescriptor;
use tokio::time::Sleep;
use tonic::Status;

use super::frames::Answer;
use super::table::Table;
use super::{headers, status};

/// Lines that are put into one piece of the body while more messages are ready.
const PIECE_BYTES: usize = 64 * 1024;

/// What is sent.
pub(super) enum Body {
    /// One JSON value, with trailers if there are any.
    Whole { text: Option<Bytes>, trailers: Option<HeaderMap> },
    /// A line for every message.
    Lines(Box<Lines>),
}

impl Body {
    pub(super) fn text(text: impl Into<Bytes>) -> Body {
        Body::Whole { text: Some(text.into()), trailers: None }
    }
}

/// The messages of a streaming answer, each as `{"result":...}`; an error after the first is `{"error":...}`.
pub(super) struct Lines {
    pub(super) table: Arc<Table>,
    pub(super) output: MessageDescriptor,
    pub(super) answer: Answer,
    /// Lines not yet sent.
    pub(super) unsent: String,
    /// Rings when the caller's deadline has passed.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
    pub(super) wants_trailers: bool,
    pub(super) state: State,
}

/// How far a streaming answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Messages may come.
    Open,
    /// Only trailers may come.
    Ended,
    /// Nothing comes.
    Done,
}

/// Appends the line of a message.
pub(super) fn line(
    table: &Table,
    output: &MessageDescriptor,
    message: &[u8],
    out: &mut String,
) -> Result<(), Status> {
    let begin = out.len();
    out.push_str("{\"result\":");
    if let Err(error) = table.renderer().message(out, output, message) {
        out.truncate(begin);
        return Err(error.into());
    }
    out.push_str("}\n");
    Ok(())
}

/// The line of an error.
pub(super) fn error_line(table: &Table, error: &Status) -> String {
    format!("{{\"error\":{}}}\n", status::json(table, error))
}

/// What a caller is told whose deadline has passed.
pub(super) fn late() -> Status {
    Status::deadline_exceeded("the deadline of the call has passed")
}

impl Lines {
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready())
    }

    /// Fills up what is unsent as long as messages are ready.
    fn fill(&mut self, context: &mut Context<'_>) {
        while self.state == State::Open && self.unsent.len() < PIECE_BYTES {
            let next = match self.answer.poll_next(context) {
                Poll::Pending if self.is_late(context) => Some(Err(late())),
                Poll::Pending => return,
                Poll::Ready(next) => next,
            };
            let written = match next {
                None => {
                    self.state = State::Ended;
                    return;
                }
                Some(Ok(message)) => line(&self.table, &self.output, &message, &mut self.unsent),
                Some(Err(error)) => Err(error),
            };
            if let Err(error) = written {
                self.unsent.push_str(&error_line(&self.table, &error));
                self.state = State::Ended;
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        self.fill(context);
        if !self.unsent.is_empty() {
            return Poll::Ready(Some(Frame::data(Bytes::from(std::mem::take(&mut self.unsent)))));
        }
        match self.state {
            State::Open => Poll::Pending,
            State::Ended => {
                self.state = State::Done;
                let trailers = self.answer.trailers().filter(|_| self.wants_trailers);
                Poll::Ready(
                    trailers.map(|trailers| Frame::trailers(headers::from_trailing_metadata(trailers))),
                )
            }
            State::Done => Poll::Ready(None),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Body::Whole { text, trailers } => {
                let frame = text.take().map(Frame::data).or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            Body::Lines(lines) => lines.poll(context).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole { text, trailers } => text.is_none() && trailers.is_none(),
            Body::Lines(lines) => lines.state == State::Done,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            // A length known before would leave no room for trailers.
            Body::Whole { text: Some(text), trailers: None } => {
                SizeHint::with_exact(u64::try_from(text.len()).unwrap_or(u64::MAX))
            }
            Body::Whole { text: None, trailers: None } => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
