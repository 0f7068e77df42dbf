//! A support desk with agents who act for its users.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a benchmark's data, of which each benchmark uses a part"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_agents::chain::Presenter;
use pemba_agents::command::{self, By, Changes, Delegate, OpenSession, Registration};
use pemba_agents::records::{AgentKind, PrincipalKind, SessionBinding, TypeMode, TypePolicy};
use pemba_agents::scope::{Clause, Scope, Selector};
use pemba_agents::{AgentLimits, Book, DelegationId, Facts, Moment, Refused, SessionId};
use pemba_engine::Snapshot;
use pemba_model::{DocumentChange, ObjectRef, SubjectRef, Timestamp};
use pemba_testkit::support_desk::{Principal, SCHEMA, SupportDesk, mix};

const STEPS_MAX: u64 = 1_000_000;

pub struct World {
    pub snapshot: Snapshot,
    pub book: Book,
    pub limits: AgentLimits,
    /// What is stored, by key.
    pub documents: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl World {
    pub fn facts(&self) -> Facts<'_> {
        Facts::of(&self.snapshot, Timestamp::UNIX_EPOCH, STEPS_MAX)
    }

    pub fn run<T>(&mut self, command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused>) {
        let (limits, revision) = (&self.limits, self.snapshot.revision());
        let moment = Moment { facts: self.facts(), book: &self.book, limits, revision };
        let changes = command(&moment).unwrap();
        let documents = &mut self.documents;
        let document = |(key, after): (Vec<u8>, Option<Vec<u8>>)| {
            let before = match &after {
                Some(after) => documents.insert(key.clone(), after.clone()),
                None => documents.remove(&key),
            };
            DocumentChange { key: key.into(), before: before.map(Into::into), after: after.map(Into::into) }
        };
        let changes: Vec<DocumentChange> = changes.documents.into_iter().map(document).collect();
        self.book = self.book.with(&changes).unwrap();
    }
}

pub fn agent(number: u64) -> ObjectRef {
    ObjectRef::new("agent", format!("runner-{number:05}"))
}

pub fn by() -> By {
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
    Scope { clauses: [clause("customer"), clause("ticket")].into() }
}

/// A desk with agents, and one chain of three hops for each of its first users; the leaves by user.
pub fn build(size: u64) -> (World, SupportDesk, Vec<DelegationId>) {
    let desk = SupportDesk::new(size, 1);
    let mut next = Snapshot::empty().transaction();
    next.set_schema(Arc::new(pemba_schema::compile(SCHEMA).unwrap().schema));
    for relationship in desk.relationships() {
        next.put(&relationship).unwrap();
    }
    let snapshot = next.finish(pemba_model::Revision(1));
    let limits = AgentLimits { delegations_per_root_max: usize::MAX, ..AgentLimits::default() };
    let mut world = World { snapshot, book: Book::default(), limits, documents: BTreeMap::new() };
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

/// A session of five minutes for the last actor of a chain.
pub fn session(number: u64, leaf: DelegationId, actor: ObjectRef, presenter: &Presenter) -> OpenSession {
    OpenSession {
        id: SessionId(u128::from(mix(number)) << 64 | u128::from(number)),
        actor,
        delegation: Some(leaf),
        scope: None,
        binding: SessionBinding::Client(presenter.client.clone()),
        purpose: "a task".into(),
        task: None,
        authentication: None,
        authenticated_at: None,
        labels: Default::default(),
        opened_for: None,
        not_after: Timestamp::from_millis(300_000),
        idle_ms: None,
    }
}
