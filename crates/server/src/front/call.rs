//! The layer around all services.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pemba_agents::client::Client;
use pin_project_lite::pin_project;
use tonic::body::Body;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::Shown;
use super::body::{Asked, Counted, LastWords, Ongoing, WholeAnswer, code_of};
use super::request_id::{RequestIds, X_REQUEST_ID};
use super::whole::Whole;
use crate::chains::{Presented, presented};
use crate::errors;
use crate::state::State;
use crate::status::overloaded;

/// A caller asks for the server's version by this metadata.
const REQUEST_VERSION: HeaderName = HeaderName::from_static("io.spicedb.requestversion");
/// The paths whose answers say what they took.
const COUNTED_SERVICES: &str = "/authzed.api.v1.";
/// Questions that the engine answered for the call: one a check, one an item of a bulk check, one a lookup or an
/// expansion.
const DISPATCHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.dispatchedoperationscount");
/// Answers that came from a cache of answers. There is none.
const CACHED: HeaderName = HeaderName::from_static("io.spicedb.respmeta.cachedoperationscount");
/// The server's version, in headers and trailers.
const DEBUG_VERSION: HeaderName = HeaderName::from_static("io.spicedb.debug.version");
/// The calls whose request is a stream.
const IMPORTS: [&str; 2] = [
    "/authzed.api.v1.PermissionsService/ImportBulkRelationships",
    "/authzed.api.v1.ExperimentalService/BulkImportRelationships",
];
const VERSION: HeaderValue = HeaderValue::from_static(concat!("pemba-v", env!("CARGO_PKG_VERSION")));
/// Common values.
const OK: HeaderValue = HeaderValue::from_static("0");
const NOTHING: HeaderValue = HeaderValue::from_static("0");
const ONE: HeaderValue = HeaderValue::from_static("1");
/// How the message of tonic's refusal of an oversize message begins, as a header has it.
const OVERSIZE_MESSAGE: &[u8] = b"Error,%20decoded%20message%20length%20too%20large";

/// Wraps every service.
#[derive(Clone)]
pub(crate) struct FrontLayer {
    shared: Arc<Shared>,
}

struct Shared {
    state: Arc<State>,
    request_ids: RequestIds,
    whole: WholeHeads,
    /// What a call is told that is refused for all that comes.
    refusal: HeaderMap,
}

/// Headers and trailers of an answer that is there as a whole, in which some values are still to be set: to copy them is
/// cheaper than to put them together.
struct WholeHeads {
    headers: HeaderMap,
    trailers: HeaderMap,
    counted_trailers: HeaderMap,
}

impl WholeHeads {
    fn new() -> WholeHeads {
        let headers = [(CONTENT_TYPE, GRPC_CONTENT_TYPE), (X_REQUEST_ID, NOTHING)];
        let trailers = [(Status::GRPC_STATUS, OK), (X_REQUEST_ID, NOTHING)];
        let counts = [(DISPATCHED, ONE), (CACHED, NOTHING)];
        WholeHeads {
            headers: headers.into_iter().collect(),
            trailers: trailers.clone().into_iter().collect(),
            counted_trailers: trailers.into_iter().chain(counts).collect(),
        }
    }
}

impl FrontLayer {
    pub(crate) fn new(state: Arc<State>) -> FrontLayer {
        let refusal = overloaded("more calls come than can be answered; this one has waited too long")
            .into_http::<Body>();
        FrontLayer {
            shared: Arc::new(Shared {
                state,
                request_ids: RequestIds::new(),
                whole: WholeHeads::new(),
                refusal: refusal.into_parts().0.headers,
            }),
        }
    }
}

impl<S> Layer<S> for FrontLayer {
    type Service = Front<S>;

