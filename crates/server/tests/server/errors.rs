//! Every row of the error table, provoked over gRPC: code, reason, metadata.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use pemba_db::store::{Batch, Family, MemoryStore, Store, StoreError, StoreStatistics, Visit};
use pemba_db::{Database, Options, Storage};
use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::*;

fn precondition(operation: i32, filter: wire::RelationshipFilter) -> wire::Precondition {
    wire::Precondition { operation, filter: Some(filter) }
}

async fn read(harness: &Harness, request: wire::ReadRelationshipsRequest) -> Result<usize, Status> {
    let stream = harness.permissions().read_relationships(request).await?;
    Ok(all(stream).await?.len())
}

async fn delete(harness: &Harness, request: wire::DeleteRelationshipsRequest) -> Status {
    harness.permissions().delete_relationships(request).await.unwrap_err()
}

#[tokio::test]
async fn limits_above_their_caps() {
    let harness = Harness::start().await;
    let expected = [("limit_provided", "1001"), ("maximum_limit_allowed", "1000")];
    let check = |status: Status| {
        assert_error(&status, Code::InvalidArgument, "EXCEEDS_MAXIMUM_ALLOWABLE_LIMIT", &expected)
    };
    let filter = Some(type_filter("document"));
    let request = wire::ReadRelationshipsRequest {
        relationship_filter: filter.clone(),
        optional_limit: 1001,
        ..Default::default()
    };
    check(read(&harness, request).await.unwrap_err());
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: filter,
        optional_limit: 1001,
        ..Default::default()
    };
    check(delete(&harness, request).await);
    let request = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        optional_limit: 1001,
        ..Default::default()
    };
    check(harness.permissions().lookup_resources(request).await.err().unwrap());
    let request = wire::ExportBulkRelationshipsRequest { optional_limit: 10_001, ..Default::default() };
    let status = harness.permissions().export_bulk_relationships(request).await.err().unwrap();
    let expected = [("limit_provided", "10001"), ("maximum_limit_allowed", "10000")];
    assert_error(&status, Code::InvalidArgument, "EXCEEDS_MAXIMUM_ALLOWABLE_LIMIT", &expected);
}

#[tokio::test]
async fn too_much_in_one_request() {
    let harness = Harness::start().await;
    let items = vec![bulk_item("document:a#view@user:a"); 10_001];
    let request = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
    let status = harness.permissions().check_bulk_permissions(request).await.unwrap_err();
    let expected = [("check_count", "10001"), ("maximum_checks_allowed", "10000")];
    assert_error(&status, Code::InvalidArgument, "TOO_MANY_CHECKS_IN_REQUEST", &expected);

    let updates =
        (0..1001).map(|n| update(Operation::Touch, &format!("document:d{n}#owner@user:a"))).collect();
    let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    let expected = [("update_count", "1001"), ("maximum_updates_allowed", "1000")];
    assert_error(&status, Code::InvalidArgument, "TOO_MANY_UPDATES_IN_REQUEST", &expected);

    let optional_preconditions = vec![precondition(2, type_filter("document")); 1001];
    let request = wire::WriteRelationshipsRequest {
        optional_preconditions: optional_preconditions.clone(),
        ..Default::default()
    };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    let expected = [("precondition_count", "1001"), ("maximum_updates_allowed", "1000")];
    assert_error(&status, Code::InvalidArgument, "TOO_MANY_PRECONDITIONS_IN_REQUEST", &expected);
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        optional_preconditions,
        ..Default::default()
    };
    let status = delete(&harness, request).await;
    assert_error(&status, Code::InvalidArgument, "TOO_MANY_PRECONDITIONS_IN_REQUEST", &expected);
}

