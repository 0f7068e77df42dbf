//! Sending answers: whole ones at once, others as they are made, until the caller wants no more.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Error, Reason, SendStream};
use http::Response;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body::Body as _;

use super::call::{Answer, Call, Later};
use crate::front::{Counted, WholeAnswer};

/// Sends what became of a call; what must be waited for gets a task of its own.
pub(super) fn send(call: Call, respond: SendResponse<Bytes>) {
    match call {
        Call::Now(Answer::Whole(whole)) => ended(send_whole(whole, respond)),
        Call::Now(Answer::Made(answer)) => run(async move { ended(send_made(answer, respond).await) }),
        Call::Later(later) => run(async move { ended(send_later(later, respond).await) }),
    }
}

/// Does work as far as it goes now, and the rest on a task.
fn run(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    // Nobody is woken by this: what is not ready is polled again by its task.
    if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(work);
    }
}

fn ended(sent: Result<(), Error>) {
    if let Err(error) = sent {
        tracing::debug!(error = &error as &dyn std::error::Error, "an answer was not sent to its end");
    }
}

/// What waits in a stream for room is at most this one message, which is there as a whole anyway.
fn send_whole(whole: WholeAnswer, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let mut head = Response::new(());
    *head.headers_mut() = whole.headers;
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(whole.framed, false)?;
    stream.send_trailers(whole.trailers)
}

async fn send_later(mut later: Later, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let answer = poll_fn(|context| match later.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Ok(answer)),
        Poll::Pending => respond.poll_reset(context).map(unwanted),
    });
    match answer.await? {
        Ok(Answer::Whole(whole)) => send_whole(whole, respond),
        Ok(Answer::Made(answer)) => send_made(answer, respond).await,
        Err(status) => respond.send_response(status.into_http(), true).map(drop),
    }
}

/// An answer whose caller has reset its stream.
fn unwanted<T>(reset: Result<Reason, Error>) -> Result<T, Error> {
    Err(reset.map_or_else(|error| error, Error::from))
}

async fn send_made(answer: Response<Counted>, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let (mut parts, body) = answer.into_parts();
    if body.is_end_stream() {
        return respond.send_response(Response::from_parts(parts, ()), true).map(drop);
    }
    if let Some(length) = body.size_hint().exact() {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    let stream = respond.send_response(Response::from_parts(parts, ()), false)?;
    send_body(pin!(body), stream).await
}

async fn send_body(mut body: Pin<&mut Counted>, mut stream: SendStream<Bytes>) -> Result<(), Error> {
    loop {
        let frame = poll_fn(|context| {
            // First, so that a reset wakes this also while the body makes nothing.
            if let Poll::Ready(reset) = stream.poll_reset(context) {
                return Poll::Ready(unwanted(reset));
            }
            body.as_mut().poll_frame(context).map(Ok)
        });
        match frame.await? {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let is_last = body.is_end_stream();
                    if !data.is_empty() {
                        room(&mut stream).await?;
                    }
                    stream.send_data(data, is_last)?;
                    if is_last {
                        return Ok(());
                    }
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    return stream.send_trailers(trailers);
                }
            },
            Some(Err(status)) => {
                let error = Error::from(status);
                stream.send_reset(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
                return Err(error);
            }
            None => return stream.send_data(Bytes::new(), true),
        }
    }
}

/// Waits until the caller takes more. One byte is claimed of the connection's room and not all that there is to send, so that
/// streams that wait do not keep it from one another.
async fn room(stream: &mut SendStream<Bytes>) -> Result<(), Error> {
    stream.reserve_capacity(1);
    poll_fn(|context| {
        if let Poll::Ready(reset) = stream.poll_reset(context) {
            return Poll::Ready(unwanted(reset));
        }
        while stream.capacity() == 0 {
            match stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}
