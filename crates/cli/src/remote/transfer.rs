//! Import and export: relationships as text, one a line. Progress goes to standard error: a bar on a terminal, plain
//! lines otherwise.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pemba_client::Export;
use pemba_model::Relationship;
use pemba_model::text::{RELATIONSHIP_TEXT_MAX_BYTES, parse_relationship};
use serde_json::json;

use super::{connect, consistency};
use crate::args::{ExportArgs, ImportArgs};
use crate::output::Output;
use crate::schema_files::STANDARD;

/// Relationships between two plain progress lines.
const LINE_EVERY: u64 = 100_000;

struct Progress {
    bar: Option<ProgressBar>,
    done: u64,
}

impl Progress {
    fn new(unit: &str) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {human_pos} {msg} ({per_sec}, {elapsed})")
            {
                bar.set_style(style);
            }
            bar.with_message(unit.to_owned())
        });
        Progress { bar, done: 0 }
    }

    fn step(&mut self) {
        self.done += 1;
        match &self.bar {
            Some(bar) => bar.inc(1),
            // A closed standard error is no reason to stop the transfer.
            None if self.done.is_multiple_of(LINE_EVERY) => {
                drop(writeln!(io::stderr(), "{} relationships", self.done))
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Reads relationships line by line; the first fault ends it and is kept.
struct Lines {
    source: Box<dyn BufRead + Send>,
    number: u64,
    progress: Progress,
    fault: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Lines {
    fn read_one(&mut self) -> Result<Option<Relationship>> {
        loop {
            let mut line = String::new();
            let mut bounded = io::Read::take(&mut self.source, RELATIONSHIP_TEXT_MAX_BYTES as u64 + 2);
            if bounded.read_line(&mut line).with_context(|| format!("line {}", self.number + 1))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let text = line.trim();
            if text.is_empty() || text.starts_with("//") {
                continue;
            }
            let relationship = parse_relationship(text).with_context(|| format!("line {}", self.number))?;
            return Ok(Some(relationship));
        }
    }
}

impl Iterator for Lines {
    type Item = Relationship;

    fn next(&mut self) -> Option<Relationship> {
        match self.read_one() {
            Ok(relationship) => {
                if relationship.is_some() {
                    self.progress.step();
                } else {
                    self.progress.finish();
                }
                relationship
            }
            Err(error) => {
                self.progress.finish();
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                // Ending here would commit what came before the fault: a relationship that no server takes is sent
                // instead, and the server refuses the whole transaction.
                Some(refused_relationship())
            }
        }
    }
}

/// A relationship outside every grammar.
fn refused_relationship() -> Relationship {
    let nobody = pemba_model::SubjectRef::direct("", "");
    Relationship::new(pemba_model::ObjectRef::new("", ""), "", nobody)
}

fn open(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    if file == Path::new(STANDARD) {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, opened)))
}

pub(super) async fn import(args: ImportArgs, output: &mut Output) -> Result<bool> {
    let fault = Arc::new(Mutex::new(None));
    let progress = Progress::new("relationships sent");
    let lines = Lines { source: open(&args.file)?, number: 0, progress, fault: Arc::clone(&fault) };
    let result = connect(&args.connection).await?.import(lines).await;
    if let Some(error) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error.context(format!("{}: nothing was imported", args.file.display())));
    }
    let count = result.context("nothing was imported")?;
    output.either(&format!("{count} relationships imported"), &json!({"imported": count}))?;
    Ok(true)
}

pub(super) async fn export(args: ExportArgs, output: &mut Output) -> Result<bool> {
    let to_standard = args.file == Path::new(STANDARD);
    let mut sink: Box<dyn Write> = if to_standard {
        Box::new(BufWriter::new(io::stdout()))
    } else {
        let file =
            File::create(&args.file).with_context(|| format!("cannot write {}", args.file.display()))?;
        Box::new(BufWriter::with_capacity(1 << 20, file))
    };
    let mut progress = Progress::new("relationships received");
    let mut found = connect(&args.connection).await?.export(Export::new().at(consistency(&args.freshness)));
    while let Some(relationship) = found.next().await {
        writeln!(sink, "{}", relationship?)?;
        progress.step();
    }
    sink.flush().with_context(|| format!("cannot write {}", args.file.display()))?;
    progress.finish();
    if !to_standard {
        let text = format!("{} relationships exported to {}", progress.done, args.file.display());
        output.either(&text, &json!({"exported": progress.done, "file": args.file.display().to_string()}))?;
    }
    Ok(true)
}
