//! Lookups for chains agree with checks, page exactly, and say who can act on whose authority.

use std::collections::BTreeSet;

use pemba_agents::DelegationId;
use pemba_agents::command::Transition;
use pemba_agents::records::HumanStatus;
use pemba_agents::scope::{Clause, Selector};
use pemba_proto::pemba::v1 as own;
use tonic::Code;

use super::stage::*;
use crate::harness::{all, at_exact_snapshot};

fn lookup(chain: &own::Chain, permission: &str) -> own::LookupResourcesAsRequest {
    own::LookupResourcesAsRequest {
        chain: Some(chain.clone()),
        resource_type: "document".into(),
        permission: permission.into(),
        ..Default::default()
    }
}

async fn found(stage: &Stage, request: own::LookupResourcesAsRequest) -> Vec<own::LookupResourcesAsResponse> {
    all(stage.authority().lookup_resources_as(request).await.unwrap()).await.unwrap()
}

async fn agree(stage: &Stage, chains: &[own::Chain], step: &str) {
    for chain in chains {
        for permission in ["view", "edit"] {
            let listed = found(stage, lookup(chain, permission)).await;
            let outcome = |id: &str| listed.iter().find(|one| one.resource_id == id);
            for n in 0..12 {
                let id = format!("d{n}");
                let checked = stage.decide(chain.clone(), &format!("document:{id}#{permission}")).await;
                let said = outcome(&id);
                let expected = match checked.outcome() {
                    own::Outcome::Allow => Some((own::Outcome::Allow, None)),
                    own::Outcome::Conditional => {
                        Some((own::Outcome::Conditional, checked.partial_caveat_info))
                    }
                    _ => None,
                };
                let said = said.map(|one| (one.outcome(), one.partial_caveat_info.clone()));
                assert_eq!(said, expected, "{step}: {permission} on {id} by {chain:?}");
            }
        }
    }
}

#[tokio::test]
async fn resources_agree_with_checks() {
    let stage = Stage::start().await;
    let mut texts = Vec::new();
    for n in 0..12 {
        texts.push(format!("document:d{n}#folder@folder:f{}", n % 3));
        let edge = if n % 4 == 3 { "viewer@user:ada[on_call]" } else { "owner@user:ada" };
        texts.push(format!("document:d{n}#{edge}"));
    }
    texts.push("document:d4#banned@user:ada".to_owned());
    texts.push("document:d5#viewer@agent:a".to_owned());
    stage.harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let some: Vec<String> = (0..8).map(|n| format!("d{n}")).collect();
    let some: Vec<&str> = some.iter().map(String::as_str).collect();
    let first = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&some)).await;
    let second = stage
        .delegate_with(2, "agent:a", "agent:b", |new| {
            new.parent = Some(DelegationId(1));
            new.scope = documents(&some[2..6]);
            let one_more = Clause {
                resource_type: "document".into(),
                permissions: BTreeSet::from(["view".into()]),
                selector: Selector::Objects(BTreeSet::from(["d7".into()])),
                caveat: None,
            };
            new.scope.clauses = new.scope.clauses.iter().cloned().chain([one_more]).collect();
        })
        .await;
    let session = stage
        .open_session(5, "agent:a", |new| {
            new.delegation = Some(DelegationId(1));
            new.scope = Some(documents(&some[1..4]));
        })
        .await;
    let in_session = own::Chain { session_id: session, ..own::Chain::default() };
    let chains =
        [by_delegation(&first), by_delegation(&second), in_session, alone("user:ada"), alone("agent:a")];
    agree(&stage, &chains, "at first").await;
    assert!(!found(&stage, lookup(&chains[1], "view")).await.is_empty());
    stage.register_with("agent:c", |new| new.own_grants_required = true).await;
    let strict = stage.delegate(3, "user:ada", "agent:c").await;
    stage.harness.touch(&["document:d1#viewer@agent:c"]).await;
    let mut more = chains.to_vec();
    more.push(by_delegation(&strict));
    agree(&stage, &more, "with own grants required").await;
    stage.transition("agent:a", Transition::Suspend).await;
    agree(&stage, &more, "an agent suspended").await;
    assert!(found(&stage, lookup(&chains[1], "view")).await.is_empty());
    stage.transition("agent:a", Transition::Resume).await;
    stage.set_human("user:ada", HumanStatus::Disabled).await;
    agree(&stage, &more, "the root gone").await;
}

#[tokio::test]
async fn pages_are_exact_and_pinned_to_a_revision_and_question() {
    let stage = Stage::start().await;
    let texts: Vec<String> = (0..40).map(|n| format!("document:p{n}#owner@user:cy")).collect();
    stage.harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let id = stage.delegate(1, "user:cy", "agent:a").await;
    let whole = found(&stage, lookup(&by_delegation(&id), "edit")).await;
    assert_eq!(whole.len(), 40);
    let (mut paged, mut cursor) = (Vec::new(), None);
    loop {
        let request = own::LookupResourcesAsRequest {
            optional_limit: 7,
            optional_cursor: cursor,
            ..lookup(&by_delegation(&id), "edit")
        };
        let page = found(&stage, request).await;
        let Some(last) = page.last() else { break };
        cursor = last.after_result_cursor.clone();
        paged.extend(page);
        // What is written between pages is not told.
        stage.harness.touch(&["document:later#owner@user:cy"]).await;
    }
    let ids = |all: &[own::LookupResourcesAsResponse]| {
        all.iter().map(|one| one.resource_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&paged), ids(&whole));
    let cursor = whole[3].after_result_cursor.clone();
    let other = own::LookupResourcesAsRequest {
        optional_cursor: cursor.clone(),
        ..lookup(&by_delegation(&id), "view")
    };
    assert_eq!(stage.authority().lookup_resources_as(other).await.unwrap_err().code(), Code::InvalidArgument);
    let other = own::LookupResourcesAsRequest {
        optional_cursor: cursor.clone(),
        ..lookup(&alone("user:cy"), "edit")
    };
    assert_eq!(stage.authority().lookup_resources_as(other).await.unwrap_err().code(), Code::InvalidArgument);
    let above = own::LookupResourcesAsRequest { optional_limit: 1001, ..lookup(&by_delegation(&id), "edit") };
    assert_eq!(stage.authority().lookup_resources_as(above).await.unwrap_err().code(), Code::InvalidArgument);
    // The page after a revocation is empty, whatever revision it is pinned to.
    stage.revoke(1).await;
    let next =
        own::LookupResourcesAsRequest { optional_cursor: cursor, ..lookup(&by_delegation(&id), "edit") };
    assert!(found(&stage, next).await.is_empty());
}

