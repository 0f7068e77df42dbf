//! One connection of HTTP/2 and the calls that come on it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Error, Reason};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

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

/// Calls after which the time of a turn is looked at, and what it may take.
const CALLS_PER_LOOK: usize = 8;
const TURN_MAX: Duration = Duration::from_micros(500);

/// A call that has come and was not begun.
struct Waiting {
    /// In a box, for it is large and goes through many hands.
    request: Box<Request<RequestBody>>,
    respond: SendResponse<Bytes>,
    /// When it came, about.
    since: Instant,
}

/// An open connection. Resolves when it is over.
///
/// All that has come is read before the first call of it is answered, and a turn's answers are written together.
pub(super) struct Http2<C> {
    connection: Connection<Heard<C>, Bytes>,
    calls: Calls,
    /// At most as many as a connection may have open.
    waiting: VecDeque<Waiting>,
    waiting_max: usize,
    /// When all that had come was read.
    read_last: Instant,
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
        Ok(Http2 {
            connection,
            calls,
            waiting: VecDeque::new(),
            waiting_max,
            read_last: Instant::now(),
            keepalive,
            heard,
        })
    }

    /// Takes no more calls; the connection is over when those that are open are.
    pub(super) fn finish(&mut self) {
        self.connection.graceful_shutdown();
    }

    /// Reads and writes what can be, and says of what came when it did; ready when the connection is over.
    fn turn_over(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let known = self.waiting.len();
        let read = self.read(context);
        if self.heard.swap(false, Ordering::Relaxed)
            && let Some(keepalive) = &mut self.keepalive
        {
            keepalive.heard();
        }
        let now = Instant::now();
        let came = self.waiting.len().saturating_sub(known);
        let from = self.read_last.max(self.calls.admission.free_last());
        let step = now.saturating_duration_since(from) / u32::try_from(came.max(1)).unwrap_or(u32::MAX);
        // Nothing says when each came; that they came evenly is the best guess.
        let mut since = from;
        for waiting in self.waiting.iter_mut().skip(known) {
            waiting.since = since;
            since += step;
        }
        self.read_last = now;
        read
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.waiting.len() < self.waiting_max {
            match ready!(self.connection.poll_accept(context)) {
                Some(call) => {
                    let (request, respond) = call?;
                    let request = Box::new(request.map(RequestBody::new));
                    self.waiting.push_back(Waiting { request, respond, since: self.read_last });
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        // Calls that their caller has reset leave room for others before they were looked at: what comes beyond the bound
        // is left to HTTP/2, which ends a connection that goes on so.
        self.connection.poll_closed(context)
    }

    /// Answers as many calls as a turn has room for.
    fn turn(&mut self) {
        let begun = Instant::now();
        let mut now = begun;
        if let Some(first) = self.waiting.front() {
            self.calls.admission.longest(now.saturating_duration_since(first.since), now);
        }
        for count in 1..=CALLS_PER_TURN {
            let Some(Waiting { request, respond, since }) = self.waiting.pop_front() else { return };
            let waited = now.saturating_duration_since(since);
            answering::send(self.calls.call(request, waited), respond);
            if count.is_multiple_of(CALLS_PER_LOOK) {
                now = Instant::now();
                if now.saturating_duration_since(begun) > TURN_MAX {
                    return;
                }
            }
        }
    }

    fn poll_silence(&mut self, context: &mut Context<'_>) {
        let Some(keepalive) = &mut self.keepalive else { return };
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
        self.turn();
        let written = self.turn_over(context);
        if written.is_pending() && !self.waiting.is_empty() {
            context.waker().wake_by_ref();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Response};
    use tokio::sync::watch;
    use tonic::{Code, Status};
    use tonic_health::pb::health_server::HealthServer;
    use tonic_health::server::HealthReporter;
    use tonic_types::StatusExt as _;
    use tower::Layer as _;

    use super::*;
    use crate::front::FrontLayer;
    use crate::options::ServerOptions;
    use crate::serve::admission::Admission;
    use crate::serve::health::EndingHealth;
    use crate::serve::routes;
    use crate::services::Direct;
    use crate::state::State;

    const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";
    const HEALTH: &str = "/grpc.health.v1.Health/Check";

    fn calls(admission: Admission) -> Calls {
        let (_, stopping) = watch::channel(false);
        let state = State::new(&ServerOptions::default(), stopping.clone()).unwrap();
        let health = HealthServer::new(EndingHealth::new(HealthReporter::new(), stopping));
        let routes = routes::with_open_services(routes::api(&state), health, false).unwrap();
        let front = FrontLayer::new(Arc::clone(&state)).layer(routes.prepare());
        Calls::new(front, Some(Direct::new(state)), Arc::new(admission)).of_connection(None)
    }

    /// Makes a call of one empty message, and gives what is answered with its last headers.
    async fn ask(client: &mut h2::client::SendRequest<Bytes>, path: &str) -> (Response<()>, HeaderMap) {
        let request = Request::post(format!("http://pemba{path}")).header("content-type", "application/grpc");
        std::future::poll_fn(|context| client.poll_ready(context)).await.unwrap();
        let (answer, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
        let (head, mut body) = answer.await.unwrap().into_parts();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data.unwrap().len()).unwrap();
        }
        let last = body.trailers().await.unwrap().unwrap_or_else(|| head.headers.clone());
        (Response::from_parts(head, ()), last)
    }

    async fn connected(admission: Admission) -> h2::client::SendRequest<Bytes> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let calls = calls(admission);
        tokio::spawn(async move { Http2::open(ours, calls, 16).await.unwrap().await });
        let (client, connection) = h2::client::handshake(theirs).await.unwrap();
        tokio::spawn(connection);
        client
    }

    #[tokio::test]
    async fn a_call_that_waited_too_long_is_told_when_to_come_again() {
        // Everything has waited too long.
        let admission = Admission::new(Duration::ZERO, Instant::now());
        let mut client = connected(admission).await;
        for _ in 0..40 {
            let (head, last) = ask(&mut client, CHECK).await;
            assert_eq!(head.status(), 200);
            let status = Status::from_header_map(&last).unwrap();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
            assert!(last.contains_key("x-request-id") && head.headers().contains_key("x-request-id"));
            assert_eq!(last["io.spicedb.respmeta.dispatchedoperationscount"], "0");
        }
        // Whoever asks for health is told that the server is there.
        let (_, last) = ask(&mut client, HEALTH).await;
        assert_ne!(Status::from_header_map(&last).unwrap().code(), Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn a_call_that_waited_little_is_answered() {
        let mut client = connected(Admission::new(Duration::from_millis(100), Instant::now())).await;
        for _ in 0..40 {
            let (_, last) = ask(&mut client, CHECK).await;
            let status = Status::from_header_map(&last).unwrap();
            assert_ne!(status.code(), Code::ResourceExhausted, "{status:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_pinged_and_given_up() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let calls = calls(Admission::new(Duration::from_millis(100), Instant::now()));
        let served = tokio::spawn(async move { Http2::open(ours, calls, 16).await.unwrap().await });
        let begun = tokio::time::Instant::now();
        // The preface and empty settings, then nothing.
        theirs.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.unwrap();
        let ping = told.windows(4).position(|bytes| bytes == [0, 0, 8, 6]);
        assert!(ping.is_some(), "no ping in {told:?}");
        let took = begun.elapsed();
        assert!((50..60).contains(&took.as_secs()), "{took:?}");
        drop(served.await);
        // One that does not even begin.
        let (ours, _theirs) = tokio::io::duplex(64);
        let calls = self::calls(Admission::new(Duration::from_millis(100), Instant::now()));
        assert!(Http2::open(ours, calls, 16).await.is_err());
    }
}
