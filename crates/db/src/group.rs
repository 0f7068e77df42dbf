//! A commit group in the making: what its requests change.

use std::sync::Arc;

use crossbeam::channel::Sender;
use pemba_engine::{Attributes, EdgeKey, Ordinal, PutError, Transaction, TypeId};
use pemba_model::{DocumentChange, Ledger, Operation, Relationship, Revision, SmolStr, Timestamp, Update};

use crate::counting::Register;
use crate::errors::{DeleteError, Refusal, SchemaError, WriteError};
use crate::history::{Head, Version};
use crate::preconditions::{check_filters, check_hold};
use crate::records::counters::CounterChange;
use crate::records::log::{LogEntry, Mutation};
use crate::records::{self, RecordError, meta};
use crate::requests::{Committed, Delete, Deleted, Write};
use crate::sequencer::{Answer, Garbage, NewSchema};
use crate::shared::Shared;
use crate::store::Batch;
use crate::storing::{Acknowledgement, Applied, Bulk, Documents, LOAD_ROWS_MIN, Tip};
use crate::validation::check_allowed;
use crate::view::View;
use crate::{filters, schema_safety};

pub(crate) struct Group<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) transaction: Transaction,
    pub(crate) counters: Arc<Register>,
    pub(crate) ledger: Arc<dyn Ledger>,
    /// The documents that the group changes, as they are after it.
    pub(crate) documents: Documents,
    /// Those of the group before, which the store may not have yet.
    pub(crate) documents_before: Arc<Documents>,
    /// How many documents there are.
    documents_count: u64,
    /// The last revision given.
    pub(crate) revision: Revision,
    /// The instant of the whole group.
    pub(crate) time: Timestamp,
    batch: Batch,
    /// What is stored as a load instead.
    bulk: Option<(Revision, Bulk)>,
    acknowledgements: Vec<Acknowledgement>,
    /// Revisions given.
    writes: u64,
    /// The first thing that could not be recorded; the group is not stored then.
    failure: Option<RecordError>,
}

impl<'a> Group<'a> {
    /// An empty group on top of the one before.
    pub(crate) fn begin(shared: &'a Arc<Shared>, tip: &Tip) -> Group<'a> {
        let head = &tip.head;
        Group {
            shared,
            transaction: head.version.snapshot.transaction(),
            counters: Arc::clone(&tip.counters),
            ledger: Arc::clone(&head.version.ledger),
            documents: Documents::new(),
            documents_before: Arc::clone(&tip.documents),
            documents_count: head.documents,
            revision: head.version.revision(),
            time: shared.now(head),
            batch: Batch::new(),
            bulk: None,
            acknowledgements: Vec::new(),
            writes: 0,
            failure: None,
        }
    }

    /// Remembers an answer, right or wrong: a refusal too may rest on what the group has not stored yet.
    pub(crate) fn answer<T, E>(&mut self, answer: Answer<T, E>, result: Result<T, E>)
    where
        T: Send + 'static,
        E: From<Refusal> + Send + 'static,
    {
        self.answer_with(answer, result, E::from);
    }

    /// As `answer`; `refused` makes the error when the group is not stored.
    pub(crate) fn answer_with<T: Send + 'static, E: Send + 'static>(
        &mut self,
        answer: Answer<T, E>,
        result: Result<T, E>,
        refused: fn(Refusal) -> E,
    ) {
        self.acknowledgements.push(Box::new(move |stored| {
            // An asker that went away does not matter.
            drop(answer.send(stored.map_err(refused).and(result)));
        }));
    }

    /// The state so far, as that of the last revision given.
    pub(crate) fn view(&self, steps_max: u64) -> View {
        let snapshot = Arc::new(self.transaction.state().transaction().finish(self.revision));
        let version = Version { snapshot, ledger: Arc::clone(&self.ledger) };
        let steps_max = self.shared.limits.query_steps_max.min(steps_max);
        View::new(version, self.time, self.shared.token(self.revision), steps_max)
    }

    pub(crate) fn write(&mut self, write: Write) -> Result<Committed, WriteError> {
        check_filters(&write.preconditions, self.transaction.schema())?;
        self.check_allowed(&write.updates)?;
        check_hold(&write.preconditions, &self.transaction, self.time, &self.shared.limits)?;
        self.check_created(write.updates.iter())?;
        let mutations = self.apply_updates(&write.updates)?;
        let (time, metadata) = (self.time, write.metadata);
        let entry = LogEntry { time, metadata, schema_changed: false, documents: Vec::new() };
        Ok(self.record(entry, mutations))
    }

    /// Checks that the schema allows every update.
    pub(crate) fn check_allowed(&self, updates: &[Update]) -> Result<(), WriteError> {
        for update in updates {
            check_allowed(self.transaction.schema(), &update.relationship, update.operation)?;
        }
        Ok(())
    }

    /// Checks that what is to be created is not there yet.
    pub(crate) fn check_created<'u>(
        &self,
        updates: impl Iterator<Item = &'u Update>,
    ) -> Result<(), WriteError> {
        for update in updates.filter(|update| update.operation == Operation::Create) {
            let edge =
                self.transaction.edge_key(&update.relationship).and_then(|key| self.transaction.edge(key));
            if edge.is_some_and(|attributes| is_live(&attributes, self.time)) {
                return Err(WriteError::AlreadyExists {
                    relationship: Box::new(update.relationship.clone()),
                });
            }
        }
        Ok(())
    }

