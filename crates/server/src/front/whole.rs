//! The body of a request whose end must mean that all of it came.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

/// Tells a stream that the client broke off from one that it ended. tonic shows both as the end, and an import would
/// commit the part that had arrived.
pub(super) struct Whole {
    inner: Body,
}

impl Whole {
    pub(super) fn new(inner: Body) -> Whole {
        Whole { inner }
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|status| match status.code() {
                Code::Cancelled => Status::aborted("the client broke the stream off; nothing was done"),
                _ => status,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct BrokenOff(Option<Status>);

    impl http_body::Body for BrokenOff {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.take().map(Err))
        }
    }

    #[tokio::test]
    async fn a_cancelled_body_is_an_error_that_tonic_does_not_swallow() {
        for (given, seen) in [(Code::Cancelled, Code::Aborted), (Code::Unavailable, Code::Unavailable)] {
            let inner = Body::new(BrokenOff(Some(Status::new(given, "gone"))));
            let mut whole = Whole::new(inner);
            let frame =
                std::future::poll_fn(|context| http_body::Body::poll_frame(Pin::new(&mut whole), context));
            assert_eq!(frame.await.unwrap().unwrap_err().code(), seen);
        }
    }
}
