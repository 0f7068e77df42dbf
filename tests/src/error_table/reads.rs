//! Errors of questions, reads, watches and counters.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use tonic::Code;

use super::Row;
use super::call::{Call, bulk, check, lookup_resources, lookup_subjects, object, of_type, read, text_struct};
use crate::differential::step::wire_struct;

/// What goes wrong with what is asked.
pub fn rows() -> Vec<Row> {
    [
        limits(),
        filters(),
        definitions(),
        relations(),
        wildcards(),
        work(),
        contexts(),
        cursors(),
        tokens(),
        counters(),
    ]
    .concat()
}

fn invalid(name: &'static str, call: Call, reason: &'static str, keys: &'static [&'static str]) -> Row {
    Row { name, call, code: Code::InvalidArgument, reason, keys }
}

fn refused(name: &'static str, call: Call, reason: &'static str, keys: &'static [&'static str]) -> Row {
    Row { name, call, code: Code::FailedPrecondition, reason, keys }
}

fn export(filter: Option<wire::RelationshipFilter>) -> wire::ExportBulkRelationshipsRequest {
    wire::ExportBulkRelationshipsRequest { optional_relationship_filter: filter, ..Default::default() }
}

fn watch(filter: wire::RelationshipFilter) -> Call {
    Call::Watch(wire::WatchRequest { optional_relationship_filters: vec![filter], ..Default::default() })
}

fn limits() -> Vec<Row> {
    let above = |name, call| {
        let keys = &["limit_provided", "maximum_limit_allowed"];
        invalid(name, call, "EXCEEDS_MAXIMUM_ALLOWABLE_LIMIT", keys)
    };
    let items = bulk(check("document:a#view@user:ada")).items.remove(0);
    let many = wire::CheckBulkPermissionsRequest { items: vec![items; 10_001], ..Default::default() };
    let read = wire::ReadRelationshipsRequest { optional_limit: 1001, ..read(of_type("document")) };
    let lookup =
        wire::LookupResourcesRequest { optional_limit: 1001, ..lookup_resources("view", "user:ada") };
    let subjects =
        wire::LookupSubjectsRequest { optional_concrete_limit: 1001, ..lookup_subjects("a", "view") };
    let exported = wire::ExportBulkRelationshipsRequest { optional_limit: 10_001, ..export(None) };
    vec![
        above("read: limit over the cap", Call::ReadRelationships(read)),
        above("lookup of resources: limit over the cap", Call::LookupResources(lookup)),
        above("lookup of subjects: limit over the cap", Call::LookupSubjects(subjects)),
        above("export: limit over the cap", Call::ExportBulkRelationships(exported)),
        invalid(
            "bulk check: too many items",
            Call::CheckBulkPermissions(many),
            "TOO_MANY_CHECKS_IN_REQUEST",
            &["check_count", "maximum_checks_allowed"],
        ),
    ]
}

fn filters() -> Vec<Row> {
    let empty = wire::RelationshipFilter::default;
    let both = || wire::RelationshipFilter {
        optional_resource_id: "a".to_owned(),
        optional_resource_id_prefix: "a".to_owned(),
        ..of_type("document")
    };
    let bad = |name, call| invalid(name, call, "INVALID_FILTER", &["filter"]);
    vec![
        bad("read: empty filter", Call::ReadRelationships(read(empty()))),
        bad("read: id and prefix of an id", Call::ReadRelationships(read(both()))),
        bad("export: empty filter", Call::ExportBulkRelationships(export(Some(empty())))),
        bad("export: id and prefix of an id", Call::ExportBulkRelationships(export(Some(both())))),
        bad("watch: empty filter", watch(empty())),
        bad("watch: id and prefix of an id", watch(both())),
    ]
}

fn definitions() -> Vec<Row> {
    let unknown = |name, call| refused(name, call, "UNKNOWN_DEFINITION", &["definition_name"]);
    let expand = wire::ExpandPermissionTreeRequest {
        resource: object("folder", "a"),
        permission: "view".to_owned(),
        ..Default::default()
    };
    let resources = wire::LookupResourcesRequest {
        resource_object_type: "folder".to_owned(),
        ..lookup_resources("view", "user:ada")
    };
    let subjects =
        wire::LookupSubjectsRequest { resource: object("folder", "a"), ..lookup_subjects("a", "view") };
    vec![
        unknown(
            "check: resource's definition unknown",
            Call::CheckPermission(check("folder:a#view@user:ada")),
        ),
        unknown(
            "check: subject's definition unknown",
            Call::CheckPermission(check("document:a#view@folder:ada")),
        ),
        unknown(
            "bulk check: definition unknown",
            Call::CheckBulkPermissions(bulk(check("folder:a#view@user:ada"))),
        ),
        unknown("expand: definition unknown", Call::ExpandPermissionTree(expand)),
        unknown("lookup of resources: definition unknown", Call::LookupResources(resources)),
        unknown("lookup of subjects: definition unknown", Call::LookupSubjects(subjects)),
        unknown("read: definition unknown", Call::ReadRelationships(read(of_type("folder")))),
        unknown("export: definition unknown", Call::ExportBulkRelationships(export(Some(of_type("folder"))))),
    ]
}

