//! What a client may do to agents, and for whom it may speak.

use std::sync::Arc;

use pemba_agents::client::{Client, MayAssert, Pattern, Rights, Rule, Selection, Verb};
use pemba_db::Storage;
use pemba_model::text::parse_object;
use pemba_proto::pemba::v1 as wire;
use pemba_server::{ClientKey, KeyDigest};
use tonic::{Code, Request, Status};

use super::approvals::{asking, policy};
use super::delegations::first;
use super::sessions::opening;
use super::world::*;
use crate::clients::{assert_refused, with};
use crate::harness::*;

/// A client whose key is its name.
pub fn client(name: &str, principal: &str, verbs: &[Verb], roots: &[&str], actors: &[&str]) -> ClientKey {
    let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse::<Pattern>().unwrap()).collect();
    let rule = Rule {
        verbs: verbs.to_vec(),
        resource_types: Selection::All,
        relations: Selection::All,
        subject_types: Selection::All,
    };
    let client = Client {
        name: name.into(),
        principal: (!principal.is_empty()).then(|| parse_object(principal).unwrap()),
        rights: Rights::new(&[rule]).unwrap(),
        may_assert: MayAssert { roots: patterns(roots), actors: patterns(actors) },
        certificate: None,
    };
    ClientKey { credential: KeyDigest::of(name.as_bytes()).into(), client: Arc::new(client) }
}

fn root() -> ClientKey {
    let client = Arc::new(Client::unrestricted("root"));
    ClientKey { credential: KeyDigest::of(b"root").into(), client }
}

/// With the schema and types; who may edit, who may approve, and an approval policy.
pub async fn start(mut clients: Vec<ClientKey>) -> World {
    clients.push(root());
    let world = World::start_on(Storage::Memory, Some(clients)).await;
    let schema = pemba_proto::authzed::api::v1::WriteSchemaRequest { schema: AGENTS.to_owned() };
    world.harness.schemas().write_schema(with("root", schema)).await.unwrap();
    for (object_type, kind) in [("user", 1), ("agent", 2)] {
        let policy = wire::TypePolicy { object_type: object_type.into(), kind, mode: 2 };
        let request = wire::SetTypePolicyRequest { policy: Some(policy) };
        world.agents().set_type_policy(with("root", request)).await.unwrap();
    }
    let updates = ["document:x#editor@agent:a", "document:x#approver@user:ann"]
        .map(|text| update(pemba_proto::authzed::api::v1::relationship_update::Operation::Touch, text));
    let write = pemba_proto::authzed::api::v1::WriteRelationshipsRequest {
        updates: updates.into(),
        ..Default::default()
    };
    world.harness.permissions().write_relationships(with("root", write)).await.unwrap();
    let request = wire::SetApprovalPolicyRequest { policy: Some(policy()) };
    world.approvals().set_approval_policy(with("root", request)).await.unwrap();
    world
}

pub fn told<T>(answer: Result<T, Status>) -> Status {
    answer.err().expect("it should be refused")
}

