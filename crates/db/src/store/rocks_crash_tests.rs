//! The store on disk after its process or its disk gave way: whole batches, and every acknowledged one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::suite::entries;
use super::{Batch, Family, RocksStore, Store, StoreError};

/// Batches of two keys in two families, so that half a batch shows.
fn write(store: &dyn Store, number: u32) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    let value = vec![u8::try_from(number % 251).unwrap(); 100];
    batch.put(Family::Log, number.to_be_bytes(), &value).put(Family::Objects, number.to_be_bytes(), &value);
    store.write(batch)
}

/// How many batches are there; they must be the first ones, each whole.
fn whole_batches(store: &dyn Store) -> u32 {
    let log = entries(store, Family::Log, b"", None);
    assert_eq!(log, entries(store, Family::Objects, b"", None), "half a batch");
    let count = u32::try_from(log.len()).unwrap();
    for (number, (key, value)) in (0..count).zip(&log) {
        assert_eq!(key, &number.to_be_bytes(), "a batch in between is missing");
        assert_eq!(value, &vec![u8::try_from(number % 251).unwrap(); 100]);
    }
    count
}

/// Copies a directory as a power loss would find it: the store is still open.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The write-ahead log with contents.
fn wal(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory.join("rocks")).unwrap();
    let logs = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    logs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn torn_end_of_the_log_loses_only_the_last_batches_each_as_a_whole() {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("store")).unwrap();
    let mut ends = Vec::new();
    for number in 0..12 {
        write(&store, number).unwrap();
        ends.push(fs::metadata(wal(&directory.path().join("store"))).unwrap().len());
    }
    let size = *ends.last().unwrap();
    let crashed = directory.path().join("crashed");
    copy(&directory.path().join("store"), &crashed);
    for cut in 0..40 {
        let len = size - cut * 37;
        let attempt = directory.path().join(format!("cut-{cut}"));
        copy(&crashed, &attempt);
        fs::OpenOptions::new().write(true).open(wal(&attempt)).unwrap().set_len(len).unwrap();
        let expected = ends.iter().filter(|end| **end <= len).count();
        let reopened = RocksStore::open(&attempt).unwrap();
        assert_eq!(
            usize::try_from(whole_batches(&reopened)).unwrap(),
            expected,
            "log cut to {len} of {size} bytes"
        );
        fs::remove_dir_all(&attempt).ok();
    }
}

#[test]
fn flipped_byte_inside_the_log_is_damage_not_a_shorter_history() {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("store")).unwrap();
    for number in 0..12 {
        write(&store, number).unwrap();
    }
    let size = fs::metadata(wal(&directory.path().join("store"))).unwrap().len();
    for part in 1..8 {
        let attempt = directory.path().join(format!("flip-{part}"));
        copy(&directory.path().join("store"), &attempt);
        let path = wal(&attempt);
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(size * part / 8).unwrap()] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        let error = RocksStore::open(&attempt).err().unwrap();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }
}

const OTHER_PROCESS: &str = "PEMBA_TEST_LIMITED_DIRECTORY";

/// A real failure of the file system: a process that may not write files above a size.
#[test]
fn failed_write_is_reported_remembered_and_recovered_from() {
    if let Some(path) = std::env::var_os(OTHER_PROCESS) {
        write_until_it_fails(Path::new(&path));
        return;
    }
    let directory = TempDir::new().unwrap();
    drop(RocksStore::open(directory.path()).unwrap());
    let name = "store::rocks_crash_tests::failed_write_is_reported_remembered_and_recovered_from";
    // The signal that would end the process is ignored, so that the write call fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 500; exec \"$0\" --exact \"$1\" --nocapture";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(OTHER_PROCESS, directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{child:?}");
    let acknowledged: u32 =
        output.lines().find_map(|line| line.rsplit_once("acknowledged ")?.1.parse().ok()).unwrap();
    assert!(acknowledged > 100, "{output}");
    let store = RocksStore::open(directory.path()).unwrap();
    let found = whole_batches(&store);
    assert!(found == acknowledged || found == acknowledged + 1, "{found} of {acknowledged}");
    write(&store, found).unwrap();
    assert_eq!(whole_batches(&store), found + 1);
}

fn write_until_it_fails(path: &Path) {
    let store = RocksStore::open(path).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match write(&store, acknowledged) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    println!("acknowledged {acknowledged}");
    assert!(matches!(&error, StoreError::Failed { operation: "write", .. }), "{error:?}");
    let refused = write(&store, acknowledged).unwrap_err();
    assert!(matches!(&refused, StoreError::Refused { cause } if *cause == error.to_string()), "{refused:?}");
    assert!(matches!(store.checkpoint(&path.join("copy")), Err(StoreError::Refused { .. })));
    assert_eq!(whole_batches(&store), acknowledged, "reads go on");
}
