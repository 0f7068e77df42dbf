//! Loads that are cut short at every step, and files that are not what was written.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::rocks_crash_tests::copy;
use super::rocks_load::Loads;
use super::suite::entries;
use super::{Batch, Family, PutRow, RocksStore, Store, StoreError};

const ROWS: u32 = 3000;

/// Rows in two families, so that half a load shows.
fn rows(put: PutRow<'_>) -> Result<(), StoreError> {
    for family in [Family::Objects, Family::Relationships] {
        for number in 0..ROWS {
            put(family, &number.to_be_bytes(), &number.to_le_bytes())?;
        }
    }
    Ok(())
}

fn head(text: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"head", text);
    batch
}

/// Whether the load is there; it must be there as a whole or not at all, what was written before in any case.
fn is_loaded(store: &dyn Store) -> bool {
    let [objects, relationships] =
        [Family::Objects, Family::Relationships].map(|family| entries(store, family, b"", None));
    assert_eq!(objects, relationships, "half a load");
    assert_eq!(store.get(Family::Log, b"before").unwrap().as_deref(), Some(&b"1"[..]));
    let loaded = !objects.is_empty();
    assert_eq!(objects.len(), if loaded { ROWS as usize } else { 0 });
    let expected: &[u8] = if loaded { b"loaded" } else { b"before" };
    assert_eq!(store.get(Family::Meta, b"head").unwrap().as_deref(), Some(expected));
    loaded
}

struct Crashes {
    directory: TempDir,
    copies: Vec<PathBuf>,
}

impl Crashes {
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The directory as a power loss finds it now.
    fn crash(&mut self) {
        let path = self.directory.path().join(format!("crash-{}", self.copies.len()));
        copy(&self.data(), &path);
        self.copies.push(path);
    }
}

/// The directory before the load and after each of its steps.
fn crashes() -> Crashes {
    let mut crashes = Crashes { directory: TempDir::new().unwrap(), copies: Vec::new() };
    let store = RocksStore::open(&crashes.data()).unwrap();
    let mut batch = head("before");
    batch.put(Family::Log, b"before", b"1");
    store.write(batch).unwrap();
    let loads = Loads::new(crashes.data().join("incoming"));
    crashes.crash();
    let staged = loads.stage(&mut rows).unwrap();
    crashes.crash();
    store.commit(head("loaded"), |batch| Loads::record(&staged, batch)).unwrap();
    crashes.crash();
    store.journal().unwrap().settle(&store.db).unwrap();
    crashes.crash();
    loads.ingest(&store.db, &staged).unwrap();
    crashes.crash();
    store.commit(Batch::new(), Loads::forget).unwrap();
    crashes.crash();
    loads.remove_files().unwrap();
    crashes.crash();
    crashes
}

/// The copy behind the step that decides.
const RECORDED: usize = 2;

#[test]
fn a_load_cut_short_at_any_step_is_whole_or_absent() {
    let crashes = crashes();
    for (step, path) in crashes.copies.iter().enumerate() {
        for _ in 0..2 {
            let store = RocksStore::open(path).unwrap();
            assert_eq!(is_loaded(&store), step >= RECORDED, "after step {step}");
            assert!(!path.join("incoming").exists(), "leftovers after step {step}");
            drop(store);
        }
        let store = RocksStore::open(path).unwrap();
        // The next load of the same rows works whatever the last one left.
        store.load(&mut rows, head("loaded")).unwrap();
        assert!(is_loaded(&store));
        drop(store);
        assert!(is_loaded(&RocksStore::open(path).unwrap()));
    }
}

#[test]
fn a_recorded_load_is_finished_again_after_a_crash_in_its_recovery() {
    let crashes = crashes();
    for step in RECORDED..RECORDED + 3 {
        let path = &crashes.copies[step];
        let again = crashes.directory.path().join(format!("again-{step}"));
        copy(path, &again);
        // Files that were taken over before the crash, and the links that a crash in between leaves.
        fs::copy(again.join("incoming/objects.sst"), again.join("incoming/objects.link")).unwrap();
        assert!(is_loaded(&RocksStore::open(&again).unwrap()));
    }
}

#[test]
fn a_recorded_load_is_not_read_before_it_is_finished() {
    let crashes = crashes();
    for (step, path) in crashes.copies.iter().enumerate() {
        let error = RocksStore::open_read_only(path).err().unwrap().to_string();
        let is_interrupted = (RECORDED + 1..RECORDED + 3).contains(&step);
        assert_eq!(error.contains("an import was interrupted"), is_interrupted, "after step {step}: {error}");
        assert!(error.contains("start the server once"), "{error}");
        drop(RocksStore::open(path).unwrap());
        assert_eq!(is_loaded(&RocksStore::open_read_only(path).unwrap()), step >= RECORDED);
    }
}

fn spoil(path: &Path, how: &str) {
    let mut bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    let half = bytes.len() / 2;
    match how {
        "missing" => return,
        "short" => bytes.truncate(half),
        "empty" => bytes.clear(),
        _ => bytes[half] ^= 0x55,
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn missing_and_damaged_files_of_a_recorded_load_are_damage() {
    let crashes = crashes();
    for name in ["objects", "relationships"] {
        for how in ["missing", "short", "empty", "flipped"] {
            let path = crashes.directory.path().join(format!("{name}-{how}"));
            copy(&crashes.copies[RECORDED], &path);
            spoil(&path.join(format!("incoming/{name}.sst")), how);
            let read = RocksStore::open(&path).and_then(|store| {
                store.scan(Family::ALL[if name == "objects" { 2 } else { 3 }], b"", None, &mut |_, _| {
                    std::ops::ControlFlow::Continue(())
                })
            });
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "{name} {how}: {read:?}");
        }
    }
    // Before the record the same files are nobody's.
    for how in ["missing", "short", "empty", "flipped"] {
        let path = crashes.directory.path().join(format!("unrecorded-{how}"));
        copy(&crashes.copies[RECORDED - 1], &path);
        spoil(&path.join("incoming/objects.sst"), how);
        assert!(!is_loaded(&RocksStore::open(&path).unwrap()));
    }
}

#[test]
fn a_copy_made_after_a_load_holds_it() {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("data")).unwrap();
    let mut batch = head("before");
    batch.put(Family::Log, b"before", b"1");
    store.write(batch).unwrap();
    store.load(&mut rows, head("loaded")).unwrap();
    store.checkpoint(&directory.path().join("copy")).unwrap();
    assert!(is_loaded(&RocksStore::open_read_only(&directory.path().join("copy")).unwrap()));
}

/// The disk fills up while the files are written: the load fails, the store says so, and a restart has nothing of it.
#[test]
fn a_load_that_cannot_be_staged_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let store = RocksStore::open(&data).unwrap();
    let mut batch = head("before");
    batch.put(Family::Log, b"before", b"1");
    store.write(batch).unwrap();
    // A file in the place of the folder.
    fs::write(data.join("incoming"), b"").unwrap();
    let error = store.load(&mut rows, head("loaded")).unwrap_err();
    assert!(matches!(&error, StoreError::Failed { operation: "write", .. }), "{error:?}");
    assert!(matches!(store.write(head("later")), Err(StoreError::Refused { .. })));
    drop(store);
    fs::remove_file(data.join("incoming")).unwrap();
    assert!(!is_loaded(&RocksStore::open(&data).unwrap()));
}