    /// Applies updates that hold; all or, after an error, none.
    pub(crate) fn apply_updates(&mut self, updates: &[Update]) -> Result<Vec<Mutation>, WriteError> {
        let mut mutations = Vec::with_capacity(updates.len());
        for update in updates {
            if let Err(error) = self.apply(update, &mut mutations) {
                self.undo(mutations);
                return Err(not_put(error));
            }
        }
        Ok(mutations)
    }

    fn apply(&mut self, update: &Update, mutations: &mut Vec<Mutation>) -> Result<(), PutError> {
        if update.operation == Operation::Delete {
            if let Some(key) = self.transaction.edge_key(&update.relationship)
                && let Some(before) = self.transaction.remove(key)
            {
                mutations.push(Mutation { key, before: Some(before), after: None });
            }
            return Ok(());
        }
        let mutation = put(&mut self.transaction, &update.relationship)?;
        // A touch of an identical relationship changes nothing.
        if mutation.before != mutation.after {
            mutations.push(mutation);
        }
        Ok(())
    }

    /// Takes back changes that were applied but not recorded.
    fn undo(&mut self, mutations: Vec<Mutation>) {
        for mutation in mutations.into_iter().rev() {
            match mutation.before {
                Some(attributes) => self.transaction.put_edge(mutation.key, attributes),
                None => self.transaction.remove(mutation.key),
            };
        }
    }

