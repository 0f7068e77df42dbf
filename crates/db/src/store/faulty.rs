//! A store whose disk fails on cue, for tests of what must hold then.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;

use super::{Batch, Family, MemoryStore, Store, StoreError, StoreStatistics, Visit};

/// How one write goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write call fails; nothing of the batch reaches the disk.
    FailedWrite,
    /// The disk is full; nothing of the batch reaches it.
    FullDisk,
    /// The write call succeeds and the fsync after it fails; whether the batch is on the disk shows only after a
    /// crash.
    FailedSync {
        /// Whether the batch turns out to be there after a crash.
        survives: bool,
    },
    /// The disk says it has synced and has not: the write is acknowledged, and lost at a crash unless a later honest
    /// fsync carries it along.
    IgnoredSync,
}

/// A memory store with a disk to lose: what is visible now and what a power loss would leave are kept apart.
#[derive(Debug, Default)]
pub struct FaultyStore {
    visible: MemoryStore,
    disk: Mutex<Disk>,
}

#[derive(Debug, Default)]
struct Disk {
    /// What survives a power loss.
    durable: MemoryStore,
    /// Acknowledged but never synced, in order.
    unsynced: Vec<Batch>,
    /// Faults to come, by the number of the write they hit.
    script: BTreeMap<u64, Fault>,
    /// Writes attempted so far, refused ones not counted.
    writes: u64,
    /// The first failure; from then on writes are refused.
    failure: Option<String>,
    /// Whether reads fail.
    reads_fail: bool,
}

impl FaultyStore {
    /// An empty store without faults.
    pub fn new() -> FaultyStore {
        FaultyStore::default()
    }

    /// Lets the write with this number, counted from 0 since the store was made, go wrong.
    pub fn fail_write(&self, number: u64, fault: Fault) {
        self.disk.lock().script.insert(number, fault);
    }

    /// Lets the next write go wrong.
    pub fn fail_next_write(&self, fault: Fault) {
        let mut disk = self.disk.lock();
        let number = disk.writes;
        disk.script.insert(number, fault);
    }

    /// Lets every read fail from now on, or none.
    pub fn fail_reads(&self, fail: bool) {
        self.disk.lock().reads_fail = fail;
    }

    /// Writes attempted so far; the number the next one has.
    pub fn writes(&self) -> u64 {
        self.disk.lock().writes
    }

    /// The store as it is found after a power loss at this instant: without what was never synced, without faults.
    pub fn crash(&self) -> FaultyStore {
        self.crash_keeping(0)
    }

    /// Like `crash`, but the first `kept` of the batches that were acknowledged without being synced had reached the
    /// disk by themselves.
    pub fn crash_keeping(&self, kept: usize) -> FaultyStore {
        let disk = self.disk.lock();
        let durable = disk.durable.duplicate();
        for batch in disk.unsynced.iter().take(kept) {
            durable.apply(batch);
        }
        let visible = durable.duplicate();
        FaultyStore { visible, disk: Mutex::new(Disk { durable, ..Disk::default() }) }
    }

    /// Acknowledged batches a crash would lose.
    pub fn unsynced(&self) -> usize {
        self.disk.lock().unsynced.len()
    }

    fn check_readable(&self) -> Result<(), StoreError> {
        if self.disk.lock().reads_fail {
            let cause = "scripted input/output error".to_owned();
            return Err(StoreError::Failed { operation: "read", cause });
        }
        Ok(())
    }
}

impl Disk {
    fn sync(&mut self, batch: &Batch) {
        for earlier in self.unsynced.drain(..) {
            self.durable.apply(&earlier);
        }
        self.durable.apply(batch);
    }

    fn fail(&mut self, cause: &str) -> StoreError {
        self.failure = Some(cause.to_owned());
        StoreError::Failed { operation: "write", cause: cause.to_owned() }
    }
}

