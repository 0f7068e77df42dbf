//! The seam between what the database keeps and what keeps it: ordered keys and values in a few families, written in
//! atomic, durable batches.
//!
//! **Invariant: when `Store::write` returns `Ok`, the whole batch survives a power loss; when it returns an error, the
//! batch may or may not, but never a part of it, and the store takes no further write.**

mod batch;
mod error;
mod faulty;
#[cfg(feature = "rocks")]
mod journal;
#[cfg(feature = "rocks")]
mod journal_reading;
#[cfg(feature = "rocks")]
mod journal_record;
mod memory;
#[cfg(feature = "rocks")]
mod rocks;
#[cfg(test)]
#[cfg(feature = "rocks")]
mod rocks_crash_tests;
#[cfg(test)]
#[cfg(feature = "rocks")]
mod rocks_damage_tests;
#[cfg(feature = "rocks")]
mod rocks_folder;
#[cfg(feature = "rocks")]
mod rocks_journal;
#[cfg(test)]
#[cfg(feature = "rocks")]
mod rocks_journal_tests;
#[cfg(feature = "rocks")]
mod rocks_load;
#[cfg(test)]
#[cfg(feature = "rocks")]
mod rocks_load_tests;
#[cfg(test)]
#[cfg(feature = "rocks")]
mod rocks_tests;
#[cfg(test)]
mod suite;

use std::ops::ControlFlow;
use std::path::Path;

pub use batch::{Batch, BatchOp};
pub use error::StoreError;
pub use faulty::{Fault, FaultyStore};
pub use memory::MemoryStore;
#[cfg(feature = "rocks")]
pub use rocks::RocksStore;

/// One ordered map of the store. Every family has keys of its own shape, see `records`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Format version, database id, head.
    Meta,
    /// Object types and edge kinds.
    Catalog,
    /// Object names by type and ordinal.
    Objects,
    /// The current relationships.
    Relationships,
    /// What every revision changed.
    Log,
    /// Schema texts by revision.
    Schema,
    /// Documents by key.
    Documents,
}

impl Family {
    /// Every family, in the order of their numbers.
    pub const ALL: [Family; 7] = [
        Family::Meta,
        Family::Catalog,
        Family::Objects,
        Family::Relationships,
        Family::Log,
        Family::Schema,
        Family::Documents,
    ];

    /// The name on disk. Frozen: a store written under one name is not found under another.
    pub fn name(self) -> &'static str {
        match self {
            Family::Meta => "meta",
            Family::Catalog => "catalog",
            Family::Objects => "objects",
            Family::Relationships => "relationships",
            Family::Log => "log",
            Family::Schema => "schema",
            Family::Documents => "documents",
        }
    }

    /// The place in `ALL`.
    fn index(self) -> usize {
        match self {
            Family::Meta => 0,
            Family::Catalog => 1,
            Family::Objects => 2,
            Family::Relationships => 3,
            Family::Log => 4,
            Family::Schema => 5,
            Family::Documents => 6,
        }
    }
}

/// What a scan hands out, entry by entry: key and value, borrowed until the next call. `Break` ends the scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Takes one row of a load: family, key and value.
pub type PutRow<'a> = &'a mut dyn FnMut(Family, &[u8], &[u8]) -> Result<(), StoreError>;

/// Hands out the rows of a load: families in their order, the keys of each strictly ascending. It passes the first error
/// of what it is given on.
pub type Rows<'a> = &'a mut dyn FnMut(PutRow<'_>) -> Result<(), StoreError>;

/// Ordered, durable maps. One process, any number of threads.
pub trait Store: Send + Sync {
    /// Applies the whole batch or nothing, in the order of its operations; durable on return. After an error this
    /// store refuses every later write with `StoreError::Refused`; reads go on.
    fn write(&self, batch: Batch) -> Result<(), StoreError>;

    /// As `write` of a batch that puts all these rows too; no key of theirs is in the batch. For rows by the thousand: a
    /// store may put them aside in order instead of sorting them in.
    fn load(&self, rows: Rows<'_>, mut batch: Batch) -> Result<(), StoreError> {
        rows(&mut |family, key, value| {
            batch.put(family, key, value);
            Ok(())
        })?;
        self.write(batch)
    }

    /// The value under a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits every entry from `from` (included) to `to` (excluded; `None` is the end), ascending by the bytes of the
    /// key, all as of one instant. `visit` must not write to this store.
    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError>;

    /// Writes a complete copy, as of one instant, into a directory that is absent or empty; the copy opens like any
    /// store. `Unsupported` where there is no disk.
    fn checkpoint(&self, directory: &Path) -> Result<(), StoreError>;

    /// Sizes, as well as they are known without work.
    fn statistics(&self) -> StoreStatistics;
}

/// What a store occupies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStatistics {
    /// Files of the current state, in bytes; 0 without a disk.
    pub disk_bytes: u64,
    /// Memory held by the store itself, in bytes.
    pub memory_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_names_and_order_are_frozen() {
        let names: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        assert_eq!(names, ["meta", "catalog", "objects", "relationships", "log", "schema", "documents"]);
        for (index, family) in Family::ALL.iter().enumerate() {
            assert_eq!(family.index(), index);
        }
    }
}
