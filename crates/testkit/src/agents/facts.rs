//! What is known, as plain lists.

use std::collections::BTreeSet;

use pemba_model::{CaveatRef, ObjectRef, Relationship, SmolStr, SubjectRef, Timestamp};

/// Everything that is known at an instant, besides relationships.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The instant.
    pub now: Timestamp,
    /// Most hops of a chain.
    pub depth_max: usize,
    /// How long an agent goes on without a sponsor, in milliseconds.
    pub grace_ms: i64,
    /// What is said of types.
    pub kinds: Vec<Kind>,
    /// Registered agents.
    pub agents: Vec<Agent>,
    /// Known humans.
    pub humans: Vec<Human>,
    /// Kill switches.
    pub switches: Vec<Switch>,
    /// Delegations.
    pub hops: Vec<Hop>,
    /// Sessions.
    pub sessions: Vec<Session>,
    /// Type, permission and label.
    pub labels: BTreeSet<(SmolStr, SmolStr, SmolStr)>,
    /// Who may grant what inside a session by their own right.
    pub grant_rights: Vec<GrantRight>,
    /// Who must approve what.
    pub policies: Vec<Policy>,
    /// Approvals.
    pub approvals: Vec<Approval>,
    /// Who may break the glass in front of what.
    pub glass_policies: Vec<GlassPolicy>,
    /// What was broken and not reviewed.
    pub broken: Vec<Broken>,
}

/// What is said of a type.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The type.
    pub object_type: SmolStr,
    /// Whether its objects are agents; else they are humans.
    pub is_agent: bool,
    /// Whether those without a record are refused.
    pub is_managed: bool,
}

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It acts.
    Active,
    /// It acts on what is safe.
    Quarantined,
    /// It does not act.
    Stopped,
}

/// An agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Who.
    pub id: ObjectRef,
    /// How often it was registered.
    pub incarnation: u32,
    /// Where it stands.
    pub status: Status,
    /// From when.
    pub not_before: Option<Timestamp>,
    /// The earliest of what ends it by the clock.
    pub ends: Vec<Timestamp>,
    /// Its sponsors.
    pub sponsors: Vec<ObjectRef>,
    /// Its own grace.
    pub grace_ms: Option<i64>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Who runs it.
    pub owners: Vec<ObjectRef>,
    /// What it was made from.
    pub blueprint: Option<SmolStr>,
    /// Whose it is.
    pub tenant: Option<SmolStr>,
    /// Its labels.
    pub labels: BTreeSet<SmolStr>,
    /// Most hops above it.
    pub max_depth: Option<usize>,
    /// What it can ever be delegated.
    pub ceiling: Option<Scope>,
    /// `type#permission`; empty is all.
    pub purpose: BTreeSet<SmolStr>,
    /// Whether it must have every permission itself.
    pub own_grants_required: bool,
}

/// A human.
#[derive(Debug, Clone)]
pub struct Human {
    /// The account.
    pub id: ObjectRef,
    /// Whether they count.
    pub is_active: bool,
    /// Since when.
    pub since: Timestamp,
    /// The person.
    pub person: Option<SmolStr>,
}

/// Whom a switch selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selects {
    /// One principal.
    One(ObjectRef),
    /// Agents made from it.
    Blueprint(SmolStr),
    /// Agents run by it.
    Owner(ObjectRef),
    /// Agents it answers for.
    Sponsor(ObjectRef),
    /// Agents with it.
    Label(SmolStr),
    /// Agents of it.
    Tenant(SmolStr),
    /// All agents.
    All,
}

/// What a switch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuses all.
    DenyAll,
    /// Refuses what is not reading.
    DenyWrite,
    /// Lets nothing through without an approval.
    RequireApproval,
}

/// A kill switch.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Whom.
    pub selects: Selects,
    /// How.
    pub mode: Mode,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// Clauses, any of which suffices.
pub type Scope = Vec<Clause>;

/// Some permissions on some objects.
#[derive(Debug, Clone)]
pub struct Clause {
    /// The type.
    pub resource_type: SmolStr,
    /// The permissions.
    pub permissions: BTreeSet<SmolStr>,
    /// The objects.
    pub objects: Objects,
    /// The condition.
    pub caveat: Option<CaveatRef>,
}

/// Some objects of a type.
#[derive(Debug, Clone)]
pub enum Objects {
    /// These.
    These(BTreeSet<SmolStr>),
    /// Those from which a relation leads to an object.
    Under(SmolStr, ObjectRef),
    /// All.
    All,
}