impl Store for FaultyStore {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let mut disk = self.disk.lock();
        if let Some(cause) = &disk.failure {
            return Err(StoreError::Refused { cause: cause.clone() });
        }
        let number = disk.writes;
        disk.writes = number.saturating_add(1);
        match disk.script.remove(&number) {
            None => {
                disk.sync(&batch);
                self.visible.apply(&batch);
            }
            Some(Fault::FailedWrite) => return Err(disk.fail("scripted input/output error")),
            Some(Fault::FullDisk) => return Err(disk.fail("scripted: no space left on device")),
            Some(Fault::FailedSync { survives }) => {
                if survives {
                    disk.sync(&batch);
                }
                return Err(disk.fail("scripted fsync error"));
            }
            Some(Fault::IgnoredSync) => {
                self.visible.apply(&batch);
                disk.unsynced.push(batch);
            }
        }
        Ok(())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check_readable()?;
        self.visible.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        self.check_readable()?;
        self.visible.scan(family, from, to, visit)
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), StoreError> {
        self.visible.checkpoint(directory)
    }

    fn statistics(&self) -> StoreStatistics {
        self.visible.statistics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    super::super::suite::suite!((FaultyStore::new(), ()));

    fn write(store: &FaultyStore, key: &[u8]) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(Family::Log, key, b"").put(Family::Objects, key, b"");
        store.write(batch)
    }

    /// Keys there, with every batch whole.
    fn keys(store: &FaultyStore) -> String {
        let read = |family| {
            let found = super::super::suite::entries(store, family, b"", None);
            String::from_utf8(found.into_iter().flat_map(|(key, _)| key).collect()).unwrap()
        };
        assert_eq!(read(Family::Log), read(Family::Objects));
        read(Family::Log)
    }

    #[test]
    fn failed_writes_leave_nothing_and_are_remembered() {
        for (fault, cause) in [(Fault::FailedWrite, "input/output"), (Fault::FullDisk, "no space left")] {
            let store = FaultyStore::new();
            store.fail_write(1, fault);
            write(&store, b"a").unwrap();
            let error = write(&store, b"b").unwrap_err();
            assert!(
                matches!(&error, StoreError::Failed { operation: "write", cause: c } if c.contains(cause))
            );
            let refused = write(&store, b"c").unwrap_err();
            assert!(matches!(&refused, StoreError::Refused { cause: c } if c.contains(cause)), "{refused}");
            assert_eq!((keys(&store).as_str(), store.writes()), ("a", 2));
            let after = store.crash();
            assert_eq!(keys(&after), "a");
            write(&after, b"d").unwrap();
            assert_eq!(keys(&after), "ad");
        }
    }

    #[test]
    fn failed_sync_shows_its_outcome_only_after_a_crash() {
        for (survives, expected) in [(true, "ab"), (false, "a")] {
            let store = FaultyStore::new();
            write(&store, b"a").unwrap();
            store.fail_next_write(Fault::FailedSync { survives });
            assert!(matches!(write(&store, b"b"), Err(StoreError::Failed { .. })));
            assert_eq!(keys(&store), "a");
            assert_eq!(keys(&store.crash()), expected);
        }
    }

    #[test]
    fn ignored_syncs_are_lost_unless_a_later_one_carries_them() {
        let store = FaultyStore::new();
        for number in [1, 2, 4] {
            store.fail_write(number, Fault::IgnoredSync);
        }
        for key in [b"a", b"b", b"c"] {
            write(&store, key).unwrap();
        }
        assert_eq!((keys(&store).as_str(), store.unsynced()), ("abc", 2));
        assert_eq!(keys(&store.crash()), "a");
        assert_eq!(keys(&store.crash_keeping(1)), "ab");
        write(&store, b"d").unwrap();
        write(&store, b"e").unwrap();
        assert_eq!(keys(&store.crash()), "abcd");
        assert_eq!(keys(&store), "abcde");
    }

    #[test]
    fn reads_fail_while_told_to() {
        let store = FaultyStore::new();
        write(&store, b"a").unwrap();
        store.fail_reads(true);
        assert!(store.get(Family::Log, b"a").is_err());
        assert!(store.scan(Family::Log, b"", None, &mut |_, _| std::ops::ControlFlow::Continue(())).is_err());
        store.fail_reads(false);
        assert_eq!(keys(&store), "a");
    }
}
