//! One request: its route, the call of the service behind it, and the answer in JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, TRAILER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, request};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::body::{self, Body, Lines, State};
use super::frames::{self, Answer};
use super::table::{Route, Table};
use super::{headers, health, status};
use crate::front::{Counted, Front, Shown, X_REQUEST_ID};
use crate::status::plain;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The paths beside the routes.
const HEALTH_PATH: &str = "/healthz";
const OPENAPI_PATH: &str = "/openapi.json";
/// What the trailers of a stream may be named: it must be said before they are known.
const STREAM_TRAILERS: HeaderValue = HeaderValue::from_static(
    "grpc-trailer-io.spicedb.debug.version, grpc-trailer-io.spicedb.respmeta.dispatchedoperationscount, \
     grpc-trailer-io.spicedb.respmeta.cachedoperationscount",
);
/// Frames of a request waiting for the service.
const FRAMES_WAITING_MAX: usize = 1;

/// The services, as gRPC reaches them, for one connection.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) services: Front<Routes>,
    /// The certificate of the connection.
    pub(super) shown: Option<Arc<Shown>>,
}

/// A call that ended in an error, with what metadata came along.
pub(super) struct Refused {
    pub(super) status: Status,
    pub(super) metadata: HeaderMap,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Refused {
        Refused { status, metadata: HeaderMap::new() }
    }
}

/// Answers any request.
pub(super) async fn respond(table: Arc<Table>, calls: Calls, request: Request<Incoming>) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    match (parts.uri.path(), table.routes.get(parts.uri.path())) {
        (HEALTH_PATH, _) if is_read => match health::check(calls, parts.uri.query()).await {
            Ok(()) => with_text(&HeaderMap::new(), health::SERVING),
            Err(refused) => error(&table, &refused, false),
        },
        (OPENAPI_PATH, _) if is_read => with_text(&HeaderMap::new(), table.openapi.clone()),
        (_, Some(route)) if parts.method == Method::POST => {
            let is_streaming = route.method.is_server_streaming();
            match answer(&table, calls, route, &parts, incoming).await {
                Ok(response) => response,
                Err(refused) => error(&table, &refused, is_streaming),
            }
        }
        (HEALTH_PATH | OPENAPI_PATH, _) => not_allowed(&table, HeaderValue::from_static("GET, HEAD")),
        (_, Some(_)) => not_allowed(&table, HeaderValue::from_static("POST")),
        (path, None) => {
            let status = plain(Code::NotFound, format!("Not Found: no route has the path `{path}`"));
            error(&table, &status.into(), false)
        }
    }
}

fn not_allowed(table: &Table, allowed: HeaderValue) -> Response<Body> {
    let message = "Method Not Allowed: see the header `allow`";
    let mut response = error(table, &plain(Code::Unimplemented, message).into(), false);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// The answer of a route.
async fn answer(
    table: &Arc<Table>,
    calls: Calls,
    route: &Route,
    parts: &request::Parts,
    incoming: Incoming,
) -> Result<Response<Body>, Refused> {
    let encoding = parts.headers.get(CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        let message = format!("a body in the encoding `{encoding}` is not read; send it as it is");
        return Err(plain(Code::InvalidArgument, message).into());
    }
    let deadline = headers::timeout(&parts.headers)?;
    let deadline = deadline.map(|timeout| {
        let now = Instant::now();
        now.checked_add(timeout).unwrap_or(now)
    });
    let wants_trailers = headers::wants_trailers(&parts.headers);
    let metadata = headers::metadata(&parts.headers)?;
    let begun = begin(table, calls, route, metadata, incoming);
    let begun = match deadline {
        Some(deadline) => timeout_at(deadline, begun).await.unwrap_or_else(|_| Err(body::late().into())),
        None => begun.await,
    }?;
    if !route.method.is_server_streaming() {
        return whole(table, route, begun, wants_trailers);
    }
    lines(table, route, begun, wants_trailers, deadline)
}

/// An answer whose first message is there, or that ended well without one.
struct Begun {
    metadata: HeaderMap,
    first: Option<Bytes>,
    answer: Answer,
}

/// Calls the service, feeding it the body, until the first message; when there can be only one, until its end.
async fn begin(
    table: &Table,
    calls: Calls,
    route: &Route,
    metadata: HeaderMap,
    incoming: Incoming,
) -> Result<Begun, Refused> {
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    let call = call(calls, &route.grpc_path, metadata, receiver);
    let feeding = super::request::feed(table, route, incoming, sender);
    tokio::pin!(call, feeding);
    let (metadata, mut answer) = tokio::select! {
        // A service that answers before the body was read whole does not want the rest.
        called = &mut call => called?,
        () = &mut feeding => call.await?,
    };
    let first = answer.next().await.transpose();
    let ended = match first {
        Ok(Some(_)) if !route.method.is_server_streaming() => answer.next().await.transpose().map(drop),
        _ => Ok(()),
    };
    match (first, ended) {
        (Ok(first), Ok(())) => Ok(Begun { metadata, first, answer }),
        (Err(status), _) | (_, Err(status)) => Err(Refused { status, metadata }),
    }
}

/// Calls a service: the metadata of its answer, and the answer.
pub(super) async fn call(
    calls: Calls,
    grpc_path: &str,
    metadata: HeaderMap,
    frames: mpsc::Receiver<Result<Bytes, Status>>,
) -> Result<(HeaderMap, Answer), Refused> {
    let mut request = Request::new(tonic::body::Body::new(frames::Request(frames)));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata;
    *request.uri_mut() =
        grpc_path.parse().map_err(|_| Status::internal("the path of the service is no URI"))?;
    if let Some(shown) = calls.shown {
        request.extensions_mut().insert(shown);
    }
    let response: Response<Counted> = match calls.services.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, counted) = response.into_parts();
    match Status::from_header_map(&parts.headers) {
        Some(status) if status.code() != Code::Ok => Err(Refused { status, metadata: parts.headers }),
        _ => Ok((parts.headers, Answer::new(counted))),
    }
}

