//! The one place that says which gRPC code, reason and metadata every error has.

use pemba_agents::client::Refused;
use pemba_agents::{Kind, Reason, Refused as AgentsRefused};
use pemba_db::{
    CounterError, DecideError, DeleteError, FilterError, ImportError, Refusal, RelationshipError,
    SchemaError, TokenError, ViewError, WatchError, WriteError,
};
use pemba_engine::QueryError;
use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_model::{LineIndex, Precondition, RelationFilter, Relationship, RelationshipFilter, SmolStr};
use pemba_proto::authzed::api::v1::ErrorReason;
use pemba_schema::{Rejected, RejectedKind, reflection};
use tonic::{Code, Status};

use crate::convert::filtered_text;
use crate::cursor::InvalidCursor;
use crate::status::{plain, with_own_field, with_own_reason, with_reason};
use crate::validate::Path;

type Metadata = Vec<(&'static str, String)>;

/// A `optional_limit` above its cap.
pub(crate) fn limit_exceeded(given: u32, max: u32) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::ExceedsMaximumAllowableLimit,
        format!("invalid `optional_limit`: {given} is given; at most {max} is allowed"),
        [("limit_provided", given.to_string()), ("maximum_limit_allowed", max.to_string())],
    )
}

/// More items than one bulk check may have.
pub(crate) fn too_many_checks(count: usize) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::TooManyChecksInRequest,
        format!("invalid `items`: {count} checks are given; at most {BULK_CHECK_ITEMS_MAX} are allowed"),
        [("check_count", count.to_string()), ("maximum_checks_allowed", BULK_CHECK_ITEMS_MAX.to_string())],
    )
}

/// A call outside of what its client may do; `at` is the part of the request that lies outside.
pub(crate) fn refused(error: &Refused, at: Path<'_>) -> Status {
    let field = at.to_string();
    let message = if field.is_empty() { error.to_string() } else { format!("`{field}`: {error}") };
    with_own_reason(
        Code::PermissionDenied,
        "ERROR_REASON_CLIENT_NOT_PERMITTED",
        message,
        [
            ("client", error.client.to_string()),
            ("verb", error.verb.to_owned()),
            ("outside", error.what.clone()),
            ("field", field),
        ],
    )
}

/// A stream of a client that is gone or has other rights.
pub(crate) fn rights_changed(client: &str) -> Status {
    plain(Code::Unauthenticated, format!("the rights of client `{client}` have changed; call again"))
}

/// A command or a question about agents that is refused; its field is one of the request.
pub(crate) fn agents(error: &AgentsRefused) -> Status {
    let code = match error.reason.kind() {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::NotPermitted => Code::PermissionDenied,
        Kind::Limit => Code::ResourceExhausted,
        Kind::Query => match &error.query {
            Some(error) => return query(error),
            None => Code::FailedPrecondition,
        },
    };
    with_own_field(code, error.reason.as_str(), &error.field, &error.message)
}

/// What a command about agents decided could not be written down.
pub(crate) fn decide(error: &DecideError) -> Status {
    let message = error.to_string();
    match error {
        DecideError::TooManyChanges { .. }
        | DecideError::DocumentKeyTooLarge { .. }
        | DecideError::DocumentTooLarge { .. }
        | DecideError::DocumentsTooLarge { .. } => {
            with_own_field(Code::ResourceExhausted, Reason::NotRecorded.as_str(), "record", &message)
        }
        DecideError::EmptyDocumentKey
        | DecideError::DuplicateDocument { .. }
        | DecideError::InvalidObject { .. }
        | DecideError::Ledger(_)
        | DecideError::Storage { .. } => plain(Code::Internal, message),
        DecideError::Write(error) => write(error),
        DecideError::Refused(error) => refusal(error),
    }
}

/// A database whose records nobody reads.
pub(crate) fn no_book() -> Status {
    plain(Code::Internal, "the database was opened without the records of agents")
}

