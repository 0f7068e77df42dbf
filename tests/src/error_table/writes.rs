//! Errors of writes, deletions and imports.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation::{Create, Touch};
use tonic::Code;

use super::Row;
use super::call::{Call, delete, of_type, relationship, text_struct, write};

/// What goes wrong with what is written.
pub fn rows() -> Vec<Row> {
    [requests(), preconditions(), relationships(), imports(), deletions()].concat()
}

fn invalid(name: &'static str, call: Call, reason: &'static str, keys: &'static [&'static str]) -> Row {
    Row { name, call, code: Code::InvalidArgument, reason, keys }
}

fn touch(texts: &[&str]) -> Call {
    Call::WriteRelationships(write(Touch, texts))
}

fn import(text: &str) -> Call {
    Call::ImportBulkRelationships(wire::ImportBulkRelationshipsRequest {
        relationships: vec![relationship(text)],
    })
}

/// A relationship whose caveat context is larger than allowed.
fn large() -> wire::Relationship {
    let mut large = relationship("document:z#viewer@user:eve[on_call]");
    if let Some(caveat) = &mut large.optional_caveat {
        caveat.context = text_struct("level", &"9".repeat(26_000));
    }
    large
}

fn requests() -> Vec<Row> {
    let names: Vec<String> = (0..1001).map(|n| format!("document:d{n}#owner@user:ada")).collect();
    let many: Vec<&str> = names.iter().map(String::as_str).collect();
    let metadata = || text_struct("why", &"x".repeat(70_000));
    let written = wire::WriteRelationshipsRequest {
        optional_transaction_metadata: metadata(),
        ..write(Touch, &["document:z#owner@user:ada"])
    };
    let deleted = wire::DeleteRelationshipsRequest {
        optional_transaction_metadata: metadata(),
        ..delete(of_type("document"))
    };
    let mut context = write(Touch, &["document:z#viewer@user:eve[on_call]"]);
    context.updates.iter_mut().for_each(|update| update.relationship = Some(large()));
    let sizes: &[&str] = &["metadata_byte_size", "maximum_allowed_metadata_byte_size"];
    let twice = touch(&["document:z#viewer@user:eve[on_call]", "document:z#viewer@user:eve"]);
    vec![
        invalid(
            "write: too many updates",
            touch(&many),
            "TOO_MANY_UPDATES_IN_REQUEST",
            &["update_count", "maximum_updates_allowed"],
        ),
        invalid(
            "write: metadata too large",
            Call::WriteRelationships(written),
            "TRANSACTION_METADATA_TOO_LARGE",
            sizes,
        ),
        invalid(
            "delete: metadata too large",
            Call::DeleteRelationships(deleted),
            "TRANSACTION_METADATA_TOO_LARGE",
            sizes,
        ),
        invalid(
            "write: caveat context too large",
            Call::WriteRelationships(context),
            "MAX_RELATIONSHIP_CONTEXT_SIZE",
            &["relationship", "max_allowed_size", "context_size"],
        ),
        invalid(
            "write: one relationship twice",
            twice,
            "UPDATES_ON_SAME_RELATIONSHIP",
            &["definition_name", "relationship"],
        ),
    ]
}

/// A filter that nothing matches, with every part that errors name.
fn absent() -> wire::RelationshipFilter {
    wire::RelationshipFilter {
        optional_resource_id: "absent".to_owned(),
        optional_relation: "owner".to_owned(),
        optional_subject_filter: Some(wire::SubjectFilter {
            subject_type: "user".to_owned(),
            optional_subject_id: "ada".to_owned(),
            optional_relation: None,
        }),
        ..of_type("document")
    }
}

const PRECONDITION_COUNTS: &[&str] = &["precondition_count", "maximum_updates_allowed"];

fn preconditions() -> Vec<Row> {
    let with = |operation, filter| wire::Precondition { operation, filter: Some(filter) };
    let written = |preconditions: Vec<wire::Precondition>| {
        Call::WriteRelationships(wire::WriteRelationshipsRequest {
            optional_preconditions: preconditions,
            ..write(Touch, &["document:z#owner@user:ada"])
        })
    };
    let deleted = |preconditions: Vec<wire::Precondition>| {
        Call::DeleteRelationships(wire::DeleteRelationshipsRequest {
            optional_preconditions: preconditions,
            ..delete(of_type("document"))
        })
    };
    let too_many = vec![with(2, of_type("document")); 1001];
    let unmet = |name, call, keys| Row {
        name,
        call,
        code: Code::FailedPrecondition,
        reason: "WRITE_OR_DELETE_PRECONDITION_FAILURE",
        keys,
    };
    vec![
        invalid(
            "write: too many preconditions",
            written(too_many.clone()),
            "TOO_MANY_PRECONDITIONS_IN_REQUEST",
            PRECONDITION_COUNTS,
        ),
        invalid(
            "delete: too many preconditions",
            deleted(too_many),
            "TOO_MANY_PRECONDITIONS_IN_REQUEST",
            PRECONDITION_COUNTS,
        ),
        unmet(
            "write: precondition not met",
            written(vec![with(2, absent())]),
            &[
                "precondition_operation",
                "precondition_resource_type",
                "precondition_resource_id",
                "precondition_relation",
                "precondition_subject_type",
                "precondition_subject_id",
            ],
        ),
        unmet(
            "delete: precondition not met",
            deleted(vec![with(1, of_type("document"))]),
            &["precondition_operation", "precondition_resource_type"],
        ),
        invalid(
            "write: precondition of an empty filter",
            written(vec![with(2, wire::RelationshipFilter::default())]),
            "INVALID_FILTER",
            &["filter"],
        ),
        invalid(
            "delete: precondition of an empty filter",
            deleted(vec![with(2, wire::RelationshipFilter::default())]),
            "INVALID_FILTER",
            &["filter"],
        ),
        invalid(
            "write: precondition without a filter",
            written(vec![wire::Precondition { operation: 2, filter: None }]),
            "",
            &[],
        ),
    ]
}

