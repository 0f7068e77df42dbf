//! Which calls are refused when more come than a worker can answer.
//!
//! **Invariant: a call is refused for the time it has waited only while its worker has had no calm moment for long, and then
//! first those of clients that ask the most.**
//!
//! Calls wait in sockets while their worker is at others. A worker that soon has a moment in which nothing waits has caught up,
//! whatever waited before; one that never has will not, and whoever it still answers late has mostly gone away. So it answers what
//! has waited little and refuses the rest at once, which keeps the time of what it answers short however much comes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pemba_model::SmolStr;

/// So many times as long as any call a call may wait in a burst.
const BURST_TIMES: u32 = 10;
/// Time after which what a client has asked counts half.
const HALVED_AFTER: Duration = Duration::from_millis(100);
/// Whoever has waited less than this has not waited.
const CALM_MAX: Duration = Duration::from_millis(1);
/// A thread that slept so long had nothing to do; less is a look at the sockets.
const FREE_MIN: Duration = Duration::from_micros(50);
/// Clients that are told apart; the others share one place.
const CLIENTS_MAX: usize = 1024;
/// Pause between two words in the log.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// What one worker decides by.
pub(super) struct Admission {
    /// What any call may wait.
    wait_max: Duration,
    /// What a call may wait on a worker that has had a calm moment within this time, and at all times one of a client that asks
    /// for less than its share.
    burst_max: Duration,
    load: Mutex<Load>,
}

struct Load {
    /// Since when the thread sleeps.
    asleep: Option<Instant>,
    /// The end of the last time in which there was nothing to do.
    free_last: Instant,
    /// The last time at which nothing waited.
    calm_last: Instant,
    shares: Shares,
    refused: u64,
    logged_last: Option<Instant>,
}

impl Admission {
    pub(super) fn new(burst_max: Duration, now: Instant) -> Admission {
        let load = Load {
            asleep: None,
            free_last: now,
            calm_last: now,
            shares: Shares::new(now),
            refused: 0,
            logged_last: None,
        };
        Admission { wait_max: burst_max / BURST_TIMES, burst_max, load: Mutex::new(load) }
    }

    /// The worker's thread goes to sleep until there is something to do.
    pub(super) fn sleeps(&self, now: Instant) {
        self.load.lock().asleep = Some(now);
    }

    /// The worker's thread is awake again.
    pub(super) fn wakes(&self, now: Instant) {
        let mut load = self.load.lock();
        if load.asleep.take().is_some_and(|since| now.saturating_duration_since(since) >= FREE_MIN) {
            load.free_last = now;
            load.calm_last = now;
        }
    }

    /// The call of a connection that has waited longest has waited so long.
    pub(super) fn longest(&self, waited: Duration, now: Instant) {
        if waited < CALM_MAX {
            self.load.lock().calm_last = now;
        }
    }

    /// What is found in a socket came no earlier than this.
    pub(super) fn free_last(&self) -> Instant {
        self.load.lock().free_last
    }

    /// Whether a call of this client that has waited so long is answered.
    pub(super) fn admits(&self, client: &str, waited: Duration) -> bool {
        waited <= self.wait_max || self.admits_late(client, waited, Instant::now())
    }

    fn admits_late(&self, client: &str, waited: Duration, now: Instant) -> bool {
        let mut load = self.load.lock();
        if now.saturating_duration_since(load.calm_last) <= self.burst_max {
            return true;
        }
        let asks_little = load.shares.count(client, now);
        if asks_little && waited <= self.burst_max {
            return true;
        }
        load.refused += 1;
        if load.logged_last.is_none_or(|last| now.saturating_duration_since(last) >= LOG_PAUSE) {
            load.logged_last = Some(now);
            let (refused, waited_ms) = (std::mem::take(&mut load.refused), waited.as_millis());
            tracing::warn!(
                refused,
                waited_ms,
                client,
                "more calls come than can be answered; some are refused"
            );
        }
        false
    }
}

/// How much each client asks, the latest most.
struct Shares {
    counts: HashMap<SmolStr, u64>,
    all: u64,
    halved_last: Instant,
}

impl Shares {
    fn new(now: Instant) -> Shares {
        Shares { counts: HashMap::new(), all: 0, halved_last: now }
    }

