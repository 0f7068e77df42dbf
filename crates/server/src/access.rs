//! Whether a call lies within what its client may do: the one place where services ask. The rules are those of
//! `pemba_agents::client`; a refusal is PERMISSION_DENIED and nothing was done.

use std::sync::Arc;

use pemba_agents::chain::Chain;
use pemba_agents::client::{Client, Refused, Scope, Verb};
use pemba_db::{Database, Delete, WatchRequest, Write};
use pemba_model::{ObjectRef, Precondition, Relationship, RelationshipFilter, SubjectRef};
use tonic::{Code, Request, Status};

use crate::errors;
use crate::status::plain;
use crate::validate::Path;

/// Fine, or the status that the caller is told.
type Allowed = Result<(), Status>;

/// The client that calls, which the front has put beside the request, and the message.
pub(crate) fn caller<M>(request: Request<M>) -> Result<(Arc<Client>, M), Status> {
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Arc<Client>>() {
        Some(client) => Ok((client, message)),
        None => Err(plain(Code::Internal, "the call has no client")),
    }
}

/// A check at `at` of the request; `is_explained` when the answer says how it came about.
pub(crate) fn check(
    client: &Client,
    at: Path<'_>,
    (resource_type, permission): (&str, &str),
    subject: &SubjectRef,
    is_explained: bool,
) -> Allowed {
    let allowed = || {
        let subject_type = subject.object.object_type.as_str();
        client.may_check(resource_type, permission, subject_type)?;
        if is_explained {
            client.may_on(Verb::Explain, scope(resource_type, permission, Some(subject_type)))?;
        }
        client.may_assert_subject(subject)
    };
    allowed().map_err(|refused| errors::refused(&refused, at))
}

/// A check for a chain at `at` of the request; whom the client may speak for is a question of its own.
pub(crate) fn check_as(
    client: &Client,
    at: Path<'_>,
    (resource_type, permission): (&str, &str),
    chain: &Chain,
) -> Allowed {
    client
        .may_check(resource_type, permission, &chain.root.object_type)
        .map_err(|refused| errors::refused(&refused, at))
}

/// Whether the client may speak for who acts in a chain, at `at` of the request.
pub(crate) fn chain(client: &Client, at: Path<'_>, chain: &Chain) -> Allowed {
    let allowed = if chain.hops.is_empty() {
        client.may_assert_root(&chain.root)
    } else {
        client.may_assert_chain(&chain.root, chain.actor())
    };
    allowed.map_err(|refused| errors::refused(&refused, at))
}

/// Whether the client may ask why something is decided as it is.
pub(crate) fn explain(client: &Client, (resource_type, permission): (&str, &str)) -> Result<(), Refused> {
    client.may_on(Verb::Explain, scope(resource_type, permission, None))
}

/// Following the answer to a check for a chain, at `at` of the request.
pub(crate) fn watch_as(
    client: &Client,
    at: Path<'_>,
    (resource_type, permission): (&str, &str),
    chain: &Chain,
) -> Allowed {
    client
        .may_on(Verb::Watch, scope(resource_type, permission, Some(&chain.root.object_type)))
        .map_err(|refused| errors::refused(&refused, at))
}

/// A lookup of the resources that a chain reaches.
pub(crate) fn lookup_as(client: &Client, resource_type: &str, permission: &str, chain: &Chain) -> Allowed {
    whole(client.may_on(Verb::Lookup, scope(resource_type, permission, Some(&chain.root.object_type))))
}

/// A lookup of the resources of a subject.
pub(crate) fn lookup_resources(
    client: &Client,
    resource_type: &str,
    permission: &str,
    subject: &SubjectRef,
) -> Allowed {
    let subject_type = subject.object.object_type.as_str();
    whole(client.may_on(Verb::Lookup, scope(resource_type, permission, Some(subject_type))))?;
    whole(client.may_assert_subject(subject))
}

/// A lookup of the subjects of a resource: it names nobody as root.
pub(crate) fn lookup_subjects(
    client: &Client,
    resource_type: &str,
    permission: &str,
    subject_type: &str,
) -> Allowed {
    whole(client.may_on(Verb::Lookup, scope(resource_type, permission, Some(subject_type))))
}

/// An expansion, which shows subjects of all types.
pub(crate) fn expand(client: &Client, resource_type: &str, permission: &str) -> Allowed {
    whole(client.may_on(Verb::Explain, scope(resource_type, permission, None)))
}

/// A batch: one update outside refuses it whole.
pub(crate) fn write(client: &Client, write: &Write) -> Allowed {
    for (index, update) in write.updates.iter().enumerate() {
        client
            .may_write(update)
            .map_err(|refused| errors::refused(&refused, Path::Root.item("updates", index)))?;
    }
    preconditions(client, &write.preconditions)
}

