//! What a commit, an import and a recovery take.
//!
//! `PEMBA_BENCH_RELATIONSHIPS` sets the size of import and recovery, one million unless it is set; `cargo test` runs
//! everything once and small. With the feature `rocks` commits are measured on disk, else in memory. `-- ratios` prints what
//! durable writes take compared with a bare fdatasync and with one another, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "benchmarks"
)]

#[cfg(feature = "rocks")]
use std::collections::VecDeque;
use std::hint::black_box;
#[cfg(feature = "rocks")]
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "rocks")]
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput};
use pemba_db::store::{MemoryStore, Store};
use pemba_db::{Committed, Database, Options, Pending, Storage, Write, WriteError};
use pemba_model::{Limits, ObjectRef, Operation, Relationship, SubjectRef, Update};
use pemba_testkit::support_desk;

const SCHEMA: &str = "definition user {}\ndefinition document {\n\trelation viewer: user\n}\n";

/// Whether this is a real run: `cargo bench` says so, `cargo test` does not.
fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

fn relationships_wanted() -> u64 {
    let usual = if is_measured() { 1_000_000 } else { 2_000 };
    std::env::var("PEMBA_BENCH_RELATIONSHIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A database that lives as long as its folder.
struct Opened {
    database: Database,
    #[cfg(feature = "rocks")]
    folder: tempfile::TempDir,
}

fn options() -> Options {
    // Groups as large as what waits.
    Options { limits: Limits { commit_group_max: 1000, ..Limits::default() }, ..Options::default() }
}

fn open() -> Opened {
    #[cfg(feature = "rocks")]
    {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(Storage::Directory(folder.path().join("data")), options()).unwrap();
        Opened { database, folder }
    }
    #[cfg(not(feature = "rocks"))]
    Opened { database: Database::open(Storage::Memory, options()).unwrap() }
}

fn write(number: u64) -> Write {
    let relationship = Relationship::new(
        ObjectRef::new("document", format!("d{}", number % 100_000)),
        "viewer",
        SubjectRef::direct("user", format!("u{}", number % 977)),
    );
    Write { updates: vec![Update { operation: Operation::Touch, relationship }], ..Write::default() }
}

/// So many writers' requests at once, until all are durable.
fn commit_groups(criterion: &mut Criterion) {
    let opened = open();
    opened.database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut group = criterion.benchmark_group("commit");
    let mut number = 0;
    for size in [1_u64, 64, 1000] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size} writes"), |bencher| {
            bencher.iter(|| {
                let pending: Vec<Pending<Committed, WriteError>> = (0..size)
                    .map(|_| {
                        number += 1;
                        opened.database.write(write(number))
                    })
                    .collect();
                for one in pending {
                    black_box(one.wait().unwrap());
                }
            });
        });
    }
    group.finish();
}

/// Bytes of the file that bare writes go over.
#[cfg(feature = "rocks")]
const BARE_BYTES: u64 = 1 << 20;

/// A few seconds of each in turn, so that whatever else the machine does meets all of them: a bare overwriting write with
/// fdatasync beside the store, one write after the other, 64 writes on their way. What counts are the ratios.
#[cfg(feature = "rocks")]
fn durable_ratios() {
    let opened = open();
    opened.database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let file = std::fs::File::create(opened.folder.path().join("bare")).unwrap();
    file.write_all_at(&vec![0; usize::try_from(BARE_BYTES).unwrap()], 0).unwrap();
    file.sync_all().unwrap();
    let (mut number, rounds) = (0, if is_measured() { 12 } else { 1 });
    let (mut bare, mut lone) = (Vec::new(), Vec::new());
    let (mut lone_rate, mut many_rate) = (Vec::new(), Vec::new());
    let turn = if is_measured() { Duration::from_millis(500) } else { Duration::from_millis(10) };
    for _ in 0..rounds {
        let begun = Instant::now();
        while begun.elapsed() < turn {
            let started = Instant::now();
            file.write_all_at(&[7; 100], bare.len() as u64 * 4096 % BARE_BYTES).unwrap();
            file.sync_data().unwrap();
            bare.push(started.elapsed());
        }
        let (begun, before) = (Instant::now(), number);
        while begun.elapsed() < turn {
            let started = Instant::now();
            number += 1;
            opened.database.write(write(number)).wait().unwrap();
            lone.push(started.elapsed());
        }
        lone_rate.push((number - before) as f64 / begun.elapsed().as_secs_f64());
        let (begun, before, mut pending) = (Instant::now(), number, VecDeque::new());
        while begun.elapsed() < turn {
            number += 1;
            pending.push_back(opened.database.write(write(number)));
            if pending.len() == 64 {
                let oldest: Pending<Committed, WriteError> = pending.pop_front().unwrap();
                oldest.wait().unwrap();
            }
        }
        for one in pending {
            one.wait().unwrap();
        }
        many_rate.push((number - before) as f64 / begun.elapsed().as_secs_f64());
    }
    let (bare, lone) = (median(bare).as_secs_f64() * 1e6, median(lone).as_secs_f64() * 1e6);
    let sorted = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (lone_rate, many_rate) = (sorted(lone_rate), sorted(many_rate));
    println!("durable write p50 {lone:.0} us / bare fdatasync p50 {bare:.0} us: {:.2}", lone / bare);
    println!(
        "writes/s, 64 in flight {many_rate:.0} / 1 in flight {lone_rate:.0}: {:.1}",
        many_rate / lone_rate
    );
}

#[cfg(feature = "rocks")]
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn import(database: &Database, relationships: &[Relationship]) {
    database.write_schema(support_desk::SCHEMA.to_owned()).wait().unwrap();
    let mut import = database.import();
    for part in relationships.chunks(1000) {
        import.push(part.to_vec()).unwrap();
    }
    import.finish().wait().unwrap();
}

fn import_and_recover(criterion: &mut Criterion) {
    let count = relationships_wanted();
    let relationships: Vec<Relationship> = support_desk::relationships(count, 1).collect();
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).throughput(Throughput::Elements(relationships.len() as u64));
    group.bench_function("import", |bencher| {
        bencher.iter_batched(
            open,
            |opened| import(&opened.database, &relationships),
            BatchSize::PerIteration,
        );
    });
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let database = Database::open(Storage::Store(Arc::clone(&store)), options()).unwrap();
    import(&database, &relationships);
    database.close();
    group.bench_function("recovery from memory", |bencher| {
        bencher.iter(|| Database::open(Storage::Store(Arc::clone(&store)), options()).unwrap());
    });
    #[cfg(feature = "rocks")]
    {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(folder.path().join("data"));
        let database = Database::open(storage.clone(), options()).unwrap();
        import(&database, &relationships);
        database.close();
        group.bench_function("recovery from disk", |bencher| {
            bencher.iter(|| Database::open(storage.clone(), options()).unwrap());
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    if is_measured() {
        criterion = criterion.measurement_time(Duration::from_secs(5));
    }
    #[cfg(feature = "rocks")]
    if std::env::args().any(|argument| argument == "ratios") || !is_measured() {
        durable_ratios();
    }
    commit_groups(&mut criterion);
    import_and_recover(&mut criterion);
    criterion.final_summary();
}
