//! The layer around all services.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::Shown;
use super::body::{Asked, Counted, LastWords, Ongoing, code_of};
use super::request_id::{RequestIds, X_REQUEST_ID};
use super::whole::Whole;
use crate::chains::presented;
use crate::errors;
use crate::state::State;

/// A caller asks for the server's version by this metadata.
const REQUEST_VERSION: &str = "io.spicedb.requestversion";
/// The paths whose answers say what they took.
const COUNTED_SERVICES: &str = "/authzed.api.v1.";
/// Questions that the engine answered for the call: one a check, one an item of a bulk check, one a lookup or an
/// expansion.
const DISPATCHED: &str = "io.spicedb.respmeta.dispatchedoperationscount";
/// Answers that came from a cache of answers. There is none.
const CACHED: &str = "io.spicedb.respmeta.cachedoperationscount";
/// The server's version, in headers and trailers.
const DEBUG_VERSION: &str = "io.spicedb.debug.version";
/// The calls whose request is a stream.
const IMPORTS: [&str; 2] = [
    "/authzed.api.v1.PermissionsService/ImportBulkRelationships",
    "/authzed.api.v1.ExperimentalService/BulkImportRelationships",
];
const VERSION: &str = concat!("pemba-v", env!("CARGO_PKG_VERSION"));
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
}

impl FrontLayer {
    pub(crate) fn new(state: Arc<State>) -> FrontLayer {
        FrontLayer { shared: Arc::new(Shared { state, request_ids: RequestIds::new() }) }
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

    fn call(&mut self, mut request: Request<Body>) -> Call<S::Future> {
        let path = request.uri().path();
        let headers = request.headers();
        let mut ongoing = Ongoing {
            method: Arc::clone(self.shared.state.metrics.methods.get(path)),
            request_id: self.shared.request_ids.of(headers),
            client: None,
            started: Instant::now(),
            is_over: false,
        };
        let wants_version = headers.contains_key(REQUEST_VERSION);
        let is_counted = path.starts_with(COUNTED_SERVICES);
        let is_import = IMPORTS.contains(&path);
        let shown = request.extensions().get::<Arc<Shown>>().map(Arc::as_ref);
        let answer = match self.shared.state.authentication.client(path, headers, shown) {
            Err(status) => Answer::Refused { response: Some(status.into_http()) },
            Ok(client) => {
                let presented = match presented(path, headers) {
                    Ok(presented) => presented,
                    Err(refused) => {
                        let response = Some(errors::agents(&refused).into_http());
                        let answer = Answer::Refused { response };
                        return Call { answer, ongoing: Some(ongoing), wants_version, is_counted };
                    }
                };
                if let Some(presented) = presented {
                    request.extensions_mut().insert(presented);
                }
                if let Some(client) = client {
                    ongoing.client = Some(Arc::clone(&client));
                    request.extensions_mut().insert(client);
                }
                let whole = |body| if is_import { Body::new(Whole::new(body)) } else { body };
                Answer::Served { future: self.inner.call(request.map(whole)) }
            }
        };
        Call { answer, ongoing: Some(ongoing), wants_version, is_counted }
    }
}

pin_project! {
    /// A call on its way.
    pub(crate) struct Call<F> {
        #[pin]
        answer: Answer<F>,
        ongoing: Option<Ongoing>,
        wants_version: bool,
        is_counted: bool,
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
        let Some(ongoing) = call.ongoing.take() else { return Poll::Pending };
        Poll::Ready(Ok(answered(response, ongoing, *call.wants_version, *call.is_counted)))
    }
}

fn answered(
    response: Response<Body>,
    mut ongoing: Ongoing,
    wants_version: bool,
    is_counted: bool,
) -> Response<Counted> {
    let (mut parts, body) = response.into_parts();
    let mut last_words = parts.extensions.remove::<LastWords>().map(|words| words.0).unwrap_or_default();
    last_words.push((X_REQUEST_ID, ongoing.request_id.clone()));
    parts.headers.insert(HeaderName::from_static(X_REQUEST_ID), ongoing.request_id.clone());
    if wants_version {
        let version = HeaderValue::from_static(VERSION);
        parts.headers.insert(HeaderName::from_static(DEBUG_VERSION), version.clone());
        last_words.push((DEBUG_VERSION, version));
    }
    if is_counted {
        let Asked(asked) = parts.extensions.remove::<Asked>().unwrap_or_default();
        last_words.push((DISPATCHED, HeaderValue::from(asked)));
        last_words.push((CACHED, HeaderValue::from(0_u64)));
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
