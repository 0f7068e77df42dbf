//! The log: (revision, chunk) -> what that revision changed. A revision of many mutations is spread over chunks, so
//! that no record grows without bound; all chunks of a revision are written in one batch.

use std::ops::ControlFlow;

use pemba_engine::{EdgeKey, KindId, Ordinal};
use pemba_model::{Context, Revision, Timestamp};

use super::codec::{self, BorrowDecode, Encode};
use super::counters::{CounterChange, StoredChange};
use super::stored::{StoredQualifier, StoredTime, context_text};
use super::{Attributes, RecordError, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Log;
/// The shape of most records.
const VERSION: u8 = 1;
/// As the first shape, then the change of a counter.
const VERSION_COUNTER: u8 = 2;

/// Most mutations of one chunk.
pub const CHUNK_MUTATIONS_MAX: usize = 1000;

/// One chunk of a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// When the revision was committed.
    pub time: Timestamp,
    /// What the writer said about it; only in chunk 0.
    pub metadata: Option<Context>,
    /// Whether the revision wrote a schema.
    pub schema_changed: bool,
    /// What changed, in the order it was applied.
    pub mutations: Vec<Mutation>,
    /// The counter that the revision registered or unregistered.
    pub counter: Option<CounterChange>,
    /// Whether this is the revision's last chunk.
    pub last: bool,
}

/// One edge before and after; `None` is absent, `Some(None)` is there without qualifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Mutation {
    /// Which edge.
    pub key: EdgeKey,
    /// As it was.
    pub before: Option<Attributes>,
    /// As it is from this revision on.
    pub after: Option<Attributes>,
}

/// What a revision says besides its mutations.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// When it was committed.
    pub time: Timestamp,
    /// What the writer said about it.
    pub metadata: Option<Context>,
    /// Whether it wrote a schema.
    pub schema_changed: bool,
}

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

