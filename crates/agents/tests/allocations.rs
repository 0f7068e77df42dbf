//! A check through a plain chain allocates nothing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unsafe_code,
    reason = "tests; the counting allocator hands every call on to the system's"
)]

#[path = "../benches/fleet/mod.rs"]
mod fleet;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_testkit::support_desk::{Principal, mix};

use crate::fleet::build;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn a_check_through_a_plain_chain_allocates_nothing() {
    let (world, desk, leaves) = build(3_000);
    let facts = world.facts();
    let (book, limits, presenter) = (&world.book, &world.limits, &Presenter::default());
    let ground = Ground { facts, head: facts, seen: facts, book, limits, presenter };
    let mut outcomes = Vec::new();
    for (user, leaf) in leaves.iter().enumerate() {
        let claim = Claim { delegation: Some(*leaf), ..Claim::default() };
        let own = desk.tickets_of(Principal::User(user as u64 % desk.users)).next();
        for resource in [own.unwrap_or(0), mix(user as u64) % desk.tickets].map(|ticket| desk.ticket(ticket))
        {
            let question = Question { claim: &claim, permission: "view", resource: &resource, values: None };
            // What is compiled when a kind of subject first asks is compiled once.
            let outcome = authority::check(&ground, &question).unwrap().outcome;
            let before = ALLOCATIONS.with(Cell::get);
            black_box(authority::check(&ground, &question)).unwrap();
            assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{question:?} gives {outcome:?}");
            outcomes.push(outcome);
        }
    }
    assert!(outcomes.contains(&Outcome::Allow) && outcomes.contains(&Outcome::Deny));
}
