//! A pure world: relationships, records and a clock, changed by commands and asked questions.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_agents::authority::{self, Decision, Ground, Outcome, Question, Reachable};
use pemba_agents::chain::{Claim, Presenter, resolve};
use pemba_agents::command::{
    self, AskGrantApproval, By, CastVote, Changes, Consume, Delegate, GrantInSession, OpenSession, Outcomes,
    Registration, SetHuman, Throw, Transition,
};
use pemba_agents::records::{
    AgentKind, Applies, Approval, ApprovalPolicy, ApprovalUses, BreakGlassPolicy, BrokenGlass, HumanStatus,
    KillMode, KillSelector, PrincipalKind, Session, SessionBinding, TypeMode, TypePolicy,
};
use pemba_agents::scope::{Clause, Scope, Selector};
use pemba_agents::{
    AgentLimits, ApprovalId, Book, DelegationId, Facts, Moment, Refused, SessionId, contextual,
};
use pemba_engine::Snapshot;
use pemba_model::text::{parse_object, parse_relationship, parse_subject};
use pemba_model::{CaveatRef, Context, DocumentChange, ObjectRef, Relationship, Timestamp};

/// Most steps of one query.
const STEPS_MAX: u64 = 1_000_000;
/// A minute in milliseconds.
pub const MINUTE: i64 = 60_000;

/// What there is.
pub struct World {
    pub snapshot: Snapshot,
    pub book: Book,
    pub relationships: Vec<Relationship>,
    pub now: Timestamp,
    pub limits: AgentLimits,
    pub presenter: Presenter,
    /// How many checks through chains were answered the quick way or not, and allowed or not.
    pub ways: RefCell<BTreeMap<(bool, bool), u32>>,
    /// How often something that commands decide was met.
    pub met: RefCell<BTreeMap<String, u32>>,
    documents: BTreeMap<Vec<u8>, Vec<u8>>,
    next_id: u128,
}

pub fn object(text: &str) -> ObjectRef {
    parse_object(text).unwrap()
}

pub fn by() -> By {
    By { client: "desk".into(), reason: "a test".to_owned() }
}

pub fn context(json: &str) -> Context {
    serde_json::from_str(json).unwrap()
}

/// A clause: `doc:view,edit:1,2`, `doc:view:*` for all, `doc:view:parent>folder:top` for a subtree.
pub fn clause(text: &str) -> Clause {
    let (resource_type, rest) = text.split_once(':').unwrap();
    let (permissions, objects) = rest.split_once(':').unwrap();
    let selector = match objects.split_once('>') {
        Some((relation, top)) => Selector::Subtree { relation: relation.into(), top: object(top) },
        None if objects == "*" => Selector::AllOfType,
        None => Selector::Objects(objects.split(',').map(Into::into).collect()),
    };
    Clause {
        resource_type: resource_type.into(),
        permissions: permissions.split(',').map(Into::into).collect(),
        selector,
        caveat: None,
    }
}

/// Clauses, separated by blanks.
pub fn scope(text: &str) -> Scope {
    Scope { clauses: text.split_whitespace().map(clause).collect() }
}

/// The scope, under a caveat.
pub fn under(mut scope: Scope, caveat: &str, values: &str) -> Scope {
    for clause in std::sync::Arc::make_mut(&mut scope.clauses) {
        clause.caveat = Some(CaveatRef { name: caveat.into(), context: context(values) });
    }
    scope
}

/// The claim of the chain that ends with a delegation.
pub fn leaf(id: DelegationId) -> Claim {
    Claim { delegation: Some(id), ..Claim::default() }
}

/// The claim of who acts alone.
pub fn alone(who: &str) -> Claim {
    Claim { root: Some(object(who)), ..Claim::default() }
}

/// A policy under which one human with a permission approves one use.
pub fn policy(resource_type: &str, permission: &str, approver_permission: &str) -> ApprovalPolicy {
    ApprovalPolicy {
        resource_type: resource_type.into(),
        permission: permission.into(),
        grants: false,
        applies: Applies::AgentChains,
        approver_permission: approver_permission.into(),
        quorum: 1,
        distinct_from: Default::default(),
        human_only: true,
        uses: ApprovalUses::Counted(1),
        bind: Default::default(),
        pending_ms: 10 * MINUTE as u64,
        execution_ms: 10 * MINUTE as u64,
        veto: true,
        pending_per_actor_max: 10,
        cool_down_ms: 5 * MINUTE as u64,
        version: 0,
        set_at: Timestamp::UNIX_EPOCH,
        set_by: "".into(),
    }
}

