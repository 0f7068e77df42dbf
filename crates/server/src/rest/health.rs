//! `/healthz`: what the health service says, as an HTTP status.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue, TE};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::call::{Calls, Refused, call};
use super::frames;
use crate::status::plain;

/// The body while all is well.
pub(super) const SERVING: &str = "{\"status\":\"SERVING\"}";
const CHECK_PATH: &str = "/grpc.health.v1.Health/Check";

/// Asks for the whole server, or for the service of the query `service=<name>`. An error when it does not serve.
pub(super) async fn check(calls: Calls, query: Option<&str>) -> Result<(), Refused> {
    let service = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("service="));
    let service = service.unwrap_or_default();
    let service = percent_encoding::percent_decode_str(service).decode_utf8_lossy().into_owned();
    let mut metadata = HeaderMap::new();
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    metadata.insert(TE, HeaderValue::from_static("trailers"));
    let (sender, receiver) = mpsc::channel(1);
    let frame = frames::frame(&HealthCheckRequest { service }.encode_to_vec());
    // The other end is still here.
    let _ = sender.send(frame).await;
    drop(sender);
    let (_, mut answer) = call(calls, CHECK_PATH, metadata, receiver).await?;
    let message =
        answer.next().await.unwrap_or_else(|| Err(Status::internal("the service gave no answer")))?;
    let response =
        HealthCheckResponse::decode(message).map_err(|error| Status::internal(error.to_string()))?;
    match response.status() {
        ServingStatus::Serving => Ok(()),
        status => Err(plain(Code::Unavailable, format!("status:{}", status.as_str_name())).into()),
    }
}
