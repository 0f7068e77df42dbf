//! Type policies, labels, grant policies and kill switches.

use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::world::*;
use crate::harness::*;

fn labels(permission: &str, labels: &[&str]) -> wire::SetPermissionLabelsRequest {
    let labels = wire::PermissionLabels {
        resource_type: "document".into(),
        permission: permission.into(),
        labels: labels.iter().map(ToString::to_string).collect(),
    };
    wire::SetPermissionLabelsRequest { labels: Some(labels) }
}

fn grant(relation: &str, grantor: &str) -> wire::SetGrantPolicyRequest {
    let policy = wire::GrantPolicy {
        resource_type: "document".into(),
        relation: relation.into(),
        grantor_permission: grantor.into(),
    };
    wire::SetGrantPolicyRequest { policy: Some(policy) }
}

fn switch(name: &str, selector: wire::kill_selector::Selector) -> wire::ThrowKillSwitchRequest {
    wire::ThrowKillSwitchRequest {
        name: name.into(),
        selector: Some(wire::KillSelector { selector: Some(selector) }),
        mode: wire::KillMode::DenyAll.into(),
        reason: "odd".into(),
        until: None,
    }
}

#[tokio::test]
async fn policies_are_set_one_revision_each_and_listed_in_order() {
    let world = World::start().await;
    let before = world.head();
    let mut agents = world.agents();
    agents.set_permission_labels(labels("view", &["safe", "read"])).await.unwrap();
    agents.set_permission_labels(labels("edit", &["money"])).await.unwrap();
    agents.set_grant_policy(grant("viewer", "edit")).await.unwrap();
    agents.set_grant_policy(grant("editor", "owner")).await.unwrap();
    assert_eq!(world.head(), before + 4);
    let head = world.harness.database.token(world.harness.database.head()).to_string();
    let same = agents.set_grant_policy(grant("editor", "owner")).await.unwrap().into_inner();
    assert_eq!((world.head(), same.written_at.unwrap().token), (before + 4, head), "nothing changed");
    let policies = agents.get_policies(wire::GetPoliciesRequest {}).await.unwrap().into_inner();
    let types: Vec<_> = policies.type_policies.iter().map(|p| p.object_type.as_str()).collect();
    assert_eq!(types, ["agent", "user"]);
    let labelled: Vec<_> =
        policies.labels.iter().map(|l| (l.permission.as_str(), l.labels.join(" "))).collect();
    assert_eq!(labelled, [("edit", "money".to_owned()), ("view", "read safe".to_owned())]);
    let granted: Vec<_> = policies.grant_policies.iter().map(|p| p.relation.as_str()).collect();
    assert_eq!(granted, ["editor", "viewer"]);
    agents.set_permission_labels(labels("edit", &[])).await.unwrap();
    let policies = agents.get_policies(wire::GetPoliciesRequest {}).await.unwrap().into_inner();
    assert_eq!(policies.labels.len(), 1);
}

#[tokio::test]
async fn policies_name_only_what_the_schema_has() {
    let world = World::start().await;
    let mut agents = world.agents();
    let invalid = Code::InvalidArgument;
    let status = agents.set_permission_labels(labels("fly", &["safe"])).await.unwrap_err();
    assert_agents_error(&status, invalid, "UNKNOWN_PERMISSION", "labels.permission");
    let status = agents.set_permission_labels(labels("view", &["a\n"])).await.unwrap_err();
    assert_agents_error(&status, invalid, "INVALID_VALUE", "labels.labels");
    let status = agents.set_permission_labels(wire::SetPermissionLabelsRequest::default()).await.unwrap_err();
    assert_agents_error(&status, invalid, "MISSING_VALUE", "labels");
    let status = agents.set_grant_policy(grant("view", "edit")).await.unwrap_err();
    assert_agents_error(&status, invalid, "UNKNOWN_PERMISSION", "policy.relation");
    let status = agents.set_grant_policy(grant("viewer", "fly")).await.unwrap_err();
    assert_agents_error(&status, invalid, "UNKNOWN_PERMISSION", "policy.grantor_permission");
    let policy = |object_type: &str, kind: i32, mode: i32| wire::SetTypePolicyRequest {
        policy: Some(wire::TypePolicy { object_type: object_type.into(), kind, mode }),
    };
    for (request, reason, field) in [
        (policy("robot", 1, 1), "UNKNOWN_TYPE", "policy.object_type"),
        (policy("team", 0, 1), "MISSING_VALUE", "policy.kind"),
        (policy("team", 1, 7), "INVALID_VALUE", "policy.mode"),
        (wire::SetTypePolicyRequest::default(), "MISSING_VALUE", "policy"),
    ] {
        let status = agents.set_type_policy(request).await.unwrap_err();
        assert_agents_error(&status, invalid, reason, field);
    }
    world.register("a").await;
    let status = agents.set_type_policy(policy("agent", 1, 2)).await.unwrap_err();
    assert_agents_error(&status, invalid, "TYPE_MISMATCH", "policy.kind");
}