#[tokio::test]
async fn sizes_above_their_limits() {
    let harness = Harness::start().await;
    let context = Some(text_struct("level", &"x".repeat(5000)));
    let request =
        wire::CheckPermissionRequest { context: context.clone(), ..check_request("document:a#view@user:a") };
    let status = harness.permissions().check_permission(request).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "", &[]);
    assert!(status.message().contains("4096"), "{status:?}");
    let item = wire::CheckBulkPermissionsRequestItem { context, ..bulk_item("document:a#view@user:a") };
    let request = wire::CheckBulkPermissionsRequest { items: vec![item], ..Default::default() };
    assert_error(
        &harness.permissions().check_bulk_permissions(request).await.unwrap_err(),
        Code::InvalidArgument,
        "",
        &[],
    );

    let mut large = update(Operation::Touch, "document:a#viewer@user:a[on_call]");
    large.relationship.as_mut().unwrap().optional_caveat.as_mut().unwrap().context =
        Some(text_struct("level", &"x".repeat(26_000)));
    let request = wire::WriteRelationshipsRequest { updates: vec![large.clone()], ..Default::default() };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    let expected = [("relationship", "document:a#viewer@user:a"), ("max_allowed_size", "25000")];
    assert_error(&status, Code::InvalidArgument, "MAX_RELATIONSHIP_CONTEXT_SIZE", &expected);
    let message = wire::ImportBulkRelationshipsRequest { relationships: vec![large.relationship.unwrap()] };
    let status =
        harness.permissions().import_bulk_relationships(tokio_stream::iter([message])).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "MAX_RELATIONSHIP_CONTEXT_SIZE", &expected);

    let metadata = Some(text_struct("who", &"x".repeat(66_000)));
    let expected = [("maximum_allowed_metadata_byte_size", "65000")];
    let request = wire::WriteRelationshipsRequest {
        optional_transaction_metadata: metadata.clone(),
        ..Default::default()
    };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "TRANSACTION_METADATA_TOO_LARGE", &expected);
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        optional_transaction_metadata: metadata,
        ..Default::default()
    };
    assert_error(
        &delete(&harness, request).await,
        Code::InvalidArgument,
        "TRANSACTION_METADATA_TOO_LARGE",
        &expected,
    );
}

#[tokio::test]
async fn preconditions_that_do_not_hold() {
    let harness = Harness::start().await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    let filter = wire::RelationshipFilter {
        optional_resource_id: "b".into(),
        optional_relation: "owner".into(),
        optional_subject_filter: Some(wire::SubjectFilter {
            subject_type: "user".into(),
            optional_subject_id: "ada".into(),
            optional_relation: None,
        }),
        ..type_filter("document")
    };
    let expected = [
        ("precondition_operation", "OPERATION_MUST_MATCH"),
        ("precondition_resource_type", "document"),
        ("precondition_resource_id", "b"),
        ("precondition_relation", "owner"),
        ("precondition_subject_type", "user"),
        ("precondition_subject_id", "ada"),
    ];
    let request = wire::WriteRelationshipsRequest {
        updates: vec![update(Operation::Touch, "document:c#owner@user:ada")],
        optional_preconditions: vec![precondition(2, filter)],
        ..Default::default()
    };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "WRITE_OR_DELETE_PRECONDITION_FAILURE", &expected);
    assert_eq!(harness.answer("document:c#view@user:ada").await, NO);
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        optional_preconditions: vec![precondition(1, type_filter("document"))],
        ..Default::default()
    };
    let expected = [("precondition_operation", "OPERATION_MUST_NOT_MATCH")];
    let status = delete(&harness, request).await;
    assert_error(&status, Code::FailedPrecondition, "WRITE_OR_DELETE_PRECONDITION_FAILURE", &expected);
    let request = wire::WriteRelationshipsRequest {
        optional_preconditions: vec![precondition(2, wire::RelationshipFilter::default())],
        ..Default::default()
    };
    let status = harness.permissions().write_relationships(request).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "INVALID_FILTER", &[("filter", "")]);
}

