//! The one error of this crate.

use std::{collections::BTreeMap, fmt};

use pemba_proto::google::rpc;
use tonic::Code;
use tonic_types::{ErrorDetail, StatusExt as _};

/// What the name of every reason begins with on the wire.
const REASON_PREFIX: &str = "ERROR_REASON_";

/// A call that did not succeed: refused by the server, lost on the way, or malformed before it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    inner: Box<Inner>,
}

/// Boxed by [`Error`], so that every `Result` stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    message: String,
    reason: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Error {
    /// The gRPC status code.
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The reason for programs, such as `UNKNOWN_DEFINITION`: the name in `authzed.api.v1.ErrorReason` without its
    /// prefix. Absent when the server gave none.
    pub fn reason(&self) -> Option<&str> {
        self.inner.reason.as_deref()
    }

    /// What the reason is about, such as `definition_name`; empty when the server gave nothing.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.inner.metadata
    }

    /// An error of our own, without a reason.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Error {
        let inner = Inner { code, message: message.into(), reason: None, metadata: BTreeMap::new() };
        Error { inner: Box::new(inner) }
    }

    /// A request that cannot be put on the wire.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(Code::InvalidArgument, message)
    }

    /// An answer that breaks the wire interface.
    pub(crate) fn malformed_answer(message: impl fmt::Display) -> Error {
        Error::new(Code::Internal, format!("malformed answer from the server: {message}"))
    }

    fn with_info(mut self, info: Option<tonic_types::ErrorInfo>) -> Error {
        if let Some(info) = info {
            let name = info.reason.strip_prefix(REASON_PREFIX).unwrap_or(&info.reason);
            self.inner.reason = Some(name.to_owned());
            self.inner.metadata = info.metadata.into_iter().collect();
        }
        self
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Error {
        let info = status.get_details_error_info();
        Error::new(status.code(), status.message()).with_info(info)
    }
}

/// The error of one item in a bulk answer.
impl From<rpc::Status> for Error {
    fn from(status: rpc::Status) -> Error {
        let details = tonic_types::Status {
            code: status.code,
            message: status.message.clone(),
            details: status.details,
        };
        let info = tonic_types::RpcStatusExt::check_error_details_vec(&details)
            .unwrap_or_default()
            .into_iter()
            .find_map(|detail| if let ErrorDetail::ErrorInfo(info) = detail { Some(info) } else { None });
        Error::new(Code::from_i32(status.code), status.message).with_info(info)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { code, message, reason, .. } = &*self.inner;
        match reason {
            Some(reason) => write!(f, "{code:?} ({reason}): {message}"),
            None => write!(f, "{code:?}: {message}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn reason_loses_its_prefix_and_keeps_its_metadata() {
        let details = ErrorDetails::with_error_info(
            "ERROR_REASON_UNKNOWN_DEFINITION",
            "authzed.com",
            [("definition_name".to_owned(), "document".to_owned())],
        );
        let status = tonic::Status::with_error_details(Code::FailedPrecondition, "no `document`", details);
        let error = Error::from(status);
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert_eq!(error.reason(), Some("UNKNOWN_DEFINITION"));
        assert_eq!(error.metadata()["definition_name"], "document");
        assert_eq!(error.to_string(), "FailedPrecondition (UNKNOWN_DEFINITION): no `document`");
    }

    #[test]
    fn a_bulk_item_has_its_reason_too() {
        let info = tonic_types::pb::ErrorInfo {
            reason: "ERROR_REASON_WILDCARD_NOT_ALLOWED".into(),
            domain: "authzed.com".into(),
            metadata: [("field".to_owned(), "subject.object_id".to_owned())].into(),
        };
        let detail = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(),
            value: prost::Message::encode_to_vec(&info),
        };
        let error = Error::from(rpc::Status { code: 3, message: "no".into(), details: vec![detail] });
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.reason(), Some("WILDCARD_NOT_ALLOWED"));
        assert_eq!(error.metadata()["field"], "subject.object_id");
    }

    #[test]
    fn no_details_is_no_reason() {
        let error = Error::from(tonic::Status::unauthenticated("who"));
        assert_eq!((error.reason(), error.metadata().len()), (None, 0));
        assert_eq!(error.to_string(), "Unauthenticated: who");
    }
}
