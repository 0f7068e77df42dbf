//! One connection of HTTP/2 and the calls that come on it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Error, Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::answering;
use super::body::RequestBody;
use super::call::Calls;
use super::heard::Heard;
use super::keepalive::Keepalive;

/// Flow-control windows: large enough that a bulk request does not wait for the reader.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Largest list of request headers.
const HEADERS_MAX_BYTES: u32 = 16 * 1024;
/// Largest frame that is taken.
const FRAME_MAX_BYTES: u32 = 16 * 1024;
/// What may wait in a stream for a caller that reads slowly, beyond which it has no room.
const SEND_BUFFER_MAX_BYTES: usize = 400 * 1024;
/// Streams that were reset for mistakes of the caller, after which the connection ends.
const FAULTY_STREAMS_MAX: usize = 1024;
/// Longest wait until a connection has begun to speak HTTP/2.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Calls that a connection has answered before the others of its worker have their turn.
const CALLS_PER_TURN: usize = 32;

/// A call that has come and was not begun: at most as many as a connection may have open.
type Waiting = (Request<RecvStream>, SendResponse<Bytes>);

/// An open connection. Resolves when it is over.
///
/// All that has come is read before the first call of it is answered, and a turn's answers are written together.
pub(super) struct Http2<C> {
    connection: Connection<Heard<C>, Bytes>,
    calls: Calls,
    waiting: VecDeque<Waiting>,
    waiting_max: usize,
    keepalive: Option<Keepalive>,
    heard: Arc<AtomicBool>,
}

impl<C> Http2<C>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    /// Begins to speak HTTP/2; at most `streams_max` calls may be open at once.
    pub(super) async fn open(connection: C, calls: Calls, streams_max: u32) -> Result<Http2<C>, Error> {
        let heard = Arc::new(AtomicBool::new(false));
        let shaking = Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_MAX_BYTES)
            .max_header_list_size(HEADERS_MAX_BYTES)
            .max_concurrent_streams(streams_max)
            .max_local_error_reset_streams(Some(FAULTY_STREAMS_MAX))
            .max_send_buffer_size(SEND_BUFFER_MAX_BYTES)
            .handshake(Heard::new(connection, Arc::clone(&heard)));
        let mut connection = match timeout(HANDSHAKE_WAIT_MAX, shaking).await {
            Ok(shaken) => shaken?,
            Err(_) => return Err(Reason::SETTINGS_TIMEOUT.into()),
        };
        let keepalive = connection.ping_pong().map(Keepalive::new);
        let waiting_max = usize::try_from(streams_max).unwrap_or(usize::MAX).max(1);
        Ok(Http2 { connection, calls, waiting: VecDeque::new(), waiting_max, keepalive, heard })
    }

    /// Takes no more calls; the connection is over when those that are open are.
    pub(super) fn finish(&mut self) {
        self.connection.graceful_shutdown();
    }

    /// Reads and writes what can be; ready when the connection is over.
    fn turn_over(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.waiting.len() < self.waiting_max {
            match ready!(self.connection.poll_accept(context)) {
                Some(call) => self.waiting.push_back(call?),
                None => return Poll::Ready(Ok(())),
            }
        }
        // Calls that their caller has reset leave room for others before they were looked at: what comes beyond the bound
        // is left to HTTP/2, which ends a connection that goes on so.
        self.connection.poll_closed(context)
    }

    fn poll_silence(&mut self, context: &mut Context<'_>) {
        let Some(keepalive) = &mut self.keepalive else { return };
        if self.heard.swap(false, Ordering::Relaxed) {
            keepalive.heard(Instant::now());
        }
        if keepalive.poll_gone(context).is_ready() {
            tracing::debug!("a connection was given up: its client does not answer");
            self.keepalive = None;
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        }
    }
}

impl<C> Future for Http2<C>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_silence(context);
        let read = self.turn_over(context);
        if read.is_ready() || self.waiting.is_empty() {
            return read;
        }
        let count = self.waiting.len().min(CALLS_PER_TURN);
        let http2 = &mut *self;
        for (request, respond) in http2.waiting.drain(..count) {
            answering::send(http2.calls.call(request.map(RequestBody::new)), respond);
        }
        let written = self.turn_over(context);
        if written.is_pending() && !self.waiting.is_empty() {
            context.waker().wake_by_ref();
        }
        written
    }
}
