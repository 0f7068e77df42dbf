//! Agents registered, changed, stopped, and their sponsors.

use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::world::*;
use crate::harness::*;

fn transition(ids: &[&str], version: u64) -> wire::TransitionRequest {
    wire::TransitionRequest {
        principals: ids.iter().map(|id| agent(id)).collect(),
        reason: "because".into(),
        version,
    }
}

#[tokio::test]
async fn an_agent_is_registered_with_everything_said_of_it_in_one_revision() {
    let world = World::start().await;
    let said = wire::AgentSpec {
        external_names: vec![wire::ExternalName { issuer: "spiffe".into(), subject: "spiffe://a/b".into() }],
        owners: vec![object("team", "ops")],
        purpose_permissions: vec!["document#view".into()],
        blueprint: "reader".into(),
        environment: "production".into(),
        tenant: "acme".into(),
        labels: vec!["critical".into(), "nightly".into()],
        not_before: world.in_ms(-1000),
        not_after: world.in_ms(1_000_000),
        attest_every: seconds(600),
        max_depth: 3,
        ceiling: Some(documents(&["view"], &["a", "b"])),
        own_grants_required: true,
        orphan_grace: seconds(60),
        ..spec("a")
    };
    let before = world.head();
    let request =
        wire::RegisterAgentRequest { spec: Some(said.clone()), proposed: true, reason: "new".into() };
    let answer = world.agents().register_agent(request).await.unwrap().into_inner();
    assert_eq!(world.head(), before + 1);
    let registered = answer.agent.unwrap();
    assert_eq!(registered.spec.as_ref(), Some(&said));
    assert_eq!((registered.incarnation, registered.version), (1, 1));
    assert_eq!(registered.status(), wire::AgentStatus::Proposed);
    assert_eq!((registered.not_live.as_str(), registered.status_reason.as_str()), ("proposed", "new"));
    assert_eq!(registered.attest_by, world.in_ms(600_000));
    assert_eq!(registered.created_by, "anybody");
    assert_eq!(world.agent("a").await, registered);
    let head = world.harness.database.token(world.harness.database.head()).to_string();
    assert_eq!(answer.written_at.unwrap().token, head);
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_told_with_its_field() {
    let world = World::start().await;
    world.register("there").await;
    let unlimited = documents(&["view"], &[]);
    let without = |change: &dyn Fn(&mut wire::AgentSpec)| {
        let mut spec = spec("new");
        change(&mut spec);
        spec
    };
    let mut bad_scope = unlimited.clone();
    bad_scope.clauses[0].permissions = vec!["fly".into()];
    let (invalid, missing) = ("INVALID_VALUE", "MISSING_VALUE");
    let past = world.in_ms(-1);
    let cases: Vec<(wire::AgentSpec, Code, &str, &str)> = vec![
        (without(&|s| s.principal = None), Code::InvalidArgument, missing, "spec.principal"),
        (
            without(&|s| s.principal = Some(object("agent", "*"))),
            Code::InvalidArgument,
            invalid,
            "spec.principal.object_id",
        ),
        (
            without(&|s| s.principal = Some(object("robot", "a"))),
            Code::InvalidArgument,
            "UNKNOWN_TYPE",
            "spec.principal",
        ),
        (
            without(&|s| s.principal = Some(user("sam"))),
            Code::InvalidArgument,
            "TYPE_MISMATCH",
            "spec.principal",
        ),
        (without(&|s| s.kind = 0), Code::InvalidArgument, missing, "spec.kind"),
        (without(&|s| s.kind = 99), Code::InvalidArgument, invalid, "spec.kind"),
        (without(&|s| s.sponsors.clear()), Code::InvalidArgument, missing, "spec.sponsors"),
        (
            without(&|s| s.sponsors = vec![agent("b")]),
            Code::InvalidArgument,
            "SPONSOR_NOT_HUMAN",
            "spec.sponsors",
        ),
        (
            without(&|s| s.sponsors[0].object_id = "a b".into()),
            Code::InvalidArgument,
            invalid,
            "spec.sponsors[0].object_id",
        ),
        (without(&|s| s.labels = vec![String::new()]), Code::InvalidArgument, missing, "spec.labels"),
        (without(&|s| s.purpose = "x".repeat(5000)), Code::ResourceExhausted, "TOO_MUCH", "spec.purpose"),
        (without(&|s| s.not_after = past), Code::InvalidArgument, "INVALID_PERIOD", "spec.not_after"),
        (
            without(&|s| s.attest_every = seconds(0)),
            Code::InvalidArgument,
            "INVALID_PERIOD",
            "spec.attest_every",
        ),
        (without(&|s| s.orphan_grace = seconds(-1)), Code::InvalidArgument, invalid, "spec.orphan_grace"),
        (without(&|s| s.max_depth = 99), Code::ResourceExhausted, "TOO_MUCH", "spec.max_depth"),
        (
            without(&|s| s.purpose_permissions = vec!["document".into()]),
            Code::InvalidArgument,
            invalid,
            "spec.purpose_permissions",
        ),
        (
            without(&|s| s.ceiling = Some(bad_scope.clone())),
            Code::InvalidArgument,
            "UNKNOWN_PERMISSION",
            "spec.ceiling.clauses[0].permissions",
        ),
        (
            without(&|s| {
                s.external_names = vec![wire::ExternalName { issuer: "x".into(), subject: String::new() }];
            }),
            Code::InvalidArgument,
            missing,
            "spec.external_names.subject",
        ),
        (spec("there"), Code::AlreadyExists, "AGENT_EXISTS", "spec.principal"),
    ];
    let before = world.head();
    for (spec, code, reason, field) in cases {
        let status = world.try_register(spec).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    let status = world.agents().register_agent(wire::RegisterAgentRequest::default()).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, missing, "spec");
    assert_eq!(world.head(), before, "refusals write nothing");
}

#[tokio::test]
async fn an_update_needs_the_present_version_and_keeps_the_status() {
    let world = World::start().await;
    world.register("a").await;
    let changed = wire::AgentSpec { tenant: "acme".into(), ..spec("a") };
    let request =
        |version| wire::UpdateAgentRequest { spec: Some(changed.clone()), version, reason: "moved".into() };
    let status = world.agents().update_agent(request(7)).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "VERSION_MISMATCH", "version");
    let updated = world.agents().update_agent(request(1)).await.unwrap().into_inner().agent.unwrap();
    assert_eq!((updated.version, updated.status()), (2, wire::AgentStatus::Active));
    assert_eq!(updated.spec.unwrap().tenant, "acme");
    let unknown = wire::UpdateAgentRequest { spec: Some(spec("nobody")), version: 1, ..Default::default() };
    let status = world.agents().update_agent(unknown).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "AGENT_NOT_FOUND", "spec.principal");
    let status =
        world.agents().get_agent(wire::GetAgentRequest { principal: Some(agent("x")) }).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "AGENT_NOT_FOUND", "principal");
}

