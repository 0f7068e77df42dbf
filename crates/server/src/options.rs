//! What an operator decides about the network side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pemba_agents::AgentLimits;
use pemba_agents::client::Client;
use pemba_db::Database;
use pemba_model::Limits;

use crate::front::Credential;
use crate::serve::TokenDatabases;

/// Everything a server is started with.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where gRPC is listened for; at least one. Port 0 takes a free port.
    pub listen: Vec<SocketAddr>,
    /// The certificate and key; without them connections are plain text.
    pub tls: Option<TlsOptions>,
    /// Keys whose callers may do everything: the clients `default`, `default-2` and so on. Without a key and without
    /// `clients` authentication is off: whoever reaches the port may do everything.
    pub preshared_keys: Vec<String>,
    /// The clients with their keys and certificates; one with several comes once for each. `None` leaves only `preshared_keys`.
    /// Exchanged while serving by `RunningServer::replace_clients`.
    pub clients: Option<Vec<ClientKey>>,
    /// The bounds of requests. They should be the database's.
    pub limits: Limits,
    /// The bounds of what agents may be given.
    pub agent_limits: AgentLimits,
    /// Where `/metrics` and `/healthz` are served over plain HTTP; `None` for nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Where REST (JSON over HTTP/1.1) is listened for; `None` for nowhere. With `tls` it is HTTPS.
    pub rest_listen: Option<SocketAddr>,
    /// What is served. `None` starts with everything UNAVAILABLE and health NOT_SERVING, until
    /// `RunningServer::attach` brings the database.
    pub database: Option<Database>,
    /// A database for each bearer token instead of `database`; then no key is asked for and `preshared_keys` must be
    /// empty and `clients` be `None`.
    pub per_token: Option<Arc<TokenDatabases>>,
    /// Whether everything that writes is refused.
    pub read_only: bool,
    /// Threads that serve connections, at least 1, each with a runtime of its own.
    pub worker_threads: usize,
    /// Most open connections; one more is closed at once.
    pub connections_max: usize,
    /// Most streaming answers in progress over all connections; one more is refused.
    pub streams_max: usize,
    /// What a call may wait until its thread begins it, in a burst; a tenth of that on a thread that does not keep up. A call that
    /// has waited longer is refused.
    pub wait_max: Duration,
    /// How long a shutdown waits for calls in progress.
    pub drain_max: Duration,
}

/// A key or a certificate, and whose it is.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Whoever shows it.
    pub client: Arc<Client>,
    /// What it is known by.
    pub credential: Credential,
}

/// A certificate chain and its key, both as PEM text.
#[derive(Clone)]
pub struct TlsOptions {
    /// The chain, the server's own certificate first.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
    /// Authorities whose certificates clients may show; without them none is asked for. A client that shows none needs a
    /// key; one that shows another authority's is not connected.
    pub client_authorities_pem: Option<String>,
}

impl Default for ServerOptions {
    /// 127.0.0.1:50051, plain text, no authentication, one thread per core, no database yet.
    fn default() -> ServerOptions {
        ServerOptions {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 50051))],
            tls: None,
            preshared_keys: Vec::new(),
            clients: None,
            limits: Limits::default(),
            agent_limits: AgentLimits::default(),
            metrics_listen: None,
            rest_listen: None,
            database: None,
            per_token: None,
            read_only: false,
            worker_threads: std::thread::available_parallelism().map_or(1, usize::from),
            connections_max: 10_000,
            streams_max: 4096,
            wait_max: Duration::from_millis(100),
            drain_max: Duration::from_secs(5),
        }
    }
}

impl std::fmt::Debug for ServerOptions {
    /// Without keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("tls", &self.tls.is_some())
            .field("preshared_keys", &self.preshared_keys.len())
            .field("clients", &self.clients.as_ref().map(Vec::len))
            .field("per_token", &self.per_token.is_some())
            .field("read_only", &self.read_only)
            .field("metrics_listen", &self.metrics_listen)
            .field("rest_listen", &self.rest_listen)
            .field("worker_threads", &self.worker_threads)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option is outside its bounds.
    #[error("option `{option}` {reason}")]
    Option {
        /// Which.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// An address cannot be listened on.
    #[error("listening on `{address}` failed")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate or the key is no use.
    #[error("the certificate or its key is not usable: {0}")]
    Tls(String),
    /// The authorities of client certificates are no use.
    #[error("the authorities of client certificates are not usable: {0}")]
    ClientAuthorities(String),
    /// The services could not be put together.
    #[error("preparing the services failed: {0}")]
    Services(String),
    /// A thread or its runtime could not be started.
    #[error("starting a thread failed")]
    Thread(#[source] std::io::Error),
}
