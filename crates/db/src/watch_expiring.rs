//! The expirations that a watch is still to tell.
//!
//! Expiring changes nothing in the log, so a watch that tells of it keeps the relationships that will expire, as they
//! are at its place in the log, ordered by instant.

use std::collections::{BTreeMap, HashMap};

use pemba_engine::{Attributes, EdgeKey, Snapshot};
use pemba_model::Timestamp;

use crate::qualified::qualified_relations;
use crate::records::log::Mutation;

/// Most relationships with an expiry that one watch keeps.
pub(crate) const EXPIRING_MAX: usize = 100_000;

/// More relationships would expire than a watch may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Relationships by the instant at which they expire.
#[derive(Debug, Default)]
pub(crate) struct Expiring {
    by_instant: BTreeMap<(Timestamp, EdgeKey), Attributes>,
    by_edge: HashMap<EdgeKey, Timestamp>,
}

impl Expiring {
    /// What will expire after `since` of a snapshot's relationships, as far as `wanted` says so.
    pub(crate) fn of(
        snapshot: &Snapshot,
        since: Timestamp,
        wanted: impl Fn(EdgeKey, &Attributes) -> bool,
    ) -> Result<Expiring, TooMany> {
        let mut expiring = Expiring::default();
        for filter in qualified_relations(snapshot) {
            for (key, attributes) in snapshot.scan(&filter, None, Some(since)) {
                if expires_at(&attributes).is_some() && wanted(key, &attributes) {
                    expiring.put(key, &attributes)?;
                }
            }
        }
        Ok(expiring)
    }

    /// Takes note of a change; `wanted` is whether the watch tells of this relationship.
    pub(crate) fn change(&mut self, mutation: &Mutation, wanted: bool) -> Result<(), TooMany> {
        if let Some(at) = self.by_edge.remove(&mutation.key) {
            self.by_instant.remove(&(at, mutation.key));
        }
        match &mutation.after {
            Some(attributes) if wanted => self.put(mutation.key, attributes),
            Some(_) | None => Ok(()),
        }
    }

    fn put(&mut self, key: EdgeKey, attributes: &Attributes) -> Result<(), TooMany> {
        let Some(at) = expires_at(attributes) else { return Ok(()) };
        if self.by_edge.len() >= EXPIRING_MAX && !self.by_edge.contains_key(&key) {
            return Err(TooMany);
        }
        if let Some(before) = self.by_edge.insert(key, at) {
            self.by_instant.remove(&(before, key));
        }
        self.by_instant.insert((at, key), attributes.clone());
        Ok(())
    }

    /// Takes out what has expired at an instant, at most `count_max`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Timestamp, count_max: usize) -> Vec<(EdgeKey, Attributes)> {
        let mut due = Vec::new();
        while due.len() < count_max {
            let Some(first) = self.by_instant.first_entry() else { break };
            let (at, key) = *first.key();
            if at > now {
                break;
            }
            due.push((key, first.remove()));
            self.by_edge.remove(&key);
        }
        due
    }

    /// The next instant at which something expires.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_instant.first_key_value().map(|((at, _), _)| *at)
    }
}

fn expires_at(attributes: &Attributes) -> Option<Timestamp> {
    attributes.as_deref().and_then(|qualifier| qualifier.expires_at)
}
