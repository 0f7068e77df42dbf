//! Calls without a chain: the subject's own authority, and whether it may act.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pemba_agents::authority::{self, Ground, Outcome, Question};
use pemba_agents::chain::{Claim, Presenter};
use pemba_agents::command::Transition;
use pemba_agents::records::{
    Applies, ApprovalUses, HumanStatus, KillMode, KillSelector, PrincipalKind, TypeMode,
};
use pemba_agents::{AgentLimits, Book, Facts};
use pemba_engine::Permissionship;
use pemba_model::SubjectRef;
use pemba_proto::authzed::api::v1 as wire;

use super::stage::*;
use crate::harness::{HAS, NO, all, bulk_item, subject};

#[tokio::test]
async fn who_may_not_act_has_nothing() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:plan#owner@agent:a", "document:plan#owner@agent:c"]).await;
    let agent = "document:plan#edit@agent:a";
    let answer = async |question: &str| stage.answer(question, &[]).await;
    assert_eq!(answer(agent).await, HAS);
    stage.transition("agent:a", Transition::Suspend).await;
    assert_eq!(answer(agent).await, NO);
    stage.transition("agent:a", Transition::Resume).await;
    stage.kill("all", KillSelector::All, KillMode::DenyAll).await;
    assert_eq!((answer(agent).await, answer("document:plan#edit@user:ada").await), (NO, HAS));
    stage.lift("all").await;
    assert_eq!(answer(agent).await, HAS);
    // An unregistered one is denied where its type is managed.
    assert_eq!(answer("document:plan#edit@agent:c").await, HAS);
    stage.set_type("agent", PrincipalKind::Agent, TypeMode::Managed).await;
    assert_eq!((answer(agent).await, answer("document:plan#edit@agent:c").await), (HAS, NO));
    stage.set_human("user:bo", HumanStatus::Active).await;
    stage.set_human("user:ada", HumanStatus::Disabled).await;
    assert_eq!(answer("document:plan#edit@user:ada").await, NO);
}

#[tokio::test]
async fn ceilings_purposes_and_policies_hold_without_a_chain() {
    let stage = Stage::start().await;
    stage
        .register_with("agent:c", |new| {
            new.ceiling = Some(documents(&["plan"]));
            new.purpose_permissions = BTreeSet::from(["document#view".into()]);
        })
        .await;
    let own = ["document:plan#owner@agent:c", "document:note#owner@agent:c", "document:plan#owner@user:bo"];
    stage.harness.touch(&own).await;
    let answer = async |question: &str| stage.answer(question, &[]).await;
    assert_eq!(answer("document:plan#view@agent:c").await, HAS);
    assert_eq!(answer("document:note#view@agent:c").await, NO);
    assert_eq!(answer("document:plan#edit@agent:c").await, NO);
    stage.approve_edits(Applies::All, ApprovalUses::Counted(1)).await;
    let waiting = stage.check("document:plan#edit@user:bo", &[]).await.unwrap();
    assert_eq!(text(waiting.metadata(), "pemba-outcome"), Some("requires_approval"));
    assert_eq!(waiting.into_inner().permissionship, NO);
    assert_eq!(answer("document:plan#view@user:bo").await, HAS);
}

fn lookup_resources(asking: &str, permission: &str) -> wire::LookupResourcesRequest {
    wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: permission.into(),
        subject: Some(subject(asking)),
        ..Default::default()
    }
}

/// Whom a lookup finds: by name, and the wildcard with those it excludes.
async fn subjects(
    stage: &Stage,
    document: &str,
    permission: &str,
    of: &str,
) -> (BTreeSet<String>, Option<BTreeSet<String>>) {
    let request = wire::LookupSubjectsRequest {
        resource: Some(wire_object(document)),
        permission: permission.into(),
        subject_object_type: of.into(),
        ..Default::default()
    };
    let found = all(stage.harness.permissions().lookup_subjects(request).await.unwrap()).await.unwrap();
    let (mut named, mut wildcard) = (BTreeSet::new(), None);
    for one in found {
        let id = one.subject.unwrap().subject_object_id;
        if id == "*" {
            let excluded = one.excluded_subjects.into_iter();
            wildcard = Some(excluded.map(|one| one.subject_object_id).collect());
        } else {
            assert!(named.insert(id), "each once");
        }
    }
    (named, wildcard)
}

