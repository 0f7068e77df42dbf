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
                assert_eq!(old, new);
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
