//! A request of one message: read at once where it is there as a whole, given back as it came where it is not.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

use super::body::RequestBody;
use crate::direct::HEAD_BYTES;

/// What came of a body so far.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// What came first, mostly all of it.
    first: Bytes,
    /// All of it, where it came in parts.
    parts: BytesMut,
    end: End,
}

/// How a body ended.
#[derive(Debug, Default)]
enum End {
    #[default]
    Open,
    Whole,
    Trailers(HeaderMap),
    Broken(h2::Error),
}

/// What the first bytes say.
enum Expecting {
    /// More.
    More,
    /// Exactly what is there.
    End,
    /// Something that is no frame with one message of the allowed length.
    Other,
}

/// What a body turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// One frame with one message that is not compressed, and nothing else.
    Message,
    /// Anything else; not all of it may have been read.
    Other,
}

impl Unread {
    /// Reads until it is known what the body is, at most `message_max` bytes of a message.
    pub(super) fn poll(
        &mut self,
        body: &mut RequestBody,
        message_max: usize,
        context: &mut Context<'_>,
    ) -> Poll<Turned> {
        loop {
            match self.expecting(message_max) {
                Expecting::Other => return Poll::Ready(Turned::Other),
                Expecting::End if body.is_end_stream() => return Poll::Ready(Turned::Message),
                Expecting::End | Expecting::More => {}
            }
            self.end = match ready!(Pin::new(&mut *body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.push(data);
                        continue;
                    }
                    Err(frame) => End::Trailers(frame.into_trailers().unwrap_or_default()),
                },
                Some(Err(error)) => End::Broken(error),
                None => End::Whole,
            };
            let is_message = matches!((&self.end, self.expecting(message_max)), (End::Whole, Expecting::End));
            return Poll::Ready(if is_message { Turned::Message } else { Turned::Other });
        }
    }

    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() && self.parts.is_empty() {
            self.first = data;
            return;
        }
        self.parts.extend_from_slice(&std::mem::take(&mut self.first));
        self.parts.extend_from_slice(&data);
    }

    fn bytes(&self) -> &[u8] {
        if self.parts.is_empty() { &self.first } else { &self.parts }
    }

    fn expecting(&self, message_max: usize) -> Expecting {
        let bytes = self.bytes();
        let Some(([flag, length @ ..], message)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Expecting::More;
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *flag != 0 || length > message_max || message.len() > length {
            return Expecting::Other;
        }
        if message.len() == length { Expecting::End } else { Expecting::More }
    }

    /// The frame of a message.
    pub(super) fn framed(&mut self) -> &Bytes {
        if !self.parts.is_empty() {
            self.first = self.parts.split().freeze();
        }
        &self.first
    }

    /// The body as it came, with what is still to come.
    pub(super) fn replay(mut self, rest: RequestBody) -> Replay {
        self.framed();
        Replay { read: self.first, end: self.end, rest }
    }
}

/// A body of which a part was read.
pub(super) struct Replay {
    read: Bytes,
    end: End,
    rest: RequestBody,
}

impl http_body::Body for Replay {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.read)))));
        }
        match std::mem::replace(&mut self.end, End::Whole) {
            End::Open => {
                self.end = End::Open;
                Pin::new(&mut self.rest).poll_frame(context)
            }
            End::Whole => Poll::Ready(None),
            End::Trailers(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Broken(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && match self.end {
                End::Open => self.rest.is_end_stream(),
                End::Whole => true,
                End::Trailers(_) | End::Broken(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
