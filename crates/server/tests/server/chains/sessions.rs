//! Sessions presented: to whom they belong, when they end, and what is granted inside them.

use pemba_agents::command;
use pemba_agents::records::SessionBinding;
use pemba_agents::{DelegationId, SessionId};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::pemba::v1 as own;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::stage::*;
use crate::harness::{HAS, NO, all, relationship, subject};

const PLAN: &str = "document:plan#view@agent:a";

#[tokio::test]
async fn a_session_narrows_and_its_end_is_the_end() {
    let stage = Stage::start().await;
    stage.delegate(1, "user:ada", "agent:a").await;
    let session = stage
        .open_session(5, "agent:a", |new| {
            new.delegation = Some(DelegationId(1));
            new.scope = Some(documents(&["plan"]));
        })
        .await;
    let presented = [("pemba-session", session.as_str())];
    let answer = stage.check(PLAN, &presented).await.unwrap();
    let applied = format!("user:ada;agent:a;{}", DelegationId(1));
    assert_eq!(text(answer.metadata(), "pemba-chain-applied"), Some(applied.as_str()));
    assert_eq!(answer.into_inner().permissionship, HAS);
    assert_eq!(stage.answer("document:note#view@agent:a", &presented).await, NO);
    stage.close_session(5).await;
    assert_eq!(stage.answer(PLAN, &presented).await, NO);
}

#[tokio::test]
async fn what_belongs_to_another_client_is_refused() {
    let stage = Stage::start().await;
    let theirs = SessionBinding::Client("somebody".into());
    let session = stage.open_session(5, "agent:a", |new| new.binding = theirs).await;
    let error = stage.check(PLAN, &[("pemba-session", &session)]).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert_eq!(error.get_details_error_info().unwrap().reason, "SESSION_BINDING");
    let chain = own::Chain { session_id: session, ..own::Chain::default() };
    let error = stage.authority().check_as(check_as(chain, "document:plan#view")).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn use_keeps_a_session_open_and_idling_ends_it_for_good() {
    let stage = Stage::start().await;
    stage.delegate(1, "user:ada", "agent:a").await;
    let open = |new: &mut command::OpenSession| {
        new.delegation = Some(DelegationId(1));
        new.idle_ms = Some(8000);
    };
    let session = stage.open_session(5, "agent:a", open).await;
    let presented = [("pemba-session", session.as_str())];
    // Denied or not, it is used as long as it is open.
    for question in [PLAN, "document:none#view@agent:a", PLAN, PLAN] {
        stage.clock.advance_ms(7000);
        stage.check(question, &presented).await.unwrap();
    }
    stage.clock.advance_ms(7999);
    assert_eq!(stage.answer(PLAN, &presented).await, HAS);
    stage.clock.advance_ms(8000);
    assert_eq!(stage.answer(PLAN, &presented).await, NO);
    // Asking does not bring it back.
    assert_eq!(stage.answer(PLAN, &presented).await, NO);
}

#[tokio::test]
async fn uses_are_written_down_but_not_each() {
    let stage = Stage::start().await;
    let open = |new: &mut command::OpenSession| new.idle_ms = Some(8000);
    let session = stage.open_session(5, "agent:a", open).await;
    let presented = [("pemba-session", session.as_str())];
    let before = stage.harness.database.head();
    for _ in 0..100 {
        stage.clock.advance_ms(30);
        stage.check(PLAN, &presented).await.unwrap();
    }
    // Whatever is written comes after what was submitted before it.
    stage.harness.touch(&["document:plan#viewer@user:bo"]).await;
    let written = stage.harness.database.head().0 - before.0 - 1;
    assert_eq!(written, 1, "one for three seconds, at most every two");
    let ledger = stage.harness.database.ledger();
    let book: &pemba_agents::Book = ledger.as_any().downcast_ref().unwrap();
    let touched = book.session(SessionId(5)).unwrap().touched_at;
    assert_eq!(touched.as_millis(), START_MS + 2010);
}

#[tokio::test]
async fn what_is_granted_in_a_session_is_seen_in_it_only() {
    let stage = Stage::start().await;
    let grants = pemba_agents::records::GrantPolicy {
        resource_type: "document".into(),
        relation: "viewer".into(),
        grantor_permission: "edit".into(),
    };
    stage.command(move |moment| command::set_grant_policy(moment, grants)).await.unwrap();
    let session = stage.open_session(5, "agent:a", |_| ()).await;
    let new = command::GrantInSession {
        session: SessionId(5),
        grantor: object("user:ada"),
        relationships: vec![pemba_model::text::parse_relationship("document:plan#viewer@agent:a").unwrap()],
        not_after: None,
        approval: None,
    };
    let presenter = pemba_agents::chain::Presenter::default();
    stage.command(move |moment| command::grant_in_session(moment, &by(), &presenter, new)).await.unwrap();
    let presented = [("pemba-session", session.as_str())];
    assert_eq!((stage.answer(PLAN, &presented).await, stage.answer(PLAN, &[]).await), (HAS, NO));
    let lookup = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("agent:a")),
        ..Default::default()
    };
    let permissions = || stage.harness.permissions();
    let found =
        all(permissions().lookup_resources(with(lookup.clone(), &presented)).await.unwrap()).await.unwrap();
    assert_eq!(found.iter().map(|one| one.resource_object_id.as_str()).collect::<Vec<_>>(), ["plan"]);
    assert!(all(permissions().lookup_resources(lookup).await.unwrap()).await.unwrap().is_empty());
    stage.close_session(5).await;
    assert_eq!(stage.answer(PLAN, &presented).await, NO);
}

