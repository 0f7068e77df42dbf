//! The store on disk. With `rocks_load` and `rocks_journal`, the only file that knows RocksDB.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    ErrorKind, LogLevel, Options, ReadOptions, WriteBatch, checkpoint::Checkpoint, properties,
};

use super::rocks_folder::Folder;
use super::rocks_journal::{self, Journaled};
use super::rocks_load::Loads;
use super::{Batch, BatchOp, Family, Rows, Store, StoreError, StoreStatistics, Visit};

const MIB: usize = 1024 * 1024;
/// One family's writes held in memory before they go to a file, in bytes.
const WRITE_BUFFER_BYTES: usize = 16 * MIB;
/// All families' writes held in memory, in bytes.
const WRITE_BUFFERS_BYTES: usize = 64 * MIB;
/// Blocks of files kept in memory, for all families together, in bytes.
const BLOCK_CACHE_BYTES: usize = 32 * MIB;
/// Unit of reading from a file, in bytes: recovery reads everything in order, single keys are read rarely.
const BLOCK_BYTES: usize = 16 * 1024;
/// Files held open.
const OPEN_FILES_MAX: i32 = 512;
/// RocksDB's own log files kept, and the size of each in bytes.
const INFO_LOGS_MAX: usize = 4;
const INFO_LOG_BYTES: usize = MIB;

/// A data directory with RocksDB inside, open in this process alone.
pub struct RocksStore {
    pub(super) db: DB,
    cache: Cache,
    folder: Folder,
    read_only: bool,
    /// Whether nothing was ever written; the directory's marker says so too.
    pristine: AtomicBool,
    /// The first failed write. What it left on disk is known only after recovery, so nothing may be added behind it.
    failure: OnceLock<String>,
    loads: Loads,
    /// None if the store is only read.
    journal: Option<Journaled>,
    /// Held from the record of a load to its end: a copy made in between would name files it does not hold.
    loading: Mutex<()>,
}

impl RocksStore {
    /// Opens the directory, which is made a store if it is absent or empty. Refused, with nothing touched: a directory
    /// that is not a store, a store of another format, one that is open already.
    pub fn open(path: &Path) -> Result<RocksStore, StoreError> {
        let folder = Folder::open(path)?;
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let mut options = database_options(folder.new);
        if !folder.has_documents() {
            options.create_missing_column_families(true);
        }
        let db = DB::open_cf_descriptors(&options, folder.rocks(), descriptors(&cache, &Family::ALL))
            .map_err(|error| open_error(&folder, &error))?;
        let journal = Journaled::open(&db, &folder)?;
        let store = RocksStore::new(db, cache, folder, Some(journal));
        if !store.folder.new && store.holds_nothing()? {
            // RocksDB takes a list of files cut in the wrong place for a new store.
            return Err(StoreError::Damaged { cause: "it has been written to and holds nothing".to_owned() });
        }
        if store.folder.is_outdated() {
            store.folder.upgrade()?;
        }
        if let Some(staged) = Loads::recorded(&store.db)? {
            store.loads.ingest(&store.db, &staged)?;
            store.commit(Batch::new(), Loads::forget)?;
        }
        store.loads.remove_files()?;
        Ok(store)
    }

    /// Opens an existing store without writing to its data, to verify it.
    pub fn open_read_only(path: &Path) -> Result<RocksStore, StoreError> {
        let folder = Folder::open_existing(path)?;
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let options = database_options(false);
        // A folder of the first format may lack the family, which is as good as empty then.
        let has_documents = folder.has_documents();
        let families = Family::ALL.into_iter().filter(|family| has_documents || *family != Family::Documents);
        let families: Vec<Family> = families.collect();
        let descriptors = descriptors(&cache, &families);
        let db = DB::open_cf_descriptors_read_only(&options, folder.rocks(), descriptors, false)
            .map_err(|error| open_error(&folder, &error))?;
        rocks_journal::check_finished(&db, &folder)?;
        if Loads::recorded(&db)?.is_some() {
            let cause = "an import was interrupted at its end; start the server once to finish it".to_owned();
            return Err(StoreError::Failed { operation: "open", cause });
        }
        Ok(RocksStore::new(db, cache, folder, None))
    }