/// A delegation.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Its id.
    pub id: u128,
    /// The hop before.
    pub parent: Option<u128>,
    /// Whose authority.
    pub root: ObjectRef,
    /// Who delegates.
    pub from: ObjectRef,
    /// To whom.
    pub to: SubjectRef,
    /// Incarnations of root, `from` and `to` at its making; 0 for a userset.
    pub incarnations: [u32; 3],
    /// Scopes, in all of which an action must be.
    pub scopes: Vec<Scope>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// How many hops may follow.
    pub depth_left: usize,
    /// The session it holds in.
    pub session: Option<u128>,
    /// Uses left.
    pub uses_left: Option<u32>,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: u128,
    /// Who acts in it.
    pub actor: ObjectRef,
    /// The actor's incarnation when it was opened.
    pub incarnation: u32,
    /// The chain it is for.
    pub delegation: Option<u128>,
    /// One more bound.
    pub scope: Option<Scope>,
    /// Until when.
    pub not_after: Timestamp,
    /// How long it may lie unused, in milliseconds.
    pub idle_ms: Option<i64>,
    /// When it was used last.
    pub used_at: Timestamp,
    /// Whether it was closed.
    pub is_closed: bool,
}

/// Whom an approver must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distinct {
    /// A sponsor of an agent of the chain.
    Sponsor,
    /// Who asked.
    Requester,
}

/// What whoever grants a relation inside a session must have.
#[derive(Debug, Clone)]
pub struct GrantRight {
    /// The type.
    pub resource_type: SmolStr,
    /// The relation.
    pub relation: SmolStr,
    /// The permission that grantors have.
    pub permission: SmolStr,
}

/// Who must approve a permission.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The type.
    pub resource_type: SmolStr,
    /// The permission, or the relation that is granted.
    pub permission: SmolStr,
    /// Whether it is about grants inside sessions.
    pub of_grants: bool,
    /// Whether chains without agents are let through.
    pub agents_only: bool,
    /// What an approver must have.
    pub approver_permission: SmolStr,
    /// How many.
    pub quorum: usize,
    /// Whom they must not be.
    pub distinct: BTreeSet<Distinct>,
    /// Its version.
    pub version: u64,
}

/// A vote.
#[derive(Debug, Clone)]
pub struct Vote {
    /// Whose.
    pub approver: ObjectRef,
    /// The person as known then.
    pub person: Option<SmolStr>,
    /// For or against.
    pub approves: bool,
}

/// An approval of one action.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Its id.
    pub id: u128,
    /// The policy's version.
    pub policy_version: u64,
    /// The session, who grants in it, and what with its end; `None` for an approval of something else.
    pub grant: Option<(u128, ObjectRef, Relationship)>,
    /// Until when it may be used; `None` when it was not given, or is over.
    pub use_before: Option<Timestamp>,
    /// Uses left, where they are counted.
    pub uses_left: Option<u32>,
    /// Who asked.
    pub requester: Option<ObjectRef>,
    /// Who broke the glass instead of asking, and under which version of the policy.
    pub glass: Option<(ObjectRef, u64)>,
    /// The votes.
    pub votes: Vec<Vote>,
}

/// Who may break the glass in front of a permission.
#[derive(Debug, Clone)]
pub struct GlassPolicy {
    /// The type.
    pub resource_type: SmolStr,
    /// The permission.
    pub permission: SmolStr,
    /// What whoever breaks it must have.
    pub user_permission: SmolStr,
    /// What a reviewer must have.
    pub reviewer_permission: SmolStr,
    /// Its version.
    pub version: u64,
}

/// What was broken and waits for its review.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Its id.
    pub id: u128,
    /// Who broke it.
    pub user: ObjectRef,
    /// The person as known then.
    pub person: Option<SmolStr>,
    /// Everybody of the chain.
    pub principals: Vec<ObjectRef>,
    /// The object.
    pub resource: ObjectRef,
    /// The permission.
    pub permission: SmolStr,
    /// What a reviewer had to have then.
    pub reviewer_permission: SmolStr,
    /// From when on its user breaks nothing.
    pub review_before: Timestamp,
}

impl Facts {
    /// The record of an agent.
    pub fn agent(&self, id: &ObjectRef) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// The record of a human.
    pub fn human(&self, id: &ObjectRef) -> Option<&Human> {
        self.humans.iter().find(|human| human.id == *id)
    }

    fn kind(&self, id: &ObjectRef) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.object_type == id.object_type)
    }

    /// Whether somebody is an agent.
    pub fn is_agent(&self, id: &ObjectRef) -> bool {
        self.agent(id).is_some() || self.kind(id).is_some_and(|kind| kind.is_agent)
    }

    /// Whether somebody is known to be a human.
    pub fn is_human(&self, id: &ObjectRef) -> bool {
        self.human(id).is_some() || self.kind(id).is_some_and(|kind| !kind.is_agent)
    }

    /// Whether who has no record is refused.
    pub fn is_managed(&self, id: &ObjectRef) -> bool {
        self.kind(id).is_some_and(|kind| kind.is_managed)
    }

    /// Whether a permission has a label.
    pub fn has_label(&self, resource_type: &str, permission: &str, label: &str) -> bool {
        self.labels.iter().any(|(t, p, l)| t == resource_type && p == permission && l == label)
    }
}
