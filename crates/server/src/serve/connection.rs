//! One TCP connection: counted, bounded in number, and dropped when its caller says nothing.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use crate::state::State;

/// Longest wait for the first byte of a new connection: later silence is noticed by keepalive pings.
const FIRST_BYTE_WAIT_MAX: Duration = Duration::from_secs(10);

/// A connection on its way from the acceptor to a worker.
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) place: Place,
}

/// What a connection holds while it is open.
pub(super) struct Place {
    state: Arc<State>,
    load: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Takes a place on the worker whose load this is.
    pub(super) fn new(state: Arc<State>, load: Arc<AtomicUsize>, permit: OwnedSemaphorePermit) -> Place {
        load.fetch_add(1, Ordering::Relaxed);
        state.metrics.connections.inc();
        Place { state, load, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.state.metrics.connections.dec();
    }
}

/// An open connection, on a worker's runtime.
pub(super) struct Connection {
    stream: TcpStream,
    silence: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    /// Registers the connection with the runtime of the current thread.
    pub(super) fn new(accepted: Accepted) -> Result<Connection> {
        let stream = TcpStream::from_std(accepted.stream)?;
        Ok(Connection { stream, silence: Some(Box::pin(sleep(FIRST_BYTE_WAIT_MAX))), _place: accepted.place })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.silence = None;
        } else if let Some(silence) = &mut self.silence
            && silence.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
