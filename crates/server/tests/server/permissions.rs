//! Every call that works, working.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::permission_relationship_tree::TreeType;
use pemba_proto::authzed::api::v1::relationship_update::Operation;

use crate::harness::*;

#[tokio::test]
async fn checks_answer_has_no_and_conditional() {
    let harness = Harness::start().await;
    harness
        .touch(&[
            "document:plan#owner@user:ada",
            "document:plan#viewer@group:eng#member",
            "group:eng#member@user:bob",
            "document:plan#viewer@user:eve[on_call]",
            "document:plan#banned@user:bob",
            "document:wiki#viewer@user:*",
        ])
        .await;
    assert_eq!(harness.answer("document:plan#edit@user:ada").await, HAS);
    assert_eq!(harness.answer("document:plan#viewer@user:bob").await, HAS);
    assert_eq!(harness.answer("document:plan#view@user:bob").await, NO);
    assert_eq!(harness.answer("document:wiki#view@user:nobody-yet").await, HAS);
    assert_eq!(harness.answer("document:plan#viewer@group:eng#member").await, HAS);
    let conditional = harness.check("document:plan#view@user:eve", None).await.unwrap();
    assert_eq!(conditional.permissionship, CONDITIONAL);
    assert_eq!(conditional.partial_caveat_info.unwrap().missing_required_context, ["level"]);
    assert!(conditional.checked_at.is_some());
}

#[tokio::test]
async fn a_grant_with_an_end_says_when() {
    let harness = Harness::start().await;
    harness.touch(&["document:plan#viewer@user:ada[expiration:2100-01-01T00:00:00Z]"]).await;
    let answer = harness.check("document:plan#view@user:ada", None).await.unwrap();
    assert_eq!(answer.permissionship, HAS);
    assert_eq!(answer.optional_expires_at.unwrap().seconds, 4_102_444_800);
    harness.touch(&["document:past#viewer@user:ada[expiration:2000-01-01T00:00:00Z]"]).await;
    assert_eq!(harness.answer("document:past#view@user:ada").await, NO);
}

#[tokio::test]
async fn a_bulk_check_keeps_order_and_only_the_guilty_item_fails() {
    let harness = Harness::start().await;
    harness.touch(&["document:plan#owner@user:ada", "document:plan#viewer@user:eve[on_call]"]).await;
    let questions = [
        "document:plan#view@user:ada",
        "document:plan#nothing@user:ada",
        "document:plan#view@user:eve",
        "document:plan#view@user:*",
        "document:plan#view@user:bob",
    ];
    let items: Vec<_> = questions.iter().map(|question| bulk_item(question)).collect();
    let request = wire::CheckBulkPermissionsRequest { items: items.clone(), ..Default::default() };
    let answer = harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner();
    assert!(answer.checked_at.is_some());
    let told: Vec<i32> = answer
        .pairs
        .iter()
        .zip(&items)
        .map(|(pair, item)| {
            assert_eq!(pair.request.as_ref(), Some(item));
            match pair.response.as_ref().unwrap() {
                wire::check_bulk_permissions_pair::Response::Item(item) => item.permissionship,
                wire::check_bulk_permissions_pair::Response::Error(status) => {
                    assert_eq!(status.details.len(), 1);
                    -status.code
                }
            }
        })
        .collect();
    assert_eq!(told, [HAS, -9, CONDITIONAL, -3, NO]);
}

#[tokio::test]
async fn a_large_bulk_check_is_answered_too() {
    let harness = Harness::start().await;
    harness.touch(&["document:d7#owner@user:ada"]).await;
    let items = (0..1000).map(|n| bulk_item(&format!("document:d{n}#view@user:ada"))).collect();
    let request = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
    let answer = harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner();
    let has: Vec<usize> = answer
        .pairs
        .iter()
        .enumerate()
        .filter(|(_, pair)| match pair.response.as_ref().unwrap() {
            wire::check_bulk_permissions_pair::Response::Item(item) => item.permissionship == HAS,
            wire::check_bulk_permissions_pair::Response::Error(status) => panic!("{status:?}"),
        })
        .map(|(index, _)| index)
        .collect();
    assert_eq!((answer.pairs.len(), has), (1000, vec![7]));
}

