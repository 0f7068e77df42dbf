//! A row of qualified edges as a node of an epoch trie.

use std::ptr::NonNull;

use crate::epoch::node::leak;
use crate::graph::QualifiedEdge;

/// Edges, ascending by the other end. They lie in one piece, because queries borrow a row whole.
pub(super) struct Row {
    birth: u64,
    edges: Vec<QualifiedEdge>,
}

// Rows are read and freed by any thread.
const _: () = {
    const fn is_for_any_thread<T: Send + Sync>() {}
    is_for_any_thread::<QualifiedEdge>();
};

impl Row {
    pub(super) fn new(birth: u64, edges: Vec<QualifiedEdge>) -> NonNull<Row> {
        leak(Row { birth, edges })
    }

    /// The version in which it was made.
    ///
    /// # Safety
    ///
    /// The row is not freed.
    pub(super) unsafe fn birth(row: NonNull<Row>) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { (*row.as_ptr()).birth }
    }

    /// The edges.
    ///
    /// # Safety
    ///
    /// The row is not freed or written to during `'a`.
    pub(super) unsafe fn edges<'a>(row: NonNull<Row>) -> &'a [QualifiedEdge] {
        // SAFETY: the caller's promise.
        unsafe { &(*row.as_ptr()).edges }
    }

    /// Bytes that it takes, without what its qualifiers have to themselves: rows share those.
    ///
    /// # Safety
    ///
    /// The row is not freed or written to meanwhile.
    pub(super) unsafe fn bytes(row: NonNull<Row>) -> usize {
        // SAFETY: the caller's promise.
        let edges = unsafe { &(*row.as_ptr()).edges };
        size_of::<Row>() + edges.capacity() * size_of::<QualifiedEdge>()
    }

    /// The edges, to change.
    ///
    /// # Safety
    ///
    /// Nobody else has them during `'a`.
    pub(super) unsafe fn edges_mut<'a>(row: NonNull<Row>) -> &'a mut Vec<QualifiedEdge> {
        // SAFETY: the caller's promise.
        unsafe { &mut (*row.as_ptr()).edges }
    }
}
