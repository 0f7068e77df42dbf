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

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use pemba_engine::{
    CaveatEvaluator, CaveatOutcome, CheckItem, Permissionship, QueryContext, QueryError, Snapshot,
    Transaction,
};
use pemba_model::text::parse_relationship;
use pemba_model::{Context, ObjectRef, Revision, SubjectRef, Timestamp};

const SCHEMA: &str = "
definition user {}
definition agent {}
definition team {
    relation member: user | agent | team#member
}
definition customer {
    relation viewer: user | team#member
    relation agent: agent
    relation account_team: team
    relation blocked: user | agent
    permission view = (viewer + agent + account_team->member) - blocked
}
definition ticket {
    relation customer: customer
    relation assignee: user | agent
    permission view = assignee + customer->view
}";

/// Teams in which each team is nested form a tree with this many children a node.
const TEAM_FAN_OUT: u64 = 10;

/// A stream of numbers that is the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct NoCaveats;

impl CaveatEvaluator for NoCaveats {
    fn evaluate(&self, caveat: &str, _bound: &Context) -> Result<CaveatOutcome, QueryError> {
        Err(QueryError::UnknownCaveat(caveat.into()))
    }
}

fn context() -> QueryContext<'static> {
    QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: 50_000_000, caveats: &NoCaveats }
}

/// How many there are of each type, for about `size` relationships.
struct Sizes {
    users: u64,
    agents: u64,
    teams: u64,
    customers: u64,
    tickets: u64,
}

impl Sizes {
    fn of(size: u64) -> Sizes {
        Sizes {
            users: size / 20,
            agents: size / 100,
            teams: size / 500 + TEAM_FAN_OUT,
            customers: size / 20,
            tickets: size * 4 / 10,
        }
    }
}

fn put(transaction: &mut Transaction, text: &str) {
    transaction.put(&parse_relationship(text).unwrap()).unwrap();
}

/// Eight tickets a customer, one viewer, one team and one blocked user each; every user in one team, a tree of teams.
/// Two teams look after a given number of customers each, and have one user.
fn build(size: u64) -> Snapshot {
    let sizes = Sizes::of(size);
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(Arc::new(pemba_schema::compile(SCHEMA).unwrap().schema));
    let put = |transaction: &mut Transaction, text: String| put(transaction, &text);
    let mut numbers = Numbers(7);
    for team in 1..sizes.teams {
        put(&mut transaction, format!("team:t{}#member@team:t{team}#member", (team - 1) / TEAM_FAN_OUT));
    }
    for user in 0..sizes.users {
        put(&mut transaction, format!("team:t{}#member@user:u{user}", numbers.below(sizes.teams)));
    }
    for agent in 0..sizes.agents {
        put(&mut transaction, format!("team:t{}#member@agent:a{agent}", numbers.below(sizes.teams)));
    }
    for customer in 0..sizes.customers {
        let (user, team) = (numbers.below(sizes.users), numbers.below(sizes.teams));
        put(&mut transaction, format!("customer:c{customer}#viewer@user:u{user}"));
        put(&mut transaction, format!("customer:c{customer}#account_team@team:t{team}"));
        let team = numbers.below(sizes.teams);
        put(&mut transaction, format!("customer:c{customer}#viewer@team:t{team}#member"));
        put(&mut transaction, format!("customer:c{customer}#blocked@user:u{}", numbers.below(sizes.users)));
    }
    for ticket in 0..sizes.tickets {
        put(&mut transaction, format!("ticket:i{ticket}#customer@customer:c{}", ticket % sizes.customers));
        put(&mut transaction, format!("ticket:i{ticket}#assignee@agent:a{}", numbers.below(sizes.agents)));
    }
    for (name, customers) in [("few", 75), ("many", 625)] {
        put(&mut transaction, format!("team:{name}#member@user:{name}"));
        for customer in 0..customers {
            let customer = customer * 7919 % sizes.customers;
            put(&mut transaction, format!("customer:c{customer}#account_team@team:{name}"));
        }
    }
    transaction.finish(Revision(1))
}

struct Ask {
    resource: ObjectRef,
    permission: &'static str,
    subject: SubjectRef,
}

fn asks(size: u64, count: u64, kind: &str) -> Vec<Ask> {
    let sizes = Sizes::of(size);
    let mut numbers = Numbers(11);
    (0..count)
        .map(|_| {
            let user = SubjectRef::direct("user", format!("u{}", numbers.below(sizes.users)));
            let (object, permission, subject) = match kind {
                "direct" => {
                    let agent = SubjectRef::direct("agent", format!("a{}", numbers.below(sizes.agents)));
                    (
                        ObjectRef::new("ticket", format!("i{}", numbers.below(sizes.tickets))),
                        "assignee",
                        agent,
                    )
                }
                "nested group" => (ObjectRef::new("team", "t0"), "member", user),
                "exclusion" => {
                    (ObjectRef::new("customer", format!("c{}", numbers.below(sizes.customers))), "view", user)
                }
                _ => (ObjectRef::new("ticket", format!("i{}", numbers.below(sizes.tickets))), "view", user),
            };
            Ask { resource: object, permission, subject }
        })
        .collect()
}

fn checks(criterion: &mut Criterion, snapshot: &Snapshot, size: u64) {
    let mut group = criterion.benchmark_group("check");
    for kind in ["direct", "nested group", "exclusion", "arrow"] {
        for (heat, count) in [("hot", 1), ("cold", size.min(200_000))] {
            let asks = asks(size, count, kind);
            let mut next = asks.iter().cycle();
            group.bench_function(format!("{kind}, {heat}"), |bencher| {
                bencher.iter(|| {
                    let ask = next.next().unwrap();
                    black_box(snapshot.check(&ask.resource, ask.permission, &ask.subject, &context()))
                        .unwrap()
                });
            });
        }
    }
    let asks = asks(size, 100, "arrow");
    let items: Vec<CheckItem<'_>> = asks
        .iter()
        .map(|ask| CheckItem {
            resource: &ask.resource,
            permission: ask.permission,
            subject: &asks[0].subject,
            caveats: &NoCaveats,
        })
        .collect();
    group.throughput(Throughput::Elements(items.len() as u64));
    group.bench_function("bulk of 100, one subject", |bencher| {
        bencher.iter(|| black_box(snapshot.check_bulk(&items, Timestamp::UNIX_EPOCH, 1_000_000)));
    });
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
    lookups(&mut criterion, &snapshot);
    criterion.final_summary();
}
