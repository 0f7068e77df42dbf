//! Approval policies: which actions wait for somebody, and for whom.

use std::collections::BTreeSet;

use pemba_model::{SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};

/// To whom a policy applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// When an agent is in the chain.
    AgentChains,
    /// Always.
    All,
}

/// Whom an approver must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distinct {
    /// Who acts.
    Actor,
    /// Whose authority is used.
    Root,
    /// Who answers for an agent of the chain.
    Sponsor,
    /// Who asked for the approval.
    Requester,
    /// Who opened the session.
    SessionOpener,
}

/// How often an approval serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalUses {
    /// This often, each counted by consuming it; at least once.
    Counted(u32),
    /// As often as wanted until it is over.
    TimeBoxed,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// The type it is about.
    pub resource_type: SmolStr,
    /// The permission it is about; with `grants` the relation.
    pub permission: SmolStr,
    /// Whether it is about granting the relation inside a session: then an approval stands in for what a grant policy
    /// asks of the grantor. Else it is about using the permission.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grants: bool,
    /// To whom it applies.
    pub applies: Applies,
    /// What an approver must have on the resource.
    pub approver_permission: SmolStr,
    /// How many must approve.
    pub quorum: u32,
    /// Whom an approver must not be. Nobody of the chain may ever approve.
    pub distinct_from: BTreeSet<Distinct>,
    /// Whether only humans may approve.
    pub human_only: bool,
    /// How often an approval serves.
    pub uses: ApprovalUses,
    /// Context values an approval is bound to; all must be given when it is asked for.
    pub bind: BTreeSet<SmolStr>,
    /// How long it waits for votes.
    pub pending_ms: u64,
    /// How long it may be used once it is approved.
    pub execution_ms: u64,
    /// Whether one rejection ends it.
    pub veto: bool,
    /// Most that wait at once for one actor.
    pub pending_per_actor_max: u32,
    /// How long the same action may not be asked for again after a rejection.
    pub cool_down_ms: u64,
    /// Counts every change; from 1. An approval holds for the version it was asked under.
    pub version: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// By which client.
    pub set_by: SmolStr,
}

impl ApprovalPolicy {
    /// The key of the policy about using a permission, or about granting a relation.
    pub fn key_of(resource_type: &str, permission: &str, grants: bool) -> Key {
        let about = if grants { "#grant" } else { "" };
        Key::of_text(RecordKind::ApprovalPolicy, &format!("{resource_type}#{permission}{about}"))
    }
}

impl Record for ApprovalPolicy {
    const KIND: RecordKind = RecordKind::ApprovalPolicy;

    fn key(&self) -> Key {
        ApprovalPolicy::key_of(&self.resource_type, &self.permission, self.grants)
    }
}
