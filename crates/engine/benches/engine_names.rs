//! Names to ordinals and back: time, memory, and the longest pause that growth makes.
//!
//! `cargo bench -p pemba-engine --bench engine_names` runs on a million ids; as a test it runs once on few.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]
#![cfg(not(loom))]

mod counting;

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use pemba_engine::{Names, Ordinal, TypeId};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const USER: TypeId = TypeId(0);

/// 10 to 36 bytes, 23 in the mean.
fn id(n: u64) -> String {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let length = 10 + (mixed >> 40) as usize % 27;
    let mut id = format!("{n:x}-{mixed:016x}{:016x}", mixed.rotate_left(17));
    id.truncate(length);
    id
}

/// `n` of `below`, in an order without locality.
fn scattered(n: usize, below: u64) -> impl Iterator<Item = u64> {
    (0..n as u64).map(move |n| n.wrapping_mul(0x5851_f42d_4c95_7f2d).rotate_left(31) % below)
}

/// Nanoseconds of each add.
fn fill(names: &Names, ids: &[String]) -> Vec<u64> {
    let add = |id: &String| {
        let before = Instant::now();
        names.intern(USER, id).unwrap();
        before.elapsed().as_nanos() as u64
    };
    ids.iter().map(add).collect()
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") {
        std::env::var("NAMES").ok().and_then(|names| names.parse().ok()).unwrap_or(1_000_000)
    } else {
        5_000
    };
    let ids: Vec<String> = (0..size).map(id).collect();
    let bytes: usize = ids.iter().map(String::len).sum();
    let names = Names::new();
    let before = counting::live();
    let mut took = fill(&names, &ids);
    let live = counting::live() - before - took.capacity() * size_of::<u64>();
    // Growth comes at the same adds every time, interruptions do not.
    for _ in 0..2 {
        for (least, took) in took.iter_mut().zip(fill(&Names::new(), &ids)) {
            *least = took.min(*least);
        }
    }
    let total: u64 = took.iter().sum();
    took.sort_unstable();
    eprintln!(
        "{size} ids of {:.1} bytes: {:.1} bytes each, {} ns to add one, at worst {:?} ns",
        bytes as f64 / size as f64,
        live as f64 / size as f64,
        total / size,
        took.iter().rev().take(3).collect::<Vec<_>>(),
    );

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("names");
    let cold: Vec<String> = scattered(1_000_000, size).map(id).collect();
    let mut next = cold.iter().cycle();
    group.bench_function("ordinal, cold", |bencher| {
        bencher.iter(|| black_box(names.ordinal(USER, next.next().unwrap())));
    });
    let hot: Vec<String> = scattered(500, size).map(id).collect();
    let mut next = hot.iter().cycle();
    group.bench_function("ordinal, hot", |bencher| {
        bencher.iter(|| black_box(names.ordinal(USER, next.next().unwrap())));
    });
    let missing: Vec<String> = scattered(500, size).map(|n| id(n + size)).collect();
    let mut next = missing.iter().cycle();
    group.bench_function("ordinal of a name nobody has, hot", |bencher| {
        bencher.iter(|| black_box(names.ordinal(USER, next.next().unwrap())));
    });
    let ordinals: Vec<Ordinal> = scattered(1_000_000, size).map(|n| Ordinal(n as u32)).collect();
    let mut next = ordinals.iter().cycle();
    group.bench_function("object_id, cold", |bencher| {
        bencher.iter(|| black_box(names.object_id(USER, *next.next().unwrap())));
    });
    let mut next = ordinals.iter().take(500).cycle();
    group.bench_function("object_id, hot", |bencher| {
        bencher.iter(|| black_box(names.object_id(USER, *next.next().unwrap())));
    });
    group.finish();
    criterion.final_summary();
}
