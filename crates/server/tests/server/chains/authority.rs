//! `AuthorityService`: checks alone and in bulk, and what clients may ask.

use std::sync::Arc;

use pemba_agents::client::{Client, MayAssert, Rights, Rule, Selection, Verb};
use pemba_agents::records::{KillMode, KillSelector};
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::check_bulk_as_pair::Response;
use pemba_server::{ClientKey, KeyDigest};
use tonic::Code;

use super::stage::*;
use crate::harness::text_struct;

#[tokio::test]
async fn outcomes_and_limits_are_told() {
    let stage = Stage::start().await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    let chain = || by_delegation(&id);
    let decision = stage.decide(chain(), "document:plan#edit").await;
    assert_eq!((decision.outcome(), &decision.limit), (own::Outcome::Allow, &None));
    let until = decision.valid_until.unwrap();
    assert_eq!(until.seconds * 1000, START_MS + 3_600_000);
    let limit = stage.decide(chain(), "document:note#edit").await.limit.unwrap();
    assert_eq!((limit.kind.as_str(), limit.id.as_str()), ("scope", id.as_str()));
    stage.kill("a", KillSelector::Agent(object("agent:a")), KillMode::DenyAll).await;
    let limit = stage.decide(chain(), "document:plan#edit").await.limit.unwrap();
    assert_eq!((limit.kind.as_str(), limit.detail.as_str()), ("liveness", "killed"));
    assert_eq!(limit.principal.unwrap(), wire_object("agent:a"));
    stage.lift("a").await;
    // What depends on values says which.
    stage.harness.touch(&["document:note#viewer@user:bo[on_call]"]).await;
    let decision = stage.decide(alone("user:bo"), "document:note#view").await;
    assert_eq!(decision.outcome(), own::Outcome::Conditional);
    assert_eq!(decision.partial_caveat_info.unwrap().missing_required_context, ["level"]);
    // Agents without a record are reported.
    let unknown = stage.delegate(9, "user:ada", "agent:unknown").await;
    let kind = pemba_agents::records::PrincipalKind::Agent;
    stage.set_type("agent", kind, pemba_agents::records::TypeMode::Observed).await;
    let decision = stage.decide(by_delegation(&unknown), "document:plan#edit").await;
    assert_eq!(decision.shadows, [wire_object("agent:unknown")]);
}

