//! Sessions: one task, for a while, of one client.

use std::collections::BTreeSet;

use pemba_model::{ObjectRef, Relationship, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};
use super::delegation::Ended;
use crate::id::{DelegationId, SessionId};
use crate::scope::Scope;

/// Whose session it is: the id alone is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionBinding {
    /// The API client of this name.
    Client(SmolStr),
    /// Whoever shows the certificate with this SHA-256 thumbprint, in lower-case hexadecimal digits.
    Thumbprint(SmolStr),
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who acts in it.
    pub actor: ObjectRef,
    /// The actor's incarnation when it was opened; 1 for who has no record.
    pub incarnation: u32,
    /// The last hop of the chain it is for; absent when the actor acts on its own authority.
    pub delegation: Option<DelegationId>,
    /// One more bound on what may be done in it.
    pub scope: Option<Scope>,
    /// Whose it is.
    pub binding: SessionBinding,
    /// What it is for.
    pub purpose: String,
    /// The task it belongs to.
    pub task: Option<SmolStr>,
    /// How the human behind it had proven who they are (`acr`, `amr`), for the record.
    pub authentication: Option<SmolStr>,
    /// When they had.
    pub authenticated_at: Option<Timestamp>,
    /// Free labels.
    pub labels: BTreeSet<SmolStr>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// By which client.
    pub opened_by: SmolStr,
    /// The human who opened it, where one did.
    pub opened_for: Option<ObjectRef>,
    /// The first instant at which it is over.
    pub not_after: Timestamp,
    /// How long it may lie unused.
    pub idle_ms: Option<u64>,
    /// The last use that was written down; uses since are remembered in memory only.
    pub touched_at: Timestamp,
    /// What was granted inside it: seen by requests that present it, and by no other.
    pub grants: Vec<Relationship>,
    /// Its closing.
    pub closed: Option<Ended>,
}

impl Record for Session {
    const KIND: RecordKind = RecordKind::Session;

    fn key(&self) -> Key {
        Key::of_id(Self::KIND, self.id.0)
    }
}
