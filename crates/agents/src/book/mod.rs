//! What follows from all records at one revision: immutable, cheap to succeed, and looked up by whatever is asked for.

mod apply;
mod chain_entries;
mod chain_index;
mod dense;
mod index;
mod known;
mod numbered;
mod slots;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_model::{ObjectRef, Revision, SmolStr, Timestamp};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

pub(crate) use self::chain_entries::{Link, Party, Registered};
pub(crate) use self::chain_index::{ChainIndex, SoughtLink};
use self::index::Index;
pub use self::known::Known;
pub(crate) use self::numbered::NONE;
pub use self::table::Table;
use self::table::{Map, empty};
use crate::id::{ApprovalId, DelegationId, SessionId};
use crate::records::{
    Agent, AgentChange, Approval, ApprovalPolicy, BreakGlassPolicy, BrokenGlass, Consumption, Delegation,
    GrantPolicy, Human, Key, Kill, KillSelector, PermissionLabels, PrincipalKind, Session, TypePolicy,
};

/// By type, then by permission or relation.
type ByPermission<T> = Map<SmolStr, Map<SmolStr, Arc<T>>>;

/// Every record at one revision. A clone is cheap and shares everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Book {
    /// Few, hardly ever changed, and looked at for most principals.
    types: Arc<BTreeMap<SmolStr, Arc<TypePolicy>>>,
    labels: ByPermission<PermissionLabels>,
    grant_policies: ByPermission<GrantPolicy>,
    approval_policies: ByPermission<ApprovalPolicy>,
    grant_approval_policies: ByPermission<ApprovalPolicy>,
    agents: Table<ObjectRef, Agent>,
    /// How many agents there are of each type that has any.
    agents_by_type: Arc<BTreeMap<SmolStr, u64>>,
    /// Those types and the ones that are declared to be of agents, in order: few, and asked about in every decision.
    agent_types: Arc<[SmolStr]>,
    changes: RedBlackTreeMapSync<(ObjectRef, u64), Arc<AgentChange>>,
    humans: Table<ObjectRef, Human>,
    kills: RedBlackTreeMapSync<SmolStr, Arc<Kill>>,
    kills_by_selector: Index<KillSelector, SmolStr>,
    delegations: Table<DelegationId, Delegation>,
    delegations_by_root: Index<ObjectRef, DelegationId>,
    delegations_by_from: Index<ObjectRef, DelegationId>,
    delegations_by_to: Index<ObjectRef, DelegationId>,
    sessions: Table<SessionId, Session>,
    sessions_by_actor: Index<ObjectRef, SessionId>,
    approvals: Table<ApprovalId, Approval>,
    approvals_by_action: Index<SmolStr, ApprovalId>,
    approvals_by_actor: Index<ObjectRef, ApprovalId>,
    consumptions: Map<Key, Arc<Consumption>>,
    break_glass_policies: ByPermission<BreakGlassPolicy>,
    broken_glass: Table<ApprovalId, BrokenGlass>,
    unreviewed: RedBlackTreeSetSync<ApprovalId>,
    /// What was broken, by the revision of its last change.
    glass_changes: RedBlackTreeSetSync<(u64, ApprovalId)>,
    chain_index: ChainIndex,
    /// What will be over when, to be forgotten a while later.
    ends: RedBlackTreeSetSync<(Timestamp, Key)>,
    len: u64,
}

impl Default for Book {
    fn default() -> Book {
        Book {
            types: Arc::default(),
            labels: empty(),
            grant_policies: empty(),
            approval_policies: empty(),
            grant_approval_policies: empty(),
            agents: Table::default(),
            agents_by_type: Arc::default(),
            agent_types: Arc::default(),
            changes: RedBlackTreeMapSync::new_sync(),
            humans: Table::default(),
            kills: RedBlackTreeMapSync::new_sync(),
            kills_by_selector: Index::default(),
            delegations: Table::default(),
            delegations_by_root: Index::default(),
            delegations_by_from: Index::default(),
            delegations_by_to: Index::default(),
            sessions: Table::default(),
            sessions_by_actor: Index::default(),
            approvals: Table::default(),
            approvals_by_action: Index::default(),
            approvals_by_actor: Index::default(),
            consumptions: empty(),
            break_glass_policies: empty(),
            broken_glass: Table::default(),
            unreviewed: RedBlackTreeSetSync::new_sync(),
            glass_changes: RedBlackTreeSetSync::new_sync(),
            chain_index: ChainIndex::default(),
            ends: RedBlackTreeSetSync::new_sync(),
            len: 0,
        }
    }
}

impl Book {
    /// How many records there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no record: then no gate can close.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is said about a type.
    pub fn type_policy(&self, object_type: &str) -> Option<&TypePolicy> {
        self.types.get(object_type).map(Arc::as_ref)
    }

    /// What is said about types, by name.
    pub fn type_policies(&self) -> impl Iterator<Item = &TypePolicy> {
        self.types.values().map(Arc::as_ref)
    }

