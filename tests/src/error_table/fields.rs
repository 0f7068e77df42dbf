//! Requests whose fields break rules, with every rule that each breaks.

use pemba_proto::authzed::api::v1 as wire;
use tonic::Code;

use super::Row;
use super::call::{Call, bulk, check, lookup_resources, lookup_subjects, object, of_type, read, write};

/// A bad request, and what it breaks as `path rule`.
pub type Broken = (Row, &'static [&'static str]);

/// Requests with several bad fields, one for each call that has rules.
pub fn rows() -> Vec<Broken> {
    [questions(), lookups(), reads(), relationships(), others()].concat()
}

fn row(name: &'static str, call: Call, broken: &'static [&'static str]) -> Broken {
    (Row { name, call, code: Code::InvalidArgument, reason: "", keys: &[] }, broken)
}

fn strange(kind: &str, id: &str) -> Option<wire::SubjectReference> {
    Some(wire::SubjectReference { object: object(kind, id), optional_relation: "...".to_owned() })
}

fn bad_check() -> wire::CheckPermissionRequest {
    wire::CheckPermissionRequest {
        resource: object("Document", ""),
        permission: "v".repeat(65),
        subject: strange("us", "%"),
        ..Default::default()
    }
}

fn questions() -> Vec<Broken> {
    let mut items = bulk(bad_check());
    items.items.insert(0, bulk(check("document:a#view@user:ada")).items.remove(0));
    items.items.push(wire::CheckBulkPermissionsRequestItem::default());
    vec![
        row(
            "check: bad fields",
            Call::CheckPermission(bad_check()),
            &[
                "resource.object_type string.pattern",
                "resource.object_id string.pattern",
                "permission string.max_bytes",
                "permission string.pattern",
                "subject.object.object_type string.pattern",
                "subject.object.object_id string.pattern",
                "subject.optional_relation string.pattern",
            ],
        ),
        row(
            "check: nothing given",
            Call::CheckPermission(wire::CheckPermissionRequest::default()),
            &["resource required", "subject required"],
        ),
        row(
            "bulk check: bad fields",
            Call::CheckBulkPermissions(items),
            &[
                "items[1].resource.object_type string.pattern",
                "items[1].resource.object_id string.pattern",
                "items[1].permission string.max_bytes",
                "items[1].permission string.pattern",
                "items[1].subject.object.object_type string.pattern",
                "items[1].subject.object.object_id string.pattern",
                "items[1].subject.optional_relation string.pattern",
                "items[2].resource required",
                "items[2].subject required",
            ],
        ),
        row(
            "expand: bad fields",
            Call::ExpandPermissionTree(wire::ExpandPermissionTreeRequest {
                resource: object("document", &"a".repeat(1025)),
                permission: "View".into(),
                ..Default::default()
            }),
            &["resource.object_id string.max_bytes", "permission string.pattern"],
        ),
    ]
}

fn lookups() -> Vec<Broken> {
    let empty = wire::SubjectReference::default();
    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "d/document".into(),
        permission: String::new(),
        subject: Some(empty),
        ..lookup_resources("view", "user:ada")
    };
    let subjects = wire::LookupSubjectsRequest {
        resource: None,
        permission: "x".into(),
        subject_object_type: ["abcdefgh"; 20].join("/"),
        optional_subject_relation: "_member".into(),
        ..lookup_subjects("a", "view")
    };
    vec![
        row(
            "lookup of resources: bad fields",
            Call::LookupResources(lookup),
            &["resource_object_type string.pattern", "permission string.pattern", "subject.object required"],
        ),
        row(
            "lookup of subjects: bad fields",
            Call::LookupSubjects(subjects),
            &[
                "resource required",
                "permission string.pattern",
                "subject_object_type string.max_bytes",
                "optional_subject_relation string.pattern",
            ],
        ),
    ]
}

fn bad_filter() -> wire::RelationshipFilter {
    wire::RelationshipFilter {
        resource_type: "D".into(),
        optional_resource_id: "*".into(),
        optional_relation: "x".into(),
        optional_resource_id_prefix: "!".into(),
        optional_subject_filter: Some(wire::SubjectFilter {
            subject_type: String::new(),
            optional_subject_id: "a b".into(),
            optional_relation: Some(wire::subject_filter::RelationFilter { relation: "R".into() }),
        }),
    }
}

