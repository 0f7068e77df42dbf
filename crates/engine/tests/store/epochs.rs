//! Histories of epoch tries with versions held, changed and dropped in any order, against reference-counted tries.
//!
//! `PEMBA_EPOCH_ROUNDS=20000 cargo test -p pemba-engine --test store epochs` runs for long. Under valgrind fewer rounds do:
//! `PEMBA_EPOCH_ROUNDS=40 valgrind --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite` and the path of
//! that test's binary, `epochs --test-threads=1`.

use std::sync::{Arc, Mutex, mpsc};

use pemba_engine::{
    ArcRows, ArcTrie, EdgeTable, EpochRows, EpochTrie, Ordinal, QualifiedEdge, QualifiedTable, Qualifier,
};
use pemba_model::Timestamp;

/// A stream of numbers that is the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn key(&mut self) -> u32 {
        let edges = [0, 1, 63, 64, 4095, 4096, 262_143, 262_144, 1 << 24, 1 << 30, Ordinal::MAX.0];
        match self.below(3) {
            0 => edges[self.below(edges.len() as u64) as usize],
            1 => self.below(5) as u32,
            _ => self.below(200) as u32 * 17,
        }
    }

    fn member(&mut self) -> u32 {
        match self.below(8) {
            0 => Ordinal::MAX.0 - self.below(3) as u32,
            1 => self.below(4_000_000) as u32,
            _ => self.below(420) as u32,
        }
    }
}

/// One version, both ways.
#[derive(Clone, Default)]
struct Version {
    epoch: EpochTrie,
    arc: ArcTrie,
    epoch_rows: EpochRows,
    arc_rows: ArcRows,
}

/// An edge that expires at a random instant.
fn edge(other: u32, numbers: &mut Numbers) -> QualifiedEdge {
    let expires_at = Some(Timestamp::from_millis(numbers.below(1000) as i64));
    QualifiedEdge { other: Ordinal(other), qualifier: Arc::new(Qualifier { caveat: None, expires_at }) }
}

impl Version {
    fn insert(&mut self, key: u32, member: u32) {
        assert_eq!(self.epoch.insert(key, member), self.arc.insert(key, member));
    }

    fn remove(&mut self, key: u32, member: u32) {
        assert_eq!(self.epoch.remove(key, member), self.arc.remove(key, member));
    }

    /// A random change: of one member, or of many of one key.
    fn change(&mut self, numbers: &mut Numbers) {
        if numbers.below(3) == 0 {
            return self.change_row(numbers);
        }
        let key = numbers.key();
        match numbers.below(40) {
            0..18 => self.insert(key, numbers.member()),
            18..30 => self.remove(key, numbers.member()),
            30..34 => {
                let member = self.arc.get(key).iter().nth(numbers.below(9) as usize).unwrap_or(Ordinal(0));
                self.remove(key, member.0);
            }
            34..36 => {
                let from = numbers.member() % 1000;
                (from..from + numbers.below(320) as u32).for_each(|member| self.insert(key, member));
            }
            36..38 => {
                let all: Vec<Ordinal> = self.arc.get(key).iter().collect();
                let kept = numbers.below(all.len() as u64 + 1) as usize;
                all.into_iter().skip(kept).for_each(|member| self.remove(key, member.0));
            }
            _ if self.arc.get(key).is_empty() => {
                let members: Vec<u32> = (0..numbers.below(300) as u32).map(|n| n * 3).collect();
                self.epoch.append(key, &members);
                self.arc.append(key, &members);
            }
            _ => {}
        }
    }

