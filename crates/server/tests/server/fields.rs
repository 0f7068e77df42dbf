//! Every request field outside its grammar or limit: INVALID_ARGUMENT naming the field.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use pemba_proto::buf::validate::{self, field_path_element::Subscript};
use pemba_proto::google::rpc;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::*;

#[track_caller]
fn names(status: &Status, field: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status:?}");
    let violations =
        status.get_details_bad_request().unwrap_or_else(|| panic!("{field}: {status:?}")).field_violations;
    assert_eq!(violations[0].field, field, "{status:?}");
    assert!(status.message().contains(field), "{status:?}");
}

/// What an error says of the rules that are broken: path, rule id, message, path of the rule.
fn broken(status: &Status) -> Vec<(String, String, String, String)> {
    let wire = rpc::Status::decode(status.details()).unwrap();
    let of_rules =
        wire.details.iter().find(|any| any.type_url == "type.googleapis.com/buf.validate.Violations");
    let Some(any) = of_rules else { return Vec::new() };
    let text = |path: Option<validate::FieldPath>| {
        let elements = path.unwrap_or_default().elements;
        let element = |element: &validate::FieldPathElement| {
            let (name, number) = (element.field_name(), element.field_number.unwrap_or_default());
            match element.subscript {
                Some(Subscript::Index(index)) => format!("{name}={number}[{index}]"),
                _ => format!("{name}={number}"),
            }
        };
        elements.iter().map(element).collect::<Vec<_>>().join(".")
    };
    let violations = validate::Violations::decode(&*any.value).unwrap().violations;
    let told = |one: validate::Violation| {
        (text(one.field), one.rule_id.unwrap(), one.message.unwrap(), text(one.rule))
    };
    violations.into_iter().map(told).collect()
}

#[tokio::test]
async fn every_rule_that_is_broken_is_told_in_both_forms() {
    let harness = Harness::start().await;
    let request = wire::CheckPermissionRequest {
        consistency: Some(wire::Consistency { requirement: None }),
        resource: Some(object("document", "")),
        permission: "v".repeat(65),
        subject: None,
        ..Default::default()
    };
    let status = harness.permissions().check_permission(request).await.unwrap_err();
    let own = |text: &str| text.to_owned();
    let expected = [
        ("requirement", "required", "exactly one field is required in oneof", ""),
        (
            "object_id=2",
            "string.pattern",
            r"does not match regex pattern `^(([a-zA-Z0-9/_|\-=+]{1,})|\*)$`",
            "string=14.pattern=6",
        ),
        ("permission=3", "string.max_bytes", "must be at most 64 bytes", "string=14.max_bytes=5"),
        (
            "permission=3",
            "string.pattern",
            "does not match regex pattern `^([a-z][a-z0-9_]{1,62}[a-z0-9])?$`",
            "string=14.pattern=6",
        ),
        ("subject=4", "required", "value is required", "required=25"),
    ];
    let prefixes = ["consistency=1.", "resource=2.", "", "", ""];
    let expected: Vec<_> = expected
        .iter()
        .zip(prefixes)
        .map(|((path, id, message, rule), prefix)| {
            let path = format!("{prefix}{path}{}", if *path == "requirement" { "=0" } else { "" });
            (path, own(id), own(message), own(rule))
        })
        .collect();
    assert_eq!(broken(&status), expected);
    let fields: Vec<String> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    let named = ["consistency.requirement", "resource.object_id", "permission", "permission", "subject"];
    assert_eq!(fields, named);
    for field in named {
        assert!(status.message().contains(&format!("`{field}`")), "{status:?}");
    }
    // What is no rule of one field is told when there is nothing else, and not as one.
    let request = wire::CheckPermissionRequest { resource: Some(object("document", "*")), ..good() };
    let status = harness.permissions().check_permission(request).await.unwrap_err();
    assert!(broken(&status).is_empty(), "{status:?}");
}

#[tokio::test]
async fn an_error_about_many_fields_stays_small_and_counts_the_rest() {
    let harness = Harness::start().await;
    let items = vec![wire::CheckBulkPermissionsRequestItem::default(); 5000];
    let request = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
    let status = harness.permissions().check_bulk_permissions(request).await.unwrap_err();
    let told = broken(&status);
    assert!(told.len() >= 8, "{told:?}");
    assert_eq!(told[3].0, "items=2[1].subject=3");
    let headers = status.details().len() * 4 / 3 + status.message().len();
    assert!(headers < 7 * 1024, "{headers}");
    let named = status.message().matches('`').count() / 2;
    assert!(status.message().ends_with(&format!("; and {} more", 10_000 - named)), "{status:?}");
}

fn good() -> wire::CheckPermissionRequest {
    check_request("document:a#view@user:ada")
}