fn subjects(document: &str, include_delegates: bool) -> own::LookupSubjectsAsRequest {
    own::LookupSubjectsAsRequest {
        resource: Some(wire_object(document)),
        permission: "view".into(),
        subject_type: "user".into(),
        include_delegates,
        ..Default::default()
    }
}

/// Each result as `root>actors outcome`, with what the wildcard excludes.
async fn told(stage: &Stage, request: own::LookupSubjectsAsRequest) -> Vec<String> {
    let found = all(stage.authority().lookup_subjects_as(request).await.unwrap()).await.unwrap();
    found.iter().map(shown).collect()
}

fn shown(one: &own::LookupSubjectsAsResponse) -> String {
    let mut text = one.root.as_ref().unwrap().object_id.clone();
    for actor in &one.actors {
        text += &format!(">{}", actor.object_id);
    }
    if !one.excluded_ids.is_empty() {
        text += &format!(" but {}", one.excluded_ids.join(","));
    }
    if one.outcome() != own::Outcome::Allow {
        text += &format!(" {:?}", one.outcome());
    }
    text
}

#[tokio::test]
async fn who_can_touch_an_object_and_on_whose_authority() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:plan#viewer@user:bo", "document:plan#viewer@user:cy[on_call]"]).await;
    stage.delegate(1, "user:ada", "agent:a").await;
    stage.delegate_with(2, "agent:a", "agent:b", |new| new.parent = Some(DelegationId(1))).await;
    stage.delegate_with(3, "user:ada", "agent:b", |new| new.scope = documents(&["note"])).await;
    stage.delegate_with(4, "user:bo", "agent:a", |new| new.uses = Some(1)).await;
    stage.delegate(5, "user:cy", "agent:a").await;
    stage.delegate(6, "user:nobody", "agent:a").await;
    assert_eq!(told(&stage, subjects("document:plan", false)).await, ["ada", "bo", "cy Conditional"]);
    let whole = told(&stage, subjects("document:plan", true)).await;
    let expected =
        ["ada", "ada>a", "ada>a>b", "bo", "bo>a RequiresConsumption", "cy Conditional", "cy>a Conditional"];
    assert_eq!(whole, expected);
    // In pages of every size.
    for size in 1..=8 {
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let request = own::LookupSubjectsAsRequest {
                optional_limit: size,
                optional_cursor: cursor,
                ..subjects("document:plan", true)
            };
            let page = all(stage.authority().lookup_subjects_as(request).await.unwrap()).await.unwrap();
            let Some(last) = page.last() else { break };
            cursor = last.after_result_cursor.clone();
            paged.extend(page.iter().map(shown));
        }
        assert_eq!(paged, expected, "{size}");
    }
    // Each of them checks as it was told.
    for (delegation, outcome) in [(2, own::Outcome::Allow), (3, own::Outcome::Deny), (6, own::Outcome::Deny)]
    {
        let chain = by_delegation(&DelegationId(delegation).to_string());
        assert_eq!(stage.outcome(chain, "document:plan#view").await, outcome, "{delegation}");
    }
    stage.revoke(1).await;
    let fewer = told(&stage, subjects("document:plan", true)).await;
    assert_eq!(fewer, ["ada", "bo", "bo>a RequiresConsumption", "cy Conditional", "cy>a Conditional"]);
}

#[tokio::test]
async fn everybody_has_delegates_too() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:open#viewer@user:*", "document:open#banned@user:bo"]).await;
    stage.delegate(1, "user:ada", "agent:a").await;
    stage.delegate(2, "user:bo", "agent:a").await;
    stage.delegate(3, "user:cy", "agent:a").await;
    stage.set_human("user:cy", HumanStatus::Disabled).await;
    assert_eq!(told(&stage, subjects("document:open", true)).await, ["* but bo,cy", "ada>a"]);
    assert_eq!(told(&stage, subjects("document:open", false)).await, ["* but bo,cy"]);
}

#[tokio::test]
async fn a_snapshot_around_a_change() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let before = stage.harness.touch(&["document:plan#viewer@user:bo"]).await;
    stage.harness.touch(&["document:new#owner@user:ada"]).await;
    let request = own::LookupResourcesAsRequest {
        consistency: at_exact_snapshot(&before),
        ..lookup(&by_delegation(&id), "edit")
    };
    let ids = async |request| -> BTreeSet<String> {
        found(&stage, request).await.into_iter().map(|one| one.resource_id).collect()
    };
    assert_eq!(ids(request.clone()).await, BTreeSet::from(["plan".to_owned(), "note".to_owned()]));
    stage.revoke(1).await;
    assert!(ids(request).await.is_empty());
}
