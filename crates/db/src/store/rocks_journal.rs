//! RocksDB behind the journal: a write goes into the journal, then into RocksDB's memory, and from there into table files
//! whenever RocksDB likes, all families at once.
//!
//! **Invariant: the table files hold every write up to the one whose sequence they are marked with, and none after it.**
//!
//! A record's payload is RocksDB's own form of a batch, the mark included. A start writes what the files lack once more, in
//! order, and has it moved to files before anything else is written.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use parking_lot::Mutex;
use rocksdb::{ColumnFamily, DB, FlushOptions, ReadOptions, ReadTier, WriteBatch};

use super::journal::{Found, Journal};
use super::rocks::error_of;
use super::rocks_folder::Folder;
use super::{Family, StoreError};

/// The mark's key in RocksDB's unnamed family.
const MARK: &[u8] = b"journal";
/// RocksDB's unnamed family.
const UNNAMED: &str = "default";

/// A journal with RocksDB behind it.
pub(super) struct Journaled(Mutex<Journal>);

/// Which journal belongs to the tables, and the last of its records that they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    id: u64,
    sequence: u64,
}

impl Journaled {
    /// Opens a store's journal and has RocksDB catch up with it. A store that has none yet gets one.
    pub(super) fn open(db: &DB, folder: &Folder) -> Result<Journaled, StoreError> {
        let path = folder.journal();
        if !folder.has_journal() {
            let sequence = Mark::read(db, ReadTier::All)?.map_or(0, |mark| mark.sequence);
            let mark = Mark { id: RandomState::new().hash_one(MARK), sequence };
            Journal::create(&path, mark.id)?;
            let mut batch = WriteBatch::default();
            mark.put(&mut batch);
            write_unlogged(db, batch)?;
            flush(db, true)?;
        }
        let mark = Mark::read(db, ReadTier::All)?.ok_or_else(unmarked)?;
        let found = Found::read(&path, mark.id, mark.sequence)?;
        let mut last = mark.sequence;
        for (sequence, payload) in found.records() {
            write_unlogged(db, WriteBatch::from_data(payload))?;
            last = sequence;
        }
        if last > mark.sequence {
            tracing::info!(records = last.saturating_sub(mark.sequence), "recovered from the journal");
        }
        settle(db, last)?;
        Ok(Journaled(Mutex::new(found.resume(&path)?)))
    }

    /// Writes a batch; it is durable on return.
    pub(super) fn write(&self, db: &DB, mut batch: WriteBatch) -> Result<(), StoreError> {
        let mut journal = self.0.lock();
        if journal.is_full() {
            // Usually that flush is long done.
            settle(db, journal.overwritten_next())?;
            journal.turn()?;
        }
        Mark { id: journal.id(), sequence: journal.sequence() }.put(&mut batch);
        journal.append(batch.data())?;
        write_unlogged(db, batch)?;
        if journal.is_full()
            && let Err(error) = flush(db, false)
        {
            // Whoever needs the segment again meets the error.
            tracing::warn!(%error, "flush of the store failed");
        }
        Ok(())
    }

    /// Moves everything written so far into table files.
    pub(super) fn settle(&self, db: &DB) -> Result<(), StoreError> {
        let journal = self.0.lock();
        settle(db, journal.sequence().saturating_sub(1))
    }

    /// Makes the journal of a copy, whose table files hold everything.
    pub(super) fn create_empty(&self, copy: &Folder) -> Result<(), StoreError> {
        let id = self.0.lock().id();
        Journal::create(&copy.journal(), id)
    }
}

/// Whether the tables hold everything, as they must in a store that is only read.
pub(super) fn check_finished(db: &DB, folder: &Folder) -> Result<(), StoreError> {
    if !folder.has_journal() {
        return Ok(());
    }
    let mark = Mark::read(db, ReadTier::All)?.ok_or_else(unmarked)?;
    if Found::read(&folder.journal(), mark.id, mark.sequence)?.records().next().is_some() {
        let cause =
            "the last writes before a crash are in the journal alone; start the server once to finish them";
        return Err(StoreError::Failed { operation: "open", cause: cause.to_owned() });
    }
    Ok(())
}

/// Has the table files hold every record up to this one.
fn settle(db: &DB, sequence: u64) -> Result<(), StoreError> {
    let held = || Ok(Mark::read(db, ReadTier::Persisted)?.map_or(0, |mark| mark.sequence));
    if held()? >= sequence {
        return Ok(());
    }
    flush(db, true)?;
    let held = held()?;
    if held < sequence {
        let cause = format!("the table files hold the journal up to record {held} and not up to {sequence}");
        return Err(StoreError::Failed { operation: "write", cause });
    }
    Ok(())
}

/// Has everything in memory written to table files, all families' or none.
fn flush(db: &DB, wait: bool) -> Result<(), StoreError> {
    let mut options = FlushOptions::default();
    options.set_wait(wait);
    let names = Family::ALL.into_iter().map(Family::name).chain([UNNAMED]);
    let handles: Option<Vec<&ColumnFamily>> = names.map(|name| db.cf_handle(name)).collect();
    let handles = handles
        .ok_or_else(|| StoreError::Failed { operation: "write", cause: "a family is not open".to_owned() })?;
    db.flush_cfs_opt(&handles, &options).map_err(|error| error_of("write", &error))
}

fn write_unlogged(db: &DB, batch: WriteBatch) -> Result<(), StoreError> {
    db.write_without_wal(batch).map_err(|error| error_of("write", &error))
}

fn unmarked() -> StoreError {
    StoreError::Damaged { cause: "the tables do not say which journal is theirs".to_owned() }
}

impl Mark {
    fn read(db: &DB, tier: ReadTier) -> Result<Option<Mark>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_read_tier(tier);
        let Some(value) = db.get_opt(MARK, &options).map_err(|error| error_of("read", &error))? else {
            return Ok(None);
        };
        let (numbers, rest) = value.as_chunks::<8>();
        match (numbers, rest) {
            ([id, sequence], []) => {
                Ok(Some(Mark { id: u64::from_be_bytes(*id), sequence: u64::from_be_bytes(*sequence) }))
            }
            _ => Err(unmarked()),
        }
    }

    fn put(self, batch: &mut WriteBatch) {
        let Mark { id, sequence } = self;
        batch.put(MARK, [id.to_be_bytes(), sequence.to_be_bytes()].concat());
    }
}
