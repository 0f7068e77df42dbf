//! Streaming answers: made page by page as the client reads, bounded in memory, ended when the client stops reading.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use pemba_proto::authzed::api::v1::{Cursor, LookupPermissionship, LookupResourcesResponse, ZedToken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tonic::{Code, Status};

use crate::queries::Queries;
use crate::status::{overloaded, plain};

/// Pages made and not yet taken by the connection.
const PAGES_WAITING_MAX: usize = 2;

/// The consumer's end: what tonic sends.
pub(crate) struct Outgoing<M> {
    page: std::vec::IntoIter<M>,
    pages: mpsc::Receiver<Vec<M>>,
    end: Arc<OnceLock<Status>>,
    is_over: bool,
    _place: Place,
}

/// The producer's end.
pub(crate) struct Outlet<M> {
    pages: mpsc::Sender<Vec<M>>,
    end: Arc<OnceLock<Status>>,
    stall_max: Duration,
    place: Place,
}

/// The place of a stream among all; given back when the client's end is dropped, or by the producer when the client
/// has stopped reading, since it may never go away.
type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// The stream has ended: the client is gone, or was told why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended;

/// Part of an answer and where the rest begins.
pub(crate) struct Page<S, M> {
    pub(crate) messages: Vec<M>,
    pub(crate) rest: Option<S>,
}

/// Where the messages of a page are gathered: as they are, or in the frames that are sent.
pub(crate) trait Gathered<M>: Default {
    /// What is handed over.
    type Part: Send + 'static;
    /// Messages of a page, at most.
    const MESSAGES_MAX: usize;

    fn push(&mut self, message: M);

    /// All of it, in order.
    fn parts(self) -> Vec<Self::Part>;
}

impl<M: Send + 'static> Gathered<M> for Vec<M> {
    type Part = M;
    const MESSAGES_MAX: usize = 256;

    fn push(&mut self, message: M) {
        Vec::push(self, message);
    }

    fn parts(self) -> Vec<M> {
        self
    }
}

/// As `Gathered`, for what lookups of resources have most of.
pub(crate) trait GatheredResources: Gathered<LookupResourcesResponse> {
    /// A resource that is granted without conditions. No text is empty.
    fn push_granted(&mut self, looked_up_at: &str, id: &str, cursor: &str) {
        self.push(LookupResourcesResponse {
            looked_up_at: Some(ZedToken { token: looked_up_at.to_owned() }),
            resource_object_id: id.to_owned(),
            permissionship: LookupPermissionship::HasPermission.into(),
            partial_caveat_info: None,
            after_result_cursor: Some(Cursor { token: cursor.to_owned() }),
        });
    }
}

impl GatheredResources for Vec<LookupResourcesResponse> {}

/// What all streaming answers share.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    places: Arc<Semaphore>,
    places_max: usize,
    stall_max: Duration,
}

impl Streams {
    /// At most `places_max` at once; each ended when its client takes nothing for `stall_max`.
    pub(crate) fn new(places_max: usize, stall_max: Duration) -> Streams {
        let places_max = places_max.clamp(1, Semaphore::MAX_PERMITS);
        Streams { places: Arc::new(Semaphore::new(places_max)), places_max, stall_max }
    }

    /// Longest wait for a client.
    pub(crate) fn stall_max(&self) -> Duration {
        self.stall_max
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let message =
                format!("{} streams are open; try again later, or raise `streams-max`", self.places_max);
            overloaded(message)
        })
    }

    /// Both ends of a stream.
    pub(crate) fn open<M>(&self) -> Result<(Outlet<M>, Outgoing<M>), Status> {
        let place = Arc::new(Mutex::new(Some(self.place()?)));
        let (sender, receiver) = mpsc::channel(PAGES_WAITING_MAX);
        let end = Arc::new(OnceLock::new());
        let outlet = Outlet {
            pages: sender,
            end: Arc::clone(&end),
            stall_max: self.stall_max,
            place: Arc::clone(&place),
        };
        let outgoing =
            Outgoing { page: Vec::new().into_iter(), pages: receiver, end, is_over: false, _place: place };
        Ok((outlet, outgoing))
    }

    /// A stream of pages that `next` makes on the query threads. The first is made before this returns, so that an
    /// error in the request is the call's own status; the others while the client reads.
    pub(crate) async fn paged<S, M>(
        &self,
        queries: &Queries,
        start: S,
        next: fn(S) -> Result<Page<S, M>, Status>,
    ) -> Result<Outgoing<M>, Status>
    where
        S: Send + 'static,
        M: Send + 'static,
    {
        let (outlet, mut outgoing) = self.open()?;
        let first = queries.run(move || next(start)).await?;
        outgoing.page = first.messages.into_iter();
        if let Some(rest) = first.rest {
            let queries = queries.clone();
            tokio::spawn(outlet.pump(queries, rest, next));
        }
        Ok(outgoing)
    }
}

