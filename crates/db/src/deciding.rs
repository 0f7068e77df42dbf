//! Commands: functions that look at the newest state and decide what changes, documents and relationships as one
//! revision.

use std::collections::HashSet;
use std::sync::Arc;

use pemba_model::document::key_text;
use pemba_model::{Context, DocumentChange, Limits, ObjectRef, Relationship, Revision, Update, names};
use pemba_schema::Schema;

use crate::database::Database;
use crate::errors::{DecideError, Refusal, WriteError};
use crate::group::{Group, not_put};
use crate::pending::Pending;
use crate::preconditions::{SEQUENCER_STEPS_MAX, check_sizes};
use crate::records;
use crate::records::log::LogEntry;
use crate::requests::Committed;
use crate::sequencer::{Answer, Request};
use crate::validation::{check_updates, definition_of};
use crate::view::View;

/// Most bytes of a document's key that an error shows.
const SHOWN_KEY_MAX_BYTES: usize = 64;

/// What a decision may look at.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// Everything that was decided and written before, although it may not be durable yet, and the instant of the
    /// commit. A query of it may take no more steps than the preconditions of a write, since every other write waits.
    pub view: &'a View,
    /// The revision that the command gets if it changes anything.
    pub revision: Revision,
}

/// What a command changes, all or nothing, and what it tells its caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided<T> {
    /// Documents and their new values; `None` removes one. No key twice. One that has its value already stays as it is.
    pub documents: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// As in a `Write`.
    pub updates: Vec<Update>,
    /// Objects whose names begin anew: no relationship of before is found under the name, at any revision. What
    /// `updates` say of them is of the later incarnation.
    pub reincarnate: Vec<ObjectRef>,
    /// What watchers are told with the relationships; dropped when nothing changes.
    pub metadata: Option<Context>,
    /// What the caller gets.
    pub reply: T,
}

impl<T> Decided<T> {
    /// An answer that changes nothing.
    pub fn unchanged(reply: T) -> Decided<T> {
        Decided { documents: Vec::new(), updates: Vec::new(), reincarnate: Vec::new(), metadata: None, reply }
    }
}

impl Database {
    /// Runs a command on the sequencer's thread, after everything that was submitted before it. What it decides gets one
    /// revision and is stored as a whole; what changes nothing gets none and is answered with the revision of what it
    /// saw. Either way the answer comes once all that it may rest on is durable. All other writes wait while it runs:
    /// it must be quick and wait for nothing. A command that panics closes the database for writes.
    pub fn decide<T, E>(
        &self,
        decide: impl FnOnce(&Command<'_>) -> Result<Decided<T>, E> + Send + 'static,
    ) -> Pending<(Committed, T), E>
    where
        T: Send + 'static,
        E: From<DecideError> + Send + 'static,
    {
        let refused: fn(Refusal) -> E = |refusal| E::from(DecideError::from(refusal));
        let request = |answer: Answer<(Committed, T), E>| {
            Request::Decide(Box::new(move |group: Result<&mut Group<'_>, Refusal>| match group {
                Ok(group) => {
                    let result = group.decide(decide);
                    group.answer_with(answer, result, refused);
                }
                // An asker that went away does not matter.
                Err(refusal) => drop(answer.send(Err(refused(refusal)))),
            }))
        };
        self.handle.submit_with(request, refused)
    }
}