/// A policy under which whoever has a permission breaks the glass for ten minutes, to be reviewed within twenty.
pub fn glass(resource_type: &str, permission: &str, user: &str, reviewer: &str) -> BreakGlassPolicy {
    BreakGlassPolicy {
        resource_type: resource_type.into(),
        permission: permission.into(),
        user_permission: user.into(),
        reviewer_permission: reviewer.into(),
        life_ms: 10 * MINUTE as u64,
        review_ms: 20 * MINUTE as u64,
        version: 0,
        set_at: Timestamp::UNIX_EPOCH,
        set_by: "".into(),
    }
}

impl World {
    /// An empty world under a schema, at noon.
    pub fn new(schema: &str) -> World {
        let mut world = World {
            snapshot: Snapshot::empty(),
            book: Book::default(),
            relationships: Vec::new(),
            now: Timestamp::from_millis(1_800_000_000_000),
            limits: AgentLimits::default(),
            presenter: Presenter { client: "desk".into(), ..Presenter::default() },
            ways: RefCell::default(),
            met: RefCell::default(),
            documents: BTreeMap::new(),
            next_id: 1,
        };
        world.set_schema(schema);
        world
    }

    pub fn set_schema(&mut self, text: &str) {
        let schema = pemba_schema::compile(text).unwrap().schema;
        let mut next = self.snapshot.transaction();
        next.set_schema(Arc::new(schema));
        self.snapshot = next.finish(self.snapshot.revision().next());
    }

    /// Writes relationships, in their text form.
    pub fn write(&mut self, lines: &[&str]) {
        let all: Vec<Relationship> = lines.iter().map(|line| parse_relationship(line).unwrap()).collect();
        let mut next = self.snapshot.transaction();
        for one in all {
            next.put(&one).unwrap();
            self.relationships.retain(|present| !present.same_identity(&one));
            self.relationships.push(one);
        }
        self.snapshot = next.finish(self.snapshot.revision().next());
    }

    /// Takes relationships away.
    pub fn delete(&mut self, lines: &[&str]) {
        let mut next = self.snapshot.transaction();
        for line in lines {
            let one = parse_relationship(line).unwrap();
            if let Some(key) = next.edge_key(&one) {
                next.remove(key);
            }
            self.relationships.retain(|present| !present.same_identity(&one));
        }
        self.snapshot = next.finish(self.snapshot.revision().next());
    }

