//! Lists: filters, limits, cursors.

use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::delegations::first;
use super::sessions::opening;
use super::world::*;
use crate::harness::*;

fn ids(agents: &[wire::Agent]) -> Vec<String> {
    let id = |agent: &wire::Agent| agent.spec.as_ref().unwrap().principal.as_ref().unwrap().object_id.clone();
    agents.iter().map(id).collect()
}

#[tokio::test]
async fn pages_of_agents_follow_one_another_in_order_while_agents_come_and_go() {
    let world = World::start().await;
    for n in 0..25 {
        world.register(&format!("a{n:02}")).await;
    }
    let list = |limit, cursor: &str| wire::ListAgentsRequest {
        object_type: "agent".into(),
        limit,
        cursor: cursor.to_owned(),
        ..Default::default()
    };
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.agents().list_agents(list(10, &cursor)).await.unwrap().into_inner();
        assert!(page.read_at.is_some());
        all.extend(ids(&page.agents));
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
        if all.len() == 10 {
            world.register("a00b").await;
            world.register("a99").await;
        }
    }
    let wanted: Vec<_> = (0..25).map(|n| format!("a{n:02}")).chain(["a99".to_owned()]).collect();
    assert_eq!(all, wanted);
    let default = world.agents().list_agents(list(0, "")).await.unwrap().into_inner();
    assert_eq!((default.agents.len(), default.cursor.as_str()), (27, ""));
    let first_page = world.agents().list_agents(list(1, "")).await.unwrap().into_inner();
    let status = world.agents().list_agents(list(1001, "")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "limit");
    assert!(status.message().contains("1000"), "{}", status.message());
    let status = world.agents().list_agents(list(1, "nonsense")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "cursor");
    let other = wire::ListAgentsRequest { tenant: "acme".into(), ..list(1, &first_page.cursor) };
    let status = world.agents().list_agents(other).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "cursor");
    let request = wire::ListSessionsRequest { cursor: first_page.cursor, ..Default::default() };
    let status = world.sessions().list_sessions(request).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "cursor");
}

#[tokio::test]
async fn every_filter_of_agents_filters() {
    let world = World::start().await;
    world
        .try_register(wire::AgentSpec {
            blueprint: "reader".into(),
            tenant: "acme".into(),
            environment: "production".into(),
            labels: vec!["nightly".into()],
            sponsors: vec![user("pam")],
            owners: vec![object("team", "ops")],
            ..spec("a")
        })
        .await
        .unwrap();
    world.register("b").await;
    let stop = wire::TransitionRequest { principals: vec![agent("b")], ..Default::default() };
    world.agents().suspend_agents(stop).await.unwrap();
    let found = async |change: &dyn Fn(&mut wire::ListAgentsRequest)| {
        let mut request = wire::ListAgentsRequest::default();
        change(&mut request);
        ids(&world.agents().list_agents(request).await.unwrap().into_inner().agents)
    };
    assert_eq!(found(&|_| ()).await, ["a", "b"]);
    assert_eq!(found(&|r| r.object_type = "user".into()).await, Vec::<String>::new());
    assert_eq!(found(&|r| r.status = wire::AgentStatus::Suspended.into()).await, ["b"]);
    assert_eq!(found(&|r| r.blueprint = "reader".into()).await, ["a"]);
    assert_eq!(found(&|r| r.tenant = "acme".into()).await, ["a"]);
    assert_eq!(found(&|r| r.environment = "production".into()).await, ["a"]);
    assert_eq!(found(&|r| r.label = "nightly".into()).await, ["a"]);
    assert_eq!(found(&|r| r.sponsor = Some(user("sam"))).await, ["b"]);
    assert_eq!(found(&|r| r.owner = Some(object("team", "ops"))).await, ["a"]);
    assert_eq!(found(&|r| r.not_live = "live".into()).await, ["a"]);
    assert_eq!(found(&|r| r.not_live = "suspended".into()).await, ["b"]);
    let request = wire::ListAgentsRequest { not_live: "dead".into(), ..Default::default() };
    let status = world.agents().list_agents(request).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "not_live");
}

#[tokio::test]
async fn delegations_are_listed_by_their_ends() {
    let world = World::start().await;
    for to in ["a", "b", "c"] {
        world.delegate(first(&world, to)).await.unwrap();
    }
    let other = wire::DelegateRequest { from: Some(user("bob")), ..first(&world, "a") };
    let other = world.delegate(other).await.unwrap();
    let short = wire::DelegateRequest { not_after: world.in_ms(10), ..first(&world, "a") };
    world.delegate(short).await.unwrap();
    world.clock.advance_ms(10);
    let list = |root: &str, from: &str, to: &str| wire::ListDelegationsRequest {
        root: (!root.is_empty()).then(|| user(root)),
        from: (!from.is_empty()).then(|| user(from)),
        to: (!to.is_empty()).then(|| agent(to)),
        ..Default::default()
    };
    let count = async |request| {
        world.delegations().list_delegations(request).await.unwrap().into_inner().delegations.len()
    };
    assert_eq!(count(list("alice", "", "")).await, 4);
    assert_eq!(count(list("", "bob", "")).await, 1);
    assert_eq!(count(list("", "", "a")).await, 3);
    assert_eq!(count(list("alice", "", "a")).await, 2);
    assert_eq!(count(list("alice", "bob", "a")).await, 0);
    assert_eq!(count(wire::ListDelegationsRequest { only_alive: true, ..list("alice", "", "") }).await, 3);
    let status = world.delegations().list_delegations(list("", "", "")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "MISSING_VALUE", "root");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let request = wire::ListDelegationsRequest { limit: 1, cursor, ..list("", "", "a") };
        let page = world.delegations().list_delegations(request).await.unwrap().into_inner();
        seen.extend(page.delegations.into_iter().map(|delegation| delegation.id));
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted() && seen.contains(&other.id), "{seen:?}");
}

#[tokio::test]
async fn sessions_are_listed_by_actor_and_by_whether_they_are_open() {
    let world = World::start().await;
    let mut opened = Vec::new();
    for actor in ["a", "a", "b"] {
        opened.push(world.open(opening(actor)).await.unwrap());
    }
    let close = wire::CloseSessionRequest { id: opened[0].id.clone(), ..Default::default() };
    world.sessions().close_session(close).await.unwrap();
    let list = async |actor: Option<&str>, only_open| {
        let request = wire::ListSessionsRequest { actor: actor.map(agent), only_open, ..Default::default() };
        let answer = world.sessions().list_sessions(request).await.unwrap().into_inner();
        answer.sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = opened.iter().map(|session| session.id.clone()).collect();
    all.sort();
    assert_eq!(list(None, false).await, all);
    assert_eq!(list(Some("a"), true).await, [opened[1].id.clone()]);
    assert_eq!(list(Some("b"), false).await, [opened[2].id.clone()]);
    let request = wire::ListSessionsRequest { limit: 2, ..Default::default() };
    let page = world.sessions().list_sessions(request).await.unwrap().into_inner();
    assert_eq!(page.sessions.len(), 2);
    let request = wire::ListSessionsRequest { limit: 2, cursor: page.cursor, ..Default::default() };
    let rest = world.sessions().list_sessions(request).await.unwrap().into_inner();
    assert_eq!((rest.sessions[0].id.as_str(), rest.cursor.as_str()), (all[2].as_str(), ""));
}
