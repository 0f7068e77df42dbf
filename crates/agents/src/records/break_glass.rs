//! Breaking the glass: what an approval policy wants approved, done at once on one human's word, and reviewed afterwards.

use pemba_model::{ObjectRef, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};
use crate::id::{ApprovalId, DelegationId, SessionId};

/// Who may break the glass in front of a permission, and who reviews it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassPolicy {
    /// The type it is about.
    pub resource_type: SmolStr,
    /// The permission it is about.
    pub permission: SmolStr,
    /// What whoever breaks the glass must have on the resource.
    pub user_permission: SmolStr,
    /// What a reviewer must have on the resource.
    pub reviewer_permission: SmolStr,
    /// How long what was broken serves.
    pub life_ms: u64,
    /// Within what time it must be reviewed.
    pub review_ms: u64,
    /// Counts every change; from 1. What was broken under another version serves no more.
    pub version: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// By which client.
    pub set_by: SmolStr,
}

impl Record for BreakGlassPolicy {
    const KIND: RecordKind = RecordKind::BreakGlassPolicy;

    fn key(&self) -> Key {
        Key::of_text(Self::KIND, &format!("{}#{}", self.resource_type, self.permission))
    }
}

/// What a reviewer found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Who.
    pub reviewer: ObjectRef,
    /// Whether it was right to break the glass.
    pub is_justified: bool,
    /// Their words.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// By which client.
    pub by: SmolStr,
    /// At which revision.
    pub revision: u64,
}

/// One time that somebody broke the glass. It stays until it is reviewed, and for a year from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenGlass {
    /// The approval that stands in for one by others; presented as any other.
    pub id: ApprovalId,
    /// Who broke it.
    pub user: ObjectRef,
    /// The person behind the account, as known then.
    pub person: Option<SmolStr>,
    /// Whose authority was used.
    pub root: ObjectRef,
    /// The chain after the root, to who acts.
    pub actors: Vec<ObjectRef>,
    /// The last hop.
    pub delegation: Option<DelegationId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The object.
    pub resource: ObjectRef,
    /// The permission.
    pub permission: SmolStr,
    /// Why, in the words of who broke it.
    pub reason: String,
    /// What a reviewer must have on the resource, where no policy says so any more.
    pub reviewer_permission: SmolStr,
    /// When it was broken.
    pub at: Timestamp,
    /// By which client.
    pub by: SmolStr,
    /// At which revision.
    pub revision: u64,
    /// The first instant at which it no longer serves.
    pub use_before: Timestamp,
    /// The first instant at which its review is overdue.
    pub review_before: Timestamp,
    /// The review, once there is one.
    pub review: Option<Review>,
}

impl BrokenGlass {
    /// The revision of its last change.
    pub fn changed_at(&self) -> u64 {
        self.review.as_ref().map_or(self.revision, |review| review.revision)
    }

    /// Whether its review is open and overdue.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.review.is_none() && now >= self.review_before
    }
}

impl Record for BrokenGlass {
    const KIND: RecordKind = RecordKind::BrokenGlass;

    fn key(&self) -> Key {
        Key::of_id(Self::KIND, self.id.0)
    }
}