#[tokio::test]
async fn writes_that_the_schema_or_the_data_refuse() {
    let harness = Harness::start().await;
    let write = async |operation, texts: &[&str]| harness.write(operation, texts).await.unwrap_err();
    let twice = ["document:a#viewer@user:eve[on_call]", "document:a#viewer@user:eve"];
    let expected = [("definition_name", "document"), ("relationship", "document:a#viewer@user:eve")];
    assert_error(
        &write(Operation::Touch, &twice).await,
        Code::InvalidArgument,
        "UPDATES_ON_SAME_RELATIONSHIP",
        &expected,
    );

    harness.touch(&["document:a#owner@user:ada"]).await;
    let status = write(Operation::Create, &["document:a#owner@user:ada"]).await;
    let expected = [
        ("relationship", "document:a#owner@user:ada"),
        ("resource_type", "document"),
        ("resource_object_id", "a"),
        ("resource_relation", "owner"),
        ("subject_type", "user"),
        ("subject_object_id", "ada"),
        ("subject_relation", ""),
    ];
    assert_error(&status, Code::AlreadyExists, "ATTEMPT_TO_RECREATE_RELATIONSHIP", &expected);
    let message = wire::ImportBulkRelationshipsRequest {
        relationships: vec![relationship("document:a#owner@user:ada")],
    };
    let status =
        harness.permissions().import_bulk_relationships(tokio_stream::iter([message])).await.unwrap_err();
    assert_error(&status, Code::AlreadyExists, "ATTEMPT_TO_RECREATE_RELATIONSHIP", &[]);

    let status = write(Operation::Touch, &["document:a#view@user:ada"]).await;
    let expected = [("definition_name", "document"), ("permission_name", "view")];
    assert_error(&status, Code::InvalidArgument, "CANNOT_UPDATE_PERMISSION", &expected);

    let status = write(Operation::Touch, &["document:a#owner@group:eng"]).await;
    let expected = [("definition_name", "document"), ("relation_name", "owner"), ("subject_type", "group")];
    assert_error(&status, Code::InvalidArgument, "INVALID_SUBJECT_TYPE", &expected);
    let status = write(Operation::Touch, &["document:a#owner@user:*"]).await;
    assert_error(&status, Code::InvalidArgument, "INVALID_SUBJECT_TYPE", &[("relation_name", "owner")]);
    let status = write(Operation::Touch, &["document:a#viewer@user:eve[other_caveat]"]).await;
    assert_error(&status, Code::InvalidArgument, "INVALID_SUBJECT_TYPE", &[("relation_name", "viewer")]);
    let status = write(Operation::Touch, &["document:a#owner@user:eve[on_call]"]).await;
    assert_error(&status, Code::InvalidArgument, "INVALID_SUBJECT_TYPE", &[("relation_name", "owner")]);

    let status = write(Operation::Touch, &[r#"document:a#viewer@user:eve[on_call:{"level":"high"}]"#]).await;
    let expected = [("caveat_name", "on_call"), ("parameter_name", "level")];
    assert_error(&status, Code::InvalidArgument, "CAVEAT_PARAMETER_TYPE_ERROR", &expected);
    let status = write(Operation::Touch, &[r#"document:a#viewer@user:eve[on_call:{"lvl":1}]"#]).await;
    assert_error(&status, Code::InvalidArgument, "CAVEAT_PARAMETER_TYPE_ERROR", &[("parameter_name", "lvl")]);

    let status = write(Operation::Touch, &["folder:a#owner@user:ada"]).await;
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &[("definition_name", "folder")]);
    let status = write(Operation::Touch, &["document:a#ownr@user:ada"]).await;
    let expected = [("definition_name", "document"), ("relation_or_permission_name", "ownr")];
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &expected);
    assert!(status.message().contains("owner"), "no near name: {status:?}");
}

#[tokio::test]
async fn names_that_the_schema_lacks() {
    let harness = Harness::start().await;
    let definition = [("definition_name", "folder")];
    let relation = [("definition_name", "document"), ("relation_or_permission_name", "vieww")];
    let status = harness.check("folder:a#view@user:ada", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &definition);
    let status = harness.check("document:a#view@folder:ada", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &definition);
    let status = harness.check("document:a#vieww@user:ada", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &relation);

    let expand = wire::ExpandPermissionTreeRequest {
        resource: Some(object("document", "a")),
        permission: "vieww".into(),
        ..Default::default()
    };
    let status = harness.permissions().expand_permission_tree(expand).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &relation);
    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "vieww".into(),
        subject: Some(subject("user:ada")),
        ..Default::default()
    };
    let status = harness.permissions().lookup_resources(lookup).await.err().unwrap();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &relation);
    let lookup = wire::LookupSubjectsRequest {
        resource: Some(object("folder", "a")),
        permission: "view".into(),
        subject_object_type: "user".into(),
        ..Default::default()
    };
    let status = harness.permissions().lookup_subjects(lookup).await.err().unwrap();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &definition);

    let filter = Some(type_filter("folder"));
    let request =
        wire::ReadRelationshipsRequest { relationship_filter: filter.clone(), ..Default::default() };
    assert_error(
        &read(&harness, request).await.unwrap_err(),
        Code::FailedPrecondition,
        "UNKNOWN_DEFINITION",
        &definition,
    );
    let request = wire::DeleteRelationshipsRequest { relationship_filter: filter, ..Default::default() };
    assert_error(
        &delete(&harness, request).await,
        Code::FailedPrecondition,
        "UNKNOWN_DEFINITION",
        &definition,
    );
    let filter = wire::RelationshipFilter { optional_relation: "vieww".into(), ..type_filter("document") };
    let request = wire::ReadRelationshipsRequest { relationship_filter: Some(filter), ..Default::default() };
    let status = read(&harness, request).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &relation);
}