#[tokio::test]
async fn writes_touch_delete_and_deletes_by_filter_loop_to_complete() {
    let harness = Harness::start().await;
    let names: Vec<String> = (0..5).map(|n| format!("document:d{n}#owner@user:ada")).collect();
    harness.touch(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    harness
        .write(Operation::Delete, &["document:d0#owner@user:ada", "document:gone#owner@user:ada"])
        .await
        .unwrap();
    assert_eq!(harness.answer("document:d0#view@user:ada").await, NO);
    let request = wire::DeleteRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        optional_limit: 2,
        optional_allow_partial_deletions: true,
        ..Default::default()
    };
    let mut told = Vec::new();
    loop {
        let deleted = harness.permissions().delete_relationships(request.clone()).await.unwrap().into_inner();
        told.push((deleted.relationships_deleted_count, deleted.deletion_progress));
        if deleted.deletion_progress == 1 {
            break;
        }
    }
    assert_eq!(told, [(2, 2), (2, 2), (0, 1)]);
    harness.touch(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let request = wire::DeleteRelationshipsRequest { optional_limit: 0, ..request };
    let deleted = harness.permissions().delete_relationships(request).await.unwrap().into_inner();
    assert_eq!((deleted.relationships_deleted_count, deleted.deletion_progress), (5, 1));
    assert!(deleted.deleted_at.is_some());
}

#[tokio::test]
async fn reads_return_what_was_written() {
    let harness = Harness::start().await;
    let texts = [
        r#"document:plan#viewer@user:eve[on_call:{"level":2}]"#,
        "document:plan#viewer@user:ada[expiration:2100-01-01T00:00:00Z]",
        "document:plan#viewer@user:*",
        "group:eng#member@group:ops#member",
    ];
    harness.touch(&texts).await;
    let mut read = Vec::new();
    for resource_type in ["document", "group"] {
        let request = wire::ReadRelationshipsRequest {
            relationship_filter: Some(type_filter(resource_type)),
            ..Default::default()
        };
        let stream = harness.permissions().read_relationships(request).await.unwrap();
        read.extend(all(stream).await.unwrap().into_iter().map(|message| {
            assert!(message.read_at.is_some() && message.after_result_cursor.is_some());
            message.relationship.unwrap()
        }));
    }
    for text in texts {
        assert!(read.contains(&relationship(text)), "{text}: {read:?}");
    }
    assert_eq!(read.len(), texts.len());
}

#[tokio::test]
async fn lookups_find_resources_and_subjects() {
    let harness = Harness::start().await;
    harness
        .touch(&[
            "document:a#owner@user:ada",
            "document:b#viewer@user:ada[on_call]",
            "document:c#viewer@user:*",
            "document:c#banned@user:bob",
            "document:c#viewer@user:eve",
            "document:d#owner@user:bob",
        ])
        .await;
    let request = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        ..Default::default()
    };
    let stream = harness.permissions().lookup_resources(request).await.unwrap();
    let found: Vec<(String, i32, bool)> = all(stream)
        .await
        .unwrap()
        .into_iter()
        .map(|message| {
            let missing =
                message.partial_caveat_info.is_some_and(|info| info.missing_required_context == ["level"]);
            (message.resource_object_id, message.permissionship, missing)
        })
        .collect();
    assert_eq!(found, [("a".into(), 1, false), ("b".into(), 2, true), ("c".into(), 1, false)]);

    let request = wire::LookupSubjectsRequest {
        resource: Some(object("document", "c")),
        permission: "view".into(),
        subject_object_type: "user".into(),
        ..Default::default()
    };
    let stream = harness.permissions().lookup_subjects(request.clone()).await.unwrap();
    let found = all(stream).await.unwrap();
    let wildcard = &found[0];
    assert_eq!(wildcard.subject.as_ref().unwrap().subject_object_id, "*");
    let excluded: Vec<&str> =
        wildcard.excluded_subjects.iter().map(|subject| subject.subject_object_id.as_str()).collect();
    assert_eq!(excluded, ["bob"]);
    #[expect(deprecated, reason = "older clients read these")]
    {
        assert_eq!((wildcard.subject_object_id.as_str(), wildcard.permissionship), ("*", 1));
        assert_eq!(wildcard.excluded_subject_ids, ["bob"]);
    }
    let named: Vec<&str> = found[1..]
        .iter()
        .map(|message| message.subject.as_ref().unwrap().subject_object_id.as_str())
        .collect();
    assert_eq!(named, ["eve"]);
    let request = wire::LookupSubjectsRequest { wildcard_option: 2, ..request };
    let stream = harness.permissions().lookup_subjects(request).await.unwrap();
    assert_eq!(all(stream).await.unwrap().len(), 1);
}

