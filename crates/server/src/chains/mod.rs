//! Chains of principals: what a call presents, what it is decided on, and what its answer says about it.
//!
//! Relationships are those of the view that the call asks for. The records (who is live, what is revoked, closed,
//! expired or approved) are always the newest.

mod basis;
mod case;
mod lookup;
mod presented;
mod subjects;
mod told;
mod uses;

pub(crate) use basis::{Ask, Basis, book_of, newer_ledger};
pub(crate) use case::Case;
pub(crate) use lookup::{Lookup, Reached, ReachedResource};
pub(crate) use presented::{Presented, presented};
pub(crate) use subjects::{Asked, Root, Roots, is_plain};
pub(crate) use told::Told;
pub(crate) use uses::Uses;
