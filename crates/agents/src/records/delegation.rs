//! Delegations: one hop of authority each.

use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};
use crate::id::{DelegationId, SessionId};
use crate::scope::Scope;

/// How and when something was ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// By which client.
    pub by: SmolStr,
    /// Why.
    pub reason: String,
}

/// One hop: `from` lets `to` act on the authority of `root`, within `scope`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// The hop before; absent for the first.
    pub parent: Option<DelegationId>,
    /// Whose authority is used, all along the chain.
    pub root: ObjectRef,
    /// Who delegates.
    pub from: ObjectRef,
    /// To whom; a userset such as `team:a#member` stands for whoever of it acts.
    pub to: SubjectRef,
    /// The incarnations of root, `from` and `to` when it was made; 1 for who has no record. `to` is 0 for a userset.
    pub incarnations: [u32; 3],
    /// What `to` may do.
    pub scope: Scope,
    /// Scopes it had before renewals that left it a part of a subtree: what is later moved out of that subtree is out of
    /// scope, as it would have been without the renewal. At most `RENEWED_SCOPES_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Scope>,
    /// The first instant at which it holds.
    pub not_before: Timestamp,
    /// The first instant at which it no longer holds.
    pub not_after: Timestamp,
    /// How many further hops may follow.
    pub depth_left: u32,
    /// How many hops lie between the root and `to`; from 1.
    pub depth: u32,
    /// The session it holds in only.
    pub session: Option<SessionId>,
    /// Uses left, where they are counted.
    pub uses_left: Option<u32>,
    /// What the delegator agreed to, in words.
    pub consent: String,
    /// Counts every change; from 1.
    pub version: u64,
    /// The client that made it.
    pub created_by: SmolStr,
    /// When.
    pub created_at: Timestamp,
    /// The revision at which it was made.
    pub created_revision: u64,
    /// Its revocation. Everything after it in a chain is dead with it.
    pub revoked: Option<Ended>,
}

impl Delegation {
    /// The scopes in all of which an action must be.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> + Clone {
        std::iter::once(&self.scope).chain(&self.within)
    }
}

impl Record for Delegation {
    const KIND: RecordKind = RecordKind::Delegation;

    fn key(&self) -> Key {
        Key::of_id(Self::KIND, self.id.0)
    }
}