    /// Whether the objects of a type are declared to be of a kind.
    pub fn is_of_kind(&self, object_type: &str, kind: PrincipalKind) -> bool {
        self.type_policy(object_type).is_some_and(|policy| policy.kind == kind)
    }

    /// Whether a principal is an agent: it has a record, or its type is declared to be.
    pub fn is_agent(&self, principal: &ObjectRef) -> bool {
        self.known(principal).is_agent()
    }

    /// Whether any object of a type could be an agent: one has a record, or the type is declared to be.
    pub fn has_agents_of(&self, object_type: &str) -> bool {
        self.agent_types.iter().any(|agent_type| agent_type == object_type)
    }

    /// Whether a principal is a human: it has a record, or its type is declared to be.
    pub fn is_human(&self, principal: &ObjectRef) -> bool {
        self.is_of_kind(&principal.object_type, PrincipalKind::Human) || self.human(principal).is_some()
    }

    /// The labels of a permission.
    pub fn labels(&self, resource_type: &str, permission: &str) -> Option<&PermissionLabels> {
        of_permission(&self.labels, resource_type, permission).map(Arc::as_ref)
    }

    /// The labels of all permissions, in no particular order.
    pub fn all_labels(&self) -> impl Iterator<Item = &PermissionLabels> {
        self.labels.values().flat_map(|by_permission| by_permission.values()).map(Arc::as_ref)
    }

    /// Who may grant a relation inside sessions.
    pub fn grant_policy(&self, resource_type: &str, relation: &str) -> Option<&GrantPolicy> {
        of_permission(&self.grant_policies, resource_type, relation).map(Arc::as_ref)
    }

    /// Who may grant what inside sessions, in no particular order.
    pub fn grant_policies(&self) -> impl Iterator<Item = &GrantPolicy> {
        self.grant_policies.values().flat_map(|by_relation| by_relation.values()).map(Arc::as_ref)
    }

    /// Who must approve the use of a permission.
    pub fn approval_policy(&self, resource_type: &str, permission: &str) -> Option<&Arc<ApprovalPolicy>> {
        of_permission(&self.approval_policies, resource_type, permission)
    }

    /// Whose approval lets somebody grant a relation inside a session.
    pub fn grant_approval_policy(&self, resource_type: &str, relation: &str) -> Option<&Arc<ApprovalPolicy>> {
        of_permission(&self.grant_approval_policies, resource_type, relation)
    }

    /// All approval policies, of permissions and of grants, in no particular order.
    pub fn approval_policies(&self) -> impl Iterator<Item = &ApprovalPolicy> {
        let all = self.approval_policies.values().chain(self.grant_approval_policies.values());
        all.flat_map(|by_permission| by_permission.values()).map(Arc::as_ref)
    }

    /// The present incarnation of an agent.
    pub fn agent(&self, principal: &ObjectRef) -> Option<&Arc<Agent>> {
        self.agents.get(principal)
    }

    /// All agents.
    pub fn agents(&self) -> &Table<ObjectRef, Agent> {
        &self.agents
    }

    /// The changes of an agent that are remembered, oldest first.
    pub fn changes_of(&self, principal: &ObjectRef) -> impl DoubleEndedIterator<Item = &Arc<AgentChange>> {
        self.changes.range((principal.clone(), 0)..=(principal.clone(), u64::MAX)).map(|(_, change)| change)
    }

    /// What is known of a human.
    pub fn human(&self, principal: &ObjectRef) -> Option<&Arc<Human>> {
        self.humans.get(principal)
    }

    /// All humans with a record.
    pub fn humans(&self) -> &Table<ObjectRef, Human> {
        &self.humans
    }

    /// A kill switch.
    pub fn kill(&self, name: &str) -> Option<&Arc<Kill>> {
        self.kills.get(name)
    }

    /// All kill switches, by name.
    pub fn kills(&self) -> impl Iterator<Item = &Arc<Kill>> {
        self.kills.values()
    }

    /// Whether there is any kill switch.
    pub fn has_kills(&self) -> bool {
        !self.kills.is_empty()
    }

    /// The switches with exactly this selector.
    pub fn kills_for(&self, selector: &KillSelector) -> impl Iterator<Item = &Arc<Kill>> {
        self.kills_by_selector.of(selector).filter_map(|name| self.kills.get(name))
    }

    /// A delegation.
    pub fn delegation(&self, id: DelegationId) -> Option<&Arc<Delegation>> {
        self.delegations.get(&id)
    }

    /// All delegations.
    pub fn delegations(&self) -> &Table<DelegationId, Delegation> {
        &self.delegations
    }

    /// The delegations on somebody's authority, strictly after an id.
    pub fn delegations_of_root(
        &self,
        root: &ObjectRef,
        after: Option<DelegationId>,
    ) -> impl Iterator<Item = DelegationId> {
        self.delegations_by_root.after(root, after).copied()
    }

