//! What a chain of three hops costs on top of its root's own check and lookup: a million relationships, 10,000 agents,
//! 100,000 delegations.
//!
//! `cargo bench -p pemba-agents --bench chain`; as a test it runs once on few. What the two cost beside each other is
//! measured in turn, so that whatever else the machine does is in both; the median of the ratios counts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

mod fleet;

use std::hint::black_box;
use std::time::Instant;

use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_engine::{Permissionship, lookup_resources};
use pemba_model::{ObjectRef, SubjectRef};
use pemba_testkit::support_desk::{Principal, SupportDesk, mix};

use fleet::build;

/// Users by number, and tickets, most of which they see.
fn asks(desk: &SupportDesk, count: u64) -> Vec<(usize, ObjectRef)> {
    let ask = |number: u64| {
        let user = mix(number) % desk.users;
        let own = desk.tickets_of(Principal::User(user)).next().filter(|_| !number.is_multiple_of(4));
        (usize::try_from(user).unwrap(), desk.ticket(own.unwrap_or(mix(number + 7) % desk.tickets)))
    };
    (0..count).map(ask).collect()
}

/// Asks two kinds of question in turn, in stretches so short that most are not interrupted, and prints what one of each takes in the median stretch, and the
/// median over the rounds of their ratio. While one is asked about a stretch the other is asked about a distant one, so
/// that neither finds in a cache what the other has read.
fn in_turn<A>(
    name: &str,
    (rounds, stretch): (usize, usize),
    asks: &[A],
    plain: impl Fn(&A),
    chain: impl Fn(&A),
) {
    let stretches: Vec<&[A]> = asks.chunks_exact(stretch).collect();
    let timed = |at: usize, run: &dyn Fn(&A)| {
        let start = Instant::now();
        stretches[at % stretches.len()].iter().for_each(run);
        start.elapsed().as_secs_f64() * 1e6 / stretch as f64
    };
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let round = |_| {
        let half = stretches.len() / 2;
        let both = (0..stretches.len()).map(|at| (timed(at, &plain), timed(at + half, &chain)));
        let (one, other): (Vec<f64>, Vec<f64>) = both.unzip();
        (median(one), median(other))
    };
    let times: Vec<(f64, f64)> = (0..rounds).map(round).collect();
    let over = |what: fn(&(f64, f64)) -> f64| median(times.iter().map(what).collect());
    let (plain, chain, ratio) =
        (over(|round| round.0), over(|round| round.1), over(|round| round.1 / round.0));
    eprintln!("{name}: plain {plain:.3} us, three hops {chain:.3} us, {ratio:.2} times");
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") { 1_000_000 } else { 3_000 };
    let (world, desk, leaves) = build(size);
    let presenter = Presenter::default();
    let facts = world.facts();
    let (book, limits, presenter) = (&world.book, &world.limits, &presenter);
    let ground = Ground { facts, head: facts, seen: facts, book, limits, presenter };
    let asks = asks(&desk, if size > 100_000 { 100_000 } else { 1000 });
    // A claim comes with its request, so only what it names is read from far.
    let claim = |user: usize| Claim { delegation: Some(leaves[user]), ..Claim::default() };
    let roots: Vec<SubjectRef> = (0..desk.users)
        .map(|user| SubjectRef { object: desk.principal(Principal::User(user)), relation: None })
        .collect();
    let plain = |(user, ticket): &(usize, ObjectRef)| {
        facts.ask(None, |context| facts.graph.check(ticket, "view", &roots[*user], context)).unwrap()
    };
    let chain = |(user, resource): &(usize, ObjectRef)| {
        let question = Question { claim: &claim(*user), permission: "view", resource, values: None };
        authority::check(&ground, &question).unwrap()
    };
    let mut granted = 0;
    for ask in &asks {
        let is_yes = plain(ask).permissionship == Permissionship::Yes;
        assert_eq!(is_yes, chain(ask).outcome == Outcome::Allow);
        granted += usize::from(is_yes);
    }
    eprintln!(
        "{} relationships, {} agents, {} delegations; {granted} of {} checks say yes",
        world.snapshot.len(),
        world.book.agents().len(),
        world.book.delegations().len(),
        asks.len()
    );
    let rounds = if size > 100_000 { 15 } else { 1 };
    let few: Vec<_> = asks[..20].iter().cycle().take(asks.len()).cloned().collect();
    for (name, asks) in [("hot", &few), ("cold", &asks)] {
        let (plain, chain) = (|ask: &_| drop(black_box(plain(ask))), |ask: &_| drop(black_box(chain(ask))));
        in_turn(&format!("checks, {name}"), (rounds, 250), asks, plain, chain);
    }
    let user = asks[0].0;
    let lookup = |user: usize| {
        let found = facts.ask(None, |context| {
            lookup_resources(facts.graph, facts.program, "ticket", "view", &roots[user], context)
        });
        found.unwrap().definite.len()
    };
    let found = lookup(user);
    let reach = |user: usize| {
        let reached = authority::lookup_resources(&ground, &claim(user), &"ticket".into(), "view", None);
        assert_eq!(reached.unwrap().resources.definite.len(), found);
    };
    let (plain, chain) = (|user: &_| assert_eq!(lookup(*user), found), |user: &_| reach(*user));
    in_turn(&format!("lookup of {found} resources"), (rounds, 10), &[user; 200], plain, chain);
}
