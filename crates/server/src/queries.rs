//! Where long queries run: on threads of their own, so that a lookup never delays the checks of other connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tonic::{Code, Status};

use crate::status::{overloaded, plain};

/// Queries that may wait for each one that may run: enough for a burst, and a bound on memory.
const WAITING_PER_RUNNING: usize = 16;

/// Admits, queues and runs blocking work. Clones share one bound.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    max: usize,
}

impl Queries {
    /// At most `max` at once, and some more waiting.
    pub(crate) fn new(max: usize) -> Queries {
        let max = max.clamp(1, 10_000);
        Queries {
            admitted: Arc::new(Semaphore::new(max * (1 + WAITING_PER_RUNNING))),
            running: Arc::new(Semaphore::new(max)),
            max,
        }
    }

    /// Most threads that run at once.
    pub(crate) fn threads_max(&self) -> usize {
        self.max
    }

    /// Places for queries that run or wait.
    pub(crate) fn places_max(&self) -> usize {
        self.max * (1 + WAITING_PER_RUNNING)
    }

    /// Runs `work` on a thread for it. RESOURCE_EXHAUSTED at once when too many are waiting. The work goes on when
    /// the caller goes away, and keeps its place until it is done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let places = self.place().await?;
        blocking(places, work).await
    }

    /// As `run`, for work that waits its turn however much is waiting: its number is bounded elsewhere, as that of
    /// streams is.
    pub(crate) async fn run_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let running = self.turn().await?;
        blocking(running, work).await
    }

    async fn place(&self) -> Result<[OwnedSemaphorePermit; 2], Status> {
        let admitted = match Arc::clone(&self.admitted).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                let message = format!(
                    "{} long queries are running and {} are waiting; try again later, or raise the limit \
                     `concurrent-queries-max`",
                    self.max,
                    self.max * WAITING_PER_RUNNING
                );
                return Err(overloaded(message));
            }
        };
        Ok([admitted, self.turn().await?])
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Status> {
        let running = Arc::clone(&self.running).acquire_owned().await;
        running.map_err(|_| plain(Code::Unavailable, "the server is shutting down"))
    }
}

/// Runs work on a thread for it, which keeps its places until it is done.
async fn blocking<T: Send + 'static>(
    places: impl Send + 'static,
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(move || {
        let _places = places;
        work()
    });
    match done.await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(%error, "a query ended without an answer");
            Err(plain(Code::Internal, "the query ended without an answer; the server's log says more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_more_than_may_wait_is_refused_and_places_come_back() {
        let queries = Queries::new(1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let queries = queries.clone();
            async move { queries.run(move || Ok(held.recv().is_ok())).await }
        });
        while queries.running.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..WAITING_PER_RUNNING)
            .map(|n| {
                let queries = queries.clone();
                tokio::spawn(async move { queries.run(move || Ok(n)).await })
            })
            .collect();
        while queries.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(queries.run(|| Ok(())).await.unwrap_err().code(), Code::ResourceExhausted);
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        for (n, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.await.unwrap().unwrap(), n);
        }
        queries.run(|| Ok(())).await.unwrap();
    }
}
