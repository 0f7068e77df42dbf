//! `pemba serve`: opens the store and serves it until it is told to stop.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pemba_db::{Database, Options, Storage};
use pemba_server::{Server, ServerOptions, TlsFiles};
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;

/// Serves until SIGINT or SIGTERM, then drains and closes the store.
pub fn serve(args: &ServeArgs) -> Result<bool> {
    start_log(&args.log, args.log_json)?;
    let options = server_options(args)?;
    let storage = match &args.data {
        Some(folder) => Storage::Directory(folder.clone()),
        None => Storage::Memory,
    };
    let place = args.data.as_ref().map_or("memory".to_owned(), |folder| folder.display().to_string());
    let limits = args.limits.limits();
    let server = Server::start(options, limits.clone()).context("cannot start the server")?;
    let opened = Database::open(storage, Options { limits, ..Options::default() });
    let database = opened.with_context(|| format!("cannot open the data in {place}"))?;
    let statistics = database.statistics();
    server.ready(database.clone());
    tracing::info!(
        addresses = ?server.addresses(), data = place, revision = statistics.head.0,
        relationships = statistics.relationships, "serving"
    );
    wait_for_stop()?;
    tracing::info!(grace_ms = args.shutdown_grace_ms, "stopping");
    server.shutdown(Duration::from_millis(args.shutdown_grace_ms));
    database.close();
    tracing::info!("stopped");
    Ok(true)
}

fn server_options(args: &ServeArgs) -> Result<ServerOptions> {
    let listen: SocketAddr =
        args.listen.parse().with_context(|| format!("`--listen {}` is no address such as 0.0.0.0:50051", args.listen))?;
    let metrics_listen = match args.metrics_listen.as_str() {
        "" => None,
        text => Some(text.parse().with_context(|| format!("`--metrics-listen {text}` is no address"))?),
    };
    if args.preshared_keys.iter().any(String::is_empty) {
        bail!("a preshared key must not be empty");
    }
    let local = match listen.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    if args.preshared_keys.is_empty() && !local && !args.insecure_no_key {
        bail!("without `--preshared-key` anyone who reaches {listen} could read and change everything: give a key, or `--insecure-no-key`");
    }
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles { certificate: cert.clone(), key: key.clone() }),
        _ => None,
    };
    Ok(ServerOptions { listen, metrics_listen, preshared_keys: args.preshared_keys.clone(), tls, threads: args.threads })
}

fn start_log(filter: &str, json: bool) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("`--log {filter}` is no log filter"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.with_target(false).init() }
    Ok(())
}

/// Blocks until the process is asked to stop.
pub fn wait_for_stop() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