#[tokio::test]
async fn every_change_needs_its_verb() {
    let world = start(vec![client("idle", "", &[Verb::Read], &["*"], &["*"])]).await;
    let by = |message| with("idle", message);
    let transition = || with("idle", wire::TransitionRequest::default());
    let (mut agents, mut sessions, mut approvals) = (world.agents(), world.sessions(), world.approvals());
    let mut delegations = world.delegations();
    let head = world.head();
    fn by_default<T: Default>() -> Request<T> {
        with("idle", T::default())
    }
    let refused = [
        ("agents", told(agents.register_agent(by_default()).await)),
        ("agents", told(agents.update_agent(by_default()).await)),
        ("agents", told(agents.activate_agents(transition()).await)),
        ("agents", told(agents.suspend_agents(transition()).await)),
        ("agents", told(agents.resume_agents(transition()).await)),
        ("agents", told(agents.quarantine_agents(transition()).await)),
        ("agents", told(agents.retire_agents(transition()).await)),
        ("agents", told(agents.attest_agent(by_default()).await)),
        ("agents", told(agents.propose_sponsor(by_default()).await)),
        ("agents", told(agents.accept_sponsor(by_default()).await)),
        ("agents", told(agents.set_human(by_default()).await)),
        ("agents", told(agents.get_agent(by_default()).await)),
        ("agents", told(agents.list_agents(by_default()).await)),
        ("agents", told(agents.list_agent_changes(by_default()).await)),
        ("agents", told(agents.get_human(by_default()).await)),
        ("policy", told(agents.set_type_policy(by_default()).await)),
        ("policy", told(agents.set_permission_labels(by_default()).await)),
        ("policy", told(agents.set_grant_policy(by_default()).await)),
        ("policy", told(agents.get_policies(by_default()).await)),
        ("kill", told(agents.throw_kill_switch(by_default()).await)),
        ("kill", told(agents.lift_kill_switch(by_default()).await)),
        ("kill", told(agents.list_kill_switches(by_default()).await)),
        ("delegate", told(delegations.delegate(by_default()).await)),
        ("delegate", told(delegations.get_delegation(by_default()).await)),
        ("delegate", told(delegations.list_delegations(by_default()).await)),
        ("delegate", told(delegations.renew_delegation(by_default()).await)),
        ("session", told(sessions.open_session(by_default()).await)),
        ("session", told(sessions.get_session(by_default()).await)),
        ("session", told(sessions.list_sessions(by_default()).await)),
        ("session", told(sessions.grant_in_session(by_default()).await)),
        ("session", told(approvals.request_grant_approval(by_default()).await)),
        ("policy", told(approvals.set_approval_policy(by_default()).await)),
        ("policy", told(approvals.delete_approval_policy(by_default()).await)),
        ("policy", told(approvals.list_approval_policies(by_default()).await)),
        ("approve", told(approvals.vote(by_default()).await)),
        ("approve", told(approvals.list_approvals(by_default()).await)),
    ];
    for (verb, status) in refused {
        assert_refused(&status, "idle", verb, "anything", "");
    }
    let revoke = wire::RevokeDelegationRequest { id: format!("dlg_{:032x}", 1), ..Default::default() };
    assert_refused(
        &told(delegations.revoke_delegation(by(revoke)).await),
        "idle",
        "delegate",
        "anything",
        "",
    );
    let close = wire::CloseSessionRequest { id: format!("ses_{:032x}", 1), ..Default::default() };
    assert_refused(
        &told(sessions.close_session(with("idle", close)).await),
        "idle",
        "session",
        "anything",
        "",
    );
    let get = wire::GetApprovalRequest { id: format!("apr_{:032x}", 1) };
    assert_refused(&told(approvals.get_approval(with("idle", get)).await), "idle", "approve", "anything", "");
    let ask = told(approvals.request_approval(with("idle", asking("a"))).await);
    assert_refused(&ask, "idle", "check", "`document#edit@agent`", "");
    assert_eq!(world.head(), head, "nothing was done");
}

#[tokio::test]
async fn whoever_may_ask_why_may_read_and_not_change() {
    let world = start(vec![client("auditor", "", &[Verb::Explain], &["*"], &["*"])]).await;
    let request = || with("auditor", wire::ListAgentsRequest::default());
    world.agents().list_agents(request()).await.unwrap();
    world.agents().get_policies(with("auditor", wire::GetPoliciesRequest {})).await.unwrap();
    world.agents().list_kill_switches(with("auditor", wire::ListKillSwitchesRequest {})).await.unwrap();
    world.sessions().list_sessions(with("auditor", wire::ListSessionsRequest::default())).await.unwrap();
    world.approvals().list_approvals(with("auditor", wire::ListApprovalsRequest::default())).await.unwrap();
    let delegations = wire::ListDelegationsRequest { root: Some(user("alice")), ..Default::default() };
    world.delegations().list_delegations(with("auditor", delegations)).await.unwrap();
    let status = told(world.agents().register_agent(with("auditor", Default::default())).await);
    assert_refused(&status, "auditor", "agents", "anything", "");
}

