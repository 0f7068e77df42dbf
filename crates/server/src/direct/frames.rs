//! Answers as frames of gRPC: a flag, a length of four bytes, a message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Frame;
use prost::Message;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Code, Response, Status};

use crate::status::plain;

/// A flag for compression and a length.
pub(crate) const HEAD_BYTES: usize = 5;

/// Begins a frame, not compressed, of a message of so many bytes.
pub(crate) fn put_head(out: &mut BytesMut, message_bytes: usize) {
    out.put_u8(0);
    // Answers are far smaller than 4 GiB.
    out.put_u32(u32::try_from(message_bytes).unwrap_or(u32::MAX));
}

/// A message in its frame.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(HEAD_BYTES + length);
    put_head(&mut out, length);
    message.encode_raw(&mut out);
    out.freeze()
}

/// The message in a frame.
pub(crate) fn message(framed: &[u8]) -> Option<&[u8]> {
    framed.get(HEAD_BYTES..)
}

/// What there is to say when bytes that were read are not what they were.
pub(crate) fn read_differently() -> Status {
    plain(Code::Internal, "a request that was read cannot be read again")
}

/// A service's answer as the front takes it, with the frames for its messages.
pub(crate) fn answer<S>(response: Response<S>) -> http::Response<Body>
where
    S: Stream<Item = Result<Bytes, Status>> + Send + 'static,
{
    let (metadata, frames, extensions) = response.into_parts();
    let body = Frames { frames, is_over: false };
    let mut answer = http::Response::new(Body::new(body));
    *answer.headers_mut() = metadata.into_headers();
    answer.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    *answer.extensions_mut() = extensions;
    answer
}

pin_project_lite::pin_project! {
    /// Frames as they are made, then the status.
    struct Frames<S> {
        #[pin]
        frames: S,
        is_over: bool,
    }
}

impl<S: Stream<Item = Result<Bytes, Status>>> http_body::Body for Frames<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        if *this.is_over {
            return Poll::Ready(None);
        }
        let status = match ready!(this.frames.poll_next(context)) {
            Some(Ok(frames)) => return Poll::Ready(Some(Ok(Frame::data(frames)))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        *this.is_over = true;
        let mut trailers = HeaderMap::new();
        let added = status.add_header(&mut trailers);
        Poll::Ready(Some(added.map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
