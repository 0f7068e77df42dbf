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
    batch.put(FAMILY, key(object_type, ordinal), codec::encode_text(VERSION, object_id));
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
