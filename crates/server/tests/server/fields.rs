//! Every request field outside its grammar or limit: INVALID_ARGUMENT naming the field.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
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
