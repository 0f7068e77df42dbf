//! The id by which a call is found in logs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The name of the id's metadata.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a caller that is passed on, in bytes: it goes into logs.
const CALLER_ID_MAX_BYTES: usize = 128;

/// Longest id that is made: two numbers of 64 bits in hexadecimal and a dash.
const MADE_MAX_BYTES: usize = 33;

/// Makes ids: the time of the start and a count, so that they differ between runs and between servers.
#[derive(Debug)]
pub(super) struct RequestIds {
    /// The time with the dash behind it.
    start: Vec<u8>,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        RequestIds { start: format!("{start:x}-").into_bytes(), next: AtomicU64::new(1) }
    }

    /// The caller's id, or a new one.
    ///
    /// It is marked so that HTTP/2 does not put it into its table of headers: it never comes again, and would push out
    /// those that do.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let is_fit = |id: &&HeaderValue| (1..=CALLER_ID_MAX_BYTES).contains(&id.len());
        let mut id = match headers.get(X_REQUEST_ID).filter(is_fit) {
            Some(id) => id.clone(),
            None => self.made(self.next.fetch_add(1, Ordering::Relaxed)),
        };
        id.set_sensitive(true);
        id
    }

    fn made(&self, count: u64) -> HeaderValue {
        let mut text = Vec::with_capacity(MADE_MAX_BYTES);
        text.extend_from_slice(&self.start);
        let digits = (u64::BITS - count.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            text.push(hexadecimal(count >> (place * 4)));
        }
        HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

/// The last digit of a number.
fn hexadecimal(number: u64) -> u8 {
    let digit = (number & 15) as u8;
    digit + if digit < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_the_start_and_a_count() {
        let ids = RequestIds { start: b"2a-".to_vec(), next: AtomicU64::new(0) };
        for count in [0, 1, 15, 16, 255, 256, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(ids.made(count), format!("2a-{count:x}"));
        }
        assert!(ids.of(&HeaderMap::new()).is_sensitive());
    }

    #[test]
    fn a_callers_id_is_kept_unless_it_is_too_long() {
        let ids = RequestIds::new();
        let mut headers = HeaderMap::new();
        assert_ne!(ids.of(&headers), ids.of(&headers));
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("mine"));
        assert_eq!(ids.of(&headers), "mine");
        headers.insert(X_REQUEST_ID, "x".repeat(CALLER_ID_MAX_BYTES + 1).parse().unwrap());
        assert!(ids.of(&headers).len() < CALLER_ID_MAX_BYTES);
    }
}
