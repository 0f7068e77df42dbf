//! What a store is: its format, the identity of its database, and how far it has come.

use std::ops::ControlFlow;

use pemba_model::{Revision, Timestamp};

use super::codec::{self, BorrowDecode, Encode};
use super::stored::StoredTime;
use super::{RecordError, key};
use crate::store::{Batch, Family, Store, StoreError};

const FAMILY: Family = Family::Meta;
const VERSION: u8 = 1;
/// A head that counts documents.
const VERSION_DOCUMENTS: u8 = 2;

/// The version of everything in the store: families, keys, values. A build writes exactly one.
pub const FORMAT_VERSION: u64 = FORMAT_JOURNAL;
/// The oldest version that is read. A store that is opened for writing is raised to `FORMAT_VERSION`; what it holds stays as
/// it is.
pub const FORMAT_VERSION_MIN: u64 = 1;
/// The first version with documents.
pub const FORMAT_DOCUMENTS: u64 = 2;
/// The first version in which writes go into a journal first.
pub const FORMAT_JOURNAL: u64 = 3;

const FORMAT: &[u8] = b"format";
const DATABASE_ID: &[u8] = b"database_id";
const HEAD: &[u8] = b"head";

/// The last committed revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub revision: Revision,
    /// When it was committed.
    pub time: Timestamp,
    /// How many relationships there are at it, expired ones included; recovery compares it with what it finds.
    pub relationships: u64,
    /// How many documents there are at it; likewise.
    pub documents: u64,
}

/// What a store says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The database's identity, chosen at random when it was made; tokens carry it.
    pub database_id: u64,
    /// How far it has come.
    pub head: Head,
    /// The version it is written in, from `FORMAT_VERSION_MIN` to `FORMAT_VERSION`.
    pub format: u64,
}

#[derive(Encode, BorrowDecode)]
struct StoredHead {
    revision: u64,
    time: StoredTime,
    relationships: u64,
}

#[derive(Encode, BorrowDecode)]
struct StoredDocumentsHead {
    head: StoredHead,
    documents: u64,
}

fn key(name: &[u8]) -> Vec<u8> {
    [key::PREFIX.as_slice(), name].concat()
}

/// Makes a new store a database's.
pub fn initialize(batch: &mut Batch, database_id: u64, head: Head) -> Result<(), RecordError> {
    batch.put(FAMILY, key(FORMAT), FORMAT_VERSION.to_be_bytes());
    batch.put(FAMILY, key(DATABASE_ID), encode(VERSION, &database_id)?);
    put_head(batch, head)
}

/// Raises a store to `FORMAT_VERSION`.
pub fn upgrade(batch: &mut Batch, head: Head) -> Result<(), RecordError> {
    batch.put(FAMILY, key(FORMAT), FORMAT_VERSION.to_be_bytes());
    put_head(batch, head)
}

/// Moves the head.
pub fn put_head(batch: &mut Batch, head: Head) -> Result<(), RecordError> {
    let stored = StoredHead {
        revision: head.revision.0,
        time: StoredTime::of(head.time),
        relationships: head.relationships,
    };
    let stored = StoredDocumentsHead { head: stored, documents: head.documents };
    batch.put(FAMILY, key(HEAD), encode(VERSION_DOCUMENTS, &stored)?);
    Ok(())
}

fn decode_head(value: &[u8]) -> Result<Head, String> {
    let (stored, documents) = if value.first() == Some(&VERSION_DOCUMENTS) {
        let stored: StoredDocumentsHead = codec::decode(VERSION_DOCUMENTS, value)?;
        (stored.head, stored.documents)
    } else {
        (codec::decode::<StoredHead>(VERSION, value)?, 0)
    };
    Ok(Head {
        revision: Revision(stored.revision),
        time: stored.time.read()?,
        relationships: stored.relationships,
        documents,
    })
}

/// What the store says about itself; `None` if it is new, that is, wholly empty. A format this build does not know is
/// `StoreError::UnknownFormat`; anything else in its place is damage. Nothing is written.
pub fn read(store: &dyn Store) -> Result<Option<Meta>, RecordError> {
    let format_key = key(FORMAT);
    let Some(format) = store.get(FAMILY, &format_key)? else {
        return match first_entry(store)? {
            None => Ok(None),
            Some(family) => Err(RecordError::damaged(
                FAMILY,
                &format_key,
                format!("it is missing although `{}` has entries", family.name()),
            )),
        };
    };
    let format = <[u8; 8]>::try_from(format.as_slice())
        .map(u64::from_be_bytes)
        .map_err(|_| RecordError::damaged(FAMILY, &format_key, "value is not a number of 8 bytes"))?;
    if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&format) {
        return Err(StoreError::UnknownFormat { found: format, supported: FORMAT_VERSION }.into());
    }
    let database_id = required(store, DATABASE_ID, |value| codec::decode(VERSION, value))?;
    let head = required(store, HEAD, decode_head)?;
    Ok(Some(Meta { database_id, head, format }))
}

