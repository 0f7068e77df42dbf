//! Requests read where they lie: texts borrowed from the bytes that came, nothing copied, nothing looked at twice.
//!
//! Only what is common is read so: a request that breaks no rule, with every field at most once, without a context, a
//! trace or anything unknown. Of everything else `read` says `None`, and the generated code decides about it, from whether
//! it is a message at all to the error that its sender is told. So there is one place where the two part, and nothing to
//! keep alike but this: what is read here is what the generated code reads, and it breaks no rule.
//!
//! Answers are written into the frames that are sent, streams in chunks of many frames: to the byte what the generated code
//! would have written.

#[cfg(any(test, fuzzing))]
pub mod agreement;
mod answer;
mod bulk;
mod check;
mod chunks;
mod fields;
mod frames;

pub(crate) use answer::{BulkAnswer, bulk_answer, check_answer};
pub use bulk::{Bulk, Item};
pub use check::Check;
pub(crate) use chunks::Chunks;
pub use fields::{Object, Subject, Wanted};
pub(crate) use frames::{HEAD_BYTES, answer, framed, message, read_differently};

#[cfg(test)]
mod tests;
