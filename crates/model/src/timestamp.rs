//! An instant, as the wire has it: seconds and nanoseconds since 1970 in UTC.

use std::fmt;

/// An instant between the years 1 and 9999, to the nanosecond. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// Text or numbers that name no instant between the years 1 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z in RFC 3339 form"
)]
pub struct InvalidTimestamp(String);

/// 0001-01-01T00:00:00Z, in seconds since 1970.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, in seconds since 1970.
const SECONDS_MAX: i64 = 253_402_300_799;

impl Timestamp {
    /// Later than every instant a client can name.
    pub const MAX: Timestamp = Timestamp { seconds: SECONDS_MAX, nanos: 999_999_999 };
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp { seconds: 0, nanos: 0 };

    /// The instant `nanos` (0 to 999,999,999) after `seconds` since 1970; errors outside the years 1 to 9999.
    pub fn new(seconds: i64, nanos: u32) -> Result<Timestamp, InvalidTimestamp> {
        if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) && nanos < 1_000_000_000 {
            Ok(Timestamp { seconds, nanos })
        } else {
            Err(InvalidTimestamp(format!("{seconds} s {nanos} ns")))
        }
    }

    /// The instant `ms` milliseconds after 1970, clamped to the years 1 to 9999.
    pub fn from_millis(ms: i64) -> Timestamp {
        let seconds = ms.div_euclid(1000).clamp(SECONDS_MIN, SECONDS_MAX);
        let nanos = u32::try_from(ms.rem_euclid(1000)).unwrap_or(0).saturating_mul(1_000_000);
        Timestamp { seconds, nanos }
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// Milliseconds since 1970, rounded down.
    pub fn as_millis(self) -> i64 {
        self.seconds.saturating_mul(1000).saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// This instant moved by `ms` milliseconds, clamped to the years 1 to 9999.
    pub fn plus_millis(self, ms: i64) -> Timestamp {
        let moved = Timestamp::from_millis(self.as_millis().saturating_add(ms));
        Timestamp { seconds: moved.seconds, nanos: moved.nanos.saturating_add(self.nanos % 1_000_000) }
    }

    /// Parses RFC 3339 text, any offset.
    pub fn parse(text: &str) -> Result<Timestamp, InvalidTimestamp> {
        let error = || InvalidTimestamp(text.chars().take(64).collect());
        let parsed: jiff::Timestamp = text.parse().map_err(|_| error())?;
        let total = parsed.as_nanosecond();
        let seconds = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| error())?;
        let nanos = u32::try_from(total.rem_euclid(1_000_000_000)).map_err(|_| error())?;
        Timestamp::new(seconds, nanos).map_err(|_| error())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many digits of the second as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i32::try_from(self.nanos).unwrap_or(0);
        match jiff::Timestamp::new(self.seconds, nanos) {
            Ok(instant) => write!(f, "{instant}"),
            // The last day of 9999 lies beyond jiff's range in some offsets; it is shown as its clamp.
            Err(_) => write!(f, "9999-12-30T22:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["1970-01-01T00:00:00Z", "2026-11-24T17:00:00.123456789Z", "1969-12-31T23:59:59.5Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        let offset = Timestamp::parse("2026-11-24T19:00:00+02:00").unwrap();
        assert_eq!(offset.to_string(), "2026-11-24T17:00:00Z");
    }

    #[test]
    fn order_is_time() {
        let earlier = Timestamp::parse("1969-12-31T23:59:59.9Z").unwrap();
        assert!(earlier < Timestamp::UNIX_EPOCH);
        assert!(Timestamp::UNIX_EPOCH < Timestamp::from_millis(1));
        assert_eq!(Timestamp::from_millis(-1).as_millis(), -1);
        assert_eq!(Timestamp::from_millis(1999).plus_millis(2), Timestamp::from_millis(2001));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "2026-01-01"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
        assert!(Timestamp::new(0, 1_000_000_000).is_err());
        assert!(Timestamp::new(i64::MAX, 0).is_err());
    }
}
