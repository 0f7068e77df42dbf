//! Kills the real server with SIGKILL under concurrent writers at random moments, again and again over one data
//! folder, and checks after each: every acknowledged write is there, no write is half there, tokens still hold.
//!
//! `PEMBA_CRASH_ROUNDS` sets the rounds (50 without it).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pemba_model::{Operation, text::parse_relationship};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_tests::process::{ServerProcess, binary};
use pemba_tests::wire::{Wire, at_exact, fully_consistent};
use tokio_stream::StreamExt as _;

const WRITERS: u64 = 6;
/// Rounds of kills during a bootstrap; a kill in the middle is one in which the server says so afterwards.
const BOOTSTRAP_ROUNDS: u64 = 12;
/// Relationships of a bootstrap, more than a moment's work.
const BOOTSTRAPPED: usize = 20_000;
const SCHEMA: &str = "definition user {}
definition account { relation debit: user
 relation credit: user
 permission both = debit & credit }";

/// What one writer was promised: the id of each pair, and the token its write returned.
type Acknowledged = BTreeMap<String, String>;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Writes pairs, both halves in one request, until the server is gone.
async fn write_pairs(endpoint: String, round: u64, writer: u64) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut wire = Wire::connect(&endpoint).await;
    for number in 0u64.. {
        let id = format!("r{round}-w{writer}-n{number}");
        let half = |relation| {
            let text = format!("account:{id}#{relation}@user:u{writer}");
            (Operation::Create, parse_relationship(&text).unwrap())
        };
        match wire.write(vec![half("debit"), half("credit")]).await {
            Ok(token) => drop(acknowledged.insert(id, token)),
            Err(_) => break,
        }
    }
    acknowledged
}

/// Everything stored, as `id` to the relations it has.
async fn stored(wire: &mut Wire) -> BTreeMap<String, BTreeSet<String>> {
    let request =
        wire::ExportBulkRelationshipsRequest { consistency: fully_consistent(), ..Default::default() };
    let mut stream = wire.permissions.export_bulk_relationships(request).await.unwrap().into_inner();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(message) = stream.next().await {
        for relationship in message.unwrap().relationships {
            let fresh = found
                .entry(relationship.resource.unwrap().object_id)
                .or_default()
                .insert(relationship.relation);
            assert!(fresh, "a relationship came twice");
        }
    }
    found
}

async fn verify(wire: &mut Wire, all: &Acknowledged, newest: &Acknowledged) {
    let found = stored(wire).await;
    for id in all.keys() {
        assert!(found.contains_key(id), "acknowledged write {id} is lost");
    }
    for (id, relations) in &found {
        assert_eq!(relations.len(), 2, "write {id} is half there: {relations:?}");
    }
    for (id, token) in newest.iter().rev().step_by(7).take(20) {
        let writer = id.split("-w").nth(1).unwrap().split('-').next().unwrap();
        let relationship = parse_relationship(&format!("account:{id}#debit@user:u{writer}")).unwrap();
        let (resource, subject) = (&relationship.resource, &relationship.subject);
        let answer = wire.check(resource, "both", subject, at_exact(token)).await.unwrap();
        assert_eq!(answer, Permissionship::HasPermission, "the token of {id} no longer shows its write");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing_and_halves_nothing() {
    let rounds: u64 = std::env::var("PEMBA_CRASH_ROUNDS").map_or(50, |text| text.parse().unwrap());
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    println!("crash rounds {rounds}, seed {seed}");
    let mut dice = Dice(u64::from(seed));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (mut all, mut newest) = (Acknowledged::new(), Acknowledged::new());
    for round in 0..rounds {
        let server = ServerProcess::start(Some(&data), &[]);
        let mut wire = Wire::connect(&server.endpoint()).await;
        if round == 0 {
            wire.write_schema(SCHEMA).await.unwrap();
        }
        verify(&mut wire, &all, &newest).await;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write_pairs(server.endpoint(), round, writer))).collect();
        tokio::time::sleep(Duration::from_millis(10 + dice.below(150))).await;
        server.kill();
        newest.clear();
        for writer in writers {
            newest.extend(writer.await.unwrap());
        }
        all.extend(newest.clone());
    }
    let server = ServerProcess::start(Some(&data), &[]);
    verify(&mut Wire::connect(&server.endpoint()).await, &all, &newest).await;
    assert!(
        all.len() as u64 > rounds * 10,
        "only {} writes were acknowledged: the rounds tried nothing",
        all.len()
    );
    println!("{} acknowledged writes survived {rounds} kills", all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_stop_drains_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = ServerProcess::start(Some(&data), &[]);
    Wire::connect(&server.endpoint()).await.write_schema(SCHEMA).await.unwrap();
    let (code, text) = refused(&data);
    assert_eq!(code, Some(2), "a second process on the same folder is refused");
    let text = text.to_lowercase();
    assert!(text.contains("in use") || text.contains("another process"), "{text}");
    let log = server.stop();
    let unexpected: Vec<_> = log.lines().filter(|line| !line.contains("being recovered")).collect();
    assert!(unexpected.is_empty(), "a clean stop warns of nothing: {unexpected:?}");
    drop(ServerProcess::start(Some(&data), &[]));
}

/// `pemba serve` over a data folder that is expected not to serve, until it ends: its exit code and what it said.
fn refused(data: &Path) -> (Option<i32>, String) {
    let output = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "", "--data"])
        .arg(data)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_a_bootstrap_is_made_good_by_the_next_start_and_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.yaml");
    let mut text =
        "schema: |\n  definition user {}\n  definition doc { relation reader: user }\nrelationships: |\n"
            .to_owned();
    (0..BOOTSTRAPPED)
        .for_each(|number| text.push_str(&format!("  doc:d{number}#reader@user:u{}\n", number % 7)));
    std::fs::write(&file, text).unwrap();
    let bootstrap = ["--bootstrap", file.to_str().unwrap()];
    let mut dice = Dice(7);
    let mut halves = 0;
    for round in 0..BOOTSTRAP_ROUNDS {
        let data = folder.path().join(format!("data-{round}"));
        let unfinished = data.join("pemba.bootstrap");
        let mut first = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "", "--data"])
            .arg(&data)
            .args(bootstrap)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !unfinished.exists() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(dice.below(40_000)));
        first.kill().unwrap();
        first.wait().unwrap();
        let is_half = unfinished.exists();
        halves += usize::from(is_half);
        if is_half {
            let (code, text) = refused(&data);
            assert_eq!(code, Some(2), "{text}");
            assert!(text.contains("only a part of its bootstrap files"), "{text}");
        }
        let again = if is_half { &bootstrap[..] } else { &[] };
        let server = ServerProcess::start(Some(&data), again);
        let found = stored(&mut Wire::connect(&server.endpoint()).await).await;
        assert_eq!(found.len(), BOOTSTRAPPED, "after round {round}");
    }
    println!("{halves} of {BOOTSTRAP_ROUNDS} kills came in the middle of the bootstrap");
    assert!(halves > 0, "no kill came in the middle: the rounds tried nothing");
}
