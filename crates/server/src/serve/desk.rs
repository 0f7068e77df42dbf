//! The thread that accepts connections and deals them to the workers, reports health and serves metrics.
//!
//! Each connection goes to the worker that has the fewest, so that shares differ by one at most. The kernel's own dealing among
//! listeners of one port goes by a hash: of 16 connections the busiest of four workers would have 1.5 times its share as a rule,
//! of 4 connections 2.1 times. What that saves is one hand-over for each connection, and none for a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pemba_db::State as DatabaseState;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::connection::{Accepted, Place};
use super::worker::WorkerHandle;
use crate::options::StartError;
use crate::state::State;
use crate::telemetry;

/// Pause after a failed accept: mostly out of file descriptors, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often health looks at the database.
const HEALTH_INTERVAL: Duration = Duration::from_millis(100);
/// What health is reported for: the whole server and its services.
const HEALTH_NAMES: [&str; 4] =
    ["", "authzed.api.v1.PermissionsService", "authzed.api.v1.SchemaService", "authzed.api.v1.WatchService"];

/// What the thread is started with.
pub(super) struct DeskStart {
    pub(super) state: Arc<State>,
    pub(super) grpc: Vec<std::net::TcpListener>,
    pub(super) rest: Vec<std::net::TcpListener>,
    pub(super) metrics: Vec<std::net::TcpListener>,
    pub(super) workers: Vec<WorkerHandle>,
    pub(super) health: HealthReporter,
    pub(super) connections_max: usize,
    /// Dropped when nothing is listened for any more.
    pub(super) done: std::sync::mpsc::Sender<()>,
    /// Becomes true when the thread is to end: after the workers.
    pub(super) ending: watch::Receiver<bool>,
}

/// Starts the thread.
pub(super) fn start(start: DeskStart) -> Result<(), StartError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new().name("pemba-accept".to_owned());
    thread
        .spawn(move || {
            runtime.block_on(run(start));
            runtime.shutdown_background();
        })
        .map_err(StartError::Thread)?;
    Ok(())
}

async fn run(start: DeskStart) {
    let DeskStart { state, grpc, rest, metrics, workers, health, connections_max, done, mut ending } = start;
    // Before the first connection: nobody must be told otherwise by a reporter that does not know yet.
    let status = health_status(&state);
    set_health(&health, status).await;
    let workers = Arc::new(workers);
    let places = Arc::new(Semaphore::new(connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    let grpc = grpc.into_iter().map(|listener| (listener, Interface::Grpc));
    let rest = rest.into_iter().map(|listener| (listener, Interface::Rest));
    for (listener, interface) in grpc.chain(rest) {
        let (state, workers, places) = (Arc::clone(&state), Arc::clone(&workers), Arc::clone(&places));
        let done = done.clone();
        tokio::spawn(async move {
            let mut stopping = state.stopping.clone();
            tokio::select! {
                () = accept(listener, interface, &state, &workers, &places) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
            drop(done);
        });
    }
    drop(done);
    for listener in metrics {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let served = match TcpListener::from_std(listener) {
                Ok(listener) => telemetry::serve(listener, state).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "metrics are no longer served");
            }
        });
    }
    tokio::spawn(report_health(state, health, status));
    // An error means that the server is gone.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy)]
enum Interface {
    Grpc,
    Rest,
}

async fn accept(
    listener: std::net::TcpListener,
    interface: Interface,
    state: &Arc<State>,
    workers: &[WorkerHandle],
    places: &Arc<Semaphore>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "connections are no longer accepted"),
    };
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
            tracing::warn!("a connection was closed: `connections-max` are open");
            continue;
        };
        let Some(worker) = workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else {
            return;
        };
        let place = Place::new(Arc::clone(state), Arc::clone(&worker.load), permit);
        match stream.set_nodelay(true).and_then(|()| stream.into_std()) {
            // A worker that does not keep up slows the accepting of connections down, which is what the kernel's
            // queue is for; one that is gone has stopped.
            Ok(stream) => {
                let connections = match interface {
                    Interface::Grpc => &worker.connections,
                    Interface::Rest => &worker.rest_connections,
                };
                if connections.send(Accepted { stream, place }).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::debug!(%error, "a connection was lost before it began"),
        }
    }
}

/// What health says now.
fn health_status(state: &State) -> ServingStatus {
    let is_stopping = *state.stopping.borrow();
    match state.attached().map(pemba_db::Database::state) {
        Some(DatabaseState::Serving) if !is_stopping => ServingStatus::Serving,
        None if state.is_per_token && !is_stopping => ServingStatus::Serving,
        _ => ServingStatus::NotServing,
    }
}

async fn set_health(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
    tracing::info!(%status, "health");
}

/// Tells health what the database says, until the server stops.
async fn report_health(state: Arc<State>, health: HealthReporter, mut reported: ServingStatus) {
    let mut stopping = state.stopping.clone();
    while !*stopping.borrow_and_update() {
        let status = health_status(&state);
        if reported != status {
            set_health(&health, status).await;
            reported = status;
        }
        // The timeout is the rhythm; a stop is told at once.
        if let Ok(Err(_)) = tokio::time::timeout(HEALTH_INTERVAL, stopping.changed()).await {
            return;
        }
    }
    set_health(&health, ServingStatus::NotServing).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::*;
    use crate::options::ServerOptions;

    fn worker() -> (WorkerHandle, mpsc::Receiver<Accepted>) {
        let (connections, dealt) = mpsc::channel(64);
        let (rest_connections, _) = mpsc::channel(1);
        (WorkerHandle { connections, rest_connections, load: Arc::new(AtomicUsize::new(0)) }, dealt)
    }

    /// The open connections of each worker, once they are so many.
    async fn loads(workers: &[WorkerHandle], count: usize) -> Vec<usize> {
        loop {
            let loads: Vec<_> = workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).collect();
            if loads.iter().sum::<usize>() == count {
                return loads;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn connections_are_dealt_evenly_however_few() {
        let (_stop, stopping) = watch::channel(false);
        let state = State::new(&ServerOptions::default(), stopping).unwrap();
        for workers in 1..=4 {
            let (handles, mut dealt): (Vec<_>, Vec<_>) = (0..workers).map(|_| worker()).unzip();
            let handles = Arc::new(handles);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let accepting = tokio::spawn({
                let (state, handles, places) =
                    (Arc::clone(&state), Arc::clone(&handles), Arc::new(Semaphore::new(64)));
                async move { accept(listener, Interface::Grpc, &state, &handles, &places).await }
            });
            let mut open = Vec::new();
            for count in 1..=16 {
                open.push(TcpStream::connect(address).await.unwrap());
                let loads = loads(&handles, count).await;
                assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{loads:?}");
            }
            // A worker whose connections have ended gets the next ones.
            let mut ended = 0;
            while dealt[0].try_recv().is_ok() {
                ended += 1;
            }
            for _ in 0..ended {
                open.push(TcpStream::connect(address).await.unwrap());
            }
            let again = loads(&handles, 16).await;
            assert!(again.iter().max().unwrap() - again.iter().min().unwrap() <= 1, "{again:?}");
            accepting.abort();
        }
    }
}
