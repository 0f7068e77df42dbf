//! The head and the versions behind it: how a reader gets what there is at a revision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use pemba_engine::Snapshot;
use pemba_model::{Ledger, Revision, Timestamp};

/// Rebuilt versions kept for the next reader of the same revision.
const REBUILT_MAX: usize = 16;

/// All there is at one revision: the relationships and what is derived from the documents. They travel together, so
/// that nobody sees one without the other.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) ledger: Arc<dyn Ledger>,
}

impl Version {
    pub(crate) fn revision(&self) -> Revision {
        self.snapshot.revision()
    }
}

/// The newest version and when it was committed.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) time: Timestamp,
    /// How many documents there are.
    pub(crate) documents: u64,
}

/// A version that was the head until a later one was committed.
struct Superseded {
    version: Version,
    at: Timestamp,
}

/// What is known of revisions without asking the store.
pub(crate) struct History {
    head: ArcSwap<Head>,
    /// Ascending by revision, without the head. Written as groups are published; readers of old revisions share it.
    retained: RwLock<VecDeque<Superseded>>,
    retained_max: usize,
    /// Least recently used first.
    rebuilt: Mutex<VecDeque<Superseded>>,
    /// Held while one version is rebuilt: a second reader of the same revision finds it done.
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

    /// The newest version.
    pub(crate) fn head(&self) -> Arc<Head> {
        self.head.load_full()
    }

    /// Makes a version the head, in one step. A head of the same revision is replaced, since both say the same.
    pub(crate) fn publish(&self, head: Arc<Head>) {
        let before = self.head.load_full();
        if before.version.revision() != head.version.revision() {
            let mut retained = self.retained.write();
            retained.push_back(Superseded { version: before.version.clone(), at: head.time });
            while retained.len() > self.retained_max {
                retained.pop_front();
            }
        }
        self.head.store(head);
    }

    /// The version of a revision behind the head, if it is at hand, with the instant it stopped being the head.
    pub(crate) fn at_hand(&self, revision: Revision) -> Option<(Version, Timestamp)> {
        {
            let retained = self.retained.read();
            let at = retained.binary_search_by_key(&revision, |one| one.version.revision());
            if let Some(one) = at.ok().and_then(|at| retained.get(at)) {
                return Some((one.version.clone(), one.at));
            }
        }
        let mut rebuilt = self.rebuilt.lock();
        let at = rebuilt.iter().position(|one| one.version.revision() == revision)?;
        let one = rebuilt.remove(at)?;
        let found = (one.version.clone(), one.at);
        rebuilt.push_back(one);
        Some(found)
    }

    /// The version of the lowest revision above this one; the head when there is no lower.
    pub(crate) fn next_above(&self, revision: Revision) -> Version {
        let head = self.head.load_full();
        let retained = self.retained.read();
        let at = retained.partition_point(|one| one.version.revision() <= revision);
        let mut best = retained.get(at).map_or(&head.version, |one| &one.version);
        let rebuilt = self.rebuilt.lock();
        for one in rebuilt.iter() {
            if one.version.revision() > revision && one.version.revision() < best.revision() {
                best = &one.version;
            }
        }
        best.clone()
    }

    /// Keeps a rebuilt version for the next reader.
    pub(crate) fn keep_rebuilt(&self, version: Version, superseded_at: Timestamp) {
        let mut rebuilt = self.rebuilt.lock();
        while rebuilt.len() >= REBUILT_MAX {
            rebuilt.pop_front();
        }
        rebuilt.push_back(Superseded { version, at: superseded_at });
    }

    /// The oldest revision whose successor is still in the log.
    pub(crate) fn horizon(&self) -> Revision {
        Revision(self.horizon.load(Ordering::Acquire))
    }

    /// Moves the horizon up and lets go of what is older. It must move before the log is cut.
    pub(crate) fn raise_horizon(&self, horizon: Revision) {
        self.horizon.fetch_max(horizon.0, Ordering::AcqRel);
        self.retained.write().retain(|one| one.version.revision() >= horizon);
        self.rebuilt.lock().retain(|one| one.version.revision() >= horizon);
    }

    /// How many versions are kept besides the head.
    pub(crate) fn retained_count(&self) -> usize {
        self.retained.read().len() + self.rebuilt.lock().len()
    }
}
