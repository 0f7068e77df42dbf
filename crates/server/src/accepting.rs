//! Taking the connections of a worker, whatever they speak.

use std::future::Future;
use std::io::Result;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt as _};

/// Serves each connection on a task of its own until the server stops, then to the end of those that are open; each
/// task is told of the stop and brings its connection to an end.
pub(crate) async fn serve_each<C, F>(
    connections: impl Stream<Item = Result<C>>,
    mut stopping: watch::Receiver<bool>,
    serve: impl Fn(C, watch::Receiver<bool>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::pin!(connections);
    let mut open = JoinSet::new();
    loop {
        let stop = stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            connection = connections.next() => match connection {
                Some(Ok(connection)) => {
                    open.spawn(serve(connection, stop));
                }
                Some(Err(error)) => tracing::debug!(%error, "a connection was lost before it began"),
                None => break,
            },
        }
    }
    while open.join_next().await.is_some() {}
}
