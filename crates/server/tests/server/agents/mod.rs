//! Agents and what belongs to them, over the wire.

mod access;
mod approvals;
mod certificates;
mod delegations;
mod glass;
mod granting;
mod identity;
mod kept;
mod lists;
mod policies;
mod sessions;
mod testing;
mod world;