    fn new(db: DB, cache: Cache, folder: Folder, journal: Option<Journaled>) -> RocksStore {
        let read_only = journal.is_none();
        let pristine = AtomicBool::new(folder.new);
        let (loads, failure, loading) = (Loads::new(folder.loads()), OnceLock::new(), Mutex::new(()));
        RocksStore { db, cache, folder, read_only, pristine, failure, loads, journal, loading }
    }

    fn holds_nothing(&self) -> Result<bool, StoreError> {
        let mut empty = true;
        for family in Family::ALL {
            self.scan(family, &[], None, &mut |_, _| {
                empty = false;
                ControlFlow::Break(())
            })?;
        }
        Ok(empty)
    }

    fn handle(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        self.db.cf_handle(family.name()).ok_or_else(|| StoreError::Failed {
            operation: "read",
            cause: format!("family `{}` is not open", family.name()),
        })
    }

    /// Whether the family is not there because the folder, opened for reading only, is older than it.
    fn lacks(&self, family: Family) -> bool {
        self.read_only && !self.folder.has_documents() && family == Family::Documents
    }

    /// Writes a batch, once `add` has added to it.
    pub(super) fn commit(&self, batch: Batch, add: impl FnOnce(&mut WriteBatch)) -> Result<(), StoreError> {
        // Keys and values, plus a few bytes for each operation.
        let size = batch.size_bytes().saturating_add(batch.len().saturating_mul(12));
        let mut rocks_batch = WriteBatch::with_capacity_bytes(size);
        let handles = self.handles()?;
        #[expect(clippy::indexing_slicing, reason = "there is one handle for each family, in their order")]
        let handle = |family: Family| handles[family.index()];
        for op in batch.ops() {
            match op {
                BatchOp::Put { family, key, value } => rocks_batch.put_cf(handle(family), key, value),
                BatchOp::Delete { family, key } => rocks_batch.delete_cf(handle(family), key),
                // RocksDB calls a range that ends before it starts an error.
                BatchOp::DeleteRange { family, from, to } if from < to => {
                    rocks_batch.delete_range_cf(handle(family), from, to);
                }
                BatchOp::DeleteRange { .. } => {}
            }
        }
        // The same bytes are in RocksDB's batch now; a large write must not hold them twice longer than it must.
        drop(batch);
        add(&mut rocks_batch);
        self.journal()?.write(&self.db, rocks_batch)?;
        if self.pristine.load(Ordering::Acquire) {
            self.folder.finish()?;
            self.pristine.store(false, Ordering::Release);
        }
        Ok(())
    }

    pub(super) fn journal(&self) -> Result<&Journaled, StoreError> {
        self.journal.as_ref().ok_or(StoreError::Unsupported { store: "read-only", operation: "write" })
    }

    fn commit_load(&self, rows: Rows<'_>, batch: Batch) -> Result<(), StoreError> {
        let staged = self.loads.stage(rows)?;
        let _no_copy = self.loading.lock();
        self.commit(batch, |batch| Loads::record(&staged, batch))?;
        self.journal()?.settle(&self.db)?;
        self.loads.ingest(&self.db, &staged)?;
        self.commit(Batch::new(), Loads::forget)?;
        if let Err(error) = self.loads.remove_files() {
            tracing::warn!(%error, "the files of a load were not removed; the next start does it");
        }
        Ok(())
    }

    /// Runs what writes, unless an earlier write failed; remembers its failure.
    fn guarded(&self, write: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.journal()?;
        if let Some(cause) = self.failure.get() {
            return Err(StoreError::Refused { cause: cause.clone() });
        }
        write().inspect_err(|error| {
            self.failure.get_or_init(|| error.to_string());
        })
    }

    fn handles(&self) -> Result<[&ColumnFamily; Family::ALL.len()], StoreError> {
        Ok([
            self.handle(Family::Meta)?,
            self.handle(Family::Catalog)?,
            self.handle(Family::Objects)?,
            self.handle(Family::Relationships)?,
            self.handle(Family::Log)?,
            self.handle(Family::Schema)?,
            self.handle(Family::Documents)?,
        ])
    }
}

impl Drop for RocksStore {
    fn drop(&mut self) {
        if let (Some(journal), None) = (&self.journal, self.failure.get())
            && let Err(error) = journal.settle(&self.db)
        {
            tracing::warn!(%error, "the next start has to read the journal");
        }
    }
}

