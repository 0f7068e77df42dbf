//! Breaking the glass, its reviews, and who is told.

use pemba_agents::client::Verb;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::break_glass_service_client::BreakGlassServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::access::{client, start as start_with, told};
use super::approvals::{policy, set};
use super::world::*;
use crate::clients::{assert_refused, with};
use crate::harness::*;

fn glass(world: &World) -> BreakGlassServiceClient<Channel> {
    BreakGlassServiceClient::new(world.harness.channel.clone())
}

fn glass_policy() -> wire::BreakGlassPolicy {
    wire::BreakGlassPolicy {
        resource_type: "document".into(),
        permission: "edit".into(),
        user_permission: "view".into(),
        reviewer_permission: "approve".into(),
        life: seconds(30),
        review: seconds(600),
        ..Default::default()
    }
}

async fn set_glass(world: &World, policy: wire::BreakGlassPolicy) -> Result<wire::BreakGlassPolicy, Status> {
    let request = wire::SetBreakGlassPolicyRequest { policy: Some(policy) };
    Ok(glass(world).set_break_glass_policy(request).await?.into_inner().policy.unwrap())
}

/// An agent that may edit where Ann approves; Olaf may break the glass.
async fn start() -> World {
    let world = World::start().await;
    world.register("a").await;
    world
        .harness
        .touch(&["document:x#editor@agent:a", "document:x#approver@user:ann", "document:x#viewer@user:olaf"])
        .await;
    set(&world, wire::ApprovalPolicy { quorum: 1, bind: Vec::new(), ..policy() }).await.unwrap();
    set_glass(&world, glass_policy()).await.unwrap();
    world
}

fn chain() -> wire::Chain {
    wire::Chain { root: Some(agent("a")), ..Default::default() }
}

fn breaking(user_id: &str) -> wire::BreakGlassRequest {
    wire::BreakGlassRequest {
        chain: Some(chain()),
        resource: Some(object("document", "x")),
        permission: "edit".into(),
        context: None,
        user: Some(user(user_id)),
        reason: "the site is down".into(),
    }
}

async fn break_glass(world: &World, request: wire::BreakGlassRequest) -> Result<wire::BrokenGlass, Status> {
    Ok(glass(world).break_glass(request).await?.into_inner().broken.unwrap())
}

fn reviewing(broken: &wire::BrokenGlass, reviewer: &str) -> wire::ReviewBrokenGlassRequest {
    wire::ReviewBrokenGlassRequest {
        id: broken.id.clone(),
        reviewer: Some(user(reviewer)),
        justified: true,
        comment: "it was down".into(),
    }
}

async fn review(world: &World, request: wire::ReviewBrokenGlassRequest) -> Result<wire::BrokenGlass, Status> {
    Ok(glass(world).review_broken_glass(request).await?.into_inner().broken.unwrap())
}

fn consuming(broken: &wire::BrokenGlass, key: usize) -> wire::CheckAndConsumeRequest {
    wire::CheckAndConsumeRequest {
        chain: Some(wire::Chain { approval_id: broken.id.clone(), ..chain() }),
        resource: Some(object("document", "x")),
        permission: "edit".into(),
        context: None,
        idempotency_key: format!("k{key}"),
    }
}

#[tokio::test]
async fn of_64_uses_at_once_of_broken_glass_exactly_one_succeeds() {
    let world = start().await;
    let broken = break_glass(&world, breaking("olaf")).await.unwrap();
    assert_eq!(broken.use_before, world.in_ms(30_000));
    assert_eq!(break_glass(&world, breaking("olaf")).await.unwrap(), broken, "it serves already");
    let mut all = tokio::task::JoinSet::new();
    for key in 0..64 {
        let channel = world.harness.channel.clone();
        let mut authority = wire::authority_service_client::AuthorityServiceClient::new(channel);
        let request = consuming(&broken, key);
        all.spawn(async move { authority.check_and_consume(request).await.unwrap().into_inner() });
    }
    let answers = all.join_all().await;
    let count = |outcome: wire::Outcome| {
        let is = |answer: &&wire::CheckAndConsumeResponse| {
            answer.decision.as_ref().unwrap().outcome == i32::from(outcome)
        };
        answers.iter().filter(is).count()
    };
    assert_eq!((count(wire::Outcome::Allow), count(wire::Outcome::RequiresApproval)), (1, 63));
}