    /// How many delegations there are on somebody's authority, those that are over included.
    pub fn delegations_of_root_count(&self, root: &ObjectRef) -> usize {
        self.delegations_by_root.count(root)
    }

    /// The delegations somebody made, strictly after an id.
    pub fn delegations_from(
        &self,
        from: &ObjectRef,
        after: Option<DelegationId>,
    ) -> impl Iterator<Item = DelegationId> {
        self.delegations_by_from.after(from, after).copied()
    }

    /// The delegations somebody has, by name, strictly after an id; for a userset those of its object.
    pub fn delegations_to(
        &self,
        to: &ObjectRef,
        after: Option<DelegationId>,
    ) -> impl Iterator<Item = DelegationId> {
        self.delegations_by_to.after(to, after).copied()
    }

    /// What checks through chains look at.
    pub(crate) fn chain_index(&self) -> &ChainIndex {
        &self.chain_index
    }

    /// A session.
    pub fn session(&self, id: SessionId) -> Option<&Arc<Session>> {
        self.sessions.get(&id)
    }

    /// All sessions.
    pub fn sessions(&self) -> &Table<SessionId, Session> {
        &self.sessions
    }

    /// The sessions of an actor, strictly after an id.
    pub fn sessions_of(
        &self,
        actor: &ObjectRef,
        after: Option<SessionId>,
    ) -> impl Iterator<Item = SessionId> {
        self.sessions_by_actor.after(actor, after).copied()
    }

    /// How many sessions an actor has, those that are over included.
    pub fn sessions_of_count(&self, actor: &ObjectRef) -> usize {
        self.sessions_by_actor.count(actor)
    }

    /// An approval.
    pub fn approval(&self, id: ApprovalId) -> Option<&Arc<Approval>> {
        self.approvals.get(&id)
    }

    /// All approvals.
    pub fn approvals(&self) -> &Table<ApprovalId, Approval> {
        &self.approvals
    }

    /// The approvals of an action.
    pub fn approvals_of_action(&self, action_hash: &str) -> impl Iterator<Item = &Arc<Approval>> {
        self.approvals_by_action.of(action_hash).filter_map(|id| self.approvals.get(id))
    }

    /// The approvals asked for an actor, strictly after an id.
    pub fn approvals_of_actor(
        &self,
        actor: &ObjectRef,
        after: Option<ApprovalId>,
    ) -> impl Iterator<Item = &Arc<Approval>> {
        self.approvals_by_actor.after(actor, after).filter_map(|id| self.approvals.get(id))
    }

    /// The consumption under a client's idempotency key.
    pub fn consumption(&self, client: &str, idempotency_key: &str) -> Option<&Arc<Consumption>> {
        self.consumptions.get(&Consumption::key_of(client, idempotency_key))
    }

    /// Who may break the glass in front of a permission.
    pub fn break_glass_policy(&self, resource_type: &str, permission: &str) -> Option<&BreakGlassPolicy> {
        of_permission(&self.break_glass_policies, resource_type, permission).map(Arc::as_ref)
    }

    /// Who may break the glass, in no particular order.
    pub fn break_glass_policies(&self) -> impl Iterator<Item = &BreakGlassPolicy> {
        self.break_glass_policies.values().flat_map(|by_permission| by_permission.values()).map(Arc::as_ref)
    }

    /// What was broken under an id.
    pub fn broken_glass(&self, id: ApprovalId) -> Option<&Arc<BrokenGlass>> {
        self.broken_glass.get(&id)
    }

    /// All that was broken.
    pub fn all_broken_glass(&self) -> &Table<ApprovalId, BrokenGlass> {
        &self.broken_glass
    }

    /// What waits for its review.
    pub fn unreviewed(&self) -> impl Iterator<Item = &BrokenGlass> {
        self.unreviewed.iter().filter_map(|id| self.broken_glass.get(id)).map(Arc::as_ref)
    }

    /// What was broken or reviewed after a revision, in that order.
    pub fn glass_changes_after(&self, revision: Revision) -> impl Iterator<Item = &BrokenGlass> {
        let from = (revision.0.saturating_add(1), ApprovalId(0));
        self.glass_changes.range(from..).filter_map(|(_, id)| self.broken_glass.get(id)).map(Arc::as_ref)
    }

    /// The keys of records that were over at an instant, the longest over first.
    pub fn over_by(&self, instant: Timestamp) -> impl Iterator<Item = &Key> {
        self.ends.iter().take_while(move |(end, _)| *end <= instant).map(|(_, key)| key)
    }
}

/// What a map has for a permission or relation of a type.
fn of_permission<'a, T>(map: &'a ByPermission<T>, object_type: &str, name: &str) -> Option<&'a Arc<T>> {
    // Most books have none, and every decision asks.
    if map.is_empty() { None } else { map.get(object_type)?.get(name) }
}
