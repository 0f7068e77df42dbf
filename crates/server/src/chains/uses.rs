//! When sessions were used last: remembered in memory, and written down now and then.

use std::collections::HashMap;

use parking_lot::Mutex;
use pemba_agents::SessionId;
use pemba_agents::records::Session;
use pemba_model::Timestamp;

/// Parts with a lock each.
const SHARDS: usize = 64;
/// Most sessions remembered in one part. One more makes the session used longest ago be forgotten: then it counts from
/// the last use that was written down, which can only end it earlier.
const SESSIONS_PER_SHARD_MAX: usize = 1024;
/// Shortest time between two writes of one session's use.
const WRITE_INTERVAL_MIN_MS: i64 = 1000;

#[derive(Debug, Clone, Copy)]
struct Use {
    at: Timestamp,
    /// The last use that was handed on to be written down.
    written: Timestamp,
}

/// The last uses of sessions that can idle. Bounded.
#[derive(Debug)]
pub(crate) struct Uses {
    shards: Vec<Mutex<HashMap<SessionId, Use>>>,
}

impl Uses {
    pub(crate) fn new() -> Uses {
        Uses { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, id: SessionId) -> Option<&Mutex<HashMap<SessionId, Use>>> {
        // Ids are random in all their bits.
        let at = usize::try_from(id.0 % SHARDS as u128).unwrap_or_default();
        self.shards.get(at)
    }

    /// When a session was used last, as far as it is remembered.
    pub(crate) fn last(&self, id: SessionId) -> Option<Timestamp> {
        self.shard(id)?.lock().get(&id).map(|last| last.at)
    }

    /// Remembers a use. Says whether it is time to write it down: every quarter of the time that the session may lie
    /// unused, and no more than once a second.
    pub(crate) fn note(&self, session: &Session, now: Timestamp) -> bool {
        let (Some(idle_ms), Some(shard)) = (session.idle_ms, self.shard(session.id)) else { return false };
        let mut known = shard.lock();
        if known.len() >= SESSIONS_PER_SHARD_MAX && !known.contains_key(&session.id) {
            let oldest = known.iter().min_by_key(|(_, last)| last.at).map(|(id, _)| *id);
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let first = Use { at: session.touched_at, written: session.touched_at };
        let last = known.entry(session.id).or_insert(first);
        last.at = last.at.max(now);
        let interval_ms = i64::try_from(idle_ms / 4).unwrap_or(i64::MAX).max(WRITE_INTERVAL_MIN_MS);
        let is_due = last.at >= last.written.max(session.touched_at).plus_millis(interval_ms);
        if is_due {
            last.written = last.at;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pemba_agents::records::SessionBinding;
    use pemba_model::ObjectRef;

    use super::*;

    fn session(id: u128, idle_ms: Option<u64>) -> Session {
        Session {
            id: SessionId(id),
            actor: ObjectRef::new("agent", "a"),
            incarnation: 1,
            delegation: None,
            scope: None,
            binding: SessionBinding::Client("portal".into()),
            purpose: String::new(),
            task: None,
            authentication: None,
            authenticated_at: None,
            labels: BTreeSet::new(),
            opened_at: Timestamp::from_millis(0),
            opened_by: "portal".into(),
            opened_for: None,
            not_after: Timestamp::from_millis(1_000_000),
            idle_ms,
            touched_at: Timestamp::from_millis(0),
            grants: Vec::new(),
            closed: None,
        }
    }

    #[test]
    fn uses_are_remembered_and_due_every_quarter_of_the_idle_time() {
        let uses = Uses::new();
        let session = session(7, Some(8000));
        let note = |ms| uses.note(&session, Timestamp::from_millis(ms));
        assert_eq!(uses.last(session.id), None);
        assert_eq!(
            [note(100), note(1999), note(2000), note(2001), note(3999), note(4000)],
            [false, false, true, false, false, true]
        );
        assert_eq!(uses.last(session.id), Some(Timestamp::from_millis(4000)));
        // A clock that goes back takes nothing away.
        assert!(!note(10));
        assert_eq!(uses.last(session.id), Some(Timestamp::from_millis(4000)));
    }

    #[test]
    fn no_more_than_once_a_second_and_never_without_an_idle_time() {
        let uses = Uses::new();
        let short = session(7, Some(400));
        let due: Vec<bool> =
            [100, 999, 1000].map(|ms| uses.note(&short, Timestamp::from_millis(ms))).to_vec();
        assert_eq!(due, [false, false, true]);
        assert!(!uses.note(&session(8, None), Timestamp::from_millis(5000)));
        assert_eq!(uses.last(SessionId(8)), None);
    }

    #[test]
    fn a_bounded_number_is_remembered_and_the_oldest_goes() {
        let uses = Uses::new();
        let in_one_shard = |n: usize| (n * SHARDS) as u128;
        for n in 0..=SESSIONS_PER_SHARD_MAX {
            let now = Timestamp::from_millis(i64::try_from(n).unwrap());
            uses.note(&session(in_one_shard(n), Some(60_000)), now);
        }
        assert_eq!(uses.last(SessionId(in_one_shard(0))), None);
        assert!(uses.last(SessionId(in_one_shard(1))).is_some());
        assert_eq!(uses.shards[0].lock().len(), SESSIONS_PER_SHARD_MAX);
    }
}
