//! What is kept: across a restart, in one order with relationships, and how watches tell of it.

use std::sync::Arc;
use std::time::Duration;

use pemba_db::Storage;
use pemba_db::store::MemoryStore;
use pemba_proto::authzed::api::v1 as authzed;
use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::approvals;
use super::delegations::first;
use super::sessions::opening;
use super::world::*;
use crate::harness::*;

/// Everything that lists and reads tell.
async fn everything(world: &World) -> String {
    let agents = world.agents().list_agents(wire::ListAgentsRequest::default()).await.unwrap().into_inner();
    let policies = world.agents().get_policies(wire::GetPoliciesRequest {}).await.unwrap().into_inner();
    let kills = world.agents().list_kill_switches(wire::ListKillSwitchesRequest {}).await.unwrap();
    let changes = wire::ListAgentChangesRequest { principal: Some(agent("a")) };
    let changes = world.agents().list_agent_changes(changes).await.unwrap().into_inner();
    let human = wire::GetHumanRequest { principal: Some(user("sam")) };
    let human = world.agents().get_human(human).await.unwrap().into_inner();
    let delegations = wire::ListDelegationsRequest { root: Some(user("alice")), ..Default::default() };
    let delegations = world.delegations().list_delegations(delegations).await.unwrap().into_inner();
    let sessions = world.sessions().list_sessions(wire::ListSessionsRequest::default()).await.unwrap();
    let approvals = world.approvals().list_approvals(wire::ListApprovalsRequest::default()).await.unwrap();
    let list = wire::ListApprovalPoliciesRequest {};
    let approval_policies = world.approvals().list_approval_policies(list).await.unwrap().into_inner();
    format!(
        "{:#?}{policies:#?}{:#?}{changes:#?}{human:#?}{delegations:#?}{:#?}{:#?}{approval_policies:#?}",
        agents.agents,
        kills.into_inner(),
        sessions.into_inner(),
        approvals.into_inner(),
    )
}

async fn fill(world: &World) {
    world.harness.write_schema(AGENTS).await.unwrap();
    world.declare("user", wire::PrincipalKind::Human, wire::TypeMode::Observed).await;
    world.declare("agent", wire::PrincipalKind::Agent, wire::TypeMode::Managed).await;
    world.register("a").await;
    world.harness.touch(&["document:x#editor@agent:a"]).await;
    let human = wire::SetHumanRequest { principal: Some(user("sam")), status: 1, ..Default::default() };
    world.agents().set_human(human).await.unwrap();
    let all = wire::kill_selector::Selector::Tenant("acme".into());
    let switch = wire::ThrowKillSwitchRequest {
        name: "acme".into(),
        selector: Some(wire::KillSelector { selector: Some(all) }),
        mode: 1,
        ..Default::default()
    };
    world.agents().throw_kill_switch(switch).await.unwrap();
    world.delegate(first(world, "a")).await.unwrap();
    world.open(opening("a")).await.unwrap();
    approvals::set(world, approvals::policy()).await.unwrap();
    world.approvals().request_approval(approvals::asking("a")).await.unwrap();
}

async fn restarts_with_everything(storage: impl Fn() -> Storage) {
    let world = World::start_on(storage(), None).await;
    fill(&world).await;
    let before = everything(&world).await;
    assert!(before.contains("dlg_") && before.contains("ses_") && before.contains("apr_"), "{before}");
    let World { harness, .. } = world;
    harness.server.shutdown();
    harness.database.close();
    let world = World::start_on(storage(), None).await;
    assert_eq!(everything(&world).await, before);
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let store = Arc::new(MemoryStore::new());
    restarts_with_everything(|| Storage::Store(store.clone())).await;
}

#[cfg(feature = "rocks")]
#[tokio::test]
async fn a_restart_on_disk_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    restarts_with_everything(|| Storage::Directory(folder.path().join("data"))).await;
}

#[tokio::test]
async fn records_are_in_the_order_of_relationships_and_watches_tell_them_as_checkpoints_only() {
    let world = World::start().await;
    let start = world.harness.touch(&["document:x#viewer@user:ada"]).await;
    let kinds = [authzed::WatchKind::IncludeRelationshipUpdates, authzed::WatchKind::IncludeCheckpoints];
    let request = authzed::WatchRequest {
        optional_start_cursor: Some(start),
        optional_update_kinds: kinds.map(i32::from).into(),
        ..Default::default()
    };
    let mut stream = world.harness.watches().watch(request).await.unwrap().into_inner();
    let request = wire::RegisterAgentRequest { spec: Some(spec("a")), ..Default::default() };
    let written = world.agents().register_agent(request).await.unwrap().into_inner().written_at.unwrap();
    let after = world.harness.touch(&["document:y#viewer@user:ada"]).await;
    let mut told = Vec::new();
    while told.last() != Some(&after.token) {
        let next = tokio::time::timeout(Duration::from_secs(10), stream.message());
        let event = next.await.unwrap().unwrap().unwrap();
        for update in &event.updates {
            let object = update.relationship.clone().unwrap().resource.unwrap().object_id;
            assert_eq!(object, "y", "no record is told as a relationship");
        }
        if !event.updates.is_empty() {
            told.push(event.changes_through.unwrap().token);
        } else {
            assert!(event.is_checkpoint);
        }
    }
    assert_eq!(told.len(), 1);
    let consistency = at_least_as_fresh(&written);
    world.harness.check("document:x#view@user:ada", consistency).await.unwrap();
    let consistency = at_exact_snapshot(&written);
    let answer = world.harness.check("document:y#view@user:ada", consistency).await.unwrap();
    assert_eq!(answer.permissionship, NO, "the relationship came after the record");
}

#[tokio::test]
async fn concurrent_changes_of_one_version_are_one() {
    let world = World::start().await;
    world.register("a").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let mut agents = world.agents();
        tasks.spawn(async move {
            let spec = wire::AgentSpec { tenant: format!("t{n}"), ..spec("a") };
            agents
                .update_agent(wire::UpdateAgentRequest { spec: Some(spec), version: 1, ..Default::default() })
                .await
        });
    }
    let mut done = 0;
    while let Some(answer) = tasks.join_next().await {
        match answer.unwrap() {
            Ok(_) => done += 1,
            Err(status) => {
                assert_agents_error(&status, Code::FailedPrecondition, "VERSION_MISMATCH", "version");
            }
        }
    }
    assert_eq!((done, world.agent("a").await.version), (1, 2));
}

#[tokio::test]
async fn a_server_that_only_reads_refuses_every_change_of_records() {
    let world = World::start().await;
    world.register("a").await;
    let harness = Harness::start_with(pemba_model::Limits::default(), |options| {
        options.database = Some(world.harness.database.clone());
        options.read_only = true;
    })
    .await;
    let reading = World { harness, clock: world.clock.clone() };
    assert_eq!(reading.agent("a").await.not_live, "");
    let status = reading.try_register(spec("b")).await.unwrap_err();
    assert_error(&status, Code::Unavailable, "SERVICE_READ_ONLY", &[]);
}
