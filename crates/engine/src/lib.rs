//! What follows from the relationships: check, expand and lookups over an immutable snapshot, and the persistent
//! snapshot itself.
//!
//! **Invariant: no I/O, no async, no thread, no clock and no randomness; "now" is an argument, and the same snapshot,
//! question and instant always give the same answer.**

pub mod catalog;
pub mod graph;
pub mod ids;
pub mod program;
pub mod query;

pub use catalog::{Catalog, Kind};
pub use graph::{Graph, Members, QualifiedEdge, Qualifier};
pub use ids::{EdgeKey, KindId, Ordinal, TypeId};
pub use program::Program;
pub use query::{
    CaveatEvaluator, CaveatOutcome, CheckAnswer, ExpandNode, ExpandTree, FoundSubject, Permissionship, QueryContext,
    QueryError, ResourceSet, SubjectSet,
};