#[tokio::test]
async fn a_watch_tells_of_broken_glass_at_once_and_of_its_review() {
    let world = start().await;
    let open = break_glass(&world, breaking("olaf")).await.unwrap();
    let mut watch =
        glass(&world).watch_broken_glass(wire::WatchBrokenGlassRequest {}).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!((first.initial, first.broken.as_ref()), (true, Some(&open)));
    world.register("b").await;
    world.harness.touch(&["document:x#editor@agent:b"]).await;
    let by_b = wire::BreakGlassRequest {
        chain: Some(wire::Chain { root: Some(agent("b")), ..Default::default() }),
        ..breaking("olaf")
    };
    let second = break_glass(&world, by_b).await.unwrap();
    let told = watch.message().await.unwrap().unwrap();
    assert_eq!((told.initial, told.broken.as_ref()), (false, Some(&second)));
    let reviewed = review(&world, reviewing(&open, "ann")).await.unwrap();
    let told = watch.message().await.unwrap().unwrap();
    assert_eq!((told.initial, told.broken.as_ref()), (false, Some(&reviewed)));
    assert_eq!(reviewed.review.unwrap().comment, "it was down");
}

#[tokio::test]
async fn open_and_overdue_reviews_are_listed_in_pages() {
    let world = start().await;
    let mut made = Vec::new();
    for id in ["b", "c", "d"] {
        world.register(id).await;
        world.harness.touch(&[&format!("document:x#editor@agent:{id}")]).await;
        let chain = wire::Chain { root: Some(agent(id)), ..Default::default() };
        made.push(
            break_glass(&world, wire::BreakGlassRequest { chain: Some(chain), ..breaking("olaf") }).await,
        );
    }
    let first = made[0].clone().unwrap();
    review(&world, reviewing(&first, "ann")).await.unwrap();
    let list = async |request: wire::ListBrokenGlassRequest| {
        glass(&world).list_broken_glass(request).await.unwrap().into_inner()
    };
    let of = |only_open, only_overdue| wire::ListBrokenGlassRequest {
        only_open,
        only_overdue,
        ..Default::default()
    };
    assert_eq!(list(of(false, false)).await.broken.len(), 3);
    assert_eq!(list(of(true, false)).await.broken.len(), 2);
    assert_eq!(list(of(false, true)).await.broken.len(), 0);
    world.clock.advance_ms(600_000);
    let late = list(of(false, true)).await.broken;
    assert_eq!((late.len(), late[0].overdue), (2, true));
    let page = list(wire::ListBrokenGlassRequest { limit: 1, ..of(true, false) }).await;
    assert!(!page.cursor.is_empty());
    let rest = list(wire::ListBrokenGlassRequest { limit: 1, cursor: page.cursor, ..of(true, false) }).await;
    assert_ne!(page.broken[0].id, rest.broken[0].id);
    let other = wire::ListBrokenGlassRequest { user: Some(user("ann")), ..Default::default() };
    assert!(list(other).await.broken.is_empty());
    let status = break_glass(&world, breaking("olaf")).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "REVIEW_OVERDUE", "user");
}

