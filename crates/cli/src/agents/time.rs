//! Spans such as `1h30m`, instants such as `2030-01-02T03:04:05Z` or a span ahead, and how long ago something was.

use std::str::FromStr;

use pemba_client::wire;
use pemba_db::{Clock as _, SystemClock};
use pemba_model::Timestamp;

/// The units of a span, largest first, with their milliseconds and names.
const UNITS: [(&str, i64, &str); 6] = [
    ("w", 7 * 24 * 3_600_000, "week"),
    ("d", 24 * 3_600_000, "day"),
    ("h", 3_600_000, "hour"),
    ("m", 60_000, "minute"),
    ("s", 1000, "second"),
    ("ms", 1, "millisecond"),
];
/// Longest span that is read: about 280 years.
const SPAN_MAX_MS: i64 = i64::MAX / 1_000_000;

/// A length of time, in milliseconds; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    ms: i64,
}

impl Span {
    /// As a message.
    pub(crate) fn to_wire(self) -> prost_types::Duration {
        let nanos = i32::try_from(self.ms % 1000).unwrap_or(0).saturating_mul(1_000_000);
        prost_types::Duration { seconds: self.ms / 1000, nanos }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let wrong =
            || format!("`{text}` is no span such as `90s`, `1h30m` or `7d` (units: w, d, h, m, s, ms)");
        let (mut rest, mut ms) = (text, 0_i64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at_checked(digits).ok_or_else(wrong)?;
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, remaining) = after.split_at_checked(letters).ok_or_else(wrong)?;
            let (_, each, _) = UNITS.iter().find(|(name, ..)| *name == unit).ok_or_else(wrong)?;
            let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*each));
            ms = part
                .and_then(|part| ms.checked_add(part))
                .filter(|ms| *ms <= SPAN_MAX_MS)
                .ok_or_else(wrong)?;
            rest = remaining;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Span { ms }) }
    }
}

/// An instant: named, or counted from this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This one.
    At(Timestamp),
    /// So long from now.
    In(Span),
}

impl When {
    /// The instant as a message.
    pub(crate) fn to_wire(self) -> prost_types::Timestamp {
        wire::time_to_wire(match self {
            When::At(at) => at,
            When::In(span) => now().plus_millis(span.ms),
        })
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        if let Ok(span) = text.parse() {
            return Ok(When::In(span));
        }
        Timestamp::parse(text)
            .map(When::At)
            .map_err(|_| format!("`{text}` is neither a span ahead such as `1h30m` nor an RFC 3339 time"))
    }
}

/// This machine's time.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// `3 minutes ago`, `in 2 hours`, `just now`.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let ahead = at.as_millis().saturating_sub(now.as_millis());
    match (about(ahead), ahead > 0) {
        (None, _) => "just now".to_owned(),
        (Some(span), true) => format!("in {span}"),
        (Some(span), false) => format!("{span} ago"),
    }
}

/// A span by its largest unit; `None` below a second.
fn about(ms: i64) -> Option<String> {
    let (_, each, name) = UNITS.iter().find(|(_, each, _)| ms.saturating_abs() >= *each)?;
    if *each < 1000 {
        return None;
    }
    let count = ms.saturating_abs() / each;
    Some(format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
}

/// A span of an answer in the form it is read.
pub(crate) fn span_text(span: prost_types::Duration) -> String {
    let mut ms = span.seconds.saturating_mul(1000).saturating_add(i64::from(span.nanos / 1_000_000)).max(0);
    let mut text = String::new();
    for (unit, each, _) in UNITS {
        if ms >= each {
            text.push_str(&format!("{}{unit}", ms / each));
            ms %= each;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_printed() {
        for (text, ms) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("250ms", 250), ("0s", 0)]
        {
            assert_eq!(text.parse::<Span>().unwrap().ms, ms, "{text}");
        }
        assert_eq!(span_text("5400s".parse::<Span>().unwrap().to_wire()), "1h30m");
        assert_eq!(span_text("1500ms".parse::<Span>().unwrap().to_wire()), "1s500ms");
        assert_eq!(span_text(prost_types::Duration::default()), "0s");
        for text in ["", "5", "h", "1x", "-1s", "1.5h", "99999999999999999999s", "9999999999999w", "1h é"] {
            assert!(text.parse::<Span>().unwrap_err().contains("1h30m"), "{text}");
        }
    }

    #[test]
    fn instants_are_named_or_ahead() {
        assert!(matches!("1h".parse::<When>().unwrap(), When::In(_)));
        let at = "2030-01-02T03:04:05Z".parse::<When>().unwrap();
        assert_eq!(at, When::At(Timestamp::parse("2030-01-02T03:04:05Z").unwrap()));
        assert!("tomorrow".parse::<When>().unwrap_err().contains("RFC 3339"));
    }

    #[test]
    fn how_long_ago_is_told_in_one_unit() {
        let now = Timestamp::parse("2030-01-02T03:04:05Z").unwrap();
        let told = |ms| relative(now.plus_millis(ms), now);
        assert_eq!(told(-999), "just now");
        assert_eq!(told(-1000), "1 second ago");
        assert_eq!(told(-185_000), "3 minutes ago");
        assert_eq!(told(7_200_000), "in 2 hours");
        assert_eq!(told(-86_400_000 * 13), "1 week ago");
    }
}