fn relations() -> Vec<Row> {
    let keys: &[&str] = &["definition_name", "relation_or_permission_name"];
    let unknown = |name, call| refused(name, call, "UNKNOWN_RELATION_OR_PERMISSION", keys);
    let expand = wire::ExpandPermissionTreeRequest {
        resource: object("document", "a"),
        permission: "vieww".to_owned(),
        ..Default::default()
    };
    let filter = wire::RelationshipFilter { optional_relation: "vieww".to_owned(), ..of_type("document") };
    let question = || check("document:a#vieww@user:ada");
    vec![
        unknown("check: permission unknown", Call::CheckPermission(question())),
        unknown(
            "check: subject's relation unknown",
            Call::CheckPermission(check("document:a#view@group:a#vieww")),
        ),
        unknown("bulk check: permission unknown", Call::CheckBulkPermissions(bulk(question()))),
        unknown("expand: permission unknown", Call::ExpandPermissionTree(expand)),
        unknown(
            "lookup of resources: permission unknown",
            Call::LookupResources(lookup_resources("vieww", "user:ada")),
        ),
        unknown(
            "lookup of subjects: permission unknown",
            Call::LookupSubjects(lookup_subjects("a", "vieww")),
        ),
        unknown("read: relation unknown", Call::ReadRelationships(read(filter))),
    ]
}

fn wildcards() -> Vec<Row> {
    let question = || check("document:a#view@user:*");
    let bad = |name, call| invalid(name, call, "WILDCARD_NOT_ALLOWED", &["field"]);
    vec![
        bad("check: wildcard as subject", Call::CheckPermission(question())),
        bad("bulk check: wildcard as subject", Call::CheckBulkPermissions(bulk(question()))),
        bad(
            "lookup of resources: wildcard as subject",
            Call::LookupResources(lookup_resources("view", "user:*")),
        ),
    ]
}

fn work() -> Vec<Row> {
    let deep = |name, call| refused(name, call, "MAXIMUM_DEPTH_EXCEEDED", &[]);
    vec![
        deep("check: too deep", Call::CheckPermission(check("document:deep#view@user:bottom"))),
        deep(
            "bulk check: too deep",
            Call::CheckBulkPermissions(bulk(check("document:deep#view@user:bottom"))),
        ),
        deep("lookup of resources: too deep", Call::LookupResources(lookup_resources("view", "user:bottom"))),
        deep("lookup of subjects: too deep", Call::LookupSubjects(lookup_subjects("deep", "view"))),
    ]
}

fn contexts() -> Vec<Row> {
    let number = |name: &str, value: i64| {
        Some(wire_struct(&[(name.to_owned(), serde_json::Value::from(value))].into_iter().collect()))
    };
    let large = || text_struct("level", &"x".repeat(5000));
    let checked = |question, context| wire::CheckPermissionRequest { context, ..check(question) };
    let resources = |asked, context| {
        Call::LookupResources(wire::LookupResourcesRequest { context, ..lookup_resources("view", asked) })
    };
    let subjects = |context| {
        Call::LookupSubjects(wire::LookupSubjectsRequest { context, ..lookup_subjects("a", "view") })
    };
    let (eve, kim) = ("document:a#view@user:eve", "document:a#view@user:kim");
    let fails = |name, call| invalid(name, call, "CAVEAT_EVALUATION_ERROR", &["caveat_name"]);
    let wrong =
        |name, call| invalid(name, call, "CAVEAT_PARAMETER_TYPE_ERROR", &["caveat_name", "parameter_name"]);
    vec![
        fails("check: caveat fails", Call::CheckPermission(checked(kim, number("parts", 0)))),
        fails("bulk check: caveat fails", Call::CheckBulkPermissions(bulk(checked(kim, number("parts", 0))))),
        fails("lookup of resources: caveat fails", resources("user:kim", number("parts", 0))),
        fails("lookup of subjects: caveat fails", subjects(number("parts", 0))),
        wrong(
            "check: context of the wrong type",
            Call::CheckPermission(checked(eve, text_struct("level", "high"))),
        ),
        wrong(
            "lookup of resources: context of the wrong type",
            resources("user:eve", text_struct("level", "high")),
        ),
        wrong("lookup of subjects: context of the wrong type", subjects(text_struct("level", "high"))),
        invalid("check: context too large", Call::CheckPermission(checked(eve, large())), "", &[]),
        invalid(
            "bulk check: context too large",
            Call::CheckBulkPermissions(bulk(checked(eve, large()))),
            "",
            &[],
        ),
        invalid("lookup of resources: context too large", resources("user:eve", large()), "", &[]),
        invalid("lookup of subjects: context too large", subjects(large()), "", &[]),
    ]
}

