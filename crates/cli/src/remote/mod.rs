//! Commands that ask a running server.

mod query;
mod relationship;
pub(crate) mod schema;
mod transfer;
mod watch;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use pemba_client::{Client, ConnectOptions, Consistency, Tls, Token};
use pemba_model::Context;

use crate::agents::{self, authority};
use crate::args::{Command, Connection, Freshness};
use crate::output::Output;

/// Runs a command against a server. Returns whether its answer is yes, where it has one.
pub fn run(command: Command, output: &mut Output) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Check(args) if args.chain.is_empty() && args.consume.is_none() => {
                query::check(*args, output).await
            }
            Command::Check(args) => authority::check(*args, output).await,
            Command::Agents(command) => agents::run(*command, output).await,
            Command::Expand(args) => query::expand(args, output).await,
            Command::LookupResources(args) => query::lookup_resources(args, output).await,
            Command::LookupSubjects(args) => query::lookup_subjects(args, output).await,
            Command::Schema(command) => schema::run(command, output).await,
            Command::Relationship(command) => relationship::run(command, output).await,
            Command::Watch(args) => watch::run(args, output).await,
            Command::Import(args) => transfer::import(args, output).await,
            Command::Export(args) => transfer::export(args, output).await,
            Command::Serve(_)
            | Command::ServeTesting(_)
            | Command::Demo(_)
            | Command::Backup(_)
            | Command::Verify(_)
            | Command::Bench(_)
            | Command::Validate(_)
            | Command::Lsp(_)
            | Command::Completions(_)
            | Command::Man(_) => {
                bail!("this command does not ask a server")
            }
        }
    })
}

/// Opens the connection.
pub(crate) async fn connect(connection: &Connection) -> Result<Client> {
    let mut options = ConnectOptions::new(connection.endpoint.clone());
    if let Some(key) = &connection.key {
        options = options.token(key.clone());
    }
    options = match &connection.ca {
        Some(file) => options.tls(Tls::Roots(read(file)?)),
        None if connection.endpoint.starts_with("https://") => options.tls(Tls::SystemRoots),
        None => options,
    };
    if let (Some(certificate), Some(key)) = (&connection.client_cert, &connection.client_key) {
        let text = |file: &Path| String::from_utf8(read(file)?).context("a PEM file is text");
        options = options.client_certificate(&text(certificate)?, &text(key)?);
    }
    Client::connect(options)
        .await
        .with_context(|| format!("cannot reach a server at {}", connection.endpoint))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What the flags ask for.
pub(crate) fn consistency(freshness: &Freshness) -> Consistency {
    match freshness {
        Freshness { at_least: Some(token), .. } => Consistency::AtLeastAsFresh(Token::new(token.clone())),
        Freshness { at_exact: Some(token), .. } => Consistency::AtExactSnapshot(Token::new(token.clone())),
        Freshness { full: true, .. } => Consistency::FullyConsistent,
        _ => Consistency::MinimizeLatency,
    }
}

/// The context of a flag; empty when it is not given.
pub(crate) fn context(text: Option<&str>) -> Result<Context> {
    text.map_or(Ok(Context::new()), |text| {
        serde_json::from_str(text).context("`--context` is no JSON object")
    })
}
