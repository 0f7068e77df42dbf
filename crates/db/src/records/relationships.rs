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
