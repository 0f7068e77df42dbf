//! The clock of a test's own database.

use std::sync::Arc;

use pemba_db::{Database, Storage};
use pemba_model::Limits;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::agent_service_client::AgentServiceClient;
use pemba_proto::pemba::v1::testing_service_client::TestingServiceClient;
use pemba_server::{Server, ServerOptions, TokenDatabases};
use tonic::{Code, Status};

use super::world::*;
use crate::clients::with;
use crate::harness::*;

#[tokio::test]
async fn each_token_moves_its_own_clock_and_no_other() {
    let databases = Arc::new(TokenDatabases::new(10, |clock| {
        let options = with_book(&Limits::default(), clock);
        Database::open(Storage::Memory, options).map_err(|error| error.to_string())
    }));
    let per_token = Some(databases);
    let server = Server::start(ServerOptions { per_token, ..options(&Limits::default()) }).unwrap();
    let channel = connect(&server).await;
    let advance = async |token: &str, by: Option<prost_types::Duration>| {
        let request = with(token, wire::AdvanceClockRequest { by });
        let answer = TestingServiceClient::new(channel.clone()).advance_clock(request).await?;
        Ok::<_, Status>(answer.into_inner().now.unwrap())
    };
    let stopped = advance("one", None).await.unwrap();
    assert_eq!(advance("one", seconds(0)).await.unwrap(), stopped, "it stands");
    let moved = advance("one", seconds(3600)).await.unwrap();
    assert_eq!((moved.seconds, moved.nanos), (stopped.seconds + 3600, stopped.nanos));
    let other = advance("two", None).await.unwrap();
    assert!(other.seconds < moved.seconds - 3000, "the other's clock was not moved");
    let status = advance("one", seconds(-1)).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "by");
    let switch = |token: &str, name: &str| {
        let all = wire::kill_selector::Selector::All(wire::AllAgents {});
        let request = wire::ThrowKillSwitchRequest {
            name: name.into(),
            selector: Some(wire::KillSelector { selector: Some(all) }),
            mode: wire::KillMode::DenyAll.into(),
            ..Default::default()
        };
        with(token, request)
    };
    let mut agents = AgentServiceClient::new(channel.clone());
    let thrown = agents.throw_kill_switch(switch("one", "stop")).await.unwrap().into_inner();
    assert_eq!(thrown.kill_switch.unwrap().at, Some(moved), "the database tells the same time");
}

#[tokio::test]
async fn a_server_for_use_has_no_clock_to_move() {
    let world = World::start().await;
    let mut testing = TestingServiceClient::new(world.harness.channel.clone());
    let status = testing.advance_clock(wire::AdvanceClockRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
