//! A database for each bearer token: callers with different tokens see nothing of one another. For tests of clients.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use parking_lot::Mutex;
use pemba_db::{Clock, Database, StoppableClock};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::{Service, ServiceExt as _};

use super::routes;
use crate::front::bearer;
use crate::state::State;
use crate::status::plain;

/// Makes the database of a token that is seen for the first time, with this clock; the error is told to the caller.
type Open = Box<dyn Fn(Arc<dyn Clock>) -> Result<Database, String> + Send + Sync>;

/// The databases of all tokens, shared by the servers that serve them. A bounded number: the one that was asked
/// longest ago makes room, and is empty again when its token comes back.
pub struct TokenDatabases {
    open: Open,
    count_max: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tenants: HashMap<Vec<u8>, (Arc<Tenant>, u64)>,
    /// Calls so far, by which the age of the last one is told.
    calls: u64,
}

struct Tenant {
    database: Database,
    /// The database's, which callers of the token may stop and move.
    clock: Arc<StoppableClock>,
    /// The services of this database, by whether writes are refused.
    routes: Mutex<[Option<Routes>; 2]>,
}

impl TokenDatabases {
    /// At most `count_max` databases at once, at least one, each made by `open` with the clock it is given.
    pub fn new(
        count_max: usize,
        open: impl Fn(Arc<dyn Clock>) -> Result<Database, String> + Send + Sync + 'static,
    ) -> TokenDatabases {
        TokenDatabases { open: Box::new(open), count_max: count_max.max(1), known: Mutex::default() }
    }

    /// How many databases there are.
    pub fn len(&self) -> usize {
        self.known.lock().tenants.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tenant of a token that is known.
    fn find(&self, token: &[u8]) -> Option<Arc<Tenant>> {
        let mut known = self.known.lock();
        known.calls += 1;
        let calls = known.calls;
        let (tenant, last) = known.tenants.get_mut(token)?;
        *last = calls;
        Some(Arc::clone(tenant))
    }

    /// The tenant of a token, made if it is not known. Blocks.
    fn find_or_open(&self, token: Vec<u8>) -> Result<Arc<Tenant>, Status> {
        if let Some(tenant) = self.find(&token) {
            return Ok(tenant);
        }
        let clock = Arc::new(StoppableClock::default());
        let database = (self.open)(Arc::clone(&clock) as Arc<dyn Clock>)
            .map_err(|reason| plain(Code::Internal, reason))?;
        let mut dropped = Vec::new();
        let mut known = self.known.lock();
        let calls = known.calls;
        while known.tenants.len() >= self.count_max && !known.tenants.contains_key(&token) {
            let oldest =
                known.tenants.iter().min_by_key(|(_, (_, last))| *last).map(|(token, _)| token.clone());
            dropped.extend(oldest.and_then(|oldest| known.tenants.remove(&oldest)));
        }
        // Another call may have been faster; the first database stays.
        let made = || (Arc::new(Tenant { database, clock, routes: Mutex::default() }), calls);
        let tenant = Arc::clone(&known.tenants.entry(token).or_insert_with(made).0);
        // Databases are closed outside of the lock.
        drop(known);
        if !dropped.is_empty() {
            tracing::info!(
                count_max = self.count_max,
                "the database asked longest ago made room for another"
            );
        }
        Ok(tenant)
    }
}

impl Tenant {
    fn routes(&self, base: &State) -> Routes {
        let mut routes = self.routes.lock();
        let [writable, read_only] = &mut *routes;
        let place = if base.read_only { read_only } else { writable };
        let made = || {
            routes::with_testing(routes::api(&base.of_tenant(self.database.clone())), Arc::clone(&self.clock))
        };
        place.get_or_insert_with(made).clone()
    }
}

/// The service that finds the services of the caller's token.
#[derive(Clone)]
pub(super) struct PerToken {
    databases: Arc<TokenDatabases>,
    state: Arc<State>,
}

impl PerToken {
    pub(super) fn new(databases: Arc<TokenDatabases>, state: Arc<State>) -> PerToken {
        PerToken { databases, state }
    }
}

impl Service<Request<axum::body::Body>> for PerToken {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<axum::body::Body>) -> Self::Future {
        let (databases, state) = (Arc::clone(&self.databases), Arc::clone(&self.state));
        // Without a token, or with another kind of authorization, it is the empty one's database.
        let token = bearer(request.headers()).unwrap_or_default().to_vec();
        Box::pin(async move {
            let tenant = match databases.find(&token) {
                Some(tenant) => tenant,
                None => match state.queries.run(move || databases.find_or_open(token)).await {
                    Ok(tenant) => tenant,
                    Err(status) => return Ok(status.into_http()),
                },
            };
            tenant.routes(&state).oneshot(request).await
        })
    }
}
