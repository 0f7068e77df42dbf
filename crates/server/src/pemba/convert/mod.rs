//! Between the messages of `pemba.v1` and the nouns of agents. What is wrong with a request is told with the path of its
//! field.

mod agents;
mod approvals;
mod break_glass;
mod delegations;
mod policies;
mod scope;
mod sessions;

pub(crate) use agents::{
    agent_to_wire, change_to_wire, human, human_to_wire, not_live, registration, status_to_wire,
};
pub(crate) use approvals::{
    approval_policy, approval_policy_to_wire, approval_state, approval_to_wire, ask_approval,
    ask_grant_approval, cast_vote,
};
pub(crate) use break_glass::{
    break_glass, break_glass_policy, break_glass_policy_to_wire, broken_glass_to_wire, review_glass,
};
pub(crate) use delegations::{delegate, delegation_to_wire, renew};
pub(crate) use policies::{
    grant_policy, grant_policy_to_wire, kill_to_wire, labels_to_wire, throw, type_policy, type_policy_to_wire,
};
pub(crate) use scope::{scope, scope_to_wire};
pub(crate) use sessions::{grant, open_session, session_to_wire};

use pemba_agents::chain::Claim;
use pemba_agents::id::InvalidId;
use pemba_agents::records::{Ended, SessionBinding};
use pemba_agents::{ApprovalId, DelegationId, Reason, Refused, SessionId};
use pemba_model::{Context, ObjectRef, Relationship, SmolStr, SubjectRef, Timestamp, names};
use pemba_proto::authzed::api::v1 as authzed;
use pemba_proto::pemba::v1 as wire;

use crate::convert;
use crate::validate::{Invalid, Path};

/// A part of a request, or what is wrong with it.
pub(crate) type Read<T> = Result<T, Refused>;

/// The value at `path` is wrong.
pub(crate) fn invalid(path: Path<'_>, message: impl Into<String>) -> Refused {
    Refused::new(Reason::InvalidValue, path.to_string(), message)
}

/// The value at `path` must be given.
pub(crate) fn missing(path: Path<'_>) -> Refused {
    Refused::new(Reason::MissingValue, path.to_string(), "a value is required")
}

fn of_invalid(error: Invalid) -> Refused {
    let first = *error.first;
    Refused::new(Reason::InvalidValue, first.field, first.description)
}

/// An object that must be given.
pub(crate) fn object(path: Path<'_>, object: Option<&authzed::ObjectReference>) -> Read<ObjectRef> {
    optional_object(path, object)?.ok_or_else(|| missing(path))
}

/// An object, if one is given.
pub(crate) fn optional_object(
    path: Path<'_>,
    object: Option<&authzed::ObjectReference>,
) -> Read<Option<ObjectRef>> {
    let Some(object) = object else { return Ok(None) };
    names::check_object_type(&object.object_type)
        .map_err(|error| invalid(path.field("object_type"), error.to_string()))?;
    names::check_object_id(&object.object_id)
        .map_err(|error| invalid(path.field("object_id"), error.to_string()))?;
    Ok(Some(ObjectRef::new(object.object_type.as_str(), object.object_id.as_str())))
}

/// A list of objects, the field `name` of the message at `path`.
pub(crate) fn objects(
    path: Path<'_>,
    name: &'static str,
    objects: &[authzed::ObjectReference],
) -> Read<Vec<ObjectRef>> {
    objects.iter().enumerate().map(|(at, one)| object(path.item(name, at), Some(one))).collect()
}

/// A subject that must be given.
pub(crate) fn subject(path: Path<'_>, subject: Option<&authzed::SubjectReference>) -> Read<SubjectRef> {
    let subject = subject.ok_or_else(|| missing(path))?;
    let object = object(path.field("object"), subject.object.as_ref())?;
    let relation = convert::optional(&subject.optional_relation);
    if let Some(relation) = &relation {
        names::check_relation(relation)
            .map_err(|error| invalid(path.field("optional_relation"), error.to_string()))?;
    }
    Ok(SubjectRef { object, relation })
}

/// A name that must be given.
pub(crate) fn name(path: Path<'_>, text: &str) -> Read<SmolStr> {
    convert::optional(text).ok_or_else(|| missing(path))
}

