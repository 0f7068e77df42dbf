//! The store on disk: the shared suite, what may be opened, and copies.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::suite::entries;
use super::{Batch, Family, RocksStore, Store, StoreError};

fn new_store() -> (RocksStore, TempDir) {
    let directory = TempDir::new().unwrap();
    (RocksStore::open(directory.path()).unwrap(), directory)
}

super::suite::suite!(new_store());

fn put(store: &dyn Store, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(Family::Log, key, value);
    store.write(batch).unwrap();
}

fn refusal(path: &Path) -> StoreError {
    RocksStore::open(path).err().unwrap()
}

/// Every file below a directory, with its contents.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn everything_is_there_after_reopening() {
    let (store, directory) = new_store();
    for family in Family::ALL {
        let mut batch = Batch::new();
        batch.put(family, b"key", family.name());
        store.write(batch).unwrap();
    }
    drop(store);
    let store = RocksStore::open(directory.path()).unwrap();
    for family in Family::ALL {
        assert_eq!(store.get(family, b"key").unwrap().as_deref(), Some(family.name().as_bytes()));
    }
    assert!(store.statistics().disk_bytes > 0);
}

#[test]
fn missing_directories_are_made_and_what_a_file_system_puts_there_is_ignored() {
    let directory = TempDir::new().unwrap();
    let nested = directory.path().join("a/b");
    drop(RocksStore::open(&nested).unwrap());
    let mounted = directory.path().join("mounted");
    fs::create_dir_all(mounted.join("lost+found")).unwrap();
    drop(RocksStore::open(&mounted).unwrap());
    drop(RocksStore::open(&mounted).unwrap());
}

#[test]
fn foreign_directory_is_refused_untouched() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("thesis.txt"), "years of work").unwrap();
    let before = contents(directory.path());
    let error = refusal(directory.path());
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`thesis.txt`") && text.contains("name an empty directory"), "{text}");
    assert_eq!(contents(directory.path()), before);

    // A file of the right name with the wrong contents makes no store.
    fs::write(directory.path().join("pemba.format"), "something else").unwrap();
    let before = contents(directory.path());
    assert!(matches!(refusal(directory.path()), StoreError::Foreign { .. }));
    assert_eq!(contents(directory.path()), before);
    // A file in place of the directory.
    let error = refusal(&directory.path().join("thesis.txt"));
    assert!(matches!(error, StoreError::Failed { operation: "open", .. }), "{error}");
}

#[test]
fn rocksdb_of_something_else_is_refused_untouched() {
    let directory = TempDir::new().unwrap();
    drop(rocksdb::DB::open_default(directory.path()).unwrap());
    let before = contents(directory.path());
    assert!(matches!(refusal(directory.path()), StoreError::Foreign { .. }));
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn unknown_format_is_refused_untouched() {
    let (store, directory) = new_store();
    put(&store, b"a", b"");
    drop(store);
    fs::write(directory.path().join("pemba.format"), "pemba data directory, format 7\n").unwrap();
    let before = contents(directory.path());
    let error = refusal(directory.path());
    let expected = StoreError::UnknownFormat { found: 7, supported: 3 };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("open it with the version of Pemba that wrote it"), "{error}");
    assert_eq!(contents(directory.path()), before);
}

/// A folder as builds of the first format left it: six families, none for documents.
fn first_format() -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let families = ["meta", "catalog", "objects", "relationships", "log", "schema"];
    let db = rocksdb::DB::open_cf(&options, directory.path().join("rocks"), families).unwrap();
    for family in families {
        db.put_cf(db.cf_handle(family).unwrap(), b"key", family).unwrap();
    }
    drop(db);
    fs::write(directory.path().join("pemba.format"), "pemba data directory, format 1\n").unwrap();
    directory
}

#[test]
fn folder_of_the_first_format_is_read_as_it_is() {
    let directory = first_format();
    let marker = || fs::read_to_string(directory.path().join("pemba.format")).unwrap();
    let store = RocksStore::open_read_only(directory.path()).unwrap();
    assert_eq!(store.get(Family::Schema, b"key").unwrap().as_deref(), Some(&b"schema"[..]));
    assert_eq!(store.get(Family::Documents, b"key").unwrap(), None);
    assert!(entries(&store, Family::Documents, b"", None).is_empty());
    drop(store);
    assert_eq!(marker(), "pemba data directory, format 1\n");
}

#[test]
fn folder_of_the_first_format_is_raised_when_it_is_opened() {
    let directory = first_format();
    let marker = || fs::read_to_string(directory.path().join("pemba.format")).unwrap();
    let store = RocksStore::open(directory.path()).unwrap();
    assert_eq!(marker(), "pemba data directory, format 3\n");
    let mut batch = Batch::new();
    batch.put(Family::Documents, b"key", b"documents");
    store.write(batch).unwrap();
    drop(store);
    // A crash before the marker was replaced leaves the family, the journal and the old marker.
    for marker in ["pemba data directory, format 2\n", "pemba data directory, format 1\n"] {
        fs::write(directory.path().join("pemba.format"), marker).unwrap();
        let store = RocksStore::open(directory.path()).unwrap();
        for family in Family::ALL {
            assert_eq!(store.get(family, b"key").unwrap().as_deref(), Some(family.name().as_bytes()));
        }
    }
}

