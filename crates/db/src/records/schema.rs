//! Schema texts: revision -> the text as it was written.

use std::ops::ControlFlow;

use pemba_model::Revision;

use super::{RecordError, codec, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Schema;
const VERSION: u8 = 1;

/// The key of a schema; keys sort by revision.
pub fn key(revision: Revision) -> [u8; 12] {
    key::join([&key::PREFIX, &revision.0.to_be_bytes()])
}

/// Records the schema that holds from a revision on.
pub fn put(batch: &mut Batch, revision: Revision, text: &str) {
    batch.put(FAMILY, key(revision), codec::encode_text(VERSION, text));
}

/// Removes every schema written before `revision`.
pub fn delete_before(batch: &mut Batch, revision: Revision) {
    batch.delete_range(FAMILY, key::PREFIX, key(revision));
}

/// The revision of the schema that held at a revision; `None` if there was none yet.
pub fn revision_at(store: &dyn Store, at: Revision) -> Result<Option<Revision>, RecordError> {
    let mut found = None;
    let end = at.0.checked_add(1).map(|end| key(Revision(end)));
    let to: &[u8] = end.as_ref().map_or(&key::PREFIX_END, |end| end);
    scan(store, FAMILY, &key::PREFIX, to, |key, _| {
        found = Some(decode_key(key)?);
        Ok::<_, RecordError>(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The schema that held at a revision, with the revision that wrote it; `None` if there was none yet.
pub fn at(store: &dyn Store, at: Revision) -> Result<Option<(Revision, String)>, RecordError> {
    let Some(revision) = revision_at(store, at)? else { return Ok(None) };
    let key = key(revision);
    let Some(value) = store.get(FAMILY, &key)? else { return Ok(None) };
    let text =
        codec::decode_text(VERSION, &value).map_err(|reason| RecordError::damaged(FAMILY, &key, reason))?;
    Ok(Some((revision, text.to_owned())))
}

/// Visits every schema by revision; the visitor's first error ends it.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(Revision, &str) -> Result<(), E>,
) -> Result<(), E> {
    scan(store, FAMILY, &key::PREFIX, &key::PREFIX_END, |key, value| {
        let text =
            codec::decode_text(VERSION, value).map_err(|reason| RecordError::damaged(FAMILY, key, reason))?;
        visit(decode_key(key)?, text)?;
        Ok(ControlFlow::Continue(()))
    })
}

fn decode_key(bytes: &[u8]) -> Result<Revision, RecordError> {
    let read = || {
        let mut reader = key::KeyReader::new(bytes)?;
        let revision = Revision(reader.number_u64()?);
        reader.end(revision)
    };
    read().ok_or_else(|| RecordError::damaged(FAMILY, bytes, "key is not that of a schema"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{BatchOp, MemoryStore};

    proptest! {
        #[test]
        fn keys_round_trip_in_order(a: u64, b: u64) {
            prop_assert_eq!(decode_key(&key(Revision(a))).unwrap(), Revision(a));
            prop_assert_eq!(key(Revision(a)).cmp(&key(Revision(b))), a.cmp(&b));
        }

        #[test]
        fn texts_round_trip_byte_for_byte(text in "(?s).{0,300}", revision: u64) {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            put(&mut batch, Revision(revision), &text);
            store.write(batch).unwrap();
            prop_assert_eq!(at(&store, Revision(u64::MAX)).unwrap(), Some((Revision(revision), text)));
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut batch = Batch::new();
        put(&mut batch, Revision(258), "definition user {}");
        let expected = BatchOp::Put {
            family: Family::Schema,
            key: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2],
            value: b"\x01definition user {}",
        };
        assert_eq!(batch.ops().next(), Some(expected));
    }

    #[test]
    fn the_schema_at_a_revision_is_the_last_one_written_up_to_it() {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for revision in [3, 300, 301] {
            put(&mut batch, Revision(revision), &format!("at {revision}"));
        }
        store.write(batch).unwrap();
        let text_at = |revision| at(&store, Revision(revision)).unwrap().map(|(_, text)| text);
        assert_eq!(text_at(2), None);
        assert_eq!(text_at(3).as_deref(), Some("at 3"));
        assert_eq!(text_at(299).as_deref(), Some("at 3"));
        assert_eq!(text_at(300).as_deref(), Some("at 300"));
        assert_eq!(text_at(u64::MAX).as_deref(), Some("at 301"));

        let mut batch = Batch::new();
        delete_before(&mut batch, Revision(300));
        store.write(batch).unwrap();
        let mut left = Vec::new();
        each(&store, |revision, text| {
            left.push((revision, text.to_owned()));
            Ok::<_, RecordError>(())
        })
        .unwrap();
        assert_eq!(left, [(Revision(300), "at 300".to_owned()), (Revision(301), "at 301".to_owned())]);
    }
}
