//! Calls that answer for chains of principals.

mod agreement;
mod authority;
mod consume;
mod explain;
mod kills;
mod lookups;
mod metadata;
mod plain;
mod sessions;
pub mod stage;
mod watching;
