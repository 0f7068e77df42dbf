//! Connections of gRPC: TLS, HTTP/2, and stopping in order.

use std::io::Result;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;

use super::call::Calls;
use super::http2::Http2;
use crate::accepting::serve_each;
use crate::front::Shown;
use crate::tls::shake_hands;

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
        let stop = async move {
            // An error means that the server is gone.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let served = match Http2::open(connection, self.calls.of_connection(shown), self.streams_max).await {
            Ok(serving) => to_its_end(serving, stop).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
        }
    }
}

async fn to_its_end<C>(
    mut serving: Http2<C>,
    stop: impl Future<Output = ()>,
) -> std::result::Result<(), h2::Error>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let served = tokio::select! {
        served = &mut serving => Some(served),
        () = stop => None,
    };
    match served {
        Some(served) => served,
        None => {
            serving.finish();
            serving.await
        }
    }
}