#[tokio::test]
async fn checks() {
    let harness = Harness::start().await;
    type Change = fn(&mut wire::CheckPermissionRequest);
    let cases: [(&str, Change); 17] = [
        ("resource", |r| r.resource = None),
        ("resource.object_type", |r| r.resource = Some(object("Doc", "a"))),
        ("resource.object_type", |r| r.resource = Some(object("", "a"))),
        ("resource.object_type", |r| r.resource = Some(object(&"d".repeat(65), "a"))),
        ("resource.object_type", |r| r.resource = Some(object(&format!("{}doc", "abc/".repeat(32)), "a"))),
        ("resource.object_id", |r| r.resource = Some(object("document", ""))),
        ("resource.object_id", |r| r.resource = Some(object("document", "a b"))),
        ("resource.object_id", |r| r.resource = Some(object("document", &"a".repeat(1025)))),
        ("resource.object_id", |r| r.resource = Some(object("document", "*"))),
        ("permission", |r| r.permission = "v".into()),
        ("permission", |r| r.permission = "view_".into()),
        ("permission", |r| r.permission = "v".repeat(65)),
        ("subject", |r| r.subject = None),
        ("subject.object", |r| r.subject = Some(wire::SubjectReference::default())),
        ("subject.object.object_id", |r| r.subject.as_mut().unwrap().object = Some(object("user", "é"))),
        ("subject.optional_relation", |r| r.subject.as_mut().unwrap().optional_relation = "...".into()),
        ("context", |r| {
            let nan = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(f64::NAN)) };
            r.context = Some(prost_types::Struct { fields: [("level".to_owned(), nan)].into() });
        }),
    ];
    for (field, change) in cases {
        let mut request = good();
        change(&mut request);
        names(&harness.permissions().check_permission(request).await.unwrap_err(), field);
    }
}

#[tokio::test]
async fn consistencies_and_tokens() {
    use wire::consistency::Requirement;
    let harness = Harness::start().await;
    let empty = || wire::ZedToken { token: String::new() };
    let cases = [
        ("consistency.requirement", None),
        ("consistency.minimize_latency", Some(Requirement::MinimizeLatency(false))),
        ("consistency.fully_consistent", Some(Requirement::FullyConsistent(false))),
        ("consistency.at_least_as_fresh.token", Some(Requirement::AtLeastAsFresh(empty()))),
        ("consistency.at_exact_snapshot.token", Some(Requirement::AtExactSnapshot(empty()))),
    ];
    for (field, requirement) in cases {
        let request =
            wire::CheckPermissionRequest { consistency: Some(wire::Consistency { requirement }), ..good() };
        names(&harness.permissions().check_permission(request).await.unwrap_err(), field);
    }
}

#[tokio::test]
async fn writes() {
    let harness = Harness::start().await;
    type Change = fn(&mut wire::WriteRelationshipsRequest);
    fn relationship_of(request: &mut wire::WriteRelationshipsRequest) -> &mut wire::Relationship {
        request.updates[1].relationship.as_mut().unwrap()
    }
    fn filter() -> wire::RelationshipFilter {
        type_filter("document")
    }
    fn with_filter(request: &mut wire::WriteRelationshipsRequest, filter: wire::RelationshipFilter) {
        request.optional_preconditions = vec![wire::Precondition { operation: 1, filter: Some(filter) }];
    }
    let cases: [(&str, Change); 20] = [
        ("updates[1].operation", |r| r.updates[1].operation = 0),
        ("updates[1].operation", |r| r.updates[1].operation = 9),
        ("updates[1].relationship", |r| r.updates[1].relationship = None),
        ("updates[1].relationship.resource", |r| relationship_of(r).resource = None),
        ("updates[1].relationship.resource.object_id", |r| {
            relationship_of(r).resource = Some(object("document", "*"))
        }),
        ("updates[1].relationship.relation", |r| relationship_of(r).relation = String::new()),
        ("updates[1].relationship.subject", |r| relationship_of(r).subject = None),
        ("updates[1].relationship.subject.optional_relation", |r| {
            relationship_of(r).subject = Some(wire::SubjectReference {
                object: Some(object("group", "*")),
                optional_relation: "member".into(),
            });
        }),
        ("updates[1].relationship.optional_caveat.caveat_name", |r| {
            relationship_of(r).optional_caveat = Some(wire::ContextualizedCaveat::default());
        }),
        ("updates[1].relationship.optional_caveat.context", |r| {
            let kind = Some(prost_types::value::Kind::NumberValue(f64::INFINITY));
            let fields = [("level".to_owned(), prost_types::Value { kind })].into();
            relationship_of(r).optional_caveat = Some(wire::ContextualizedCaveat {
                caveat_name: "on_call".into(),
                context: Some(prost_types::Struct { fields }),
            });
        }),
        ("updates[1].relationship.optional_expires_at", |r| {
            relationship_of(r).optional_expires_at =
                Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        }),
        ("updates[1].relationship.optional_expires_at", |r| {
            relationship_of(r).optional_expires_at = Some(prost_types::Timestamp { seconds: 0, nanos: -1 });
        }),
        ("optional_preconditions[0].operation", |r| {
            r.optional_preconditions = vec![wire::Precondition { operation: 0, filter: Some(filter()) }];
        }),
        ("optional_preconditions[0].filter", |r| {
            r.optional_preconditions = vec![wire::Precondition { operation: 1, filter: None }];
        }),
        ("optional_preconditions[0].filter.resource_type", |r| with_filter(r, type_filter("X"))),
        ("optional_preconditions[0].filter.optional_resource_id", |r| {
            with_filter(r, wire::RelationshipFilter { optional_resource_id: "*".into(), ..filter() });
        }),
        ("optional_preconditions[0].filter.optional_resource_id_prefix", |r| {
            with_filter(r, wire::RelationshipFilter { optional_resource_id_prefix: "!".into(), ..filter() });
        }),
        ("optional_preconditions[0].filter.optional_relation", |r| {
            with_filter(r, wire::RelationshipFilter { optional_relation: "x".into(), ..filter() });
        }),
        ("optional_preconditions[0].filter.optional_subject_filter.subject_type", |r| {
            with_filter(
                r,
                wire::RelationshipFilter {
                    optional_subject_filter: Some(wire::SubjectFilter::default()),
                    ..filter()
                },
            );
        }),
        ("optional_preconditions[0].filter.optional_subject_filter.optional_relation.relation", |r| {
            let relation = wire::subject_filter::RelationFilter { relation: "x".into() };
            let subject = wire::SubjectFilter {
                subject_type: "user".into(),
                optional_subject_id: "*".into(),
                optional_relation: Some(relation),
            };
            with_filter(r, wire::RelationshipFilter { optional_subject_filter: Some(subject), ..filter() });
        }),
    ];
    for (field, change) in cases {
        let mut request = wire::WriteRelationshipsRequest {
            updates: vec![
                update(Operation::Touch, "document:a#owner@user:ada"),
                update(Operation::Touch, "document:b#owner@user:ada"),
            ],
            ..Default::default()
        };
        change(&mut request);
        names(&harness.permissions().write_relationships(request).await.unwrap_err(), field);
    }
    assert_eq!(harness.database.statistics().relationships, 0);
}

