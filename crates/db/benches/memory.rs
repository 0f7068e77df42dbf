//! What memory a database on disk takes, as resident bytes a relationship: after an import, and after a restart in a process
//! of its own.
//!
//! `PEMBA_BENCH_RELATIONSHIPS` sets the size, one million unless it is set; `cargo test` runs everything once and small. The
//! allocator is the server's.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "benchmarks")]

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pemba_db::{Database, Options, Storage, Write};
use pemba_model::{Operation, Relationship, Update};
use pemba_testkit::support_desk;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Names the folder to a process that is to open it, and nothing else.
const FOLDER: &str = "PEMBA_BENCH_FOLDER";
/// Relationships of one import: a stream may carry no more than five million.
const IMPORT: usize = 4_000_000;

fn relationships_wanted() -> u64 {
    let usual = if std::env::args().any(|argument| argument == "--bench") { 1_000_000 } else { 2_000 };
    std::env::var("PEMBA_BENCH_RELATIONSHIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib: Option<f64> =
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse().ok());
    kib.unwrap_or(0.0) * 1024.0
}

fn report(what: &str, database: &Database) {
    let statistics = database.statistics();
    let count = statistics.relationships as f64;
    println!(
        "{what}: resident {:.1} bytes a relationship (anonymous {:.1}, of files {:.1}, most {:.1}; the store says {:.1}), of {count} \
         and {:.2} objects each",
        status("VmRSS") / count,
        status("RssAnon") / count,
        status("RssFile") / count,
        status("VmHWM") / count,
        statistics.store.memory_bytes as f64 / count,
        statistics.objects as f64 / count,
    );
}

/// Writes a little for longer than the allocator keeps what was freed to use it again, then reports.
fn report_settled(what: &str, database: &Database) {
    let relationships = support_desk::relationships(relationships_wanted(), 1).take(400);
    for relationship in relationships {
        let updates = vec![Update { operation: Operation::Touch, relationship }];
        database.write(Write { updates, ..Write::default() }).wait().unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    report(what, database);
}

fn open(folder: &Path) -> Database {
    Database::open(Storage::Directory(folder.to_owned()), Options::default()).unwrap()
}

fn import(folder: &Path) {
    let database = open(folder);
    database.write_schema(support_desk::SCHEMA.to_owned()).wait().unwrap();
    let mut relationships = support_desk::relationships(relationships_wanted(), 1).peekable();
    let (started, mut count) = (Instant::now(), 0);
    while relationships.peek().is_some() {
        let mut import = database.import();
        while import.len() < IMPORT {
            let part: Vec<Relationship> = relationships.by_ref().take(1000).collect();
            if part.is_empty() {
                break;
            }
            import.push(part).unwrap();
        }
        count += import.finish().wait().unwrap().count;
    }
    let took = started.elapsed().as_secs_f64();
    println!("imported {count} in {took:.2} s, {:.0} a second", count as f64 / took);
    report("after the import", &database);
    report_settled("a little later", &database);
    database.close();
}

fn restart(folder: &Path) {
    let started = Instant::now();
    let database = open(folder);
    let took = started.elapsed().as_secs_f64();
    let count = database.statistics().relationships as f64;
    println!("opened in {took:.2} s, {:.3} s a million", took / count * 1e6);
    report("after a restart", &database);
    report_settled("a little later", &database);
}

fn main() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return restart(Path::new(&folder));
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    import(&folder);
    let status = Command::new(std::env::current_exe().unwrap()).env(FOLDER, &folder).status().unwrap();
    assert!(status.success(), "{status}");
}
