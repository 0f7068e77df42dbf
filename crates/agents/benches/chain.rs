//! What a chain of three hops costs on top of its root's own check and lookup: a million relationships, 10,000 agents,
//! 100,000 delegations.
//!
//! `cargo bench -p pemba-agents --bench chain`; as a test it runs once on few.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_agents::command::{self, By, Changes, Delegate, Registration};
use pemba_agents::records::{AgentKind, PrincipalKind, TypeMode, TypePolicy};
use pemba_agents::scope::{Clause, Scope, Selector};
use pemba_agents::{AgentLimits, Book, DelegationId, Facts, Moment, Refused};
use pemba_engine::{Permissionship, Snapshot};
use pemba_model::{DocumentChange, ObjectRef, SubjectRef, Timestamp};
use pemba_testkit::support_desk::{Principal, SCHEMA, SupportDesk, mix};

const STEPS_MAX: u64 = 1_000_000;

struct World {
    snapshot: Snapshot,
    book: Book,
    limits: AgentLimits,
}

impl World {
    fn facts(&self) -> Facts<'_> {
        Facts::of(&self.snapshot, Timestamp::UNIX_EPOCH, STEPS_MAX)
    }

    fn run<T>(&mut self, command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused>) {
        let (limits, revision) = (&self.limits, self.snapshot.revision());
        let moment = Moment { facts: self.facts(), book: &self.book, limits, revision };
        let changes = command(&moment).unwrap();
        let document = |(key, after): (Vec<u8>, Option<Vec<u8>>)| DocumentChange {
            key: key.into(),
            before: None,
            after: after.map(Into::into),
        };
        let changes: Vec<DocumentChange> = changes.documents.into_iter().map(document).collect();
        self.book = self.book.with(&changes).unwrap();
    }
}

fn agent(number: u64) -> ObjectRef {
    ObjectRef::new("agent", format!("runner-{number:05}"))
}

fn by() -> By {
    By { client: "bench".into(), reason: String::new() }
}

fn registration(number: u64) -> Registration {
    Registration {
        principal: agent(number),
        kind: AgentKind::Agent,
        active: true,
        bindings: Vec::new(),
        sponsors: vec![ObjectRef::new("user", "sponsor")],
        owners: Vec::new(),
        purpose: String::new(),
        purpose_permissions: Default::default(),
        blueprint: Some("runner".into()),
        environment: None,
        tenant: None,
        labels: Default::default(),
        not_before: None,
        not_after: None,
        attest_every_ms: None,
        max_depth: None,
        ceiling: Some(scope()),
        own_grants_required: false,
        orphan_grace_ms: None,
    }
}

fn scope() -> Scope {
    let clause = |resource_type: &str| Clause {
        resource_type: resource_type.into(),
        permissions: ["view".into()].into(),
        selector: Selector::AllOfType,
        caveat: None,
    };
    Scope { clauses: vec![clause("customer"), clause("ticket")] }
}

