//! What the store holds, record by record: the keys, the values and how both are read again.
//!
//! **Invariant: the byte order of a key is the order of what it stands for, and bytes once written mean the same to
//! every later build: a value begins with the version of its shape, and shapes are added, never changed.**
//!
//! Two values have no version byte: a plain relationship, which is empty, and the format version itself.

pub mod catalog;
mod codec;
pub mod counters;
pub mod documents;
mod error;
#[cfg(test)]
mod generate;
mod key;
pub mod log;
mod log_record;
pub mod meta;
pub mod objects;
pub mod relationships;
pub mod schema;
mod stored;

use std::ops::ControlFlow;
use std::sync::Arc;

use pemba_engine::Qualifier;

pub use codec::CONTEXT_DEPTH_MAX;
pub use error::RecordError;

use crate::store::{Family, Store};

/// What qualifies a stored relationship; `None` is a plain one.
pub type Attributes = Option<Arc<Qualifier>>;

/// Visits entries whose decoding may fail, and whose visitor may fail in its own way: the first failure ends the scan.
fn scan<E: From<RecordError>>(
    store: &dyn Store,
    family: Family,
    from: &[u8],
    to: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut failure = None;
    store
        .scan(family, from, Some(to), &mut |key, value| match visit(key, value) {
            Ok(flow) => flow,
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })
        .map_err(RecordError::from)?;
    failure.map_or(Ok(()), Err)
}
