//! Calls answered on the task of their connection, as far as they need not wait.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hyper::rt::Executor;
use parking_lot::Mutex;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Calls that a connection has answered before the others of its worker have their turn.
const CALLS_PER_TURN: usize = 32;

/// What a connection has begun since it was polled last: at most as many calls as it may have open.
#[derive(Clone, Default)]
pub(super) struct Inline {
    begun: Arc<Mutex<VecDeque<Work>>>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Inline {
    fn execute(&self, work: F) {
        self.begun.lock().push_back(Box::pin(work));
    }
}

impl Inline {
    /// Does what was begun, as far as it goes and as much as a turn has room for; what must wait gets a task of its own.
    /// Whether there was anything.
    ///
    /// The answers are written together when the connection is polled next, and not one by one.
    pub(super) fn turn(&self) -> bool {
        // Nobody is woken by this: what is not ready is polled again by its task.
        let context = &mut Context::from_waker(Waker::noop());
        for done in 0..CALLS_PER_TURN {
            let next = self.begun.lock().pop_front();
            let Some(mut work) = next else { return done > 0 };
            if work.as_mut().poll(context) == Poll::Pending {
                tokio::spawn(work);
            }
        }
        true
    }

    /// Drops what was begun: a call keeps what holds it, so that a connection that ends must let go of its calls.
    pub(super) fn clear(&self) {
        let left = std::mem::take(&mut *self.begun.lock());
        drop(left);
    }

    /// Whether something is left for another turn.
    pub(super) fn is_waiting(&self) -> bool {
        !self.begun.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_left_at_the_end_is_dropped() {
        let (inline, held) = (Inline::default(), Arc::new(()));
        let (itself, holding) = (inline.clone(), Arc::clone(&held));
        inline.execute(async move { drop((itself, holding)) });
        inline.clear();
        assert_eq!((Arc::strong_count(&held), inline.is_waiting()), (1, false));
    }

    #[tokio::test]
    async fn a_turn_has_room_for_so_many_and_what_waits_has_a_task() {
        let (inline, done) = (Inline::default(), Arc::new(AtomicUsize::new(0)));
        for number in 0..CALLS_PER_TURN + 2 {
            let done = Arc::clone(&done);
            inline.execute(async move {
                if number == 0 {
                    tokio::task::yield_now().await;
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert!(inline.turn());
        assert_eq!(done.load(Ordering::Relaxed), CALLS_PER_TURN - 1);
        assert!(inline.is_waiting() && inline.turn() && !inline.is_waiting());
        assert!(!inline.turn());
        while done.load(Ordering::Relaxed) < CALLS_PER_TURN + 2 {
            tokio::task::yield_now().await;
        }
    }
}