#[tokio::test]
async fn expand_shows_one_level() {
    let harness = Harness::start().await;
    harness.touch(&["document:plan#owner@user:ada", "document:plan#viewer@group:eng#member"]).await;
    let request = wire::ExpandPermissionTreeRequest {
        resource: Some(object("document", "plan")),
        permission: "view".into(),
        ..Default::default()
    };
    let answer = harness.permissions().expand_permission_tree(request).await.unwrap().into_inner();
    assert!(answer.expanded_at.is_some());
    let root = answer.tree_root.unwrap();
    assert_eq!(root.expanded_relation, "view");
    let Some(TreeType::Intermediate(set)) = root.tree_type else { panic!("a leaf") };
    assert_eq!(set.operation, 3);
    assert_eq!(set.children.len(), 2);
}

#[tokio::test]
async fn an_import_is_exported_again_and_returns_a_token() {
    let harness = Harness::start().await;
    let texts: Vec<String> = (0..2500).map(|n| format!("document:d{n:04}#owner@user:u{}", n % 7)).collect();
    let messages: Vec<wire::ImportBulkRelationshipsRequest> = texts
        .chunks(1000)
        .map(|chunk| wire::ImportBulkRelationshipsRequest {
            relationships: chunk.iter().map(|text| relationship(text)).collect(),
        })
        .collect();
    let response =
        harness.permissions().import_bulk_relationships(tokio_stream::iter(messages)).await.unwrap();
    let token = response.metadata().get("pemba-written-at").map(|token| token.to_str().unwrap().to_owned());
    assert_eq!(response.into_inner().num_loaded, 2500);
    let token = wire::ZedToken { token: token.expect("a trailer with the token") };
    let request = wire::ExportBulkRelationshipsRequest {
        consistency: at_exact_snapshot(&token),
        optional_limit: 700,
        ..Default::default()
    };
    let stream = harness.permissions().export_bulk_relationships(request).await.unwrap();
    let pages = all(stream).await.unwrap();
    let sizes: Vec<usize> = pages.iter().map(|page| page.relationships.len()).collect();
    assert_eq!(sizes, [700, 700, 700, 400]);
    let exported: std::collections::BTreeSet<String> = pages
        .iter()
        .flat_map(|page| &page.relationships)
        .map(|relationship| relationship.resource.as_ref().unwrap().object_id.clone())
        .collect();
    assert_eq!(exported.len(), 2500);
}

#[tokio::test]
async fn the_schema_comes_back() {
    let harness = Harness::start().await;
    let read = harness.schemas().read_schema(wire::ReadSchemaRequest {}).await.unwrap().into_inner();
    assert!(read.read_at.is_some());
    assert!(read.schema_text.contains("definition document"), "{}", read.schema_text);
    harness.write_schema(&read.schema_text).await.unwrap();
}