#[tokio::test]
async fn what_is_wrong_with_broken_glass_is_told_with_its_field() {
    let world = start().await;
    let (invalid, state, denied) = (Code::InvalidArgument, Code::FailedPrecondition, Code::PermissionDenied);
    let with = |change: &dyn Fn(&mut wire::BreakGlassRequest)| {
        let mut request = breaking("olaf");
        change(&mut request);
        request
    };
    let presented = wire::Chain { approval_id: format!("apr_{:032x}", 1), ..chain() };
    for (request, code, reason, field) in [
        (with(&|new| new.reason.clear()), invalid, "MISSING_VALUE", "reason"),
        (with(&|new| new.user = None), invalid, "MISSING_VALUE", "user"),
        (with(&|new| new.chain = None), invalid, "MISSING_VALUE", "chain"),
        (with(&|new| new.chain = Some(presented.clone())), invalid, "INVALID_VALUE", "chain.approval_id"),
        (with(&|new| new.user = Some(user("cid"))), denied, "BREAK_GLASS_NOT_PERMITTED", "user"),
        (with(&|new| new.user = Some(agent("a"))), denied, "BREAK_GLASS_NOT_PERMITTED", "user"),
        (with(&|new| new.permission = "view".into()), state, "APPROVAL_NOT_NEEDED", "permission"),
    ] {
        let status = break_glass(&world, request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    let long = wire::BreakGlassPolicy { life: seconds(3601), ..glass_policy() };
    let status = set_glass(&world, long).await.unwrap_err();
    assert_agents_error(&status, invalid, "INVALID_PERIOD", "policy.life");
    let broken = break_glass(&world, breaking("olaf")).await.unwrap();
    let own = review(&world, reviewing(&broken, "olaf")).await.unwrap_err();
    assert_agents_error(&own, denied, "REVIEWER_NOT_ELIGIBLE", "reviewer");
    let silent = wire::ReviewBrokenGlassRequest { comment: String::new(), ..reviewing(&broken, "ann") };
    assert_agents_error(&review(&world, silent).await.unwrap_err(), invalid, "MISSING_VALUE", "comment");
    review(&world, reviewing(&broken, "ann")).await.unwrap();
    let again = review(&world, reviewing(&broken, "ann")).await.unwrap_err();
    assert_agents_error(&again, Code::AlreadyExists, "ALREADY_REVIEWED", "id");
    let get = wire::GetBrokenGlassRequest { id: format!("apr_{:032x}", 1) };
    let status = glass(&world).get_broken_glass(get).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "BROKEN_GLASS_NOT_FOUND", "id");
    let delete =
        wire::DeleteBreakGlassPolicyRequest { resource_type: "document".into(), permission: "edit".into() };
    glass(&world).delete_break_glass_policy(delete).await.unwrap();
    let policies = glass(&world).list_break_glass_policies(wire::ListBreakGlassPoliciesRequest {}).await;
    assert!(policies.unwrap().into_inner().policies.is_empty());
}

#[tokio::test]
async fn nobody_breaks_the_glass_for_another_or_reads_it_without_a_right() {
    let runtime = client("a", "agent:a", &[Verb::Check], &[], &[]);
    let world = start_with(vec![runtime, client("idle", "", &[Verb::Read], &["*"], &["*"])]).await;
    let status = told(glass(&world).break_glass(with("a", breaking("olaf"))).await);
    assert_refused(&status, "a", "assert", "the root `user:olaf`", "user");
    let mut service = glass(&world);
    for (verb, status) in [
        ("policy", told(service.set_break_glass_policy(with("idle", Default::default())).await)),
        ("policy", told(service.delete_break_glass_policy(with("idle", Default::default())).await)),
        ("policy", told(service.list_break_glass_policies(with("idle", Default::default())).await)),
        ("approve", told(service.review_broken_glass(with("idle", Default::default())).await)),
        ("approve", told(service.get_broken_glass(with("idle", Default::default())).await)),
        ("approve", told(service.list_broken_glass(with("idle", Default::default())).await)),
        ("approve", told(service.watch_broken_glass(with("idle", Default::default())).await)),
    ] {
        assert_refused(&status, "idle", verb, "anything", "");
    }
}