fn relationships() -> Vec<Row> {
    let subject_type: &[&str] = &["definition_name", "relation_name", "subject_type"];
    let refused = |name, text: &str| invalid(name, touch(&[text]), "INVALID_SUBJECT_TYPE", subject_type);
    vec![
        Row {
            name: "write: creation of what is there",
            call: Call::WriteRelationships(write(Create, &["document:a#owner@user:ada"])),
            code: Code::AlreadyExists,
            reason: "ATTEMPT_TO_RECREATE_RELATIONSHIP",
            keys: &[
                "relationship",
                "resource_type",
                "resource_object_id",
                "resource_relation",
                "subject_type",
                "subject_object_id",
                "subject_relation",
            ],
        },
        invalid(
            "write: on a permission",
            touch(&["document:z#view@user:ada"]),
            "CANNOT_UPDATE_PERMISSION",
            &["definition_name", "permission_name"],
        ),
        refused("write: subject type not allowed", "document:z#owner@group:eng"),
        refused("write: wildcard not allowed", "document:z#owner@user:*"),
        refused("write: expiry not allowed", "document:z#owner@user:ada[expiration:2100-01-01T00:00:00Z]"),
        refused("write: caveat that the schema lacks", "document:z#viewer@user:eve[made_up]"),
        invalid(
            "write: caveat not allowed",
            touch(&["document:z#owner@user:eve[on_call]"]),
            "INVALID_SUBJECT_TYPE",
            &["definition_name", "relation_name", "subject_type"],
        ),
        invalid(
            "write: context of the wrong type",
            touch(&["document:z#viewer@user:eve[on_call:{\"level\":\"high\"}]"]),
            "CAVEAT_PARAMETER_TYPE_ERROR",
            &["caveat_name", "parameter_name"],
        ),
        invalid(
            "write: context with a parameter that the caveat lacks",
            touch(&["document:z#viewer@user:eve[on_call:{\"lvl\":1}]"]),
            "CAVEAT_PARAMETER_TYPE_ERROR",
            &["caveat_name", "parameter_name"],
        ),
        Row {
            name: "write: definition that the schema lacks",
            call: touch(&["folder:z#owner@user:ada"]),
            code: Code::FailedPrecondition,
            reason: "UNKNOWN_DEFINITION",
            keys: &["definition_name"],
        },
        Row {
            name: "write: relation that the schema lacks",
            call: touch(&["document:z#ownr@user:ada"]),
            code: Code::FailedPrecondition,
            reason: "UNKNOWN_RELATION_OR_PERMISSION",
            keys: &["definition_name", "relation_or_permission_name"],
        },
    ]
}

fn imports() -> Vec<Row> {
    let large =
        Call::ImportBulkRelationships(wire::ImportBulkRelationshipsRequest { relationships: vec![large()] });
    vec![
        Row {
            name: "import: what is there",
            call: import("document:a#owner@user:ada"),
            code: Code::AlreadyExists,
            reason: "ATTEMPT_TO_RECREATE_RELATIONSHIP",
            keys: &[],
        },
        invalid(
            "import: on a permission",
            import("document:z#view@user:ada"),
            "CANNOT_UPDATE_PERMISSION",
            &["definition_name", "permission_name"],
        ),
        invalid(
            "import: subject type not allowed",
            import("document:z#owner@group:eng"),
            "INVALID_SUBJECT_TYPE",
            &["definition_name", "relation_name", "subject_type"],
        ),
        invalid(
            "import: caveat context too large",
            large,
            "MAX_RELATIONSHIP_CONTEXT_SIZE",
            &["relationship", "max_allowed_size", "context_size"],
        ),
    ]
}

fn deletions() -> Vec<Row> {
    let limited = wire::DeleteRelationshipsRequest {
        optional_limit: 2,
        ..delete(wire::RelationshipFilter { optional_relation: "owner".to_owned(), ..of_type("document") })
    };
    let above = wire::DeleteRelationshipsRequest { optional_limit: 1001, ..delete(of_type("document")) };
    vec![
        invalid(
            "delete: more than its limit",
            Call::DeleteRelationships(limited),
            "TOO_MANY_RELATIONSHIPS_FOR_TRANSACTIONAL_DELETE",
            &["limit", "filter_resource_type", "filter_relation"],
        ),
        invalid(
            "delete: limit over the cap",
            Call::DeleteRelationships(above),
            "EXCEEDS_MAXIMUM_ALLOWABLE_LIMIT",
            &["limit_provided", "maximum_limit_allowed"],
        ),
        invalid(
            "delete: empty filter",
            Call::DeleteRelationships(delete(wire::RelationshipFilter::default())),
            "INVALID_FILTER",
            &["filter"],
        ),
        Row {
            name: "delete: definition that the schema lacks",
            call: Call::DeleteRelationships(delete(of_type("folder"))),
            code: Code::FailedPrecondition,
            reason: "UNKNOWN_DEFINITION",
            keys: &["definition_name"],
        },
    ]
}
