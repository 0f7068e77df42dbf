//! Chains presented in metadata to the calls of `authzed.api.v1`.
#![expect(deprecated, reason = "old clients call them")]

use pemba_agents::records::{Applies, ApprovalUses};
use pemba_proto::authzed::api::v1 as wire;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::stage::*;
use crate::harness::{HAS, NO, all, at_exact_snapshot, bulk_item, check_request, subject, type_filter};

const APPLIED: &str = "pemba-chain-applied";
const OUTCOME: &str = "pemba-outcome";

#[tokio::test]
async fn a_check_is_answered_for_the_chain_and_says_so() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:other#owner@agent:a"]).await;
    let first = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    let by_a = [("pemba-delegation", first.as_str())];
    let answer = stage.check("document:plan#edit@user:ada", &by_a).await.unwrap();
    assert_eq!(text(answer.metadata(), APPLIED), Some(format!("user:ada;agent:a;{first}").as_str()));
    assert_eq!(text(answer.metadata(), OUTCOME), None);
    assert_eq!(answer.into_inner().permissionship, HAS);
    // Who acts may be the subject as well, and then its own grants add nothing.
    assert_eq!(stage.answer("document:plan#edit@agent:a", &by_a).await, HAS);
    assert_eq!(stage.answer("document:other#edit@agent:a", &by_a).await, NO);
    assert_eq!(stage.answer("document:other#edit@agent:a", &[]).await, HAS);
    // Outside of the scope the root may and the chain may not.
    assert_eq!(stage.answer("document:note#edit@user:ada", &by_a).await, NO);
    assert_eq!(stage.answer("document:note#edit@user:ada", &[]).await, HAS);
    // A further hop.
    let second = stage
        .delegate_with(2, "agent:a", "agent:b", |new| {
            new.parent = Some(pemba_agents::DelegationId(1));
            new.scope = documents(&["plan"]);
            new.depth_left = 0;
        })
        .await;
    let answer = stage.check("document:plan#view@agent:b", &[("pemba-delegation", second.as_str())]).await;
    let answer = answer.unwrap();
    let expected = format!("user:ada;agent:a,agent:b;{second}");
    assert_eq!(text(answer.metadata(), APPLIED), Some(expected.as_str()));
    assert_eq!(answer.into_inner().permissionship, HAS);
    stage.revoke(1).await;
    assert_eq!(
        stage.answer("document:plan#view@agent:b", &[("pemba-delegation", second.as_str())]).await,
        NO
    );
}

#[tokio::test]
async fn trailers_come_after_streams_too() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let request = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "edit".into(),
        subject: Some(subject("agent:a")),
        ..Default::default()
    };
    let request = with(request, &[("pemba-delegation", &id)]);
    let answer = stage.harness.permissions().lookup_resources(request).await.unwrap();
    assert!(text(answer.metadata(), APPLIED).is_some());
    let mut stream = answer.into_inner();
    let mut found = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        found.push(message.resource_object_id);
    }
    found.sort();
    assert_eq!(found, ["note", "plan"]);
    let trailers = stream.trailers().await.unwrap().unwrap();
    assert_eq!(text(&trailers, APPLIED), Some(format!("user:ada;agent:a;{id}").as_str()));
}

#[tokio::test]
async fn what_must_wait_is_denied_with_a_word_beside() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let counted = stage.delegate_with(2, "user:ada", "agent:a", |new| new.uses = Some(1)).await;
    let answer = stage.check("document:plan#view@agent:a", &[("pemba-delegation", &counted)]).await.unwrap();
    assert_eq!(text(answer.metadata(), OUTCOME), Some("requires_consumption"));
    assert_eq!(answer.into_inner().permissionship, NO);
    stage.harness.touch(&["document:plan#owner@user:bo"]).await;
    stage.approve_edits(Applies::AgentChains, ApprovalUses::TimeBoxed).await;
    let answer = stage.check("document:plan#edit@agent:a", &[("pemba-delegation", &id)]).await.unwrap();
    assert_eq!(text(answer.metadata(), OUTCOME), Some("requires_approval"));
    assert_eq!(answer.into_inner().permissionship, NO);
    let approval = stage.approved(7, 1, "document:plan", "user:bo").await;
    let both = [("pemba-delegation", id.as_str()), ("pemba-approval", approval.as_str())];
    let answer = stage.check("document:plan#edit@agent:a", &both).await.unwrap();
    assert_eq!(text(answer.metadata(), OUTCOME), None);
    assert_eq!(answer.into_inner().permissionship, HAS);
    // It is for this object.
    let error = stage.check("document:note#edit@agent:a", &both).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
    // Once who approved may no longer, it is worth nothing.
    let removed = wire::relationship_update::Operation::Delete;
    stage.harness.write(removed, &["document:plan#owner@user:bo"]).await.unwrap();
    assert_eq!(stage.answer("document:plan#edit@agent:a", &both).await, NO);
}