/// The wildcard as the subject of a question.
pub(crate) fn wildcard_not_allowed(field: &'static str) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::WildcardNotAllowed,
        format!("invalid `{field}`: the wildcard `*` is not allowed here; ask for one subject"),
        [("field", field.to_owned())],
    )
}

/// A request context above its size.
pub(crate) fn context_too_large(size: usize, max: usize) -> Status {
    plain(Code::InvalidArgument, format!("invalid `context`: it is {size} bytes; at most {max} are allowed"))
}

/// Transaction metadata above its size.
pub(crate) fn metadata_too_large(size: usize, max: usize) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::TransactionMetadataTooLarge,
        format!("invalid `optional_transaction_metadata`: it is {size} bytes; at most {max} are allowed"),
        [("metadata_byte_size", size.to_string()), ("maximum_allowed_metadata_byte_size", max.to_string())],
    )
}

/// A caveat context on a relationship above its size.
pub(crate) fn relationship_context_too_large(relationship: String, size: usize, max: usize) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::MaxRelationshipContextSize,
        format!("the caveat context of `{relationship}` is {size} bytes; at most {max} are allowed"),
        [
            ("relationship", relationship),
            ("max_allowed_size", max.to_string()),
            ("context_size", size.to_string()),
        ],
    )
}

/// A write where nothing may be written.
pub(crate) fn read_only() -> Status {
    let message = "this address serves reads only; write to another";
    with_reason(Code::Unavailable, ErrorReason::ServiceReadOnly, message, [])
}

pub(crate) fn cursor(error: &InvalidCursor) -> Status {
    with_reason(Code::InvalidArgument, ErrorReason::InvalidCursor, error.to_string(), [])
}

pub(crate) fn token(error: &TokenError) -> Status {
    plain(Code::InvalidArgument, error.to_string())
}

pub(crate) fn view(error: &ViewError) -> Status {
    let code = match error {
        ViewError::Expired { .. } | ViewError::Future { .. } | ViewError::TooManyChanges { .. } => {
            Code::OutOfRange
        }
        ViewError::Foreign => Code::FailedPrecondition,
        ViewError::Storage { .. } => Code::Internal,
    };
    plain(code, error.to_string())
}

pub(crate) fn query(error: &QueryError) -> Status {
    let (code, reason, metadata): (Code, ErrorReason, Metadata) = match error {
        QueryError::UnknownDefinition(definition) => {
            return unknown_definition(error.to_string(), definition);
        }
        QueryError::UnknownRelation { definition, relation } => {
            return unknown_relation(error.to_string(), definition, relation);
        }
        QueryError::UnknownCaveat(caveat) => {
            (Code::FailedPrecondition, ErrorReason::UnknownCaveat, vec![("caveat_name", caveat.to_string())])
        }
        QueryError::CaveatEvaluation { caveat, .. } | QueryError::CaveatTooManySteps { caveat, .. } => {
            let metadata = vec![("caveat_name", caveat.to_string())];
            (Code::InvalidArgument, ErrorReason::CaveatEvaluationError, metadata)
        }
        QueryError::CaveatParameterType { caveat, parameter, .. } => (
            Code::InvalidArgument,
            ErrorReason::CaveatParameterTypeError,
            vec![("caveat_name", caveat.to_string()), ("parameter_name", parameter.to_string())],
        ),
        // All mean that no answer was found within the work a query may take, which is what clients know as depth.
        QueryError::TooManySteps { .. } | QueryError::TooDeep { .. } | QueryError::Contradiction { .. } => {
            (Code::FailedPrecondition, ErrorReason::MaximumDepthExceeded, Vec::new())
        }
    };
    with_reason(code, reason, error.to_string(), metadata)
}

fn unknown_definition(message: String, definition: &SmolStr) -> Status {
    let metadata = [("definition_name", definition.to_string())];
    with_reason(Code::FailedPrecondition, ErrorReason::UnknownDefinition, message, metadata)
}

fn unknown_relation(message: String, definition: &SmolStr, relation: &SmolStr) -> Status {
    let metadata =
        [("definition_name", definition.to_string()), ("relation_or_permission_name", relation.to_string())];
    with_reason(Code::FailedPrecondition, ErrorReason::UnknownRelationOrPermission, message, metadata)
}

