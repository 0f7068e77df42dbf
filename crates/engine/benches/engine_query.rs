//! Checks and lookups on support-desk data.
//!
//! `cargo bench -p pemba-engine --bench engine_query` runs on a million relationships; as a test it runs once on few.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]
#![cfg(not(loom))]

mod desk;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use pemba_engine::{CheckItem, Permissionship, SchemaCaveats, Snapshot};
use pemba_model::{ObjectRef, SubjectRef};

use crate::desk::{KINDS, asks, build, bulk, context, deciding, items, request};

fn checks(criterion: &mut Criterion, snapshot: &Snapshot, size: u64) {
    let mut group = criterion.benchmark_group("check");
    let request = request();
    let caveats = SchemaCaveats { schema: snapshot.schema(), request: Some(&request) };
    let context = deciding(&caveats);
    for kind in KINDS {
        for (heat, count) in [("hot", 1), ("cold", size.min(200_000))] {
            let asks = asks(size, count, kind);
            let mut next = asks.iter().cycle();
            group.bench_function(format!("{kind}, {heat}"), |bencher| {
                bencher.iter(|| {
                    let ask = next.next().unwrap();
                    black_box(snapshot.check(&ask.resource, ask.permission, &ask.subject, &context)).unwrap()
                });
            });
        }
    }
    group.finish();
}

fn bulks(criterion: &mut Criterion, snapshot: &Snapshot, size: u64) {
    let mut group = criterion.benchmark_group("bulk");
    let asks = asks(size, size.min(200_000), "arrow");
    let own = items(&asks, None);
    let same = items(&asks, Some(&asks[0].subject));
    let one_resource: Vec<CheckItem<'_>> =
        own.iter().map(|item| CheckItem { resource: &asks[0].resource, ..*item }).collect();
    let cases = [("one subject", &same), ("own subjects", &own), ("one resource", &one_resource)];
    for (name, all) in cases {
        for (heat, batches) in [("hot", 1), ("cold", all.len() / 100)] {
            let mut next = all.chunks(100).take(batches).cycle();
            group.throughput(Throughput::Elements(100));
            group.bench_function(format!("100 of {name}, {heat}"), |bencher| {
                bencher.iter_batched(
                    || next.next().unwrap(),
                    |items| black_box(bulk(snapshot, items)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn lookups(criterion: &mut Criterion, snapshot: &Snapshot) {
    let mut group = criterion.benchmark_group("lookup");
    for name in ["few", "many"] {
        let subject = SubjectRef::direct("user", name);
        let lookup = || snapshot.lookup_resources("ticket", "view", &subject, &context()).unwrap();
        let found = lookup().definite.len();
        group.throughput(Throughput::Elements(found));
        group.bench_function(format!("resources, {name}: {found} results"), |bencher| {
            bencher.iter(|| black_box(lookup()));
        });
    }
    for (permission, object) in
        [("view", ObjectRef::new("ticket", "i0")), ("member", ObjectRef::new("team", "t0"))]
    {
        let lookup = || snapshot.lookup_subjects(&object, permission, "user", None, &context()).unwrap();
        let found = lookup().concrete.len() as u64;
        group.throughput(Throughput::Elements(found));
        group.bench_function(format!("subjects of {object}: {found} results"), |bencher| {
            bencher.iter(|| black_box(lookup()));
        });
    }
    group.finish();
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") { 1_000_000 } else { 5_000 };
    let snapshot = build(size);
    let granted = asks(size, 1000, "arrow")
        .iter()
        .filter(|ask| {
            let answer = snapshot.check(&ask.resource, ask.permission, &ask.subject, &context());
            answer.unwrap().permissionship == Permissionship::Yes
        })
        .count();
    eprintln!("{} relationships; {granted} of 1000 random checks say yes", snapshot.len());
    let mut criterion = Criterion::default().configure_from_args();
    checks(&mut criterion, &snapshot, size);
    bulks(&mut criterion, &snapshot, size);
    lookups(&mut criterion, &snapshot);
    criterion.final_summary();
}