#[tokio::test]
async fn what_a_request_brings_along_bears_on_the_root_alone() {
    let stage = Stage::start().await;
    let id =
        stage.delegate_with(1, "user:bo", "agent:a", |new| new.scope = documents(&["plan", "fresh"])).await;
    let bringing = |question: &str, texts: &[&str]| own::CheckAsRequest {
        contextual_relationships: texts.iter().map(|text| relationship(text)).collect(),
        ..check_as(by_delegation(&id), question)
    };
    let ask = async |request| {
        let answer = stage.authority().check_as(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().decision.unwrap().outcome())
    };
    let viewer = "document:plan#viewer@user:bo";
    assert_eq!(ask(bringing("document:plan#view", &[])).await.unwrap(), own::Outcome::Deny);
    assert_eq!(ask(bringing("document:plan#view", &[viewer])).await.unwrap(), own::Outcome::Allow);
    // For this request only, and for nobody else's authority.
    assert_eq!(ask(bringing("document:plan#view", &[])).await.unwrap(), own::Outcome::Deny);
    let agents = ["document:plan#viewer@agent:a"];
    assert_eq!(ask(bringing("document:plan#view", &agents)).await.unwrap(), own::Outcome::Deny);
    // A bound is a bound.
    let outside = ["document:note#viewer@user:bo"];
    assert_eq!(ask(bringing("document:note#view", &outside)).await.unwrap(), own::Outcome::Deny);
    let error = ask(bringing("document:plan#view", &["document:plan#owner@folder:x"])).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let many: Vec<String> = (0..101).map(|n| format!("document:plan#viewer@user:u{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = ask(bringing("document:plan#view", &many)).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted, "{error:?}");
    // Objects that nothing else mentions are found by lookups too.
    let lookup = own::LookupResourcesAsRequest {
        chain: Some(by_delegation(&id)),
        resource_type: "document".into(),
        permission: "view".into(),
        contextual_relationships: vec![relationship("document:fresh#viewer@user:bo"), relationship(viewer)],
        ..Default::default()
    };
    let found = all(stage.authority().lookup_resources_as(lookup).await.unwrap()).await.unwrap();
    let found: std::collections::BTreeSet<String> = found.into_iter().map(|one| one.resource_id).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["fresh", "plan"]);
}