/// The answer of a call with one message.
fn whole(
    table: &Table,
    route: &Route,
    begun: Begun,
    wants_trailers: bool,
) -> Result<Response<Body>, Refused> {
    let Begun { metadata, first, answer } = begun;
    let Some(message) = first else {
        return Err(Refused { status: Status::internal("the service gave no answer"), metadata });
    };
    let mut text = String::with_capacity(message.len() * 2);
    if let Err(error) = table.renderer().message(&mut text, &route.output, &message) {
        return Err(Refused { status: error.into(), metadata });
    }
    let trailers = answer.trailers().filter(|_| wants_trailers).map(headers::from_trailing_metadata);
    let trailers = trailers.filter(|trailers| !trailers.is_empty());
    let mut response = with_text(&metadata, text);
    if let Some(trailers) = trailers {
        for name in trailers.keys() {
            response.headers_mut().append(TRAILER, HeaderValue::from(name.clone()));
        }
        if let Body::Whole { trailers: unsent, .. } = response.body_mut() {
            *unsent = Some(trailers);
        }
    }
    Ok(response)
}

/// The answer of a call with any number of messages.
fn lines(
    table: &Arc<Table>,
    route: &Route,
    begun: Begun,
    wants_trailers: bool,
    deadline: Option<Instant>,
) -> Result<Response<Body>, Refused> {
    let Begun { metadata, first, answer } = begun;
    let mut unsent = String::new();
    let written = first.iter().try_for_each(|first| body::line(table, &route.output, first, &mut unsent));
    if let Err(status) = written {
        return Err(Refused { status, metadata });
    }
    let lines = Lines {
        table: Arc::clone(table),
        output: route.output.clone(),
        answer,
        unsent,
        deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
        wants_trailers,
        state: State::Open,
    };
    let mut response = Response::new(Body::Lines(Box::new(lines)));
    *response.headers_mut() = headers::from_metadata(&metadata);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if wants_trailers {
        response.headers_mut().insert(TRAILER, STREAM_TRAILERS);
    }
    Ok(response)
}

/// JSON that is good.
fn with_text(metadata: &HeaderMap, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::text(text));
    if !metadata.is_empty() {
        *response.headers_mut() = headers::from_metadata(metadata);
    }
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An error, in the form of a stream where the answer would have been one.
fn error(table: &Table, refused: &Refused, is_streaming: bool) -> Response<Body> {
    let status = &refused.status;
    let text = if is_streaming { body::error_line(table, status) } else { status::json(table, status) };
    let mut response = Response::new(Body::text(text));
    *response.status_mut() = status::http_status(status.code());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if let Some(id) = refused.metadata.get(X_REQUEST_ID) {
        response.headers_mut().insert(X_REQUEST_ID, id.clone());
    }
    if status.code() == Code::Unauthenticated {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
