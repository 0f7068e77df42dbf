//! `pemba validate --watch`: the files, and the schema files that they name, looked at again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::{Report, file, report};
use crate::output::Output;
use crate::tool_args::ValidateArgs;

/// How long to wait between two looks.
const INTERVAL: Duration = Duration::from_millis(200);
/// What makes a terminal empty and puts the next line at its top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

/// What a file looked like; nothing when it was not there.
type Stamp = Option<(SystemTime, u64)>;

/// Runs the files, and again whenever one changes, until interrupted. Returns whether nothing failed in the last run.
pub(super) fn watch(args: &ValidateArgs, output: &mut Output) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clears = !output.is_json() && std::io::stdout().is_terminal();
    let mut last_is_good = true;
    let outcome = runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map(drop)?,
            _ = terminate.recv() => {}
            ended = run_on_change(args, clears, output, &mut last_is_good) => return ended,
        }
        Ok(())
    });
    // A run that is under way is of no more use.
    runtime.shutdown_background();
    outcome.map(|()| last_is_good)
}

async fn run_on_change(
    args: &ValidateArgs,
    clears: bool,
    output: &mut Output,
    is_good: &mut bool,
) -> Result<()> {
    let mut changed: Vec<PathBuf> = Vec::new();
    loop {
        // Looked at before anything is read, so that a change during the run is seen after it.
        let files = stamps(args.files.iter().cloned());
        let schemas = stamps(args.files.iter().filter_map(|path| file::schema_file(path)));
        let found = run(args.clone()).await?;
        if clears {
            output.line(CLEAR)?;
        }
        if let Some(first) = changed.first()
            && !output.is_json()
        {
            let more = changed.len().saturating_sub(1);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            output.line(&format!("--- {}{more} changed", first.display()))?;
        }
        *is_good = found.show(output)?;
        if !output.is_json() {
            output.line("--- waiting for changes; Ctrl-C stops")?;
        }
        changed = next_change(&files, &schemas).await;
    }
}

/// Runs elsewhere, so that an interrupt is noticed at once.
async fn run(args: ValidateArgs) -> Result<Report> {
    Ok(tokio::task::spawn_blocking(move || report(&args)).await?)
}

async fn next_change(files: &BTreeMap<PathBuf, Stamp>, schemas: &BTreeMap<PathBuf, Stamp>) -> Vec<PathBuf> {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let changed = files.iter().chain(schemas).filter(|(path, before)| stamp(path) != **before);
        let changed: BTreeSet<PathBuf> = changed.map(|(path, _)| path.clone()).collect();
        if !changed.is_empty() {
            return changed.into_iter().collect();
        }
    }
}

fn stamps(paths: impl Iterator<Item = PathBuf>) -> BTreeMap<PathBuf, Stamp> {
    paths
        .map(|path| {
            let stamp = stamp(&path);
            (path, stamp)
        })
        .collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
