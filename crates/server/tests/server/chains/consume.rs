//! Decisions that count.

use pemba_agents::records::{Applies, ApprovalUses};
use pemba_proto::pemba::v1 as own;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::stage::*;

fn consume(chain: own::Chain, question: &str, key: &str) -> own::CheckAndConsumeRequest {
    let own::CheckAsRequest { chain, resource, permission, .. } = check_as(chain, question);
    own::CheckAndConsumeRequest { chain, resource, permission, idempotency_key: key.into(), context: None }
}

async fn approved(uses: u32) -> (Stage, own::Chain) {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    stage.harness.touch(&["document:plan#owner@user:bo"]).await;
    stage.approve_edits(Applies::AgentChains, ApprovalUses::Counted(uses)).await;
    let approval = stage.approved(7, 1, "document:plan", "user:bo").await;
    (stage, own::Chain { approval_id: approval, ..by_delegation(&id) })
}

#[tokio::test]
async fn of_many_at_once_one_uses_the_only_use() {
    let (stage, chain) = approved(1).await;
    assert_eq!(stage.outcome(chain.clone(), "document:plan#edit").await, own::Outcome::RequiresConsumption);
    let calls = (0..64).map(|n| {
        let request = consume(chain.clone(), "document:plan#edit", &format!("key-{n}"));
        let mut authority = stage.authority();
        tokio::spawn(async move { authority.check_and_consume(request).await.unwrap().into_inner() })
    });
    let mut allowed = Vec::new();
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        let answer = call.await.unwrap();
        match answer.decision.as_ref().unwrap().outcome() {
            own::Outcome::Allow => allowed.push((n, answer)),
            other => assert_eq!(other, own::Outcome::RequiresApproval),
        }
    }
    let [(n, first)] = &allowed[..] else { panic!("{} were allowed", allowed.len()) };
    assert_eq!((first.approval_uses_left, first.repeated_answer), (Some(0), false));
    // The same key has the same answer, and no further use is used.
    for _ in 0..3 {
        let again = consume(chain.clone(), "document:plan#edit", &format!("key-{n}"));
        let again = stage.authority().check_and_consume(again).await.unwrap().into_inner();
        assert!(again.repeated_answer);
        assert_eq!((&again.decided_at, &again.at), (&first.decided_at, &first.at));
        assert_eq!(again.decision.unwrap().outcome(), own::Outcome::Allow);
    }
    let other = consume(chain, "document:plan#view", &format!("key-{n}"));
    let error = stage.authority().check_and_consume(other).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(error.get_details_error_info().unwrap().reason, "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn what_is_not_allowed_uses_nothing() {
    let (stage, chain) = approved(2).await;
    let answer =
        stage.authority().check_and_consume(consume(chain.clone(), "document:plan#edit", "one")).await;
    assert_eq!(answer.unwrap().into_inner().approval_uses_left, Some(1));
    let bare = own::Chain { approval_id: String::new(), ..chain.clone() };
    let answer = stage.authority().check_and_consume(consume(bare, "document:plan#edit", "two")).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().outcome(), own::Outcome::RequiresApproval);
    assert_eq!(answer.approval_uses_left, None);
    // The key of a decision that used nothing is free.
    let answer = stage.authority().check_and_consume(consume(chain, "document:plan#edit", "two")).await;
    assert_eq!(answer.unwrap().into_inner().approval_uses_left, Some(0));
}

#[tokio::test]
async fn counted_delegations_are_used_up_and_keys_are_needed() {
    let stage = Stage::start().await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.uses = Some(2)).await;
    for (key, expected) in [("1", own::Outcome::Allow), ("2", own::Outcome::Allow), ("3", own::Outcome::Deny)]
    {
        let request = consume(by_delegation(&id), "document:plan#edit", key);
        let answer = stage.authority().check_and_consume(request).await.unwrap().into_inner();
        assert_eq!(answer.decision.unwrap().outcome(), expected, "{key}");
    }
    let error =
        stage.authority().check_and_consume(consume(by_delegation(&id), "document:plan#edit", "")).await;
    assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
}
