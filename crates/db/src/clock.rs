//! Where time comes from.

use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use pemba_model::Timestamp;

/// A source of the current instant. The database takes care that what it records never goes backwards, so a clock
/// need not.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Timestamp::new(seconds, since.subsec_nanos()).unwrap_or(Timestamp::MAX)
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows this instant.
    pub fn new(now: Timestamp) -> ManualClock {
        ManualClock(Mutex::new(now))
    }

    /// Moves the clock by `ms` milliseconds, backwards too.
    pub fn advance_ms(&self, ms: i64) {
        let mut now = self.0.lock();
        *now = now.plus_millis(ms);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock() = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// The operating system's clock until it is stopped; from then on it moves only when it is told to. For tests of
/// clients.
#[derive(Debug, Default)]
pub struct StoppableClock(Mutex<Option<Timestamp>>);

impl StoppableClock {
    /// Stops the clock, if it still runs, and moves it forward by `ms` milliseconds. Returns the instant it shows.
    pub fn stop_and_advance_ms(&self, ms: i64) -> Timestamp {
        let mut stopped = self.0.lock();
        let moved = stopped.unwrap_or_else(|| SystemClock.now()).plus_millis(ms.max(0));
        *stopped = Some(moved);
        moved
    }
}

impl Clock for StoppableClock {
    fn now(&self) -> Timestamp {
        let stopped = *self.0.lock();
        stopped.unwrap_or_else(|| SystemClock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stoppable_clock_runs_until_it_is_stopped() {
        let clock = StoppableClock::default();
        assert!(clock.now() >= Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
        let stopped = clock.stop_and_advance_ms(0);
        assert_eq!(clock.now(), stopped);
        assert_eq!(clock.stop_and_advance_ms(1500), stopped.plus_millis(1500));
        assert_eq!(clock.stop_and_advance_ms(-1), clock.now());
        assert_eq!(clock.now(), stopped.plus_millis(1500));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::from_millis(1000));
        assert_eq!(clock.now(), clock.now());
        clock.advance_ms(5);
        assert_eq!(clock.now(), Timestamp::from_millis(1005));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn the_system_clock_is_past_2020() {
        assert!(SystemClock.now() > Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
    }
}