#[tokio::test]
async fn metadata_that_cannot_be_honoured_is_refused() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let ada = "document:plan#edit@user:ada";
    let unknown = "dlg_0000000000000000000000000000ffff";
    type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], Code, &'a str);
    let cases: [Case<'_>; 12] = [
        (ada, &[("pemba-delegation", "")], Code::InvalidArgument, "INVALID_VALUE"),
        (ada, &[("pemba-delegation", "dlg_1")], Code::InvalidArgument, "INVALID_VALUE"),
        (
            ada,
            &[("pemba-delegation", &id), ("pemba-delegation", &id)],
            Code::InvalidArgument,
            "INVALID_VALUE",
        ),
        (ada, &[("pemba-session", &id)], Code::InvalidArgument, "INVALID_VALUE"),
        (ada, &[("pemba-approval", "apr_")], Code::InvalidArgument, "INVALID_VALUE"),
        (ada, &[("pemba-delegate", &id)], Code::InvalidArgument, "INVALID_VALUE"),
        (ada, &[("pemba-watch-from", "beginning")], Code::InvalidArgument, "INVALID_VALUE"),
        (ada, &[("pemba-delegation", unknown)], Code::NotFound, "DELEGATION_NOT_FOUND"),
        (
            ada,
            &[("pemba-session", "ses_0000000000000000000000000000ffff")],
            Code::NotFound,
            "SESSION_NOT_FOUND",
        ),
        (
            ada,
            &[("pemba-approval", "apr_0000000000000000000000000000ffff")],
            Code::NotFound,
            "APPROVAL_NOT_FOUND",
        ),
        ("document:plan#edit@user:bo", &[("pemba-delegation", &id)], Code::InvalidArgument, "CHAIN_MISMATCH"),
        ("document:plan#edit@agent:b", &[("pemba-delegation", &id)], Code::InvalidArgument, "CHAIN_MISMATCH"),
    ];
    for (question, metadata, code, reason) in cases {
        let error = stage.check(question, metadata).await.unwrap_err();
        assert_eq!(error.code(), code, "{metadata:?} {error:?}");
        let info = error.get_details_error_info().unwrap();
        assert_eq!((info.domain.as_str(), info.reason.as_str()), ("pemba", reason), "{metadata:?}");
        assert!(!info.metadata["field"].is_empty());
    }
    let by_chain = [("pemba-delegation", id.as_str())];
    let userset = with(check_request("document:plan#edit@agent:a"), &by_chain);
    let (metadata, extensions, mut message) = userset.into_parts();
    message.subject.as_mut().unwrap().optional_relation = "member".into();
    let request = tonic::Request::from_parts(metadata, extensions, message);
    let error = stage.harness.permissions().check_permission(request).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let traced = wire::CheckPermissionRequest { with_tracing: true, ..check_request(ada) };
    let error = stage.harness.permissions().check_permission(with(traced, &by_chain)).await.unwrap_err();
    assert!(error.message().contains("Explain"), "{error:?}");
}

