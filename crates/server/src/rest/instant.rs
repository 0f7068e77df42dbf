//! Instants and spans as JSON has them: RFC 3339 in UTC, and seconds with an `s`.

/// The first second after the year 9999, since 1970.
const SECONDS_END: i64 = 253_402_300_800;
/// The first second of the year 1, since 1970.
const SECONDS_MIN: i64 = -62_135_596_800;
const DAY_SECONDS: i64 = 86_400;

/// The seconds since 1970 and nanoseconds of RFC 3339 text; `None` for anything else, for more than nine digits of
/// the second, and outside the years 1 to 9999.
pub(super) fn parse(text: &str) -> Option<(i64, i32)> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) = (number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..)?)?);
    let is_date = date.get(4..5)? == "-" && date.get(7..8)? == "-";
    let time = rest.strip_prefix('T')?;
    let (clock, rest) = time.split_at_checked(8)?;
    let (hour, minute, second) =
        (number(clock.get(..2)?)?, number(clock.get(3..5)?)?, number(clock.get(6..)?)?);
    let is_clock = clock.get(2..3)? == ":" && clock.get(5..6)? == ":";
    let (nanos, rest) = fraction(rest)?;
    let offset_seconds = offset(rest)?;
    if !is_date || !is_clock || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset_seconds;
    (SECONDS_MIN..SECONDS_END).contains(&seconds).then_some((seconds, nanos))
}

/// RFC 3339 text with no, three, six or nine digits of the second; `None` outside the years 1 to 9999.
pub(super) fn render(seconds: i64, nanos: i32) -> Option<String> {
    if !(SECONDS_MIN..SECONDS_END).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = date(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let digits = digits(nanos);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{digits}Z"))
}

/// A span as text, with no, three, six or nine digits; `None` when the parts differ in sign.
pub(super) fn render_span(seconds: i64, nanos: i32) -> Option<String> {
    if nanos.unsigned_abs() > 999_999_999 || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let digits = digits(nanos.checked_abs()?);
    Some(format!("{sign}{}{digits}s", seconds.unsigned_abs()))
}

/// The digits after the point, in groups of three.
fn digits(nanos: i32) -> String {
    match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1000 == 0 => format!(".{:06}", nanos / 1000),
        _ => format!(".{nanos:09}"),
    }
}

/// A number of digits only.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The nanoseconds of `.123`, and what follows them.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    if !(1..=9).contains(&length) {
        return None;
    }
    format!("{digits:0<9}").parse().ok().map(|nanos| (nanos, rest))
}

/// The seconds of `Z` or `+02:00`.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

/// The date that is this many days after 1970-01-01.
fn date(days_since_1970: i64) -> (i64, i64, i64) {
    // A guess that is never too late, then at most two steps: 365.2425 days make a mean year.
    let mut year = 1970 + (days_since_1970 * 10_000).div_euclid(3_652_425) - 1;
    while days(year + 1, 1, 1) <= days_since_1970 {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= days_since_1970 {
        month += 1;
    }
    (year, month, days_since_1970 - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_groups_of_three_digits() {
        for (text, written) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2030-01-01T00:00:00.5Z", "2030-01-01T00:00:00.500Z"),
            ("2030-01-01T00:00:00.000001Z", "2030-01-01T00:00:00.000001Z"),
            ("2030-01-01T00:00:00.123456789+02:00", "2029-12-31T22:00:00.123456789Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("1900-03-01T00:00:00Z", "1900-03-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900Z"),
        ] {
            let (seconds, nanos) = parse(text).unwrap();
            assert_eq!(render(seconds, nanos).unwrap(), written, "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_round_trips() {
        let (first, last) = (days(1, 1, 1), days(9999, 12, 31));
        assert_eq!((first * DAY_SECONDS, (last + 1) * DAY_SECONDS), (SECONDS_MIN, SECONDS_END));
        let mut expected = (1, 1, 1);
        for day in first..=last {
            assert_eq!(date(day), expected);
            let (year, month, day) = expected;
            expected = match (month, day == days_in(year, month)) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn other_texts_are_no_instants() {
        for text in [
            "",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-01-01t00:00:00z",
            "2030-01-01 00:00:00Z",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00.1234567890Z",
            "10000-01-01T00:00:00Z",
            "0000-12-31T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2030-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:00:60Z",
            "2030-01-01T00:00:00+2:00",
            "2030-01-01T00:00:00+02:0é",
            "+030-01-01T00:00:00Z",
            "203é-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_have_one_sign() {
        assert_eq!(render_span(0, 469_917).unwrap(), "0.000469917s");
        assert_eq!(render_span(3, 0).unwrap(), "3s");
        assert_eq!(render_span(-1, -500_000_000).unwrap(), "-1.500s");
        assert_eq!(render_span(0, -1000).unwrap(), "-0.000001s");
        assert_eq!(render_span(1, -1), None);
        assert_eq!(render_span(0, i32::MIN), None);
    }
}
