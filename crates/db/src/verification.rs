//! Whether the parts of a stored database agree.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use pemba_engine::{Attributes, EdgeKey, Graph, Snapshot};
use pemba_model::document::key_text;
use pemba_model::{Ledger, RelationshipFilter, Revision, SmolStr, Timestamp};

use crate::errors::{OpenError, VerifyError};
use crate::records::{self, RecordError, meta};
use crate::recovery::{load, load_documents};
use crate::requests::VerifyReport;
use crate::store::Store;

/// The log as a whole.
#[derive(Default)]
struct Tail {
    revisions: u64,
    mutations: u64,
    last: Option<(Revision, Timestamp)>,
    /// How each edge the log mentions is after it.
    edges: BTreeMap<EdgeKey, Option<Attributes>>,
    /// How each counter the log mentions is after it.
    counters: BTreeMap<SmolStr, Option<RelationshipFilter>>,
    /// How each document the log mentions is after it.
    documents: BTreeMap<Arc<[u8]>, Option<Arc<[u8]>>>,
}

/// As `verify`, for a store that is open and not written to meanwhile. Takes memory for the database and for every edge
/// and document in the log.
pub fn verify_store(store: &dyn Store, ledger: Arc<dyn Ledger>) -> Result<VerifyReport, VerifyError> {
    let meta = meta::read(store)
        .map_err(OpenError::from)?
        .ok_or_else(|| VerifyError::Inconsistent("the store is empty".to_owned()))?;
    let snapshot = load(store, &meta)?;
    load_documents(store, &meta, ledger)?;
    check_tables(&snapshot)?;
    let tail = read_log(store, &meta.head)?;
    check_log(&snapshot, &tail)?;
    check_counters(store, &tail)?;
    check_documents(store, &tail)?;
    check_schema(store, &snapshot)?;
    let objects = snapshot.catalog().types().map(|(id, _)| u64::from(snapshot.names().len(id))).sum();
    Ok(VerifyReport {
        database_id: meta.database_id,
        head: meta.head.revision,
        relationships: snapshot.len(),
        objects,
        documents: meta.head.documents,
        log_revisions: tail.revisions,
        log_mutations: tail.mutations,
    })
}

/// Every edge must be found from both ends.
fn check_tables(snapshot: &Snapshot) -> Result<(), VerifyError> {
    let mut forward = 0_u64;
    for (kind, _) in snapshot.catalog().kinds() {
        let filter = kind_filter(snapshot, kind);
        for (key, attributes) in snapshot.scan(&filter, None, None).filter(|(key, _)| key.kind == kind) {
            forward += 1;
            if snapshot.edge_from_subject(key) != Some(attributes) {
                return Err(VerifyError::Inconsistent(format!(
                    "edge {key:?} is missing in the reverse table"
                )));
            }
        }
    }
    if forward != snapshot.len() {
        let len = snapshot.len();
        return Err(VerifyError::Inconsistent(format!(
            "{forward} edges are in the tables of {len} relationships"
        )));
    }
    Ok(())
}

fn kind_filter(snapshot: &Snapshot, kind: pemba_engine::KindId) -> pemba_model::RelationshipFilter {
    let catalog = snapshot.catalog();
    let kind = catalog.kind(kind);
    pemba_model::RelationshipFilter {
        resource_type: kind.and_then(|kind| catalog.type_name(kind.resource_type)).cloned(),
        relation: kind.map(|kind| kind.relation.clone()),
        ..pemba_model::RelationshipFilter::default()
    }
}

fn read_log(store: &dyn Store, head: &meta::Head) -> Result<Tail, VerifyError> {
    let mut tail = Tail::default();
    let mut fault = None;
    records::log::each(store, Revision::ZERO, None, |revision, chunk, record| {
        let in_order = tail.last.is_none_or(|(last, time)| {
            let expected = if chunk == 0 { last.next() } else { last };
            revision == expected && record.time >= time
        });
        if !in_order {
            fault = Some(format!("revision {revision} of the log does not follow the one before"));
            return Ok::<_, RecordError>(ControlFlow::Break(()));
        }
        tail.last = Some((revision, record.time));
        tail.revisions += u64::from(chunk == 0);
        let changes = record.mutations.len().saturating_add(record.documents.len());
        tail.mutations += u64::try_from(changes).unwrap_or(u64::MAX);
        tail.documents.extend(record.documents.into_iter().map(|change| (change.key, change.after)));
        tail.counters.extend(record.counter.map(|change| (change.name, change.filter)));
        tail.edges.extend(record.mutations.into_iter().map(|mutation| (mutation.key, mutation.after)));
        Ok(ControlFlow::Continue(()))
    })
    .map_err(OpenError::from)?;
    if let Some(fault) = fault {
        return Err(VerifyError::Inconsistent(fault));
    }
    match tail.last {
        Some((last, time)) if last != head.revision || time > head.time => Err(VerifyError::Inconsistent(
            format!("the log ends with revision {last} and the head is {}", head.revision),
        )),
        _ => Ok(tail),
    }
}

/// What the log changed last is how the relationships are, but for expired ones, which are removed without a record.
fn check_log(snapshot: &Snapshot, tail: &Tail) -> Result<(), VerifyError> {
    for (key, after) in &tail.edges {
        let stored = snapshot.edge(*key);
        let may_be_gone =
            after.as_ref().is_some_and(|one| one.as_deref().is_some_and(|q| q.expires_at.is_some()));
        if stored != *after && !(stored.is_none() && may_be_gone) {
            return Err(VerifyError::Inconsistent(format!(
                "the log and the relationships disagree about {key:?}"
            )));
        }
    }
    Ok(())
}

/// What the log said of a counter last is how it is stored.
fn check_counters(store: &dyn Store, tail: &Tail) -> Result<(), VerifyError> {
    let mut stored = BTreeMap::new();
    records::counters::each(store, |name, filter| {
        stored.insert(name, filter);
        Ok::<_, RecordError>(())
    })
    .map_err(OpenError::from)?;
    for (name, filter) in &tail.counters {
        if stored.get(name) != filter.as_ref() {
            let fault = format!("the log and the counters disagree about `{name}`");
            return Err(VerifyError::Inconsistent(fault));
        }
    }
    Ok(())
}

/// What the log said of a document last is how it is stored.
fn check_documents(store: &dyn Store, tail: &Tail) -> Result<(), VerifyError> {
    for (key, after) in &tail.documents {
        if records::documents::get(store, key).map_err(OpenError::from)? != *after {
            let fault = format!("the log and the documents disagree about `{}`", key_text(key));
            return Err(VerifyError::Inconsistent(fault));
        }
    }
    Ok(())
}

/// Every schema that a revision in the window needs compiles.
fn check_schema(store: &dyn Store, snapshot: &Snapshot) -> Result<(), VerifyError> {
    let mut fault = None;
    records::schema::each(store, |revision, text| {
        if revision > snapshot.revision() || pemba_schema::compile(text).is_err() {
            fault.get_or_insert(revision);
        }
        Ok::<_, RecordError>(())
    })
    .map_err(OpenError::from)?;
    fault.map_or(Ok(()), |revision| {
        Err(VerifyError::Inconsistent(format!("the schema of revision {revision} is not one")))
    })
}
