//! The thread that accepts connections and deals them to the workers, reports health and serves metrics.

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
