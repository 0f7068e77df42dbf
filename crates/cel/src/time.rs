//! Instants and lengths of time: reading, printing, calendar, time zones. No clock.

use std::fmt::Write as _;
use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;

/// An instant: seconds since 1970 in UTC, and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    seconds: i64,
    nanos: u32,
}

/// 0001-01-01T00:00:00Z
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
const SECONDS_MAX: i64 = 253_402_300_799;
const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl Instant {
    /// 0001-01-01T00:00:00Z, the instant that counts as nothing.
    pub(crate) const ZERO: Instant = Instant { seconds: SECONDS_MIN, nanos: 0 };

    /// The instant `nanos` after `seconds` since 1970; none outside the years 1 to 9999.
    pub fn new(seconds: i64, nanos: u32) -> Option<Instant> {
        let valid = (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) && nanos < 1_000_000_000;
        valid.then_some(Instant { seconds, nanos })
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    fn total_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS_PER_SECOND + i128::from(self.nanos)
    }

    /// This instant moved by so many nanoseconds; none outside the years 1 to 9999.
    pub(crate) fn plus(self, nanos: i128) -> Option<Instant> {
        let total = self.total_nanos() + nanos;
        let seconds = i64::try_from(total.div_euclid(NANOS_PER_SECOND)).ok()?;
        Instant::new(seconds, u32::try_from(total.rem_euclid(NANOS_PER_SECOND)).ok()?)
    }

    /// The nanoseconds from another instant to this; none when they exceed 64 bits.
    pub(crate) fn since(self, other: Instant) -> Option<i64> {
        i64::try_from(self.total_nanos() - other.total_nanos()).ok()
    }

    /// Reads RFC 3339 text: `T` and `Z` in capitals, a fraction after point or comma.
    pub(crate) fn parse(text: &str) -> Option<Instant> {
        let bytes = text.as_bytes();
        let mark = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
            return None;
        }
        let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
        let (hour, minute, second) = (number(text, 11, 2)?, number(text, 14, 2)?, number(text, 17, 2)?);
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !valid {
            return None;
        }
        let (nanos, zone) = fraction(text.get(19..)?)?;
        let offset = if zone == "Z" { 0 } else { numeric_offset(zone)? };
        let seconds =
            days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        Instant::new(seconds - offset, nanos)
    }

    /// RFC 3339 in UTC, with as many digits of the second as are needed.
    pub(crate) fn print(self) -> String {
        let calendar = self.calendar(0);
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            calendar.year,
            calendar.month,
            calendar.day,
            calendar.second_of_day / 3600,
            calendar.second_of_day / 60 % 60,
            calendar.second_of_day % 60
        );
        push_fraction(&mut text, u64::from(self.nanos), 9);
        text.push('Z');
        text
    }

    /// The calendar at an offset from UTC in seconds.
    pub(crate) fn calendar(self, offset_seconds: i64) -> Calendar {
        let local = self.seconds + offset_seconds;
        let days = local.div_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        Calendar {
            year,
            month,
            day,
            day_of_year: days - days_from_civil(year, 1, 1),
            // 1970-01-01 was a Thursday, and weeks begin on Sunday.
            day_of_week: (days + 4).rem_euclid(7),
            second_of_day: local.rem_euclid(SECONDS_PER_DAY),
        }
    }
}

/// A date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    /// From 0.
    pub(crate) day_of_year: i64,
    /// From 0, Sunday.
    pub(crate) day_of_week: i64,
    pub(crate) second_of_day: i64,
}

fn number(text: &str, at: usize, length: usize) -> Option<i64> {
    let digits = text.get(at..at + length)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// The nanoseconds of the fraction at the start, and what follows it.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return Some((0, text)) };
    let count = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at(count);
    if count == 0 {
        return None;
    }
    let mut nanos: u32 = 0;
    for at in 0..9 {
        let digit = digits.as_bytes().get(at).map_or(0, |byte| u32::from(byte - b'0'));
        nanos = nanos * 10 + digit;
    }
    Some((nanos, zone))
}