/// A desk with agents, and one chain of three hops for each of its first users; the leaves by user.
fn build(size: u64) -> (World, SupportDesk, Vec<DelegationId>) {
    let desk = SupportDesk::new(size, 1);
    let mut next = Snapshot::empty().transaction();
    next.set_schema(Arc::new(pemba_schema::compile(SCHEMA).unwrap().schema));
    for relationship in desk.relationships() {
        next.put(&relationship).unwrap();
    }
    let snapshot = next.finish(pemba_model::Revision(1));
    let limits = AgentLimits { delegations_per_root_max: usize::MAX, ..AgentLimits::default() };
    let mut world = World { snapshot, book: Book::default(), limits };
    for (object_type, kind) in [("user", PrincipalKind::Human), ("agent", PrincipalKind::Agent)] {
        let object_type = object_type.into();
        let policy = TypePolicy { object_type, kind, mode: TypeMode::Observed };
        world.run(|moment| command::set_type_policy(moment, policy));
    }
    let agents = size / 100;
    for number in 0..agents {
        world.run(|moment| command::register(moment, &by(), registration(number)));
    }
    let mut leaves = Vec::new();
    for chain in 0..size / 30 {
        let user = desk.principal(Principal::User(chain % desk.users));
        let mut from = user;
        let mut parent = None;
        for hop in 0..3 {
            let id = DelegationId(u128::from(mix(chain * 3 + hop)));
            let to = agent((chain * 3 + hop) % agents);
            let new = Delegate {
                id,
                parent,
                root: None,
                from,
                to: SubjectRef { object: to.clone(), relation: None },
                scope: scope(),
                not_before: None,
                not_after: Timestamp::from_millis(1_000_000),
                depth_left: u32::try_from(2 - hop).unwrap(),
                session: None,
                uses: None,
                consent: String::new(),
            };
            world.run(|moment| command::delegate(moment, &by(), new));
            (from, parent) = (to, Some(id));
        }
        leaves.extend(parent);
    }
    (world, desk, leaves)
}

/// Users by number, and tickets, most of which they see.
fn asks(desk: &SupportDesk, count: u64) -> Vec<(usize, ObjectRef)> {
    let ask = |number: u64| {
        let user = mix(number) % desk.users;
        let own = desk.tickets_of(Principal::User(user)).next().filter(|_| !number.is_multiple_of(4));
        (usize::try_from(user).unwrap(), desk.ticket(own.unwrap_or(mix(number + 7) % desk.tickets)))
    };
    (0..count).map(ask).collect()
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") { 1_000_000 } else { 3_000 };
    let (world, desk, leaves) = build(size);
    let presenter = Presenter::default();
    let facts = world.facts();
    let ground =
        Ground { facts, seen: facts, book: &world.book, limits: &world.limits, presenter: &presenter };
    let asks = asks(&desk, if size > 100_000 { 100_000 } else { 1000 });
    let claims: Vec<Claim> =
        leaves.iter().map(|leaf| Claim { delegation: Some(*leaf), ..Claim::default() }).collect();
    let roots: Vec<SubjectRef> = (0..desk.users)
        .map(|user| SubjectRef { object: desk.principal(Principal::User(user)), relation: None })
        .collect();
    let plain =
        |(user, ticket): &(usize, ObjectRef)| facts.check(ticket, "view", &roots[*user], None).unwrap();
    let chain = |(user, resource): &(usize, ObjectRef)| {
        let question = Question { claim: &claims[*user], permission: "view", resource, values: None };
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
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("chain");
    for (name, asks) in [("hot", &asks[..20]), ("cold", &asks[..])] {
        group.throughput(Throughput::Elements(asks.len() as u64));
        group.bench_function(format!("checks, {name}, plain"), |bencher| {
            bencher.iter(|| asks.iter().for_each(|ask| drop(black_box(plain(ask)))));
        });
        group.bench_function(format!("checks, {name}, three hops"), |bencher| {
            bencher.iter(|| asks.iter().for_each(|ask| drop(black_box(chain(ask)))));
        });
    }
    let (user, _) = asks[0];
    let lookup = || {
        let found = facts.ask(None, |context| {
            pemba_engine::lookup_resources(
                facts.graph,
                facts.program,
                "ticket",
                "view",
                &roots[user],
                context,
            )
        });
        found.unwrap()
    };
    let found = lookup().definite.len();
    group.throughput(Throughput::Elements(found));
    group.bench_function(format!("lookup, plain: {found} results"), |bencher| {
        bencher.iter(|| black_box(lookup()));
    });
    group.bench_function(format!("lookup, three hops: {found} results"), |bencher| {
        bencher.iter(|| {
            let reached = authority::lookup_resources(&ground, &claims[user], &"ticket".into(), "view", None);
            assert_eq!(black_box(reached).unwrap().resources.definite.len(), found);
        });
    });
    group.finish();
    criterion.final_summary();
}