/// A deletion by filter, which must lie inside as a whole.
pub(crate) fn delete(client: &Client, delete: &Delete) -> Allowed {
    client
        .may_delete(&delete.filter)
        .map_err(|refused| errors::refused(&refused, Path::Root.field("relationship_filter")))?;
    preconditions(client, &delete.preconditions)
}

/// Whether a precondition holds tells of relationships as a read does.
fn preconditions(client: &Client, preconditions: &[Precondition]) -> Allowed {
    for (index, precondition) in preconditions.iter().enumerate() {
        client
            .may_read(precondition.filter())
            .map_err(|refused| errors::refused(&refused, Path::Root.item("optional_preconditions", index)))?;
    }
    Ok(())
}

/// A read by filter.
pub(crate) fn read(client: &Client, filter: &RelationshipFilter) -> Allowed {
    client
        .may_read(filter)
        .map_err(|refused| errors::refused(&refused, Path::Root.field("relationship_filter")))
}

/// A bulk read; without a filter of everything.
pub(crate) fn export(client: &Client, filter: Option<&RelationshipFilter>) -> Allowed {
    client
        .may_export(filter)
        .map_err(|refused| errors::refused(&refused, Path::Root.field("optional_relationship_filter")))
}

/// A bulk write, before its first message.
pub(crate) fn import(client: &Client) -> Allowed {
    whole(client.may(Verb::Import))
}

/// One message of a bulk write.
pub(crate) fn import_part(client: &Client, relationships: &[Relationship]) -> Allowed {
    for (index, relationship) in relationships.iter().enumerate() {
        client
            .may_import(relationship)
            .map_err(|refused| errors::refused(&refused, Path::Root.item("relationships", index)))?;
    }
    Ok(())
}

/// A watch; without types and filters of everything.
pub(crate) fn watch(client: &Client, watch: &WatchRequest) -> Allowed {
    whole(client.may_watch(&watch.object_types, &watch.filters))
}

/// Reading the schema, whole or reflected: for those who read relationships and those who write the schema.
pub(crate) fn read_schema(client: &Client) -> Allowed {
    whole(client.may(Verb::Read).or_else(|refused| client.may(Verb::Schema).map_err(|_| refused)))
}

/// Writing the schema, or forgetting a counter.
pub(crate) fn write_schema(client: &Client) -> Allowed {
    whole(client.may(Verb::Schema))
}

/// Registering a counter of what a filter selects.
pub(crate) fn register_counter(client: &Client, filter: &RelationshipFilter) -> Allowed {
    write_schema(client)?;
    read(client, filter)
}

/// Counting what a registered counter selects; whether the counter exists is for those who may read anything at all.
pub(crate) fn count(client: &Client, database: &Database, name: &str) -> Allowed {
    whole(client.may(Verb::Read))?;
    match database.counters().iter().find(|(found, _)| found == name) {
        Some((_, filter)) => whole(client.may_read(filter)),
        None => Ok(()),
    }
}

/// A call about the records of agents.
pub(crate) fn change_records(client: &Client, verb: Verb) -> Allowed {
    whole(client.may(verb))
}

/// Reading the records that the verb changes: for those who may change them, and for those who may ask why.
pub(crate) fn read_records(client: &Client, verb: Verb) -> Allowed {
    whole(client.may(verb).or_else(|refused| client.may(Verb::Explain).map_err(|_| refused)))
}

/// Speaking for somebody who acts on their own authority, named at `at` of the request.
pub(crate) fn speak_for(client: &Client, at: Path<'_>, principal: &ObjectRef) -> Allowed {
    client.may_assert_root(principal).map_err(|refused| errors::refused(&refused, at))
}

/// Asking about a permission for a chain of this root; for whom is a question of its own.
pub(crate) fn check_in(
    client: &Client,
    (resource_type, permission): (&str, &str),
    root: &ObjectRef,
) -> Allowed {
    whole(client.may_check(resource_type, permission, &root.object_type))
}

/// Speaking for who acts at the end of a chain.
pub(crate) fn act_in(client: &Client, at: Path<'_>, root: &ObjectRef, actor: &ObjectRef) -> Allowed {
    let decision =
        if root == actor { client.may_assert_root(root) } else { client.may_assert_chain(root, actor) };
    decision.map_err(|refused| errors::refused(&refused, at))
}

fn scope<'a>(resource_type: &'a str, permission: &'a str, subject_type: Option<&'a str>) -> Scope<'a> {
    Scope { resource_type: Some(resource_type), relation: Some(permission), subject_type }
}

/// A decision about the call as a whole.
fn whole(decision: Result<(), Refused>) -> Allowed {
    decision.map_err(|refused| errors::refused(&refused, Path::Root))
}
