//! The functions that change records. Each looks at a moment and returns what to put, or a refusal that changes nothing.

mod approvals;
mod ask;
mod break_glass;
mod changes;
mod consume;
mod delegations;
mod grants;
mod humans;
mod identity;
mod kills;
mod lifecycle;
mod policies;
mod sessions;
mod sponsors;

pub use approvals::{CastVote, Voted, cancel_approval, may_vote, vote};
pub use ask::{AskApproval, AskGrantApproval, ask_approval, ask_grant_approval};
pub use break_glass::{
    BreakGlass, ReviewGlass, break_glass, review_glass, set_break_glass_policy, unset_break_glass_policy,
};
pub use changes::{By, Changes};
pub use consume::{Consume, Outcomes, consume};
pub use delegations::{Delegate, Delegated, Renew, delegate, renew, revoke};
pub use grants::{GrantInSession, grant_in_session};
pub use humans::{SetHuman, set_human};
pub use identity::{Registration, register, update};
pub use kills::{Throw, lift_kill, throw_kill};
pub use lifecycle::{Transition, attest, transition};
pub use policies::{
    set_approval_policy, set_grant_policy, set_permission_labels, set_type_policy, unset_approval_policy,
};
pub use sessions::{OpenSession, close_session, open_session, touch_session};
pub use sponsors::{accept_sponsor, propose_sponsor};
