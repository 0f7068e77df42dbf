//! A check on plain edges allocates nothing; what else is asked allocates no more than it must.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, dead_code, reason = "tests")]
#![cfg(not(loom))]

#[path = "../benches/counting/mod.rs"]
mod counting;
#[path = "../benches/desk/mod.rs"]
mod desk;

use std::hint::black_box;

use pemba_engine::{Permissionship, SchemaCaveats};

use crate::desk::{KINDS, asks, build, bulk, context, deciding, items, request};

const SIZE: u64 = 5_000;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Allocations of this thread while something runs.
fn allocations<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let before = counting::allocations();
    let result = black_box(run());
    (result, counting::allocations() - before)
}

#[test]
fn a_plain_check_allocates_nothing() {
    let snapshot = build(SIZE);
    for kind in KINDS.into_iter().filter(|kind| *kind != "caveat") {
        let asks = asks(SIZE, 500, kind);
        // What is compiled when a kind of subject first asks is compiled once.
        snapshot.check(&asks[0].resource, asks[0].permission, &asks[0].subject, &context()).unwrap();
        for ask in &asks {
            let check = || snapshot.check(&ask.resource, ask.permission, &ask.subject, &context()).unwrap();
            let (answer, allocated) = allocations(check);
            assert_eq!(allocated, 0, "{kind}: {} {:?} gives {answer:?}", ask.resource, ask.subject);
        }
    }
}

#[test]
fn a_check_that_a_caveat_decides_allocates_a_little() {
    let snapshot = build(SIZE);
    let request = request();
    let caveats = SchemaCaveats { schema: snapshot.schema(), request: Some(&request) };
    let asks = asks(SIZE, 100, "caveat");
    for ask in &asks {
        let check = || snapshot.check(&ask.resource, ask.permission, &ask.subject, &deciding(&caveats));
        check().unwrap();
        let (answer, allocated) = allocations(check);
        assert_eq!(answer.unwrap().permissionship, Permissionship::Yes);
        assert!(allocated <= 2, "{} allocates {allocated} times", ask.resource);
    }
}

#[test]
fn a_bulk_check_allocates_by_batch_and_subject_and_not_by_item() {
    let snapshot = build(SIZE);
    let asks = asks(SIZE, 100, "arrow");
    let same = items(&asks, Some(&asks[0].subject));
    bulk(&snapshot, &same);
    let (answered, allocated) = allocations(|| bulk(&snapshot, &same));
    assert_eq!(answered, 100);
    assert!(allocated <= 8, "{allocated} allocations for 100 items of one subject");
}
