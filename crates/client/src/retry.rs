//! When a call is made again, and after how long.

use std::{
    future::Future,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use tonic::{Code, Status};

/// How often and how patiently a call that found the server unavailable is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; 1 means no retry, and 0 counts as 1. 5 unless said otherwise.
    pub attempts_max: u32,
    /// Wait before the second attempt; doubles each time. 50 ms unless said otherwise.
    pub wait_first: Duration,
    /// The longest wait between two attempts. 2 s unless said otherwise.
    pub wait_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts_max: 5,
            wait_first: Duration::from_millis(50),
            wait_max: Duration::from_secs(2),
        }
    }
}

impl RetryPolicy {
    /// Every call is made once.
    pub fn never() -> RetryPolicy {
        RetryPolicy { attempts_max: 1, ..RetryPolicy::default() }
    }

    /// Whether an attempt that ended with this code is worth another, `attempts` having been made.
    pub(crate) fn again(&self, code: Code, attempts: u32) -> bool {
        code == Code::Unavailable && attempts < self.attempts_max
    }

    /// Waits out the pause after `attempts` attempts.
    pub(crate) async fn pause(&self, attempts: u32) {
        // Many clients that lost the same server must not come back in step.
        tokio::time::sleep(self.wait(attempts, RandomState::new().hash_one(attempts))).await;
    }

    /// Between half of the doubled wait and all of it, as `random` has it.
    fn wait(&self, attempts: u32, random: u64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let full = self.wait_first.saturating_mul(1 << doublings).min(self.wait_max);
        let half = full / 2;
        let share = u32::try_from(random % 1000).unwrap_or(0);
        half.saturating_add(half.saturating_mul(share) / 1000)
    }

    /// Makes the call until it succeeds, fails for good, or has been tried often enough.
    pub(crate) async fn run<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut attempts = 0_u32;
        loop {
            let outcome = call().await;
            attempts = attempts.saturating_add(1);
            match outcome {
                Err(status) if self.again(status.code(), attempts) => self.pause(attempts).await,
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let policy = RetryPolicy::default();
        let longest = |attempts| policy.wait(attempts, 999).as_millis();
        assert_eq!([longest(1), longest(2), longest(3)], [49, 99, 199]);
        assert_eq!(longest(30), 1999);
        assert_eq!(policy.wait(u32::MAX, 0), Duration::from_secs(1));
    }

    #[test]
    fn only_unavailable_is_tried_again() {
        let policy = RetryPolicy { attempts_max: 3, ..RetryPolicy::default() };
        assert!(policy.again(Code::Unavailable, 2));
        assert!(!policy.again(Code::Unavailable, 3));
        assert!(!policy.again(Code::Aborted, 1));
        assert!(!RetryPolicy::never().again(Code::Unavailable, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn run_stops_at_the_first_success() {
        let mut calls = 0;
        let outcome = RetryPolicy::default()
            .run(|| {
                calls += 1;
                let now = calls;
                async move { if now < 3 { Err(Status::unavailable("not yet")) } else { Ok(now) } }
            })
            .await;
        assert_eq!(outcome.unwrap(), 3);
    }
}
