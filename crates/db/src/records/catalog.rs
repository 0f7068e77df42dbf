//! Object types and edge kinds by number.

use std::borrow::Cow;
use std::ops::ControlFlow;

use pemba_engine::{Kind, KindId, TypeId};
use pemba_model::SmolStr;
use pemba_schema::SubjectShape;

use super::codec::{self, BorrowDecode, Encode};
use super::{RecordError, key, scan};
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::generate;
    use super::*;
    use crate::store::{BatchOp, MemoryStore};

    fn kind() -> impl Strategy<Value = Kind> {
        let shape = prop_oneof![
            Just(SubjectShape::Direct),
            Just(SubjectShape::Wildcard),
            generate::name().prop_map(SubjectShape::Userset),
        ];
        (generate::number(), generate::name(), generate::number(), shape).prop_map(
            |(resource_type, relation, subject_type, shape)| Kind {
                resource_type: TypeId(resource_type),
                relation,
                subject_type: TypeId(subject_type),
                shape,
            },
        )
    }

    proptest! {
        #[test]
        fn keys_sort_by_number(a in generate::number(), b in generate::number()) {
            prop_assert_eq!(type_key(TypeId(a)).cmp(&type_key(TypeId(b))), a.cmp(&b));
            prop_assert_eq!(kind_key(KindId(a)).cmp(&kind_key(KindId(b))), a.cmp(&b));
            prop_assert!(type_key(TypeId(a)) < kind_key(KindId(b)));
        }

        #[test]
        fn types_and_kinds_round_trip(
            types in prop::collection::btree_map(generate::number(), generate::name(), 0..5),
            kinds in prop::collection::btree_map(generate::number(), kind(), 0..5),
        ) {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            for (number, kind) in &kinds {
                put_kind(&mut batch, KindId(*number), kind).unwrap();
            }
            for (number, name) in &types {
                put_type(&mut batch, TypeId(*number), name);
            }
            store.write(batch).unwrap();
            let (mut found_types, mut found_kinds) = (Vec::new(), Vec::new());
            each_type(&store, |id, name| {
                found_types.push((id.0, SmolStr::new(name)));
                Ok::<_, RecordError>(())
            })
            .unwrap();
            each_kind(&store, |id, kind| {
                found_kinds.push((id.0, kind));
                Ok::<_, RecordError>(())
            })
            .unwrap();
            prop_assert_eq!(found_types, Vec::from_iter(types));
            prop_assert_eq!(found_kinds, Vec::from_iter(kinds));
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut batch = Batch::new();
        put_type(&mut batch, TypeId(2), "user");
        let shapes = [SubjectShape::Direct, SubjectShape::Userset("member".into()), SubjectShape::Wildcard];
        for (number, shape) in (0..).zip(shapes) {
            let kind = Kind {
                resource_type: TypeId(0),
                relation: "viewer".into(),
                subject_type: TypeId(300),
                shape,
            };
            put_kind(&mut batch, KindId(number), &kind).unwrap();
        }
        let put = |key, value| BatchOp::Put { family: Family::Catalog, key, value };
        let expected = [
            put(&[0, 0, 0, 0, 1, 0, 0, 0, 2], &b"\x01user"[..]),
            put(&[0, 0, 0, 0, 2, 0, 0, 0, 0], b"\x01\x00\x06viewer\xfb\x2c\x01\x00"),
            put(&[0, 0, 0, 0, 2, 0, 0, 0, 1], b"\x01\x00\x06viewer\xfb\x2c\x01\x01\x06member"),
            put(&[0, 0, 0, 0, 2, 0, 0, 0, 2], b"\x01\x00\x06viewer\xfb\x2c\x01\x02"),
        ];
        assert_eq!(Vec::from_iter(batch.ops()), expected);
    }

    #[test]
    fn unknown_shape_is_damage() {
        let error = decode_kind(b"", b"\x01\x00\x00\x00\x03").unwrap_err().to_string();
        assert!(error.contains("`catalog`"), "{error}");
    }
}
