//! One chunk of the log as bytes.

use std::sync::Arc;

use pemba_engine::{EdgeKey, KindId, Ordinal};
use pemba_model::DocumentChange;

use super::codec::{self, BorrowDecode, Encode};
use super::counters::StoredChange;
use super::log::{LogRecord, Mutation};
use super::stored::{StoredQualifier, StoredTime, context_text};
use super::{Attributes, RecordError};
use crate::store::Family;

const FAMILY: Family = Family::Log;
/// The shape of most records.
const VERSION: u8 = 1;
/// As the first shape, then the change of a counter.
const VERSION_COUNTER: u8 = 2;
/// As the first shape, then changes of documents.
const VERSION_DOCUMENTS: u8 = 3;

#[derive(Encode, BorrowDecode)]
struct StoredRecord<'a> {
    time: StoredTime,
    metadata_json: Option<std::borrow::Cow<'a, str>>,
    schema_changed: bool,
    last: bool,
    mutations: Vec<StoredMutation<'a>>,
}

#[derive(Encode, BorrowDecode)]
struct StoredCounterRecord<'a> {
    record: StoredRecord<'a>,
    counter: StoredChange<'a>,
}

#[derive(Encode, BorrowDecode)]
struct StoredDocumentsRecord<'a> {
    record: StoredRecord<'a>,
    documents: Vec<StoredDocument<'a>>,
}

#[derive(Encode, BorrowDecode)]
struct StoredDocument<'a> {
    key: &'a [u8],
    before: Option<&'a [u8]>,
    after: Option<&'a [u8]>,
}

#[derive(Encode, BorrowDecode)]
struct StoredMutation<'a> {
    kind: u32,
    resource: u32,
    subject: u32,
    before: StoredState<'a>,
    after: StoredState<'a>,
}

#[derive(Encode, BorrowDecode)]
enum StoredState<'a> {
    Absent,
    Plain,
    Qualified(StoredQualifier<'a>),
}

/// A chunk as the value of its record.
pub fn encode(record: &LogRecord) -> Result<Vec<u8>, RecordError> {
    let metadata_json = record.metadata.as_ref().map(context_text).transpose()?.map(Into::into);
    let mutations = record.mutations.iter().map(StoredMutation::of).collect::<Result<_, _>>()?;
    let stored = StoredRecord {
        time: StoredTime::of(record.time),
        metadata_json,
        schema_changed: record.schema_changed,
        last: record.last,
        mutations,
    };
    let bytes = match &record.counter {
        None if record.documents.is_empty() => codec::encode(VERSION, &stored),
        None => {
            let documents = record.documents.iter().map(StoredDocument::of).collect();
            codec::encode(VERSION_DOCUMENTS, &StoredDocumentsRecord { record: stored, documents })
        }
        // A revision that changes a counter changes nothing else.
        Some(change) => {
            let counter = StoredChange::of(change);
            codec::encode(VERSION_COUNTER, &StoredCounterRecord { record: stored, counter })
        }
    };
    bytes.map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })
}

/// The chunk of a record.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<LogRecord, RecordError> {
    let read = || -> Result<LogRecord, String> {
        let (stored, counter, documents) = match value.first() {
            Some(&VERSION_COUNTER) => {
                let stored: StoredCounterRecord<'_> = codec::decode(VERSION_COUNTER, value)?;
                (stored.record, Some(stored.counter.read()), Vec::new())
            }
            Some(&VERSION_DOCUMENTS) => {
                let stored: StoredDocumentsRecord<'_> = codec::decode(VERSION_DOCUMENTS, value)?;
                (stored.record, None, stored.documents)
            }
            _ => (codec::decode::<StoredRecord<'_>>(VERSION, value)?, None, Vec::new()),
        };
        Ok(LogRecord {
            counter,
            documents: documents.iter().map(StoredDocument::read).collect(),
            time: stored.time.read()?,
            metadata: stored.metadata_json.as_deref().map(codec::context_from_json).transpose()?,
            schema_changed: stored.schema_changed,
            mutations: stored.mutations.iter().map(StoredMutation::read).collect::<Result<_, _>>()?,
            last: stored.last,
        })
    };
    read().map_err(|reason| RecordError::damaged(FAMILY, key, reason))
}