    /// Counts a call; whether its client asks for less than its share.
    fn count(&mut self, client: &str, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.halved_last);
        if since >= HALVED_AFTER {
            self.halved_last = now;
            let halvings = u32::try_from(since.as_millis() / HALVED_AFTER.as_millis()).unwrap_or(u32::MAX);
            self.counts.values_mut().for_each(|count| *count = count.checked_shr(halvings).unwrap_or(0));
            self.counts.retain(|_, count| *count > 0);
            self.all = self.counts.values().sum();
        }
        let name =
            if self.counts.len() < CLIENTS_MAX || self.counts.contains_key(client) { client } else { "" };
        self.all += 1;
        let count = self.counts.entry(name.into()).or_default();
        *count += 1;
        let own = *count;
        own.saturating_mul(self.counts.len() as u64) < self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const WAIT_MAX: Duration = Duration::from_millis(10);
    const BURST_MAX: Duration = Duration::from_millis(100);

    #[test]
    fn what_waits_little_or_came_in_a_burst_is_answered() {
        let start = Instant::now();
        let admission = Admission::new(BURST_MAX, start);
        // Busy for ever, but nothing waits.
        assert!(admission.admits("a", WAIT_MAX));
        // Much waits, but not for long without a free moment.
        assert!(admission.admits_late("a", 90 * MS, start + BURST_MAX));
        assert!(!admission.admits_late("a", 11 * MS, start + BURST_MAX + MS));
    }

    #[test]
    fn a_sleep_or_a_turn_without_waiting_is_a_calm_moment() {
        let start = Instant::now();
        let admission = Admission::new(BURST_MAX, start);
        let late = start + 500 * MS;
        admission.sleeps(late);
        admission.wakes(late + FREE_MIN / 2);
        assert_eq!(admission.free_last(), start);
        assert!(!admission.admits_late("a", 50 * MS, late + MS));
        admission.sleeps(late + MS);
        admission.wakes(late + MS + FREE_MIN);
        assert_eq!(admission.free_last(), late + MS + FREE_MIN);
        assert!(admission.admits_late("a", 50 * MS, late + 2 * MS));
        // Nothing waits at one connection: so the worker comes round in time.
        admission.longest(CALM_MAX, late + 300 * MS);
        assert!(!admission.admits_late("a", 50 * MS, late + 300 * MS));
        admission.longest(CALM_MAX / 2, late + 300 * MS);
        assert!(admission.admits_late("a", 50 * MS, late + 300 * MS));
        assert_eq!(admission.free_last(), late + MS + FREE_MIN);
        // Waking without having slept changes nothing.
        admission.wakes(late + 450 * MS);
        assert!(!admission.admits_late("a", 50 * MS, late + 450 * MS));
    }

    #[test]
    fn who_asks_the_most_is_refused_first() {
        let start = Instant::now();
        let admission = Admission::new(BURST_MAX, start);
        let (mut many, mut few) = (0, 0);
        for number in 0..1000_u32 {
            let now = start + 200 * MS + number * MS / 10;
            many += u32::from(admission.admits_late("many", 20 * MS, now));
            if number.is_multiple_of(10) {
                few += u32::from(admission.admits_late("few", 20 * MS, now));
            }
        }
        assert!(few >= 98, "{few} of 100");
        assert!(many <= 20, "{many} of 1000");
        // Not even then is anybody answered who has waited too long.
        assert!(!admission.admits_late("few", BURST_MAX + MS, start + 250 * MS));
        // Alone, a client has no share to stay below.
        let later = start + 60_000 * MS;
        assert!(!admission.admits_late("few", 20 * MS, later));
    }

    #[test]
    fn clients_are_forgotten_and_bounded() {
        let start = Instant::now();
        let mut shares = Shares::new(start);
        for number in 0..3 * CLIENTS_MAX {
            shares.count(&number.to_string(), start);
        }
        assert_eq!((shares.counts.len(), shares.all), (CLIENTS_MAX + 1, 3 * CLIENTS_MAX as u64));
        for rounds in 1..20 {
            shares.count("a", start + rounds * HALVED_AFTER);
        }
        assert!(shares.counts.len() <= 2, "{}", shares.counts.len());
    }
}
