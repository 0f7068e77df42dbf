//! A thread that serves connections: one single-threaded runtime with its own copy of the services.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;

use super::admission::Admission;
use super::connection::{Accepted, Connection};
use super::grpc::Grpc;
use crate::rest::Gateway;

/// Connections dealt to a worker that it has not yet taken.
const DEALT_MAX: usize = 256;
/// Longest wait for blocking work after a runtime has stopped.
const BLOCKING_WAIT_MAX: Duration = Duration::from_secs(1);

/// How the acceptor reaches a worker.
pub(super) struct WorkerHandle {
    pub(super) connections: mpsc::Sender<Accepted>,
    /// Those of the REST gateway.
    pub(super) rest_connections: mpsc::Sender<Accepted>,
    /// Connections it has open.
    pub(super) load: Arc<AtomicUsize>,
}

/// What a worker is started with.
pub(super) struct WorkerStart {
    pub(super) index: usize,
    /// Told when the thread has nothing to do.
    pub(super) admission: Arc<Admission>,
    pub(super) grpc: Grpc,
    pub(super) gateway: Option<Gateway>,
    pub(super) blocking_threads_max: usize,
    pub(super) stopping: watch::Receiver<bool>,
    /// Becomes true when what still runs is to be dropped.
    pub(super) aborting: watch::Receiver<bool>,
    /// Dropped when the worker is done.
    pub(super) done: std::sync::mpsc::Sender<()>,
}

/// Starts a worker's thread.
pub(super) fn start(start: WorkerStart) -> std::io::Result<WorkerHandle> {
    let (connections, receiver) = mpsc::channel(DEALT_MAX);
    let (rest_connections, rest_receiver) = mpsc::channel(DEALT_MAX);
    let (sleeping, waking) = (Arc::clone(&start.admission), Arc::clone(&start.admission));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || sleeping.sleeps(Instant::now()))
        .on_thread_unpark(move || waking.wakes(Instant::now()))
        .max_blocking_threads(start.blocking_threads_max)
        .thread_name(format!("pemba-query-{}", start.index))
        .build()?;
    std::thread::Builder::new().name(format!("pemba-net-{}", start.index)).spawn(move || {
        let WorkerStart { grpc, gateway, stopping, mut aborting, done, .. } = start;
        runtime.block_on(async move {
            let gateway_stopping = stopping.clone();
            let serving_grpc = grpc.serve(Incoming(receiver), stopping);
            let serving_rest = async move {
                if let Some(gateway) = gateway {
                    gateway.serve(Incoming(rest_receiver), gateway_stopping).await;
                }
            };
            let serving = async { tokio::join!(serving_grpc, serving_rest) };
            tokio::select! {
                _ = serving => {}
                _ = aborting.wait_for(|aborting| *aborting) => {}
            }
        });
        runtime.shutdown_timeout(BLOCKING_WAIT_MAX);
        drop(done);
    })?;
    Ok(WorkerHandle { connections, rest_connections, load: Arc::new(AtomicUsize::new(0)) })
}

/// The connections dealt to this worker.
struct Incoming(mpsc::Receiver<Accepted>);

impl Stream for Incoming {
    type Item = std::io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.0.poll_recv(context)).map(Connection::new))
    }
}
