//! A kill switch that was acknowledged is obeyed by every check that starts later, at every consistency.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pemba_agents::records::{KillMode, KillSelector};
use pemba_proto::authzed::api::v1::consistency::Requirement;
use pemba_proto::authzed::api::v1::{self as wire, permissions_service_client::PermissionsServiceClient};

use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::stage::*;
use crate::harness::{self, HAS, NO, check_request};

/// Rounds of throwing and lifting; more when asked for.
fn rounds() -> usize {
    std::env::var("PEMBA_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// How often each question is asked at once after a switch.
const AT_ONCE: usize = 5;

/// Every consistency, for a token of a moment ago.
fn modes_at(token: wire::ZedToken) -> Vec<Option<Requirement>> {
    vec![
        None,
        Some(Requirement::MinimizeLatency(true)),
        Some(Requirement::FullyConsistent(true)),
        Some(Requirement::AtLeastAsFresh(token.clone())),
        Some(Requirement::AtExactSnapshot(token)),
    ]
}

/// Keeps writing until it is told to stop.
async fn write_on(channel: Channel, stop: Arc<AtomicBool>, writer: usize) -> u64 {
    let mut permissions = PermissionsServiceClient::new(channel);
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let text = format!("document:w{writer}#viewer@user:u{}", count % 100);
        let operation = wire::relationship_update::Operation::Touch;
        let updates = vec![harness::update(operation, &text)];
        let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
        permissions.write_relationships(request).await.unwrap();
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_kill_is_obeyed_at_once_at_every_consistency() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:plan#owner@agent:a"]).await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (channel, stop) = (stage.harness.channel.clone(), Arc::clone(&stop));
            tokio::spawn(write_on(channel, stop, writer))
        })
        .collect();
    let mut modes = Vec::new();
    let metadata: [&[(&'static str, &str)]; 2] = [&[("pemba-delegation", &id)], &[]];
    let (started, mut trials) = (Instant::now(), 0);
    for round in 0..rounds() {
        if round.is_multiple_of(100) {
            modes = modes_at(stage.harness.touch(&["document:plan#viewer@user:bo"]).await);
        }
        for (expected, is_killed) in [(NO, true), (HAS, false)] {
            if is_killed {
                stage.kill("a", KillSelector::Agent(object("agent:a")), KillMode::DenyAll).await;
            } else {
                stage.lift("a").await;
            }
            let mut asked = JoinSet::new();
            for mode in (0..AT_ONCE).flat_map(|_| modes.iter()) {
                for metadata in metadata {
                    let consistency = mode.clone().map(|mode| wire::Consistency { requirement: Some(mode) });
                    let question = check_request("document:plan#edit@agent:a");
                    let request = with(wire::CheckPermissionRequest { consistency, ..question }, metadata);
                    let mut permissions = stage.harness.permissions();
                    let about = format!("round {round}, {mode:?}, {metadata:?}");
                    asked.spawn(async move {
                        let answer = permissions.check_permission(request).await.unwrap().into_inner();
                        assert_eq!(answer.permissionship, expected, "{about}");
                    });
                }
            }
            trials += asked.join_all().await.len();
        }
    }
    let took = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    assert!(written > 0);
    println!("{trials} checks after {} switches, beside {written} writes, in {took:?}", rounds() * 2);
}
