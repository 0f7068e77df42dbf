//! A fleet at work: 10,000 agents, 100,000 delegations, 10,000 sessions of five minutes, and of a hundred things done five
//! are writes: a session is closed and another opened. Says what a record costs in memory and how much is done in a second.
//!
//! `cargo bench -p pemba-agents --bench sessions`; as a test it runs on few.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    reason = "a benchmark"
)]

#[path = "../../engine/benches/counting/mod.rs"]
mod counting;
mod fleet;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_agents::{Book, SessionId, command};
use pemba_model::{DocumentChange, ObjectRef};
use pemba_testkit::support_desk::{Principal, SupportDesk, mix};

use fleet::{World, agent, build, by, session};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// An open session: of which chain, and what its user sees.
struct Open {
    id: SessionId,
    ticket: ObjectRef,
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let size = if is_bench { 1_000_000 } else { 3_000 };
    let (mut world, desk, leaves) = build(size);
    let presenter = Presenter { client: "runtime".into(), ..Presenter::default() };
    let agents = size / 100;
    let mut open = VecDeque::new();
    let mut started = 0;
    let mut begin = |world: &mut World| {
        // As `build` numbers chains and their last actors.
        let chain = started % leaves.len() as u64;
        let new = session(started, leaves[chain as usize], agent((chain * 3 + 2) % agents), &presenter);
        let id = new.id;
        world.run(|moment| command::open_session(moment, &by(), new));
        started += 1;
        Open { id, ticket: seen_by(&desk, chain % desk.users) }
    };
    for _ in 0..size / 100 {
        open.push_back(begin(&mut world));
    }
    let (records, bytes) = memory(&world);
    println!(
        "{} agents, {} delegations, {} sessions: {records} records, {bytes} bytes, {} a record",
        world.book.agents().len(),
        world.book.delegations().len(),
        world.book.sessions().len(),
        bytes as u64 / records
    );

    let rounds = if is_bench { 20_000 } else { 50 };
    let (mut reading, mut writing, mut allowed) = (Duration::ZERO, Duration::ZERO, 0);
    for round in 0..rounds {
        let begun = Instant::now();
        let facts = world.facts();
        let (book, limits) = (&world.book, &world.limits);
        let ground = Ground { facts, head: facts, seen: facts, book, limits, presenter: &presenter };
        // Two writes in forty things done.
        for turn in 0..38 {
            let Open { id, ticket } = &open[(mix(round * 38 + turn) % open.len() as u64) as usize];
            let claim = Claim { session: Some(*id), ..Claim::default() };
            let question = Question { claim: &claim, permission: "view", resource: ticket, values: None };
            allowed += u64::from(authority::check(&ground, &question).unwrap().outcome == Outcome::Allow);
        }
        reading += begun.elapsed();
        let begun = Instant::now();
        let Open { id, .. } = open.pop_front().unwrap();
        world.run(|moment| command::close_session(moment, &by(), id));
        open.push_back(begin(&mut world));
        writing += begun.elapsed();
    }
    assert!(allowed > rounds * 38 / 2);
    let (checks, writes) = (rounds * 38, rounds * 2);
    let all = (checks + writes) as f64 / (reading + writing).as_secs_f64();
    println!(
        "{checks} checks in sessions, {:.2} us each; {writes} writes, {:.2} us each without the log; {all:.0} in a second",
        reading.as_secs_f64() * 1e6 / checks as f64,
        writing.as_secs_f64() * 1e6 / writes as f64,
    );
}

/// A ticket of a user's, or any where they have none.
fn seen_by(desk: &SupportDesk, user: u64) -> ObjectRef {
    let own = desk.tickets_of(Principal::User(user)).next();
    desk.ticket(own.unwrap_or(mix(user) % desk.tickets))
}

/// How many records a book has, and what they take up when it is made from what is stored.
fn memory(world: &World) -> (u64, usize) {
    let document = |(key, value): (&Vec<u8>, &Vec<u8>)| DocumentChange {
        key: key.as_slice().into(),
        before: None,
        after: Some(value.as_slice().into()),
    };
    let before = counting::live();
    let book = world.documents.iter().fold(Book::default(), |book, one| book.with(&[document(one)]).unwrap());
    let bytes = counting::live() - before;
    assert_eq!(book, world.book);
    (book.len(), bytes)
}
