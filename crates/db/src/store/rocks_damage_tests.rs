//! The store on disk when its files are not what was written: an error that says so, never less or other data.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Batch, Family, RocksStore, Store, StoreError};

const ENTRIES: u32 = 20_000;

/// A store whose entries lie in table files, with nothing left in the write-ahead log.
fn store_in_files() -> TempDir {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("original")).unwrap();
    let mut batch = Batch::new();
    for number in 0..ENTRIES {
        batch.put(
            Family::Relationships,
            number.to_be_bytes(),
            number.wrapping_mul(2_654_435_761).to_be_bytes(),
        );
    }
    store.write(batch).unwrap();
    // A copy is flushed first.
    store.checkpoint(&directory.path().join("data")).unwrap();
    directory
}

fn files(directory: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("data/rocks")).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| matches(&path.file_name().unwrap().to_string_lossy()));
    found.sort();
    found
}

fn largest(files: Vec<PathBuf>) -> PathBuf {
    files.into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    let at = usize::try_from(at).unwrap();
    bytes[at] ^= 0x55;
    // The copy shares its table files with the original by hard links: replace, never write into.
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path, len: u64) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Opens and reads everything: how many entries there are, all of them right.
fn read_all(directory: &Path) -> Result<u32, StoreError> {
    let store = RocksStore::open(&directory.join("data"))?;
    let mut count = 0;
    store.scan(Family::Relationships, b"", None, &mut |key, value| {
        let number = u32::from_be_bytes(key.try_into().unwrap());
        assert_eq!(value, number.wrapping_mul(2_654_435_761).to_be_bytes(), "a damaged value was handed out");
        count += 1;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(count)
}

fn assert_damage(directory: &Path, what: &str) {
    let error = read_all(directory).expect_err(what);
    assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error:?}");
    assert!(error.to_string().contains("restore the data directory from a backup"), "{what}: {error}");
}

#[test]
fn undamaged_copy_reads_whole() {
    let directory = store_in_files();
    assert_eq!(read_all(directory.path()).unwrap(), ENTRIES);
}

#[test]
fn flipped_bytes_of_a_table_file_are_noticed() {
    for part in 0..8 {
        let directory = store_in_files();
        let table = largest(files(directory.path(), |name| name.ends_with(".sst")));
        let size = fs::metadata(&table).unwrap().len();
        // From the first data block to the index behind the last.
        flip(&table, size * part / 8 + 7);
        assert_damage(directory.path(), &format!("byte in part {part} of a table file"));
    }
}

#[test]
fn short_and_missing_table_files_are_noticed() {
    for keep in [Some(0), Some(1), Some(5000), None] {
        let directory = store_in_files();
        let table = largest(files(directory.path(), |name| name.ends_with(".sst")));
        match keep {
            Some(len) => truncate(&table, len),
            None => fs::remove_file(&table).unwrap(),
        }
        assert_damage(directory.path(), &format!("table file of which {keep:?} bytes are left"));
    }
}

#[test]
fn damaged_list_of_files_is_noticed() {
    let list = |directory: &TempDir| largest(files(directory.path(), |name| name.starts_with("MANIFEST")));
    let size = fs::metadata(list(&store_in_files())).unwrap().len();
    for at in [0, 20, size / 2, size - 2] {
        let directory = store_in_files();
        flip(&list(&directory), at);
        assert_damage(directory.path(), &format!("byte {at} of {size} of the list of files"));
    }
    for keep in [0, 1, size / 3] {
        let directory = store_in_files();
        truncate(&list(&directory), keep);
        assert_damage(directory.path(), &format!("list of files cut from {size} to {keep} bytes"));
    }
    let directory = store_in_files();
    fs::remove_file(list(&directory)).unwrap();
    assert_damage(directory.path(), "list of files missing");
}

/// A list cut between two of its records looks like an older one. Where that is not noticed, the journal has what is lacking.
#[test]
fn list_of_files_cut_anywhere_is_noticed_or_made_up_for() {
    let list = |directory: &TempDir| largest(files(directory.path(), |name| name.starts_with("MANIFEST")));
    let original = TempDir::new().unwrap();
    let store = RocksStore::open(&original.path().join("data")).unwrap();
    for part in 0..5 {
        let mut batch = Batch::new();
        for number in (0..ENTRIES).filter(|number| number % 5 == part) {
            batch.put(
                Family::Relationships,
                number.to_be_bytes(),
                number.wrapping_mul(2_654_435_761).to_be_bytes(),
            );
        }
        store.write(batch).unwrap();
        store.checkpoint(&original.path().join(format!("flushed-{part}"))).unwrap();
    }
    drop(store);
    let size = fs::metadata(list(&original)).unwrap().len();
    let mut noticed = 0;
    for part in 0..40 {
        let directory = TempDir::new().unwrap();
        super::rocks_crash_tests::copy(&original.path().join("data"), &directory.path().join("data"));
        truncate(&list(&directory), size * part / 40);
        match read_all(directory.path()) {
            Ok(count) => assert_eq!(count, ENTRIES),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
                noticed += 1;
            }
        }
    }
    assert!(noticed >= 25, "{noticed} of 40 cuts were noticed");
}

#[test]
fn damaged_pointer_to_the_list_is_noticed() {
    for contents in [Some(""), Some("MANIFEST-999999\n"), Some("nonsense"), None] {
        let directory = store_in_files();
        let current = directory.path().join("data/rocks/CURRENT");
        fs::remove_file(&current).unwrap();
        if let Some(contents) = contents {
            fs::write(&current, contents).unwrap();
        }
        assert_damage(directory.path(), &format!("CURRENT of {contents:?}"));
    }
}
