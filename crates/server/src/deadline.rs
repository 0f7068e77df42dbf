//! How long a caller waits, as gRPC writes it.

use std::time::Duration;

use http::HeaderMap;

/// The metadata that says it.
pub(crate) const TIMEOUT: &str = "grpc-timeout";
/// Most digits that gRPC has for it.
const DIGITS_MAX: usize = 8;

/// How long the caller of a gRPC call waits; what is not as gRPC has it is passed over.
pub(crate) fn of_call(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    (text.len() <= DIGITS_MAX + 1).then(|| parse(text))?
}

/// Digits followed by a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(count.saturating_mul(60))),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_and_odd_ones_are_none() {
        let cases = [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("100m", Some(Duration::from_millis(100))),
            ("1u", Some(Duration::from_micros(1))),
            ("7n", Some(Duration::from_nanos(7))),
            ("100000000n", None),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("1s", None),
        ];
        for (text, expected) in cases {
            let headers = HeaderMap::from_iter([(TIMEOUT.parse().unwrap(), text.parse().unwrap())]);
            assert_eq!(of_call(&headers), expected, "{text}");
        }
        assert_eq!(of_call(&HeaderMap::new()), None);
    }
}