pub(crate) fn filter(error: &FilterError) -> Status {
    match error {
        FilterError::Invalid { filter, .. } => invalid_filter(error.to_string(), filter),
        FilterError::UnknownDefinition { definition } => unknown_definition(error.to_string(), definition),
        FilterError::UnknownRelation { definition, relation } => {
            unknown_relation(error.to_string(), definition, relation)
        }
    }
}

/// A filter that selects nothing in particular or contradicts itself.
pub(crate) fn invalid_filter(message: String, filter: &RelationshipFilter) -> Status {
    let metadata = [("filter", filtered_text(filter))];
    with_reason(Code::InvalidArgument, ErrorReason::InvalidFilter, message, metadata)
}

/// No request that changes anything is taken.
fn refusal(error: &Refusal) -> Status {
    let code = match error {
        Refusal::Overloaded { .. } => Code::ResourceExhausted,
        Refusal::Poisoned { .. } | Refusal::Stopped => Code::Unavailable,
    };
    plain(code, error.to_string())
}

pub(crate) fn write(error: &WriteError) -> Status {
    let message = error.to_string();
    match error {
        WriteError::TooManyUpdates { count, max } => with_reason(
            Code::InvalidArgument,
            ErrorReason::TooManyUpdatesInRequest,
            message,
            [("update_count", count.to_string()), ("maximum_updates_allowed", max.to_string())],
        ),
        WriteError::TooManyPreconditions { count, max } => too_many_preconditions(*count, *max),
        WriteError::DuplicateUpdate { relationship } => with_reason(
            Code::InvalidArgument,
            ErrorReason::UpdatesOnSameRelationship,
            message,
            [
                ("definition_name", relationship.resource.object_type.to_string()),
                ("relationship", identity(relationship)),
            ],
        ),
        WriteError::MetadataTooLarge { size_bytes, max_bytes } => metadata_too_large(*size_bytes, *max_bytes),
        WriteError::Relationship(error) => relationship(error),
        WriteError::MetadataTooDeep { .. } => plain(Code::InvalidArgument, message),
        WriteError::Filter(error) => filter(error),
        WriteError::PreconditionFailed { precondition } => precondition_failed(message, precondition),
        WriteError::PreconditionTooManySteps { .. } => too_many_steps(message),
        WriteError::AlreadyExists { relationship } => already_exists(message, relationship),
        WriteError::TooManyObjects { .. } => plain(Code::ResourceExhausted, message),
        WriteError::Refused(error) => refusal(error),
    }
}

pub(crate) fn import(error: &ImportError) -> Status {
    match error {
        ImportError::TooManyRelationships { .. } => plain(Code::InvalidArgument, error.to_string()),
        ImportError::Write(error) => write(error),
    }
}

pub(crate) fn delete(error: &DeleteError) -> Status {
    let message = error.to_string();
    match error {
        DeleteError::Filter(error) | DeleteError::PreconditionFilter(error) => filter(error),
        DeleteError::TooManyPreconditions { count, max } => too_many_preconditions(*count, *max),
        DeleteError::PreconditionFailed { precondition } => precondition_failed(message, precondition),
        DeleteError::PreconditionTooManySteps { .. } => too_many_steps(message),
        DeleteError::MetadataTooLarge { size_bytes, max_bytes } => {
            metadata_too_large(*size_bytes, *max_bytes)
        }
        DeleteError::MetadataTooDeep { .. } => plain(Code::InvalidArgument, message),
        DeleteError::TooManyForLimit { limit, filter } => {
            too_many_to_delete(message, u64::from(*limit), filter)
        }
        DeleteError::TooManyRelationships { max } => {
            too_many_to_delete(message, *max as u64, &RelationshipFilter::default())
        }
        DeleteError::Refused(error) => refusal(error),
    }
}

