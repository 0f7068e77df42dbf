//! The nouns every other crate speaks: names and ids, relationships and their text form, updates,
//! preconditions, filters, documents, revisions, limits and diagnostics.
//!
//! **Invariant: this crate knows no schema, no storage, no network and no clock; every type here is plain data
//! that can be built, compared and printed without anything else being open.**

pub mod diagnostic;
pub mod document;
pub mod filter;
pub mod limits;
pub mod names;
pub mod relationship;
pub mod revision;
mod serial;
pub mod suggest;
pub mod text;
pub mod timestamp;
pub mod update;

pub use diagnostic::{Diagnostic, LineColumn, LineIndex, Severity, Span};
pub use document::{DocumentChange, Ledger, LedgerError, NoLedger};
pub use filter::{RelationFilter, RelationshipFilter, SubjectFilter};
pub use limits::Limits;
pub use names::InvalidName;
pub use relationship::{CaveatRef, Context, ObjectRef, Relationship, SubjectRef, WILDCARD_ID};
pub use revision::Revision;
pub use smol_str::SmolStr;
pub use timestamp::Timestamp;
pub use update::{Operation, Precondition, Update};
