//! The journal of a store on disk: segments that take turns, and segments that are not what was written.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::rocks_crash_tests::{copy, newest_segment, overwrite, records, whole_batches, write, write_sized};
use super::{RocksStore, Store, StoreError};

const SEGMENTS: [&str; 2] = ["journal/0.journal", "journal/1.journal"];

/// A store that is open with a dozen batches in its journal alone.
fn written() -> (RocksStore, TempDir) {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("data")).unwrap();
    for number in 0..12 {
        write(&store, number).unwrap();
    }
    (store, directory)
}

/// A crash now, spoilt by `spoil`: what opening says then.
fn open_spoilt(directory: &TempDir, spoil: impl FnOnce(&Path)) -> Result<u32, StoreError> {
    let crashed = directory.path().join("crashed");
    fs::remove_dir_all(&crashed).ok();
    copy(&directory.path().join("data"), &crashed);
    spoil(&crashed);
    let read_only = RocksStore::open_read_only(&crashed).map(|store| whole_batches(&store));
    let opened = RocksStore::open(&crashed).map(|store| whole_batches(&store));
    match (&opened, &read_only) {
        (Err(error), read_only) => assert_eq!(read_only.as_ref().unwrap_err(), error),
        (Ok(_), Err(error)) => assert!(error.to_string().contains("start the server once"), "{error}"),
        (Ok(count), Ok(read)) => assert_eq!(count, read),
    }
    opened
}

fn assert_damaged(directory: &TempDir, says: &str, spoil: impl FnOnce(&Path)) {
    let error = open_spoilt(directory, spoil).expect_err(says);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(says) && text.contains("restore the data directory from a backup"), "{text}");
}

#[test]
fn missing_exchanged_and_foreign_segments_are_damage() {
    let (store, directory) = written();
    assert_eq!(open_spoilt(&directory, |_| {}).unwrap(), 12);
    for name in SEGMENTS {
        assert_damaged(&directory, "is missing", |data| fs::remove_file(data.join(name)).unwrap());
        assert_damaged(&directory, "has no valid header", |data| fs::write(data.join(name), b"").unwrap());
        assert_damaged(&directory, "has no valid header", |data| overwrite(&data.join(name), 30, &[0x55]));
        let other = if name == SEGMENTS[0] { SEGMENTS[1] } else { SEGMENTS[0] };
        assert_damaged(&directory, "is in the place of segment", |data| {
            fs::copy(data.join(name), data.join(other)).unwrap();
        });
        let (foreign, elsewhere) = written();
        assert_damaged(&directory, "of another store", |data| {
            fs::copy(elsewhere.path().join("data").join(name), data.join(name)).unwrap();
        });
        drop(foreign);
    }
    assert_damaged(&directory, "segment 0 is missing", |data| {
        fs::remove_dir_all(data.join("journal")).unwrap();
    });
    assert_damaged(&directory, "is in the place of segment", |data| {
        let [first, second] = SEGMENTS.map(|name| data.join(name));
        fs::rename(&first, data.join("aside")).unwrap();
        fs::rename(&second, &first).unwrap();
        fs::rename(data.join("aside"), &second).unwrap();
    });
    assert_eq!(whole_batches(&store), 12);
}

#[test]
fn zeroed_and_earlier_records_are_damage_unless_they_are_the_last() {
    let (_store, directory) = written();
    let records = records(&newest_segment(&directory.path().join("data")));
    for (number, record) in records.iter().enumerate() {
        let (start, end) = (record.payload.start - 24, record.end);
        let zeroed = open_spoilt(&directory, |data| {
            overwrite(&newest_segment(data), start, &vec![0; end - start]);
        });
        let repeated = open_spoilt(&directory, |data| {
            let segment = newest_segment(data);
            let first = &records[0];
            let bytes = fs::read(&segment).unwrap()[first.payload.start - 24..first.end].to_vec();
            overwrite(&segment, start, &bytes[..(end - start).min(bytes.len())]);
        });
        if number == 11 {
            assert_eq!((zeroed.unwrap(), repeated.unwrap()), (11, 11));
        } else {
            assert!(matches!(zeroed, Err(StoreError::Damaged { .. })), "record {number}");
            assert_eq!(repeated.is_ok(), number == 0, "record {number}");
        }
    }
}

#[test]
fn an_older_segment_in_place_of_the_newest_is_damage() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let store = RocksStore::open(&data).unwrap();
    write(&store, 0).unwrap();
    drop(store);
    let older = directory.path().join("older");
    copy(&data, &older);
    // Each start goes on with the other segment.
    let store = RocksStore::open(&data).unwrap();
    write(&store, 1).unwrap();
    drop(store);
    let store = RocksStore::open(&data).unwrap();
    let crashed = directory.path().join("middle");
    write(&store, 2).unwrap();
    copy(&data, &crashed);
    for number in 3..5 {
        write(&store, number).unwrap();
    }
    let name = newest_segment(&data).file_name().unwrap().to_owned();
    // A part of its records: as if the others had never been written.
    fs::copy(crashed.join("journal").join(&name), directory.path().join("part")).unwrap();
    let spoilt = open_spoilt(&directory, |data| {
        fs::copy(directory.path().join("part"), data.join("journal").join(&name)).unwrap();
    });
    assert_eq!(spoilt.unwrap(), 3);
    // One that was written over since, while another segment has what came later.
    drop(store);
    let store = RocksStore::open(&data).unwrap();
    write(&store, 5).unwrap();
    let tables = directory.path().join("tables");
    copy(&crashed.join("rocks"), &tables);
    assert_damaged(&directory, "are missing", |data| {
        fs::copy(older.join("journal").join(&name), data.join("journal").join(&name)).unwrap();
        fs::remove_dir_all(data.join("rocks")).unwrap();
        copy(&tables, &data.join("rocks"));
    });
}