/// Asks everything there is to ask, and compares lookups and bulk checks with checks.
async fn agree(stage: &Stage, step: &str) {
    let documents = ["plan", "note", "open", "other"];
    for permission in ["view", "edit"] {
        for (of, ids) in [("user", &["ada", "bo", "cy", "nobody"]), ("agent", &["a", "b", "c", "nobody"])] {
            for document in documents {
                let (named, wildcard) =
                    subjects(stage, &format!("document:{document}"), permission, of).await;
                for id in ids {
                    let question = format!("document:{document}#{permission}@{of}:{id}");
                    let checked = stage.answer(&question, &[]).await == HAS;
                    let by_wildcard = wildcard.as_ref().is_some_and(|excluded| !excluded.contains(*id));
                    assert_eq!(named.contains(*id) || by_wildcard, checked, "{step}: {question}");
                }
            }
            for id in ids {
                let asking = format!("{of}:{id}");
                let request = lookup_resources(&asking, permission);
                let found =
                    all(stage.harness.permissions().lookup_resources(request).await.unwrap()).await.unwrap();
                let found: BTreeSet<String> = found.into_iter().map(|one| one.resource_object_id).collect();
                let items = documents
                    .map(|document| bulk_item(&format!("document:{document}#{permission}@{asking}")));
                let bulk = wire::CheckBulkPermissionsRequest { items: items.to_vec(), ..Default::default() };
                let bulk =
                    stage.harness.permissions().check_bulk_permissions(bulk).await.unwrap().into_inner();
                for (document, pair) in documents.iter().zip(bulk.pairs) {
                    let question = format!("document:{document}#{permission}@{asking}");
                    let checked = stage.answer(&question, &[]).await;
                    assert_eq!(found.contains(*document), checked == HAS, "{step}: {question}");
                    let Some(wire::check_bulk_permissions_pair::Response::Item(item)) = pair.response else {
                        panic!("{question}")
                    };
                    assert_eq!(item.permissionship, checked, "{step}: {question}");
                }
            }
        }
    }
}

#[tokio::test]
async fn lookups_and_bulk_checks_agree_with_checks() {
    let stage = Stage::start().await;
    let all = [
        "document:open#viewer@user:*",
        "document:open#viewer@agent:*",
        "document:open#viewer@user:cy",
        "document:open#banned@user:bo",
        "document:other#owner@agent:a",
        "document:other#owner@agent:c",
        "document:plan#viewer@agent:b",
        "document:note#viewer@user:bo",
    ];
    stage.harness.touch(&all).await;
    agree(&stage, "at first").await;
    stage.transition("agent:a", Transition::Suspend).await;
    stage.set_human("user:cy", HumanStatus::Disabled).await;
    agree(&stage, "one of each gone").await;
    stage.register_with("agent:c", |new| new.ceiling = Some(documents(&["other"]))).await;
    agree(&stage, "one with a ceiling").await;
    stage.kill("writes", KillSelector::Agent(object("agent:c")), KillMode::DenyWrite).await;
    agree(&stage, "one that may not write").await;
    stage.kill("bo", KillSelector::Agent(object("user:bo")), KillMode::DenyAll).await;
    agree(&stage, "a user with a switch").await;
    stage.set_type("agent", PrincipalKind::Agent, TypeMode::Observed).await;
    agree(&stage, "a declared type").await;
    stage.kill("all", KillSelector::All, KillMode::RequireApproval).await;
    agree(&stage, "all agents wait").await;
    stage.lift("all").await;
    stage.set_type("agent", PrincipalKind::Agent, TypeMode::Managed).await;
    stage.set_type("user", PrincipalKind::Human, TypeMode::Managed).await;
    agree(&stage, "managed types").await;
    stage.approve_edits(Applies::AgentChains, ApprovalUses::TimeBoxed).await;
    agree(&stage, "agents wait to edit").await;
    stage.approve_edits(Applies::All, ApprovalUses::TimeBoxed).await;
    agree(&stage, "everybody waits to edit").await;
}

#[tokio::test]
async fn a_gated_check_costs_little_more_than_a_plain_one() {
    const ROUNDS: u32 = 20_000;
    let stage = Stage::start().await;
    stage.harness.touch(&["document:plan#owner@agent:a"]).await;
    let view = stage.harness.database.head_view();
    let book: &Book = view.ledger().as_any().downcast_ref().unwrap();
    let facts = Facts::of(view.snapshot(), view.now(), view.steps_max());
    let (limits, presenter) = (AgentLimits::default(), Presenter::default());
    let ground = Ground { facts, head: facts, seen: facts, book, limits: &limits, presenter: &presenter };
    let (resource, agent) = (object("document:plan"), object("agent:a"));
    let direct = SubjectRef { object: agent.clone(), relation: None };
    let since = Instant::now();
    for _ in 0..ROUNDS {
        assert_eq!(view.check(&resource, "edit", &direct, None).unwrap().permissionship, Permissionship::Yes);
    }
    let plain = since.elapsed() / ROUNDS;
    let since = Instant::now();
    for _ in 0..ROUNDS {
        let claim = Claim { root: Some(agent.clone()), ..Claim::default() };
        let question = Question { claim: &claim, permission: "edit", resource: &resource, values: None };
        assert_eq!(authority::check(&ground, &question).unwrap().outcome, Outcome::Allow);
    }
    let gated = since.elapsed() / ROUNDS;
    println!("a check takes {plain:?} by relationships alone, {gated:?} with the records of agents");
    assert!(gated < plain + Duration::from_micros(200));
}
