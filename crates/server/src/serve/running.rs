//! Starting and stopping a server.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pemba_db::Database;
use tokio::sync::watch;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthReporter;
use tower::Layer as _;

use super::admission::Admission;
use super::call::Calls;
use super::grpc::Grpc;
use super::health::EndingHealth;
use super::per_token::PerToken;
use super::worker::{WorkerHandle, WorkerStart};
use super::{desk, routes, worker};
use crate::front::FrontLayer;
use crate::options::{ClientKey, ServerOptions, StartError};
use crate::rest::{Gateway, Table};
use crate::services::Direct;
use crate::state::State;
use crate::tls::acceptor;

/// The gRPC server.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A server that is running. Dropping it stops it without waiting for calls in progress.
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    rest_address: Option<SocketAddr>,
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
        let state = State::new(&options, stopping.clone())?;
        let health = HealthReporter::new();
        let front = FrontLayer::new(Arc::clone(&state));
        let table = options.rest_listen.map(|_| Table::new(&options.limits, options.tls.as_ref()));
        let table = table.transpose()?.map(Arc::new);
        let tls = options.tls.as_ref().map(|tls| acceptor(tls, b"h2")).transpose()?;
        let listeners = Listeners::bind(&options)?;
        let (done, workers_done) = mpsc::channel();
        let mut workers = Vec::with_capacity(options.worker_threads);
        for index in 0..options.worker_threads {
            let health_service = HealthServer::new(EndingHealth::new(health.clone(), stopping.clone()));
            let api = match &options.per_token {
                Some(databases) => {
                    routes::per_token(PerToken::new(Arc::clone(databases), Arc::clone(&state)))
                }
                None => routes::api(&state),
            };
            let routes = routes::with_open_services(api, health_service, options.per_token.is_some())?;
            // Each token's services are found by the routes.
            let direct = options.per_token.is_none().then(|| Direct::new(Arc::clone(&state)));
            let gateway = |table| Gateway::new(table, front.layer(routes.clone()));
            let admission = Arc::new(Admission::new(options.wait_max, Instant::now()));
            let start = WorkerStart {
                index,
                admission: Arc::clone(&admission),
                gateway: table.clone().map(gateway),
                grpc: Grpc {
                    calls: Calls::new(front.layer(routes.prepare()), direct, admission),
                    tls: tls.clone(),
                    streams_max: options.limits.streams_per_connection_max,
                },
                blocking_threads_max: state.queries.threads_max(),
                stopping: stopping.clone(),
                aborting: aborting.clone(),
                done: done.clone(),
            };
            workers.push(worker::start(start).map_err(StartError::Thread)?);
        }
        let running = RunningServer {
            addresses: addresses(&listeners.grpc),
            metrics_address: addresses(&listeners.metrics).first().copied(),
            rest_address: addresses(&listeners.rest).first().copied(),
            state,
            stop,
            abort,
            end,
            workers_done,
            drain_max: options.drain_max,
        };
        running.open_desk(listeners, workers, health, (options.connections_max, done), ending)?;
        let is_open = options.preshared_keys.is_empty() && options.clients.is_none();
        if is_open && options.per_token.is_none() {
            tracing::warn!("authentication is off: whoever reaches the port may read and write everything");
        }
        let tls = options.tls.is_some();
        tracing::info!(addresses = ?running.addresses, tls, "serving gRPC");
        if let Some(address) = running.rest_address {
            tracing::info!(%address, tls, "serving REST");
        }
        Ok(running)
    }
}

impl RunningServer {
    fn open_desk(
        &self,
        listeners: Listeners,
        workers: Vec<WorkerHandle>,
        health: HealthReporter,
        (connections_max, done): (usize, mpsc::Sender<()>),
        ending: watch::Receiver<bool>,
    ) -> Result<(), StartError> {
        desk::start(desk::DeskStart {
            state: Arc::clone(&self.state),
            grpc: sockets(listeners.grpc),
            rest: sockets(listeners.rest),
            metrics: sockets(listeners.metrics),
            workers,
            health,
            connections_max,
            done,
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

    /// Where REST is served.
    pub fn rest_address(&self) -> Option<SocketAddr> {
        self.rest_address
    }

    /// Brings the database of a server that was started without one: it begins to serve. A second one is ignored.
    pub fn attach(&self, database: Database) {
        self.state.attach(database);
    }

    /// Replaces the clients of a server; those of preshared keys stay. Calls in progress come to their end, watches of
    /// clients that are gone or have changed are ended. On an error nothing changes.
    pub fn replace_clients(&self, clients: &[ClientKey]) -> Result<(), StartError> {
        self.state.authentication.replace(clients)
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
        // Nobody sends anything: the channel closes when the last worker is done and nothing is listened for.
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
    let has_clients = options.clients.is_some() || !options.preshared_keys.is_empty();
    if options.per_token.is_some() && (options.database.is_some() || has_clients) {
        return wrong("per-token", "excludes a database, clients and preshared keys of the server");
    }
    Ok(())
}

/// The sockets of a server, each with the port that was taken.
struct Listeners {
    grpc: Vec<(TcpListener, SocketAddr)>,
    rest: Vec<(TcpListener, SocketAddr)>,
    metrics: Vec<(TcpListener, SocketAddr)>,
}

impl Listeners {
    fn bind(options: &ServerOptions) -> Result<Listeners, StartError> {
        let all = |addresses: &[SocketAddr]| {
            addresses.iter().map(|address| listen(*address)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Listeners {
            grpc: all(&options.listen)?,
            rest: all(options.rest_listen.as_slice())?,
            metrics: all(options.metrics_listen.as_slice())?,
        })
    }
}

fn addresses(listeners: &[(TcpListener, SocketAddr)]) -> Vec<SocketAddr> {
    listeners.iter().map(|(_, address)| *address).collect()
}

fn sockets(listeners: Vec<(TcpListener, SocketAddr)>) -> Vec<TcpListener> {
    listeners.into_iter().map(|(listener, _)| listener).collect()
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
