//! Documents: key -> value. Both are bytes that mean something only to whoever writes them.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{RecordError, codec, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Documents;
const VERSION: u8 = 1;

/// The key of a document; keys sort by the bytes of the document's own key.
pub fn key(document: &[u8]) -> Vec<u8> {
    [key::PREFIX.as_slice(), document].concat()
}

/// The document's own key, which is not empty.
pub fn decode_key(bytes: &[u8]) -> Result<&[u8], RecordError> {
    match bytes.strip_prefix(&key::PREFIX) {
        Some(document) if !document.is_empty() => Ok(document),
        _ => Err(RecordError::damaged(FAMILY, bytes, "key is not that of a document")),
    }
}

/// Records what a document is from now on; `None` removes it.
pub fn put(batch: &mut Batch, document: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => batch.put(FAMILY, key(document), codec::encode_bytes(VERSION, value)),
        None => batch.delete(FAMILY, key(document)),
    };
}

/// The value of a document, if it is there.
pub fn get(store: &dyn Store, document: &[u8]) -> Result<Option<Arc<[u8]>>, RecordError> {
    let key = key(document);
    store.get(FAMILY, &key)?.map(|value| decode(&key, &value).map(Arc::from)).transpose()
}

/// Visits every document by key; the visitor's first error ends it.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    scan(store, FAMILY, &key::PREFIX, &key::PREFIX_END, |key, value| {
        visit(decode_key(key)?, decode(key, value)?)?;
        Ok(ControlFlow::Continue(()))
    })
}

fn decode<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], RecordError> {
    codec::unversioned(VERSION, value).map_err(|reason| RecordError::damaged(FAMILY, key, reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{BatchOp, MemoryStore};

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 1..24)
    }

    proptest! {
        #[test]
        fn keys_round_trip_in_order(a in bytes(), b in bytes()) {
            let (key_a, key_b) = (key(&a), key(&b));
            prop_assert_eq!(decode_key(&key_a).unwrap(), a.as_slice());
            prop_assert_eq!(key_a.cmp(&key_b), a.cmp(&b));
        }

        #[test]
        fn documents_round_trip(document in bytes(), value in prop::collection::vec(any::<u8>(), 0..64)) {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            put(&mut batch, &document, Some(&value));
            store.write(batch).unwrap();
            prop_assert_eq!(get(&store, &document).unwrap(), Some(Arc::from(value)));
            let mut batch = Batch::new();
            put(&mut batch, &document, None);
            store.write(batch).unwrap();
            prop_assert_eq!(get(&store, &document).unwrap(), None);
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut batch = Batch::new();
        put(&mut batch, b"agent/a", Some(b"\x02{}"));
        put(&mut batch, b"agent/b", None);
        let expected = [
            BatchOp::Put {
                family: Family::Documents,
                key: b"\0\0\0\0agent/a".as_slice(),
                value: b"\x01\x02{}",
            },
            BatchOp::Delete { family: Family::Documents, key: b"\0\0\0\0agent/b" },
        ];
        assert_eq!(Vec::from_iter(batch.ops()), expected);
    }

    #[test]
    fn all_are_visited_by_key_and_what_is_no_document_is_damage() {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for document in [&b"b"[..], b"\xff\xff", b"a", b"aa"] {
            put(&mut batch, document, Some(document));
        }
        // The first key of another database is no document of this one.
        batch.put(Family::Documents, [0, 0, 0, 1, b'x'], b"\x01");
        store.write(batch).unwrap();
        let mut found = Vec::new();
        each(&store, |document, value| {
            found.push((document.to_vec(), value.to_vec()));
            Ok::<_, RecordError>(())
        })
        .unwrap();
        let expected = [&b"a"[..], b"aa", b"b", b"\xff\xff"].map(|one| (one.to_vec(), one.to_vec()));
        assert_eq!(found, expected);
        for (key, value) in [(&[0, 0, 0, 0][..], &[1][..]), (&[0, 0, 0, 0, 1], &[9]), (&[0, 0, 0, 0, 1], &[])]
        {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            batch.put(Family::Documents, key, value);
            store.write(batch).unwrap();
            let error = each(&store, |_, _| Ok::<_, RecordError>(())).unwrap_err();
            assert!(matches!(error, RecordError::Damaged { .. }), "{error}");
        }
    }
}
