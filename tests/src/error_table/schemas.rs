//! Errors of schemas: writing, comparing, reflecting.

use pemba_proto::authzed::api::v1 as wire;
use tonic::Code;

use super::call::Call;
use super::{Row, SCHEMA};

/// What goes wrong with schemas.
pub fn rows() -> Vec<Row> {
    [texts(), data(), reflection()].concat()
}

/// What goes wrong where no schema was ever written.
pub fn before() -> Row {
    Row {
        name: "read schema: none there",
        call: Call::ReadSchema(wire::ReadSchemaRequest {}),
        code: Code::NotFound,
        reason: "",
        keys: &[],
    }
}

fn write(text: &str) -> Call {
    Call::WriteSchema(wire::WriteSchemaRequest { schema: text.to_owned() })
}

/// The schema with a part replaced that it has.
fn with(old: &str, new: &str) -> String {
    assert!(SCHEMA.contains(old), "the schema has `{old}`");
    SCHEMA.replace(old, new)
}

fn texts() -> Vec<Row> {
    let place: &[&str] = &[
        "source_code",
        "start_line_number",
        "start_column_position",
        "end_line_number",
        "end_column_position",
    ];
    let diff = |text: &str| {
        Call::DiffSchema(wire::DiffSchemaRequest { comparison_schema: text.to_owned(), ..Default::default() })
    };
    let parse = |name, call| Row {
        name,
        call,
        code: Code::InvalidArgument,
        reason: "SCHEMA_PARSE_ERROR",
        keys: place,
    };
    let wrong = |name, text: &str, keys| Row {
        name,
        call: write(text),
        code: Code::FailedPrecondition,
        reason: "SCHEMA_TYPE_ERROR",
        keys,
    };
    vec![
        parse("write schema: no schema", write("definition user {\n  relation\n}")),
        parse("diff schema: no schema", diff("definition user {\n  relation\n}")),
        wrong("write schema: type unknown", &with("owner: user\n", "owner: person\n"), &["definition_name"]),
        wrong(
            "write schema: cycle of permissions",
            &with("permission edit = owner", "permission edit = change\n  permission change = edit"),
            &["definition_name"],
        ),
        wrong(
            "write schema: arrow over a permission",
            &with("permission edit = owner", "permission edit = view->member"),
            &["definition_name"],
        ),
    ]
}

fn data() -> Vec<Row> {
    let orphan = |name, text: String, keys| Row {
        name,
        call: write(&text),
        code: Code::InvalidArgument,
        reason: "SCHEMA_TYPE_ERROR",
        keys,
    };
    let parameter: &[&str] = &["operation", "caveat_name", "parameter_name"];
    let without_team =
        with(" | team#lead", "").replace("definition team {\n  relation lead: user\n}\n\n", "");
    vec![
        orphan(
            "write schema: definition with data goes",
            without_team,
            &["operation", "resource_type", "relationship"],
        ),
        orphan(
            "write schema: relation with data goes",
            with("  relation owner: user\n", "")
                .replace("viewer + owner", "viewer")
                .replace("permission edit = owner", "permission edit = viewer"),
            &["operation", "resource_type", "relation", "relationship"],
        ),
        orphan(
            "write schema: relation of a subject goes",
            with(" | team#lead", "").replace("  relation lead: user\n", ""),
            &["operation", "resource_type", "relation", "relationship"],
        ),
        orphan(
            "write schema: allowed type with data goes",
            with(" | team#lead", ""),
            &["operation", "resource_type", "relation", "allowed_type", "relationship"],
        ),
        orphan(
            "write schema: parameter goes",
            with("total int, parts int", "total int").replace("total / parts", "total"),
            parameter,
        ),
        orphan("write schema: parameter has another type", with("level int", "level uint"), parameter),
    ]
}

fn reflection() -> Vec<Row> {
    let dependent = |definition: &str, permission: &str| {
        Call::DependentRelations(wire::DependentRelationsRequest {
            definition_name: definition.to_owned(),
            permission_name: permission.to_owned(),
            ..Default::default()
        })
    };
    let computable = |relation: &str| {
        Call::ComputablePermissions(wire::ComputablePermissionsRequest {
            definition_name: "group".to_owned(),
            relation_name: relation.to_owned(),
            ..Default::default()
        })
    };
    let filter = wire::ReflectionSchemaFilter {
        optional_relation_name_filter: "owner".to_owned(),
        optional_permission_name_filter: "view".to_owned(),
        optional_definition_name_filter: "document".to_owned(),
        ..Default::default()
    };
    vec![
        Row {
            name: "reflect schema: relation and permission in one filter",
            call: Call::ReflectSchema(wire::ReflectSchemaRequest {
                optional_filters: vec![filter],
                ..Default::default()
            }),
            code: Code::InvalidArgument,
            reason: "INVALID_FILTER",
            keys: &["filter"],
        },
        Row {
            name: "dependent relations: of a relation",
            call: dependent("document", "owner"),
            code: Code::InvalidArgument,
            reason: "UNKNOWN_RELATION_OR_PERMISSION",
            keys: &["relationName"],
        },
        Row {
            name: "dependent relations: definition unknown",
            call: dependent("folder", "view"),
            code: Code::FailedPrecondition,
            reason: "SCHEMA_TYPE_ERROR",
            keys: &["definition_name"],
        },
        Row {
            name: "computable permissions: relation unknown",
            call: computable("nothing"),
            code: Code::FailedPrecondition,
            reason: "UNKNOWN_RELATION_OR_PERMISSION",
            keys: &["definition_name", "relation_or_permission_name"],
        },
    ]
}
