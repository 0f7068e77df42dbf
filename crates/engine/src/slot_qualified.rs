//! A trie's leaf for qualified edges: 64 sorted rows of edges with their qualifiers.

use std::sync::Arc;

use crate::graph::QualifiedEdge;
use crate::ids::Ordinal;
use crate::slot::{bit, insert_tight, rank};
use crate::trie::Leaf;

/// 64 rows. A row lies in one piece, because queries borrow it whole: the first change of a row in a transaction copies
/// it, further ones change it in place.
#[derive(Debug, Clone, Default)]
pub(crate) struct QualifiedSlots {
    /// Which slots have a row; none is empty.
    occupied: u64,
    /// The rows of those, in their order; ascending by the other end, without duplicates.
    rows: Vec<Arc<Vec<QualifiedEdge>>>,
}

impl Leaf for QualifiedSlots {
    fn occupied(&self) -> u64 {
        self.occupied
    }
}

impl QualifiedSlots {
    /// The row in slot `at`, 0 to 63.
    pub(crate) fn row(&self, at: u32) -> &[QualifiedEdge] {
        if self.occupied & bit(at) == 0 {
            return &[];
        }
        self.rows.get(rank(self.occupied, at)).map_or(&[], |row| row.as_slice())
    }

    /// Puts an edge into slot `at`.
    pub(crate) fn put(&mut self, at: u32, edge: QualifiedEdge) {
        let place = rank(self.occupied, at);
        if self.occupied & bit(at) == 0 {
            self.occupied |= bit(at);
            insert_tight(&mut self.rows, place, Arc::new(vec![edge]));
        } else if let Some(row) = self.rows.get_mut(place) {
            put(Arc::make_mut(row), edge);
        }
    }

    /// Takes an edge from slot `at`; false when it was not there.
    pub(crate) fn remove(&mut self, at: u32, other: Ordinal) -> bool {
        let Ok(found) = find(self.row(at), other) else { return false };
        let place = rank(self.occupied, at);
        let Some(row) = self.rows.get_mut(place).map(Arc::make_mut) else { return false };
        row.remove(found);
        if row.is_empty() {
            self.rows.remove(place);
            self.occupied &= !bit(at);
        }
        true
    }

    /// Fills the empty slot `at` with a row in order.
    pub(crate) fn fill(&mut self, at: u32, row: Vec<QualifiedEdge>) {
        if !row.is_empty() {
            insert_tight(&mut self.rows, rank(self.occupied, at), Arc::new(row));
            self.occupied |= bit(at);
        }
    }
}

/// Where an edge is in a row, or where it belongs.
pub(crate) fn find(row: &[QualifiedEdge], other: Ordinal) -> Result<usize, usize> {
    row.binary_search_by_key(&other, |edge| edge.other)
}

/// Puts an edge into a row, in the place of the one with the same other end if there is such.
pub(crate) fn put(row: &mut Vec<QualifiedEdge>, edge: QualifiedEdge) {
    match find(row, edge.other) {
        Ok(found) => {
            if let Some(there) = row.get_mut(found) {
                *there = edge;
            }
        }
        Err(free) => row.insert(free, edge),
    }
}
