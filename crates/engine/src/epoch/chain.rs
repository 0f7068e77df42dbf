//! Which versions of a trie are alive, and which nodes may be freed.
//!
//! Versions are numbered in the order in which they were begun. Every node was made in one version, its birth, and is in
//! the trees of all versions from that one up to the one before which it was retired. So it may be freed when none of
//! those is alive. A retired node waits in the list of the latest version that is alive and may have it; when that one
//! goes, the node goes to the next earlier one that may have it, or is freed. Nobody counts references to nodes.
//!
//! Only the latest version can have a successor. What follows an earlier one begins a chain of its own, which keeps that
//! version alive and never frees what it was given by it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::epoch::node::Node;
use crate::epoch::tree::Root;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// A node to be freed when nobody has it, with its birth.
pub(super) type Retired = (u64, Node);

/// One version of a trie. Whoever holds it may read its tree; who holds it alone and finds it the latest may change it.
#[derive(Debug)]
pub(super) struct Version {
    chain: Arc<Chain>,
    /// From 1.
    pub(super) id: u64,
    /// Its tree.
    pub(super) root: Root,
    /// Bytes of all nodes that it and the versions before it, back to the first, took over from an earlier one and
    /// replaced.
    pub(super) replaced_bytes: u64,
}

/// Versions that share nodes.
#[derive(Debug)]
struct Chain {
    state: Mutex<State>,
    /// The latest version alive; 0 for none. Changed under the lock.
    latest: AtomicU64,
    /// Nodes born at this or before are not the chain's.
    fork: u64,
    /// Whose nodes those are.
    _base: Option<Arc<Version>>,
}

#[derive(Debug)]
struct State {
    /// The versions alive, with the retired nodes that each may be the last to have.
    alive: BTreeMap<u64, Vec<Retired>>,
    /// The last number given.
    last: u64,
}

impl Chain {
    fn new(fork: u64, base: Option<Arc<Version>>) -> Chain {
        let first = fork + 1;
        let state = State { alive: BTreeMap::from([(first, Vec::new())]), last: first };
        Chain { state: Mutex::new(state), latest: AtomicU64::new(first), fork, _base: base }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Version {
    /// A version that only the caller has and that may be changed: this one if it is such, else its successor.
    pub(super) fn own(version: &mut Option<Arc<Version>>) -> Option<&mut Version> {
        let alone = version.as_mut().and_then(Arc::get_mut);
        // Nobody else can begin a successor of a version that is held alone, so it stays the latest if it is.
        if alone.is_none_or(|own| own.chain.latest.load(Ordering::Acquire) != own.id) {
            let next = match version.as_ref() {
                None => Version::first(),
                Some(base) => Version::after(base),
            };
            *version = Some(Arc::new(next));
        }
        version.as_mut().and_then(Arc::get_mut)
    }

    fn first() -> Version {
        Version { chain: Arc::new(Chain::new(0, None)), id: 1, root: Root::default(), replaced_bytes: 0 }
    }

    fn after(base: &Arc<Version>) -> Version {
        let (root, replaced_bytes) = (base.root, base.replaced_bytes);
        let mut state = base.chain.lock();
        if base.chain.latest.load(Ordering::Relaxed) == base.id {
            state.last += 1;
            let id = state.last;
            state.alive.insert(id, Vec::new());
            base.chain.latest.store(id, Ordering::Release);
            return Version { chain: Arc::clone(&base.chain), id, root, replaced_bytes };
        }
        drop(state);
        let chain = Arc::new(Chain::new(base.id, Some(Arc::clone(base))));
        Version { chain, id: base.id + 1, root, replaced_bytes }
    }

    /// Takes nodes that are no longer in the tree of this version, which is the latest, and frees them in time.
    ///
    /// # Safety
    ///
    /// The births are theirs, no word of the tree leads to them, and nobody is given them again.
    pub(super) unsafe fn retire(&mut self, retired: &[Retired]) {
        let mut freed = Vec::new();
        let mut state = None;
        for (birth, node) in retired.iter().copied() {
            if birth == self.id {
                freed.push(node);
                continue;
            }
            // SAFETY: an earlier version has it, and that one or the lock keeps it from being freed here.
            let bytes = unsafe { node.bytes() };
            self.replaced_bytes = self.replaced_bytes.saturating_add(bytes as u64);
            if birth > self.chain.fork {
                let state = state.get_or_insert_with(|| self.chain.lock());
                keep_or_free(state, self.id, (birth, node), &mut freed);
            }
        }
        drop(state);
        // SAFETY: born in this version, which nobody else has, or in none that is alive; the rest is the caller's promise.
        freed.into_iter().for_each(|node| unsafe { node.free() });
    }
}

/// Hands a node to the latest version before `id` that may have it, or says that it can be freed.
fn keep_or_free(state: &mut State, id: u64, (birth, node): Retired, freed: &mut Vec<Node>) {
    match state.alive.range_mut(birth..id).next_back() {
        Some((_, list)) => list.push((birth, node)),
        None => freed.push(node),
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        let mut freed = Vec::new();
        let mut state = self.chain.lock();
        let retired = state.alive.remove(&self.id).unwrap_or_default();
        if self.chain.latest.load(Ordering::Relaxed) == self.id {
            // What is newer than the version before goes; what was retired since then is in that one's tree.
            let before = state.alive.range_mut(..self.id).next_back();
            let latest = before.map_or(0, |(id, list)| {
                list.clear();
                *id
            });
            // SAFETY: the tree is this version's; no version alive has a node born after the one before, and that one is not
            // the latest before the lock is left, so nobody writes to what they share.
            unsafe { self.root.free_born_after(latest.max(self.chain.fork)) };
            self.chain.latest.store(latest, Ordering::Release);
        } else {
            for one in retired {
                keep_or_free(&mut state, self.id, one, &mut freed);
            }
        }
        drop(state);
        // SAFETY: they were retired, and no version is alive that has them.
        freed.into_iter().for_each(|node| unsafe { node.free() });
    }
}