    pub fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_millis(ms);
    }

    pub fn at(&self, ms: i64) -> Timestamp {
        self.now.plus_millis(ms)
    }

    /// A number for an id that no other has.
    pub fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    pub fn moment(&self) -> Moment<'_> {
        Moment {
            facts: Facts::of(&self.snapshot, self.now, STEPS_MAX),
            book: &self.book,
            limits: &self.limits,
            revision: self.snapshot.revision().next(),
        }
    }

    /// Runs a command. One that is refused changes nothing.
    pub fn run<T>(
        &mut self,
        command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused>,
    ) -> Result<T, Refused> {
        let changes = command(&self.moment())?;
        let mut next = self.snapshot.transaction();
        for object in &changes.reincarnate {
            next.reincarnate(object).unwrap();
            self.relationships.retain(|one| one.resource != *object && one.subject.object != *object);
        }
        let documents: Vec<DocumentChange> = changes
            .documents
            .into_iter()
            .map(|(key, after)| DocumentChange {
                before: self.documents.get(&key).map(|value| value.as_slice().into()),
                after: after.map(Into::into),
                key: key.into(),
            })
            .collect();
        self.book = self.book.with(&documents).unwrap();
        for change in documents {
            match change.after {
                Some(value) => self.documents.insert(change.key.to_vec(), value.to_vec()),
                None => self.documents.remove(&change.key.to_vec()),
            };
        }
        self.snapshot = next.finish(self.snapshot.revision().next());
        Ok(changes.reply)
    }

    /// What a start from the stored documents finds must be what there was.
    pub fn restart(&mut self) {
        let all: Vec<DocumentChange> = self
            .documents
            .iter()
            .map(|(key, value)| DocumentChange {
                key: key.as_slice().into(),
                before: None,
                after: Some(value.as_slice().into()),
            })
            .collect();
        let mut found = Book::default();
        for some in all.chunks(7) {
            found = found.with(some).unwrap();
        }
        assert_eq!(found, self.book);
        let taken_back: Vec<DocumentChange> = all.into_iter().map(DocumentChange::reversed).collect();
        assert_eq!(self.book.with(&taken_back).unwrap(), Book::default());
        self.book = found;
    }

    /// The documents there are.
    pub fn documents(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.documents
    }

    /// Checks with relationships that the request brings along, at a snapshot.
    pub fn check_at(
        &self,
        snapshot: &Snapshot,
        claim: &Claim,
        permission: &str,
        resource: &str,
        (values, extra): (Option<&Context>, &[Relationship]),
    ) -> Result<Decision, Refused> {
        let facts = Facts::of(snapshot, self.now, STEPS_MAX);
        let head = Facts::of(&self.snapshot, self.now, STEPS_MAX);
        let (book, limits, presenter) = (&self.book, &self.limits, &self.presenter);
        let session = claim.session.and_then(|id| book.session(id));
        let overlay =
            contextual::overlay(snapshot, snapshot.schema(), session.map(AsRef::as_ref), extra, self.now)?;
        let question = Question { claim, permission, resource: &object(resource), values };
        match &overlay {
            Some(overlay) => {
                let ground = Ground { facts, head, seen: facts.over(overlay), book, limits, presenter };
                self.every_way(&ground, &question)
            }
            None => self.every_way(&Ground { facts, head, seen: facts, book, limits, presenter }, &question),
        }
    }

    /// The answer of a check, which must be the same in every way there is to it.
    fn every_way<G: pemba_engine::Graph>(
        &self,
        ground: &Ground<'_, G>,
        question: &Question<'_>,
    ) -> Result<Decision, Refused> {
        let found = authority::check(ground, question);
        assert_eq!(found, authority::check_whole(ground, question), "{question:?}");
        if let Ok(chain) = resolve(ground.book, question.claim, ground.presenter, ground.facts.revision) {
            let decided = authority::decide(ground, &chain, question, false);
            assert_eq!(found, decided.map(|(decision, _)| decision), "{question:?}");
            if !chain.hops.is_empty() {
                let is_plain = authority::is_plain(ground, question);
                let is_allowed = found.as_ref().is_ok_and(|decision| decision.outcome == Outcome::Allow);
                *self.ways.borrow_mut().entry((is_plain, is_allowed)).or_default() += 1;
            }
        }
        found
    }

    pub fn decision(
        &self,
        claim: &Claim,
        permission: &str,
        resource: &str,
        values: Option<&Context>,
    ) -> Result<Decision, Refused> {
        self.check_at(&self.snapshot, claim, permission, resource, (values, &[]))
    }

    pub fn check(&self, claim: &Claim, permission: &str, resource: &str) -> Outcome {
        self.decision(claim, permission, resource, None).unwrap().outcome
    }

    /// What a chain reaches, with the names: definite, then conditional.
    pub fn lookup(
        &self,
        claim: &Claim,
        resource_type: &str,
        permission: &str,
        (values, extra): (Option<&Context>, &[Relationship]),
    ) -> Result<(Reachable, Vec<String>, Vec<String>), Refused> {
        let snapshot = &self.snapshot;
        let facts = Facts::of(snapshot, self.now, STEPS_MAX);
        let head = Facts::of(&self.snapshot, self.now, STEPS_MAX);
        let (book, limits, presenter) = (&self.book, &self.limits, &self.presenter);
        let session = claim.session.and_then(|id| book.session(id));
        let overlay =
            contextual::overlay(snapshot, snapshot.schema(), session.map(AsRef::as_ref), extra, self.now)?;
        let resource_type = resource_type.into();
        match &overlay {
            Some(overlay) => {
                let seen = facts.over(overlay);
                let ground = Ground { facts, head, seen, book, limits, presenter };
                let found = authority::lookup_resources(&ground, claim, &resource_type, permission, values)?;
                Ok(named(overlay, &resource_type, found))
            }
            None => {
                let ground = Ground { facts, head, seen: facts, book, limits, presenter };
                let found = authority::lookup_resources(&ground, claim, &resource_type, permission, values)?;
                Ok(named(snapshot, &resource_type, found))
            }
        }
    }
}