#[tokio::test]
async fn the_chain_given_is_compared_position_by_position() {
    let stage = Stage::start().await;
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let chain = |root: &str, actors: &[&str]| own::Chain {
        root: Some(wire_object(root)),
        actors: actors.iter().map(|actor| wire_object(actor)).collect(),
        ..by_delegation(&id)
    };
    assert_eq!(
        stage.outcome(chain("user:ada", &["agent:a"]), "document:plan#edit").await,
        own::Outcome::Allow
    );
    for (root, actors) in
        [("user:bo", &["agent:a"][..]), ("user:ada", &["agent:b"]), ("user:ada", &["agent:a", "agent:b"])]
    {
        let error = stage.authority().check_as(check_as(chain(root, actors), "document:plan#edit")).await;
        assert_eq!(error.unwrap_err().code(), Code::InvalidArgument, "{root} {actors:?}");
    }
    let cases = [
        own::Chain::default(),
        by_delegation("dlg_1"),
        own::Chain { session_id: id.clone(), ..own::Chain::default() },
        own::Chain { actors: vec![wire_object("agent:a")], ..alone("user:ada") },
        alone("user:*"),
        alone("User:ada"),
    ];
    for chain in cases {
        let error =
            stage.authority().check_as(check_as(chain.clone(), "document:plan#edit")).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{chain:?}");
    }
    let error = stage.authority().check_as(own::CheckAsRequest::default()).await.unwrap_err();
    assert!(error.message().contains("`chain`"), "{error:?}");
    let big = own::CheckAsRequest {
        context: Some(text_struct("a", &"x".repeat(1 << 20))),
        ..check_as(by_delegation(&id), "document:plan#edit")
    };
    assert_eq!(stage.authority().check_as(big).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn items_of_a_bulk_have_chains_of_their_own() {
    let stage = Stage::start().await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    let item = |chain: own::Chain, question: &str| {
        let own::CheckAsRequest { chain, resource, permission, context, .. } = check_as(chain, question);
        own::CheckBulkAsItem { chain, resource, permission, context }
    };
    let items = vec![
        item(by_delegation(&id), "document:plan#edit"),
        item(by_delegation("dlg_0000000000000000000000000000ffff"), "document:plan#edit"),
        item(by_delegation(&id), "document:note#edit"),
        item(alone("user:ada"), "document:note#edit"),
        item(alone("user:ada"), "document:note#none"),
    ];
    let request = own::CheckBulkAsRequest { items, ..Default::default() };
    let answer = stage.authority().check_bulk_as(request).await.unwrap().into_inner();
    assert!(answer.checked_at.is_some());
    let said: Vec<Result<own::Outcome, i32>> = answer
        .pairs
        .into_iter()
        .map(|pair| match pair.response.unwrap() {
            Response::Decision(decision) => Ok(decision.outcome()),
            Response::Error(status) => Err(status.code),
        })
        .collect();
    let (allow, deny) = (Ok(own::Outcome::Allow), Ok(own::Outcome::Deny));
    assert_eq!(said, [allow, Err(Code::NotFound as i32), deny, allow, Err(Code::FailedPrecondition as i32)]);
}

fn client(name: &str, principal: Option<&str>, verbs: &[Verb], asserts: bool) -> ClientKey {
    let everything = |verbs: &[Verb]| Rule {
        verbs: verbs.to_vec(),
        resource_types: Selection::All,
        relations: Selection::All,
        subject_types: Selection::All,
    };
    let client = Client {
        name: name.into(),
        principal: principal.map(object),
        rights: Rights::new(&[everything(verbs)]).unwrap(),
        may_assert: if asserts { MayAssert::everybody() } else { MayAssert::default() },
        certificate: None,
    };
    ClientKey { credential: KeyDigest::of(name.as_bytes()).into(), client: Arc::new(client) }
}

fn keyed<T>(key: &str, message: T) -> tonic::Request<T> {
    with(message, &[("authorization", &format!("Bearer {key}"))])
}

#[tokio::test]
async fn a_runtime_speaks_for_itself_alone_and_sees_no_reasons() {
    let clients = vec![
        client("runtime", Some("agent:a"), &[Verb::Check, Verb::Lookup, Verb::Watch], false),
        client("other", Some("agent:b"), &[Verb::Check, Verb::Explain], false),
        client("gateway", None, &[Verb::Check], true),
        client("auditor", None, &[Verb::Check, Verb::Explain], true),
    ];
    let stage = Stage::bare(|options| options.clients = Some(clients)).await;
    let owner = pemba_model::text::parse_relationship("document:plan#owner@user:ada").unwrap();
    let update = pemba_model::Update { operation: pemba_model::Operation::Touch, relationship: owner };
    let write = pemba_db::Write { updates: vec![update], ..pemba_db::Write::default() };
    stage.harness.database.write(write).await.unwrap();
    stage.set_human("user:ada", pemba_agents::records::HumanStatus::Active).await;
    stage.register("agent:a").await;
    let id = stage.delegate_with(1, "user:ada", "agent:a", |new| new.scope = documents(&["plan"])).await;
    let ask = async |key: &str, chain: own::Chain, question: &str| {
        let answer = stage.authority().check_as(keyed(key, check_as(chain, question))).await?;
        Ok::<_, tonic::Status>(answer.into_inner().decision.unwrap())
    };
    let by_a = || by_delegation(&id);
    for key in ["runtime", "gateway", "auditor"] {
        let decision = ask(key, by_a(), "document:plan#edit").await.unwrap();
        assert_eq!(decision.outcome(), own::Outcome::Allow, "{key}");
        let denied = ask(key, by_a(), "document:none#edit").await.unwrap();
        assert_eq!(denied.limit.is_some(), key == "auditor", "{key}");
    }
    for (key, chain) in [("other", by_a()), ("runtime", alone("user:ada")), ("runtime", alone("agent:b"))] {
        let error = ask(key, chain, "document:plan#edit").await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{key}: {error:?}");
    }
    // In metadata likewise.
    let check = || crate::harness::check_request("document:plan#edit@user:ada");
    for (key, expected) in [("runtime", None), ("other", Some(Code::PermissionDenied))] {
        let mut request = keyed(key, check());
        request.metadata_mut().insert("pemba-delegation", id.parse().unwrap());
        let answer = stage.harness.permissions().check_permission(request).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{key}");
    }
    let error = stage.harness.permissions().check_permission(keyed("runtime", check())).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied, "it is not the user");
    // Each call asks for its verb.
    let own::CheckAsRequest { chain, resource, permission, .. } = check_as(by_a(), "document:plan#edit");
    let explain = own::ExplainRequest {
        chain: chain.clone(),
        resource: resource.clone(),
        permission: permission.clone(),
        ..Default::default()
    };
    for (key, expected) in [("runtime", Some(Code::PermissionDenied)), ("auditor", None)] {
        let answer = stage.authority().explain(keyed(key, explain.clone())).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{key}");
    }
    let question =
        own::WatchedQuestion { chain: chain.clone(), resource: resource.clone(), permission, context: None };
    let watch = own::WatchDecisionRequest { questions: vec![question] };
    for (key, expected) in [("runtime", None), ("gateway", Some(Code::PermissionDenied))] {
        let answer = stage.authority().watch_decision(keyed(key, watch.clone())).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{key}");
    }
    let lookup = own::LookupResourcesAsRequest {
        chain,
        resource_type: "document".into(),
        permission: "edit".into(),
        ..Default::default()
    };
    for (key, expected) in [("runtime", None), ("gateway", Some(Code::PermissionDenied))] {
        let answer = stage.authority().lookup_resources_as(keyed(key, lookup.clone())).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{key}");
    }
    let subjects = own::LookupSubjectsAsRequest {
        resource,
        permission: "edit".into(),
        subject_type: "user".into(),
        ..Default::default()
    };
    for (key, expected) in [("runtime", None), ("gateway", Some(Code::PermissionDenied))] {
        let answer = stage.authority().lookup_subjects_as(keyed(key, subjects.clone())).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{key}");
    }
}
