//! The store on disk after its process or its disk gave way: whole batches, and every acknowledged one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::journal_record::{HEADER_BYTES, Header, Record};
use super::suite::entries;
use super::{Batch, Family, RocksStore, Store, StoreError};

/// Batches of two keys in two families, so that half a batch shows.
pub(super) fn write_sized(store: &dyn Store, number: u32, len: usize) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    let value = vec![u8::try_from(number % 251).unwrap(); len];
    batch.put(Family::Log, number.to_be_bytes(), &value).put(Family::Objects, number.to_be_bytes(), &value);
    store.write(batch)
}

pub(super) fn write(store: &dyn Store, number: u32) -> Result<(), StoreError> {
    write_sized(store, number, 100)
}

/// How many batches are there; they must be the first ones, each whole.
pub(super) fn whole_batches(store: &dyn Store) -> u32 {
    let log = entries(store, Family::Log, b"", None);
    assert!(log == entries(store, Family::Objects, b"", None), "half a batch");
    let count = u32::try_from(log.len()).unwrap();
    for (number, (key, value)) in (0..count).zip(&log) {
        assert_eq!(key, &number.to_be_bytes(), "a batch in between is missing");
        assert!(!value.is_empty() && value.iter().all(|byte| u32::from(*byte) == number % 251));
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

/// The journal's segment that is written to.
pub(super) fn newest_segment(directory: &Path) -> PathBuf {
    let segments = ["journal/0.journal", "journal/1.journal"].map(|name| directory.join(name));
    segments.into_iter().max_by_key(|path| Header::decode(&fs::read(path).unwrap()).unwrap().first).unwrap()
}

/// The records of a segment.
pub(super) fn records(segment: &Path) -> Vec<Record> {
    let bytes = fs::read(segment).unwrap();
    let id = Header::decode(&bytes).unwrap().id;
    let (mut at, mut found) = (HEADER_BYTES, Vec::new());
    while let Some(record) = Record::decode(&bytes, at, id) {
        at = record.end;
        found.push(record);
    }
    found
}

/// Overwrites bytes of a segment.
pub(super) fn overwrite(segment: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(segment).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    fs::write(segment, bytes).unwrap();
}

#[test]
fn torn_end_of_the_journal_loses_only_the_last_batches_each_as_a_whole() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("store");
    let store = RocksStore::open(&data).unwrap();
    for number in 0..12 {
        write(&store, number).unwrap();
    }
    let crashed = directory.path().join("crashed");
    copy(&data, &crashed);
    let records = records(&newest_segment(&crashed));
    assert_eq!(records.len(), 12);
    let size = records.last().unwrap().payload.end;
    for cut in 0..20 {
        let len = size - cut * 67;
        let expected = records.iter().filter(|record| record.payload.end <= len).count();
        for is_short in [true, false] {
            let attempt = directory.path().join(format!("cut-{cut}-{is_short}"));
            copy(&crashed, &attempt);
            let segment = newest_segment(&attempt);
            if is_short {
                let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
                file.set_len(u64::try_from(len).unwrap()).unwrap();
            } else {
                overwrite(&segment, len, &vec![0; size - len]);
            }
            let reopened = RocksStore::open(&attempt).unwrap();
            let found = whole_batches(&reopened);
            assert_eq!(usize::try_from(found).unwrap(), expected, "journal cut to {len} of {size} bytes");
            // The next crash finds the torn record behind what recovery went on with.
            write(&reopened, found).unwrap();
            let again = directory.path().join("again");
            copy(&attempt, &again);
            assert_eq!(whole_batches(&RocksStore::open(&again).unwrap()), found + 1);
            fs::remove_dir_all(&again).unwrap();
            fs::remove_dir_all(&attempt).unwrap();
        }
    }
}

#[test]
fn flipped_byte_inside_the_journal_is_damage_not_a_shorter_history() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("store");
    let store = RocksStore::open(&data).unwrap();
    for number in 0..12 {
        write(&store, number).unwrap();
    }
    let records = records(&newest_segment(&data));
    for (number, record) in records.iter().enumerate() {
        let start = record.payload.start - 24;
        for at in [start, start + 4, start + 9, start + 15, start + 20, record.payload.end - 1] {
            let attempt = directory.path().join(format!("flip-{at}"));
            copy(&data, &attempt);
            let segment = newest_segment(&attempt);
            let byte = fs::read(&segment).unwrap()[at];
            overwrite(&segment, at, &[byte ^ 0x55]);
            match RocksStore::open(&attempt) {
                // Nothing tells the last one from one that was never finished.
                Ok(store) => assert_eq!((number, whole_batches(&store)), (11, 11)),
                Err(error) => {
                    assert!(number < 11 && matches!(error, StoreError::Damaged { .. }), "{error:?}");
                }
            }
            fs::remove_dir_all(&attempt).unwrap();
        }
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
    let script = "trap '' XFSZ; ulimit -f 1200; exec \"$0\" --exact \"$1\" --nocapture";
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
