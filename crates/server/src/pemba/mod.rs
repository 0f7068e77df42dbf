//! `pemba.v1`: agents, delegations, sessions and approvals, over the wire. Every call converts its request, asks what its
//! client may do, and runs one command or reads the newest records.

mod agents;
mod approvals;
mod break_glass;
pub(crate) mod caller;
pub(crate) mod convert;
mod delegations;
mod draw;
mod fields;
pub(crate) mod moment;
mod page;
mod sessions;
mod testing;
mod watch_glass;

pub(crate) use agents::Agents;
pub(crate) use approvals::Approvals;
pub(crate) use break_glass::Glass;
pub(crate) use delegations::Delegations;
pub(crate) use draw::draw_id;
pub(crate) use fields::Fields;
pub(crate) use sessions::Sessions;
pub(crate) use testing::Testing;
