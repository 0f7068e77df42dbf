//! Preshared keys.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq as _};
use tonic::{Code, Status};

use crate::status::plain;

/// Services that anybody may ask: load balancers and tools have no key.
const OPEN_SERVICES: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];

/// Who may call.
pub(crate) enum Authentication {
    /// Everybody.
    Off,
    /// Whoever shows one of these.
    PresharedKeys(Vec<Vec<u8>>),
}

impl Authentication {
    /// Any of the keys opens everything; no key at all opens everything to everybody.
    pub(crate) fn new(keys: &[String]) -> Authentication {
        if keys.is_empty() {
            return Authentication::Off;
        }
        Authentication::PresharedKeys(keys.iter().map(|key| key.as_bytes().to_vec()).collect())
    }

    /// Checks the headers of a call to this path.
    pub(crate) fn check(&self, path: &str, headers: &HeaderMap) -> Result<(), Status> {
        let Authentication::PresharedKeys(keys) = self else { return Ok(()) };
        if OPEN_SERVICES.iter().any(|service| path.starts_with(service)) {
            return Ok(());
        }
        let Some(shown) = bearer(headers) else {
            let message = "the call carries no key: send the metadata `authorization: Bearer <key>`";
            return Err(plain(Code::Unauthenticated, message));
        };
        // All keys are compared, each in time that depends on its length only.
        let matched = keys.iter().fold(Choice::from(0), |matched, key| matched | key.as_slice().ct_eq(shown));
        if bool::from(matched) {
            Ok(())
        } else {
            Err(plain(Code::PermissionDenied, "the key is not valid here"))
        }
    }
}

/// The key of `authorization: Bearer <key>`; `None` when there is none or the header has another form.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let key = rest.trim_ascii();
    if key.is_empty() { None } else { Some(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";

    fn code(keys: &[&str], path: &str, header: Option<&str>) -> Code {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        Authentication::new(&keys).check(path, &headers).map_or_else(|status| status.code(), |()| Code::Ok)
    }

    #[test]
    fn any_of_the_keys_opens() {
        let keys = ["first", "second"];
        assert_eq!(code(&keys, CHECK, Some("Bearer first")), Code::Ok);
        assert_eq!(code(&keys, CHECK, Some("bearer second")), Code::Ok);
        assert_eq!(code(&keys, CHECK, Some("Bearer third")), Code::PermissionDenied);
        assert_eq!(code(&keys, CHECK, Some("Bearer firs")), Code::PermissionDenied);
        assert_eq!(code(&keys, CHECK, Some("Bearer firstt")), Code::PermissionDenied);
    }

    #[test]
    fn a_missing_or_malformed_key_is_no_wrong_key() {
        for header in [None, Some("Bearer"), Some("Bearer "), Some("first"), Some("Basic first"), Some("")] {
            assert_eq!(code(&["first"], CHECK, header), Code::Unauthenticated, "{header:?}");
        }
    }

    #[test]
    fn health_and_reflection_are_open_and_so_is_everything_without_keys() {
        assert_eq!(code(&["first"], "/grpc.health.v1.Health/Check", None), Code::Ok);
        assert_eq!(
            code(&["first"], "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", None),
            Code::Ok
        );
        assert_eq!(code(&["first"], "/made.up/Call", None), Code::Unauthenticated);
        assert_eq!(code(&[], CHECK, None), Code::Ok);
    }
}
