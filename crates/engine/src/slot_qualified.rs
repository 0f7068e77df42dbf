//! A trie's leaf for qualified edges: 64 sorted rows of edges with their qualifiers.

use std::sync::Arc;

use crate::graph::{QualifiedEdge, Qualifier};
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

    /// Puts an edge into slot `at` and returns the qualifier it had.
    pub(crate) fn put(
        &mut self,
        at: u32,
        other: Ordinal,
        qualifier: Arc<Qualifier>,
    ) -> Option<Arc<Qualifier>> {
        let place = rank(self.occupied, at);
        let edge = QualifiedEdge { other, qualifier };
        if self.occupied & bit(at) == 0 {
            self.occupied |= bit(at);
            insert_tight(&mut self.rows, place, Arc::new(vec![edge]));
            return None;
        }
        let row = Arc::make_mut(self.rows.get_mut(place)?);
        match find(row, other) {
            Ok(found) => row.get_mut(found).map(|old| std::mem::replace(&mut old.qualifier, edge.qualifier)),
            Err(free) => {
                row.insert(free, edge);
                None
            }
        }
    }

    /// Takes an edge from slot `at` and returns the qualifier it had.
    pub(crate) fn remove(&mut self, at: u32, other: Ordinal) -> Option<Arc<Qualifier>> {
        let found = find(self.row(at), other).ok()?;
        let place = rank(self.occupied, at);
        let row = Arc::make_mut(self.rows.get_mut(place)?);
        let edge = row.remove(found);
        if row.is_empty() {
            self.rows.remove(place);
            self.occupied &= !bit(at);
        }
        Some(edge.qualifier)
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