#[tokio::test]
async fn agents_go_through_their_lives_and_only_along_the_ways_there_are() {
    let world = World::start().await;
    let proposed = wire::RegisterAgentRequest { spec: Some(spec("a")), proposed: true, ..Default::default() };
    world.agents().register_agent(proposed).await.unwrap();
    let mut agents = world.agents();
    let status = agents.suspend_agents(transition(&["a"], 0)).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "WRONG_STATUS", "principals");
    let now = |answer: tonic::Response<wire::TransitionResponse>| {
        let agent = answer.into_inner().agents.remove(0);
        (agent.status(), agent.not_live)
    };
    use wire::AgentStatus as S;
    assert_eq!(now(agents.activate_agents(transition(&["a"], 1)).await.unwrap()), (S::Active, "".into()));
    assert_eq!(
        now(agents.quarantine_agents(transition(&["a"], 0)).await.unwrap()),
        (S::Quarantined, "".into())
    );
    assert_eq!(now(agents.resume_agents(transition(&["a"], 0)).await.unwrap()), (S::Active, "".into()));
    assert_eq!(
        now(agents.suspend_agents(transition(&["a"], 0)).await.unwrap()),
        (S::Suspended, "suspended".into())
    );
    let status = agents.resume_agents(transition(&["a"], 1)).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "VERSION_MISMATCH", "version");
    assert_eq!(
        now(agents.retire_agents(transition(&["a"], 0)).await.unwrap()),
        (S::Retired, "retired".into())
    );
    let status = agents.resume_agents(transition(&["a"], 0)).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "WRONG_STATUS", "principals");
    for (request, reason, field, code) in [
        (transition(&[], 0), "MISSING_VALUE", "principals", Code::InvalidArgument),
        (transition(&["b"], 0), "AGENT_NOT_FOUND", "principals", Code::NotFound),
        (transition(&["b", "b"], 3), "INVALID_VALUE", "version", Code::InvalidArgument),
    ] {
        let status = agents.suspend_agents(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
}

#[tokio::test]
async fn many_agents_are_suspended_in_one_revision_or_none_is() {
    let world = World::start().await;
    let ids: Vec<String> = (0..50).map(|n| format!("a{n}")).collect();
    for id in &ids {
        world.register(id).await;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let before = world.head();
    let with_stranger: Vec<&str> = ids.iter().copied().chain(["stranger"]).collect();
    let status = world.agents().suspend_agents(transition(&with_stranger, 0)).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "AGENT_NOT_FOUND", "principals");
    assert_eq!((world.head(), world.agent("a0").await.status()), (before, wire::AgentStatus::Active));
    let answer = world.agents().suspend_agents(transition(&ids, 0)).await.unwrap().into_inner();
    assert_eq!((world.head(), answer.agents.len()), (before + 1, 50));
    assert!(answer.agents.iter().all(|agent| agent.not_live == "suspended"));
}

#[tokio::test]
async fn a_retired_id_comes_back_as_another_without_what_it_had() {
    let world = World::start().await;
    world.register("a").await;
    world.harness.touch(&["document:x#viewer@agent:a"]).await;
    assert_eq!(world.harness.answer("document:x#view@agent:a").await, HAS);
    world.agents().retire_agents(transition(&["a"], 0)).await.unwrap();
    let again = world.register("a").await;
    assert_eq!((again.incarnation, again.version, again.not_live.as_str()), (2, 3, ""));
    assert_eq!(world.harness.answer("document:x#view@agent:a").await, NO);
    let request = wire::ListAgentChangesRequest { principal: Some(agent("a")) };
    let history = world.agents().list_agent_changes(request).await.unwrap().into_inner();
    let told: Vec<_> =
        history.changes.iter().map(|c| (c.incarnation, c.version, c.action.as_str())).collect();
    assert_eq!(told, [(1, 1, "registered"), (1, 2, "retired"), (2, 3, "registered")]);
    assert!(history.complete);
    assert_eq!((history.changes[1].reason.as_str(), history.changes[1].by.as_str()), ("because", "anybody"));
    let request = wire::ListAgentChangesRequest { principal: Some(agent("b")) };
    let status = world.agents().list_agent_changes(request).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "AGENT_NOT_FOUND", "principal");
}

