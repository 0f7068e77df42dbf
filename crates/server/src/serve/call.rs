//! One call on a connection: answered directly where that can be, by the generated code where not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use pemba_agents::client::Client;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Status, TimeoutExpired};

use super::admission::Admission;
use super::body::RequestBody;
use super::request::{Turned, Unread};
use crate::deadline;
use crate::front::{Counted, Entry, Front, Passing, Shown, WholeAnswer};
use crate::services::{Answering, Direct, DirectCall};

/// The calls of a connection.
#[derive(Clone)]
pub(super) struct Calls {
    front: Front<Routes>,
    /// None where each caller has services of its own.
    direct: Option<Direct>,
    /// Turns for what takes longer.
    turns: Arc<Semaphore>,
    /// Which calls are refused for what they have waited.
    pub(super) admission: Arc<Admission>,
    /// The certificate that the connection showed.
    shown: Option<Arc<Shown>>,
}

/// A connection takes at most one in so many of the places that all have for what takes longer. What it has more waits
/// in its own line, not in everybody's.
const SHARE: usize = 4;

/// An answer whose head is there.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box costs an allocation a call"
)]
pub(super) enum Answer {
    /// One message, there as a whole.
    Whole(WholeAnswer),
    /// What a service makes.
    Made(Response<Counted>),
}

/// What became of a call, mostly an answer at once.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box costs an allocation a call"
)]
pub(super) enum Call {
    Now(Answer),
    Later(Later),
}

/// The answer to come, or what the caller is told whose time is over.
pub(super) type Later = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

/// A call that was let in, whose request may be read where it lies.
struct Begun {
    call: DirectCall,
    client: Arc<Client>,
    passing: Passing,
}

impl Calls {
    /// Begins to answer a call that has waited so long.
    pub(super) fn call(&self, request: Box<Request<RequestBody>>, waited: Duration) -> Call {
        let (path, headers) = (request.uri().path(), request.headers());
        let (passing, entry) = self.front.admit(path, headers, self.shown.as_deref());
        if let Ok(Entry { client: Some(client), .. }) = &entry
            && !self.admission.admits(&client.name, waited)
        {
            return Call::Now(Answer::Made(self.front.refused(passing)));
        }
        let direct = self.direct.as_ref().zip(DirectCall::of(path, headers));
        match (direct, entry) {
            (Some((direct, call)), Ok(Entry { client: Some(client), presented: None })) => {
                self.read(direct, Begun { call, client, passing }, request)
            }
            (_, entry) => self.generated((*request).map(Body::new), passing, entry),
        }
    }

    pub(super) fn new(front: Front<Routes>, direct: Option<Direct>, admission: Arc<Admission>) -> Calls {
        Calls { front, direct, turns: Arc::new(Semaphore::new(1)), admission, shown: None }
    }

    /// The calls of another connection, which showed this.
    pub(super) fn of_connection(self, shown: Option<Arc<Shown>>) -> Calls {
        let places = self.direct.as_ref().map_or(SHARE, Direct::places_max);
        Calls { turns: Arc::new(Semaphore::new((places / SHARE).max(1))), shown, ..self }
    }

    /// Answers at once if the request is there, else when it has come.
    fn read(&self, direct: &Direct, begun: Begun, mut request: Box<Request<RequestBody>>) -> Call {
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
            match calls.answer(&direct, begun, request, unread, turned) {
                Call::Now(answer) => Ok(answer),
                Call::Later(later) => later.await,
            }
        };
        Call::Later(Box::pin(in_time(deadline, answer)))
    }

    fn answer(
        &self,
        direct: &Direct,
        begun: Begun,
        request: Box<Request<RequestBody>>,
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
                Call::Now(Answer::Whole(self.front.answered_whole(passing, framed, asked)))
            }
            Answering::Refused(status) => Call::Now(refused(passing, status)),
            Answering::Later(later) => {
                let turns = Arc::clone(&self.turns);
                let answer = async move {
                    // An error would mean that there are no turns, which never ends here.
                    let _turn = turns.acquire().await;
                    Ok(match later.await {
                        Ok(answer) => Answer::Made(passing.answered(answer)),
                        Err(status) => refused(passing, status),
                    })
                };
                Call::Later(Box::pin(in_time(deadline::of_call(request.headers()), answer)))
            }
            Answering::Generated => {
                let entry = Ok(Entry { client: Some(client), presented: None });
                self.generated((*request).map(|rest| Body::new(unread.replay(rest))), passing, entry)
            }
        }
    }

    fn generated(&self, request: Request<Body>, passing: Passing, entry: Result<Entry, Status>) -> Call {
        let deadline = deadline::of_call(request.headers());
        let answer = self.front.clone().pass(request, passing, entry);
        let answer = async move {
            match answer.await {
                Ok(answer) => Ok(Answer::Made(answer)),
                Err(never) => match never {},
            }
        };
        Call::Later(Box::pin(in_time(deadline, answer)))
    }
}

fn refused(passing: Passing, status: Status) -> Answer {
    Answer::Made(passing.answered(status.into_http()))
}

/// The answer if it begins before the deadline.
async fn in_time(
    deadline: Option<Duration>,
    answer: impl Future<Output = Result<Answer, Status>> + Send,
) -> Result<Answer, Status> {
    let Some(deadline) = deadline else { return answer.await };
    timeout(deadline, answer).await.unwrap_or_else(|_| Err(Status::cancelled(TimeoutExpired(()).to_string())))
}
