//! A check through a plain chain allocates nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

#[path = "../../engine/benches/counting/mod.rs"]
mod counting;
#[path = "../benches/fleet/mod.rs"]
mod fleet;

use std::hint::black_box;

use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_testkit::support_desk::{Principal, mix};

use crate::fleet::build;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

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
            let before = counting::allocations();
            black_box(authority::check(&ground, &question)).unwrap();
            assert_eq!(counting::allocations() - before, 0, "{question:?} gives {outcome:?}");
            outcomes.push(outcome);
        }
    }
    assert!(outcomes.contains(&Outcome::Allow) && outcomes.contains(&Outcome::Deny));
}
