//! A gRPC status with the details that clients of `authzed.api.v1` read.

use std::time::Duration;

use pemba_proto::authzed::api::v1::ErrorReason;
use pemba_proto::buf::validate::Violations;
use pemba_proto::google::rpc;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

use crate::validate::{Fault, Invalid};

/// The domain of a `google.rpc.ErrorInfo` whose reason is one of `authzed.api.v1`.
pub(crate) const DOMAIN: &str = "authzed.com";
/// The domain of reasons that only Pemba has.
pub(crate) const OWN_DOMAIN: &str = "pemba";
/// The name in the metadata of an error under which clients look for the trace of a check that has no answer.
pub(crate) const TRACE_KEY: &str = "debug_trace_proto_text";
/// Longest message or metadata value: details travel in HTTP headers, whose size clients bound.
pub(crate) const TEXT_MAX_BYTES: usize = 2560;

/// A status with an `ErrorInfo`.
pub(crate) fn with_reason<'a>(
    code: Code,
    reason: ErrorReason,
    message: impl Into<String>,
    metadata: impl IntoIterator<Item = (&'a str, String)>,
) -> Status {
    with_info(code, (DOMAIN, reason.as_str_name()), message, metadata)
}

/// A status with a reason that only Pemba has.
pub(crate) fn with_own_reason<'a>(
    code: Code,
    reason: &'static str,
    message: impl Into<String>,
    metadata: impl IntoIterator<Item = (&'a str, String)>,
) -> Status {
    with_info(code, (OWN_DOMAIN, reason), message, metadata)
}

fn with_info<'a>(
    code: Code,
    (domain, reason): (&'static str, &'static str),
    message: impl Into<String>,
    metadata: impl IntoIterator<Item = (&'a str, String)>,
) -> Status {
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), cut(value)));
    let details = ErrorDetails::with_error_info(
        reason,
        domain,
        metadata.collect::<std::collections::HashMap<String, String>>(),
    );
    Status::with_error_details(code, cut(message.into()), details)
}

/// A status about one field, with a reason that only Pemba has: the field is named in the `ErrorInfo` and in a
/// `BadRequest`.
pub(crate) fn with_own_field(code: Code, reason: &'static str, field: &str, message: &str) -> Status {
    // The message travels twice.
    let (field, message) = (cut_to(field.to_owned(), 256), cut_to(message.to_owned(), TEXT_MAX_BYTES / 2));
    let metadata = std::collections::HashMap::from([("field".to_owned(), field.clone())]);
    let text = format!("`{field}`: {message}");
    let mut details = ErrorDetails::with_error_info(reason, OWN_DOMAIN, metadata);
    details.add_bad_request_violation(field, message);
    Status::with_error_details(code, text, details)
}

/// The same status, with one more value in the metadata of its `ErrorInfo` if it has one.
pub(crate) fn with_metadata(status: &Status, key: &str, value: String) -> Status {
    let mut details = status.get_error_details();
    if let Some(mut info) = details.error_info().cloned() {
        info.metadata.insert(key.to_owned(), cut(value));
        details.set_error_info(info.reason, info.domain, info.metadata);
    }
    Status::with_error_details(status.code(), status.message(), details)
}

/// Whether a question had no answer within the work that a query may take.
pub(crate) fn is_unanswered(status: &Status) -> bool {
    let reason = ErrorReason::MaximumDepthExceeded.as_str_name();
    status.get_details_error_info().is_some_and(|info| info.reason == reason && info.domain == DOMAIN)
}

/// Pause after which a caller may find room where there was none.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// RESOURCE_EXHAUSTED because too much is in progress: with a `RetryInfo`, since nothing is wrong with the request.
pub(crate) fn overloaded(message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::ResourceExhausted, cut(message.into()), details)
}

/// A status without details.
pub(crate) fn plain(code: Code, message: impl Into<String>) -> Status {
    Status::new(code, cut(message.into()))
}