#[tokio::test]
async fn the_other_requests() {
    let harness = Harness::start().await;
    let mut permissions = harness.permissions();
    let cursor = |size: usize| Some(wire::Cursor { token: "x".repeat(size) });
    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        ..Default::default()
    };
    for (field, request) in [
        ("permission", wire::LookupResourcesRequest { permission: String::new(), ..lookup.clone() }),
        (
            "resource_object_type",
            wire::LookupResourcesRequest { resource_object_type: "D".into(), ..lookup.clone() },
        ),
        (
            "optional_cursor.token",
            wire::LookupResourcesRequest { optional_cursor: cursor(0), ..lookup.clone() },
        ),
        (
            "optional_cursor.token",
            wire::LookupResourcesRequest { optional_cursor: cursor(102_401), ..lookup },
        ),
    ] {
        names(&permissions.lookup_resources(request).await.err().unwrap(), field);
    }
    let request = wire::ReadRelationshipsRequest::default();
    names(&permissions.read_relationships(request).await.err().unwrap(), "relationship_filter");
    let request = wire::DeleteRelationshipsRequest::default();
    names(&permissions.delete_relationships(request).await.unwrap_err(), "relationship_filter");
    let request = wire::LookupSubjectsRequest {
        resource: Some(object("document", "a")),
        permission: "view".into(),
        subject_object_type: "user".into(),
        wildcard_option: 7,
        ..Default::default()
    };
    names(&permissions.lookup_subjects(request).await.err().unwrap(), "wildcard_option");
    let mut item = bulk_item("document:a#view@user:ada");
    item.permission = "X".into();
    let request = wire::CheckBulkPermissionsRequest {
        items: vec![bulk_item("document:a#view@user:ada"), item],
        ..Default::default()
    };
    names(&permissions.check_bulk_permissions(request).await.unwrap_err(), "items[1].permission");
    let message = wire::ImportBulkRelationshipsRequest { relationships: vec![wire::Relationship::default()] };
    let status = permissions.import_bulk_relationships(tokio_stream::iter([message])).await.unwrap_err();
    names(&status, "relationships[0].resource");
    let request = wire::WatchRequest { optional_object_types: vec!["D".into()], ..Default::default() };
    names(&harness.watches().watch(request).await.err().unwrap(), "optional_object_types[0]");
    let request = wire::WatchRequest { optional_update_kinds: vec![8], ..Default::default() };
    names(&harness.watches().watch(request).await.err().unwrap(), "optional_update_kinds[0]");
    let request = wire::WatchRequest {
        optional_object_types: vec!["document".into()],
        optional_relationship_filters: vec![type_filter("document")],
        ..Default::default()
    };
    names(&harness.watches().watch(request).await.err().unwrap(), "optional_relationship_filters");
    let status = harness.write_schema(&" ".repeat(4 * 1024 * 1024 + 1)).await.unwrap_err();
    names(&status, "schema");
}
