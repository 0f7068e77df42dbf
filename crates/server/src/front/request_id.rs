//! The id by which a call is found in logs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};

/// The name of the id's metadata.
pub(crate) const X_REQUEST_ID: &str = "x-request-id";
/// Longest id of a caller that is passed on, in bytes: it goes into logs.
const CALLER_ID_MAX_BYTES: usize = 128;

/// Makes ids: the time of the start and a count, so that they differ between runs and between servers.
#[derive(Debug)]
pub(super) struct RequestIds {
    start: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        RequestIds { start: u64::try_from(since.as_micros()).unwrap_or(u64::MAX), next: AtomicU64::new(1) }
    }

    /// The caller's id, or a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = headers.get(X_REQUEST_ID).filter(|id| (1..=CALLER_ID_MAX_BYTES).contains(&id.len()))
        {
            return id.clone();
        }
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:x}-{count:x}", self.start);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