#[tokio::test]
async fn an_agents_runtime_speaks_for_itself_only() {
    let verbs = [Verb::Check, Verb::Delegate, Verb::Session, Verb::Approve];
    let runtimes = ["a", "b"].map(|id| client(id, &format!("agent:{id}"), &verbs, &[], &[]));
    let world = start(runtimes.into()).await;
    let mut delegations = world.delegations();
    let status = told(delegations.delegate(with("a", first(&world, "a"))).await);
    assert_refused(&status, "a", "assert", "the root `user:alice`", "from");
    let made = delegations.delegate(with("root", first(&world, "a"))).await.unwrap().into_inner();
    let made = made.delegation.unwrap();
    let hop = wire::DelegateRequest {
        parent_id: made.id.clone(),
        from: Some(agent("a")),
        to: Some(subject("agent:c")),
        depth_left: 0,
        ..first(&world, "c")
    };
    let status = told(delegations.delegate(with("b", hop.clone())).await);
    assert_refused(&status, "b", "assert", "the actor `agent:a`", "from");
    let hop = delegations.delegate(with("a", hop)).await.unwrap().into_inner().delegation.unwrap();
    assert_eq!(hop.created_by, "a");
    let renew = || wire::RenewDelegationRequest { id: hop.id.clone(), ..Default::default() };
    let status = told(delegations.renew_delegation(with("b", renew())).await);
    assert_refused(&status, "b", "assert", "the actor `agent:a`", "id");
    delegations.renew_delegation(with("a", renew())).await.unwrap();
    let revoke = || wire::RevokeDelegationRequest { id: hop.id.clone(), ..Default::default() };
    let status = told(delegations.revoke_delegation(with("b", revoke())).await);
    assert_refused(&status, "b", "assert", "the actor `agent:a`", "id");
    delegations.revoke_delegation(with("a", revoke())).await.unwrap();

    let mut sessions = world.sessions();
    let status = told(sessions.open_session(with("b", opening("a"))).await);
    assert_refused(&status, "b", "assert", "the root `agent:a`", "actor");
    let of_chain = wire::OpenSessionRequest { delegation_id: made.id.clone(), ..opening("a") };
    let status = told(sessions.open_session(with("b", of_chain.clone())).await);
    assert_refused(&status, "b", "assert", "the actor `agent:a`", "actor");
    let opened_for = wire::OpenSessionRequest { opened_for: Some(user("alice")), ..of_chain.clone() };
    let status = told(sessions.open_session(with("a", opened_for)).await);
    assert_refused(&status, "a", "assert", "the root `user:alice`", "opened_for");
    let opened = sessions.open_session(with("a", of_chain)).await.unwrap().into_inner().session.unwrap();
    let grant = wire::GrantInSessionRequest {
        session_id: opened.id.clone(),
        grantor: Some(user("olga")),
        relationships: vec![relationship("document:x#viewer@agent:a")],
        ..Default::default()
    };
    let status = told(sessions.grant_in_session(with("a", grant)).await);
    assert_refused(&status, "a", "assert", "the root `user:olga`", "grantor");
    let ask = wire::RequestGrantApprovalRequest {
        session_id: opened.id.clone(),
        grantor: Some(user("olga")),
        relationship: Some(relationship("document:x#viewer@agent:a")),
        ..Default::default()
    };
    let status = told(world.approvals().request_grant_approval(with("a", ask)).await);
    assert_refused(&status, "a", "assert", "the root `user:olga`", "grantor");
    let close = || wire::CloseSessionRequest { id: opened.id.clone(), ..Default::default() };
    let status = told(sessions.close_session(with("b", close())).await);
    assert_refused(&status, "b", "assert", "the root `agent:a`", "id");
    sessions.close_session(with("a", close())).await.unwrap();

    let mut approvals = world.approvals();
    let status = told(approvals.request_approval(with("b", asking("a"))).await);
    assert_refused(&status, "b", "assert", "the root `agent:a`", "chain");
    let requester = wire::RequestApprovalRequest { requester: Some(user("alice")), ..asking("a") };
    let status = told(approvals.request_approval(with("a", requester)).await);
    assert_refused(&status, "a", "assert", "the root `user:alice`", "requester");
    let asked = approvals.request_approval(with("a", asking("a"))).await.unwrap().into_inner();
    let asked = asked.approval.unwrap();
    let vote = wire::VoteRequest {
        approval_id: asked.id.clone(),
        approver: Some(user("ann")),
        approves: true,
        ..Default::default()
    };
    let status = told(approvals.vote(with("a", vote)).await);
    assert_refused(&status, "a", "assert", "the root `user:ann`", "approver");
    let cancel = || wire::CancelApprovalRequest { id: asked.id.clone(), ..Default::default() };
    let status = told(approvals.cancel_approval(with("b", cancel())).await);
    assert_agents_error(&status, Code::PermissionDenied, "APPROVAL_BINDING", "id");
    approvals.cancel_approval(with("a", cancel())).await.unwrap();
}

