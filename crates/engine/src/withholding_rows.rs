//! Rows made while a query runs, at addresses that stay, so that the query can borrow them.

use std::array;
use std::cell::{OnceCell, RefCell};
use std::ops::Deref;

use rustc_hash::FxHashMap;

use crate::ids::{KindId, Ordinal};

/// A kind and an object.
type Key = (KindId, Ordinal);

/// Rows by kind and object. Chunk `n` has room for 2^n rows and is there once one of them is.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    places: RefCell<FxHashMap<Key, u32>>,
    chunks: [OnceCell<Box<[OnceCell<R>]>>; 31],
}

impl<R> Default for Rows<R> {
    fn default() -> Rows<R> {
        Rows { places: RefCell::default(), chunks: array::from_fn(|_| OnceCell::new()) }
    }
}

impl<R: Deref> Rows<R> {
    /// The row of a key, made on first use; `None` when there is no room for any more, which no memory suffices for.
    pub(crate) fn get_or_make(&self, key: Key, make: impl FnOnce() -> R) -> Option<&R::Target> {
        let place = {
            let mut places = self.places.borrow_mut();
            let next = u32::try_from(places.len()).unwrap_or(u32::MAX).saturating_add(1);
            *places.entry(key).or_insert(next)
        };
        let chunk = place.checked_ilog2()?;
        let rows = self
            .chunks
            .get(chunk as usize)?
            .get_or_init(|| (0..1_u32 << chunk).map(|_| OnceCell::new()).collect());
        Some(rows.get((place - (1 << chunk)) as usize)?.get_or_init(make))
    }
}