#[test]
fn folder_of_a_later_format_without_what_that_added_is_damaged() {
    for format in [2, 3] {
        let directory = first_format();
        let marker = format!("pemba data directory, format {format}\n");
        fs::write(directory.path().join("pemba.format"), marker).unwrap();
        let error = refusal(directory.path());
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}

#[test]
fn marker_is_frozen() {
    let (store, directory) = new_store();
    let marker = || fs::read_to_string(directory.path().join("pemba.format")).unwrap();
    assert_eq!(marker(), "pemba data directory, format 3, new\n");
    put(&store, b"a", b"");
    assert_eq!(marker(), "pemba data directory, format 3\n");
}

#[test]
fn creation_that_was_cut_short_is_taken_up_again() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("pemba.format.tmp"), "pemba da").unwrap();
    drop(RocksStore::open(directory.path()).unwrap());
    // Never written to: RocksDB's files may be missing in part.
    fs::remove_dir_all(directory.path().join("rocks")).unwrap();
    let store = RocksStore::open(directory.path()).unwrap();
    put(&store, b"a", b"1");
    drop(store);
    // Written to: they may not.
    fs::remove_dir_all(directory.path().join("rocks")).unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("restore the data directory from a backup"), "{error}");
    assert!(!directory.path().join("rocks/CURRENT").exists(), "an empty database in place of a lost one");
}

/// Runs a test of this binary in another process, which knows its part by the variable.
fn run_in_another_process(test: &str, directory: &Path) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(OTHER_PROCESS, directory)
        .output()
        .unwrap()
}

const OTHER_PROCESS: &str = "PEMBA_TEST_OTHER_PROCESS_DIRECTORY";

#[test]
fn second_opening_is_refused_in_this_and_in_another_process() {
    if let Some(path) = std::env::var_os(OTHER_PROCESS) {
        let error = refusal(Path::new(&path));
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
        return;
    }
    let (store, directory) = new_store();
    put(&store, b"a", b"1");
    let error = refusal(directory.path());
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let name = "store::rocks_tests::second_opening_is_refused_in_this_and_in_another_process";
    let other = run_in_another_process(name, directory.path());
    let output = String::from_utf8_lossy(&other.stdout);
    assert!(other.status.success() && output.contains("1 passed"), "{other:?}");
    put(&store, b"b", b"2");
    drop(store);
    let store = RocksStore::open(directory.path()).unwrap();
    assert_eq!(entries(&store, Family::Log, b"", None).len(), 2);
}

#[test]
fn copy_is_whole_and_independent() {
    let (store, directory) = new_store();
    put(&store, b"a", b"1");
    let copy = directory.path().join("backups/today");
    store.checkpoint(&copy).unwrap();
    put(&store, b"b", b"2");
    let read_only = RocksStore::open_read_only(&copy).unwrap();
    assert_eq!(entries(&read_only, Family::Log, b"", None), [(b"a".to_vec(), b"1".to_vec())]);
    let error = read_only.write(Batch::new()).unwrap_err();
    assert_eq!(error, StoreError::Unsupported { store: "read-only", operation: "write" });
    drop(read_only);
    let restored = RocksStore::open(&copy).unwrap();
    put(&restored, b"c", b"3");
    assert_eq!(entries(&restored, Family::Log, b"", None).len(), 2);
    assert_eq!(entries(&store, Family::Log, b"", None).len(), 2);
    assert_eq!(store.get(Family::Log, b"c").unwrap(), None);
}

#[test]
fn copy_goes_only_into_an_empty_directory_and_an_unfinished_one_is_no_store() {
    let (store, directory) = new_store();
    put(&store, b"a", b"1");
    let error = store.checkpoint(directory.path()).unwrap_err();
    assert!(error.to_string().contains("must be absent or empty"), "{error}");
    let copy = directory.path().join("copy");
    store.checkpoint(&copy).unwrap();
    assert!(store.checkpoint(&copy).is_err());
    fs::remove_file(copy.join("pemba.format")).unwrap();
    assert!(matches!(refusal(&copy), StoreError::Foreign { .. }));
    assert!(RocksStore::open_read_only(&copy).is_err());
    assert!(RocksStore::open_read_only(&directory.path().join("absent")).is_err());
    assert!(!directory.path().join("absent").exists());
}

#[test]
fn copy_of_a_new_store_is_a_new_store() {
    let (store, directory) = new_store();
    let copy = directory.path().join("copy");
    store.checkpoint(&copy).unwrap();
    put(&RocksStore::open(&copy).unwrap(), b"a", b"1");
    let copied = RocksStore::open(&copy).unwrap();
    assert_eq!(entries(&copied, Family::Log, b"", None).len(), 1);
}

#[test]
fn copies_made_during_writes_hold_whole_batches() {
    let (store, directory) = new_store();
    put(&store, b"a", b"");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u32..200 {
                let mut batch = Batch::new();
                batch.put(Family::Log, b"n", number.to_be_bytes());
                batch.put(Family::Objects, b"n", number.to_be_bytes());
                store.write(batch).unwrap();
            }
        });
        for number in 0..3 {
            let copy = directory.path().join(format!("copy-{number}"));
            store.checkpoint(&copy).unwrap();
            let copy = RocksStore::open_read_only(&copy).unwrap();
            assert_eq!(copy.get(Family::Log, b"n").unwrap(), copy.get(Family::Objects, b"n").unwrap());
        }
    });
}

#[test]
fn scan_of_one_family_does_not_see_later_writes() {
    let (store, _directory) = new_store();
    put(&store, b"a", b"");
    put(&store, b"c", b"");
    let mut seen = 0;
    store
        .scan(Family::Log, b"", None, &mut |_, _| {
            if seen == 0 {
                put(&store, b"b", b"");
            }
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 2);
    assert_eq!(entries(&store, Family::Log, b"", None).len(), 3);
}