    /// A random change of one row of qualified edges.
    fn change_row(&mut self, numbers: &mut Numbers) {
        let key = numbers.key();
        match numbers.below(10) {
            0..6 => {
                let edge = edge(numbers.below(30) as u32, numbers);
                self.epoch_rows.put(key, edge.clone());
                self.arc_rows.put(key, edge);
            }
            6..9 => {
                let other = Ordinal(numbers.below(30) as u32);
                assert_eq!(self.epoch_rows.remove(key, other), self.arc_rows.remove(key, other));
            }
            _ if self.arc_rows.row(key).is_empty() => {
                let row: Vec<QualifiedEdge> =
                    (0..numbers.below(40) as u32).map(|other| edge(other, numbers)).collect();
                self.epoch_rows.append(key, row.clone());
                self.arc_rows.append(key, row);
            }
            _ => {}
        }
    }

    fn assert_same(&self) {
        assert!(self.epoch_rows.iter_from(0).eq(self.arc_rows.iter_from(0)));
        for (key, row) in self.arc_rows.iter_from(0) {
            assert_eq!(self.epoch_rows.row(key), row);
            assert!(self.epoch_rows.iter_from(key + 1).eq(self.arc_rows.iter_from(key + 1)));
        }
        let mut epoch = self.epoch.iter_from(0);
        for (key, members) in self.arc.iter_from(0) {
            let (other_key, other) = epoch.next().unwrap();
            assert_eq!(key, other_key);
            assert_eq!(members.len(), other.len());
            assert!(members.iter().eq(other.iter()), "{key}");
            assert!(self.epoch.get(key).iter().eq(other.iter()));
        }
        assert!(epoch.next().is_none());
    }
}

#[allow(clippy::disallowed_methods, reason = "how long a run takes is for who starts it to say")]
fn rounds(usual: u64) -> u64 {
    std::env::var("PEMBA_EPOCH_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Versions are cloned, changed and dropped at random: most often the latest, so that there are long chains, but also
/// any other, so that chains fork and the latest is given up.
fn history(seed: u64) {
    let mut numbers = Numbers(seed);
    let mut versions = vec![Version::default()];
    for _ in 0..120 {
        let any = numbers.below(versions.len() as u64) as usize;
        let last = versions.len() - 1;
        let at = if numbers.below(4) == 0 { any } else { last };
        match numbers.below(10) {
            0..3 if versions.len() < 12 => {
                let mut next = versions[at].clone();
                (0..numbers.below(6)).for_each(|_| next.change(&mut numbers));
                versions.push(next);
            }
            0..5 if versions.len() > 1 => drop(versions.swap_remove(any)),
            5 => versions[any].assert_same(),
            _ => versions[at].change(&mut numbers),
        }
    }
    versions.iter().for_each(Version::assert_same);
    while !versions.is_empty() {
        let any = numbers.below(versions.len() as u64) as usize;
        drop(versions.swap_remove(any));
        if let Some(one) = versions.get(any / 2) {
            one.assert_same();
        }
    }
}

#[test]
fn versions_held_and_dropped_in_any_order_say_what_the_oracle_says() {
    (0..rounds(150)).for_each(history);
}

/// Readers hold versions for as long as they like, while the writer goes on.
#[test]
fn readers_on_other_threads_see_whole_versions_until_they_let_go() {
    let published = Mutex::new(Arc::new(Version::default()));
    std::thread::scope(|scope| {
        let mut stops = Vec::new();
        for reader in 0..2 {
            let (stop, stopped) = mpsc::sync_channel::<()>(1);
            stops.push(stop);
            let published = &published;
            scope.spawn(move || {
                let mut numbers = Numbers(reader);
                let mut held = Vec::new();
                while stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                    held.push(Arc::clone(&published.lock().unwrap()));
                    if held.len() > 4 {
                        let any = numbers.below(held.len() as u64) as usize;
                        held.swap_remove(any).assert_same();
                    }
                }
            });
        }
        let mut numbers = Numbers(99);
        for _ in 0..rounds(150) * 4 {
            let mut next = Version::clone(&published.lock().unwrap());
            (0..numbers.below(8)).for_each(|_| next.change(&mut numbers));
            // Now and then a version is given up instead.
            if numbers.below(5) > 0 {
                *published.lock().unwrap() = Arc::new(next);
            }
        }
        drop(stops);
    });
}
