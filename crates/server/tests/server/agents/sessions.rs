//! Sessions opened, filled, closed and listed.

use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::delegations::first;
use super::world::*;
use crate::harness::*;

pub fn opening(actor: &str) -> wire::OpenSessionRequest {
    wire::OpenSessionRequest {
        actor: Some(agent(actor)),
        purpose: "tidy up".into(),
        life: seconds(60),
        ..Default::default()
    }
}

async fn session(world: &World, id: &str) -> wire::Session {
    let request = wire::GetSessionRequest { id: id.into() };
    world.sessions().get_session(request).await.unwrap().into_inner().session.unwrap()
}

#[tokio::test]
async fn a_session_belongs_to_the_client_that_opens_it_unless_it_says_otherwise() {
    let world = World::start().await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let before = world.head();
    let opened = world
        .open(wire::OpenSessionRequest {
            delegation_id: made.id.clone(),
            scope: Some(documents(&["view"], &["x"])),
            task: "T-1".into(),
            authentication: "mfa".into(),
            authenticated_at: world.in_ms(-5000),
            labels: vec!["night".into()],
            opened_for: Some(user("alice")),
            idle: seconds(10),
            ..opening("a")
        })
        .await
        .unwrap();
    assert_eq!(world.head(), before + 1);
    assert!(opened.id.starts_with("ses_"));
    assert_eq!(
        opened.binding.clone().unwrap().binding,
        Some(wire::binding::Binding::Client("anybody".into()))
    );
    assert_eq!((opened.not_after, opened.opened_at), (world.in_ms(60_000), world.in_ms(0)));
    assert_eq!(
        (opened.open, opened.idle, opened.delegation_id.as_str()),
        (true, seconds(10), made.id.as_str())
    );
    assert_eq!(session(&world, &opened.id).await, opened);
    let thumbprint = "0".repeat(64);
    let binding = wire::binding::Binding::Thumbprint(thumbprint);
    let bound = wire::Binding { binding: Some(binding.clone()) };
    let other = world.open(wire::OpenSessionRequest { binding: Some(bound), ..opening("a") }).await.unwrap();
    assert_eq!(other.binding.unwrap().binding, Some(binding));
    world.clock.advance_ms(10_000);
    assert!(!session(&world, &opened.id).await.open, "it lay unused");
    assert!(session(&world, &other.id).await.open);
    world.clock.advance_ms(50_000);
    assert!(!session(&world, &other.id).await.open);
}