#[tokio::test]
async fn filters_that_select_nothing_in_particular() {
    let harness = Harness::start().await;
    let empty = wire::RelationshipFilter::default();
    let both = wire::RelationshipFilter {
        optional_resource_id: "a".into(),
        optional_resource_id_prefix: "a".into(),
        ..type_filter("document")
    };
    for filter in [empty, both] {
        let check = |status: Status| assert_error(&status, Code::InvalidArgument, "INVALID_FILTER", &[]);
        let relationship_filter = Some(filter.clone());
        let request = wire::ReadRelationshipsRequest {
            relationship_filter: relationship_filter.clone(),
            ..Default::default()
        };
        check(read(&harness, request).await.unwrap_err());
        let request = wire::DeleteRelationshipsRequest {
            relationship_filter: relationship_filter.clone(),
            ..Default::default()
        };
        check(delete(&harness, request).await);
        let request = wire::ExportBulkRelationshipsRequest {
            optional_relationship_filter: relationship_filter,
            ..Default::default()
        };
        check(harness.permissions().export_bulk_relationships(request).await.err().unwrap());
        let request =
            wire::WatchRequest { optional_relationship_filters: vec![filter], ..Default::default() };
        check(harness.watches().watch(request).await.err().unwrap());
    }
}

#[tokio::test]
async fn the_wildcard_asks_nothing() {
    let harness = Harness::start().await;
    let status = harness.check("document:a#view@user:*", None).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "WILDCARD_NOT_ALLOWED", &[("field", "subject.object_id")]);
    let everybody = || subject("user:*");
    let members =
        wire::SubjectReference { object: Some(object("group", "*")), optional_relation: "member".into() };
    let lookup = |resource_type: &str, asker| wire::LookupResourcesRequest {
        resource_object_type: resource_type.into(),
        permission: "view".into(),
        subject: Some(asker),
        ..Default::default()
    };
    for asker in [everybody(), members] {
        let status = harness.permissions().lookup_resources(lookup("document", asker)).await.err().unwrap();
        assert_error(&status, Code::InvalidArgument, "WILDCARD_NOT_ALLOWED", &[("field", "subject_id")]);
    }
    // A name that the schema lacks is the first fault.
    let status = harness.permissions().lookup_resources(lookup("nothing", everybody())).await.err().unwrap();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &[]);
    let status = harness.check("document:a#nothing@user:*", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &[]);
    let items = ["document:a#nothing@user:*", "document:a#view@user:*"].map(bulk_item).into();
    let request = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
    let pairs = harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner().pairs;
    let codes: Vec<i32> = pairs
        .into_iter()
        .map(|pair| match pair.response {
            Some(wire::check_bulk_permissions_pair::Response::Error(status)) => status.code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, [Code::FailedPrecondition as i32, Code::InvalidArgument as i32]);
}

#[tokio::test]
async fn a_delete_of_more_than_its_limit() {
    let harness = Harness::start().await;
    harness.touch(&["document:a#owner@user:a", "document:b#owner@user:a", "document:c#owner@user:a"]).await;
    let filter = wire::RelationshipFilter { optional_relation: "owner".into(), ..type_filter("document") };
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: Some(filter),
        optional_limit: 2,
        ..Default::default()
    };
    let expected = [("limit", "2"), ("filter_resource_type", "document"), ("filter_relation", "owner")];
    let status = delete(&harness, request).await;
    assert_error(
        &status,
        Code::InvalidArgument,
        "TOO_MANY_RELATIONSHIPS_FOR_TRANSACTIONAL_DELETE",
        &expected,
    );
    assert_eq!(harness.answer("document:a#view@user:a").await, HAS);
}

