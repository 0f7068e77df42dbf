//! Connections of gRPC: TLS, HTTP/2, and stopping in order.

use std::io::Result;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;

use super::call::Calls;
use super::inline::Inline;
use crate::accepting::serve_each;
use crate::front::Shown;
use crate::tls::shake_hands;

/// Flow-control windows: large enough that a bulk request does not wait for the reader.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Largest list of request headers.
const HEADERS_MAX_BYTES: u32 = 16 * 1024;
/// Silence after which a connection is pinged, and the wait for the answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_WAIT_MAX: Duration = Duration::from_secs(20);

/// What the connections of one worker are served with.
#[derive(Clone)]
pub(super) struct Grpc {
    pub(super) calls: Calls,
    pub(super) tls: Option<TlsAcceptor>,
    /// Most calls that a connection may have open.
    pub(super) streams_max: u32,
}

impl Grpc {
    /// Serves connections until the server stops, then to the end of the calls in progress.
    pub(super) async fn serve<C>(
        self,
        connections: impl Stream<Item = Result<C>>,
        stopping: watch::Receiver<bool>,
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        serve_each(connections, stopping, |connection, stop| self.clone().connection(connection, stop)).await;
    }

    async fn connection<C>(self, connection: C, stopping: watch::Receiver<bool>)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(acceptor) = self.tls.clone() else { return self.frames(connection, None, stopping).await };
        if let Some((connection, shown)) = shake_hands(&acceptor, connection).await {
            self.frames(connection, shown, stopping).await;
        }
    }

    async fn frames<C>(self, connection: C, shown: Option<Arc<Shown>>, mut stopping: watch::Receiver<bool>)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inline = Inline::default();
        let serving = http2::Builder::new(inline.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(self.streams_max)
            .max_header_list_size(HEADERS_MAX_BYTES)
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_WAIT_MAX)
            .serve_connection(TokioIo::new(connection), self.calls.of_connection(shown));
        let mut serving = Serving { connection: Box::pin(serving), inline };
        let stop = async move {
            // An error means that the server is gone.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let served = tokio::select! {
            served = &mut serving => served,
            () = stop => {
                serving.connection.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
        }
    }
}

/// A connection with the calls that are answered on its task.
struct Serving<C>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    connection: Pin<Box<http2::Connection<TokioIo<C>, Calls, Inline>>>,
    inline: Inline,
}

impl<C> Future for Serving<C>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        let read = self.connection.as_mut().poll(context);
        if read.is_ready() || !self.inline.turn() {
            return read;
        }
        let written = self.connection.as_mut().poll(context);
        if written.is_pending() && self.inline.is_waiting() {
            context.waker().wake_by_ref();
        }
        written
    }
}

impl<C> Drop for Serving<C>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn drop(&mut self) {
        self.inline.clear();
    }
}
