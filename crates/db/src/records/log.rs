//! The log: (revision, chunk) -> what that revision changed. A revision of many mutations is spread over chunks, so
//! that no record grows without bound; documents follow the mutations. All chunks of a revision are written in one batch.

use std::iter::Peekable;
use std::ops::ControlFlow;

use pemba_engine::EdgeKey;
use pemba_model::{Context, DocumentChange, Revision, Timestamp};

use super::counters::CounterChange;
use super::log_record::decode;
pub use super::log_record::encode;
use super::{Attributes, RecordError, key, scan};
use crate::store::{Batch, Family, Store};

const FAMILY: Family = Family::Log;

/// Most mutations of one chunk, and most documents.
pub const CHUNK_MUTATIONS_MAX: usize = 1000;
/// Most bytes of the documents of one chunk, unless it has one only.
pub const CHUNK_DOCUMENTS_MAX_BYTES: usize = 1024 * 1024;

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
    /// Which documents changed: no two of a revision have the same key.
    pub documents: Vec<DocumentChange>,
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
    /// Which documents it changed, each once.
    pub documents: Vec<DocumentChange>,
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
    each_chunk(revision, entry, mutations, |key, record| {
        batch.put(FAMILY, key, encode(&record)?);
        Ok(())
    })
}

/// Visits the chunks of a revision, each with its key, ascending; the visitor's first error ends it.
pub fn each_chunk<E>(
    revision: Revision,
    entry: LogEntry,
    mutations: impl IntoIterator<Item = Mutation>,
    mut visit: impl FnMut([u8; 16], LogRecord) -> Result<(), E>,
) -> Result<(), E> {
    let mut mutations = mutations.into_iter().peekable();
    let mut documents = entry.documents.into_iter().peekable();
    let mut metadata = entry.metadata;
    for chunk in 0_u32.. {
        let taken: Vec<Mutation> = mutations.by_ref().take(CHUNK_MUTATIONS_MAX).collect();
        let mutations_end = mutations.peek().is_none();
        let documents_taken = if mutations_end { take_documents(&mut documents) } else { Vec::new() };
        let last = mutations_end && documents.peek().is_none();
        let record = LogRecord {
            time: entry.time,
            metadata: metadata.take(),
            schema_changed: entry.schema_changed,
            mutations: taken,
            documents: documents_taken,
            counter: None,
            last,
        };
        visit(key(revision, chunk), record)?;
        if last {
            break;
        }
    }
    Ok(())
}

/// The documents of one chunk: one at least, if there is any.
fn take_documents(documents: &mut Peekable<impl Iterator<Item = DocumentChange>>) -> Vec<DocumentChange> {
    let mut taken = Vec::new();
    let mut size_bytes = 0_usize;
    while taken.len() < CHUNK_MUTATIONS_MAX {
        let fits = |next: &DocumentChange| {
            size_bytes = size_bytes.saturating_add(next.size_bytes());
            taken.is_empty() || size_bytes <= CHUNK_DOCUMENTS_MAX_BYTES
        };
        let Some(next) = documents.next_if(fits) else { break };
        taken.push(next);
    }
    taken
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
        documents: Vec::new(),
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

/// Visits the size of every chunk, key and value, in bytes as they are stored; from and to as for `each`.
pub fn each_size(
    store: &dyn Store,
    from: Revision,
    to: Revision,
    mut visit: impl FnMut(Revision, u64),
) -> Result<(), RecordError> {
    scan(store, FAMILY, &key(from, 0), &key(to, 0), |key, value| {
        let size = key.len().saturating_add(value.len());
        visit(decode_key(key)?.0, u64::try_from(size).unwrap_or(u64::MAX));
        Ok(ControlFlow::Continue(()))
    })
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

#[cfg(test)]
mod tests {
    use pemba_engine::{KindId, Ordinal};
    use proptest::prelude::*;

    use super::*;
    use crate::store::MemoryStore;

    fn plain(number: u32) -> Mutation {
        let key = EdgeKey { kind: KindId(0), resource: Ordinal(number), subject: Ordinal(1) };
        Mutation { key, before: None, after: Some(None) }
    }

    fn entry() -> LogEntry {
        let metadata = serde_json::json!({ "by": "test" }).as_object().cloned();
        LogEntry {
            time: Timestamp::from_millis(1500),
            metadata,
            schema_changed: false,
            documents: Vec::new(),
        }
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
    }

    #[test]
    fn bytes_of_a_key_are_frozen() {
        assert_eq!(key(Revision(0x0102), 3), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
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
    fn large_documents_are_spread_over_chunks_behind_the_mutations() {
        let document = |number: u32, size: usize| DocumentChange {
            key: number.to_be_bytes()[..].into(),
            before: None,
            after: Some(vec![0; size].into()),
        };
        let sizes = [400_000, 400_000, 400_000, 3_000_000, 10];
        let documents: Vec<_> = (0..).zip(sizes).map(|(number, size)| document(number, size)).collect();
        let (store, mut batch) = (MemoryStore::new(), Batch::new());
        let with = |documents: &[DocumentChange]| LogEntry { documents: documents.to_vec(), ..entry() };
        append(&mut batch, Revision(1), with(&documents), (0..1001).map(plain)).unwrap();
        let many: Vec<_> = (0..1500).map(|number| document(number, 1)).collect();
        append(&mut batch, Revision(2), with(&many), []).unwrap();
        store.write(batch).unwrap();
        let mut found = Vec::new();
        let mut told: Vec<DocumentChange> = Vec::new();
        each(&store, Revision(0), None, |revision, _, record| {
            found.push((revision.0, record.mutations.len(), record.documents.len(), record.last));
            told.extend(record.documents);
            Ok::<_, RecordError>(ControlFlow::Continue(()))
        })
        .unwrap();
        let expected = [
            (1, 1000, 0, false),
            (1, 1, 2, false),
            (1, 0, 1, false),
            (1, 0, 1, false),
            (1, 0, 1, true),
            (2, 0, 1000, false),
            (2, 0, 500, true),
        ];
        assert_eq!(found, expected);
        assert!(told.iter().eq(documents.iter().chain(&many)));
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
