//! What a store is: its format, the identity of its database, and how far it has come.

use std::ops::ControlFlow;

use bincode::{BorrowDecode, Encode};
use pemba_model::{Revision, Timestamp};

use super::stored::StoredTime;
use super::{RecordError, codec, key};
use crate::store::{Batch, Family, Store, StoreError};

const FAMILY: Family = Family::Meta;
const VERSION: u8 = 1;

/// The version of everything in the store: families, keys, values. A build reads and writes exactly one.
pub const FORMAT_VERSION: u64 = 1;

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
}

/// What a store says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The database's identity, chosen at random when it was made; tokens carry it.
    pub database_id: u64,
    /// How far it has come.
    pub head: Head,
}

#[derive(Encode, BorrowDecode)]
struct StoredHead {
    revision: u64,
    time: StoredTime,
    relationships: u64,
}

fn key(name: &[u8]) -> Vec<u8> {
    [key::PREFIX.as_slice(), name].concat()
}

/// Makes a new store a database's.
pub fn initialize(batch: &mut Batch, meta: Meta) -> Result<(), RecordError> {
    batch.put(FAMILY, key(FORMAT), FORMAT_VERSION.to_be_bytes());
    batch.put(FAMILY, key(DATABASE_ID), encode(&meta.database_id)?);
    put_head(batch, meta.head)
}

/// Moves the head.
pub fn put_head(batch: &mut Batch, head: Head) -> Result<(), RecordError> {
    let stored = StoredHead {
        revision: head.revision.0,
        time: StoredTime::of(head.time),
        relationships: head.relationships,
    };
    batch.put(FAMILY, key(HEAD), encode(&stored)?);
    Ok(())
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
    if format != FORMAT_VERSION {
        return Err(StoreError::UnknownFormat { found: format, supported: FORMAT_VERSION }.into());
    }
    let database_id = required(store, DATABASE_ID, |value| codec::decode(VERSION, value))?;
    let head = required(store, HEAD, |value| {
        let stored: StoredHead = codec::decode(VERSION, value)?;
        Ok(Head {
            revision: Revision(stored.revision),
            time: stored.time.read()?,
            relationships: stored.relationships,
        })
    })?;
    Ok(Some(Meta { database_id, head }))
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

fn encode<T: Encode>(value: &T) -> Result<Vec<u8>, RecordError> {
    codec::encode(VERSION, value).map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })
}
