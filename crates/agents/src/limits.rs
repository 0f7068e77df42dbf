//! The bounds of what agents may be given, each with its unit in its name.

/// Longest free text of a record: a purpose, a reason, a comment. In bytes.
pub const TEXT_MAX_BYTES: usize = 4096;
/// Longest name that a record gives to something outside: a blueprint, a label, a client, an issuer. In bytes.
pub const NAME_MAX_BYTES: usize = 256;
/// Most entries of a list in a record: sponsors, owners, labels, bindings.
pub const LIST_MAX: usize = 64;
/// Most clauses of one scope.
pub const CLAUSES_MAX: usize = 64;
/// Most permissions of one clause.
pub const CLAUSE_PERMISSIONS_MAX: usize = 64;
/// Most explicit objects in one scope, over all its clauses.
pub const SCOPE_OBJECTS_MAX: usize = 2000;
/// Most renewals that leave a delegation a part of a subtree it had.
pub const RENEWED_SCOPES_MAX: usize = 8;
/// Most votes one approval may need.
pub const QUORUM_MAX: u32 = 16;
/// Most uses one approval or delegation may have.
pub const USES_MAX: u32 = 1_000_000;
/// Longest time that what was broken in an emergency serves, in milliseconds.
pub const BREAK_GLASS_LIFE_MAX_MS: u64 = 60 * 60 * 1000;
/// Longest time its review may wait, in milliseconds.
pub const BREAK_GLASS_REVIEW_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How long a review is kept, in milliseconds.
pub const REVIEW_KEPT_MS: u64 = 366 * 24 * 60 * 60 * 1000;
/// Most open reviews of what one person broke.
pub const UNREVIEWED_MAX: usize = 16;
/// Most relationships granted inside one session.
pub const SESSION_GRANTS_MAX: usize = 100;
/// Most relationships a request may bring along.
pub const CONTEXTUAL_MAX: usize = 100;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 256;
/// Most records that ended long ago that one command forgets along the way.
pub const FORGOTTEN_PER_COMMAND_MAX: usize = 16;

/// The bounds an operator may set. `_ms` are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// Most hops between a root and the one who acts.
    pub depth_max: u32,
    /// Longest life of a delegation.
    pub delegation_life_max_ms: u64,
    /// Longest life of a session.
    pub session_life_max_ms: u64,
    /// Longest time an approval may wait for votes, and longest time it may be used afterwards; each.
    pub approval_life_max_ms: u64,
    /// How long an agent without a live sponsor goes on when its record says nothing and it is not `critical`.
    pub orphan_grace_ms: u64,
    /// How long records that ended are kept before they are forgotten.
    pub retention_ms: u64,
    /// How long the same idempotency key gives the same answer.
    pub idempotency_window_ms: u64,
    /// Most changes remembered of one agent; older ones are forgotten.
    pub changes_per_agent_max: u64,
    /// Most delegations with the same root that are not over.
    pub delegations_per_root_max: usize,
    /// Most sessions of the same agent that are not over.
    pub sessions_per_agent_max: usize,
}

impl Default for AgentLimits {
    fn default() -> AgentLimits {
        const MINUTE: u64 = 60 * 1000;
        const DAY: u64 = 24 * 60 * MINUTE;
        AgentLimits {
            depth_max: 8,
            delegation_life_max_ms: 366 * DAY,
            session_life_max_ms: 30 * DAY,
            approval_life_max_ms: 30 * DAY,
            orphan_grace_ms: 7 * DAY,
            retention_ms: 60 * MINUTE,
            idempotency_window_ms: DAY,
            changes_per_agent_max: 1000,
            delegations_per_root_max: 100_000,
            sessions_per_agent_max: 10_000,
        }
    }
}
