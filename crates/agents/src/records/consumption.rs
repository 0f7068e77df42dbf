//! Consumptions: what was done with a counted approval or delegation, and the answer to the same key again.

use pemba_model::{ObjectRef, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};
use crate::id::{ApprovalId, DelegationId};

/// What one consumption used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumed {
    /// The approval used, if one was needed.
    pub approval: Option<ApprovalId>,
    /// Its uses left, where they are counted.
    pub approval_uses_left: Option<u32>,
    /// The counted delegations used, with the uses each has left.
    pub delegations: Vec<(DelegationId, u32)>,
}

/// A decision that was taken and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// The client whose key it is.
    pub client: SmolStr,
    /// The idempotency key.
    pub idempotency_key: SmolStr,
    /// What was asked, in one hash: another question under the same key is refused. Lower-case hexadecimal.
    pub question_hash: SmolStr,
    /// Whose authority was used.
    pub root: ObjectRef,
    /// The chain after it.
    pub actors: Vec<ObjectRef>,
    /// What was done.
    pub permission: SmolStr,
    /// To what.
    pub resource: ObjectRef,
    /// What was used up.
    pub consumed: Consumed,
    /// When.
    pub at: Timestamp,
    /// At which revision.
    pub revision: u64,
    /// The first instant at which the key is forgotten.
    pub repeat_until: Timestamp,
}

impl Consumption {
    /// The key of the consumption under a client's idempotency key.
    pub fn key_of(client: &str, idempotency_key: &str) -> Key {
        Key::of_text(RecordKind::Consumption, &format!("{client}\0{idempotency_key}"))
    }
}

impl Record for Consumption {
    const KIND: RecordKind = RecordKind::Consumption;

    fn key(&self) -> Key {
        Consumption::key_of(&self.client, &self.idempotency_key)
    }
}
