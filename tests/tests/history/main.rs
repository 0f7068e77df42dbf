//! Concurrent reads and writes on the real server, recorded over gRPC and checked: are they as if one after another, at
//! every consistency, over a restart too; and is what was revoked ever seen again?
//!
//! `PEMBA_HOURS=1 cargo test -p pemba-tests --test history` records history after history for so long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod record;
mod revoke;

use std::path::Path;
use std::time::{Duration, Instant};

use pemba_testkit::history::{History, Violation, violations};
use pemba_tests::process::ServerProcess;
use pemba_tests::wire::Wire;

use record::{REGISTERS, Recording};

/// How long a history is recorded.
const LENGTH: Duration = Duration::from_millis(2500);

fn end() -> Option<Instant> {
    let hours = std::env::var("PEMBA_HOURS").ok()?;
    let hours: f64 = hours.parse().expect("PEMBA_HOURS is a number of hours");
    Some(Instant::now() + Duration::from_secs_f64(hours * 3600.0))
}

async fn start(data: Option<&Path>, schema: Option<&str>) -> ServerProcess {
    let server = ServerProcess::start(data, &[]);
    if let Some(schema) = schema {
        Wire::connect(&server.endpoint()).await.write_schema(schema).await.unwrap();
    }
    server
}

/// A history that shows nothing proves nothing.
fn shows_enough(history: &History) {
    let overlapping = history.reads.iter().filter(|read| {
        history.writes.iter().any(|write| write.began < read.ended && read.began < write.ended)
    });
    let (reads, writes, overlapping) = (history.reads.len(), history.writes.len(), overlapping.count());
    println!("{reads} reads, {overlapping} of them beside a write, and {writes} writes");
    assert!(reads >= 100 && writes >= 100 && overlapping >= 50, "too little happened");
    for register in 0..REGISTERS {
        assert!(history.writes.iter().any(|write| write.register == register), "register {register} is idle");
    }
}

fn holds(history: &History) {
    let found = violations(history);
    assert!(found.is_empty(), "{} violations, the first: {:?}", found.len(), found[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_histories_are_linearizable() {
    let end = end();
    loop {
        let server = start(None, Some(record::SCHEMA)).await;
        let recording = Recording::new();
        Box::pin(recording.run(&server.endpoint(), LENGTH)).await;
        let history = recording.finish();
        shows_enough(&history);
        holds(&history);
        a_planted_violation_is_found(history);
        if end.is_none_or(|end| Instant::now() > end) {
            return;
        }
    }
}

/// Turns one answer back: the checker must see it in the very history that holds.
fn a_planted_violation_is_found(mut history: History) {
    let acknowledged = history.writes.iter().map(|write| write.ended).nth(history.writes.len() / 2).unwrap();
    let late = history.reads.iter_mut().filter(|read| read.began > acknowledged);
    let late = late.max_by_key(|read| read.values[0]).expect("a read after half of the writes");
    late.values[0] = 0;
    let found = violations(&history);
    assert!(found.iter().any(|one| matches!(one, Violation::Stale { register: 0, .. })), "{found:?}");
    assert!(found.iter().any(|one| matches!(one, Violation::OutOfOrder { first: 0, .. })), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_over_kills_is_linearizable() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let recording = Recording::new();
    for round in 0..3 {
        let server = start(Some(&data), (round == 0).then_some(record::SCHEMA)).await;
        let endpoint = server.endpoint();
        // Every task ends with its first call that is not answered.
        let killed = async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            server.kill();
        };
        tokio::join!(recording.run(&endpoint, Duration::from_secs(60)), killed);
        recording.forget_unanswered();
    }
    let server = start(Some(&data), None).await;
    Box::pin(recording.run(&server.endpoint(), Duration::from_millis(800))).await;
    let history = recording.finish();
    let unanswered = history.writes.iter().filter(|write| write.ended == u64::MAX).count();
    println!("{unanswered} writes were never acknowledged");
    shows_enough(&history);
    holds(&history);
}
