//! What all services of one server share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pemba_agents::AgentLimits;
use pemba_db::{Consistency, Database, View};
use pemba_model::Limits;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::chains::Uses;
use crate::errors;
use crate::found::FoundSets;
use crate::front::Authentication;
use crate::options::{ServerOptions, StartError};
use crate::queries::Queries;
use crate::status::plain;
use crate::stream::Streams;
use crate::telemetry::Metrics;

/// Shared by every service on every thread.
pub(crate) struct State {
    database: OnceLock<Database>,
    pub(crate) limits: Limits,
    pub(crate) agent_limits: AgentLimits,
    pub(crate) queries: Queries,
    pub(crate) streams: Streams,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) authentication: Arc<Authentication>,
    /// What lookups found that go on.
    pub(crate) found: Arc<FoundSets>,
    /// When sessions were used last.
    pub(crate) session_uses: Arc<Uses>,
    /// Whether everything that writes is refused.
    pub(crate) read_only: bool,
    /// Whether each token has its own database, so that none is waited for.
    pub(crate) is_per_token: bool,
    /// Becomes true when the server begins to shut down.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Threads that run long queries for each thread that serves connections: more would only take turns.
const QUERY_THREADS_PER_WORKER: usize = 4;

impl State {
    pub(crate) fn new(
        options: &ServerOptions,
        stopping: watch::Receiver<bool>,
    ) -> Result<Arc<State>, StartError> {
        let limits = options.limits.clone();
        let threads =
            limits.concurrent_queries_max.min(options.worker_threads.max(1) * QUERY_THREADS_PER_WORKER);
        let state = State {
            database: OnceLock::new(),
            queries: Queries::new(threads),
            streams: Streams::new(options.streams_max, Duration::from_millis(limits.stream_stall_max_ms)),
            metrics: Arc::new(Metrics::new()),
            authentication: Arc::new(Authentication::new(options)?),
            found: Arc::default(),
            session_uses: Arc::new(Uses::new()),
            read_only: options.read_only,
            is_per_token: options.per_token.is_some(),
            limits,
            agent_limits: options.agent_limits,
            stopping,
        };
        if let Some(database) = &options.database {
            state.attach(database.clone());
        }
        Ok(Arc::new(state))
    }

    /// The state of the services for one token's database, with the bounds of all shared.
    pub(crate) fn of_tenant(&self, database: Database) -> Arc<State> {
        Arc::new(State {
            database: OnceLock::from(database),
            limits: self.limits.clone(),
            agent_limits: self.agent_limits,
            queries: self.queries.clone(),
            streams: self.streams.clone(),
            metrics: Arc::clone(&self.metrics),
            authentication: Arc::clone(&self.authentication),
            found: Arc::clone(&self.found),
            session_uses: Arc::clone(&self.session_uses),
            read_only: self.read_only,
            is_per_token: self.is_per_token,
            stopping: self.stopping.clone(),
        })
    }

    /// Brings the database; the first one stays.
    pub(crate) fn attach(&self, database: Database) {
        let _ = self.database.set(database);
    }

    /// The database once it is there.
    pub(crate) fn attached(&self) -> Option<&Database> {
        self.database.get()
    }

    /// The database, or UNAVAILABLE while it is being recovered.
    pub(crate) fn database(&self) -> Result<&Database, Status> {
        self.attached()
            .ok_or_else(|| plain(Code::Unavailable, "the database is being recovered; try again soon"))
    }

    /// The database to write to; UNAVAILABLE where nothing may be written.
    pub(crate) fn writer(&self) -> Result<&Database, Status> {
        if self.read_only { Err(errors::read_only()) } else { self.database() }
    }

    /// The view that a consistency asks for, if it is the newest or one at its token: what is decided beside
    /// relationships is then in the view too.
    pub(crate) fn view_now(&self, consistency: &Consistency) -> Result<Option<View>, Status> {
        let database = self.database()?;
        if matches!(consistency, Consistency::AtExactSnapshot(_)) {
            return Ok(None);
        }
        database.view(consistency).map(Some).map_err(|error| errors::view(&error))
    }

    /// The view that a consistency asks for. An old revision is rebuilt on a query thread.
    pub(crate) async fn view(&self, consistency: Consistency) -> Result<View, Status> {
        let database = self.database()?;
        if !database.needs_rebuild(&consistency) {
            return database.view(&consistency).map_err(|error| errors::view(&error));
        }
        let database = database.clone();
        self.queries.run(move || database.view(&consistency).map_err(|error| errors::view(&error))).await
    }
}