/// Relationships, the field `name` of the request.
pub(crate) fn relationships(
    name: &'static str,
    relationships: &[authzed::Relationship],
) -> Read<Vec<Relationship>> {
    let read = |(at, one)| convert::relationship(Path::Root.item(name, at), one).map_err(of_invalid);
    relationships.iter().enumerate().map(read).collect()
}

/// A relationship that must be given.
pub(crate) fn relationship(
    path: Path<'_>,
    relationship: Option<&authzed::Relationship>,
) -> Read<Relationship> {
    let relationship = relationship.ok_or_else(|| missing(path))?;
    convert::relationship(path, relationship).map_err(of_invalid)
}

/// Values for caveats.
pub(crate) fn context(path: Path<'_>, context: Option<&prost_types::Struct>) -> Read<Option<Context>> {
    convert::optional_context(path, context).map_err(of_invalid)
}

/// An instant, if one is given.
pub(crate) fn optional_timestamp(
    path: Path<'_>,
    instant: Option<&prost_types::Timestamp>,
) -> Read<Option<Timestamp>> {
    instant.map(|instant| convert::timestamp(path, *instant).map_err(of_invalid)).transpose()
}

/// A time that is not negative, in whole milliseconds.
pub(crate) fn millis(path: Path<'_>, duration: &prost_types::Duration) -> Read<u64> {
    let (seconds, nanos) = (u64::try_from(duration.seconds).ok(), u64::try_from(duration.nanos).ok());
    let ms = seconds.zip(nanos).filter(|(_, nanos)| *nanos < 1_000_000_000);
    ms.and_then(|(seconds, nanos)| seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000))
        .filter(|ms| i64::try_from(*ms).is_ok())
        .ok_or_else(|| {
            let (seconds, nanos) = (duration.seconds, duration.nanos);
            invalid(path, format!("{seconds} seconds and {nanos} nanoseconds are no time to wait"))
        })
}

/// A time that is not negative, in whole milliseconds, if one is given.
pub(crate) fn optional_millis(path: Path<'_>, duration: Option<&prost_types::Duration>) -> Read<Option<u64>> {
    duration.map(|duration| millis(path, duration)).transpose()
}

/// The wire form of milliseconds.
pub(crate) fn millis_to_wire(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms % 1000).unwrap_or_default() * 1_000_000,
    }
}

/// The value of an enum, which must not be the unspecified one.
pub(crate) fn defined<E: TryFrom<i32>>(path: Path<'_>, number: i32) -> Read<E> {
    if number == 0 {
        return Err(missing(path));
    }
    E::try_from(number).map_err(|_| invalid(path, format!("`{number}` is not one of the defined values")))
}

/// An id of a record, if one is given.
fn optional_id<I>(path: Path<'_>, text: &str, parse: fn(&str) -> Result<I, InvalidId>) -> Read<Option<I>> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|error| invalid(path, error.to_string()))
}

/// A delegation's id, if one is given.
pub(crate) fn optional_delegation_id(path: Path<'_>, text: &str) -> Read<Option<DelegationId>> {
    optional_id(path, text, DelegationId::parse)
}

/// A delegation's id.
pub(crate) fn delegation_id(path: Path<'_>, text: &str) -> Read<DelegationId> {
    optional_delegation_id(path, text)?.ok_or_else(|| missing(path))
}

/// A session's id, if one is given.
pub(crate) fn optional_session_id(path: Path<'_>, text: &str) -> Read<Option<SessionId>> {
    optional_id(path, text, SessionId::parse)
}

/// A session's id.
pub(crate) fn session_id(path: Path<'_>, text: &str) -> Read<SessionId> {
    optional_session_id(path, text)?.ok_or_else(|| missing(path))
}

/// An approval's id, if one is given.
pub(crate) fn optional_approval_id(path: Path<'_>, text: &str) -> Read<Option<ApprovalId>> {
    optional_id(path, text, ApprovalId::parse)
}

/// An approval's id.
pub(crate) fn approval_id(path: Path<'_>, text: &str) -> Read<ApprovalId> {
    optional_approval_id(path, text)?.ok_or_else(|| missing(path))
}

