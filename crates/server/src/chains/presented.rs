//! What a call presents in its metadata: the delegation, session or approval by which it acts.

use http::HeaderMap;
use pemba_agents::chain::Claim;
use pemba_agents::{ApprovalId, DelegationId, Reason, Refused, SessionId};
use pemba_model::ObjectRef;

/// How the names of all our own metadata begin.
const PREFIX: &str = "pemba-";
/// The last hop of the chain.
const DELEGATION: &str = "pemba-delegation";
/// The session.
const SESSION: &str = "pemba-session";
/// The approval.
const APPROVAL: &str = "pemba-approval";
/// Calls that answer for what is presented.
const CALLS: [&str; 5] = [
    "/authzed.api.v1.PermissionsService/CheckPermission",
    "/authzed.api.v1.PermissionsService/CheckBulkPermissions",
    "/authzed.api.v1.PermissionsService/LookupResources",
    "/authzed.api.v1.PermissionsService/LookupSubjects",
    "/authzed.api.v1.ExperimentalService/BulkCheckPermission",
];
/// The call that takes other metadata of ours, and what it takes; it reads the values itself.
const WATCH: &str = "/authzed.api.v1.WatchService/Watch";
const WATCH_KEYS: [&str; 2] = ["pemba-watch-from", "pemba-watch-expirations"];

/// What a call presents; beside the request once the front has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Presented {
    pub(crate) delegation: Option<DelegationId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) approval: Option<ApprovalId>,
}

impl Presented {
    /// All of it, for what must be the same on every page of a call.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let ids = [
            self.delegation.map(|id| id.to_string()),
            self.session.map(|id| id.to_string()),
            self.approval.map(|id| id.to_string()),
        ];
        ids.into_iter().flatten().collect::<String>().into_bytes()
    }

    /// The claim of a call that names nobody.
    pub(crate) fn whole_claim(&self) -> Claim {
        let Presented { delegation, session, approval } = *self;
        Claim { delegation, session, approval, ..Claim::default() }
    }

    /// The claim of a call whose subject is the root of the chain or who acts.
    pub(crate) fn claim(&self, subject: ObjectRef) -> Claim {
        Claim { either_end: Some(subject), ..self.whole_claim() }
    }
}

/// Reads the metadata of a call to this path: `None` when it presents nothing. Metadata of ours that the call cannot
/// honour, that nobody knows, or that comes twice is refused, never ignored.
pub(crate) fn presented(path: &str, headers: &HeaderMap) -> Result<Option<Presented>, Refused> {
    let mut presented = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.starts_with(PREFIX) || (path == WATCH && WATCH_KEYS.contains(&name)) {
            continue;
        }
        let is_known = [DELEGATION, SESSION, APPROVAL].contains(&name);
        if !is_known || !CALLS.contains(&path) {
            let message = if is_known || WATCH_KEYS.contains(&name) {
                format!("`{path}` does not take this metadata")
            } else {
                "no call takes this metadata".to_owned()
            };
            return Err(refused(name, message));
        }
        let value = value.to_str().map_err(|_| refused(name, "it is no text".to_owned()))?;
        take(presented.get_or_insert_default(), name, value)?;
    }
    Ok(presented)
}

fn take(presented: &mut Presented, name: &str, value: &str) -> Result<(), Refused> {
    let is_repeated = match name {
        DELEGATION => presented.delegation.replace(read(name, DelegationId::parse(value))?).is_some(),
        SESSION => presented.session.replace(read(name, SessionId::parse(value))?).is_some(),
        _ => presented.approval.replace(read(name, ApprovalId::parse(value))?).is_some(),
    };
    if is_repeated { Err(refused(name, "it is given twice".to_owned())) } else { Ok(()) }
}

fn read<T>(name: &str, read: Result<T, pemba_agents::id::InvalidId>) -> Result<T, Refused> {
    read.map_err(|error| refused(name, error.to_string()))
}

fn refused(name: &str, message: String) -> Refused {
    Refused::new(Reason::InvalidValue, format!("metadata.{name}"), message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const CHECK: &str = CALLS[0];
    const DLG: &str = "dlg_000000000000000000000000000000ab";
    const SES: &str = "ses_000000000000000000000000000000ab";

    fn read(path: &str, metadata: &[(&'static str, &str)]) -> Result<Option<Presented>, String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("1"));
        for (name, value) in metadata {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        presented(path, &headers).map_err(|refused| refused.field)
    }

    #[test]
    fn what_is_presented_is_read() {
        assert_eq!(read(CHECK, &[]), Ok(None));
        let both = read(CHECK, &[(DELEGATION, DLG), (SESSION, SES)]).unwrap().unwrap();
        assert_eq!(both.delegation, Some(DelegationId(0xab)));
        assert_eq!(both.session, Some(SessionId(0xab)));
        assert_eq!(both.approval, None);
        assert_eq!(read(WATCH, &[("pemba-watch-from", "beginning")]), Ok(None));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);
        let cases: [Case<'_>; 9] = [
            (CHECK, &[(DELEGATION, "")], DELEGATION),
            (CHECK, &[(DELEGATION, "dlg_ab")], DELEGATION),
            (CHECK, &[(SESSION, DLG)], SESSION),
            (CHECK, &[(DELEGATION, DLG), (DELEGATION, DLG)], DELEGATION),
            (CHECK, &[("pemba-delegations", DLG)], "pemba-delegations"),
            (CHECK, &[("pemba-delegation-bin", "AA")], "pemba-delegation-bin"),
            (CHECK, &[("pemba-watch-from", "beginning")], "pemba-watch-from"),
            (WATCH, &[(SESSION, SES)], SESSION),
            ("/grpc.health.v1.Health/Check", &[(APPROVAL, "apr_1")], APPROVAL),
        ];
        for (path, metadata, field) in cases {
            assert_eq!(read(path, metadata), Err(format!("metadata.{field}")), "{path} {metadata:?}");
        }
    }
}