impl Store for RocksStore {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.guarded(|| self.commit(batch, |_| {}))
    }

    fn load(&self, rows: Rows<'_>, batch: Batch) -> Result<(), StoreError> {
        self.guarded(|| self.commit_load(rows, batch))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.lacks(family) {
            return Ok(None);
        }
        self.db.get_cf(self.handle(family)?, key).map_err(|error| error_of("read", &error))
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) || self.lacks(family) {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        // A scan passes once over what may be much more than the cache holds.
        options.fill_cache(false);
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        let mut iterator = self.db.raw_iterator_cf_opt(self.handle(family)?, options);
        iterator.seek(from);
        while let Some((key, value)) = iterator.item() {
            if let ControlFlow::Break(()) = visit(key, value) {
                return Ok(());
            }
            iterator.next();
        }
        iterator.status().map_err(|error| error_of("read", &error))
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), StoreError> {
        if let Some(cause) = self.failure.get() {
            // The copy could hold half of what is known about the failed write: nothing acknowledged, but unverified.
            return Err(StoreError::Refused { cause: cause.clone() });
        }
        let folder = Folder::for_copy(directory)?;
        let _no_load = self.loading.lock();
        let checkpoint = Checkpoint::new(&self.db).map_err(|error| error_of("checkpoint", &error))?;
        // A copy is of table files alone, after everything has been moved there.
        checkpoint.create_checkpoint(folder.rocks()).map_err(|error| error_of("checkpoint", &error))?;
        self.journal()?.create_empty(&folder)?;
        if self.pristine.load(Ordering::Acquire) { folder.begin() } else { folder.finish() }
    }

    fn statistics(&self) -> StoreStatistics {
        let memtables = Family::ALL.iter().filter_map(|family| {
            let handle = self.handle(*family).ok()?;
            self.db.property_int_value_cf(handle, properties::SIZE_ALL_MEM_TABLES).ok().flatten()
        });
        let cached = u64::try_from(self.cache.get_usage()).unwrap_or(u64::MAX);
        StoreStatistics {
            disk_bytes: self.folder.size_bytes(),
            memory_bytes: memtables.fold(cached, u64::saturating_add),
        }
    }
}

fn database_options(new: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(new);
    options.create_missing_column_families(new);
    // All families' tables hold the same writes at any time: what the journal is replayed on.
    options.set_atomic_flush(true);
    // RocksDB's own log is empty, but for that of a folder that had no journal yet. Anything wrong in it but its very last
    // record is damage: it must be an error, never a shorter history.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_background_jobs(2);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_bytes_per_sync(MIB as u64);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(INFO_LOGS_MAX);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options
}

fn descriptors(cache: &Cache, families: &[Family]) -> Vec<ColumnFamilyDescriptor> {
    let descriptor = |family: &Family| ColumnFamilyDescriptor::new(family.name(), family_options(cache));
    // RocksDB insists on its unnamed family too; it stays empty.
    let unnamed = ColumnFamilyDescriptor::new("default", family_options(cache));
    families.iter().map(descriptor).chain([unnamed]).collect()
}

fn family_options(cache: &Cache) -> Options {
    let mut blocks = block_options();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    table_options(&blocks)
}

/// For files that are only written.
pub(super) fn family_options_uncached() -> Options {
    table_options(&block_options())
}

fn block_options() -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_size(BLOCK_BYTES);
    blocks
}

fn table_options(blocks: &BlockBasedOptions) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(3);
    options
}

pub(super) fn error_of(operation: &'static str, error: &rocksdb::Error) -> StoreError {
    let cause = error.to_string();
    match error.kind() {
        ErrorKind::Corruption => StoreError::Damaged { cause },
        _ => StoreError::Failed { operation, cause },
    }
}

fn open_error(folder: &Folder, error: &rocksdb::Error) -> StoreError {
    let cause = error.to_string();
    // RocksDB has no kind of its own for the two ways a lock is refused, by another process and by this one.
    if cause.contains("While lock file") || cause.contains("lock hold by current process") {
        return StoreError::Locked { path: folder.path().to_owned(), cause };
    }
    let missing = cause.contains("No such file") || error.kind() == ErrorKind::InvalidArgument;
    if missing && !folder.new {
        return StoreError::Damaged { cause };
    }
    error_of("open", error)
}