fn cursors() -> Vec<Row> {
    let nonsense = || Some(wire::Cursor { token: "nonsense".to_owned() });
    let bad = |name, call| invalid(name, call, "INVALID_CURSOR", &[]);
    let page = |permission| wire::LookupResourcesRequest {
        optional_limit: 1,
        ..lookup_resources(permission, "user:ada")
    };
    let owners = wire::RelationshipFilter { optional_relation: "owner".to_owned(), ..of_type("document") };
    let pages = |filter| wire::ReadRelationshipsRequest { optional_limit: 1, ..read(filter) };
    let damaged = |request| wire::LookupResourcesRequest { optional_cursor: nonsense(), ..request };
    let exported = wire::ExportBulkRelationshipsRequest { optional_cursor: nonsense(), ..export(None) };
    vec![
        bad(
            "read: cursor that is none",
            Call::ReadRelationships(wire::ReadRelationshipsRequest {
                optional_cursor: nonsense(),
                ..pages(of_type("document"))
            }),
        ),
        bad("lookup of resources: cursor that is none", Call::LookupResources(damaged(page("view")))),
        bad("export: cursor that is none", Call::ExportBulkRelationships(exported)),
        bad("lookup of resources: cursor of another call", Call::NextPage(page("view"), page("edit"))),
        bad("read: cursor of another call", Call::NextRead(pages(of_type("document")), pages(owners))),
    ]
}

fn tokens() -> Vec<Row> {
    let token = || wire::ZedToken { token: "GhUKEzE2".to_owned() };
    let at = |requirement| Some(wire::Consistency { requirement: Some(requirement) });
    let checked = |requirement| {
        Call::CheckPermission(wire::CheckPermissionRequest {
            consistency: at(requirement),
            ..check("document:a#view@user:ada")
        })
    };
    let watched = wire::WatchRequest { optional_start_cursor: Some(token()), ..Default::default() };
    vec![
        invalid("check: exact token that is none", checked(Requirement::AtExactSnapshot(token())), "", &[]),
        invalid("check: fresh token that is none", checked(Requirement::AtLeastAsFresh(token())), "", &[]),
        invalid("watch: cursor that is none", Call::Watch(watched), "", &[]),
    ]
}

fn counters() -> Vec<Row> {
    let register = |name: &str, filter| {
        Call::RegisterCounter(wire::ExperimentalRegisterRelationshipCounterRequest {
            name: name.to_owned(),
            relationship_filter: Some(filter),
        })
    };
    let count = |name: &str| {
        Call::CountRelationships(wire::ExperimentalCountRelationshipsRequest { name: name.to_owned() })
    };
    let unregister = |name: &str| {
        Call::UnregisterCounter(wire::ExperimentalUnregisterRelationshipCounterRequest {
            name: name.to_owned(),
        })
    };
    let absent = |name, call| refused(name, call, "COUNTER_NOT_REGISTERED", &["counter_name"]);
    let empty = |name, call| invalid(name, call, "UNSPECIFIED", &[]);
    vec![
        refused(
            "register counter: name taken",
            register(super::COUNTER, of_type("document")),
            "COUNTER_ALREADY_REGISTERED",
            &["counter_name", "new_filter_resource_type"],
        ),
        absent("count: counter not there", count("absent")),
        absent("unregister counter: not there", unregister("absent")),
        empty("register counter: empty name", register("", of_type("document"))),
        empty("count: empty name", count("")),
        empty("unregister counter: empty name", unregister("")),
        invalid(
            "register counter: empty filter",
            register("other", wire::RelationshipFilter::default()),
            "INVALID_FILTER",
            &["filter"],
        ),
    ]
}
