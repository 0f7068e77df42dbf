//! How much memory the process holds.

use std::fs::read_to_string;

/// Bytes of a page; the same on every Linux this runs on but for some ARM kernels, where the figure is a lower bound.
const PAGE_BYTES: i64 = 4096;

/// Resident memory in bytes; `None` where the system does not tell.
pub(super) fn resident_bytes() -> Option<i64> {
    let statm = read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(PAGE_BYTES))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_process_has_some_memory() {
        assert!(super::resident_bytes().unwrap() > 100_000);
    }
}
