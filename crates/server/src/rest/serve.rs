//! Connections: TLS, HTTP/1.1, and clients that do nothing.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;
use tonic::service::Routes;

use super::call::{Calls, respond};
use super::table::Table;
use crate::accepting::serve_each;
use crate::front::Front;
use crate::tls::shake_hands;

/// Longest wait for the headers of a request, the pause before it included.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(60);
/// Largest list of request headers, and what is read at once.
const BUFFER_MAX_BYTES: usize = 64 * 1024;

/// The gateway of one worker.
pub(crate) struct Gateway {
    table: Arc<Table>,
    calls: Calls,
}

impl Gateway {
    /// In front of these services.
    pub(crate) fn new(table: Arc<Table>, services: Front<Routes>) -> Gateway {
        let calls = Calls { services, shown: None };
        Gateway { table, calls }
    }

    /// Serves connections until the server stops, then to the end of the requests in progress.
    pub(crate) async fn serve<C>(
        self,
        connections: impl Stream<Item = Result<C>>,
        stopping: watch::Receiver<bool>,
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let serve = |connection, stop| {
            serve_connection(Arc::clone(&self.table), self.calls.clone(), connection, stop)
        };
        serve_each(connections, stopping, serve).await;
    }
}

async fn serve_connection<C>(
    table: Arc<Table>,
    mut calls: Calls,
    connection: C,
    stopping: watch::Receiver<bool>,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Moving { inner: connection, stall_max: table.stall_max, stall: None };
    let Some(acceptor) = table.tls.clone() else {
        return serve_requests(table, calls, connection, stopping).await;
    };
    if let Some((connection, shown)) = shake_hands(&acceptor, connection).await {
        calls.shown = shown;
        serve_requests(table, calls, connection, stopping).await;
    }
}

async fn serve_requests<C>(
    table: Arc<Table>,
    calls: Calls,
    connection: C,
    mut stopping: watch::Receiver<bool>,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (table, calls) = (Arc::clone(&table), calls.clone());
        async move { Ok::<_, std::convert::Infallible>(respond(table, calls, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT_MAX)
        .max_buf_size(BUFFER_MAX_BYTES)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(connection), service);
    let stop = async move {
        // An error means that the server is gone.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    tokio::pin!(serving, stop);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stop => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
    }
}

/// A connection that is given up when its client takes nothing for too long.
struct Moving<C> {
    inner: C,
    stall_max: Duration,
    /// Runs while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<C> Moving<C> {
    /// What a write comes to: an error once it has waited too long.
    fn watched<T>(&mut self, context: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.stall_max)));
        if stall.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        Poll::Pending
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Moving<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Moving<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watched(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.watched(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watched(context, shut)
    }
}