    fn layer(&self, inner: S) -> Front<S> {
        Front { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service with the layer around it.
#[derive(Clone)]
pub(crate) struct Front<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What is kept of a call from its headers to its answer.
pub(crate) struct Passing {
    ongoing: Ongoing,
    wants_version: bool,
    is_counted: bool,
}

/// Who calls, and by what.
pub(crate) struct Entry {
    /// None where anybody may ask.
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) presented: Option<Presented>,
}

impl<S> Front<S> {
    /// Decides whether a call to this path with these headers is let in, over a connection that showed this; what it is
    /// told where it is not.
    pub(crate) fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        shown: Option<&Shown>,
    ) -> (Passing, Result<Entry, Status>) {
        let state = &self.shared.state;
        let mut passing = Passing {
            ongoing: Ongoing {
                method: Arc::clone(state.metrics.methods.get(path)),
                request_id: self.shared.request_ids.of(headers),
                client: None,
                started: Instant::now(),
                is_over: false,
                is_quiet: false,
            },
            // There are few, and to look at each takes less than to hash a long name.
            wants_version: headers.keys().any(|name| *name == REQUEST_VERSION),
            is_counted: path.starts_with(COUNTED_SERVICES),
        };
        let entry = state.authentication.client(path, headers, shown).and_then(|client| {
            let presented = presented(path, headers).map_err(|refused| errors::agents(&refused))?;
            passing.ongoing.client = client.clone();
            Ok(Entry { client, presented })
        });
        (passing, entry)
    }

    /// An answer that is there as a whole, one message in its frame: the same as `Passing::answered` makes of it.
    pub(crate) fn answered_whole(&self, passing: Passing, framed: Bytes, asked: u64) -> WholeAnswer {
        let Passing { mut ongoing, wants_version, is_counted } = passing;
        ongoing.finish(Code::Ok, None);
        let WholeHeads { headers, trailers, counted_trailers } = &self.shared.whole;
        let mut headers = headers.clone();
        let mut trailers = if is_counted { counted_trailers } else { trailers }.clone();
        headers.insert(X_REQUEST_ID, ongoing.request_id.clone());
        trailers.insert(X_REQUEST_ID, ongoing.take_request_id());
        if wants_version {
            headers.insert(DEBUG_VERSION, VERSION);
            trailers.insert(DEBUG_VERSION, VERSION);
        }
        if is_counted && asked != 1 {
            trailers.insert(DISPATCHED, HeaderValue::from(asked));
        }
        WholeAnswer { headers, framed, trailers }
    }

    /// What a call is told that has waited too long among others. It is counted like any; the log has a word about all
    /// of them.
    pub(crate) fn refused(&self, mut passing: Passing) -> Response<Counted> {
        passing.ongoing.is_quiet = true;
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = self.shared.refusal.clone();
        passing.answered(response)
    }
}

impl<S> Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    /// Passes on a call that was let in, or what it is told.
    pub(crate) fn pass(
        &mut self,
        mut request: Request<Body>,
        passing: Passing,
        entry: Result<Entry, Status>,
    ) -> Call<S::Future> {
        let answer = match entry {
            Err(status) => Answer::Refused { response: Some(status.into_http()) },
            Ok(Entry { client, presented }) => {
                let is_import = IMPORTS.contains(&request.uri().path());
                if let Some(presented) = presented {
                    request.extensions_mut().insert(presented);
                }
                if let Some(client) = client {
                    request.extensions_mut().insert(client);
                }
                let whole = |body| if is_import { Body::new(Whole::new(body)) } else { body };
                Answer::Served { future: self.inner.call(request.map(whole)) }
            }
        };
        Call { answer, passing: Some(passing) }
    }
}

impl<S> Service<Request<Body>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Counted>;
    type Error = S::Error;
    type Future = Call<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Call<S::Future> {
        let shown = request.extensions().get::<Arc<Shown>>().map(Arc::as_ref);
        let (passing, entry) = self.admit(request.uri().path(), request.headers(), shown);
        self.pass(request, passing, entry)
    }
}

pin_project! {
    /// A call on its way.
    pub(crate) struct Call<F> {
        #[pin]
        answer: Answer<F>,
        passing: Option<Passing>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        Refused { response: Option<Response<Body>> },
        Served { #[pin] future: F },
    }
}

impl<F, E> Future for Call<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Counted>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.project();
        let response = match call.answer.project() {
            AnswerProjection::Refused { response } => match response.take() {
                Some(response) => response,
                None => return Poll::Pending,
            },
            AnswerProjection::Served { future } => ready!(future.poll(context))?,
        };
        let Some(passing) = call.passing.take() else { return Poll::Pending };
        Poll::Ready(Ok(passing.answered(response)))
    }
}

impl Passing {
    /// The answer of a service, with what every answer has.
    pub(crate) fn answered(self, response: Response<Body>) -> Response<Counted> {
        let Passing { mut ongoing, wants_version, is_counted } = self;
        let (mut parts, body) = response.into_parts();
        let mut last_words = parts.extensions.remove::<LastWords>().map(|words| words.0).unwrap_or_default();
        last_words.push((X_REQUEST_ID, ongoing.request_id.clone()));
        parts.headers.insert(X_REQUEST_ID, ongoing.request_id.clone());
        if wants_version {
            parts.headers.insert(DEBUG_VERSION, VERSION);
            last_words.push((DEBUG_VERSION, VERSION));
        }
        if is_counted {
            let Asked(asked) = parts.extensions.remove::<Asked>().unwrap_or_default();
            last_words.push((DISPATCHED, HeaderValue::from(asked)));
            last_words.push((CACHED, NOTHING));
        }
        correct_oversize(&mut parts.headers);
        // An answer that is only a status has it in its headers, and no body follows.
        if let Some(code) = code_of(&parts.headers) {
            ongoing.finish(code, parts.headers.get(Status::GRPC_MESSAGE));
            for (name, value) in last_words.drain(..) {
                parts.headers.insert(name, value);
            }
        }
        Response::from_parts(parts, Counted::new(body, ongoing, last_words))
    }
}

/// tonic refuses an oversize message as OUT_OF_RANGE, which here means an expired token; gRPC's usual code for it is
/// RESOURCE_EXHAUSTED.
fn correct_oversize(headers: &mut HeaderMap) {
    let is_oversize = code_of(headers) == Some(Code::OutOfRange)
        && headers
            .get(Status::GRPC_MESSAGE)
            .is_some_and(|message| message.as_bytes().starts_with(OVERSIZE_MESSAGE));
    if is_oversize {
        headers.insert(Status::GRPC_STATUS, HeaderValue::from(i32::from(Code::ResourceExhausted)));
    }
}
