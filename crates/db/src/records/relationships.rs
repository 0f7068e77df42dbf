//! The current relationships: (kind, resource, subject) -> nothing when plain, else caveat and expiry.

use std::ops::ControlFlow;

use pemba_engine::{EdgeKey, KindId, Ordinal};

use super::stored::StoredQualifier;
use super::{Attributes, RecordError, codec, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Relationships;
const VERSION: u8 = 1;

/// The key of an edge; keys sort like edges.
pub fn key(edge: EdgeKey) -> [u8; 16] {
    key::join([
        &key::PREFIX,
        &edge.kind.0.to_be_bytes(),
        &edge.resource.0.to_be_bytes(),
        &edge.subject.0.to_be_bytes(),
    ])
}

/// The edge of a key.
pub fn decode_key(bytes: &[u8]) -> Result<EdgeKey, RecordError> {
    let mut reader = key::KeyReader::new(bytes);
    let mut number = || reader.as_mut()?.number_u32();
    let parts = (number(), number(), number());
    match (parts, reader.and_then(|reader| reader.end(()))) {
        ((Some(kind), Some(resource), Some(subject)), Some(())) => {
            Ok(EdgeKey { kind: KindId(kind), resource: Ordinal(resource), subject: Ordinal(subject) })
        }
        _ => Err(RecordError::damaged(FAMILY, bytes, "key is not that of a relationship")),
    }
}

/// The value of an edge.
pub fn encode(attributes: &Attributes) -> Result<Vec<u8>, RecordError> {
    match attributes {
        None => Ok(Vec::new()),
        Some(qualifier) => codec::encode(VERSION, &StoredQualifier::of(qualifier)?)
            .map_err(|reason| RecordError::Unencodable { family: FAMILY, reason }),
    }
}

/// The attributes of a value; allocates nothing for a plain edge.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Attributes, RecordError> {
    if value.is_empty() {
        return Ok(None);
    }
    codec::decode::<StoredQualifier<'_>>(VERSION, value)
        .and_then(|stored| stored.read())
        .map(Some)
        .map_err(|reason| RecordError::damaged(FAMILY, key, reason))
}

/// Adds or replaces an edge.
pub fn put(batch: &mut Batch, edge: EdgeKey, attributes: &Attributes) -> Result<(), RecordError> {
    batch.put(FAMILY, key(edge), encode(attributes)?);
    Ok(())
}

/// Removes an edge.
pub fn delete(batch: &mut Batch, edge: EdgeKey) {
    batch.delete(FAMILY, key(edge));
}

/// Whether an edge is there, and with what.
pub fn get(store: &dyn Store, edge: EdgeKey) -> Result<Option<Attributes>, RecordError> {
    let key = key(edge);
    store.get(FAMILY, &key)?.map(|value| decode(&key, &value)).transpose()
}

/// Visits every edge in order; the visitor's first error ends it.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(EdgeKey, Attributes) -> Result<(), E>,
) -> Result<(), E> {
    scan(store, FAMILY, &key::PREFIX, &key::PREFIX_END, |key, value| {
        visit(decode_key(key)?, decode(key, value)?)?;
        Ok(ControlFlow::Continue(()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::generate;
    use super::*;
    use crate::store::MemoryStore;

    fn edge(kind: u32, resource: u32, subject: u32) -> EdgeKey {
        EdgeKey { kind: KindId(kind), resource: Ordinal(resource), subject: Ordinal(subject) }
    }

    proptest! {
        #[test]
        fn keys_round_trip_in_order(a in generate::edge(), b in generate::edge()) {
            prop_assert_eq!(decode_key(&key(a)).unwrap(), a);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }

        #[test]
        fn values_round_trip(attributes in generate::attributes()) {
            let value = encode(&attributes).unwrap();
            prop_assert_eq!(value.is_empty(), attributes.is_none());
            prop_assert_eq!(decode(b"", &value).unwrap(), attributes);
        }

        #[test]
        fn damaged_values_are_errors_or_values_never_panics(value in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut versioned = vec![VERSION];
            versioned.extend(&value);
            for bytes in [value, versioned] {
                if let Ok(Some(qualifier)) = decode(b"", &bytes) {
                    prop_assert!(qualifier.caveat.is_some() || qualifier.expires_at.is_some());
                }
            }
        }
    }

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(key(edge(1, 2, 0x0304_0506)), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 3, 4, 5, 6]);
        assert_eq!(encode(&None).unwrap(), b"");
        let mut golden = vec![1, 1, 5];
        golden.extend(b"limit");
        golden.push(30);
        golden.extend(br#"{"max":3,"why":["a",null,0.5]}"#);
        golden.extend([1, 252, 0, 226, 167, 202, 7]);
        assert_eq!(encode(&Some(generate::full_qualifier())).unwrap(), golden);
        assert_eq!(decode(b"", &golden).unwrap(), Some(generate::full_qualifier()));
    }

    #[test]
    fn edges_are_visited_in_order_and_other_databases_are_not() {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        let edges = [edge(0, 0, 1), edge(0, 256, 0), edge(1, 0, 0), edge(u32::MAX, u32::MAX, u32::MAX)];
        for edge in edges.iter().rev() {
            put(&mut batch, *edge, &None).unwrap();
        }
        put(&mut batch, edge(0, 5, 5), &Some(generate::full_qualifier())).unwrap();
        delete(&mut batch, edge(0, 5, 5));
        batch.put(FAMILY, [0, 0, 0, 1], b"another database's");
        store.write(batch).unwrap();
        let mut found = Vec::new();
        each(&store, |edge, attributes| {
            found.push((edge, attributes));
            Ok::<_, RecordError>(())
        })
        .unwrap();
        assert_eq!(found, edges.map(|edge| (edge, None)));
        assert_eq!(get(&store, edges[0]).unwrap(), Some(None));
        assert_eq!(get(&store, edge(0, 5, 5)).unwrap(), None);
    }

    #[test]
    fn foreign_bytes_are_named() {
        for key in [&b"short"[..], &[0; 15], &[0; 17], &[1; 16]] {
            let error = decode_key(key).unwrap_err().to_string();
            assert!(error.contains("`relationships`") && error.contains("backup"), "{error}");
        }
        let error = decode(&[0xab, 0xcd], &[9, 0, 0]).unwrap_err().to_string();
        assert!(error.contains("`abcd`") && error.contains("version `9`"), "{error}");
        // Neither caveat nor expiry.
        assert!(decode(b"", &[1, 0, 0]).is_err());
        // A nanosecond of 1,000,000,000.
        assert!(decode(b"", &[1, 0, 1, 0, 252, 0, 202, 154, 59]).is_err());
    }

    #[test]
    fn context_too_deep_to_read_again_is_refused() {
        let mut value = serde_json::Value::Null;
        for _ in 0..super::codec::CONTEXT_DEPTH_MAX {
            value = serde_json::Value::Array(vec![value]);
        }
        let mut qualifier = (*generate::full_qualifier()).clone();
        qualifier.caveat.as_mut().unwrap().context.insert("deep".to_owned(), value);
        let refused = put(&mut Batch::new(), edge(0, 0, 0), &Some(qualifier.into()));
        assert_eq!(refused, Err(RecordError::ContextTooDeep { max: super::codec::CONTEXT_DEPTH_MAX }));
    }
}