    pub(crate) fn delete(&mut self, delete: Delete) -> Result<Deleted, DeleteError> {
        filters::check_filter(self.transaction.schema(), &delete.filter)?;
        check_filters(&delete.preconditions, self.transaction.schema())?;
        check_hold(&delete.preconditions, &self.transaction, self.time, &self.shared.limits)?;
        let bound = self.shared.limits.delete_relationships_max;
        let limit = delete.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let most = limit.map_or(bound, |limit| limit.min(bound));
        let scan = self.transaction.scan(&delete.filter, None, Some(self.time));
        let mut keys: Vec<EdgeKey> = scan.take(most.saturating_add(1)).map(|(key, _)| key).collect();
        if keys.len() > most {
            match delete.limit {
                Some(_) if most < limit.unwrap_or(most) => {
                    return Err(DeleteError::TooManyRelationships { max: bound });
                }
                Some(limit) if !delete.allow_partial => {
                    return Err(DeleteError::TooManyForLimit { limit, filter: Box::new(delete.filter) });
                }
                Some(_) => keys.truncate(most),
                None => return Err(DeleteError::TooManyRelationships { max: bound }),
            }
        }
        let mut mutations = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(before) = self.transaction.remove(key) {
                mutations.push(Mutation { key, before: Some(before), after: None });
            }
        }
        let count = mutations.len();
        let (time, metadata) = (self.time, delete.metadata);
        let entry = LogEntry { time, metadata, schema_changed: false, documents: Vec::new() };
        let Committed { revision, token } = self.record(entry, mutations);
        // Reaching the limit is told as incomplete even when nothing is left: clients loop until it is not reached.
        let complete = limit != Some(count);
        Ok(Deleted { revision, token, count: u64::try_from(count).unwrap_or(u64::MAX), complete })
    }

    pub(crate) fn write_schema(&mut self, new: NewSchema) -> Result<Committed, SchemaError> {
        schema_safety::check_fits(&self.transaction, &new.schema, self.time)?;
        self.transaction.set_schema(new.schema);
        records::schema::put(&mut self.batch, self.revision.next(), &new.text);
        let time = self.time;
        let entry = LogEntry { time, metadata: None, schema_changed: true, documents: Vec::new() };
        Ok(self.record(entry, Vec::new()))
    }

    /// Forgets the log up to a revision and relationships that nobody can see any more. Takes no revision.
    pub(crate) fn collect(&mut self, garbage: Garbage, done: Sender<()>) {
        self.shared.history.raise_horizon(garbage.horizon);
        records::log::delete_before(&mut self.batch, garbage.horizon.next());
        match records::schema::revision_at(&*self.shared.store, garbage.horizon) {
            Ok(Some(needed)) => records::schema::delete_before(&mut self.batch, needed),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "old schemas were not collected"),
        }
        for key in garbage.expired {
            let expired = self.transaction.edge(key).flatten().and_then(|qualifier| qualifier.expires_at);
            if expired.is_some_and(|at| at <= garbage.expired_before) {
                self.transaction.remove(key);
                records::relationships::delete(&mut self.batch, key);
            }
        }
        self.acknowledgements.push(Box::new(move |_| {
            let _ = done.send(());
        }));
    }

    /// Gives the changes a revision and records them.
    pub(crate) fn record(&mut self, entry: LogEntry, mutations: Vec<Mutation>) -> Committed {
        self.revision = self.revision.next();
        self.writes += 1;
        for change in &entry.documents {
            self.documents.insert(Arc::clone(&change.key), change.after.clone());
            let (before, after) = (change.before.is_some(), change.after.is_some());
            self.documents_count += u64::from(after && !before);
            self.documents_count -= u64::from(before && !after);
        }
        if let Err(error) = self.try_record(entry, mutations) {
            self.failure.get_or_insert(error);
        }
        self.committed()
    }

    /// Gives many new edges a revision and records them.
    pub(crate) fn record_bulk(&mut self, bulk: Bulk) -> Committed {
        if bulk.edges.len() < LOAD_ROWS_MIN || self.bulk.is_some() {
            let mutations = Bulk::mutations(bulk.edges, bulk.replaced).collect();
            return self.record(bulk.entry, mutations);
        }
        self.revision = self.revision.next();
        self.writes += 1;
        self.bulk = Some((self.revision, bulk));
        self.committed()
    }

    /// The last revision given as an answer.
    pub(crate) fn committed(&self) -> Committed {
        Committed { revision: self.revision, token: self.shared.token(self.revision) }
    }

    /// Gives the change of a counter a revision of its own and records it.
    pub(crate) fn record_counter(&mut self, change: CounterChange) -> Committed {
        self.revision = self.revision.next();
        self.writes += 1;
        let recorded = records::counters::put(&mut self.batch, &change)
            .and_then(|()| records::log::append_counter(&mut self.batch, self.revision, self.time, change));
        if let Err(error) = recorded {
            self.failure.get_or_insert(error);
        }
        self.committed()
    }

    fn try_record(&mut self, entry: LogEntry, mutations: Vec<Mutation>) -> Result<(), RecordError> {
        for mutation in &mutations {
            match &mutation.after {
                Some(attributes) => records::relationships::put(&mut self.batch, mutation.key, attributes)?,
                None => records::relationships::delete(&mut self.batch, mutation.key),
            }
        }
        for DocumentChange { key, after, .. } in &entry.documents {
            records::documents::put(&mut self.batch, key, after.as_deref());
        }
        records::log::append(&mut self.batch, self.revision, entry, mutations)
    }

    /// Ends the group: what is to be stored, published and answered.
    pub(crate) fn finish(mut self) -> Applied {
        let objects = self.put_names();
        // A group without a revision leaves the head as it is, but for the relationships that were collected.
        if self.writes > 0 || !self.batch.is_empty() || !objects.is_empty() {
            let relationships = self.transaction.state().len();
            let (revision, time, documents) = (self.revision, self.time, self.documents_count);
            let head = meta::Head { revision, time, relationships, documents };
            if let Err(error) = meta::put_head(&mut self.batch, head) {
                self.failure.get_or_insert(error);
            }
        }
        let snapshot = Arc::new(self.transaction.finish(self.revision));
        let version = Version { snapshot, ledger: self.ledger };
        let head = Arc::new(Head { version, time: self.time, documents: self.documents_count });
        Applied {
            tip: Tip { head, counters: self.counters, documents: Arc::new(self.documents) },
            batch: self.batch,
            objects,
            bulk: self.bulk,
            acknowledgements: self.acknowledgements,
            writes: self.writes,
            failure: self.failure,
        }
    }

    /// Records the names that got numbers; those of objects are returned if they are many. Numbers given by a refused
    /// request are stored too: no later transaction hands them over again.
    fn put_names(&mut self) -> Vec<(TypeId, Ordinal, SmolStr)> {
        let transaction = &self.transaction;
        for (id, name) in transaction.new_types() {
            records::catalog::put_type(&mut self.batch, *id, name);
        }
        for (id, kind) in transaction.new_kinds() {
            if let Err(error) = records::catalog::put_kind(&mut self.batch, *id, kind) {
                self.failure.get_or_insert(error);
            }
        }
        let objects = self.transaction.take_new_objects();
        if objects.len() >= LOAD_ROWS_MIN || self.bulk.is_some() {
            return objects;
        }
        for (object_type, ordinal, name) in &objects {
            records::objects::put(&mut self.batch, *object_type, *ordinal, name);
        }
        Vec::new()
    }
}

pub(crate) fn not_put(error: PutError) -> WriteError {
    WriteError::TooManyObjects { message: error.to_string() }
}

fn put(transaction: &mut Transaction, relationship: &Relationship) -> Result<Mutation, PutError> {
    let put = transaction.put(relationship)?;
    Ok(Mutation { key: put.key, before: put.before, after: transaction.edge(put.key) })
}

/// Whether an edge counts at an instant.
pub(crate) fn is_live(attributes: &Attributes, now: Timestamp) -> bool {
    attributes.as_deref().and_then(|qualifier| qualifier.expires_at).is_none_or(|at| at > now)
}