fn named<G: pemba_engine::Graph>(
    graph: &G,
    resource_type: &str,
    found: Reachable,
) -> (Reachable, Vec<String>, Vec<String>) {
    let of_type = graph.catalog().type_id(resource_type).unwrap();
    let names = |set: &roaring::RoaringBitmap| {
        let mut names: Vec<String> = set
            .iter()
            .map(|one| graph.object_id(of_type, pemba_engine::Ordinal(one)).unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let (definite, conditional) = (names(&found.resources.definite), names(&found.resources.conditional));
    (found, definite, conditional)
}

/// Commands with what most tests do not care about filled in.
impl World {
    /// Declares `user` human and `agent` an agent's type.
    pub fn declare(&mut self) {
        for (object_type, kind) in [("user", PrincipalKind::Human), ("agent", PrincipalKind::Agent)] {
            let object_type = object_type.into();
            let policy = TypePolicy { object_type, kind, mode: TypeMode::Observed };
            self.run(|moment| command::set_type_policy(moment, policy)).unwrap();
        }
    }

    pub fn registration(&self, agent: &str) -> Registration {
        Registration {
            principal: object(agent),
            kind: AgentKind::Agent,
            active: true,
            bindings: Vec::new(),
            sponsors: vec![object("user:sponsor")],
            owners: Vec::new(),
            purpose: String::new(),
            purpose_permissions: Default::default(),
            blueprint: None,
            environment: None,
            tenant: None,
            labels: Default::default(),
            not_before: None,
            not_after: None,
            attest_every_ms: None,
            max_depth: None,
            ceiling: None,
            own_grants_required: false,
            orphan_grace_ms: None,
        }
    }

    pub fn register(&mut self, agent: &str, change: impl FnOnce(&mut Registration)) {
        let mut new = self.registration(agent);
        change(&mut new);
        self.run(|moment| command::register(moment, &by(), new)).unwrap();
    }

    pub fn transition(&mut self, agent: &str, to: Transition) {
        self.run(|moment| command::transition(moment, &by(), &[object(agent)], to, None)).unwrap();
    }

    pub fn set_human(&mut self, human: &str, status: HumanStatus, person: Option<&str>) {
        let new = SetHuman { principal: object(human), status, person: person.map(Into::into) };
        self.run(|moment| command::set_human(moment, &by(), new)).unwrap();
    }

    pub fn delegation(&mut self, from: &str, to: &str, what: Scope) -> Delegate {
        Delegate {
            id: DelegationId(self.id()),
            parent: None,
            root: None,
            from: object(from),
            to: parse_subject(to).unwrap(),
            scope: what,
            not_before: None,
            not_after: self.at(60 * MINUTE),
            depth_left: 4,
            session: None,
            uses: None,
            consent: String::new(),
        }
    }

    pub fn try_delegate(&mut self, new: Delegate) -> Result<DelegationId, Refused> {
        self.run(|moment| command::delegate(moment, &by(), new)).map(|done| done.delegation.id)
    }

    /// A first hop.
    pub fn delegate(&mut self, from: &str, to: &str, what: &str) -> DelegationId {
        let new = self.delegation(from, to, scope(what));
        self.try_delegate(new).unwrap()
    }

    /// A further hop, with what the hop before still allows.
    pub fn further(&mut self, parent: DelegationId, to: &str, what: &str) -> Delegate {
        let before = self.book.delegation(parent).unwrap().clone();
        let new = self.delegation(&before.to.object.to_string(), to, scope(what));
        Delegate {
            parent: Some(parent),
            depth_left: before.depth_left.saturating_sub(1),
            not_after: before.not_after,
            ..new
        }
    }

    pub fn revoke(&mut self, id: DelegationId) {
        self.run(|moment| command::revoke(moment, &by(), id)).unwrap();
    }

    pub fn session(&mut self, actor: &str, delegation: Option<DelegationId>) -> OpenSession {
        OpenSession {
            id: SessionId(self.id()),
            actor: object(actor),
            delegation,
            scope: None,
            binding: SessionBinding::Client(self.presenter.client.clone()),
            purpose: String::new(),
            task: None,
            authentication: None,
            authenticated_at: None,
            labels: Default::default(),
            opened_for: None,
            not_after: self.at(30 * MINUTE),
            idle_ms: None,
        }
    }

    pub fn open(&mut self, new: OpenSession) -> SessionId {
        self.run(|moment| command::open_session(moment, &by(), new)).unwrap().id
    }

    /// What grants one relationship, until the session ends.
    pub fn granting(&self, session: SessionId, grantor: &str, line: &str) -> GrantInSession {
        GrantInSession {
            session,
            grantor: object(grantor),
            relationships: vec![parse_relationship(line).unwrap()],
            not_after: None,
            approval: None,
        }
    }

    pub fn grant(&mut self, new: GrantInSession) -> Result<Session, Refused> {
        let presenter = self.presenter.clone();
        self.run(|moment| command::grant_in_session(moment, &by(), &presenter, new))
    }

    pub fn ask_grant(
        &mut self,
        session: SessionId,
        grantor: &str,
        line: &str,
    ) -> Result<ApprovalId, Refused> {
        let new = AskGrantApproval {
            id: ApprovalId(self.id()),
            session,
            grantor: object(grantor),
            relationship: parse_relationship(line).unwrap(),
            not_after: None,
        };
        let presenter = self.presenter.clone();
        let asked = |moment: &Moment<'_>| command::ask_grant_approval(moment, &by(), &presenter, new);
        self.run(asked).map(|approval| approval.id)
    }

    pub fn throw(&mut self, name: &str, selector: KillSelector, mode: KillMode) {
        let new = Throw { name: name.into(), selector, mode, until: None };
        self.run(|moment| command::throw_kill(moment, &by(), new)).unwrap();
    }

    pub fn set_policy(&mut self, new: ApprovalPolicy) {
        self.run(|moment| command::set_approval_policy(moment, &by(), new)).unwrap();
    }

    pub fn ask(
        &mut self,
        claim: &Claim,
        permission: &str,
        resource: &str,
        values: Option<Context>,
    ) -> Result<Approval, Refused> {
        let new = command::AskApproval {
            id: ApprovalId(self.id()),
            claim: claim.clone(),
            permission: permission.into(),
            resource: object(resource),
            values,
            requester: None,
        };
        let presenter = self.presenter.clone();
        self.run(|moment| command::ask_approval(moment, &by(), &presenter, new))
    }

    pub fn set_glass(&mut self, new: BreakGlassPolicy) {
        self.run(|moment| command::set_break_glass_policy(moment, &by(), new)).unwrap();
    }

    pub fn break_glass(
        &mut self,
        claim: &Claim,
        (permission, resource): (&str, &str),
        user: &str,
        values: Option<Context>,
    ) -> Result<ApprovalId, Refused> {
        let new = command::BreakGlass {
            id: ApprovalId(self.id()),
            claim: claim.clone(),
            permission: permission.into(),
            resource: object(resource),
            values,
            user: object(user),
        };
        let presenter = self.presenter.clone();
        self.run(|moment| command::break_glass(moment, &by(), &presenter, new)).map(|broken| broken.id)
    }

    pub fn review(&mut self, id: ApprovalId, reviewer: &str) -> Result<BrokenGlass, Refused> {
        let (reviewer, comment) = (object(reviewer), "fine".to_owned());
        let new = command::ReviewGlass { id, reviewer, is_justified: true, comment };
        self.run(|moment| command::review_glass(moment, &by(), new))
    }

    pub fn vote(
        &mut self,
        approval: ApprovalId,
        approver: &str,
        approves: bool,
    ) -> Result<Approval, Refused> {
        let new = CastVote { approval, approver: object(approver), approves, comment: String::new() };
        self.run(|moment| command::vote(moment, new)).map(|voted| voted.approval)
    }

    pub fn consume(
        &mut self,
        claim: &Claim,
        permission: &str,
        resource: &str,
        (values, key): (Option<Context>, &str),
    ) -> Result<Outcomes, Refused> {
        let new = Consume {
            claim: claim.clone(),
            permission: permission.into(),
            resource: object(resource),
            values,
            idempotency_key: key.into(),
        };
        let presenter = self.presenter.clone();
        self.run(|moment| command::consume(moment, &presenter, &new))
    }
}

/// The claim, with an approval.
pub fn approved(claim: &Claim, approval: ApprovalId) -> Claim {
    Claim { approval: Some(approval), ..claim.clone() }
}
