//! The head and the snapshots behind it: how a reader gets the snapshot of a revision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use pemba_engine::Snapshot;
use pemba_model::{Revision, Timestamp};

/// Rebuilt snapshots kept for the next reader of the same revision.
const REBUILT_MAX: usize = 16;

/// The newest snapshot and when it was committed.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) time: Timestamp,
}

/// A snapshot that was the head until a later one was committed.
struct Superseded {
    snapshot: Arc<Snapshot>,
    at: Timestamp,
}

/// What is known of revisions without asking the store.
pub(crate) struct History {
    head: ArcSwap<Head>,
    /// Ascending by revision, without the head. Written by the sequencer; readers of old revisions share it.
    retained: RwLock<VecDeque<Superseded>>,
    retained_max: usize,
    /// Least recently used first.
    rebuilt: Mutex<VecDeque<Superseded>>,
    /// Held while one snapshot is rebuilt: a second reader of the same revision finds it done.
    pub(crate) rebuilding: Mutex<()>,
    horizon: AtomicU64,
}

impl History {
    pub(crate) fn new(head: Head, horizon: Revision, retained_max: usize) -> History {
        History {
            head: ArcSwap::from_pointee(head),
            retained: RwLock::default(),
            retained_max,
            rebuilt: Mutex::default(),
            rebuilding: Mutex::default(),
            horizon: AtomicU64::new(horizon.0),
        }
    }

    /// The newest snapshot.
    pub(crate) fn head(&self) -> Arc<Head> {
        self.head.load_full()
    }

    /// Makes a snapshot the head. A head of the same revision is replaced, since both say the same.
    pub(crate) fn publish(&self, head: Head) {
        let before = self.head.load_full();
        if before.snapshot.revision() != head.snapshot.revision() {
            let mut retained = self.retained.write();
            retained.push_back(Superseded { snapshot: Arc::clone(&before.snapshot), at: head.time });
            while retained.len() > self.retained_max {
                retained.pop_front();
            }
        }
        self.head.store(Arc::new(head));
    }

    /// The snapshot of a revision behind the head, if it is at hand, with the instant it stopped being the head.
    pub(crate) fn at_hand(&self, revision: Revision) -> Option<(Arc<Snapshot>, Timestamp)> {
        {
            let retained = self.retained.read();
            let at = retained.binary_search_by_key(&revision, |one| one.snapshot.revision());
            if let Some(one) = at.ok().and_then(|at| retained.get(at)) {
                return Some((Arc::clone(&one.snapshot), one.at));
            }
        }
        let mut rebuilt = self.rebuilt.lock();
        let at = rebuilt.iter().position(|one| one.snapshot.revision() == revision)?;
        let one = rebuilt.remove(at)?;
        let found = (Arc::clone(&one.snapshot), one.at);
        rebuilt.push_back(one);
        Some(found)
    }

    /// The snapshot of the lowest revision above this one; the head when there is no lower.
    pub(crate) fn next_above(&self, revision: Revision) -> Arc<Snapshot> {
        let head = self.head.load_full();
        let retained = self.retained.read();
        let at = retained.partition_point(|one| one.snapshot.revision() <= revision);
        let mut best = retained.get(at).map_or(&head.snapshot, |one| &one.snapshot);
        let rebuilt = self.rebuilt.lock();
        for one in rebuilt.iter() {
            if one.snapshot.revision() > revision && one.snapshot.revision() < best.revision() {
                best = &one.snapshot;
            }
        }
        Arc::clone(best)
    }

    /// Keeps a rebuilt snapshot for the next reader.
    pub(crate) fn keep_rebuilt(&self, snapshot: Arc<Snapshot>, superseded_at: Timestamp) {
        let mut rebuilt = self.rebuilt.lock();
        while rebuilt.len() >= REBUILT_MAX {
            rebuilt.pop_front();
        }
        rebuilt.push_back(Superseded { snapshot, at: superseded_at });
    }

    /// The oldest revision whose successor is still in the log.
    pub(crate) fn horizon(&self) -> Revision {
        Revision(self.horizon.load(Ordering::Acquire))
    }

    /// Moves the horizon up and lets go of what is older. It must move before the log is cut.
    pub(crate) fn raise_horizon(&self, horizon: Revision) {
        self.horizon.fetch_max(horizon.0, Ordering::AcqRel);
        self.retained.write().retain(|one| one.snapshot.revision() >= horizon);
        self.rebuilt.lock().retain(|one| one.snapshot.revision() >= horizon);
    }

    /// How many snapshots are kept besides the head.
    pub(crate) fn retained_count(&self) -> usize {
        self.retained.read().len() + self.rebuilt.lock().len()
    }
}
