//! The deprecated twins answer as the calls they stand for.
#![expect(deprecated, reason = "old clients call them")]

use pemba_proto::authzed::api::v1 as wire;
use tonic::Code;

use crate::harness::*;

fn old_item(question: &str) -> wire::BulkCheckPermissionRequestItem {
    let item = bulk_item(question);
    wire::BulkCheckPermissionRequestItem {
        resource: item.resource,
        permission: item.permission,
        subject: item.subject,
        context: item.context,
    }
}

#[tokio::test]
async fn an_old_bulk_check_answers_as_the_new_one() {
    use wire::bulk_check_permission_pair::Response as Old;
    use wire::check_bulk_permissions_pair::Response as New;
    let harness = Harness::start().await;
    harness.touch(&["document:plan#owner@user:ada", "document:plan#viewer@user:eve[on_call]"]).await;
    let questions = [
        "document:plan#view@user:ada",
        "document:plan#view@user:eve",
        "document:plan#view@user:bob",
        "document:plan#nothing@user:ada",
    ];
    let old = wire::BulkCheckPermissionRequest {
        items: questions.iter().map(|question| old_item(question)).collect(),
        ..Default::default()
    };
    let old = harness.experimental().bulk_check_permission(old).await.unwrap().into_inner();
    let new = wire::CheckBulkPermissionsRequest {
        items: questions.iter().map(|question| bulk_item(question)).collect(),
        ..Default::default()
    };
    let new = harness.permissions().check_bulk_permissions(new).await.unwrap().into_inner();
    assert_eq!(old.checked_at, new.checked_at);
    assert_eq!(old.pairs.len(), 4);
    let mut answers = Vec::new();
    for (old, new) in old.pairs.into_iter().zip(new.pairs) {
        match (old.response.unwrap(), new.response.unwrap()) {
            (Old::Item(old), New::Item(new)) => {
                assert_eq!(
                    (old.permissionship, old.partial_caveat_info),
                    (new.permissionship, new.partial_caveat_info)
                );
                answers.push(old.permissionship);
            }
            (Old::Error(old), New::Error(new)) => {
                assert_eq!((old.code, old.message), (new.code, new.message));
                answers.push(0);
            }
            (old, new) => panic!("{old:?} {new:?}"),
        }
    }
    assert_eq!(answers, [HAS, CONDITIONAL, NO, 0]);
    let bad = wire::BulkCheckPermissionRequest {
        items: vec![old_item("Doc:a#view@user:ada")],
        ..Default::default()
    };
    let status = harness.experimental().bulk_check_permission(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_old_import_and_export_carry_everything_over() {
    let harness = Harness::start().await;
    let texts: Vec<String> = (0..2500).map(|n| format!("document:d{n}#owner@user:ada")).collect();
    let messages: Vec<_> = texts
        .chunks(1000)
        .map(|chunk| wire::BulkImportRelationshipsRequest {
            relationships: chunk.iter().map(|text| relationship(text)).collect(),
        })
        .collect();
    let loaded =
        harness.experimental().bulk_import_relationships(tokio_stream::iter(messages.clone())).await.unwrap();
    assert!(loaded.metadata().contains_key("pemba-written-at"));
    assert_eq!(loaded.into_inner().num_loaded, 2500);
    let again = harness.experimental().bulk_import_relationships(tokio_stream::iter(messages)).await;
    assert_error(&again.unwrap_err(), Code::AlreadyExists, "ATTEMPT_TO_RECREATE_RELATIONSHIP", &[]);

    let export =
        |cursor| wire::BulkExportRelationshipsRequest { optional_cursor: cursor, ..Default::default() };
    let stream = harness.experimental().bulk_export_relationships(export(None)).await.unwrap();
    let pages = all(stream).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.relationships.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    let cursor = pages[0].after_result_cursor.clone();
    let stream = harness.experimental().bulk_export_relationships(export(cursor)).await.unwrap();
    assert_eq!(all(stream).await.unwrap(), pages[1..]);
    let damaged = Some(wire::Cursor { token: "nonsense".into() });
    let status = harness.experimental().bulk_export_relationships(export(damaged)).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
}

fn register(
    name: &str,
    filter: Option<wire::RelationshipFilter>,
) -> wire::ExperimentalRegisterRelationshipCounterRequest {
    wire::ExperimentalRegisterRelationshipCounterRequest { name: name.into(), relationship_filter: filter }
}

fn count(name: &str) -> wire::ExperimentalCountRelationshipsRequest {
    wire::ExperimentalCountRelationshipsRequest { name: name.into() }
}

fn unregister(name: &str) -> wire::ExperimentalUnregisterRelationshipCounterRequest {
    wire::ExperimentalUnregisterRelationshipCounterRequest { name: name.into() }
}

#[tokio::test]
async fn a_counter_is_registered_counted_and_unregistered() {
    let harness = Harness::start().await;
    let mut experimental = harness.experimental();
    let documents = || Some(type_filter("document"));
    experimental.experimental_register_relationship_counter(register("docs", documents())).await.unwrap();
    let written = harness.touch(&["document:a#owner@user:ada", "document:b#owner@user:ada"]).await;
    let answer = experimental.experimental_count_relationships(count("docs")).await.unwrap().into_inner();
    let expected = wire::ReadCounterValue { relationship_count: 2, read_at: Some(written) };
    let counted = wire::experimental_count_relationships_response::CounterResult::ReadCounterValue(expected);
    assert_eq!(answer.counter_result, Some(counted));

    let subject_filter = wire::SubjectFilter {
        subject_type: "user".into(),
        optional_subject_id: "ada".into(),
        optional_relation: None,
    };
    let other = wire::RelationshipFilter {
        optional_relation: "viewer".into(),
        optional_subject_filter: Some(subject_filter),
        ..type_filter("document")
    };
    let again = experimental.experimental_register_relationship_counter(register("docs", Some(other))).await;
    let metadata = [
        ("counter_name", "docs"),
        ("new_filter_resource_type", "document"),
        ("new_filter_resource_id", ""),
        ("new_filter_resource_id_prefix", ""),
        ("new_filter_relation", "viewer"),
        ("new_filter_subject_type", "user"),
        ("new_filter_subject_id", "ada"),
        ("new_filter_subject_relation", ""),
    ];
    assert_error(&again.unwrap_err(), Code::FailedPrecondition, "COUNTER_ALREADY_REGISTERED", &metadata);
    experimental.experimental_unregister_relationship_counter(unregister("docs")).await.unwrap();
    let gone = [("counter_name", "docs")];
    let status = experimental.experimental_count_relationships(count("docs")).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "COUNTER_NOT_REGISTERED", &gone);
    let status =
        experimental.experimental_unregister_relationship_counter(unregister("docs")).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "COUNTER_NOT_REGISTERED", &gone);
}

