//! What is known of a hop, of a principal and of a principal's type by its number.

use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};

use super::numbered::NONE;
use crate::id::DelegationId;
use crate::records::HumanStatus;

/// A delegation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(super) id: DelegationId,
    /// Whether it is to one principal, neither revoked nor counted nor bound to a session nor renewed within a subtree.
    pub(crate) is_plain: bool,
    pub(crate) depth_left: u32,
    /// The hop before; `NONE` for the first.
    pub(crate) parent: u32,
    pub(crate) root: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) scope: u32,
    /// As which incarnation the root gave its authority, the delegator made the hop, and the delegate got it.
    pub(crate) root_incarnation: u32,
    pub(crate) from_incarnation: u32,
    pub(crate) to_incarnation: u32,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) created_revision: u64,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            id: DelegationId(0),
            is_plain: false,
            depth_left: 0,
            parent: NONE,
            root: NONE,
            from: NONE,
            to: NONE,
            scope: NONE,
            root_incarnation: 0,
            from_incarnation: 0,
            to_incarnation: 0,
            not_before: Timestamp::MAX,
            not_after: Timestamp::UNIX_EPOCH,
            created_revision: u64::MAX,
        }
    }
}

/// Whether a principal is a registered agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registered {
    /// It is not.
    No,
    /// It is, and it is active and bounded by nothing but times, depth, ceiling and a sponsor.
    Plainly,
    /// More must be known of it.
    Otherwise,
}

/// The first instant there is, in milliseconds since 1970.
const FIRST_MS: i64 = -62_135_596_800_000;

/// A principal: what its records say, in one line of memory.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Party {
    /// Its type.
    pub(crate) object_type: u32,
    /// How many switches select it by name.
    pub(crate) kills: u32,
    /// What the record of a human says.
    pub(crate) human: Option<HumanStatus>,
    pub(crate) registered: Registered,
    /// 1 without a record.
    pub(crate) incarnation: u32,
    /// `u32::MAX` when it has no bound of its own.
    pub(crate) max_depth: u32,
    /// Its ceiling; `NONE` when it has none.
    pub(crate) ceiling: u32,
    /// The first of its sponsors.
    pub(crate) sponsor: u32,
    pub(crate) not_before: Timestamp,
    /// When its time is over, or its attestation.
    pub(crate) until: Timestamp,
}

impl Default for Party {
    fn default() -> Party {
        Party {
            object_type: NONE,
            kills: 0,
            human: None,
            registered: Registered::No,
            incarnation: 1,
            max_depth: u32::MAX,
            ceiling: NONE,
            sponsor: NONE,
            not_before: Timestamp::from_millis(FIRST_MS),
            until: Timestamp::MAX,
        }
    }
}

/// A principal as a subject.
#[derive(Debug, Clone)]
pub(crate) struct Named(pub(crate) SubjectRef);

impl Default for Named {
    fn default() -> Named {
        Named(SubjectRef { object: ObjectRef::new("", ""), relation: None })
    }
}

/// What is said about a type of principals.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartyType {
    pub(super) name: SmolStr,
    pub(crate) is_managed: bool,
    pub(crate) is_agent: bool,
}