#[tokio::test]
async fn a_query_that_takes_too_many_steps() {
    let limits = Limits { query_steps_max: 20, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let texts: Vec<String> = (0..200).map(|n| format!("group:g{n}#member@group:g{}#member", n + 1)).collect();
    harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    harness.touch(&["group:g200#member@user:ada", "document:a#viewer@group:g0#member"]).await;
    let status = harness.check("document:a#view@user:ada", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "MAXIMUM_DEPTH_EXCEEDED", &[]);
    let info = |status: &Status| status.get_details_error_info().unwrap();
    assert!(info(&status).metadata.is_empty(), "no trace was asked for");
    // With one, what was come by first is told, whatever asked.
    let request =
        wire::CheckPermissionRequest { with_tracing: true, ..check_request("document:a#view@user:ada") };
    let traced = harness.permissions().check_permission(request).await.unwrap_err();
    assert_error(&traced, Code::FailedPrecondition, "MAXIMUM_DEPTH_EXCEEDED", &[]);
    let trace = info(&traced).metadata.remove("debug_trace_proto_text").unwrap();
    let root = r#"check:{resource:{object_type:"document" object_id:"a"} permission:"view" permission_type:PERMISSION_TYPE_PERMISSION subject:{object:{object_type:"user" object_id:"ada"}} "#;
    assert!(trace.starts_with(root), "{trace}");
    for id in ["g0", "g1", "g2"] {
        let node = format!(
            r#"sub_problems:{{traces:{{resource:{{object_type:"group" object_id:"{id}"}} permission:"member""#
        );
        assert!(trace.contains(&node), "{id}: {trace}");
    }
    assert!(trace.contains("source:\"pemba-cut:") && !trace.contains("result:"), "{trace}");
    assert!(trace.len() <= 2560, "{}", trace.len());
    let request = wire::CheckBulkPermissionsRequest {
        items: vec![bulk_item("document:a#view@user:ada")],
        with_tracing: true,
        ..Default::default()
    };
    let answer = harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner();
    let Some(wire::check_bulk_permissions_pair::Response::Error(item)) = &answer.pairs[0].response else {
        panic!("{answer:?}")
    };
    let item = Status::with_details(Code::from(item.code), "", item.encode_to_vec().into());
    assert!(info(&item).metadata["debug_trace_proto_text"].starts_with(root));
}

#[tokio::test]
async fn schemas_that_are_refused() {
    let harness = Harness::start().await;
    let status = harness.write_schema("definition user {\n  relation\n}").await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "SCHEMA_PARSE_ERROR", &[]);
    let info = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
    // From 0: the end of the second line.
    for (key, value) in [
        ("source_code", "\n"),
        ("start_line_number", "1"),
        ("start_column_position", "10"),
        ("end_line_number", "2"),
        ("end_column_position", "0"),
    ] {
        assert_eq!(info.metadata.get(key).map(String::as_str), Some(value), "{key}: {:?}", info.metadata);
    }
    let status = harness.write_schema("definition user { relation friend: person }").await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_error(&status, Code::FailedPrecondition, "SCHEMA_TYPE_ERROR", &[]);

    harness.touch(&["document:a#viewer@user:*", "document:a#owner@user:ada"]).await;
    let without = |text: &str| SCHEMA.replace(text, "");
    let status = harness.write_schema(&without(" | user:*")).await.unwrap_err();
    let expected = [
        ("operation", "remove_allowed_type"),
        ("resource_type", "document"),
        ("relation", "viewer"),
        ("allowed_type", "user:*"),
        ("relationship", "document:a#viewer@user:*"),
    ];
    assert_error(&status, Code::InvalidArgument, "SCHEMA_TYPE_ERROR", &expected);
    let status = harness.write_schema("definition user {}").await.unwrap_err();
    let expected = [("operation", "delete_object_definition"), ("resource_type", "document")];
    assert_error(&status, Code::InvalidArgument, "SCHEMA_TYPE_ERROR", &expected);
    let status = harness.write_schema(&SCHEMA.replace("level int", "level uint")).await.unwrap_err();
    let expected =
        [("operation", "change_parameter_type"), ("caveat_name", "on_call"), ("parameter_name", "level")];
    assert_error(&status, Code::InvalidArgument, "SCHEMA_TYPE_ERROR", &expected);
}