#[tokio::test]
async fn counters_refuse_what_the_field_refuses() {
    let harness = Harness::start().await;
    let mut experimental = harness.experimental();
    let mut refused = Vec::new();
    let both = wire::RelationshipFilter {
        optional_resource_id: "a".into(),
        optional_resource_id_prefix: "a".into(),
        ..type_filter("document")
    };
    let nothing = wire::RelationshipFilter { optional_relation: "nothing".into(), ..type_filter("document") };
    for (name, filter) in [
        ("", Some(type_filter("document"))),
        ("Docs", Some(type_filter("document"))),
        ("docs", None),
        ("docs", Some(wire::RelationshipFilter::default())),
        ("docs", Some(both)),
        ("docs", Some(type_filter("folder"))),
        ("docs", Some(nothing)),
    ] {
        let request = register(name, filter);
        refused.push(experimental.experimental_register_relationship_counter(request).await.unwrap_err());
    }
    assert_error(&refused[0], Code::InvalidArgument, "UNSPECIFIED", &[]);
    assert_error(&refused[1], Code::InvalidArgument, "", &[]);
    assert_error(&refused[2], Code::InvalidArgument, "", &[]);
    assert_error(&refused[3], Code::InvalidArgument, "INVALID_FILTER", &[("filter", "")]);
    assert_error(&refused[4], Code::InvalidArgument, "INVALID_FILTER", &[]);
    let definition = [("definition_name", "folder")];
    assert_error(&refused[5], Code::FailedPrecondition, "UNKNOWN_DEFINITION", &definition);
    let relation = [("definition_name", "document"), ("relation_or_permission_name", "nothing")];
    assert_error(&refused[6], Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &relation);
    let status = experimental.experimental_count_relationships(count("")).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "UNSPECIFIED", &[]);
    let status = experimental.experimental_unregister_relationship_counter(unregister("")).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "UNSPECIFIED", &[]);
}
