//! `pemba backup` and `pemba verify`: commands on a data folder that no server is using.

use anyhow::{Context as _, Result};
use std::sync::Arc;

use pemba_agents::Book;
use pemba_db::{Database, Options, Storage};
use pemba_model::Limits;
use serde_json::json;

use crate::args::{BackupArgs, VerifyArgs};
use crate::bootstrap::check_finished;
use crate::output::Output;

/// How every database of the binary is opened: with the records of agents.
pub fn database_options(limits: Limits) -> Options {
    Options { limits, ledger: Arc::new(Book::default()), ..Options::default() }
}

/// Copies a data folder and verifies the copy.
pub fn backup(args: &BackupArgs, output: &mut Output) -> Result<bool> {
    anyhow::ensure!(args.data.exists(), "no data folder at {}", args.data.display());
    check_finished(&args.data)?;
    let database = Database::open(Storage::Directory(args.data.clone()), database_options(Limits::default()))
        .with_context(|| format!("cannot open {}", args.data.display()))?;
    database.backup(&args.target).with_context(|| format!("cannot write {}", args.target.display()))?;
    database.close();
    report("backed up to", &args.target, output)
}

/// Opens a data folder, reads everything in it and says what it found.
pub fn verify(args: &VerifyArgs, output: &mut Output) -> Result<bool> {
    report("verified", &args.folder, output)
}

fn report(done: &str, folder: &std::path::Path, output: &mut Output) -> Result<bool> {
    let report = pemba_db::verify(folder, Arc::new(Book::default()))
        .with_context(|| format!("{} is not whole", folder.display()))?;
    let text = format!(
        "{done} {}: revision {}, {} relationships, {} objects, {} documents",
        folder.display(),
        report.head,
        report.relationships,
        report.objects,
        report.documents
    );
    let value = json!({
        "folder": folder.display().to_string(), "revision": report.head.0,
        "relationships": report.relationships, "objects": report.objects, "documents": report.documents,
    });
    output.either(&text, &value)?;
    Ok(true)
}