impl<M: Send + 'static> Outlet<M> {
    /// Hands over messages, waiting for the client up to the bound.
    pub(crate) async fn send(&self, messages: Vec<M>) -> Result<(), Ended> {
        self.send_or(messages, Code::DeadlineExceeded).await
    }

    /// As `send`; a client that takes nothing ends with this code.
    pub(crate) async fn send_or(&self, messages: Vec<M>, stalled: Code) -> Result<(), Ended> {
        match tokio::time::timeout(self.stall_max, self.pages.send(messages)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended),
            Err(_) => {
                let message = format!(
                    "the client took no message for {} ms; read faster, or go on from the last cursor or token",
                    self.stall_max.as_millis()
                );
                self.fail(plain(stalled, message));
                drop(self.place.lock().take());
                Err(Ended)
            }
        }
    }

    /// The status the stream ends with, after what was sent.
    pub(crate) fn fail(&self, status: Status) {
        // Only the first reason counts.
        let _ = self.end.set(status);
    }

    /// Ready once the client is gone.
    pub(crate) async fn closed(&self) {
        self.pages.closed().await;
    }

    async fn pump<S: Send + 'static>(
        self,
        queries: Queries,
        start: S,
        next: fn(S) -> Result<Page<S, M>, Status>,
    ) {
        let mut rest = Some(start);
        while let Some(state) = rest.take() {
            match queries.run(move || next(state)).await {
                Ok(page) => {
                    if self.send(page.messages).await.is_err() {
                        return;
                    }
                    rest = page.rest;
                }
                Err(status) => return self.fail(status),
            }
        }
    }
}

impl<M: Unpin> Stream for Outgoing<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.page.next() {
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(self.pages.poll_recv(context)) {
                Some(page) => self.page = page.into_iter(),
                None if self.is_over => return Poll::Ready(None),
                None => {
                    self.is_over = true;
                    return Poll::Ready(self.end.get().cloned().map(Err));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt as _;

    fn streams(places_max: usize, stall_ms: u64) -> Streams {
        Streams::new(places_max, Duration::from_millis(stall_ms))
    }

    fn count_to_ten(from: u32) -> Result<Page<u32, u32>, Status> {
        let messages: Vec<u32> = (from..from + 2).collect();
        Ok(Page { messages, rest: (from < 8).then_some(from + 2) })
    }

    fn fail_at_four(from: u32) -> Result<Page<u32, u32>, Status> {
        if from == 4 { Err(plain(Code::Internal, "four")) } else { count_to_ten(from) }
    }

    #[tokio::test]
    async fn pages_come_in_order_and_end() {
        let queries = Queries::new(2);
        let stream = streams(1, 1000).paged(&queries, 0, count_to_ten).await.unwrap();
        let all: Vec<u32> = stream.map(Result::unwrap).collect().await;
        assert_eq!(all, (0..10).collect::<Vec<u32>>());
    }

    #[tokio::test]
    async fn an_error_comes_after_what_was_before_it() {
        let queries = Queries::new(2);
        let mut stream = streams(1, 1000).paged(&queries, 0, fail_at_four).await.unwrap();
        for expected in 0..4 {
            assert_eq!(stream.next().await.unwrap().unwrap(), expected);
        }
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Internal);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_told_and_gives_its_place_back() {
        let streams = streams(1, 50);
        let (outlet, mut outgoing) = streams.open::<u32>().unwrap();
        assert_eq!(streams.open::<u32>().err().unwrap().code(), Code::ResourceExhausted);
        for page in 0..2 {
            outlet.send(vec![page]).await.unwrap();
        }
        assert_eq!(outlet.send(vec![2]).await, Err(Ended));
        drop(outlet);
        // The client still holds its end, and has not read what it was told.
        drop(streams.open::<u32>().unwrap());
        assert_eq!(outgoing.next().await.unwrap().unwrap(), 0);
        assert_eq!(outgoing.next().await.unwrap().unwrap(), 1);
        assert_eq!(outgoing.next().await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
        assert!(outgoing.next().await.is_none());
        drop(outgoing);
        assert!(streams.open::<u32>().is_ok());
    }
}