/// Text cut to what a header may hold, with a mark where it was cut.
fn cut(text: String) -> String {
    cut_to(text, TEXT_MAX_BYTES)
}

fn cut_to(mut text: String, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text;
    }
    let end = (0..=max_bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text.push('…');
    text
}

/// The same error as the message that bulk answers carry.
pub(crate) fn to_wire(status: &Status) -> rpc::Status {
    match rpc::Status::decode(status.details()) {
        Ok(decoded) if !status.details().is_empty() => decoded,
        _ => rpc::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        },
    }
}

/// Bytes that a status may spend on the rules that are broken, and on the same for clients that know `BadRequest`. With
/// the message they stay well below the 8 KiB of headers that clients take.
const VIOLATIONS_MAX_BYTES: usize = 2560;
const BAD_REQUEST_MAX_BYTES: usize = 1280;
/// Bytes of the message about several faults.
const FAULTS_TEXT_MAX_BYTES: usize = 512;

impl From<Invalid> for Status {
    /// Every fault, in both forms, as far as there is room; the message says how many there are.
    fn from(invalid: Invalid) -> Status {
        let message = faults_text(&invalid);
        let faults = || std::iter::once(&*invalid.first).chain(&invalid.others);
        let violations = Violations {
            violations: fitting(faults().filter_map(|fault| fault.violation.clone()), VIOLATIONS_MAX_BYTES),
        };
        let bad_request = pb::BadRequest {
            field_violations: fitting(
                faults().map(|fault| pb::bad_request::FieldViolation {
                    field: fault.field.clone(),
                    description: cut(fault.description.clone()),
                    ..Default::default()
                }),
                BAD_REQUEST_MAX_BYTES,
            ),
        };
        let mut details = vec![any("google.rpc.BadRequest", &bad_request)];
        if !violations.violations.is_empty() {
            details.insert(0, any("buf.validate.Violations", &violations));
        }
        let code = Code::InvalidArgument;
        let wire = rpc::Status { code: code.into(), message: message.clone(), details };
        Status::with_details(code, message, wire.encode_to_vec().into())
    }
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// As many from the start as have room, at least one.
fn fitting<M: Message>(messages: impl Iterator<Item = M>, max_bytes: usize) -> Vec<M> {
    let mut size = 0;
    let mut is_first = true;
    messages
        .take_while(|message| {
            size += message.encoded_len();
            std::mem::take(&mut is_first) || size <= max_bytes
        })
        .collect()
}

/// Every fault in words, up to where there is no more room, and the count of the rest.
fn faults_text(invalid: &Invalid) -> String {
    let Fault { field, description, .. } = &*invalid.first;
    let mut text = cut(format!("invalid `{field}`: {description}"));
    let mut left = invalid.others.len() + invalid.unnamed;
    for Fault { field, description, .. } in &invalid.others {
        let next = format!("; `{field}`: {description}");
        if text.len() + next.len() > FAULTS_TEXT_MAX_BYTES {
            break;
        }
        text.push_str(&next);
        left -= 1;
    }
    if left > 0 {
        text.push_str(&format!("; and {left} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_the_way_into_a_bulk_answer() {
        let status =
            with_reason(Code::InvalidArgument, ErrorReason::InvalidFilter, "no", [("filter", "x".into())]);
        let wire = to_wire(&status);
        assert_eq!((wire.code, wire.message.as_str(), wire.details.len()), (3, "no", 1));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("ERROR_REASON_INVALID_FILTER", DOMAIN));
        let wire = to_wire(&plain(Code::Aborted, "why"));
        assert_eq!((wire.code, wire.message.as_str(), wire.details.len()), (10, "why", 0));
    }

    #[test]
    fn whoever_finds_no_room_is_told_when_to_come_again() {
        let status = overloaded("full");
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "full"));
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(RETRY_AFTER));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = cut("é".repeat(TEXT_MAX_BYTES));
        assert!(text.len() <= TEXT_MAX_BYTES + 3);
        assert!(text.ends_with('…'));
    }
}