impl Group<'_> {
    fn decide<T, E: From<DecideError>>(
        &mut self,
        decide: impl FnOnce(&Command<'_>) -> Result<Decided<T>, E>,
    ) -> Result<(Committed, T), E> {
        let view = self.view(SEQUENCER_STEPS_MAX);
        let decided = decide(&Command { view: &view, revision: self.revision.next() })?;
        // What shares the state would have it copied when it changes.
        drop(view);
        let Decided { documents, updates, reincarnate, metadata, reply } = decided;
        Ok((self.carry_out(documents, &updates, &reincarnate, metadata)?, reply))
    }

    /// Checks and applies everything; after an error nothing has changed.
    fn carry_out(
        &mut self,
        documents: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        updates: &[Update],
        reincarnate: &[ObjectRef],
        metadata: Option<Context>,
    ) -> Result<Committed, DecideError> {
        let limits = &self.shared.limits;
        let relationships = updates.len().saturating_add(reincarnate.len());
        let (count, max) = (documents.len().saturating_add(relationships), limits.command_changes_max);
        if count > max {
            return Err(DecideError::TooManyChanges { count, max });
        }
        check_updates(updates, limits)?;
        check_sizes(&[], metadata.as_ref(), limits).map_err(WriteError::from)?;
        self.check_allowed(updates)?;
        for object in reincarnate {
            check_object(self.transaction.schema(), object)?;
        }
        // Nothing of a later incarnation is there yet.
        let names_it = |update: &&Update| {
            let Relationship { resource, subject, .. } = &update.relationship;
            reincarnate.iter().any(|object| object == resource || *object == subject.object)
        };
        self.check_created(updates.iter().filter(|update| !names_it(update)))?;
        let documents = self.changes_of(documents)?;
        let ledger = match documents.as_slice() {
            [] => Arc::clone(&self.ledger),
            changes => self.ledger.apply(changes)?,
        };
        // Names cannot be taken back, so this comes when all has been checked. Only a type that is full fails from here.
        for object in reincarnate {
            self.transaction.reincarnate(object).map_err(not_put)?;
        }
        let mutations = self.apply_updates(updates)?;
        if documents.is_empty() && mutations.is_empty() && reincarnate.is_empty() {
            return Ok(self.committed());
        }
        self.ledger = ledger;
        let entry = LogEntry { time: self.time, metadata, schema_changed: false, documents };
        Ok(self.record(entry, mutations))
    }

    /// What changes, with what was there before.
    fn changes_of(
        &self,
        documents: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<Vec<DocumentChange>, DecideError> {
        let limits = &self.shared.limits;
        let max_bytes = limits.command_documents_max_bytes;
        let mut seen = HashSet::with_capacity(documents.len());
        let mut changes = Vec::with_capacity(documents.len());
        let mut size_bytes = 0_usize;
        for (key, after) in documents {
            check_document(&key, after.as_deref(), limits)?;
            let key: Arc<[u8]> = key.into();
            if !seen.insert(Arc::clone(&key)) {
                return Err(DecideError::DuplicateDocument { key: shown(&key) });
            }
            let before = self.document(&key)?;
            let change = DocumentChange { key, before, after: after.map(Arc::from) };
            size_bytes = size_bytes.saturating_add(change.size_bytes());
            if size_bytes > max_bytes {
                return Err(DecideError::DocumentsTooLarge { max_bytes });
            }
            if change.before != change.after {
                changes.push(change);
            }
        }
        Ok(changes)
    }

    /// A document as the group has it so far.
    fn document(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, DecideError> {
        match self.documents.get(key).or_else(|| self.documents_before.get(key)) {
            Some(changed) => Ok(changed.clone()),
            None => records::documents::get(&*self.shared.store, key)
                .map_err(|error| DecideError::Storage { reason: error.to_string() }),
        }
    }
}

fn check_document(key: &[u8], value: Option<&[u8]>, limits: &Limits) -> Result<(), DecideError> {
    if key.is_empty() {
        return Err(DecideError::EmptyDocumentKey);
    }
    let (size_bytes, max_bytes) = (key.len(), limits.document_key_max_bytes);
    if size_bytes > max_bytes {
        return Err(DecideError::DocumentKeyTooLarge { key: shown(key), size_bytes, max_bytes });
    }
    let (size_bytes, max_bytes) = (value.map_or(0, <[u8]>::len), limits.document_max_bytes);
    if size_bytes > max_bytes {
        return Err(DecideError::DocumentTooLarge { key: shown(key), size_bytes, max_bytes });
    }
    Ok(())
}

/// Checks that an object can get a later incarnation.
fn check_object(schema: &Schema, object: &ObjectRef) -> Result<(), DecideError> {
    let invalid = |error| DecideError::InvalidObject { object: object.to_string(), error };
    names::check_object_type(&object.object_type).map_err(invalid)?;
    names::check_object_id(&object.object_id).map_err(invalid)?;
    definition_of(schema, &object.object_type).map_err(WriteError::from)?;
    Ok(())
}

/// The key as errors show it, cut where it is long.
fn shown(key: &[u8]) -> String {
    match key.split_at_checked(SHOWN_KEY_MAX_BYTES) {
        Some((beginning, rest)) if !rest.is_empty() => format!("{}...", key_text(beginning)),
        _ => key_text(key),
    }
}
