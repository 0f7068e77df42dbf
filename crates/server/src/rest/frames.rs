//! gRPC's framing: messages with a flag and a length before each.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::front::Counted;

/// A flag for compression and a length of four bytes.
const HEAD_BYTES: usize = 5;

/// A message with its frame.
pub(super) fn frame(message: &[u8]) -> Result<Bytes, Status> {
    let Ok(length) = u32::try_from(message.len()) else {
        return Err(Status::resource_exhausted("a message is longer than 4 GiB"));
    };
    let mut framed = BytesMut::with_capacity(HEAD_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// The body of a request: frames as they are made, or why there are no more.
pub(super) struct Request(pub(super) mpsc::Receiver<Result<Bytes, Status>>);

impl http_body::Body for Request {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.poll_recv(context).map(|frame| frame.map(|frame| frame.map(Frame::data)))
    }
}

/// The messages of an answer.
pub(super) struct Answer {
    body: Counted,
    unread: BytesMut,
    /// What came at the end.
    trailers: Option<HeaderMap>,
}

impl Answer {
    pub(super) fn new(body: Counted) -> Answer {
        Answer { body, unread: BytesMut::new(), trailers: None }
    }

    /// The next message; `None` at a good end, after which the trailing metadata is there.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(message) = self.take() {
                return Poll::Ready(Some(message));
            }
            if self.trailers.is_some() {
                return Poll::Ready(self.end().err().map(Err));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.unread.extend_from_slice(&data),
                    Err(frame) => self.trailers = Some(frame.into_trailers().unwrap_or_default()),
                },
                Some(Err(status)) => {
                    self.trailers = Some(HeaderMap::new());
                    return Poll::Ready(Some(Err(status)));
                }
                None => self.trailers = Some(HeaderMap::new()),
            }
        }
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// Trailing metadata, once `next` has given `None`.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// A whole message, if there is one.
    fn take(&mut self) -> Option<Result<Bytes, Status>> {
        let (head, _) = self.unread.split_first_chunk::<HEAD_BYTES>()?;
        let [flag, length @ ..] = *head;
        if flag != 0 {
            self.unread.clear();
            return Some(Err(Status::internal("an answer is compressed, which was not asked for")));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if self.unread.len() - HEAD_BYTES < length {
            return None;
        }
        self.unread.advance(HEAD_BYTES);
        Some(Ok(self.unread.split_to(length).freeze()))
    }

    /// How the call ended.
    fn end(&self) -> Result<(), Status> {
        match self.trailers.as_ref().and_then(Status::from_header_map) {
            Some(status) if status.code() == Code::Ok => Ok(()),
            Some(status) => Err(status),
            None => Err(Status::internal("the answer ended without a status")),
        }
    }
}