/// The seconds of `+hh:mm` or `-hh:mm`.
fn numeric_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(text, 1, 2)?, number(text, 4, 2)?);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; years are counted from March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The time zones that come with the program, so that an answer does not depend on the machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The offset of a time zone at an instant, in seconds: `Europe/Berlin`, `UTC`, `-05:00`, `05:30`.
pub(crate) fn zone_offset(zone: &str, instant: Instant) -> Result<i64, String> {
    if let Some((hours, minutes)) = zone.split_once(':') {
        let bad = || format!("`{zone}` is no offset of the form `+hh:mm`");
        let hours_count: i64 = hours.parse().map_err(|_| bad())?;
        let minutes_count: i64 = minutes.parse().map_err(|_| bad())?;
        if !(-23..=23).contains(&hours_count) || !(0..=59).contains(&minutes_count) {
            return Err(format!("the offset `{zone}` is not between -23:59 and 23:59"));
        }
        let minutes_signed = if hours.starts_with('-') { -minutes_count } else { minutes_count };
        return Ok(hours_count * 3600 + minutes_signed * 60);
    }
    if matches!(zone, "" | "UTC" | "Local") {
        return Ok(0);
    }
    let unknown = || format!("unknown time zone {zone}");
    let found = ZONES.get(zone).map_err(|_| unknown())?;
    // Names are looked up without regard to case there, and with it here.
    if found.iana_name() != Some(zone) {
        return Err(unknown());
    }
    // The last day of the year 9999 is beyond the time zones, and has the offset of the day before.
    let (first, last) = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
    let at = jiff::Timestamp::from_second(instant.seconds().clamp(first, last)).map_err(|_| unknown())?;
    Ok(i64::from(found.to_offset(at).seconds()))
}

/// Reads a length of time as `1h30m`, `-1.5s`, `300ms`: signed, numbers with units from `h` to `ns`. Nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    // One more than the largest positive is allowed for the most negative.
    let magnitude_max: u64 = 1 << 63;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = duration_part(rest)?;
        total = total.checked_add(nanos).filter(|total| *total <= magnitude_max)?;
        rest = after;
    }
    let signed = if negative { -i128::from(total) } else { i128::from(total) };
    i64::try_from(signed).ok()
}

/// The nanoseconds of one number with its unit, and what follows.
fn duration_part(text: &str) -> Option<(u64, &str)> {
    let whole_length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(whole_length);
    let after_point = rest.strip_prefix('.');
    let (fraction, rest) = match after_point {
        Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_length = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_length);
    let nanos_per_unit: u64 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let count: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut numerator: u128 = 0;
    let mut denominator: u128 = 1;
    // More digits than these are below a nanosecond in every unit.
    for digit in fraction.bytes().take(18).map(|byte| u128::from(byte - b'0')) {
        numerator = numerator * 10 + digit;
        denominator *= 10;
    }
    let part = u64::try_from(numerator * u128::from(nanos_per_unit) / denominator).ok()?;
    let nanos = count.checked_mul(nanos_per_unit)?.checked_add(part)?;
    Some((nanos, rest))
}

/// Seconds with as many digits as are needed and `s`, as `5400s` and `1.5s`.
pub(crate) fn print_duration(nanos: i64) -> String {
    let magnitude = nanos.unsigned_abs();
    let mut text = String::new();
    if nanos < 0 {
        text.push('-');
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "{}", magnitude / 1_000_000_000);
    push_fraction(&mut text, magnitude % 1_000_000_000, 9);
    text.push('s');
    text
}

/// Adds a point and digits without zeros at the end; nothing for zero.
fn push_fraction(text: &mut String, fraction: u64, width: usize) {
    if fraction != 0 {
        let digits = format!("{fraction:0width$}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}