/// The key of a chunk; keys sort by revision, then chunk.
pub fn key(revision: Revision, chunk: u32) -> [u8; 16] {
    key::join([&key::PREFIX, &revision.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// The chunk of a key.
pub fn decode_key(bytes: &[u8]) -> Result<(Revision, u32), RecordError> {
    let read = || {
        let mut reader = key::KeyReader::new(bytes)?;
        let parts = (Revision(reader.number_u64()?), reader.number_u32()?);
        reader.end(parts)
    };
    read().ok_or_else(|| RecordError::damaged(FAMILY, bytes, "key is not that of a log record"))
}

/// Records a whole revision, in as many chunks as it needs.
pub fn append(
    batch: &mut Batch,
    revision: Revision,
    entry: LogEntry,
    mutations: impl IntoIterator<Item = Mutation>,
) -> Result<(), RecordError> {
    let mut mutations = mutations.into_iter().peekable();
    let mut metadata = entry.metadata;
    for chunk in 0_u32.. {
        let taken: Vec<Mutation> = mutations.by_ref().take(CHUNK_MUTATIONS_MAX).collect();
        let last = mutations.peek().is_none();
        let record = LogRecord {
            time: entry.time,
            metadata: metadata.take(),
            schema_changed: entry.schema_changed,
            mutations: taken,
            counter: None,
            last,
        };
        put(batch, revision, chunk, &record)?;
        if last {
            break;
        }
    }
    Ok(())
}

/// Records a revision that changes a counter and nothing else.
pub fn append_counter(
    batch: &mut Batch,
    revision: Revision,
    time: Timestamp,
    change: CounterChange,
) -> Result<(), RecordError> {
    let record = LogRecord {
        time,
        metadata: None,
        schema_changed: false,
        mutations: Vec::new(),
        counter: Some(change),
        last: true,
    };
    put(batch, revision, 0, &record)
}

/// Records one chunk.
pub fn put(batch: &mut Batch, revision: Revision, chunk: u32, record: &LogRecord) -> Result<(), RecordError> {
    batch.put(FAMILY, key(revision, chunk), encode(record)?);
    Ok(())
}

/// Removes the records of every revision before `revision`.
pub fn delete_before(batch: &mut Batch, revision: Revision) {
    batch.delete_range(FAMILY, key::PREFIX, key(revision, 0));
}

/// Visits chunk by chunk, in order, from revision `from` (included) to `to` (excluded; `None` is the end), until the
/// visitor breaks or fails. A revision of which a chunk is missing is damage.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    from: Revision,
    to: Option<Revision>,
    visit: impl FnMut(Revision, u32, LogRecord) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    each_from(store, (from, 0), to, visit)
}

/// As `each`, beginning with this chunk of a revision, which is there.
pub fn each_from<E: From<RecordError>>(
    store: &dyn Store,
    from: (Revision, u32),
    to: Option<Revision>,
    mut visit: impl FnMut(Revision, u32, LogRecord) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let end = to.map(|to| key(to, 0));
    let end: &[u8] = end.as_ref().map_or(&key::PREFIX_END, |end| end);
    let mut unfinished = from.1.checked_sub(1).map(|before| (from.0, before));
    let mut broken = false;
    scan::<E>(store, FAMILY, &key(from.0, from.1), end, |key, value| {
        let (revision, chunk) = decode_key(key)?;
        let expected =
            unfinished.map_or((revision, 0), |(revision, chunk)| (revision, chunk.saturating_add(1)));
        if (revision, chunk) != expected {
            return Err(missing(expected).into());
        }
        let record = decode(key, value)?;
        unfinished = (!record.last).then_some((revision, chunk));
        let flow = visit(revision, chunk, record)?;
        broken = flow.is_break();
        Ok(flow)
    })?;
    match unfinished {
        Some((revision, chunk)) if !broken => Err(missing((revision, chunk.saturating_add(1))).into()),
        _ => Ok(()),
    }
}

/// When a revision was committed; `None` if its record is gone.
pub fn time_of(store: &dyn Store, revision: Revision) -> Result<Option<Timestamp>, RecordError> {
    let key = key(revision, 0);
    store.get(FAMILY, &key)?.map(|value| decode(&key, &value).map(|record| record.time)).transpose()
}

/// The oldest revision of which there is a record.
pub fn first(store: &dyn Store) -> Result<Option<Revision>, RecordError> {
    let mut found = None;
    scan(store, FAMILY, &key::PREFIX, &key::PREFIX_END, |key, _| {
        found = Some(decode_key(key)?.0);
        Ok::<_, RecordError>(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn missing((revision, chunk): (Revision, u32)) -> RecordError {
    RecordError::damaged(FAMILY, &key(revision, chunk), "it is missing")
}

fn encode(record: &LogRecord) -> Result<Vec<u8>, RecordError> {
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
        None => codec::encode(VERSION, &stored),
        Some(change) => {
            let counter = StoredChange::of(change);
            codec::encode(VERSION_COUNTER, &StoredCounterRecord { record: stored, counter })
        }
    };
    bytes.map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })
}

fn decode(key: &[u8], value: &[u8]) -> Result<LogRecord, RecordError> {
    let read = || -> Result<LogRecord, String> {
        let (stored, counter) = if value.first() == Some(&VERSION_COUNTER) {
            let stored: StoredCounterRecord<'_> = codec::decode(VERSION_COUNTER, value)?;
            (stored.record, Some(stored.counter.read()))
        } else {
            (codec::decode::<StoredRecord<'_>>(VERSION, value)?, None)
        };
        Ok(LogRecord {
            counter,
            time: stored.time.read()?,
            metadata: stored.metadata_json.as_deref().map(codec::context_from_json).transpose()?,
            schema_changed: stored.schema_changed,
            mutations: stored.mutations.iter().map(StoredMutation::read).collect::<Result<_, _>>()?,
            last: stored.last,
        })
    };
    read().map_err(|reason| RecordError::damaged(FAMILY, key, reason))
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
    use proptest::prelude::*;

    use super::super::{counters, generate};
    use super::*;
    use crate::store::MemoryStore;

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
            prop::option::of(counters::tests::change()),
            any::<bool>(),
        )
            .prop_map(|(time, metadata, schema_changed, mutations, counter, last)| LogRecord {
                time,
                metadata,
                schema_changed,
                mutations,
                counter,
                last,
            })
    }

    fn plain(number: u32) -> Mutation {
        let key = EdgeKey { kind: KindId(0), resource: Ordinal(number), subject: Ordinal(1) };
        Mutation { key, before: None, after: Some(None) }
    }

    fn entry() -> LogEntry {
        let metadata = serde_json::json!({ "by": "test" }).as_object().cloned();
        LogEntry { time: Timestamp::from_millis(1500), metadata, schema_changed: false }
    }

    fn store_with(revisions: &[(u64, u32)]) -> MemoryStore {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for (revision, mutations) in revisions {
            append(&mut batch, Revision(*revision), entry(), (0..*mutations).map(plain)).unwrap();
        }
        store.write(batch).unwrap();
        store
    }

    fn chunks(
        store: &MemoryStore,
        from: u64,
        to: Option<u64>,
    ) -> Result<Vec<(u64, u32, usize)>, RecordError> {
        let mut found = Vec::new();
        each(store, Revision(from), to.map(Revision), |revision, chunk, record| {
            found.push((revision.0, chunk, record.mutations.len()));
            Ok::<_, RecordError>(ControlFlow::Continue(()))
        })
        .map(|()| found)
    }

    proptest! {
        #[test]
        fn keys_round_trip_in_order(a: (u64, u32), b: (u64, u32)) {
            prop_assert_eq!(decode_key(&key(Revision(a.0), a.1)).unwrap(), (Revision(a.0), a.1));
            prop_assert_eq!(key(Revision(a.0), a.1).cmp(&key(Revision(b.0), b.1)), a.cmp(&b));
        }

        #[test]
        fn records_round_trip(record in record()) {
            prop_assert_eq!(decode(b"", &encode(&record).unwrap()).unwrap(), record);
        }

        #[test]
        fn damaged_records_never_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            for version in [VERSION, VERSION_COUNTER] {
                let _ = decode(b"", &[&[version], value.as_slice()].concat());
            }
            let _ = decode(b"", &value);
        }
    }

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(key(Revision(0x0102), 3), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
        let qualified = Mutation {
            key: EdgeKey { kind: KindId(2), resource: Ordinal(3), subject: Ordinal(300) },
            before: Some(None),
            after: Some(Some(generate::full_qualifier())),
        };
        let record = LogRecord {
            time: Timestamp::new(1, 500_000_000).unwrap(),
            metadata: entry().metadata,
            schema_changed: true,
            mutations: vec![plain(5), qualified],
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
    fn large_revision_is_spread_over_chunks() {
        let store = store_with(&[(7, 2500), (8, 0), (9, 1000), (10, 1001)]);
        assert_eq!(
            chunks(&store, 0, None).unwrap(),
            [(7, 0, 1000), (7, 1, 1000), (7, 2, 500), (8, 0, 0), (9, 0, 1000), (10, 0, 1000), (10, 1, 1)]
        );
        assert_eq!(chunks(&store, 8, Some(10)).unwrap(), [(8, 0, 0), (9, 0, 1000)]);
        assert_eq!(first(&store).unwrap(), Some(Revision(7)));
        let mut edges = Vec::new();
        let mut with_metadata = Vec::new();
        each(&store, Revision(7), Some(Revision(8)), |_, chunk, record| {
            edges.extend(record.mutations.into_iter().map(|mutation| mutation.key.resource.0));
            with_metadata.push((chunk, record.metadata.is_some(), record.last));
            Ok::<_, RecordError>(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!(edges, Vec::from_iter(0..2500));
        assert_eq!(with_metadata, [(0, true, false), (1, false, false), (2, false, true)]);
    }

    #[test]
    fn missing_chunk_is_damage_wherever_it_was() {
        for chunk in 0..3 {
            let store = store_with(&[(7, 2500), (8, 1)]);
            let mut batch = Batch::new();
            batch.delete(FAMILY, key(Revision(7), chunk));
            store.write(batch).unwrap();
            let error = chunks(&store, 0, None).unwrap_err();
            assert!(matches!(error, RecordError::Damaged { .. }), "{error}");
        }
        let store = store_with(&[(7, 2500)]);
        let mut batch = Batch::new();
        batch.delete(FAMILY, key(Revision(7), 2));
        store.write(batch).unwrap();
        assert!(chunks(&store, 0, None).is_err());
        // A visitor that leaves early has not asked for the rest.
        let stop = |_, _, _| Ok::<_, RecordError>(ControlFlow::Break(()));
        assert_eq!(each(&store, Revision(0), None, stop), Ok(()));
    }

    #[test]
    fn old_revisions_are_removed_whole() {
        let store = store_with(&[(7, 2500), (8, 1), (9, 1)]);
        let mut batch = Batch::new();
        delete_before(&mut batch, Revision(8));
        store.write(batch).unwrap();
        assert_eq!(chunks(&store, 0, None).unwrap(), [(8, 0, 1), (9, 0, 1)]);
        assert_eq!(first(&store).unwrap(), Some(Revision(8)));
        assert_eq!(first(&MemoryStore::new()).unwrap(), None);
    }
}