/// No answer within the work that a request may take, which is what clients know as depth.
fn too_many_steps(message: String) -> Status {
    with_reason(Code::FailedPrecondition, ErrorReason::MaximumDepthExceeded, message, [])
}

/// A read that looks at too much before it finds enough.
pub(crate) fn read_too_long(steps_max: u64) -> Status {
    too_many_steps(format!(
        "the filter looks at more than {steps_max} relationships before it finds enough for a page; name a resource \
         type and id in it, or raise the limit `query-steps-max`"
    ))
}

/// The key of the bound is the one that clients know.
fn too_many_preconditions(count: usize, max: usize) -> Status {
    with_reason(
        Code::InvalidArgument,
        ErrorReason::TooManyPreconditionsInRequest,
        format!("invalid `optional_preconditions`: {count} are given; at most {max} are allowed"),
        [("precondition_count", count.to_string()), ("maximum_updates_allowed", max.to_string())],
    )
}

fn too_many_to_delete(message: String, limit: u64, filter: &RelationshipFilter) -> Status {
    let mut metadata = vec![("limit", limit.to_string())];
    let names = [
        "filter_resource_type",
        "filter_resource_id",
        "filter_resource_id_prefix",
        "filter_relation",
        "filter_subject_type",
        "filter_subject_id",
        "filter_subject_relation",
    ];
    metadata.extend(filter_fields(filter, names));
    if filter.resource_type.is_none() {
        metadata.push(("filter_resource_type", String::new()));
    }
    let reason = ErrorReason::TooManyRelationshipsForTransactionalDelete;
    with_reason(Code::InvalidArgument, reason, message, metadata)
}

fn precondition_failed(message: String, precondition: &Precondition) -> Status {
    let operation = match precondition {
        Precondition::MustMatch(_) => "MUST_MATCH",
        Precondition::MustNotMatch(_) => "MUST_NOT_MATCH",
    };
    let names = [
        "precondition_resource_type",
        "precondition_resource_id",
        "precondition_resource_id_prefix",
        "precondition_relation",
        "precondition_subject_type",
        "precondition_subject_id",
        "precondition_subject_relation",
    ];
    let mut metadata = vec![("precondition_operation", format!("OPERATION_{operation}"))];
    metadata.extend(filter_fields(precondition.filter(), names));
    with_reason(Code::FailedPrecondition, ErrorReason::WriteOrDeletePreconditionFailure, message, metadata)
}

/// The fields of a filter that are set, under the names in the order of the filter's fields. A demand for no subject
/// relation is an empty one.
fn filter_fields(filter: &RelationshipFilter, names: [&'static str; 7]) -> Metadata {
    let none = SmolStr::default();
    let subject = filter.subject.as_ref();
    let relation = subject.and_then(|subject| match &subject.relation {
        RelationFilter::Is(relation) => Some(relation),
        RelationFilter::NoRelation => Some(&none),
        RelationFilter::Any => None,
    });
    let values = [
        filter.resource_type.as_ref(),
        filter.resource_id.as_ref(),
        filter.resource_id_prefix.as_ref(),
        filter.relation.as_ref(),
        subject.map(|subject| &subject.subject_type),
        subject.and_then(|subject| subject.subject_id.as_ref()),
        relation,
    ];
    names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?.to_string()))).collect()
}

fn already_exists(message: String, relationship: &Relationship) -> Status {
    let subject = &relationship.subject;
    with_reason(
        Code::AlreadyExists,
        ErrorReason::AttemptToRecreateRelationship,
        message,
        [
            ("relationship", relationship.to_string()),
            ("resource_type", relationship.resource.object_type.to_string()),
            ("resource_object_id", relationship.resource.object_id.to_string()),
            ("resource_relation", relationship.relation.to_string()),
            ("subject_type", subject.object.object_type.to_string()),
            ("subject_object_id", subject.object.object_id.to_string()),
            ("subject_relation", subject.relation.as_ref().map(SmolStr::to_string).unwrap_or_default()),
        ],
    )
}

/// The text of a relationship without its attributes.
fn identity(relationship: &Relationship) -> String {
    format!("{}#{}@{}", relationship.resource, relationship.relation, relationship.subject)
}