/// Batches of a megabyte, so that segments take turns; a crash after each of some batches, with a torn one behind it.
#[test]
fn segments_take_turns_and_lose_nothing() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let store = RocksStore::open(&data).unwrap();
    let mut firsts = Vec::new();
    for number in 0..60 {
        write_sized(&store, number, 512 * 1024).unwrap();
        let newest = newest_segment(&data);
        let before = fs::read(&newest).unwrap();
        if firsts.last() != Some(&before[24..32].to_vec()) {
            firsts.push(before[24..32].to_vec());
        }
        for name in SEGMENTS {
            let len = fs::metadata(data.join(name)).unwrap().len();
            assert!(len < 18 << 20, "segment of {len} bytes");
        }
        if number % 16 == 1 || number % 16 == 2 {
            assert_eq!(open_spoilt(&directory, |_| {}).unwrap(), number + 1);
            let last = records(&newest).pop().unwrap();
            let torn = open_spoilt(&directory, |data| {
                overwrite(&newest_segment(data), last.payload.end - 100, &[0x55; 40]);
            });
            // Nothing is torn that the tables have already.
            assert!((number..=number + 1).contains(&torn.unwrap()));
        }
    }
    assert!(firsts.len() >= 4, "{} turns", firsts.len());
    assert_eq!(whole_batches(&store), 60);
    drop(store);
    assert_eq!(whole_batches(&RocksStore::open(&data).unwrap()), 60);
}

/// One write that is longer than a segment.
#[test]
fn a_write_may_be_longer_than_a_segment() {
    let directory = TempDir::new().unwrap();
    let store = RocksStore::open(&directory.path().join("data")).unwrap();
    for number in 0..6 {
        write_sized(&store, number, if number % 2 == 0 { 12 << 20 } else { 100 }).unwrap();
        assert_eq!(open_spoilt(&directory, |_| {}).unwrap(), number + 1);
    }
    for number in 6..10 {
        write(&store, number).unwrap();
    }
    assert_eq!(open_spoilt(&directory, |_| {}).unwrap(), 10);
}

/// A start that is cut short has changed nothing that the next one needs.
#[test]
fn a_start_that_is_cut_short_is_repeated() {
    let (_store, directory) = written();
    let crashed = directory.path().join("copied");
    copy(&directory.path().join("data"), &crashed);
    let recovered = RocksStore::open(&crashed).unwrap();
    let journal = directory.path().join("journal");
    copy(&crashed.join("journal"), &journal);
    drop(recovered);
    // The journal of before with tables that have it all, and the journal of after.
    assert_eq!(whole_batches(&RocksStore::open(&crashed).unwrap()), 12);
    for name in ["0.journal", "1.journal"] {
        fs::copy(directory.path().join("data/journal").join(name), crashed.join("journal").join(name))
            .unwrap();
    }
    assert_eq!(whole_batches(&RocksStore::open(&crashed).unwrap()), 12);
}

/// A folder of a build before there was a journal: its last writes are in RocksDB's own log.
#[test]
fn a_folder_without_a_journal_gets_one_and_keeps_what_its_log_holds() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let names = super::Family::ALL.map(super::Family::name);
    let db = rocksdb::DB::open_cf(&options, data.join("rocks"), names).unwrap();
    for number in 0_u32..12 {
        let mut batch = rocksdb::WriteBatch::default();
        for name in ["log", "objects"] {
            let value = [u8::try_from(number).unwrap(); 100];
            batch.put_cf(db.cf_handle(name).unwrap(), number.to_be_bytes(), value);
        }
        db.write(batch).unwrap();
    }
    fs::write(data.join("pemba.format"), "pemba data directory, format 2\n").unwrap();
    assert_eq!(open_spoilt(&directory, |_| {}).unwrap(), 12);
    // A crash right after it was opened, and one after the next write.
    let crashed = directory.path().join("crashed");
    let store = RocksStore::open(&crashed).unwrap();
    let again = directory.path().join("again");
    copy(&crashed, &again);
    assert_eq!(whole_batches(&RocksStore::open(&again).unwrap()), 12);
    fs::remove_dir_all(&again).unwrap();
    write(&store, 12).unwrap();
    copy(&crashed, &again);
    assert_eq!(whole_batches(&RocksStore::open(&again).unwrap()), 13);
    assert_eq!(fs::read_to_string(again.join("pemba.format")).unwrap(), "pemba data directory, format 3\n");
}

/// A copy opens like any store, and wants its journal from then on.
#[test]
fn a_copy_has_a_journal_of_its_own() {
    let (store, directory) = written();
    let copy = directory.path().join("copy");
    store.checkpoint(&copy).unwrap();
    assert_eq!(whole_batches(&RocksStore::open_read_only(&copy).unwrap()), 12);
    for number in 12..14 {
        write(&RocksStore::open(&copy).unwrap(), number).unwrap();
    }
    assert_eq!(whole_batches(&RocksStore::open(&copy).unwrap()), 14);
    assert_eq!(whole_batches(&store), 12);
    fs::remove_dir_all(copy.join("journal")).unwrap();
    let error = RocksStore::open(&copy).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}