/// A family that has an entry.
fn first_entry(store: &dyn Store) -> Result<Option<Family>, RecordError> {
    for family in Family::ALL {
        let mut found = false;
        store.scan(family, &[], None, &mut |_, _| {
            found = true;
            ControlFlow::Break(())
        })?;
        if found {
            return Ok(Some(family));
        }
    }
    Ok(None)
}

fn required<T>(
    store: &dyn Store,
    name: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, RecordError> {
    let key = key(name);
    let value = store.get(FAMILY, &key)?;
    let value = value.ok_or_else(|| RecordError::damaged(FAMILY, &key, "it is missing"))?;
    decode(&value).map_err(|reason| RecordError::damaged(FAMILY, &key, reason))
}

fn encode<T: Encode>(version: u8, value: &T) -> Result<Vec<u8>, RecordError> {
    codec::encode(version, value).map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::generate;
    use super::*;
    use crate::store::{BatchOp, FaultyStore, MemoryStore};

    fn example() -> Meta {
        let head = Head {
            revision: Revision(300),
            time: Timestamp::new(1_700_000_000, 7).unwrap(),
            relationships: 70_000,
            documents: 5,
        };
        Meta { database_id: 0x0102_0304_0506_0708, head, format: FORMAT_VERSION }
    }

    fn initialized() -> MemoryStore {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        initialize(&mut batch, example().database_id, example().head).unwrap();
        store.write(batch).unwrap();
        store
    }

    proptest! {
        #[test]
        fn round_trips(
            (database_id, revision) in any::<(u64, u64)>(),
            time in generate::instant(),
            (relationships, documents) in any::<(u64, u64)>(),
        ) {
            let store = initialized();
            let head = Head { revision: Revision(revision), time, relationships, documents };
            let mut batch = Batch::new();
            initialize(&mut batch, database_id, head).unwrap();
            store.write(batch).unwrap();
            prop_assert_eq!(read(&store).unwrap(), Some(Meta { database_id, head, format: FORMAT_VERSION }));
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut batch = Batch::new();
        initialize(&mut batch, example().database_id, example().head).unwrap();
        let put = |key, value| BatchOp::Put { family: Family::Meta, key, value };
        let expected = [
            put(&b"\0\0\0\0format"[..], &[0, 0, 0, 0, 0, 0, 0, 3][..]),
            put(b"\0\0\0\0database_id", &[1, 253, 8, 7, 6, 5, 4, 3, 2, 1]),
            put(b"\0\0\0\0head", &[2, 251, 44, 1, 252, 0, 226, 167, 202, 7, 252, 112, 17, 1, 0, 5]),
        ];
        assert_eq!(Vec::from_iter(batch.ops()), expected);
    }

    #[test]
    fn the_first_format_is_read_and_raised() {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        batch.put(FAMILY, b"\0\0\0\0format", [0, 0, 0, 0, 0, 0, 0, 1]);
        batch.put(FAMILY, b"\0\0\0\0database_id", [1, 253, 8, 7, 6, 5, 4, 3, 2, 1]);
        let head = [1, 251, 44, 1, 252, 0, 226, 167, 202, 7, 252, 112, 17, 1, 0];
        batch.put(FAMILY, b"\0\0\0\0head", head);
        store.write(batch).unwrap();
        let expected = Meta { head: Head { documents: 0, ..example().head }, format: 1, ..example() };
        assert_eq!(read(&store).unwrap(), Some(expected));
        let mut batch = Batch::new();
        upgrade(&mut batch, example().head).unwrap();
        store.write(batch).unwrap();
        assert_eq!(read(&store).unwrap(), Some(example()));
    }

    #[test]
    fn new_store_has_none_and_an_unknown_format_is_refused() {
        assert_eq!(read(&MemoryStore::new()).unwrap(), None);
        let store = initialized();
        assert_eq!(read(&store).unwrap(), Some(example()));
        let mut batch = Batch::new();
        batch.put(FAMILY, key(FORMAT), 99_u64.to_be_bytes());
        store.write(batch).unwrap();
        let refused = StoreError::UnknownFormat { found: 99, supported: FORMAT_VERSION };
        let error = read(&store).unwrap_err();
        assert_eq!(error, RecordError::Store(refused));
        let text = error.to_string();
        assert!(
            text.contains("`99`") && text.contains("open it with the version of Pemba that wrote it"),
            "{text}"
        );
    }

    #[test]
    fn missing_parts_are_damage_not_a_new_store() {
        for name in [FORMAT, DATABASE_ID, HEAD] {
            let store = initialized();
            let mut batch = Batch::new();
            batch.delete(FAMILY, key(name));
            store.write(batch).unwrap();
            let error = read(&store).unwrap_err();
            assert!(matches!(error, RecordError::Damaged { .. }), "{error}");
        }
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        batch.put(Family::Relationships, b"k", b"v");
        store.write(batch).unwrap();
        assert!(read(&store).unwrap_err().to_string().contains("`relationships` has entries"));
    }

    #[test]
    fn failing_reads_are_not_a_new_store() {
        let store = FaultyStore::new();
        store.fail_reads(true);
        assert!(matches!(read(&store), Err(RecordError::Store(StoreError::Failed { .. }))));
    }
}