#[tokio::test]
async fn what_is_wrong_with_a_session_is_told_with_its_field() {
    let world = World::start().await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let good = || opening("a");
    let bound = |binding| Some(wire::Binding { binding });
    let (invalid, before) = (Code::InvalidArgument, Code::FailedPrecondition);
    let cases = [
        (wire::OpenSessionRequest { actor: None, ..good() }, invalid, "MISSING_VALUE", "actor"),
        (wire::OpenSessionRequest { life: None, ..good() }, invalid, "MISSING_VALUE", "not_after"),
        (
            wire::OpenSessionRequest { not_after: world.in_ms(1), ..good() },
            invalid,
            "INVALID_VALUE",
            "not_after",
        ),
        (wire::OpenSessionRequest { life: seconds(-1), ..good() }, invalid, "INVALID_VALUE", "life"),
        (wire::OpenSessionRequest { life: seconds(0), ..good() }, invalid, "INVALID_PERIOD", "not_after"),
        (
            wire::OpenSessionRequest { life: seconds(31 * 86_400), ..good() },
            Code::ResourceExhausted,
            "TOO_MUCH",
            "not_after",
        ),
        (wire::OpenSessionRequest { idle: seconds(0), ..good() }, invalid, "INVALID_PERIOD", "idle"),
        (
            wire::OpenSessionRequest { delegation_id: "dlg".into(), ..good() },
            invalid,
            "INVALID_VALUE",
            "delegation_id",
        ),
        (
            wire::OpenSessionRequest { delegation_id: format!("dlg_{:032x}", 3), ..good() },
            Code::NotFound,
            "DELEGATION_NOT_FOUND",
            "delegation_id",
        ),
        (
            wire::OpenSessionRequest { delegation_id: made.id.clone(), life: seconds(61), ..good() },
            before,
            "OUTLIVES_PARENT",
            "not_after",
        ),
        (wire::OpenSessionRequest { binding: bound(None), ..good() }, invalid, "MISSING_VALUE", "binding"),
        (
            wire::OpenSessionRequest {
                binding: bound(Some(wire::binding::Binding::Thumbprint("AB".into()))),
                ..good()
            },
            invalid,
            "INVALID_VALUE",
            "binding.thumbprint",
        ),
        (
            wire::OpenSessionRequest { scope: Some(documents(&["fly"], &["x"])), ..good() },
            invalid,
            "UNKNOWN_PERMISSION",
            "scope.clauses[0].permissions",
        ),
    ];
    let head = world.head();
    for (request, code, reason, field) in cases {
        let status = world.open(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn grants_inside_a_session_need_a_policy_and_a_grantor_who_may() {
    let world = World::start().await;
    world.harness.touch(&["document:x#owner@user:olga"]).await;
    let policy = wire::GrantPolicy {
        resource_type: "document".into(),
        relation: "viewer".into(),
        grantor_permission: "edit".into(),
    };
    world.agents().set_grant_policy(wire::SetGrantPolicyRequest { policy: Some(policy) }).await.unwrap();
    let opened = world.open(opening("a")).await.unwrap();
    let grant = |grantor: &str, texts: &[&str]| wire::GrantInSessionRequest {
        session_id: opened.id.clone(),
        grantor: Some(user(grantor)),
        relationships: texts.iter().map(|text| relationship(text)).collect(),
        reason: "asked".into(),
        ..Default::default()
    };
    let viewer = "document:x#viewer@agent:a";
    let mut sessions = world.sessions();
    let before = world.head();
    let granted = sessions.grant_in_session(grant("olga", &[viewer])).await.unwrap().into_inner();
    assert_eq!(world.head(), before + 1);
    let grants = granted.session.unwrap().grants;
    assert_eq!((grants.len(), grants[0].optional_expires_at), (1, opened.not_after));
    assert_eq!(world.harness.answer("document:x#view@agent:a").await, NO, "only the session sees it");
    let (invalid, refused) = (Code::InvalidArgument, Code::PermissionDenied);
    let late = wire::GrantInSessionRequest { not_after: world.in_ms(60_001), ..grant("olga", &[viewer]) };
    let nowhere =
        wire::GrantInSessionRequest { session_id: format!("ses_{:032x}", 1), ..grant("olga", &[viewer]) };
    for (request, code, reason, field) in [
        (grant("bob", &[viewer]), refused, "GRANT_NOT_PERMITTED", "relationships[0]"),
        (
            grant("olga", &[viewer, "document:x#editor@agent:a"]),
            Code::FailedPrecondition,
            "GRANT_NOT_OFFERED",
            "relationships[1]",
        ),
        (grant("olga", &["document:x#viewer@agent:b"]), invalid, "INVALID_VALUE", "relationships[0]"),
        (grant("olga", &["document:x#viewer@team:b"]), invalid, "CONTEXTUAL_NOT_ALLOWED", "relationships[0]"),
        (grant("olga", &[]), invalid, "MISSING_VALUE", "relationships"),
        (late, Code::FailedPrecondition, "OUTLIVES_PARENT", "not_after"),
        (nowhere, Code::NotFound, "SESSION_NOT_FOUND", "session_id"),
        (
            wire::GrantInSessionRequest { session_id: String::new(), ..grant("olga", &[viewer]) },
            invalid,
            "MISSING_VALUE",
            "session_id",
        ),
    ] {
        let status = sessions.grant_in_session(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    let close = wire::CloseSessionRequest { id: opened.id.clone(), reason: "done".into() };
    let before = world.head();
    let closed = sessions.close_session(close.clone()).await.unwrap().into_inner().session.unwrap();
    assert_eq!((closed.open, closed.closed.unwrap().reason.as_str()), (false, "done"));
    sessions.close_session(close).await.unwrap();
    assert_eq!(world.head(), before + 1, "closing twice changes nothing");
    let status = sessions.grant_in_session(grant("olga", &[viewer])).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "SESSION_OVER", "session_id");
    for (id, code, reason) in [
        ("", invalid, "MISSING_VALUE"),
        ("ses_1", invalid, "INVALID_VALUE"),
        ("ses_00000000000000000000000000000001", Code::NotFound, "SESSION_NOT_FOUND"),
    ] {
        let status = sessions.get_session(wire::GetSessionRequest { id: id.into() }).await.unwrap_err();
        assert_agents_error(&status, code, reason, "id");
        let request = wire::CloseSessionRequest { id: id.into(), ..Default::default() };
        let status = sessions.close_session(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, "id");
    }
}
