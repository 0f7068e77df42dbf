//! Figures that the sequencer counts and anybody reads.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::requests::COMMIT_MICROS_BOUNDS;

/// All counters. They are read one by one, so they agree only about.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) last_group_size: AtomicUsize,
    /// The log as of the last collection.
    pub(crate) history_bytes: AtomicU64,
    commit_micros: [AtomicU64; COMMIT_MICROS_BOUNDS.len() + 1],
    commit_micros_total: AtomicU64,
}

impl Counters {
    /// Counts one group.
    pub(crate) fn count_group(&self, size: usize, writes: u64, took: Duration) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.last_group_size.store(size, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = COMMIT_MICROS_BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.commit_micros.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.commit_micros_total.fetch_add(micros, Ordering::Relaxed);
    }

    /// The histogram and the sum of its times.
    pub(crate) fn commit_micros(&self) -> ([u64; COMMIT_MICROS_BOUNDS.len() + 1], u64) {
        let counts = std::array::from_fn(|at| {
            self.commit_micros.get(at).map_or(0, |bucket| bucket.load(Ordering::Relaxed))
        });
        (counts, self.commit_micros_total.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lands_in_its_bucket() {
        let counters = Counters::default();
        counters.count_group(3, 2, Duration::from_micros(50));
        counters.count_group(1, 1, Duration::from_micros(51));
        counters.count_group(1, 1, Duration::from_secs(60));
        let (counts, total) = counters.commit_micros();
        assert_eq!((counts[0], counts[1], counts[12]), (1, 1, 1));
        assert_eq!(total, 60_000_101);
        assert_eq!(counters.writes.load(Ordering::Relaxed), 4);
    }
}
