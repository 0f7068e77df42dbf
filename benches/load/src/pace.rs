//! The clock of an open loop: lets requests go when they are due, whatever became of those before.

use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// Waits below this are spent polling: the runtime's timer is no finer than a millisecond.
const POLLED_BELOW: Duration = Duration::from_millis(2);

/// Requests due at even distances from `begin`.
pub(crate) struct Schedule {
    begin: Instant,
    per_second: f64,
}

impl Schedule {
    pub(crate) fn new(begin: Instant, per_second: f64) -> Schedule {
        Schedule { begin, per_second }
    }

    /// When request `number` is due.
    pub(crate) fn due(&self, number: u64) -> Instant {
        self.begin + Duration::from_secs_f64(number as f64 / self.per_second)
    }

    /// Adds a permit for each request at its time, until `end`; says how many.
    pub(crate) async fn release(&self, permits: &Semaphore, end: Instant) -> u64 {
        let mut released = 0;
        loop {
            let now = Instant::now();
            while self.due(released) <= now.min(end) {
                permits.add_permits(1);
                released += 1;
            }
            if now >= end {
                return released;
            }
            if self.due(released).saturating_duration_since(now) > POLLED_BELOW {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }
}
