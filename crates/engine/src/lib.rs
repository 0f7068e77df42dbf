//! What follows from the relationships: check, expand and lookups over an immutable snapshot, and the persistent
//! snapshot itself.
//!
//! **Invariant: no I/O, no async, no thread, no clock and no randomness; "now" is an argument, and the same snapshot,
//! question and instant always give the same answer.**

pub mod catalog;
mod components;
pub mod graph;
pub mod ids;
pub mod loader;
pub mod names;
mod names_spine;
pub mod program;
pub mod query;
pub mod scan;
mod slot;
mod slot_qualified;
mod specialised;
pub mod snapshot;
pub mod sync;
pub mod table;
mod table_kind;
pub mod transaction;
mod trie;

pub use catalog::{Catalog, Kind};
pub use graph::{Attributes, Graph, Members, QualifiedEdge, Qualifier};
pub use ids::{EdgeKey, KindId, Ordinal, TypeId};
pub use loader::{LoadError, Loader};
pub use names::{Names, RestoreError, TooManyObjects};
pub use program::Program;
pub use query::{
    CaveatEvaluator, CaveatOutcome, CheckAnswer, ExpandNode, ExpandTree, FoundSubject, Permissionship, QueryContext,
    QueryError, ResourceSet, SubjectSet,
};
pub use scan::Scan;
pub use snapshot::{Published, Snapshot, attributes_of};
pub use table::{ArcTrie, EdgeTable};
pub use transaction::{Put, PutError, Transaction};
