//! What follows from the relationships: check, expand and lookups over an immutable snapshot, and the persistent
//! snapshot itself.
//!
//! **Invariant: no I/O, no async, no thread, no clock and no randomness; "now" is an argument, and the same snapshot,
//! question and instant always give the same answer; save that an id which is given to another object leads to that one
//! at every revision.**
//!
//! Queries run on any [`Graph`]: a [`Snapshot`], or an [`Overlay`] of one and a request's own relationships.

mod ask;
pub mod catalog;
pub mod caveats;
pub mod check;
mod check_begun;
pub mod check_bulk;
mod check_walk;
mod closure;
mod components;
pub mod condition;
mod edges;
mod epoch;
pub mod expand;
mod gather;
pub mod graph;
mod ground;
pub mod ids;
mod large_set;
pub mod loader;
pub mod lookup_missing;
mod lookup_recursion;
pub mod lookup_resources;
mod lookup_sets;
pub mod lookup_subjects;
mod lookup_union;
pub mod names;
mod names_arena;
mod names_sought;
mod names_spine;
mod names_table;
mod op;
pub mod overlay;
mod prefetch;
pub mod program;
pub mod query;
mod reasons;
pub mod scan;
mod slot;
mod slot_qualified;
pub mod snapshot;
mod solve;
mod solve_reasons;
mod specialised;
pub mod subtree;
pub mod sync;
pub mod table;
mod table_kind;
pub mod trace;
pub mod transaction;
mod trie;
mod value;
mod value_subjects;
pub mod withholding;
mod withholding_rows;

pub use catalog::{Catalog, Kind};
pub use caveats::SchemaCaveats;
pub use check::{check, check_general};
pub use check_begun::{CheckBegun, CheckOpened};
pub use check_bulk::check_bulk;
pub use condition::{Condition, TracedCaveat};
pub use epoch::{EpochEntries, EpochRows, EpochRowsEntries, EpochTrie};
pub use expand::expand;
pub use graph::{Attributes, Graph, Members, QualifiedEdge, Qualifier, Replaced};
pub use ids::{EdgeKey, KindId, Ordinal, TypeId};
pub use large_set::{LargeSet, LargeSetIter};
pub use loader::{LoadError, Loader};
pub use lookup_missing::lookup_missing;
pub use lookup_resources::lookup_resources;
pub use lookup_subjects::{lookup_subjects, lookup_subjects_general};
pub use names::{Names, RestoreError, TooManyObjects};
pub use names_sought::Sought;
pub use overlay::{Overlay, OverlayError};
pub use prefetch::prefetch;
pub use program::Program;
pub use query::{
    CaveatEvaluator, CaveatOutcome, CheckAnswer, CheckItem, ExpandNode, ExpandTree, FoundSubject,
    Permissionship, QueryContext, QueryError, ResourceSet, SubjectSet,
};
pub use scan::Scan;
pub use snapshot::{Published, Snapshot, attributes_of};
pub use subtree::{in_subtree, subtree};
pub use table::{ArcRows, ArcTrie, EdgeTable, QualifiedTable};
pub use trace::{Cut, Trace, trace, trace_unanswered};
pub use transaction::{Put, PutError, Transaction};
pub use withholding::{Withheld, Withholding};
