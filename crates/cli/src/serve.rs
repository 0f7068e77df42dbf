//! `pemba serve`: opens the store and serves it until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pemba_db::{Database, Storage};
use pemba_server::{RunningServer, Server, ServerOptions, TlsOptions};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::bootstrap::Bootstrap;
use crate::clients_file;
use crate::storage::database_options;

/// Serves until SIGINT or SIGTERM, then drains and closes the store.
pub fn serve(args: &ServeArgs) -> Result<bool> {
    start_log(&args.log, args.log_json)?;
    let options = server_options(args)?;
    let bootstrap = Bootstrap::read(&args.bootstrap)?;
    let storage = match &args.data {
        Some(folder) => Storage::Directory(folder.clone()),
        None => Storage::Memory,
    };
    let place = args.data.as_ref().map_or("memory".to_owned(), |folder| folder.display().to_string());
    let limits = options.limits.clone();
    let server = Server::start(options).context("cannot start the server")?;
    let opened = Database::open(storage, database_options(limits));
    let database = opened.with_context(|| format!("cannot open the data in {place}"))?;
    bootstrap.apply(&database, args.bootstrap_overwrite, args.data.as_deref())?;
    let statistics = database.statistics();
    server.attach(database.clone());
    tracing::info!(
        addresses = ?server.addresses(), data = place, revision = statistics.head.0,
        relationships = statistics.relationships, "ready"
    );
    match &args.clients {
        Some(file) => wait_for_stop_reloading(|| reload(&server, file))?,
        None => wait_for_stop()?,
    }
    tracing::info!(grace_ms = args.shutdown_grace_ms, "stopping");
    server.shutdown();
    database.close();
    Ok(true)
}

fn server_options(args: &ServeArgs) -> Result<ServerOptions> {
    let listen = args.listen.iter().map(|text| address("--listen", text)).collect::<Result<Vec<_>>>()?;
    let metrics_listen = match args.metrics_listen.as_str() {
        "" => None,
        text => Some(address("--metrics-listen", text)?),
    };
    let rest_listen = match args.rest_listen.as_deref() {
        None | Some("") => None,
        Some(text) => Some(address("--rest-listen", text)?),
    };
    if args.preshared_keys.iter().any(String::is_empty) {
        bail!("a preshared key must not be empty");
    }
    let exposed = listen.iter().chain(rest_listen.as_ref()).find(|address| !address.ip().is_loopback());
    let is_open = args.preshared_keys.is_empty() && args.clients.is_none();
    if let Some(exposed) = exposed.filter(|_| is_open && !args.insecure_no_key) {
        bail!(
            "without `--preshared-key` or `--clients` anyone who reaches {exposed} could read and change everything: \
             give one of them, or `--insecure-no-key`"
        );
    }
    let clients = args.clients.as_deref().map(clients_file::read).transpose().context("`--clients`")?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            let authorities = args.tls_client_ca.as_deref().map(read_text).transpose()?;
            let (certificate_pem, key_pem) = (read_text(certificate)?, read_text(key)?);
            Some(TlsOptions { certificate_pem, key_pem, client_authorities_pem: authorities })
        }
        _ => None,
    };
    let defaults = ServerOptions::default();
    Ok(ServerOptions {
        listen,
        tls,
        preshared_keys: args.preshared_keys.clone(),
        clients,
        limits: args.limits.limits(),
        metrics_listen,
        rest_listen,
        worker_threads: if args.threads == 0 { defaults.worker_threads } else { args.threads },
        connections_max: args.connections_max,
        streams_max: args.streams_max,
        wait_max: Duration::from_millis(args.wait_max_ms),
        drain_max: Duration::from_millis(args.shutdown_grace_ms),
        ..defaults
    })
}

pub(crate) fn address(flag: &str, text: &str) -> Result<SocketAddr> {
    text.parse().with_context(|| format!("`{flag} {text}` is no address such as 0.0.0.0:50051"))
}

fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

pub(crate) fn start_log(filter: &str, json: bool) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("`--log {filter}` is no log filter"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init()
    } else {
        log.with_target(false).init()
    }
    Ok(())
}

/// Blocks until the process is asked to stop.
pub fn wait_for_stop() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(stopped())
}

/// As `wait_for_stop`, calling `reload` at each SIGHUP.
fn wait_for_stop_reloading(reload: impl Fn()) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut hangups = signal(SignalKind::hangup())?;
        let reloading = async {
            while hangups.recv().await.is_some() {
                reload();
            }
            std::future::pending().await
        };
        tokio::select! {
            stopped = stopped() => stopped,
            () = reloading => Ok(()),
        }
    })
}

/// SIGINT or SIGTERM.
async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Reads the clients file again; one that is not good leaves the clients as they are.
fn reload(server: &RunningServer, file: &Path) {
    let replaced = clients_file::read(file).and_then(|clients| {
        server.replace_clients(&clients)?;
        Ok(clients.len())
    });
    match replaced {
        Ok(keys) => tracing::info!(file = %file.display(), keys, "read the clients file again"),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "the clients file is not good; the clients stay as they were");
        }
    }
}
