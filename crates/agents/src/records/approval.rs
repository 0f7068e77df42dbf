//! Approvals: one action, waiting for somebody or let through by them.

use pemba_model::{Context, ObjectRef, Relationship, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};
use super::policy::ApprovalUses;
use super::session::SessionBinding;
use crate::id::{ApprovalId, DelegationId, SessionId};

/// Where an approval stands. All but `Pending` and `Approved` are final; `expired` follows from the two clocks and is
/// never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// It waits for votes.
    Pending,
    /// Enough have approved.
    Approved {
        /// When.
        at: Timestamp,
        /// The first instant at which it can no longer be used.
        use_before: Timestamp,
    },
    /// Somebody who may has rejected it.
    Denied {
        /// When.
        at: Timestamp,
    },
    /// Whoever asked took it back.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// All its uses are used.
    Consumed {
        /// When the last was.
        at: Timestamp,
    },
}

/// One vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Who voted.
    pub approver: ObjectRef,
    /// The person behind the account, when it is known to be another name.
    pub person: Option<SmolStr>,
    /// Whether they approve.
    pub approves: bool,
    /// Their words.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// The revision at which they were found eligible.
    pub revision: u64,
}

/// A grant inside a session that waits for an approval, or has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantAsked {
    /// Who grants.
    pub grantor: ObjectRef,
    /// What, with the first instant at which it no longer counts.
    pub relationship: Relationship,
}

/// That one human gave an approval on their own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glass {
    /// Who.
    pub user: ObjectRef,
    /// The version of the policy that let them.
    pub policy_version: u64,
}

/// An approval: an action, bound to its chain and values, and the votes on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What it is for, in one hash: chain, permission, object, bound values, policy version. Lower-case hexadecimal.
    pub action_hash: SmolStr,
    /// The version of the policy it was asked under.
    pub policy_version: u64,
    /// Whose authority is used.
    pub root: ObjectRef,
    /// The chain after the root, to who acts.
    pub actors: Vec<ObjectRef>,
    /// The last hop.
    pub delegation: Option<DelegationId>,
    /// The session it was asked in.
    pub session: Option<SessionId>,
    /// The type of the resource and the resource.
    pub resource: ObjectRef,
    /// The permission; for a grant the relation.
    pub permission: SmolStr,
    /// The grant it is for, inside its session; absent when it is for using the permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantAsked>,
    /// Set when nobody was asked, and one human broke the glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glass: Option<Glass>,
    /// The bound values.
    pub bound: Context,
    /// Why it is needed, in the words of who asked.
    pub reason: String,
    /// Whose approval it is: the id alone is worth nothing.
    pub binding: SessionBinding,
    /// Who asked, where they said so.
    pub requester: Option<ObjectRef>,
    /// When.
    pub created_at: Timestamp,
    /// The revision at which everything else allowed it.
    pub created_revision: u64,
    /// The first instant at which it no longer waits.
    pub decide_before: Timestamp,
    /// How often it serves.
    pub uses: ApprovalUses,
    /// Uses left, where they are counted.
    pub uses_left: u32,
    /// How long the same action may not be asked for again after a rejection.
    pub cool_down_ms: u64,
    /// The votes, in order; one a person.
    pub votes: Vec<Vote>,
    /// Where it stands.
    pub state: ApprovalState,
}

impl Record for Approval {
    const KIND: RecordKind = RecordKind::Approval;

    fn key(&self) -> Key {
        Key::of_id(Self::KIND, self.id.0)
    }
}
