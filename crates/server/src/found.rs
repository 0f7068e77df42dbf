//! What lookups of resources found whose clients took a part of it: the next page of each begins where the last one ended
//! instead of from nothing. A set that was dropped meanwhile is found again; no answer depends on it.
//!
//! **Invariant: a set is given out only for the very question it answers, at a revision and at instants at which nothing
//! could have changed it.**

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use pemba_db::View;
use pemba_engine::{Graph as _, Ordinal, ResourceSet};
use pemba_model::{Revision, SubjectRef, Timestamp};
use roaring::RoaringBitmap;

/// Most sets that are kept.
const SETS_MAX: usize = 256;
/// Most bytes of all sets that are kept.
const BYTES_MAX: usize = 16 << 20;

/// A question, and all that its answer depends on besides the instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    database_id: u64,
    revision: Revision,
    /// The encoded request without consistency, limit and cursor.
    arguments: Arc<[u8]>,
    /// Whom the subject's name stands for, and who of the resources' type lost its name last: names go to later
    /// incarnations at every revision at once.
    subject: Option<Ordinal>,
    replaced: Option<(Ordinal, Ordinal)>,
}

impl Asked {
    /// To be made before the question is answered: what happens to names meanwhile then makes the set useless, and not
    /// wrong. `None` where a type was never mentioned.
    pub(crate) fn new(
        view: &View,
        database_id: u64,
        arguments: &Arc<[u8]>,
        resource_type: &str,
        subject: &SubjectRef,
    ) -> Option<Asked> {
        let snapshot = view.snapshot();
        let resource_type = snapshot.catalog().type_id(resource_type)?;
        let subject_type = snapshot.catalog().type_id(&subject.object.object_type)?;
        Some(Asked {
            database_id,
            revision: view.revision(),
            arguments: Arc::clone(arguments),
            subject: snapshot.names().ordinal(subject_type, &subject.object.object_id),
            replaced: snapshot.names().replaced(resource_type).next_back(),
        })
    }
}

/// The answer to a lookup of resources.
#[derive(Debug)]
pub(crate) struct Found {
    /// What the engine found.
    pub(crate) set: ResourceSet,
    /// Both parts of it.
    pub(crate) all: RoaringBitmap,
    /// The instant of the question.
    at: Timestamp,
}

impl Found {
    pub(crate) fn new(set: ResourceSet, at: Timestamp) -> Found {
        Found { all: &set.definite | &set.conditional, set, at }
    }

    /// Whether it is the answer at another instant too.
    fn holds_at(&self, now: Timestamp) -> bool {
        self.at <= now && self.set.valid_until.is_none_or(|until| now < until)
    }

    fn bytes(&self) -> usize {
        [&self.all, &self.set.definite, &self.set.conditional]
            .map(RoaringBitmap::serialized_size)
            .iter()
            .sum()
    }
}

/// What is kept; the sets used last come last.
#[derive(Debug, Default)]
pub(crate) struct FoundSets(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    sets: VecDeque<(Asked, Arc<Found>)>,
    bytes: usize,
}

impl FoundSets {
    /// The answer to a question at an instant, if it is kept.
    pub(crate) fn get(&self, asked: &Asked, now: Timestamp) -> Option<Arc<Found>> {
        let mut kept = self.0.lock();
        let entry = kept.take(asked)?;
        if !entry.1.holds_at(now) {
            return None;
        }
        let found = Arc::clone(&entry.1);
        kept.put(entry);
        Some(found)
    }

    /// Keeps an answer for as long as there is room.
    pub(crate) fn keep(&self, asked: Asked, found: Arc<Found>) {
        let mut kept = self.0.lock();
        kept.take(&asked);
        kept.put((asked, found));
        while kept.bytes > BYTES_MAX || kept.sets.len() > SETS_MAX {
            let Some(oldest) = kept.sets.pop_front() else { return };
            kept.bytes = kept.bytes.saturating_sub(weight(&oldest));
        }
    }
}

impl Kept {
    fn take(&mut self, asked: &Asked) -> Option<(Asked, Arc<Found>)> {
        let at = self.sets.iter().position(|(other, _)| other == asked)?;
        let entry = self.sets.remove(at)?;
        self.bytes = self.bytes.saturating_sub(weight(&entry));
        Some(entry)
    }

    fn put(&mut self, entry: (Asked, Arc<Found>)) {
        self.bytes += weight(&entry);
        self.sets.push_back(entry);
    }
}

fn weight((asked, found): &(Asked, Arc<Found>)) -> usize {
    asked.arguments.len() + found.bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn asked(revision: u64, arguments: &str) -> Asked {
        Asked {
            database_id: 1,
            revision: Revision(revision),
            arguments: arguments.as_bytes().into(),
            subject: Some(Ordinal(3)),
            replaced: None,
        }
    }

    fn found(count: u32, at: i64, until: Option<i64>) -> Arc<Found> {
        let set = ResourceSet {
            definite: (0..count).map(|n| n * 16).collect(),
            conditional: [1].into_iter().collect(),
            valid_until: until.map(Timestamp::from_millis),
            ..ResourceSet::default()
        };
        Arc::new(Found::new(set, Timestamp::from_millis(at)))
    }

    #[test]
    fn a_set_is_kept_for_its_own_question_alone() {
        let sets = FoundSets::default();
        let own = asked(5, "a");
        sets.keep(own.clone(), found(10, 100, None));
        let now = Timestamp::from_millis(100);
        assert_eq!(sets.get(&own, now).unwrap().all.len(), 11);
        let others = [
            asked(4, "a"),
            asked(6, "a"),
            asked(5, "b"),
            Asked { database_id: 2, ..own.clone() },
            Asked { subject: Some(Ordinal(4)), ..own.clone() },
            Asked { subject: None, ..own.clone() },
            Asked { replaced: Some((Ordinal(1), Ordinal(9))), ..own.clone() },
        ];
        for other in others {
            assert!(sets.get(&other, now).is_none(), "{other:?}");
        }
        assert!(sets.get(&own, now).is_some());
    }

    #[test]
    fn a_set_answers_from_its_instant_until_something_expires() {
        let sets = FoundSets::default();
        for (now, is_answered) in [(99, false), (100, true), (149, true), (150, false), (151, false)] {
            sets.keep(asked(5, "a"), found(10, 100, Some(150)));
            assert_eq!(sets.get(&asked(5, "a"), Timestamp::from_millis(now)).is_some(), is_answered, "{now}");
        }
    }

    #[test]
    fn the_sets_used_last_are_kept_within_the_bounds() {
        let sets = FoundSets::default();
        let now = Timestamp::from_millis(0);
        for n in 0..2 * SETS_MAX {
            sets.keep(asked(n as u64, "a"), found(3, 0, None));
            assert!(sets.get(&asked(0, "a"), now).is_some());
        }
        assert!(sets.get(&asked(1, "a"), now).is_none());
        assert_eq!(sets.0.lock().sets.len(), SETS_MAX);
        for n in 0..100 {
            sets.keep(asked(n, "large"), found(100_000, 0, None));
            let kept = sets.0.lock();
            assert!(kept.bytes <= BYTES_MAX);
            assert_eq!(kept.bytes, kept.sets.iter().map(weight).sum::<usize>());
        }
        assert!(sets.get(&asked(99, "large"), now).is_some());
        assert!(sets.get(&asked(0, "large"), now).is_none());
        // What is too large alone is not kept.
        sets.keep(asked(0, "huge"), found(5_000_000, 0, None));
        assert!(sets.get(&asked(0, "huge"), now).is_none());
    }
}
