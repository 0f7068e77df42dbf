//! Requests read where they lie: texts borrowed from the bytes that came, nothing copied, nothing looked at twice.
//!
//! Only what is common is read so: a request that breaks no rule, with every field at most once, without a context, a
//! trace or anything unknown. Of everything else `read` says `None`, and the generated code decides about it, from whether
//! it is a message at all to the error that its sender is told. So there is one place where the two part, and nothing to
//! keep alike but this: what is read here is what the generated code reads, and it breaks no rule.

mod answer;
mod bulk;
mod check;
mod fields;

pub(crate) use answer::bulk_answer;
pub use bulk::{Bulk, Item};
pub use check::Check;
pub use fields::{Object, Subject, Wanted};

#[cfg(test)]
mod tests;
