//! An append-only vector that never moves what it holds, so that readers borrow from it while a writer appends.

use crate::sync::OnceLock;

/// Items in the first chunk; each further chunk doubles.
const FIRST: u64 = if cfg!(loom) { 2 } else { 8 };
/// Chunks: together they hold every `u32` index (under loom only a few, since each one is a modelled object).
const CHUNKS: usize = if cfg!(loom) { 3 } else { 30 };

/// A chunk: made at once, filled one by one.
type Chunk<T> = Box<[OnceLock<T>]>;

/// Values by index. Any thread reads; one thread at a time sets.
#[derive(Debug)]
pub(crate) struct Spine<T> {
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
}

impl<T> Spine<T> {
    pub(crate) fn new() -> Spine<T> {
        Spine { chunks: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// The value at an index, once it is set.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, offset) = place(index);
        self.chunks.get(chunk)?.get()?.get(offset)?.get()
    }

    /// Sets the value at an index; false when it has one, which stays. Memory grows with the highest index.
    pub(crate) fn set(&self, index: u32, value: T) -> bool {
        let (chunk, offset) = place(index);
        let Some(cell) = self.chunks.get(chunk) else { return false };
        if cell.get().is_none() {
            let len = FIRST << chunk;
            // The only writer found the chunk missing, so setting it cannot fail.
            let _ = cell.set((0..len).map(|_| OnceLock::new()).collect());
        }
        cell.get().and_then(|items| items.get(offset)).is_some_and(|item| item.set(value).is_ok())
    }
}

/// Which chunk an index falls into, and where in it.
fn place(index: u32) -> (usize, usize) {
    let position = u64::from(index) + FIRST;
    let chunk = position.ilog2() - FIRST.ilog2();
    (chunk as usize, (position - (FIRST << chunk)) as usize)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_dense_and_reach_the_last_index() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), expected);
            expected = if expected.1 as u64 + 1 == FIRST << expected.0 {
                (expected.0 + 1, 0)
            } else {
                (expected.0, expected.1 + 1)
            };
        }
        assert!(place(u32::MAX).0 < CHUNKS);
    }

    #[test]
    fn a_value_is_set_once() {
        let spine = Spine::new();
        assert_eq!(spine.get(100), None);
        assert!(spine.set(100, "a"));
        assert!(!spine.set(100, "b"));
        assert_eq!(spine.get(100), Some(&"a"));
        assert_eq!(spine.get(99), None);
    }
}