#[tokio::test]
async fn no_schema_is_not_found() {
    let harness = Harness::start_with(Limits::default(), |_| ()).await;
    let status = harness.schemas().read_schema(wire::ReadSchemaRequest {}).await.unwrap_err();
    assert_error(&status, Code::NotFound, "", &[]);
    let status = harness.check("document:a#view@user:ada", None).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &[("definition_name", "document")]);
}

#[tokio::test]
async fn reads_that_look_at_too_much_say_so() {
    let limits = Limits { query_steps_max: 100, ..Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let texts: Vec<String> = (0..200).map(|n| format!("document:d{n}#owner@user:u{n}")).collect();
    harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let sparse = wire::RelationshipFilter {
        optional_subject_filter: Some(wire::SubjectFilter {
            subject_type: "user".into(),
            optional_subject_id: String::new(),
            optional_relation: Some(wire::subject_filter::RelationFilter { relation: "".into() }),
        }),
        optional_resource_id_prefix: "z".into(),
        ..type_filter("document")
    };
    let request =
        wire::ReadRelationshipsRequest { relationship_filter: Some(sparse.clone()), ..Default::default() };
    let status = read(&harness, request).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "MAXIMUM_DEPTH_EXCEEDED", &[]);
    let request = wire::ExportBulkRelationshipsRequest {
        optional_relationship_filter: Some(sparse),
        ..Default::default()
    };
    let status = harness.permissions().export_bulk_relationships(request).await.err().unwrap();
    assert_error(&status, Code::FailedPrecondition, "MAXIMUM_DEPTH_EXCEEDED", &[]);
    // Small pages of the same data are within the bound.
    let request = wire::ExportBulkRelationshipsRequest { optional_limit: 10, ..Default::default() };
    let pages = all(harness.permissions().export_bulk_relationships(request).await.unwrap()).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.relationships.len()).sum::<usize>(), 200);
}

/// A store whose writes wait until they are let through.
struct Gate {
    inner: MemoryStore,
    open: Mutex<bool>,
    opened: Condvar,
    waits: AtomicBool,
}

impl Store for Gate {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let mut open = self.open.lock().unwrap();
        while !*open {
            self.waits.store(true, Ordering::SeqCst);
            open = self.opened.wait(open).unwrap();
        }
        drop(open);
        self.inner.write(batch)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        self.inner.scan(family, from, to, visit)
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), StoreError> {
        self.inner.checkpoint(directory)
    }

    fn statistics(&self) -> StoreStatistics {
        self.inner.statistics()
    }
}

#[tokio::test]
async fn a_full_queue_of_writes_is_told_as_such() {
    let gate = Arc::new(Gate {
        inner: MemoryStore::new(),
        open: Mutex::new(true),
        opened: Condvar::new(),
        waits: AtomicBool::new(false),
    });
    let limits = Limits { write_queue_max: 2, commit_group_max: 1, ..Limits::default() };
    let storage = Storage::Store(gate.clone());
    let database = Database::open(storage, Options { limits: limits.clone(), ..Options::default() }).unwrap();
    let harness = Harness::start_with(limits, |options| options.database = Some(database)).await;
    harness.write_schema(SCHEMA).await.unwrap();
    *gate.open.lock().unwrap() = false;
    let mut waiting = Vec::new();
    for n in 0..20 {
        let mut permissions = harness.permissions();
        let updates = vec![update(Operation::Touch, &format!("document:d{n}#owner@user:ada"))];
        let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
        waiting.push(tokio::spawn(async move { permissions.write_relationships(request).await }));
        while !gate.waits.load(Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    // One is with the store, two wait; all others are refused at once.
    let mut refused = Vec::new();
    for _ in 0..1000 {
        let (done, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|write| write.is_finished());
        waiting = left;
        for write in done {
            refused.push(write.await.unwrap().unwrap_err());
        }
        if refused.len() == 17 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let rest = waiting;
    *gate.open.lock().unwrap() = true;
    gate.opened.notify_all();
    for write in rest {
        write.await.unwrap().unwrap();
    }
    assert_eq!(refused.len(), 17);
    for status in refused {
        assert_error(&status, Code::ResourceExhausted, "", &[]);
        assert!(status.message().contains("write-queue-max"), "{status:?}");
    }
}
