//! Generated cases on Pemba and on the real SpiceDB, every answer compared.
//!
//! `PEMBA_SEED` starts elsewhere, `PEMBA_REQUESTS` asks more or less, `PEMBA_HOURS` goes on for so long from a seed of
//! the clock, `PEMBA_ORACLE` is `library` or `skip`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pemba_tests::differential::answer::{CONDITIONAL, HAS, NO};
use pemba_tests::differential::generate::{Profile, case};
use pemba_tests::differential::oracle::{Kind, Oracle};
use pemba_tests::differential::peer::Peer;
use pemba_tests::differential::run::{Counts, Difference, Pair, UNANSWERED, run};
use pemba_tests::differential::second::Second;
use pemba_tests::differential::shrink::shrink;
use pemba_tests::process::{KEY, ServerProcess, resident_bytes};

/// Requests that a run compares when nothing else is asked for.
const REQUESTS: usize = 20_000;
/// Cases at a time, each on a server of its own.
const WORKERS: usize = 2;
/// Different differences after which a run stops looking.
const DIFFERENCES_MAX: usize = 30;
/// Questions that the oracle may leave open; in longer runs, one in so many cases.
const UNANSWERED_MAX: usize = 10;
/// Memory of the oracle above which the servers are started anew: it keeps whatever was ever written.
const ORACLE_MAX_BYTES: u64 = 1 << 30;

/// What cases are made of: everything, but for what `PEMBA_WITHOUT` names (`caveats`, `expiration`).
fn profile() -> Profile {
    let without = std::env::var("PEMBA_WITHOUT").unwrap_or_default();
    Profile {
        caveats: !without.contains("caveats"),
        expiration: !without.contains("expiration"),
        ..Profile::default()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

struct Plan {
    seed: u64,
    requests: usize,
    until: Option<Instant>,
}

fn plan() -> Plan {
    let hours: Option<f64> = std::env::var("PEMBA_HOURS").ok().map(|text| text.parse().unwrap());
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    Plan {
        seed: number("PEMBA_SEED").unwrap_or(if hours.is_some() { clock << 20 } else { 0 }),
        requests: number("PEMBA_REQUESTS").map_or(REQUESTS, |n| usize::try_from(n).unwrap()),
        until: hours.map(|hours| Instant::now() + Duration::from_secs_f64(hours * 3600.0)),
    }
}

type Outcome = (Counts, BTreeMap<String, Difference>);

/// What the workers of one oracle share.
struct Shared {
    endpoint: String,
    kind: Kind,
    process: u32,
    plan: Arc<Plan>,
    /// The next seed.
    next: Arc<AtomicU64>,
    /// Requests that each worker compares.
    share: usize,
    /// Whether the oracle is to be replaced: it is too large, or one question keeps it busy.
    is_worn: AtomicBool,
}

/// Runs cases with the seeds it is handed, until there is enough.
async fn work(number: usize, shared: Arc<Shared>) -> Outcome {
    let server = ServerProcess::start(None, &[]);
    let oracle = (shared.endpoint.as_str(), shared.kind);
    let mut pair = Pair {
        pemba: Peer::new(&server.endpoint(), KEY),
        oracle: Peer::of_oracle(oracle, &format!("store-{number}")),
        second: Second::new(Peer::of_oracle(oracle, &format!("second-{number}"))),
        kind: shared.kind,
        runs: 0,
        stuck: false,
    };
    let mut counts = Counts::default();
    let mut differences = BTreeMap::new();
    loop {
        let enough = match shared.plan.until {
            Some(until) => Instant::now() >= until,
            None => counts.requests >= shared.share,
        };
        let is_large = resident_bytes(shared.process).is_none_or(|bytes| bytes > ORACLE_MAX_BYTES);
        let is_worn = shared.is_worn.fetch_or(pair.stuck || is_large, Ordering::Relaxed);
        if enough || is_worn || pair.stuck || is_large || differences.len() >= DIFFERENCES_MAX {
            return (counts, differences);
        }
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if let Some(found) = run(&mut pair, &case(seed, profile()), &mut counts).await
            && !differences.contains_key(&found.signature())
        {
            let small = shrink(&mut pair, *found).await;
            println!("{small}");
            differences.insert(small.signature(), small);
        }
    }
}

fn report(counts: &Counts, started: Instant) {
    println!(
        "{} cases, {} requests, {} answers compared in {:.0} s",
        counts.cases,
        counts.requests,
        counts.answers,
        started.elapsed().as_secs_f64()
    );
    for (kind, count) in &counts.kinds {
        println!("  {count:7} {kind}");
    }
    for ((operator, verdict), count) in &counts.operators {
        let verdict = [(NO, "NO"), (HAS, "HAS"), (CONDITIONAL, "CONDITIONAL")]
            .into_iter()
            .find(|(n, _)| n == verdict)
            .map_or("?", |(_, name)| name);
        println!("  {count:7} {operator} {verdict}");
    }
    for (rule, count) in &counts.tolerated {
        println!("  {count:7} tolerated: {rule}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pemba_answers_as_the_real_spicedb_does() {
    let started = Instant::now();
    let plan = Arc::new(plan());
    println!("PEMBA_SEED={}", plan.seed);
    let next = Arc::new(AtomicU64::new(plan.seed));
    let mut counts = Counts::default();
    let mut differences = BTreeMap::new();
    loop {
        let Some(oracle) = Oracle::start() else {
            println!("SKIPPED: PEMBA_ORACLE=skip, nothing was compared with the real SpiceDB");
            return;
        };
        let share = plan.requests.saturating_sub(counts.requests).div_ceil(WORKERS);
        let shared = Arc::new(Shared {
            endpoint: oracle.endpoint.clone(),
            kind: oracle.kind,
            process: oracle.process(),
            plan: Arc::clone(&plan),
            next: Arc::clone(&next),
            share,
            is_worn: AtomicBool::new(false),
        });
        let tasks: Vec<_> =
            (0..WORKERS).map(|number| tokio::spawn(work(number, Arc::clone(&shared)))).collect();
        for task in tasks {
            let (more, found) = task.await.unwrap();
            counts.add(&more);
            differences.extend(found);
        }
        let enough = plan.until.map_or(counts.requests >= plan.requests, |until| Instant::now() >= until);
        if enough || differences.len() >= DIFFERENCES_MAX {
            break;
        }
    }
    report(&counts, started);
    assert!(differences.is_empty(), "{} differences, printed above", differences.len());
    let unanswered = counts.tolerated.get(UNANSWERED).copied().unwrap_or(0);
    let most = UNANSWERED_MAX.max(counts.cases / 20);
    assert!(unanswered <= most, "the oracle left {unanswered} questions open, more than {most}");
    if plan.requests >= REQUESTS {
        covers(&counts);
    }
}

/// A run that asks too little of something proves nothing about it.
fn covers(counts: &Counts) {
    for operator in ["union", "intersection", "exclusion", "arrow", "any", "all", "nil", "self", "name"] {
        for (verdict, least) in [(NO, 20), (HAS, 20), (CONDITIONAL, 10)] {
            let count = counts.operators.get(&(operator, verdict)).copied().unwrap_or(0);
            // `nil` and `self` decide by themselves more often than others.
            let least = if matches!(operator, "nil" | "self") { 3 } else { least };
            assert!(count >= least, "only {count} answers {verdict} with {operator}");
        }
    }
}