impl<'a> StoredDocument<'a> {
    fn of(change: &'a DocumentChange) -> StoredDocument<'a> {
        let DocumentChange { key, before, after } = change;
        StoredDocument { key, before: before.as_deref(), after: after.as_deref() }
    }

    fn read(&self) -> DocumentChange {
        DocumentChange {
            key: self.key.into(),
            before: self.before.map(Arc::from),
            after: self.after.map(Arc::from),
        }
    }
}

impl<'a> StoredMutation<'a> {
    fn of(mutation: &'a Mutation) -> Result<StoredMutation<'a>, RecordError> {
        Ok(StoredMutation {
            kind: mutation.key.kind.0,
            resource: mutation.key.resource.0,
            subject: mutation.key.subject.0,
            before: StoredState::of(mutation.before.as_ref())?,
            after: StoredState::of(mutation.after.as_ref())?,
        })
    }

    fn read(&self) -> Result<Mutation, String> {
        let key = EdgeKey {
            kind: KindId(self.kind),
            resource: Ordinal(self.resource),
            subject: Ordinal(self.subject),
        };
        Ok(Mutation { key, before: self.before.read()?, after: self.after.read()? })
    }
}

impl<'a> StoredState<'a> {
    fn of(state: Option<&'a Attributes>) -> Result<StoredState<'a>, RecordError> {
        Ok(match state {
            None => StoredState::Absent,
            Some(None) => StoredState::Plain,
            Some(Some(qualifier)) => StoredState::Qualified(StoredQualifier::of(qualifier)?),
        })
    }

    fn read(&self) -> Result<Option<Attributes>, String> {
        Ok(match self {
            StoredState::Absent => None,
            StoredState::Plain => Some(None),
            StoredState::Qualified(qualifier) => Some(Some(qualifier.read()?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use pemba_model::Timestamp;
    use proptest::prelude::*;

    use super::super::{counters, generate};
    use super::*;

    fn mutation() -> impl Strategy<Value = Mutation> {
        let state = || prop::option::of(generate::attributes());
        (generate::edge(), state(), state()).prop_map(|(key, before, after)| Mutation { key, before, after })
    }

    fn record() -> impl Strategy<Value = LogRecord> {
        (
            generate::instant(),
            prop::option::of(generate::context()),
            any::<bool>(),
            prop::collection::vec(mutation(), 0..6),
            prop_oneof![
                counters::tests::change().prop_map(|change| (Some(change), Vec::new())),
                prop::collection::vec(document(), 0..6).prop_map(|documents| (None, documents)),
            ],
            any::<bool>(),
        )
            .prop_map(|(time, metadata, schema_changed, mutations, (counter, documents), last)| {
                LogRecord { time, metadata, schema_changed, mutations, documents, counter, last }
            })
    }

    fn document() -> impl Strategy<Value = DocumentChange> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Arc::from);
        (bytes(), prop::option::of(bytes()), prop::option::of(bytes()))
            .prop_map(|(key, before, after)| DocumentChange { key, before, after })
    }

    fn plain(number: u32) -> Mutation {
        let key = EdgeKey { kind: KindId(0), resource: Ordinal(number), subject: Ordinal(1) };
        Mutation { key, before: None, after: Some(None) }
    }

    proptest! {
        #[test]
        fn records_round_trip(record in record()) {
            prop_assert_eq!(decode(b"", &encode(&record).unwrap()).unwrap(), record);
        }

        #[test]
        fn damaged_records_never_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            for version in [VERSION, VERSION_COUNTER, VERSION_DOCUMENTS] {
                let _ = decode(b"", &[&[version], value.as_slice()].concat());
            }
            let _ = decode(b"", &value);
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let qualified = Mutation {
            key: EdgeKey { kind: KindId(2), resource: Ordinal(3), subject: Ordinal(300) },
            before: Some(None),
            after: Some(Some(generate::full_qualifier())),
        };
        let record = LogRecord {
            time: Timestamp::new(1, 500_000_000).unwrap(),
            metadata: serde_json::json!({ "by": "test" }).as_object().cloned(),
            schema_changed: true,
            mutations: vec![plain(5), qualified],
            documents: Vec::new(),
            counter: None,
            last: true,
        };
        let mut golden = vec![1, 2, 252, 0, 101, 205, 29, 1, 13];
        golden.extend(br#"{"by":"test"}"#);
        golden.extend([1, 1, 2]);
        golden.extend([0, 5, 1, 0, 1]);
        golden.extend([2, 3, 251, 44, 1, 1, 2]);
        golden.extend(b"\x01\x05limit\x1e");
        golden.extend(br#"{"max":3,"why":["a",null,0.5]}"#);
        golden.extend([1, 252, 0, 226, 167, 202, 7]);
        assert_eq!(encode(&record).unwrap(), golden);
        assert_eq!(decode(b"", &golden).unwrap(), record);
    }

    #[test]
    fn bytes_of_a_counter_are_frozen() {
        let record = LogRecord {
            time: Timestamp::new(1, 500_000_000).unwrap(),
            metadata: None,
            schema_changed: false,
            mutations: Vec::new(),
            documents: Vec::new(),
            counter: Some(counters::tests::full_change()),
            last: true,
        };
        let mut golden = vec![2, 2, 252, 0, 101, 205, 29, 0, 0, 1, 0];
        golden.extend(b"\x04docs\x01");
        golden.extend(counters::tests::FULL_FILTER);
        assert_eq!(encode(&record).unwrap(), golden);
        assert_eq!(decode(b"", &golden).unwrap(), record);
    }

    #[test]
    fn bytes_of_documents_are_frozen() {
        let value = |bytes: &[u8]| Some(Arc::from(bytes));
        let record = LogRecord {
            time: Timestamp::new(1, 500_000_000).unwrap(),
            metadata: None,
            schema_changed: false,
            mutations: vec![plain(5)],
            documents: vec![
                DocumentChange { key: b"agent/a"[..].into(), before: None, after: value(b"\x00one") },
                DocumentChange { key: b"b"[..].into(), before: value(b""), after: None },
            ],
            counter: None,
            last: true,
        };
        let mut golden = vec![3, 2, 252, 0, 101, 205, 29, 0, 0, 1, 1];
        golden.extend([0, 5, 1, 0, 1]);
        golden.extend(b"\x02\x07agent/a\x00\x01\x04\x00one");
        golden.extend(b"\x01b\x01\x00\x00");
        assert_eq!(encode(&record).unwrap(), golden);
        assert_eq!(decode(b"", &golden).unwrap(), record);
    }
}
