//! The head and the versions behind it: how a reader gets what there is at a revision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use pemba_engine::Snapshot;
use pemba_model::{Ledger, Limits, Revision, Timestamp};

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
    /// What it takes besides what the next later one takes, about. What readers hold on their own does not count.
    bytes: u64,
}

/// Versions behind the head with what they take together.
#[derive(Default)]
struct Kept {
    versions: VecDeque<Superseded>,
    bytes: u64,
}

/// How many versions are kept besides the head, and the bytes they take besides its own, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retained {
    pub(crate) count: usize,
    pub(crate) bytes: u64,
}

impl Kept {
    fn push(&mut self, one: Superseded) {
        self.bytes = self.bytes.saturating_add(one.bytes);
        self.versions.push_back(one);
    }

    fn remove(&mut self, at: usize) -> Option<Superseded> {
        let one = self.versions.remove(at)?;
        self.bytes = self.bytes.saturating_sub(one.bytes);
        Some(one)
    }

    /// Takes the first until no more than so many, of so many bytes, are left.
    fn shrink(&mut self, max: usize, max_bytes: u64) -> Vec<Superseded> {
        let mut gone = Vec::new();
        while self.versions.len() > max || self.bytes > max_bytes {
            let Some(first) = self.remove(0) else { break };
            gone.push(first);
        }
        gone
    }

    fn retain_from(&mut self, horizon: Revision) {
        self.versions.retain(|one| one.version.revision() >= horizon);
        self.bytes = self.versions.iter().fold(0, |sum, one| sum.saturating_add(one.bytes));
    }
}

/// What is known of revisions without asking the store.
pub(crate) struct History {
    head: ArcSwap<Head>,
    /// Ascending by revision, without the head. Written as groups are published; readers of old revisions share it.
    retained: RwLock<Kept>,
    retained_max: usize,
    /// Of `retained`, and of `rebuilt` again.
    retained_max_bytes: u64,
    /// Least recently used first.
    rebuilt: Mutex<Kept>,
    /// Held while one version is rebuilt: a second reader of the same revision finds it done.
    pub(crate) rebuilding: Mutex<()>,
    horizon: AtomicU64,
}

impl History {
    pub(crate) fn new(head: Head, horizon: Revision, limits: &Limits) -> History {
        History {
            head: ArcSwap::from_pointee(head),
            retained: RwLock::default(),
            retained_max: limits.snapshots_retained_max,
            retained_max_bytes: limits.snapshots_retained_max_bytes,
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
        let mut gone = Vec::new();
        if before.version.revision() != head.version.revision() {
            let bytes = head.version.snapshot.replaced_since(&before.version.snapshot);
            let mut retained = self.retained.write();
            retained.push(Superseded { version: before.version.clone(), at: head.time, bytes });
            gone = retained.shrink(self.retained_max, self.retained_max_bytes);
        }
        self.head.store(head);
        // Freeing takes its time, and nobody waits for it.
        drop(gone);
    }

    /// The version of a revision behind the head, if it is at hand, with the instant it stopped being the head.
    pub(crate) fn at_hand(&self, revision: Revision) -> Option<(Version, Timestamp)> {
        {
            let retained = self.retained.read();
            let at = retained.versions.binary_search_by_key(&revision, |one| one.version.revision());
            if let Some(one) = at.ok().and_then(|at| retained.versions.get(at)) {
                return Some((one.version.clone(), one.at));
            }
        }
        let mut rebuilt = self.rebuilt.lock();
        let at = rebuilt.versions.iter().position(|one| one.version.revision() == revision)?;
        let one = rebuilt.remove(at)?;
        let found = (one.version.clone(), one.at);
        rebuilt.push(one);
        Some(found)
    }

    /// The version of the lowest revision above this one; the head when there is no lower.
    pub(crate) fn next_above(&self, revision: Revision) -> Version {
        let head = self.head.load_full();
        let retained = self.retained.read();
        let at = retained.versions.partition_point(|one| one.version.revision() <= revision);
        let mut best = retained.versions.get(at).map_or(&head.version, |one| &one.version);
        let rebuilt = self.rebuilt.lock();
        for one in &rebuilt.versions {
            if one.version.revision() > revision && one.version.revision() < best.revision() {
                best = &one.version;
            }
        }
        best.clone()
    }

    /// Keeps a rebuilt version of so many bytes for the next reader, unless it alone takes too many.
    pub(crate) fn keep_rebuilt(&self, version: Version, superseded_at: Timestamp, bytes: u64) {
        let mut rebuilt = self.rebuilt.lock();
        rebuilt.push(Superseded { version, at: superseded_at, bytes });
        let gone = rebuilt.shrink(REBUILT_MAX, self.retained_max_bytes);
        drop(rebuilt);
        drop(gone);
    }

    /// The oldest revision whose successor is still in the log.
    pub(crate) fn horizon(&self) -> Revision {
        Revision(self.horizon.load(Ordering::Acquire))
    }

    /// Moves the horizon up and lets go of what is older. It must move before the log is cut.
    pub(crate) fn raise_horizon(&self, horizon: Revision) {
        self.horizon.fetch_max(horizon.0, Ordering::AcqRel);
        self.retained.write().retain_from(horizon);
        self.rebuilt.lock().retain_from(horizon);
    }

    /// What is kept besides the head.
    pub(crate) fn retained(&self) -> Retained {
        let (retained, rebuilt) = (self.retained.read(), self.rebuilt.lock());
        let count = retained.versions.len() + rebuilt.versions.len();
        Retained { count, bytes: retained.bytes.saturating_add(rebuilt.bytes) }
    }
}