#[tokio::test]
async fn without_attestation_an_agent_stops_and_with_it_goes_on() {
    let world = World::start().await;
    world.try_register(wire::AgentSpec { attest_every: seconds(60), ..spec("a") }).await.unwrap();
    world.register("b").await;
    let attest = |id: &str| wire::AttestAgentRequest { principal: Some(agent(id)), reason: "seen".into() };
    world.clock.advance_ms(59_999);
    assert_eq!(world.agent("a").await.not_live, "");
    world.clock.advance_ms(1);
    assert_eq!(world.agent("a").await.not_live, "unattested");
    let attested = world.agents().attest_agent(attest("a")).await.unwrap().into_inner().agent.unwrap();
    assert_eq!((attested.not_live.as_str(), attested.attest_by), ("", world.in_ms(60_000)));
    let status = world.agents().attest_agent(attest("b")).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "WRONG_STATUS", "principal");
    let status = world.agents().attest_agent(wire::AttestAgentRequest::default()).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "MISSING_VALUE", "principal");
}

#[tokio::test]
async fn a_sponsor_leaves_only_when_the_next_has_accepted() {
    let world = World::start().await;
    world.register("a").await;
    let propose = |from: &str, to: &str| wire::ProposeSponsorRequest {
        principal: Some(agent("a")),
        from: (!from.is_empty()).then(|| user(from)),
        to: Some(user(to)),
        reason: "leaves".into(),
    };
    let accept = |sponsor: &str| wire::AcceptSponsorRequest {
        principal: Some(agent("a")),
        sponsor: Some(user(sponsor)),
        reason: String::new(),
    };
    let mut agents = world.agents();
    let status = agents.propose_sponsor(propose("tom", "pam")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "from");
    let status = agents.propose_sponsor(propose("", "sam")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "to");
    let status = agents
        .propose_sponsor(wire::ProposeSponsorRequest { to: Some(agent("b")), ..propose("", "pam") })
        .await
        .unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "SPONSOR_NOT_HUMAN", "to");
    let status = agents.accept_sponsor(accept("pam")).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "TRANSFER_NOT_FOUND", "sponsor");
    let offered = agents.propose_sponsor(propose("sam", "pam")).await.unwrap().into_inner().agent.unwrap();
    assert_eq!(offered.spec.unwrap().sponsors, [user("sam")]);
    assert_eq!(offered.transfer.unwrap().to, Some(user("pam")));
    let status = agents.accept_sponsor(accept("tom")).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "TRANSFER_NOT_FOUND", "sponsor");
    let taken = agents.accept_sponsor(accept("pam")).await.unwrap().into_inner().agent.unwrap();
    assert_eq!((taken.spec.unwrap().sponsors, taken.transfer), (vec![user("pam")], None));
}