fn reads() -> Vec<Broken> {
    let from_nowhere = wire::ReadRelationshipsRequest {
        optional_cursor: Some(wire::Cursor { token: String::new() }),
        ..read(of_type("document"))
    };
    vec![
        row(
            "read: bad fields",
            Call::ReadRelationships(read(bad_filter())),
            &[
                "relationship_filter.resource_type string.pattern",
                "relationship_filter.optional_resource_id string.pattern",
                "relationship_filter.optional_resource_id_prefix string.pattern",
                "relationship_filter.optional_relation string.pattern",
                "relationship_filter.optional_subject_filter.subject_type string.pattern",
                "relationship_filter.optional_subject_filter.optional_subject_id string.pattern",
                "relationship_filter.optional_subject_filter.optional_relation.relation string.pattern",
            ],
        ),
        row(
            "read: empty cursor",
            Call::ReadRelationships(from_nowhere),
            &["optional_cursor.token string.min_bytes"],
        ),
    ]
}

fn relationships() -> Vec<Broken> {
    let mut writing = write(wire::relationship_update::Operation::Touch, &["document:a#owner@user:ada"]);
    writing.updates.push(wire::RelationshipUpdate { operation: 9, relationship: None });
    writing.updates.push(wire::RelationshipUpdate {
        operation: 0,
        relationship: Some(wire::Relationship {
            subject: strange("user", "ada"),
            optional_caveat: Some(wire::ContextualizedCaveat::default()),
            ..Default::default()
        }),
    });
    writing.optional_preconditions = vec![wire::Precondition::default()];
    let deletion = wire::DeleteRelationshipsRequest {
        optional_preconditions: vec![wire::Precondition { operation: 7, filter: Some(of_type("Q")) }],
        ..Default::default()
    };
    let imported =
        wire::ImportBulkRelationshipsRequest { relationships: vec![wire::Relationship::default()] };
    vec![
        row(
            "write: bad fields",
            Call::WriteRelationships(writing),
            &[
                "updates[1].operation enum.defined_only",
                "updates[1].relationship required",
                "updates[2].operation enum.not_in",
                "updates[2].relationship.resource required",
                "updates[2].relationship.relation string.pattern",
                "updates[2].relationship.subject.optional_relation string.pattern",
                "updates[2].relationship.optional_caveat.caveat_name string.pattern",
                "optional_preconditions[0].operation enum.not_in",
                "optional_preconditions[0].filter required",
            ],
        ),
        row(
            "delete: bad fields",
            Call::DeleteRelationships(deletion),
            &[
                "relationship_filter required",
                "optional_preconditions[0].operation enum.defined_only",
                "optional_preconditions[0].filter.resource_type string.pattern",
            ],
        ),
        row(
            "import: bad fields",
            Call::ImportBulkRelationships(imported),
            &[
                "relationships[0].resource required",
                "relationships[0].relation string.pattern",
                "relationships[0].subject required",
            ],
        ),
    ]
}

fn others() -> Vec<Broken> {
    let exported = wire::ExportBulkRelationshipsRequest {
        optional_relationship_filter: Some(of_type("D")),
        ..Default::default()
    };
    let watched = wire::WatchRequest {
        optional_object_types: vec!["document".into(), "D".into()],
        optional_start_cursor: Some(wire::ZedToken::default()),
        ..Default::default()
    };
    let counter =
        wire::ExperimentalRegisterRelationshipCounterRequest { name: "C".into(), ..Default::default() };
    vec![
        row(
            "export: bad fields",
            Call::ExportBulkRelationships(exported),
            &["optional_relationship_filter.resource_type string.pattern"],
        ),
        row(
            "watch: bad fields",
            Call::Watch(watched),
            &["optional_object_types[1] string.pattern", "optional_start_cursor.token string.min_bytes"],
        ),
        row(
            "counter: bad fields",
            Call::RegisterCounter(counter),
            &["name string.pattern", "relationship_filter required"],
        ),
        row(
            "write schema: too long",
            Call::WriteSchema(wire::WriteSchemaRequest { schema: " ".repeat(4 * 1024 * 1024 + 1) }),
            &["schema string.max_bytes"],
        ),
    ]
}
