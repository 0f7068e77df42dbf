//! A store without a disk: for tests and for databases that need not outlive their process.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use parking_lot::{RwLock, RwLockWriteGuard};

use super::{Batch, BatchOp, Family, Store, StoreError, StoreStatistics, Visit};

type Entries = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// What one entry costs besides its bytes, in bytes: two fat pointers and its share of the tree's nodes.
const ENTRY_OVERHEAD_BYTES: u64 = 48;

/// Ordered maps in memory. "Durable" here means: as long as the process lives.
///
/// A scan holds a read lock on its family, so a write waits for the scans under way.
#[derive(Debug, Default)]
pub struct MemoryStore {
    families: [RwLock<Entries>; Family::ALL.len()],
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// A copy of everything, as of one instant.
    pub(super) fn duplicate(&self) -> MemoryStore {
        let guards = self.families.each_ref().map(RwLock::read);
        MemoryStore { families: guards.map(|entries| RwLock::new(entries.clone())) }
    }

    fn family(&self, family: Family) -> &RwLock<Entries> {
        // The array has one place for each family, in their order.
        #[expect(
            clippy::indexing_slicing,
            reason = "the index is below the length by the definition of both"
        )]
        &self.families[family.index()]
    }

    /// Applies a batch; nothing here can fail.
    pub(super) fn apply(&self, batch: &Batch) {
        // All families are locked, always in the same order: the batch becomes visible at once and cannot deadlock.
        let mut guards = self.families.each_ref().map(RwLock::write);
        for op in batch.ops() {
            match op {
                BatchOp::Put { family, key, value } => {
                    entries_of(&mut guards, family).insert(key.into(), value.into());
                }
                BatchOp::Delete { family, key } => {
                    entries_of(&mut guards, family).remove(key);
                }
                BatchOp::DeleteRange { family, from, to } => {
                    delete_range(entries_of(&mut guards, family), from, to);
                }
            }
        }
    }
}

fn entries_of<'a>(
    guards: &'a mut [RwLockWriteGuard<'_, Entries>; Family::ALL.len()],
    family: Family,
) -> &'a mut Entries {
    #[expect(clippy::indexing_slicing, reason = "the index is below the length by the definition of both")]
    &mut guards[family.index()]
}

fn delete_range(entries: &mut Entries, from: &[u8], to: &[u8]) {
    if from >= to {
        return;
    }
    let mut removed = entries.split_off(from);
    let mut kept = removed.split_off(to);
    entries.append(&mut kept);
}

impl Store for MemoryStore {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.apply(&batch);
        Ok(())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.family(family).read().get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let entries = self.family(family).read();
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, value) in entries.range::<[u8], _>((Bound::Included(from), end)) {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn checkpoint(&self, _directory: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unsupported { store: "memory", operation: "checkpoint" })
    }

    fn statistics(&self) -> StoreStatistics {
        // Counting bytes would walk every entry; the entries' count is known, and most keys are 16 bytes.
        let entries: usize = self.families.iter().map(|family| family.read().len()).sum();
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        StoreStatistics { disk_bytes: 0, memory_bytes: entries.saturating_mul(ENTRY_OVERHEAD_BYTES + 16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    super::super::suite::suite!((MemoryStore::new(), ()));

    #[test]
    fn has_no_disk() {
        let store = MemoryStore::new();
        let error = store.checkpoint(Path::new("anywhere")).unwrap_err();
        assert_eq!(error.to_string(), "a memory store does not support `checkpoint`");
        assert_eq!(store.statistics(), StoreStatistics::default());
    }
}