#[tokio::test]
async fn calls_that_know_no_chains_refuse_them() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let by_chain = [("pemba-delegation", id.as_str())];
    let read = wire::ReadRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        ..Default::default()
    };
    let error = stage.harness.permissions().read_relationships(with(read, &by_chain)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let expand = wire::ExpandPermissionTreeRequest {
        resource: Some(wire_object("document:plan")),
        permission: "view".into(),
        ..Default::default()
    };
    let error =
        stage.harness.permissions().expand_permission_tree(with(expand, &by_chain)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let error = stage.harness.schemas().read_schema(with(wire::ReadSchemaRequest {}, &by_chain)).await;
    assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
    let watch = wire::WatchRequest::default();
    let error = stage.harness.watches().watch(with(watch, &by_chain)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let check = check_as(by_delegation(&id), "document:plan#view");
    let error = stage.authority().check_as(with(check, &by_chain)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn bulk_checks_have_one_chain_under_both_names() {
    let stage = Stage::start().await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    let by_chain = [("pemba-delegation", id.as_str())];
    let questions = ["document:plan#edit@user:ada", "document:note#edit@agent:a", "document:*#edit@user:ada"];
    let bulk =
        wire::CheckBulkPermissionsRequest { items: questions.map(bulk_item).to_vec(), ..Default::default() };
    let answer = stage.harness.permissions().check_bulk_permissions(with(bulk, &by_chain)).await.unwrap();
    assert!(text(answer.metadata(), APPLIED).is_some());
    use wire::check_bulk_permissions_pair::Response;
    let said: Vec<Option<i32>> = answer
        .into_inner()
        .pairs
        .into_iter()
        .map(|pair| match pair.response.unwrap() {
            Response::Item(item) => Some(item.permissionship),
            Response::Error(_) => None,
        })
        .collect();
    assert_eq!(said, [Some(HAS), Some(NO), None]);
    let items = questions.map(|question| {
        let item = bulk_item(question);
        wire::BulkCheckPermissionRequestItem {
            resource: item.resource,
            permission: item.permission,
            subject: item.subject,
            context: None,
        }
    });
    let old = wire::BulkCheckPermissionRequest { items: items.to_vec(), ..Default::default() };
    let answer = stage.harness.experimental().bulk_check_permission(with(old, &by_chain)).await.unwrap();
    assert!(text(answer.metadata(), APPLIED).is_some());
    use wire::bulk_check_permission_pair::Response as Old;
    let said: Vec<Option<i32>> = answer
        .into_inner()
        .pairs
        .into_iter()
        .map(|pair| match pair.response.unwrap() {
            Old::Item(item) => Some(item.permissionship),
            Old::Error(_) => None,
        })
        .collect();
    assert_eq!(said, [Some(HAS), Some(NO), None]);
    // One item about somebody else refuses the whole call.
    let bulk = wire::CheckBulkPermissionsRequest {
        items: vec![bulk_item("document:plan#edit@user:ada"), bulk_item("document:plan#edit@user:bo")],
        ..Default::default()
    };
    let error = stage.harness.permissions().check_bulk_permissions(with(bulk, &by_chain)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn subjects_of_a_chain_are_its_ends() {
    let stage = Stage::start().await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    stage.harness.touch(&["document:plan#viewer@user:bo"]).await;
    for (document, subject_type, expected) in [
        ("plan", "user", &["ada"][..]),
        ("plan", "agent", &["a"]),
        ("plan", "document", &[]),
        ("note", "user", &[]),
    ] {
        let request = wire::LookupSubjectsRequest {
            resource: Some(wire_object(&format!("document:{document}"))),
            permission: "view".into(),
            subject_object_type: subject_type.into(),
            ..Default::default()
        };
        let request = with(request, &[("pemba-delegation", &id)]);
        let answer = stage.harness.permissions().lookup_subjects(request).await.unwrap();
        assert!(text(answer.metadata(), APPLIED).is_some());
        let found = all(answer).await.unwrap();
        let ids: Vec<&str> =
            found.iter().map(|one| one.subject.as_ref().unwrap().subject_object_id.as_str()).collect();
        assert_eq!(ids, expected, "{document} {subject_type}");
    }
}

#[tokio::test]
async fn relationships_are_of_the_snapshot_and_revocations_of_now() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let before = stage.harness.touch(&["document:plan#viewer@user:bo"]).await;
    let removed = wire::relationship_update::Operation::Delete;
    let after = stage.harness.write(removed, &["document:plan#owner@user:ada"]).await.unwrap();
    let ask = async |token: &wire::ZedToken| {
        let consistency = at_exact_snapshot(token);
        let request =
            wire::CheckPermissionRequest { consistency, ..check_request("document:plan#edit@agent:a") };
        let answer =
            stage.harness.permissions().check_permission(with(request, &[("pemba-delegation", &id)])).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.checked_at.as_ref(), Some(token));
        answer.permissionship
    };
    assert_eq!((ask(&before).await, ask(&after).await), (HAS, NO));
    stage.revoke(1).await;
    assert_eq!(ask(&before).await, NO);
    // A delegation of later has no place in an earlier snapshot.
    let later = stage.delegate(2, "user:ada", "agent:a").await;
    let consistency = at_exact_snapshot(&before);
    let request = wire::CheckPermissionRequest { consistency, ..check_request("document:plan#edit@agent:a") };
    let request = with(request, &[("pemba-delegation", &later)]);
    let error = stage.harness.permissions().check_permission(request).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error:?}");
}
