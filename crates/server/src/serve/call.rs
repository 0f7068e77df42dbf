//! One call on a connection: answered directly where that can be, by the generated code where not.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use pemba_agents::client::Client;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Status, TimeoutExpired};

use super::request::{Turned, Unread};
use crate::deadline;
use crate::front::{AnswerBody, Entry, Front, Passing, Shown};
use crate::services::{Answering, Direct, DirectCall};

/// The calls of a connection.
#[derive(Clone)]
pub(super) struct Calls {
    front: Front<Routes>,
    /// None where each caller has services of its own.
    direct: Option<Direct>,
    /// Turns for what takes longer.
    turns: Arc<Semaphore>,
    /// The certificate that the connection showed.
    shown: Option<Arc<Shown>>,
}

/// A connection takes at most one in so many of the places that all have for what takes longer. What it has more waits
/// in its own line, not in everybody's.
const SHARE: usize = 4;

/// An answer, mostly there at once.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box costs an allocation a call"
)]
pub(super) enum Call {
    Now(Option<Response<AnswerBody>>),
    Later(Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>),
}

impl Future for Call {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Call::Now(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Call::Later(answer) => answer.as_mut().poll(context).map(Ok),
        }
    }
}

/// A call that was let in, whose request may be read where it lies.
struct Begun {
    call: DirectCall,
    client: Arc<Client>,
    passing: Passing,
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Call;

    fn call(&self, request: Request<Incoming>) -> Call {
        let (path, headers) = (request.uri().path(), request.headers());
        let (passing, entry) = self.front.admit(path, headers, self.shown.as_deref());
        let direct = self.direct.as_ref().zip(DirectCall::of(path, headers));
        match (direct, entry) {
            (Some((direct, call)), Ok(Entry { client: Some(client), presented: None })) => {
                self.read(direct, Begun { call, client, passing }, request)
            }
            (_, entry) => self.generated(request.map(Body::new), passing, entry),
        }
    }
}

impl Calls {
    pub(super) fn new(front: Front<Routes>, direct: Option<Direct>) -> Calls {
        Calls { front, direct, turns: Arc::new(Semaphore::new(1)), shown: None }
    }

    /// The calls of another connection, which showed this.
    pub(super) fn of_connection(self, shown: Option<Arc<Shown>>) -> Calls {
        let places = self.direct.as_ref().map_or(SHARE, Direct::places_max);
        Calls { turns: Arc::new(Semaphore::new((places / SHARE).max(1))), shown, ..self }
    }

    /// Answers at once if the request is there, else when it has come.
    fn read(&self, direct: &Direct, begun: Begun, mut request: Request<Incoming>) -> Call {
        let mut unread = Unread::default();
        let message_max = direct.message_max_bytes();
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(turned) = unread.poll(request.body_mut(), message_max, context) {
            return self.answer(direct, begun, request, unread, turned);
        }
        let (calls, direct) = (self.clone(), direct.clone());
        let deadline = deadline::of_call(request.headers());
        let answer = async move {
            let body = request.body_mut();
            let turned = std::future::poll_fn(|context| unread.poll(body, message_max, context)).await;
            calls.answer(&direct, begun, request, unread, turned).await
        };
        Call::Later(Box::pin(in_time(deadline, answer)))
    }

    fn answer(
        &self,
        direct: &Direct,
        begun: Begun,
        request: Request<Incoming>,
        mut unread: Unread,
        turned: Turned,
    ) -> Call {
        let Begun { call, client, passing } = begun;
        let answering = match turned {
            Turned::Message => direct.answer(call, &client, unread.framed()),
            Turned::Other => Answering::Generated,
        };
        match answering {
            Answering::Whole(framed, asked) => {
                let asked = u64::try_from(asked).unwrap_or(u64::MAX);
                Call::Now(Some(passing.answered_whole(framed, asked)))
            }
            Answering::Refused(status) => Call::Now(Some(refused(passing, status))),
            Answering::Later(later) => {
                let turns = Arc::clone(&self.turns);
                let answer = async move {
                    // An error would mean that there are no turns, which never ends here.
                    let _turn = turns.acquire().await;
                    Ok(match later.await {
                        Ok(answer) => passing.answered(answer).map(AnswerBody::Counted),
                        Err(status) => refused(passing, status),
                    })
                };
                Call::Later(Box::pin(in_time(deadline::of_call(request.headers()), answer)))
            }
            Answering::Generated => {
                let entry = Ok(Entry { client: Some(client), presented: None });
                self.generated(request.map(|rest| Body::new(unread.replay(rest))), passing, entry)
            }
        }
    }

    fn generated(&self, request: Request<Body>, passing: Passing, entry: Result<Entry, Status>) -> Call {
        let deadline = deadline::of_call(request.headers());
        let answer = self.front.clone().pass(request, passing, entry);
        let answer = async move { Ok::<_, Infallible>(answer.await?.map(AnswerBody::Counted)) };
        Call::Later(Box::pin(in_time(deadline, answer)))
    }
}

fn refused(passing: Passing, status: Status) -> Response<AnswerBody> {
    passing.answered(status.into_http()).map(AnswerBody::Counted)
}

/// The answer if it begins before the deadline.
async fn in_time(
    deadline: Option<Duration>,
    answer: impl Future<Output = Result<Response<AnswerBody>, Infallible>> + Send,
) -> Response<AnswerBody> {
    let answer = match deadline {
        Some(deadline) => timeout(deadline, answer).await,
        None => Ok(answer.await),
    };
    match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(never)) => match never {},
        Err(_) => Status::cancelled(TimeoutExpired(()).to_string()).into_http(),
    }
}
