//! How many instructions the hot paths take, against the committed figures: a regression shows on any machine, however
//! busy, since nothing is timed.
//!
//! `cargo bench -p pemba-engine --bench engine_instructions` runs itself under valgrind's callgrind and fails when a path
//! takes 5 % more than `instructions.txt` says; without valgrind it says so and passes. With `PEMBA_INSTRUCTIONS=write`
//! it writes the file. As a test it runs every path once, uncounted.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]
#![cfg(not(loom))]

mod desk;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use pemba_engine::{SchemaCaveats, Snapshot};
use pemba_model::{ObjectRef, SubjectRef};

use crate::desk::{KINDS, asks, build, bulk, context, deciding, items, request};

/// Relationships to count on: few, as they are built under valgrind too.
const SIZE: u64 = 50_000;
/// Questions a count is the mean of.
const QUESTIONS: u64 = 200;
/// How much above the committed figure is allowed, in per cent.
const ALLOWED_PERCENT: u64 = 5;
/// What callgrind calls the function whose calls it counts.
const COUNTED: &str = "engine_instructions::counted_path";
/// Tells the bench to run the paths instead of counting them.
const RUN: &str = "--run-paths";

/// What callgrind counts: everything below this function, apart for each call.
#[inline(never)]
fn counted_path(run: &mut dyn FnMut()) {
    run();
    // Keeps the call from being the last thing, which would leave nothing to return to.
    black_box(());
}

/// Runs each path; its name, and how often what it is counted by was run.
fn run_paths(snapshot: &Snapshot, size: u64) -> Vec<(String, u64)> {
    let mut names = Vec::new();
    let mut path = |name: &str, times: u64, run: &mut dyn FnMut()| {
        // Once before, so that what is compiled when first asked for is there.
        run();
        counted_path(run);
        names.push((name.to_owned(), times));
    };
    let request = request();
    let caveats = SchemaCaveats { schema: snapshot.schema(), request: Some(&request) };
    let context_of = deciding(&caveats);
    for kind in KINDS {
        let asks = asks(size, QUESTIONS, kind);
        path(&format!("check: {kind}"), QUESTIONS, &mut || {
            for ask in &asks {
                black_box(snapshot.check(&ask.resource, ask.permission, &ask.subject, &context_of)).unwrap();
            }
        });
    }
    let asks = asks(size, 100, "arrow");
    let (own, same) = (items(&asks, None), items(&asks, asks.first().map(|ask| &ask.subject)));
    path("bulk check of 100, own subjects", 1, &mut || {
        black_box(bulk(snapshot, &own));
    });
    path("bulk check of 100, one subject", 1, &mut || {
        black_box(bulk(snapshot, &same));
    });
    let subject = SubjectRef::direct("user", "many");
    path("lookup of 5,000 resources", 1, &mut || {
        black_box(snapshot.lookup_resources("ticket", "view", &subject, &context())).unwrap();
    });
    let team = ObjectRef::new("team", "t0");
    path("lookup of 2,500 subjects", 1, &mut || {
        black_box(snapshot.lookup_subjects(&team, "member", "user", None, &context())).unwrap();
    });
    names
}

/// Runs this program under callgrind; instructions by path, or nothing without valgrind.
fn count() -> Option<BTreeMap<String, u64>> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("paths-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args([format!("--toggle-collect={COUNTED}"), format!("--dump-after={COUNTED}")])
        .arg(format!("--callgrind-out-file={}", folder.join("out").display()))
        .arg(std::env::current_exe().unwrap())
        .arg(RUN)
        .output();
    let counts = match ran {
        Err(_) => None,
        Ok(output) => {
            let shown = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "valgrind failed: {shown}");
            let names = String::from_utf8(output.stdout).unwrap();
            let lines = names.lines().enumerate().map(|(at, line)| {
                let (times, name) = line.split_once(' ').unwrap();
                let total = total(&folder.join(format!("out.{}", at + 1)));
                (name.to_owned(), total / times.parse::<u64>().unwrap())
            });
            Some(lines.collect())
        }
    };
    std::fs::remove_dir_all(&folder).unwrap();
    counts
}

/// The sum of one of callgrind's dumps.
fn total(dump: &Path) -> u64 {
    let text = std::fs::read_to_string(dump).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    line.trim().parse().unwrap()
}

/// Compares with the committed figures; whether none is exceeded.
fn compare(counts: &BTreeMap<String, u64>, file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut committed: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines() {
        let (count, name) = line.trim().split_once(' ').unwrap();
        committed.insert(name, count.parse().unwrap());
    }
    let mut holds = true;
    for (name, count) in counts {
        let verdict = match committed.remove(name.as_str()) {
            None => "has no committed figure".to_owned(),
            Some(before) if *count * 100 > before * (100 + ALLOWED_PERCENT) => {
                format!("is more than {ALLOWED_PERCENT} % above {before}")
            }
            Some(before) => {
                println!("{count:>9} {name} ({before} committed)");
                continue;
            }
        };
        println!("{count:>9} {name} {verdict}");
        holds = false;
    }
    for name in committed.keys() {
        println!("{name} is committed and was not counted");
        holds = false;
    }
    holds
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let is_given = |argument: &str| arguments.iter().any(|given| given == argument);
    if is_given(RUN) {
        for (name, times) in run_paths(&build(SIZE), SIZE) {
            println!("{times} {name}");
        }
        return ExitCode::SUCCESS;
    }
    if !is_given("--bench") {
        run_paths(&build(5_000), 5_000);
        return ExitCode::SUCCESS;
    }
    let Some(counts) = count() else {
        println!("SKIPPED: valgrind is not installed, so no instructions were counted");
        return ExitCode::SUCCESS;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
    if std::env::var("PEMBA_INSTRUCTIONS").is_ok_and(|what| what == "write") {
        let lines = counts.iter().map(|(name, count)| format!("{count:>9} {name}\n"));
        std::fs::write(&file, lines.collect::<String>()).unwrap();
    }
    if compare(&counts, &file) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
