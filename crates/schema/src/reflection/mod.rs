//! What a schema says, as data for programs: its parts, what depends on what, and how two schemas differ.
//!
//! **Invariant: everything here follows from the schema alone and comes in one fixed order.**

mod dependencies;
mod diff;
mod filter;
mod parts;

pub use dependencies::{MemberReference, ReferenceError, computable_permissions, dependent_relations};
pub use diff::{DIFF_SUBJECTS_MAX, Diff, DiffTooLarge, diff};
pub use filter::{FILTERS_MAX, FilterError, FilterFault, SchemaFilter};
pub use parts::{
    Reflected, ReflectedCaveat, ReflectedDefinition, ReflectedPermission, ReflectedRelation, reflect,
};

#[cfg(test)]
mod tests;
