//! Headers as gRPC metadata, both ways.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Code, Status};

use crate::deadline::{self, TIMEOUT};
use crate::front::X_REQUEST_ID;
use crate::status::plain;

/// Before the name of metadata, in requests and answers.
const METADATA_PREFIX: &str = "grpc-metadata-";
/// Before the name of metadata that means something here, which is never left out.
const OWN_PREFIX: &str = "pemba-";
/// Before the name of trailing metadata.
const TRAILER_PREFIX: &str = "grpc-trailer-";
/// Metadata of the connection or of the framing, which a caller cannot set.
const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The metadata of a call: the key, the request id, what it presents, and everything under `Grpc-Metadata-`.
pub(super) fn metadata(headers: &HeaderMap) -> Result<HeaderMap, Status> {
    let mut metadata = HeaderMap::new();
    for name in [AUTHORIZATION, X_REQUEST_ID] {
        for value in headers.get_all(&name) {
            metadata.append(name.clone(), value.clone());
        }
    }
    for (name, value) in headers {
        if name.as_str().starts_with(OWN_PREFIX) {
            metadata.append(name.clone(), value.clone());
            continue;
        }
        let Some(stripped) = name.as_str().strip_prefix(METADATA_PREFIX) else { continue };
        if stripped.starts_with("grpc-") || RESERVED.contains(&stripped) {
            continue;
        }
        let Ok(stripped) = HeaderName::try_from(stripped) else { continue };
        if stripped.as_str().ends_with("-bin") && !is_base64(value) {
            let message =
                format!("the header `{name}` is not base64, which a name ending in `-bin` asks for");
            return Err(plain(Code::InvalidArgument, message));
        }
        metadata.append(stripped, value.clone());
    }
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    metadata.insert(TE, HeaderValue::from_static("trailers"));
    Ok(metadata)
}

fn is_base64(value: &HeaderValue) -> bool {
    STANDARD.decode(value).is_ok() || STANDARD_NO_PAD.decode(value).is_ok()
}

/// How long the call may take; `None` for as long as the server lets it.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(deadline::parse);
    parsed.map(Some).ok_or_else(|| {
        let given = String::from_utf8_lossy(value.as_bytes());
        let message = format!(
            "invalid `grpc-timeout`: `{given}` is not a number followed by a unit: H, M, S, m, u or n, for hours, \
             minutes, seconds, milli-, micro- or nanoseconds"
        );
        plain(Code::InvalidArgument, message)
    })
}

/// Whether the caller takes trailers.
pub(super) fn wants_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers")))
}

/// The headers of an answer from its metadata.
pub(super) fn from_metadata(metadata: &HeaderMap) -> HeaderMap {
    let mut headers = prefixed(metadata, METADATA_PREFIX);
    if let Some(id) = metadata.get(X_REQUEST_ID) {
        headers.insert(X_REQUEST_ID, id.clone());
        headers.remove(format!("{METADATA_PREFIX}{X_REQUEST_ID}"));
    }
    let name = HeaderName::from_static("grpc-metadata-content-type");
    headers.insert(name, HeaderValue::from_static("application/grpc"));
    headers
}

/// The trailers of an answer from its trailing metadata.
pub(super) fn from_trailing_metadata(metadata: &HeaderMap) -> HeaderMap {
    prefixed(metadata, TRAILER_PREFIX)
}

fn prefixed(metadata: &HeaderMap, prefix: &str) -> HeaderMap {
    let own = metadata.iter().filter(|(name, _)| {
        let name = name.as_str();
        !name.starts_with("grpc-") && !RESERVED.contains(&name) && name != "date" && name != "trailer"
    });
    own.filter_map(|(name, value)| {
        Some((HeaderName::try_from(format!("{prefix}{name}")).ok()?, value.clone()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_key_the_id_and_prefixed_headers_become_metadata() {
        let given = headers(&[
            ("authorization", "Bearer a"),
            ("x-request-id", "mine"),
            ("cookie", "secret"),
            ("grpc-metadata-io.spicedb.requestversion", "true"),
            ("grpc-metadata-x-bin", "AQI"),
            ("grpc-metadata-grpc-timeout", "1n"),
            ("grpc-metadata-grpc-encoding", "gzip"),
            ("grpc-metadata-content-type", "text/plain"),
            ("grpc-metadata-te", "gzip"),
        ]);
        let read = metadata(&given).unwrap();
        let mut names: Vec<&str> = read.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["authorization", "content-type", "io.spicedb.requestversion", "te", "x-bin", "x-request-id"]
        );
        assert_eq!(read["content-type"], "application/grpc");
        assert_eq!(read["te"], "trailers");
        let error = metadata(&headers(&[("grpc-metadata-x-bin", "!!")])).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("`grpc-metadata-x-bin`"));
    }

    #[test]
    fn a_timeout_is_a_number_and_a_unit() {
        let read = |text: &'static str| timeout(&headers(&[("grpc-timeout", text)]));
        assert_eq!(read("2S").unwrap(), Some(Duration::from_secs(2)));
        assert_eq!(read("90M").unwrap(), Some(Duration::from_secs(5400)));
        assert_eq!(read("1H").unwrap(), Some(Duration::from_secs(3600)));
        assert_eq!(read("500m").unwrap(), Some(Duration::from_millis(500)));
        assert_eq!(read("1u").unwrap(), Some(Duration::from_micros(1)));
        assert_eq!(read("0n").unwrap(), Some(Duration::ZERO));
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "bogus", "99999999999999999999S"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains(&format!("`{text}`")), "{error:?}");
        }
    }

    #[test]
    fn metadata_of_an_answer_is_prefixed_except_the_request_id() {
        let given = headers(&[
            ("x-request-id", "mine"),
            ("content-type", "application/grpc"),
            ("io.spicedb.debug.version", "1"),
            ("grpc-status", "0"),
        ]);
        let written = from_metadata(&given);
        assert_eq!(written.len(), 3);
        assert_eq!(written["x-request-id"], "mine");
        assert_eq!(written["grpc-metadata-content-type"], "application/grpc");
        assert_eq!(written["grpc-metadata-io.spicedb.debug.version"], "1");
        let trailing = from_trailing_metadata(&given);
        assert_eq!(trailing.len(), 2);
        assert_eq!(trailing["grpc-trailer-io.spicedb.debug.version"], "1");
    }

    #[test]
    fn trailers_are_asked_for_by_te() {
        assert!(wants_trailers(&headers(&[("te", "gzip, Trailers")])));
        assert!(!wants_trailers(&headers(&[("te", "gzip")])));
        assert!(!wants_trailers(&HeaderMap::new()));
    }
}
