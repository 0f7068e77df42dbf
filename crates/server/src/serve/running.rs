//! Starting and stopping a server.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pemba_db::Database;
use tokio::sync::watch;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthReporter;

use super::worker::{WorkerHandle, WorkerStart};
use super::{desk, routes, worker};
use crate::front::{Authentication, FrontLayer};
use crate::options::{ServerOptions, StartError};
use crate::state::State;

/// The gRPC server.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A server that is running. Dropping it stops it without waiting for calls in progress.
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    abort: watch::Sender<bool>,
    end: watch::Sender<bool>,
    workers_done: mpsc::Receiver<()>,
    drain_max: Duration,
}

/// The two ends of a signal that is given once.
fn signal() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}

impl Server {
    /// Starts listening and serving. Returns once every address is listened on.
    pub fn start(options: ServerOptions) -> Result<RunningServer, StartError> {
        check(&options)?;
        let (stop, stopping) = signal();
        let (abort, aborting) = signal();
        let (end, ending) = signal();
        let state = State::new(&options, stopping.clone());
        let health = HealthReporter::new();
        let front = FrontLayer::new(Arc::clone(&state), Authentication::new(&options.preshared_keys));
        let listeners =
            options.listen.iter().map(|address| listen(*address)).collect::<Result<Vec<_>, _>>()?;
        let metrics_listener = options.metrics_listen.map(listen).transpose()?;
        let addresses = listeners.iter().map(|(_, address)| *address).collect();
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
        let (done, workers_done) = mpsc::channel();
        let mut workers = Vec::with_capacity(options.worker_threads);
        for index in 0..options.worker_threads {
            let health_service =
                HealthServer::new(tonic_health::server::HealthService::from_health_reporter(health.clone()));
            let start = WorkerStart {
                index,
                services: routes::services(&state, front.clone(), options.tls.as_ref(), health_service)?,
                blocking_threads_max: state.queries.threads_max(),
                stopping: stopping.clone(),
                aborting: aborting.clone(),
                done: done.clone(),
            };
            workers.push(worker::start(start).map_err(StartError::Thread)?);
        }
        let running = RunningServer {
            addresses,
            metrics_address,
            state,
            stop,
            abort,
            end,
            workers_done,
            drain_max: options.drain_max,
        };
        running.open_desk(listeners, metrics_listener, workers, health, options.connections_max, ending)?;
        if options.preshared_keys.is_empty() {
            tracing::warn!("authentication is off: whoever reaches the port may read and write everything");
        }
        tracing::info!(addresses = ?running.addresses, tls = options.tls.is_some(), "serving gRPC");
        Ok(running)
    }
}

impl RunningServer {
    fn open_desk(
        &self,
        listeners: Vec<(TcpListener, SocketAddr)>,
        metrics_listener: Option<(TcpListener, SocketAddr)>,
        workers: Vec<WorkerHandle>,
        health: HealthReporter,
        connections_max: usize,
        ending: watch::Receiver<bool>,
    ) -> Result<(), StartError> {
        desk::start(desk::DeskStart {
            state: Arc::clone(&self.state),
            listeners: listeners.into_iter().map(|(listener, _)| listener).collect(),
            metrics_listener: metrics_listener.map(|(listener, _)| listener),
            workers,
            health,
            connections_max,
            ending,
        })
    }

    /// Where gRPC is listened for, in the order of the options, with the ports that were taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Brings the database of a server that was started without one: it begins to serve. A second one is ignored.
    pub fn attach(&self, database: Database) {
        self.state.attach(database);
    }

    /// Stops in order: health says NOT_SERVING, no connection is accepted, watches end, calls in progress get up to
    /// `drain_max`, then everything left is dropped. Blocks until then. The database stays open. Returns whether
    /// all calls came to their end.
    pub fn shutdown(self) -> bool {
        self.stop.send_replace(true);
        let drained = self.wait_for_workers(self.drain_max);
        self.abort.send_replace(true);
        let ended = drained || self.wait_for_workers(Duration::from_secs(2));
        self.end.send_replace(true);
        tracing::info!(drained, ended, "stopped serving");
        drained
    }

    /// Whether all workers have ended within the time.
    fn wait_for_workers(&self, wait_max: Duration) -> bool {
        let deadline = Instant::now() + wait_max;
        let left = deadline.saturating_duration_since(Instant::now());
        // Workers send nothing: the channel closes when the last of them is done.
        matches!(self.workers_done.recv_timeout(left), Err(mpsc::RecvTimeoutError::Disconnected))
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.abort.send_replace(true);
        self.end.send_replace(true);
    }
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

fn check(options: &ServerOptions) -> Result<(), StartError> {
    let wrong = |option, reason: &str| Err(StartError::Option { option, reason: reason.to_owned() });
    if options.listen.is_empty() {
        return wrong("listen", "names no address; at least one is needed");
    }
    if options.worker_threads == 0 || options.worker_threads > 1024 {
        return wrong("worker-threads", "must be 1 to 1024");
    }
    if options.preshared_keys.iter().any(|key| key.trim() != key || key.is_empty()) {
        return wrong("preshared-key", "must not be empty, nor begin or end with a blank");
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
