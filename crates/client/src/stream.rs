//! Results that come one after another: the stream type, and how one is fed page by page and survives a lost server.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::stream;
use tonic::{Response, Status, Streaming};

use crate::{
    client::{Api, Client},
    error::Error,
    retry::RetryPolicy,
};

/// Results as they arrive. Dropping it ends the call. After an error there is nothing more.
pub struct ResultStream<T> {
    inner: Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>,
}

impl<T> ResultStream<T> {
    /// The next result; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|context| self.inner.as_mut().poll_next(context)).await
    }

    /// All results that are left. Memory grows with their number: for what is known to be short.
    ///
    /// # Errors
    /// The error that ended the stream; the results before it are dropped.
    pub async fn try_collect(mut self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        while let Some(result) = self.next().await {
            all.push(result?);
        }
        Ok(all)
    }
}

impl<T> Stream for ResultStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.as_mut().poll_next(context)
    }
}

impl<T> fmt::Debug for ResultStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultStream").finish_non_exhaustive()
    }
}

/// The results in one message, and the cursor after them if the server gave one.
pub(crate) type Results<S> = (Vec<<S as Source>::Item>, Option<<S as Source>::Cursor>);

/// A call whose answer is a stream that can go on from a cursor.
pub(crate) trait Source: Sized + Send + Sync + 'static {
    type Cursor: Clone + Send + Sync;
    type Message: Send + 'static;
    type Item: Send + 'static;

    /// Whether starting over loses nothing, as long as nothing has arrived.
    const RESTARTABLE: bool = true;

    /// How many messages end a page. `None`: the stream is one page.
    fn page_size(&self) -> Option<u32> {
        None
    }

    /// Starts the call after the cursor, or at the beginning.
    fn open(
        &self,
        api: Api,
        after: Option<Self::Cursor>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send;

    /// Takes a message apart.
    fn read(message: Self::Message) -> Result<Results<Self>, Error>;
}

/// Where a stream of results stands.
struct State<S: Source> {
    source: S,
    api: Api,
    retry: RetryPolicy,
    /// The page being read.
    page: Option<Streaming<S::Message>>,
    /// Messages read from this page.
    page_messages: u32,
    /// After everything in `ready`.
    cursor: Option<S::Cursor>,
    /// Whether any message arrived without a cursor after it: then only the server knows where we are.
    adrift: bool,
    /// Attempts since the last message.
    attempts: u32,
    /// Read and not yet given out.
    ready: VecDeque<S::Item>,
    /// Results the caller still wants.
    wanted: u64,
    ended: bool,
}

/// Runs a source to its end, or until `limit` results were given.
pub(crate) fn run<S: Source>(
    client: &Client,
    source: S,
    start: Option<S::Cursor>,
    limit: Option<u64>,
) -> ResultStream<S::Item> {
    let state = State {
        source,
        api: client.api.clone(),
        retry: client.retry.clone(),
        page: None,
        page_messages: 0,
        cursor: start,
        adrift: false,
        attempts: 0,
        ready: VecDeque::new(),
        wanted: limit.unwrap_or(u64::MAX),
        ended: false,
    };
    let inner = Box::pin(stream::try_unfold(state, |mut state| async move {
        let item = state.next().await?;
        Ok(item.map(|item| (item, state)))
    }));
    ResultStream { inner }
}

/// A stream that is nothing but this error.
pub(crate) fn failed<T: Send + 'static>(error: Error) -> ResultStream<T> {
    ResultStream { inner: Box::pin(stream::iter([Err(error)])) }
}

impl<S: Source> State<S> {
    async fn next(&mut self) -> Result<Option<S::Item>, Error> {
        if self.wanted == 0 {
            return Ok(None);
        }
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.wanted = self.wanted.saturating_sub(1);
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(None);
            }
            if let Err(status) = self.advance().await? {
                self.recover(status).await?;
            }
        }
    }

    /// Opens the next page or reads one message of this one. The inner error is one that may be recovered from.
    async fn advance(&mut self) -> Result<Result<(), Status>, Error> {
        let Some(page) = &mut self.page else {
            return Ok(match self.source.open(self.api.clone(), self.cursor.clone()).await {
                Ok(response) => {
                    self.page = Some(response.into_inner());
                    self.page_messages = 0;
                    Ok(())
                }
                Err(status) => Err(status),
            });
        };
        match page.message().await {
            Ok(Some(message)) => {
                self.attempts = 0;
                self.page_messages = self.page_messages.saturating_add(1);
                let (items, cursor) = S::read(message)?;
                self.ready.extend(items);
                self.adrift = cursor.is_none();
                self.cursor = cursor.or(self.cursor.take());
                Ok(Ok(()))
            }
            Ok(None) => {
                // Less than a page means there is nothing after it.
                let full = self.source.page_size().is_some_and(|size| self.page_messages >= size);
                if full && self.adrift {
                    return Err(Error::malformed_answer("a full page ends without a cursor to the next one"));
                }
                self.ended = !full;
                self.page = None;
                Ok(Ok(()))
            }
            Err(status) => Ok(Err(status)),
        }
    }

    /// Waits before the next attempt, or gives up.
    async fn recover(&mut self, status: Status) -> Result<(), Error> {
        let was_open = self.page.take().is_some();
        let place_known = self.cursor.is_some() || S::RESTARTABLE || !was_open;
        self.attempts = self.attempts.saturating_add(1);
        if self.adrift || !place_known || !self.retry.again(status.code(), self.attempts) {
            return Err(status.into());
        }
        self.retry.pause(self.attempts).await;
        Ok(())
    }
}
