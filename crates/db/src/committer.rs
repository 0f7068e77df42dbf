//! Storing while the next group is applied: the second half of a commit, on a thread of its own.
//!
//! **Invariant: groups are stored, published and answered one after the other in the order they were applied; a group is
//! visible only once it is durable, and a group whose predecessor failed is refused.**
//!
//! There is at most one group on its way. While it is, the sequencer keeps adding to the next one, so that each sync
//! carries everything that came during the sync before it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};

use crate::shared::Shared;
use crate::storing::Applied;

/// A group with what is counted about it.
pub(crate) struct Work {
    pub(crate) applied: Applied,
    /// Its requests, refused ones included.
    pub(crate) size: usize,
    /// When its first request was taken.
    pub(crate) started: Instant,
}

impl Work {
    /// Stores, publishes, answers and counts the group.
    pub(crate) fn commit(self, shared: &Arc<Shared>) {
        let writes = self.applied.commit(shared);
        shared.counters.count_group(self.size, writes, self.started.elapsed());
    }
}

/// The sequencer's end of it.
pub(crate) struct Committer {
    work: Sender<Work>,
    done: Receiver<()>,
    busy: bool,
}

/// The thread's end of it.
pub(crate) struct Waiting {
    work: Receiver<Work>,
    done: Sender<()>,
}

/// The two ends.
pub(crate) fn committer() -> (Committer, Waiting) {
    let (work, waiting) = bounded(1);
    let (done, is_done) = bounded(1);
    (Committer { work, done: is_done, busy: false }, Waiting { work: waiting, done })
}

/// Commits group after group until the sequencer is gone. A panic, which would be a defect, closes the database for
/// writes like a failed store does.
pub(crate) fn run(shared: &Arc<Shared>, waiting: &Waiting) {
    let commit_all = || {
        while let Ok(work) = waiting.work.recv() {
            work.commit(shared);
            // The sequencer may have ended meanwhile.
            let _ = waiting.done.send(());
        }
    };
    if panic::catch_unwind(AssertUnwindSafe(commit_all)).is_err() {
        shared.poison("the committer panicked");
    }
}

impl Committer {
    /// Whether a group is on its way.
    pub(crate) fn is_busy(&mut self) -> bool {
        if self.busy {
            self.busy = matches!(self.done.try_recv(), Err(TryRecvError::Empty));
        }
        self.busy
    }

    /// Says when the group on its way is committed; to be told to `is_committed`.
    pub(crate) fn done(&self) -> &Receiver<()> {
        &self.done
    }

    /// Notes that `done` said so.
    pub(crate) fn is_committed(&mut self) {
        self.busy = false;
    }

    /// Waits until no group is on its way.
    pub(crate) fn wait(&mut self) {
        if self.busy {
            // An end of the thread is an end of the group too.
            let _ = self.done.recv();
            self.busy = false;
        }
    }

    /// Sends a group on its way, after the one before it. When the thread is gone, its askers hear that nobody answers.
    pub(crate) fn hand_over(&mut self, work: Work) {
        self.wait();
        self.busy = self.work.send(work).is_ok();
    }
}
