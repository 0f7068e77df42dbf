//! Errors as HTTP has them: the status of each gRPC code, and the JSON of `google.rpc.Status`.

use http::StatusCode;
use prost::Message as _;
use tonic::{Code, Status};

use super::render::Unwritable;
use super::table::Table;
use crate::status::to_wire;

/// "The client closed the request", which has no name in HTTP.
const CLIENT_CLOSED: u16 = 499;

/// The HTTP status of a gRPC code.
pub(super) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::REQUEST_TIMEOUT),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `{"code":..,"message":..,"details":[..]}`, each detail with its `@type`.
pub(super) fn json(table: &Table, status: &Status) -> String {
    let mut wire = to_wire(status);
    // Details may repeat code and message; the status is what counts.
    wire.code = status.code().into();
    status.message().clone_into(&mut wire.message);
    let mut out = String::new();
    match table.renderer().message(&mut out, &table.status, &wire.encode_to_vec()) {
        Ok(()) => out,
        // Only a detail can fail to be written.
        Err(_) => {
            wire.details.clear();
            out.clear();
            let written = table.renderer().message(&mut out, &table.status, &wire.encode_to_vec());
            debug_assert!(written.is_ok());
            out
        }
    }
}

impl From<Unwritable> for Status {
    fn from(error: Unwritable) -> Status {
        Status::internal(error.to_string())
    }
}
