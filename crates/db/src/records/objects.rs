//! Object names: (type, ordinal) -> id.

use std::ops::ControlFlow;

use pemba_engine::{Ordinal, TypeId};

use super::{RecordError, codec, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Objects;
const VERSION: u8 = 1;

/// The key of an object; keys sort by type, then ordinal.
pub fn key(object_type: TypeId, ordinal: Ordinal) -> [u8; 12] {
    key::join([&key::PREFIX, &object_type.0.to_be_bytes(), &ordinal.0.to_be_bytes()])
}

/// The object of a key.
pub fn decode_key(bytes: &[u8]) -> Result<(TypeId, Ordinal), RecordError> {
    read_key(bytes).ok_or_else(|| RecordError::damaged(FAMILY, bytes, "key is not that of an object"))
}

fn read_key(bytes: &[u8]) -> Option<(TypeId, Ordinal)> {
    let mut reader = key::KeyReader::new(bytes)?;
    let object = (TypeId(reader.number_u32()?), Ordinal(reader.number_u32()?));
    reader.end(object)
}

/// Records an object's id.
pub fn put(batch: &mut Batch, object_type: TypeId, ordinal: Ordinal, object_id: &str) {
    batch.put(FAMILY, key(object_type, ordinal), encode(object_id));
}

/// The value of an object.
pub fn encode(object_id: &str) -> Vec<u8> {
    codec::encode_text(VERSION, object_id)
}

/// The id of an object.
pub fn get(store: &dyn Store, object_type: TypeId, ordinal: Ordinal) -> Result<Option<String>, RecordError> {
    let key = key(object_type, ordinal);
    store.get(FAMILY, &key)?.map(|value| decode(&key, &value).map(str::to_owned)).transpose()
}

/// The id in a value.
pub fn decode<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a str, RecordError> {
    codec::decode_text(VERSION, value).map_err(|reason| RecordError::damaged(FAMILY, key, reason))
}

/// Visits every object by type, then ordinal; the visitor's first error ends it.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(TypeId, Ordinal, &str) -> Result<(), E>,
) -> Result<(), E> {
    scan(store, FAMILY, &key::PREFIX, &key::PREFIX_END, |key, value| {
        let (object_type, ordinal) = decode_key(key)?;
        visit(object_type, ordinal, decode(key, value)?)?;
        Ok(ControlFlow::Continue(()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::generate;
    use super::*;
    use crate::store::MemoryStore;

    proptest! {
        #[test]
        fn keys_round_trip_in_order(
            a in (generate::number(), generate::number()),
            b in (generate::number(), generate::number()),
        ) {
            let [key_a, key_b] = [a, b].map(|(object_type, ordinal)| key(TypeId(object_type), Ordinal(ordinal)));
            prop_assert_eq!(decode_key(&key_a).unwrap(), (TypeId(a.0), Ordinal(a.1)));
            prop_assert_eq!(key_a.cmp(&key_b), a.cmp(&b));
        }

        #[test]
        fn names_round_trip(name in "\\PC{0,200}", number in generate::number()) {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            put(&mut batch, TypeId(1), Ordinal(number), &name);
            store.write(batch).unwrap();
            prop_assert_eq!(get(&store, TypeId(1), Ordinal(number)).unwrap(), Some(name));
            prop_assert_eq!(get(&store, TypeId(2), Ordinal(number)).unwrap(), None);
        }
    }

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(key(TypeId(1), Ordinal(0x0203)), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 3]);
        let mut batch = Batch::new();
        put(&mut batch, TypeId(0), Ordinal(0), "alice");
        let op = batch.ops().next().unwrap();
        let expected =
            crate::store::BatchOp::Put { family: Family::Objects, key: &[0; 12], value: b"\x01alice" };
        assert_eq!(op, expected);
    }

    #[test]
    fn visits_by_type_then_ordinal_and_stops_at_the_visitors_error() {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for (object_type, ordinal) in [(1, 0), (0, 256), (0, 1)] {
            put(&mut batch, TypeId(object_type), Ordinal(ordinal), &format!("{object_type}-{ordinal}"));
        }
        store.write(batch).unwrap();
        let mut found = Vec::new();
        each(&store, |_, _, name| {
            found.push(name.to_owned());
            Ok::<_, RecordError>(())
        })
        .unwrap();
        assert_eq!(found, ["0-1", "0-256", "1-0"]);
        let mut visited = 0;
        let stopped = each(&store, |_, _, _| {
            visited += 1;
            Err(RecordError::ContextTooDeep { max: 1 })
        });
        assert_eq!((stopped, visited), (Err(RecordError::ContextTooDeep { max: 1 }), 1));
    }
}
