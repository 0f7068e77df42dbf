//! Explanations.

use pemba_agents::DelegationId;
use pemba_agents::command::Transition;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_proto::pemba::v1 as own;

use super::stage::*;

async fn explain(stage: &Stage, chain: own::Chain, question: &str) -> own::ExplainResponse {
    let own::CheckAsRequest { chain, resource, permission, .. } = check_as(chain, question);
    let request = own::ExplainRequest { chain, resource, permission, ..Default::default() };
    stage.authority().explain(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn every_conjunct_is_told_and_the_one_that_limits() {
    let stage = Stage::start().await;
    stage.delegate(1, "user:ada", "agent:a").await;
    let second = stage
        .delegate_with(2, "agent:a", "agent:b", |new| {
            new.parent = Some(DelegationId(1));
            new.scope = documents(&["plan"]);
        })
        .await;
    let answer = explain(&stage, by_delegation(&second), "document:plan#edit").await;
    assert_eq!(answer.decision.as_ref().unwrap().outcome(), own::Outcome::Allow);
    let principals = ["user:ada", "agent:a", "agent:b"].map(wire_object);
    assert_eq!(answer.principals, principals);
    let kinds: Vec<(&str, u32)> = answer.steps.iter().map(|step| (step.kind.as_str(), step.place)).collect();
    let expected = [
        ("liveness", 0),
        ("connection", 0),
        ("hop", 1),
        ("liveness", 1),
        ("hop", 2),
        ("liveness", 2),
        ("scope", 1),
        ("scope", 2),
        ("root", 0),
    ];
    assert_eq!(kinds, expected);
    assert!(answer.steps.iter().all(|step| step.permissionship() == Permissionship::HasPermission));
    assert_eq!((answer.steps[7].clause, answer.steps[7].id.as_str()), (Some(0), second.as_str()));
    assert!(answer.steps[4].ends_at.is_some());
    let trace = answer.root_trace.unwrap();
    assert_eq!((trace.permission.as_str(), trace.result), ("edit", 2));
    assert!(
        answer.text.starts_with("user:ada -> agent:a -> agent:b: edit on document:plan: ALLOW\n"),
        "{}",
        answer.text
    );
    // Two reasons: the first is the limit, and both are told.
    stage.transition("agent:a", Transition::Suspend).await;
    let answer = explain(&stage, by_delegation(&second), "document:note#edit").await;
    let limit = answer.decision.unwrap().limit.unwrap();
    assert_eq!((limit.kind.as_str(), limit.detail.as_str()), ("liveness", "suspended"));
    assert_eq!(limit.principal, Some(wire_object("agent:a")));
    let failing: Vec<(&str, u32)> = answer
        .steps
        .iter()
        .filter(|step| step.permissionship() == Permissionship::NoPermission)
        .map(|step| (step.kind.as_str(), step.place))
        .collect();
    assert!(failing.contains(&("liveness", 1)) && failing.contains(&("scope", 2)), "{failing:?}");
    assert!(answer.text.contains("limited by liveness agent:a suspended"), "{}", answer.text);
}

#[tokio::test]
async fn the_limiting_hop_is_named() {
    let stage = Stage::start().await;
    let first = stage.delegate(1, "user:ada", "agent:a").await;
    let second = stage.delegate_with(2, "agent:a", "agent:b", |new| new.parent = Some(DelegationId(1))).await;
    stage.revoke(1).await;
    let answer = explain(&stage, by_delegation(&second), "document:plan#edit").await;
    let limit = answer.decision.unwrap().limit.unwrap();
    assert_eq!(
        (limit.kind.as_str(), limit.id.as_str(), limit.detail.as_str()),
        ("hop", first.as_str(), "ended")
    );
    let answer = explain(&stage, alone("user:bo"), "document:plan#edit").await;
    let limit = answer.decision.unwrap().limit.unwrap();
    assert_eq!((limit.kind.as_str(), limit.principal), ("root", Some(wire_object("user:bo"))));
}
