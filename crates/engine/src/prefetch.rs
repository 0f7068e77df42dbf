//! Asks the processor for memory ahead of its use.
#![allow(unsafe_code, reason = "prefetching is an intrinsic of the processor")]

/// Asks for the cache line at an address, which need not be valid, without reading it.
#[inline]
pub fn prefetch<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see, and no address makes it fail.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
