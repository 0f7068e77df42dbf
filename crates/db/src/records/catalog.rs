//! Object types and edge kinds by number.

use std::borrow::Cow;
use std::ops::ControlFlow;

use bincode::{BorrowDecode, Encode};
use pemba_engine::{Kind, KindId, TypeId};
use pemba_model::SmolStr;
use pemba_schema::SubjectShape;

use super::{RecordError, codec, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Catalog;
const VERSION: u8 = 1;
const TYPES: u8 = 1;
const KINDS: u8 = 2;

#[derive(Encode, BorrowDecode)]
struct StoredKind<'a> {
    resource_type: u32,
    relation: Cow<'a, str>,
    subject_type: u32,
    shape: StoredShape<'a>,
}

#[derive(Encode, BorrowDecode)]
enum StoredShape<'a> {
    Direct,
    Userset(Cow<'a, str>),
    Wildcard,
}

fn key(table: u8, number: u32) -> [u8; 9] {
    key::join([&key::PREFIX, &[table], &number.to_be_bytes()])
}

/// The key of a type; keys sort by number.
pub fn type_key(id: TypeId) -> [u8; 9] {
    key(TYPES, id.0)
}

/// The key of a kind; keys sort by number, all kinds behind all types.
pub fn kind_key(id: KindId) -> [u8; 9] {
    key(KINDS, id.0)
}

/// Records a type's name.
pub fn put_type(batch: &mut Batch, id: TypeId, name: &str) {
    batch.put(FAMILY, type_key(id), codec::encode_text(VERSION, name));
}

/// Records a kind.
pub fn put_kind(batch: &mut Batch, id: KindId, kind: &Kind) -> Result<(), RecordError> {
    batch.put(FAMILY, kind_key(id), encode_kind(kind)?);
    Ok(())
}

/// Visits every type in order of number; the visitor's first error ends it.
pub fn each_type<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(TypeId, &str) -> Result<(), E>,
) -> Result<(), E> {
    each(store, TYPES, |key, number, value| {
        let name =
            codec::decode_text(VERSION, value).map_err(|reason| RecordError::damaged(FAMILY, key, reason))?;
        visit(TypeId(number), name)
    })
}

/// Visits every kind in order of number; the visitor's first error ends it.
pub fn each_kind<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(KindId, Kind) -> Result<(), E>,
) -> Result<(), E> {
    each(store, KINDS, |key, number, value| visit(KindId(number), decode_kind(key, value)?))
}

fn each<E: From<RecordError>>(
    store: &dyn Store,
    table: u8,
    mut visit: impl FnMut(&[u8], u32, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let from: [u8; 5] = key::join([&key::PREFIX, &[table]]);
    let to: [u8; 5] = key::join([&key::PREFIX, &[table.saturating_add(1)]]);
    scan(store, FAMILY, &from, &to, |key, value| {
        let number = read_key(key).filter(|(found, _)| *found == table).map(|(_, number)| number);
        let number =
            number.ok_or_else(|| RecordError::damaged(FAMILY, key, "key is not that of a type or kind"))?;
        visit(key, number, value)?;
        Ok(ControlFlow::Continue(()))
    })
}

fn read_key(bytes: &[u8]) -> Option<(u8, u32)> {
    let mut reader = key::KeyReader::new(bytes)?;
    let parts = (reader.byte()?, reader.number_u32()?);
    reader.end(parts)
}

fn encode_kind(kind: &Kind) -> Result<Vec<u8>, RecordError> {
    let stored = StoredKind {
        resource_type: kind.resource_type.0,
        relation: Cow::Borrowed(&kind.relation),
        subject_type: kind.subject_type.0,
        shape: match &kind.shape {
            SubjectShape::Direct => StoredShape::Direct,
            SubjectShape::Userset(relation) => StoredShape::Userset(Cow::Borrowed(relation)),
            SubjectShape::Wildcard => StoredShape::Wildcard,
        },
    };
    codec::encode(VERSION, &stored).map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })
}

fn decode_kind(key: &[u8], value: &[u8]) -> Result<Kind, RecordError> {
    let stored: StoredKind<'_> =
        codec::decode(VERSION, value).map_err(|reason| RecordError::damaged(FAMILY, key, reason))?;
    Ok(Kind {
        resource_type: TypeId(stored.resource_type),
        relation: SmolStr::new(&stored.relation),
        subject_type: TypeId(stored.subject_type),
        shape: match stored.shape {
            StoredShape::Direct => SubjectShape::Direct,
            StoredShape::Userset(relation) => SubjectShape::Userset(SmolStr::new(&relation)),
            StoredShape::Wildcard => SubjectShape::Wildcard,
        },
    })
}
