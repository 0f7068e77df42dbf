//! The atomic types of this crate: the standard library's, or under `cfg(loom)` stand-ins that a model checker
//! explores. Everything that two threads touch at once goes through here.

pub use imp::{AtomicU32, AtomicU64, Loaded, Mutex, MutexGuard, OnceLock, Ordering, Swap};

#[cfg(not(loom))]
mod imp {
    use std::sync::Arc;

    pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub use std::sync::{Mutex, MutexGuard, OnceLock};

    use arc_swap::{ArcSwap, Guard};

    /// A value read from a `Swap`, kept alive while this lives; dereferences to its `Arc`.
    pub type Loaded<T> = Guard<Arc<T>>;

    /// A shared value that readers load without waiting and a writer replaces whole.
    #[derive(Debug)]
    pub struct Swap<T>(ArcSwap<T>);

    impl<T> Swap<T> {
        /// Holds `value`.
        pub fn new(value: Arc<T>) -> Swap<T> {
            Swap(ArcSwap::new(value))
        }

        /// The value now; touches no shared counter as long as a thread holds only a few of them.
        pub fn load(&self) -> Loaded<T> {
            self.0.load()
        }

        /// The value now, to keep.
        pub fn load_full(&self) -> Arc<T> {
            self.0.load_full()
        }

        /// Replaces the value; what was written before is visible to whoever loads it.
        pub fn store(&self, value: Arc<T>) {
            self.0.store(value);
        }
    }
}

#[cfg(loom)]
mod imp {
    use std::ops::Deref;
    use std::sync::{Arc, PoisonError};

    pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub use loom::sync::{Mutex, MutexGuard};

    use loom::sync::atomic::AtomicBool;

    /// A value read from a `Swap`; dereferences to its `Arc`.
    #[derive(Debug)]
    pub struct Loaded<T>(Arc<T>);

    impl<T> Deref for Loaded<T> {
        type Target = Arc<T>;

        fn deref(&self) -> &Arc<T> {
            &self.0
        }
    }

    /// As the real one, by a lock that loom knows.
    #[derive(Debug)]
    pub struct Swap<T>(Mutex<Arc<T>>);

    impl<T> Swap<T> {
        /// Holds `value`.
        pub fn new(value: Arc<T>) -> Swap<T> {
            Swap(Mutex::new(value))
        }

        /// The value now.
        pub fn load(&self) -> Loaded<T> {
            Loaded(self.load_full())
        }

        /// The value now, to keep.
        pub fn load_full(&self) -> Arc<T> {
            Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        /// Replaces the value.
        pub fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }
    }

    /// A cell set once. The flag is what loom explores: a reader that it lets see `false` sees no value, though the
    /// storage behind may hold one already.
    #[derive(Debug)]
    pub struct OnceLock<T> {
        is_set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        /// Empty.
        pub fn new() -> OnceLock<T> {
            OnceLock { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        /// The value, once it is visible to this thread.
        pub fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        /// Sets the value; gives it back when there is one already.
        pub fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.is_set.store(true, Ordering::Release);
            Ok(())
        }
    }
}