#[tokio::test]
async fn every_selector_of_a_switch_stops_whom_it_selects_and_nobody_else() {
    use wire::kill_selector::Selector;
    let world = World::start().await;
    world
        .try_register(wire::AgentSpec {
            blueprint: "reader".into(),
            tenant: "acme".into(),
            owners: vec![object("team", "ops")],
            labels: vec!["nightly".into()],
            ..spec("a")
        })
        .await
        .unwrap();
    world.try_register(wire::AgentSpec { sponsors: vec![user("pam")], ..spec("b") }).await.unwrap();
    let selectors = [
        (Selector::Agent(agent("a")), false),
        (Selector::Blueprint("reader".into()), false),
        (Selector::Owner(object("team", "ops")), false),
        (Selector::Sponsor(user("sam")), false),
        (Selector::Label("nightly".into()), false),
        (Selector::Tenant("acme".into()), false),
        (Selector::All(wire::AllAgents {}), true),
    ];
    for (selector, stops_both) in selectors {
        let before = world.head();
        let thrown =
            world.agents().throw_kill_switch(switch("stop", selector.clone())).await.unwrap().into_inner();
        assert_eq!(thrown.kill_switch.unwrap().selector.unwrap().selector, Some(selector));
        assert_eq!(world.head(), before + 1);
        assert_eq!(world.agent("a").await.not_live, "killed");
        assert_eq!(world.agent("b").await.not_live, if stops_both { "killed" } else { "" });
        let lift = wire::LiftKillSwitchRequest { name: "stop".into(), reason: "fine".into() };
        world.agents().lift_kill_switch(lift).await.unwrap();
        assert_eq!(world.agent("a").await.not_live, "");
    }
}

#[tokio::test]
async fn switches_are_listed_end_by_themselves_and_are_thrown_once() {
    use wire::kill_selector::Selector;
    let world = World::start().await;
    let mut agents = world.agents();
    let all = || Selector::All(wire::AllAgents {});
    let short = wire::ThrowKillSwitchRequest { until: world.in_ms(1000), ..switch("short", all()) };
    agents.throw_kill_switch(short.clone()).await.unwrap();
    agents.throw_kill_switch(switch("long", Selector::Tenant("acme".into()))).await.unwrap();
    let status = agents.throw_kill_switch(switch("long", all())).await.unwrap_err();
    assert_agents_error(&status, Code::AlreadyExists, "KILL_EXISTS", "name");
    let listed = agents.list_kill_switches(wire::ListKillSwitchesRequest {}).await.unwrap().into_inner();
    let names: Vec<_> = listed.kill_switches.iter().map(|kill| kill.name.as_str()).collect();
    assert_eq!(names, ["long", "short"]);
    world.register("a").await;
    assert_eq!(world.agent("a").await.not_live, "killed");
    world.clock.advance_ms(1000);
    assert_eq!(world.agent("a").await.not_live, "");
    let again = wire::ThrowKillSwitchRequest { until: world.in_ms(1000), ..short };
    agents.throw_kill_switch(again).await.unwrap();
    let lift = wire::LiftKillSwitchRequest { name: "none".into(), ..Default::default() };
    let status = agents.lift_kill_switch(lift).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "KILL_NOT_FOUND", "name");
    let invalid = Code::InvalidArgument;
    for (request, reason, field) in [
        (switch("", all()), "MISSING_VALUE", "name"),
        (wire::ThrowKillSwitchRequest { mode: 0, ..switch("x", all()) }, "MISSING_VALUE", "mode"),
        (wire::ThrowKillSwitchRequest { selector: None, ..switch("x", all()) }, "MISSING_VALUE", "selector"),
        (switch("x", Selector::Agent(object("agent", ""))), "INVALID_VALUE", "selector.agent.object_id"),
        (switch("x", Selector::Label(String::new())), "MISSING_VALUE", "selector.label"),
        (
            wire::ThrowKillSwitchRequest { until: world.in_ms(-1), ..switch("x", all()) },
            "INVALID_PERIOD",
            "until",
        ),
    ] {
        let status = agents.throw_kill_switch(request).await.unwrap_err();
        assert_agents_error(&status, invalid, reason, field);
    }
}