/// On whose authority a request acts; `path` is that of the chain.
pub(crate) fn claim(path: Path<'_>, chain: Option<&wire::Chain>) -> Read<Claim> {
    let chain = chain.ok_or_else(|| missing(path))?;
    Ok(Claim {
        root: optional_object(path.field("root"), chain.root.as_ref())?,
        actors: objects(path, "actors", &chain.actors)?,
        either_end: None,
        delegation: optional_delegation_id(path.field("delegation_id"), &chain.delegation_id)?,
        session: optional_session_id(path.field("session_id"), &chain.session_id)?,
        approval: optional_approval_id(path.field("approval_id"), &chain.approval_id)?,
    })
}

/// To whom something belongs; the caller's own binding where nothing is said.
pub(crate) fn binding(
    path: Path<'_>,
    binding: Option<wire::Binding>,
    own: impl FnOnce() -> SessionBinding,
) -> Read<SessionBinding> {
    match binding.map(|binding| binding.binding) {
        None => Ok(own()),
        Some(None) => Err(missing(path)),
        Some(Some(wire::binding::Binding::Client(name))) => Ok(SessionBinding::Client(name.into())),
        Some(Some(wire::binding::Binding::Thumbprint(text))) => Ok(SessionBinding::Thumbprint(text.into())),
    }
}

/// The wire form of a binding.
pub(crate) fn binding_to_wire(binding: &SessionBinding) -> wire::Binding {
    let binding = match binding {
        SessionBinding::Client(name) => wire::binding::Binding::Client(name.to_string()),
        SessionBinding::Thumbprint(text) => wire::binding::Binding::Thumbprint(text.to_string()),
    };
    wire::Binding { binding: Some(binding) }
}

/// The wire form of an end.
pub(crate) fn ended_to_wire(ended: &Ended) -> wire::Ended {
    wire::Ended {
        at: Some(convert::timestamp_to_wire(ended.at)),
        by: ended.by.to_string(),
        reason: ended.reason.clone(),
    }
}

/// The text of a name that may be absent.
pub(crate) fn text(name: Option<&SmolStr>) -> String {
    name.map(SmolStr::to_string).unwrap_or_default()
}

/// The texts of names.
pub(crate) fn texts<'a>(names: impl IntoIterator<Item = &'a SmolStr>) -> Vec<String> {
    names.into_iter().map(SmolStr::to_string).collect()
}

/// Names as a set.
pub(crate) fn names_of<C: FromIterator<SmolStr>>(texts: Vec<String>) -> C {
    texts.into_iter().map(SmolStr::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_milliseconds_and_come_back() {
        let path = Path::Root;
        let duration = |seconds, nanos| prost_types::Duration { seconds, nanos };
        assert_eq!(millis(path, &duration(2, 5_999_999)), Ok(2005));
        assert_eq!(millis(path, &millis_to_wire(1_234_567)), Ok(1_234_567));
        for wrong in [duration(-1, 0), duration(0, -1), duration(0, 1_000_000_000), duration(i64::MAX, 0)] {
            assert_eq!(
                millis(path.field("idle"), &wrong).map_err(|refused| refused.field),
                Err("idle".into())
            );
        }
    }

    #[test]
    fn a_chain_is_read_with_the_places_of_what_is_wrong() {
        let root = Path::Root;
        let path = root.field("chain");
        let good = wire::Chain {
            delegation_id: DelegationId(1).to_string(),
            session_id: SessionId(2).to_string(),
            approval_id: ApprovalId(3).to_string(),
            ..wire::Chain::default()
        };
        let read = claim(path, Some(&good)).unwrap();
        assert_eq!((read.delegation, read.session), (Some(DelegationId(1)), Some(SessionId(2))));
        let wrong = wire::Chain { session_id: good.delegation_id.clone(), ..good.clone() };
        assert_eq!(claim(path, Some(&wrong)).unwrap_err().field, "chain.session_id");
        let actors = vec![authzed::ObjectReference { object_type: "agent".into(), object_id: "*".into() }];
        let wrong = wire::Chain { actors, ..good };
        assert_eq!(claim(path, Some(&wrong)).unwrap_err().field, "chain.actors[0].object_id");
        assert_eq!(claim(path, None).unwrap_err().reason, Reason::MissingValue);
    }
}
