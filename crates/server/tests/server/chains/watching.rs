//! Streams of decisions.

use std::time::Duration;

use pemba_agents::DelegationId;
use pemba_agents::command;
use pemba_agents::records::{Applies, ApprovalUses, KillMode, KillSelector};
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::watched_answer::Answer;
use tonic::{Code, Streaming};

use super::stage::*;

struct Watched(Streaming<own::WatchDecisionResponse>);

impl Watched {
    async fn start(stage: &Stage, questions: &[(own::Chain, &str)]) -> Watched {
        let stream = stage.authority().watch_decision(request(questions)).await.unwrap().into_inner();
        Watched(stream)
    }

    async fn message(&mut self) -> own::WatchDecisionResponse {
        let message = tokio::time::timeout(Duration::from_secs(10), self.0.message()).await;
        message.expect("a message within ten seconds").unwrap().unwrap()
    }

    /// The whole state.
    async fn whole(&mut self) -> Vec<own::Outcome> {
        let message = self.message().await;
        assert!(message.whole && message.at.is_some());
        message.answers.into_iter().map(|answer| decision(answer.answer).outcome()).collect()
    }

    /// One flip: of which question, to what.
    async fn flip(&mut self) -> (u32, own::Outcome) {
        let message = self.message().await;
        assert!(!message.whole);
        let [answer] = &message.answers[..] else { panic!("{message:?}") };
        (answer.question, decision(answer.answer.clone()).outcome())
    }

    async fn quiet(&mut self) {
        let message = tokio::time::timeout(Duration::from_millis(400), self.0.message()).await;
        assert!(message.is_err(), "{message:?}");
    }
}

fn decision(answer: Option<Answer>) -> own::Decision {
    match answer {
        Some(Answer::Decision(decision)) => decision,
        other => panic!("{other:?}"),
    }
}

fn request(questions: &[(own::Chain, &str)]) -> own::WatchDecisionRequest {
    let questions = questions.iter().map(|(chain, question)| {
        let own::CheckAsRequest { chain, resource, permission, context, .. } =
            check_as(chain.clone(), question);
        own::WatchedQuestion { chain, resource, permission, context }
    });
    own::WatchDecisionRequest { questions: questions.collect() }
}

#[tokio::test]
async fn writes_kills_and_revocations_flip_answers() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let questions = [(by_delegation(&id), "document:plan#edit"), (alone("user:ada"), "document:plan#edit")];
    let mut watched = Watched::start(&stage, &questions).await;
    assert_eq!(watched.whole().await, [own::Outcome::Allow, own::Outcome::Allow]);
    stage.kill("a", KillSelector::Agent(object("agent:a")), KillMode::DenyAll).await;
    assert_eq!(watched.flip().await, (0, own::Outcome::Deny));
    stage.lift("a").await;
    assert_eq!(watched.flip().await, (0, own::Outcome::Allow));
    // What changes nothing is not told.
    stage.harness.touch(&["document:note#viewer@user:bo"]).await;
    watched.quiet().await;
    stage.harness.write(Operation::Delete, &["document:plan#owner@user:ada"]).await.unwrap();
    let both = watched.message().await;
    assert_eq!(both.answers.len(), 2);
    stage.harness.touch(&["document:plan#owner@user:ada"]).await;
    assert_eq!(watched.message().await.answers.len(), 2);
    stage.revoke(1).await;
    assert_eq!(watched.flip().await, (0, own::Outcome::Deny));
}

#[tokio::test]
async fn the_clock_flips_answers_both_ways() {
    let stage = Stage::start().await;
    let id = stage
        .delegate_with(1, "user:ada", "agent:a", |new| {
            new.not_before = Some(pemba_model::Timestamp::from_millis(START_MS + 60_000));
            new.not_after = pemba_model::Timestamp::from_millis(START_MS + 120_000);
        })
        .await;
    let mut watched = Watched::start(&stage, &[(by_delegation(&id), "document:plan#edit")]).await;
    assert_eq!(watched.whole().await, [own::Outcome::Deny]);
    stage.clock.advance_ms(60_000);
    assert_eq!(watched.flip().await, (0, own::Outcome::Allow));
    stage.clock.advance_ms(60_000);
    assert_eq!(watched.flip().await, (0, own::Outcome::Deny));
}

#[tokio::test]
async fn sessions_close_and_idle_although_they_are_watched() {
    let stage = Stage::start().await;
    stage.delegate(1, "user:ada", "agent:a").await;
    let open = |idle: Option<u64>| {
        move |new: &mut command::OpenSession| {
            new.delegation = Some(DelegationId(1));
            new.idle_ms = idle;
        }
    };
    let closing = stage.open_session(5, "agent:a", open(None)).await;
    let idling = stage.open_session(6, "agent:a", open(Some(60_000))).await;
    let of = |session: String| own::Chain { session_id: session, ..own::Chain::default() };
    let questions = [(of(closing), "document:plan#edit"), (of(idling), "document:plan#edit")];
    let mut watched = Watched::start(&stage, &questions).await;
    assert_eq!(watched.whole().await, [own::Outcome::Allow, own::Outcome::Allow]);
    stage.clock.advance_ms(59_000);
    stage.close_session(5).await;
    assert_eq!(watched.flip().await, (0, own::Outcome::Deny));
    stage.clock.advance_ms(1_000);
    assert_eq!(watched.flip().await, (1, own::Outcome::Deny));
}

#[tokio::test]
async fn an_approval_flips_what_waits_for_it() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    stage.harness.touch(&["document:plan#owner@user:bo"]).await;
    let mut watched = Watched::start(&stage, &[(by_delegation(&id), "document:plan#edit")]).await;
    assert_eq!(watched.whole().await, [own::Outcome::Allow]);
    stage.approve_edits(Applies::AgentChains, ApprovalUses::TimeBoxed).await;
    assert_eq!(watched.flip().await, (0, own::Outcome::RequiresApproval));
    let approval = stage.approved(7, 1, "document:plan", "user:bo").await;
    watched.quiet().await;
    let chain = own::Chain { approval_id: approval, ..by_delegation(&id) };
    let mut watched = Watched::start(&stage, &[(chain, "document:plan#edit")]).await;
    assert_eq!(watched.whole().await, [own::Outcome::Allow]);
    stage.clock.advance_ms(60_000);
    assert_eq!(watched.flip().await, (0, own::Outcome::RequiresApproval));
}

#[tokio::test]
async fn streams_are_bounded_and_questions_checked() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let question = (by_delegation(&id), "document:plan#edit");
    for count in [0, 101] {
        let error =
            stage.authority().watch_decision(request(&vec![question.clone(); count])).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("100"), "{error:?}");
    }
    let unknown = by_delegation("dlg_0000000000000000000000000000ffff");
    let error = stage.authority().watch_decision(request(&[question, (unknown, "document:plan#edit")])).await;
    assert_eq!(error.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_question_that_loses_its_answer_is_told_why() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let mut watched = Watched::start(&stage, &[(by_delegation(&id), "document:plan#edit")]).await;
    watched.whole().await;
    stage.harness.write_schema(&SCHEMA.replace("permission edit = owner", "")).await.unwrap();
    let message = watched.message().await;
    let Some(Answer::Error(status)) = &message.answers[0].answer else { panic!("{message:?}") };
    assert_eq!(status.code, Code::FailedPrecondition as i32);
    stage.harness.write_schema(SCHEMA).await.unwrap();
    assert_eq!(watched.flip().await, (0, own::Outcome::Allow));
}