fn relationship(error: &RelationshipError) -> Status {
    let message = error.to_string();
    match error {
        RelationshipError::InvalidName { .. }
        | RelationshipError::ContextTooDeep { .. }
        | RelationshipError::WildcardResource { .. }
        | RelationshipError::WildcardWithRelation { .. } => plain(Code::InvalidArgument, message),
        RelationshipError::UnknownDefinition { definition, .. } => unknown_definition(message, definition),
        RelationshipError::UnknownRelation { definition, relation, .. } => {
            unknown_relation(message, definition, relation)
        }
        RelationshipError::CannotUpdatePermission { definition, permission } => with_reason(
            Code::InvalidArgument,
            ErrorReason::CannotUpdatePermission,
            message,
            [("definition_name", definition.to_string()), ("permission_name", permission.to_string())],
        ),
        RelationshipError::InvalidSubjectType {
            definition, relation, subject_type, allowed_caveats, ..
        } => {
            let mut metadata = vec![
                ("definition_name", definition.to_string()),
                ("relation_name", relation.to_string()),
                ("subject_type", subject_type.clone()),
            ];
            if let Some(caveats) = allowed_caveats {
                metadata.push(("allowed_caveats", caveats.join(",")));
            }
            with_reason(Code::InvalidArgument, ErrorReason::InvalidSubjectType, message, metadata)
        }
        RelationshipError::UnknownCaveatParameter { caveat, parameter, .. }
        | RelationshipError::CaveatParameterType { caveat, parameter, .. } => with_reason(
            Code::InvalidArgument,
            ErrorReason::CaveatParameterTypeError,
            message,
            [("caveat_name", caveat.to_string()), ("parameter_name", parameter.to_string())],
        ),
        RelationshipError::ContextTooLarge { relationship, size_bytes, max_bytes } => {
            relationship_context_too_large(relationship.clone(), *size_bytes, *max_bytes)
        }
    }
}

/// A counter of the empty name.
pub(crate) fn counter_without_name() -> Status {
    let message = "invalid `name`: the name of a counter must not be empty";
    with_reason(Code::InvalidArgument, ErrorReason::Unspecified, message, [])
}

pub(crate) fn counter(error: &CounterError) -> Status {
    let message = error.to_string();
    let named = |name: &SmolStr| ("counter_name", name.to_string());
    match error {
        CounterError::InvalidName { .. } => plain(Code::InvalidArgument, message),
        CounterError::Filter(error) => filter(error),
        CounterError::AlreadyRegistered { name, filter } => {
            let mut metadata = vec![named(name)];
            // Clients see every field here, empty ones too.
            metadata.extend(NEW_FILTER_FIELDS.map(|field| (field, String::new())));
            metadata.extend(filter_fields(filter, NEW_FILTER_FIELDS));
            let reason = ErrorReason::CounterAlreadyRegistered;
            with_reason(Code::FailedPrecondition, reason, message, metadata)
        }
        CounterError::NotRegistered { name } => {
            let reason = ErrorReason::CounterNotRegistered;
            with_reason(Code::FailedPrecondition, reason, message, [named(name)])
        }
        CounterError::TooManySteps { .. } => too_many_steps(message),
        CounterError::TooMany { .. } => plain(Code::ResourceExhausted, message),
        CounterError::Refused(error) => refusal(error),
    }
}

/// The fields of a filter that was to be a counter's.
const NEW_FILTER_FIELDS: [&str; 7] = [
    "new_filter_resource_type",
    "new_filter_resource_id",
    "new_filter_resource_id_prefix",
    "new_filter_relation",
    "new_filter_subject_type",
    "new_filter_subject_id",
    "new_filter_subject_relation",
];

