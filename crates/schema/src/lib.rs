//! The schema language: text to tree, tree to checked schema, checked schema to permission plans.
//!
//! **Invariant: this crate never sees a relationship; what it says about a schema holds for every data.**

pub mod check;
pub mod codes;
pub mod compile;
mod doc;
pub mod editor;
pub mod findings;
pub mod format;
pub mod impact;
pub mod lexer;
pub mod lint;
pub mod parser;
pub mod plan;
pub mod print;
pub mod reflection;
pub mod removed;
pub mod schema;
pub mod syntax;

pub use compile::{Compiled, Rejected, RejectedKind, compile, outline};
pub use format::format;
pub use print::print;
pub use removed::{Removal, removed};
pub use schema::{
    AllowedSubject, Caveat, CaveatParameter, Definition, Expression, ParameterType, Permission, Relation,
    Schema, SubjectShape,
};
