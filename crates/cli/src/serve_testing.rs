//! `pemba serve-testing`: an empty database in memory for each bearer token, for tests of clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pemba_db::{Clock, Database, Options, Storage, SystemClock};
use pemba_server::{RunningServer, Server, ServerOptions, TokenDatabases};

use crate::args::ServeTestingArgs;
use crate::bootstrap::Bootstrap;
use crate::serve::{address, start_log, wait_for_stop};
use crate::storage::database_options;

/// Longest wait for running requests on shutdown: tests do not wait for a server they are done with.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Serves until SIGINT or SIGTERM.
pub fn serve_testing(args: &ServeTestingArgs) -> Result<bool> {
    start_log(&args.log, false)?;
    let servers = start(args)?;
    let addresses: Vec<&[SocketAddr]> = servers.iter().map(RunningServer::addresses).collect();
    tracing::warn!(?addresses, "ready for tests: every token has a database of its own, and none is kept");
    wait_for_stop()?;
    for server in servers {
        server.shutdown();
    }
    Ok(true)
}

/// Both servers, the one that writes first. The second is not there when its address is empty.
fn start(args: &ServeTestingArgs) -> Result<Vec<RunningServer>> {
    let limits = args.limits.limits();
    let bootstrap = Bootstrap::read(&args.load_configs)?;
    let open = {
        let limits = limits.clone();
        move |clock: Arc<dyn Clock>| {
            let options = Options { clock, ..database_options(limits.clone()) };
            let database = Database::open(Storage::Memory, options).map_err(|error| error.to_string())?;
            bootstrap.apply(&database, false, None).map_err(|error| format!("{error:#}"))?;
            Ok(database)
        }
    };
    // What does not load is told at the start, not to the first caller.
    open(Arc::new(SystemClock)).map_err(anyhow::Error::msg).context("loading `--load-configs`")?;
    let databases = Arc::new(TokenDatabases::new(args.databases_max, open));
    let mut addresses = vec![(address("--listen", &args.listen)?, false)];
    if !args.readonly_listen.is_empty() {
        addresses.push((address("--readonly-listen", &args.readonly_listen)?, true));
    }
    addresses
        .into_iter()
        .map(|(listen, read_only)| {
            let options = ServerOptions {
                listen: vec![listen],
                limits: limits.clone(),
                per_token: Some(Arc::clone(&databases)),
                read_only,
                // Whoever tests on a busy machine is slow, and not too many.
                wait_max: Duration::MAX,
                drain_max: DRAIN_MAX,
                ..ServerOptions::default()
            };
            Server::start(options).with_context(|| format!("cannot serve on {listen}"))
        })
        .collect()
}
