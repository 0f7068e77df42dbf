//! From changed documents to the next book.

use std::any::Any;
use std::sync::Arc;

use pemba_model::document::{DocumentChange, Ledger, LedgerError};
use pemba_model::{SmolStr, Timestamp};

use super::table::empty;
use super::{Book, ByPermission};
use crate::limits::REVIEW_KEPT_MS;
use crate::records::{
    Agent, AgentChange, Approval, ApprovalPolicy, ApprovalState, BreakGlassPolicy, BrokenGlass, Consumption,
    Delegation, GrantPolicy, Human, Key, Kill, PermissionLabels, PrincipalKind, Record, RecordKind, Session,
    TypePolicy, decode,
};

impl Ledger for Book {
    fn apply(&self, changes: &[DocumentChange]) -> Result<Arc<dyn Ledger>, LedgerError> {
        Ok(Arc::new(self.with(changes)?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Book {
    /// The book after these changes.
    pub fn with(&self, changes: &[DocumentChange]) -> Result<Book, LedgerError> {
        let mut next = self.clone();
        for change in changes {
            next.change(&change.key, change.before.as_deref(), change.after.as_deref())
                .map_err(|message| LedgerError { key: Arc::clone(&change.key), message })?;
        }
        Ok(next)
    }

    fn change(&mut self, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) -> Result<(), String> {
        let kind = RecordKind::of(key).ok_or("no record has a key like this")?;
        match kind {
            RecordKind::TypePolicy => self.exchange(key, before, after, Book::set_type),
            RecordKind::PermissionLabels => self.exchange(key, before, after, Book::set_labels),
            RecordKind::GrantPolicy => self.exchange(key, before, after, Book::set_grant_policy),
            RecordKind::Agent => self.exchange(key, before, after, Book::set_agent),
            RecordKind::AgentChange => self.exchange(key, before, after, Book::set_change),
            RecordKind::Human => self.exchange(key, before, after, Book::set_human),
            RecordKind::Kill => self.exchange(key, before, after, Book::set_kill),
            RecordKind::Delegation => self.exchange(key, before, after, Book::set_delegation),
            RecordKind::Session => self.exchange(key, before, after, Book::set_session),
            RecordKind::ApprovalPolicy => self.exchange(key, before, after, Book::set_approval_policy),
            RecordKind::Approval => self.exchange(key, before, after, Book::set_approval),
            RecordKind::Consumption => self.exchange(key, before, after, Book::set_consumption),
            RecordKind::BreakGlassPolicy => self.exchange(key, before, after, Book::set_break_glass_policy),
            RecordKind::BrokenGlass => self.exchange(key, before, after, Book::set_broken_glass),
        }
    }

    /// Takes the record before out of the book, and puts the one after in.
    fn exchange<R: Record>(
        &mut self,
        key: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        set: fn(&mut Book, &R, bool),
    ) -> Result<(), String> {
        let read = |value: &[u8]| {
            let record: R = decode(value)?;
            if record.key().0 == key { Ok(record) } else { Err("it stands under another's key".to_owned()) }
        };
        let before = before.map(read).transpose()?;
        let after = after.map(read).transpose()?;
        if let Some(record) = &before {
            set(self, record, false);
            self.len = self.len.saturating_sub(1);
        }
        if let Some(record) = &after {
            set(self, record, true);
            self.len += 1;
        }
        Ok(())
    }

    fn set_type(&mut self, record: &TypePolicy, put: bool) {
        self.chain_index.set_type(record, put);
        if put {
            Arc::make_mut(&mut self.types).insert(record.object_type.clone(), Arc::new(record.clone()));
        } else {
            Arc::make_mut(&mut self.types).remove(&record.object_type);
        }
        self.note_agent_type(&record.object_type);
    }

    /// Keeps the types of agents in step with the records of a type.
    fn note_agent_type(&mut self, object_type: &SmolStr) {
        let is_one = self.agents_by_type.contains_key(object_type)
            || self.is_of_kind(object_type, PrincipalKind::Agent);
        let at = self.agent_types.binary_search(object_type);
        let (before, after) = self.agent_types.split_at(at.unwrap_or_else(|at| at));
        let types = match at {
            Err(_) if is_one => before.iter().chain([object_type]).chain(after).cloned().collect(),
            Ok(_) if !is_one => before.iter().chain(after.iter().skip(1)).cloned().collect(),
            _ => return,
        };
        self.agent_types = types;
    }

    fn set_labels(&mut self, record: &PermissionLabels, put: bool) {
        set_by_permission(&mut self.labels, &record.resource_type, &record.permission, record, put);
    }

    fn set_grant_policy(&mut self, record: &GrantPolicy, put: bool) {
        set_by_permission(&mut self.grant_policies, &record.resource_type, &record.relation, record, put);
    }

    fn set_approval_policy(&mut self, record: &ApprovalPolicy, put: bool) {
        let policies =
            if record.grants { &mut self.grant_approval_policies } else { &mut self.approval_policies };
        set_by_permission(policies, &record.resource_type, &record.permission, record, put);
    }

    fn set_agent(&mut self, record: &Agent, put: bool) {
        let by_type = Arc::make_mut(&mut self.agents_by_type);
        let count = by_type.entry(record.principal.object_type.clone()).or_default();
        *count = if put { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            by_type.remove(&record.principal.object_type);
        }
        self.note_agent_type(&record.principal.object_type);
        self.chain_index.set_agent(record, put);
        let shared = || {
            let ceiling = record.ceiling.as_ref().map(|ceiling| self.chain_index.shared(ceiling));
            Arc::new(Agent { ceiling, ..record.clone() })
        };
        self.agents.set(record.principal.clone(), put.then(shared));
    }

    fn set_change(&mut self, record: &AgentChange, put: bool) {
        let id = (record.principal.clone(), record.version);
        if put {
            self.changes.insert_mut(id, Arc::new(record.clone()));
        } else {
            self.changes.remove_mut(&id);
        }
    }

    fn set_human(&mut self, record: &Human, put: bool) {
        self.chain_index.set_human(record, put);
        self.humans.set(record.principal.clone(), put.then(|| Arc::new(record.clone())));
    }

    fn set_kill(&mut self, record: &Kill, put: bool) {
        self.chain_index.set_kill(record, put);
        if put {
            self.kills_by_selector.insert(&record.selector, record.name.clone());
            self.kills.insert_mut(record.name.clone(), Arc::new(record.clone()));
        } else {
            self.kills_by_selector.remove(&record.selector, &record.name);
            self.kills.remove_mut(&record.name);
        }
        if let Some(until) = record.until {
            self.set_end(until, record.key(), put);
        }
    }

    fn set_delegation(&mut self, record: &Delegation, put: bool) {
        self.chain_index.set_delegation(record, put);
        let id = record.id;
        let to = &record.to.object;
        if put {
            self.delegations_by_root.insert(&record.root, id);
            self.delegations_by_from.insert(&record.from, id);
            self.delegations_by_to.insert(to, id);
        } else {
            self.delegations_by_root.remove(&record.root, &id);
            self.delegations_by_from.remove(&record.from, &id);
            self.delegations_by_to.remove(to, &id);
        }
        let shared =
            || Arc::new(Delegation { scope: self.chain_index.shared(&record.scope), ..record.clone() });
        self.delegations.set(id, put.then(shared));
        let end = record.revoked.as_ref().map_or(record.not_after, |ended| ended.at.min(record.not_after));
        self.set_end(end, record.key(), put);
    }

    fn set_session(&mut self, record: &Session, put: bool) {
        if put {
            self.sessions_by_actor.insert(&record.actor, record.id);
        } else {
            self.sessions_by_actor.remove(&record.actor, &record.id);
        }
        self.sessions.set(record.id, put.then(|| Arc::new(record.clone())));
        let end = record.closed.as_ref().map_or(record.not_after, |ended| ended.at.min(record.not_after));
        self.set_end(end, record.key(), put);
    }

    fn set_approval(&mut self, record: &Approval, put: bool) {
        let actor = record.actors.last().unwrap_or(&record.root);
        if put {
            self.approvals_by_action.insert(&record.action_hash, record.id);
            self.approvals_by_actor.insert(actor, record.id);
        } else {
            self.approvals_by_action.remove(&record.action_hash, &record.id);
            self.approvals_by_actor.remove(actor, &record.id);
        }
        self.approvals.set(record.id, put.then(|| Arc::new(record.clone())));
        self.set_end(end_of_approval(record), record.key(), put);
    }

    fn set_consumption(&mut self, record: &Consumption, put: bool) {
        if put {
            self.consumptions.insert_mut(record.key(), Arc::new(record.clone()));
        } else {
            self.consumptions.remove_mut(&record.key());
        }
        self.set_end(record.repeat_until, record.key(), put);
    }

    fn set_break_glass_policy(&mut self, record: &BreakGlassPolicy, put: bool) {
        let policies = &mut self.break_glass_policies;
        set_by_permission(policies, &record.resource_type, &record.permission, record, put);
    }

    fn set_broken_glass(&mut self, record: &BrokenGlass, put: bool) {
        let (id, change) = (record.id, (record.changed_at(), record.id));
        if put {
            self.glass_changes.insert_mut(change);
        } else {
            self.glass_changes.remove_mut(&change);
        }
        match &record.review {
            Some(review) => {
                let kept = i64::try_from(REVIEW_KEPT_MS).unwrap_or(i64::MAX);
                self.set_end(review.at.plus_millis(kept), record.key(), put);
            }
            None if put => {
                self.unreviewed.insert_mut(id);
            }
            None => {
                self.unreviewed.remove_mut(&id);
            }
        }
        self.broken_glass.set(id, put.then(|| Arc::new(record.clone())));
    }

    fn set_end(&mut self, end: Timestamp, key: Key, put: bool) {
        if put {
            self.ends.insert_mut((end, key));
        } else {
            self.ends.remove_mut(&(end, key));
        }
    }
}

/// When an approval no longer matters to anything: a rejection still keeps the same action waiting for a while.
fn end_of_approval(record: &Approval) -> Timestamp {
    match &record.state {
        ApprovalState::Pending => record.decide_before,
        ApprovalState::Approved { use_before, .. } => *use_before,
        ApprovalState::Denied { at } => {
            at.plus_millis(i64::try_from(record.cool_down_ms).unwrap_or(i64::MAX))
        }
        ApprovalState::Cancelled { at } | ApprovalState::Consumed { at } => *at,
    }
}

fn set_by_permission<T: Clone>(
    map: &mut ByPermission<T>,
    object_type: &SmolStr,
    name: &SmolStr,
    record: &T,
    put: bool,
) {
    let mut names = map.get(object_type).cloned().unwrap_or_else(empty);
    if put {
        names.insert_mut(name.clone(), Arc::new(record.clone()));
    } else {
        names.remove_mut(name);
    }
    if names.is_empty() {
        map.remove_mut(object_type);
    } else {
        map.insert_mut(object_type.clone(), names);
    }
}