pub(crate) fn watch(error: &WatchError) -> Status {
    let code = match error {
        WatchError::Expired { .. } | WatchError::Future { .. } => Code::OutOfRange,
        WatchError::Filter(error) => return filter(error),
        WatchError::TypesAndFilters => Code::InvalidArgument,
        WatchError::TooManyExpiring { .. } => Code::ResourceExhausted,
        WatchError::Storage { .. } => Code::Internal,
        WatchError::Stopped => Code::Unavailable,
    };
    plain(code, error.to_string())
}

/// Why a schema was not written; `text` is the schema of the request.
pub(crate) fn schema(error: &SchemaError, text: &str) -> Status {
    let message = error.to_string();
    match error {
        SchemaError::Rejected(rejected) => rejected_schema(rejected, text),
        SchemaError::RelationshipsExist {
            operation,
            resource_type,
            relation,
            allowed_type,
            relationship,
        } => {
            let mut metadata = vec![
                ("operation", operation.name().to_owned()),
                ("resource_type", resource_type.to_string()),
                ("relationship", relationship.to_string()),
            ];
            metadata.extend(relation.as_ref().map(|relation| ("relation", relation.to_string())));
            metadata.extend(allowed_type.as_ref().map(|allowed| ("allowed_type", allowed.clone())));
            with_reason(Code::InvalidArgument, ErrorReason::SchemaTypeError, message, metadata)
        }
        SchemaError::CaveatParameter { operation, caveat_name, parameter_name } => with_reason(
            Code::InvalidArgument,
            ErrorReason::SchemaTypeError,
            message,
            [
                ("operation", operation.name().to_owned()),
                ("caveat_name", caveat_name.to_string()),
                ("parameter_name", parameter_name.to_string()),
            ],
        ),
        SchemaError::Refused(error) => refusal(error),
    }
}

/// All errors are in the message; the metadata tells the place of the first.
pub(crate) fn rejected_schema(rejected: &Rejected, text: &str) -> Status {
    let (code, reason) = match rejected.kind {
        RejectedKind::Parse => (Code::InvalidArgument, ErrorReason::SchemaParseError),
        RejectedKind::Type => (Code::FailedPrecondition, ErrorReason::SchemaTypeError),
    };
    let Some(first) = rejected.first() else {
        return with_reason(code, reason, "the schema is invalid", []);
    };
    let index = LineIndex::new(text);
    let (start, end) = (index.place(first.span.start), index.place(first.span.end));
    // Clients count these from 0, other than the places in the message.
    let from_zero = |number: usize| number.saturating_sub(1).to_string();
    let mut metadata: Metadata = vec![
        ("source_code", first.span.text(text).to_owned()),
        ("start_line_number", from_zero(start.line)),
        ("start_column_position", from_zero(start.column)),
        ("end_line_number", from_zero(end.line)),
        ("end_column_position", from_zero(end.column)),
    ];
    metadata.extend(first.metadata.iter().cloned());
    with_reason(code, reason, rejected.message(text), metadata)
}

/// A filter of a reflection that contradicts itself; `filter` is its text.
pub(crate) fn reflection_filter(error: &reflection::FilterError, filter: String) -> Status {
    with_reason(Code::InvalidArgument, ErrorReason::InvalidFilter, error.to_string(), [("filter", filter)])
}

/// The reasons and keys are those that clients of the interface know, though other calls have others.
pub(crate) fn reference(error: &reflection::ReferenceError) -> Status {
    let message = error.to_string();
    match error {
        reflection::ReferenceError::UnknownDefinition { definition } => {
            let metadata = [("definition_name", definition.to_string())];
            with_reason(Code::FailedPrecondition, ErrorReason::SchemaTypeError, message, metadata)
        }
        reflection::ReferenceError::UnknownMember { definition, name } => {
            unknown_relation(message, definition, name)
        }
        reflection::ReferenceError::NotAPermission { name, .. } => {
            let metadata = [("relationName", name.to_string())];
            with_reason(Code::InvalidArgument, ErrorReason::UnknownRelationOrPermission, message, metadata)
        }
    }
}

/// A comparison whose answer would be too large.
pub(crate) fn diff(error: &reflection::DiffTooLarge) -> Status {
    plain(Code::ResourceExhausted, error.to_string())
}