#[tokio::test]
async fn a_session_of_another_client_cannot_be_presented_and_only_a_human_accepts_to_sponsor() {
    let clients = vec![
        client("a", "agent:a", &[Verb::Check, Verb::Session], &[], &[]),
        client("other", "", &[Verb::Check], &["*"], &["*"]),
        client("desk", "", &[Verb::Agents], &["user:pam"], &[]),
    ];
    let world = start(clients).await;
    let opened = world.sessions().open_session(with("a", opening("a"))).await.unwrap().into_inner();
    let session_id = opened.session.unwrap().id;
    let chain = wire::Chain { root: Some(agent("a")), session_id, ..Default::default() };
    let request = wire::RequestApprovalRequest { chain: Some(chain), ..asking("a") };
    let status = told(world.approvals().request_approval(with("other", request)).await);
    assert_agents_error(&status, Code::PermissionDenied, "SESSION_BINDING", "chain.session_id");
    let mut agents = world.agents();
    let register = wire::RegisterAgentRequest { spec: Some(spec("a")), ..Default::default() };
    agents.register_agent(with("desk", register)).await.unwrap();
    for sponsor in ["pam", "tom"] {
        let propose = wire::ProposeSponsorRequest {
            principal: Some(agent("a")),
            to: Some(user(sponsor)),
            ..Default::default()
        };
        agents.propose_sponsor(with("desk", propose)).await.unwrap();
        let accept = wire::AcceptSponsorRequest {
            principal: Some(agent("a")),
            sponsor: Some(user(sponsor)),
            ..Default::default()
        };
        let accepted = agents.accept_sponsor(with("desk", accept)).await;
        if sponsor == "pam" {
            accepted.unwrap();
        } else {
            assert_refused(&told(accepted), "desk", "assert", "the root `user:tom`", "sponsor");
        }
    }
}

#[tokio::test]
async fn whoever_throws_switches_ends_delegations_and_sessions_of_everybody() {
    let world = start(vec![client("guard", "", &[Verb::Kill], &[], &[])]).await;
    let made = world.delegations().delegate(with("root", first(&world, "a"))).await.unwrap().into_inner();
    let revoke = wire::RevokeDelegationRequest { id: made.delegation.unwrap().id, reason: "odd".into() };
    world.delegations().revoke_delegation(with("guard", revoke)).await.unwrap();
    let opened = world.sessions().open_session(with("root", opening("a"))).await.unwrap().into_inner();
    let close = wire::CloseSessionRequest { id: opened.session.unwrap().id, reason: "odd".into() };
    world.sessions().close_session(with("guard", close)).await.unwrap();
}