#[tokio::test]
async fn without_a_sponsor_who_counts_an_agent_is_an_orphan_after_its_grace() {
    let world = World::start().await;
    world.try_register(wire::AgentSpec { orphan_grace: seconds(10), ..spec("a") }).await.unwrap();
    world.try_register(wire::AgentSpec { labels: vec!["critical".into()], ..spec("b") }).await.unwrap();
    let set = |status: wire::HumanStatus| wire::SetHumanRequest {
        principal: Some(user("sam")),
        status: status.into(),
        person: "Sam Smith".into(),
        reason: "left".into(),
    };
    let get = wire::GetHumanRequest { principal: Some(user("sam")) };
    let status = world.agents().get_human(get.clone()).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "HUMAN_NOT_FOUND", "principal");
    let gone = world.agents().set_human(set(wire::HumanStatus::Disabled)).await.unwrap().into_inner();
    let human = gone.human.unwrap();
    assert_eq!(
        (human.status(), human.version, human.person.as_str()),
        (wire::HumanStatus::Disabled, 1, "Sam Smith")
    );
    assert_eq!(world.agents().get_human(get).await.unwrap().into_inner().human, Some(human));
    assert_eq!(world.agent("a").await.not_live, "");
    assert_eq!(world.agent("b").await.not_live, "orphaned");
    world.clock.advance_ms(10_000);
    assert_eq!(world.agent("a").await.not_live, "orphaned");
    let status = world.try_register(spec("c")).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "SPONSOR_NOT_LIVE", "spec.sponsors");
    world.agents().set_human(set(wire::HumanStatus::Active)).await.unwrap();
    assert_eq!(world.agent("a").await.not_live, "");
    let status = world
        .agents()
        .set_human(wire::SetHumanRequest { principal: Some(agent("a")), ..set(wire::HumanStatus::Active) })
        .await
        .unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "TYPE_MISMATCH", "principal");
    let status = world.agents().set_human(set(wire::HumanStatus::Unspecified)).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "MISSING_VALUE", "status");
}
