//! What is remembered, one document a record, and how a record becomes bytes.

mod agent;
mod approval;
mod break_glass;
mod codec;
mod consumption;
mod delegation;
mod kill;
mod policy;
mod session;
mod types;

pub use agent::{Agent, AgentChange, AgentKind, Binding, Human, HumanStatus, Status, Transfer};
pub use approval::{Approval, ApprovalState, Glass, GrantAsked, Vote};
pub use break_glass::{BreakGlassPolicy, BrokenGlass, Review};
pub use codec::{Key, Record, RecordKind, decode, encode};
pub use consumption::{Consumed, Consumption};
pub use delegation::{Delegation, Ended};
pub use kill::{Kill, KillMode, Selector as KillSelector};
pub use policy::{Applies, ApprovalPolicy, ApprovalUses, Distinct};
pub use session::{Session, SessionBinding};
pub use types::{GrantPolicy, PermissionLabels, PrincipalKind, TypeMode, TypePolicy, label};
