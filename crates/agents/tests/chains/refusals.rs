//! Every reason for a refusal, provoked; and nothing is changed by it.

use std::collections::BTreeSet;

use pemba_agents::chain::Claim;
use pemba_agents::command::{
    self, AskApproval, By, CastVote, Delegate, GrantInSession, Registration, Renew, SetHuman, Throw,
    Transition,
};
use pemba_agents::records::{
    ApprovalUses, BreakGlassPolicy, GrantPolicy, HumanStatus, KillMode, KillSelector, PrincipalKind,
    TypeMode, TypePolicy,
};
use pemba_agents::scope::Scope;
use pemba_agents::{ApprovalId, DelegationId, Reason, Refused, SessionId};
use pemba_model::text::parse_relationship;

use crate::attacks;
use crate::world::{MINUTE, World, alone, approved, by, context, glass, leaf, object, policy, scope, under};

/// What no command or question of these can say, and why.
const ELSEWHERE: &[(Reason, &str)] = &[
    (
        Reason::NotRecorded,
        "a record always becomes JSON: no map has keys that are not text, no number is not finite",
    ),
    (Reason::HumanNotFound, "no command needs a human to be known; who lists or shows records says it"),
    (Reason::NotAllowed, "consuming answers with the decision; who calls it turns a refusal into this"),
];

type Provocation = (Reason, &'static str, fn(&mut World) -> Result<(), Refused>);

fn none<T>(result: Result<T, Refused>) -> Result<(), Refused> {
    result.map(|_| ())
}

fn register(world: &mut World, agent: &str, change: impl FnOnce(&mut Registration)) -> Result<(), Refused> {
    let mut new = world.registration(agent);
    change(&mut new);
    none(world.run(|moment| command::register(moment, &by(), new)))
}

fn delegate(world: &mut World, change: impl FnOnce(&mut Delegate)) -> Result<(), Refused> {
    let mut new = world.delegation("user:alice", "agent:a", scope("doc:view:1"));
    change(&mut new);
    none(world.try_delegate(new))
}

fn scoped(world: &mut World, what: Scope) -> Result<(), Refused> {
    delegate(world, |new| new.scope = what)
}

fn first(world: &mut World) -> DelegationId {
    world.delegate("user:alice", "agent:a", "doc:view:1,2")
}

fn further(world: &mut World, change: impl FnOnce(&mut Delegate)) -> Result<(), Refused> {
    let parent = first(world);
    let mut new = world.further(parent, "agent:b", "doc:view:1");
    change(&mut new);
    none(world.try_delegate(new))
}

fn renew(world: &mut World, new: Renew) -> Result<(), Refused> {
    let id = first(world);
    none(world.run(|moment| command::renew(moment, &by(), id, new)))
}

fn session(world: &mut World) -> SessionId {
    let new = world.session("agent:a", None);
    world.open(new)
}

fn opened(world: &mut World, change: impl FnOnce(&mut command::OpenSession)) -> Result<(), Refused> {
    let mut new = world.session("agent:a", None);
    change(&mut new);
    none(world.run(|moment| command::open_session(moment, &by(), new)))
}

fn offer(world: &mut World, grantor_permission: &str) -> Result<(), Refused> {
    let new = GrantPolicy {
        resource_type: "doc".into(),
        relation: "viewer".into(),
        grantor_permission: grantor_permission.into(),
    };
    none(world.run(|moment| command::set_grant_policy(moment, new)))
}

fn grant(world: &mut World, id: SessionId, line: &str) -> Result<(), Refused> {
    let new = GrantInSession {
        session: id,
        grantor: object("user:alice"),
        relationships: if line.is_empty() { Vec::new() } else { vec![parse_relationship(line).unwrap()] },
        not_after: None,
        approval: None,
    };
    none(world.grant(new))
}

fn asked(world: &World, claim: &Claim) -> Result<(), Refused> {
    none(world.decision(claim, "view", "doc:1", None))
}

/// A chain whose viewing must be approved by who may grant; Bob may.
fn guarded(world: &mut World) -> DelegationId {
    world.write(&["doc:1#owner@user:bob"]);
    world.set_policy(policy("doc", "view", "grant"));
    first(world)
}

fn pending(world: &mut World) -> (DelegationId, ApprovalId) {
    let id = guarded(world);
    let approval = world.ask(&leaf(id), "view", "doc:1", None).unwrap();
    (id, approval.id)
}

fn throw(world: &mut World, name: &str) -> Result<(), Refused> {
    let (selector, mode) = (KillSelector::All, KillMode::DenyAll);
    let new = Throw { name: name.into(), selector, mode, until: None };
    none(world.run(|moment| command::throw_kill(moment, &by(), new)))
}

fn changed(world: &mut World, agent: &str, to: Transition, version: Option<u64>) -> Result<(), Refused> {
    none(world.run(|moment| command::transition(moment, &by(), &[object(agent)], to, version)))
}

const IDENTITIES: &[Provocation] = &[
    (Reason::MissingValue, "sponsors", |world| register(world, "agent:n", |new| new.sponsors.clear())),
    (Reason::MissingValue, "blueprint", |world| {
        register(world, "agent:n", |new| new.blueprint = Some("".into()))
    }),
    (Reason::InvalidValue, "blueprint", |world| {
        register(world, "agent:n", |new| new.blueprint = Some("a\nb".into()))
    }),
    (Reason::InvalidValue, "purpose_permissions", |world| {
        register(world, "agent:n", |new| new.purpose_permissions = ["view".into()].into())
    }),
    (Reason::UnknownPermission, "purpose_permissions", |world| {
        register(world, "agent:n", |new| new.purpose_permissions = ["doc#fly".into()].into())
    }),
    (Reason::UnknownType, "principal", |world| register(world, "robot:n", |_| {})),
    (Reason::InvalidPeriod, "not_after", |world| {
        let now = world.now;
        register(world, "agent:n", |new| new.not_after = Some(now))
    }),
    (Reason::TooMuch, "purpose", |world| register(world, "agent:n", |new| new.purpose = "x".repeat(5000))),
    (Reason::TooMuch, "max_depth", |world| register(world, "agent:n", |new| new.max_depth = Some(9))),
    (Reason::AgentExists, "principal", |world| register(world, "agent:a", |_| {})),
    (Reason::SponsorNotHuman, "sponsors", |world| {
        register(world, "agent:n", |new| new.sponsors = vec![object("agent:a")])
    }),
    (Reason::SponsorNotLive, "sponsors", |world| {
        world.set_human("user:gone", HumanStatus::Disabled, None);
        register(world, "agent:n", |new| new.sponsors = vec![object("user:gone")])
    }),
    (Reason::SponsorNotAccepted, "sponsors", |world| {
        let mut new = world.registration("agent:a");
        new.sponsors.push(object("user:alice"));
        let version = world.book.agent(&object("agent:a")).unwrap().version;
        none(world.run(|moment| command::update(moment, &by(), new, version)))
    }),
    (Reason::TypeMismatch, "principal", |world| register(world, "user:alice", |_| {})),
    (Reason::TypeMismatch, "principal", |world| {
        let new = SetHuman { principal: object("agent:a"), status: HumanStatus::Active, person: None };
        none(world.run(|moment| command::set_human(moment, &by(), new)))
    }),
    (Reason::TypeMismatch, "kind", |world| {
        let new =
            TypePolicy { object_type: "agent".into(), kind: PrincipalKind::Human, mode: TypeMode::Observed };
        none(world.run(|moment| command::set_type_policy(moment, new)))
    }),
    (Reason::AgentNotFound, "principal", |world| changed(world, "agent:none", Transition::Suspend, None)),
    (Reason::WrongStatus, "principals", |world| changed(world, "agent:a", Transition::Activate, None)),
    (Reason::VersionMismatch, "version", |world| changed(world, "agent:a", Transition::Suspend, Some(7))),
    (Reason::WrongStatus, "principal", |world| {
        none(world.run(|moment| command::attest(moment, &by(), &object("agent:a"))))
    }),
    (Reason::TransferNotFound, "sponsor", |world| {
        let (agent, human) = (object("agent:a"), object("user:bob"));
        none(world.run(|moment| command::accept_sponsor(moment, &by(), &agent, &human)))
    }),
    (Reason::KillNotFound, "name", |world| {
        none(world.run(|moment| command::lift_kill(moment, &by(), "none")))
    }),
    (Reason::KillExists, "name", |world| {
        throw(world, "one").unwrap();
        throw(world, "one")
    }),
];

const DELEGATIONS: &[Provocation] = &[
    (Reason::EmptyScope, "scope.clauses", |world| scoped(world, Scope::default())),
    (Reason::UnknownType, "scope.clauses[0].resource_type", |world| scoped(world, scope("paper:view:*"))),
    (Reason::UnknownPermission, "scope.clauses[1].permissions", |world| {
        scoped(world, scope("doc:view:1 doc:fly:1"))
    }),
    (Reason::UnknownPermission, "scope.clauses[0].subtree.relation", |world| {
        scoped(world, scope("doc:view:under>folder:1"))
    }),
    (Reason::UnknownCaveat, "scope.clauses[0].caveat", |world| {
        scoped(world, under(scope("doc:view:1"), "at_noon", "{}"))
    }),
    (Reason::InvalidValue, "scope.clauses[0].objects", |world| scoped(world, scope("doc:view:a%b"))),
    (Reason::InvalidValue, "uses", |world| delegate(world, |new| new.uses = Some(0))),
    (Reason::InvalidPeriod, "not_after", |world| {
        let now = world.now;
        delegate(world, |new| new.not_after = now)
    }),
    (Reason::InvalidPeriod, "not_before", |world| {
        let late = world.at(90 * MINUTE);
        delegate(world, |new| new.not_before = Some(late))
    }),
    (Reason::TooMuch, "not_after", |world| {
        let late = world.at(367 * 24 * 60 * MINUTE);
        delegate(world, |new| new.not_after = late)
    }),
    (Reason::DelegationNotFound, "parent", |world| {
        delegate(world, |new| new.parent = Some(DelegationId(99)))
    }),
    (Reason::RootMismatch, "root", |world| delegate(world, |new| new.root = Some(object("user:bob")))),
    (Reason::DelegatorMismatch, "from", |world| further(world, |new| new.from = object("agent:c"))),
    (Reason::DepthExceeded, "depth_left", |world| further(world, |new| new.depth_left = 4)),
    (Reason::PrincipalTwice, "to", |world| further(world, |new| new.to.object = object("user:alice"))),
    (Reason::ScopeWider, "scope.clauses[0]", |world| further(world, |new| new.scope = scope("doc:view:3"))),
    (Reason::ScopeWider, "scope.clauses[0]", |world| {
        register(world, "agent:bounded", |new| new.ceiling = Some(scope("doc:view:2"))).unwrap();
        delegate(world, |new| new.to.object = object("agent:bounded"))
    }),
    (Reason::OutlivesParent, "not_after", |world| {
        let late = world.at(61 * MINUTE);
        further(world, |new| new.not_after = late)
    }),
    (Reason::UsersetUnbounded, "to", |world| {
        delegate(world, |new| new.to = pemba_model::SubjectRef::userset("team", "t", "member"))
    }),
    (Reason::WrongStatus, "to", |world| {
        changed(world, "agent:a", Transition::Suspend, None).unwrap();
        delegate(world, |_| {})
    }),
    (Reason::DelegationOver, "id", |world| {
        let id = first(world);
        world.revoke(id);
        none(world.run(|moment| command::renew(moment, &by(), id, Renew::default())))
    }),
    (Reason::DelegationNotFound, "id", |world| {
        none(world.run(|moment| command::revoke(moment, &by(), DelegationId(99))))
    }),
    (Reason::UsesWider, "uses_left", |world| renew(world, Renew { uses_left: Some(0), ..Renew::default() })),
    (Reason::VersionMismatch, "version", |world| {
        renew(world, Renew { version: Some(9), ..Renew::default() })
    }),
    (Reason::TooMuch, "reason", |world| {
        let id = first(world);
        let by = By { client: "desk".into(), reason: "x".repeat(5000) };
        none(world.run(|moment| command::revoke(moment, &by, id)))
    }),
    (Reason::SessionNotFound, "session", |world| delegate(world, |new| new.session = Some(SessionId(99)))),
    (Reason::SessionOver, "session", |world| {
        let id = session(world);
        world.run(|moment| command::close_session(moment, &by(), id)).unwrap();
        delegate(world, |new| new.session = Some(id))
    }),
];

const SESSIONS: &[Provocation] = &[
    (Reason::InvalidPeriod, "idle", |world| opened(world, |new| new.idle_ms = Some(0))),
    (Reason::InvalidValue, "binding.thumbprint", |world| {
        opened(world, |new| new.binding = pemba_agents::records::SessionBinding::Thumbprint("AB".into()))
    }),
    (Reason::WrongStatus, "actor", |world| {
        changed(world, "agent:a", Transition::Suspend, None).unwrap();
        opened(world, |_| {})
    }),
    (Reason::OutlivesParent, "not_after", |world| {
        let (id, late) = (first(world), world.at(61 * MINUTE));
        opened(world, |new| (new.delegation, new.not_after) = (Some(id), late))
    }),
    (Reason::SessionNotFound, "id", |world| {
        none(world.run(|moment| command::close_session(moment, &by(), SessionId(99))))
    }),
    (Reason::SessionBinding, "session", |world| {
        let id = session(world);
        world.presenter.client = "thief".into();
        asked(world, &Claim { session: Some(id), ..Claim::default() })
    }),
    (Reason::SessionMismatch, "session", |world| {
        let id = session(world);
        asked(world, &Claim { session: Some(id), ..alone("user:alice") })
    }),
    (Reason::UnknownPermission, "grantor_permission", |world| offer(world, "fly")),
    (Reason::MissingValue, "relationships", |world| {
        let id = session(world);
        grant(world, id, "")
    }),
    (Reason::GrantNotOffered, "relationships[0]", |world| {
        let id = session(world);
        grant(world, id, "doc:1#viewer@agent:a")
    }),
    (Reason::GrantNotPermitted, "relationships[0]", |world| {
        offer(world, "grant").unwrap();
        let id = session(world);
        grant(world, id, "doc:3#viewer@agent:a")
    }),
    (Reason::GrantAboveCeiling, "relationships[0]", |world| {
        offer(world, "grant").unwrap();
        register(world, "agent:bounded", |new| new.ceiling = Some(scope("doc:view:2"))).unwrap();
        let new = world.session("agent:bounded", None);
        let id = world.open(new);
        grant(world, id, "doc:1#viewer@agent:bounded")
    }),
    (Reason::ContextualNotAllowed, "relationships[0]", |world| {
        let id = session(world);
        grant(world, id, "doc:1#viewer@folder:1")
    }),
    (Reason::ContextualNotAllowed, "contextual_relationships[0]", |world| {
        let extra = [parse_relationship("doc:1#nothing@user:alice").unwrap()];
        none(world.check_at(&world.snapshot, &alone("user:alice"), "view", "doc:1", (None, &extra)))
    }),
];

/// A session of an agent, and the approval of a grant in it for which nobody has voted.
fn grant_asked(world: &mut World) -> (SessionId, ApprovalId) {
    world.set_policy(of_grants());
    let id = session(world);
    (id, world.ask_grant(id, "user:carol", "doc:1#viewer@agent:a").unwrap())
}

fn of_grants() -> pemba_agents::records::ApprovalPolicy {
    pemba_agents::records::ApprovalPolicy { grants: true, ..policy("doc", "viewer", "grant") }
}

/// Carol grants by an approval.
fn granted(
    world: &mut World,
    (id, approval): (SessionId, ApprovalId),
    change: impl FnOnce(&mut GrantInSession),
) -> Result<(), Refused> {
    let mut new = world.granting(id, "user:carol", "doc:1#viewer@agent:a");
    new.approval = Some(approval);
    change(&mut new);
    none(world.grant(new))
}

const GRANT_APPROVALS: &[Provocation] = &[
    (Reason::UnknownPermission, "permission", |world| {
        let new = pemba_agents::records::ApprovalPolicy { permission: "view".into(), ..of_grants() };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::InvalidValue, "uses", |world| {
        let new = pemba_agents::records::ApprovalPolicy { uses: ApprovalUses::TimeBoxed, ..of_grants() };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::InvalidValue, "bind", |world| {
        let new = pemba_agents::records::ApprovalPolicy { bind: ["amount".into()].into(), ..of_grants() };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::PolicyNotFound, "permission", |world| {
        world.set_policy(policy("doc", "viewer", "grant"));
        none(world.run(|moment| command::unset_approval_policy(moment, "doc", "viewer", true)))
    }),
    (Reason::PolicyNotFound, "relationship", |world| {
        let id = session(world);
        none(world.ask_grant(id, "user:carol", "doc:1#viewer@agent:a"))
    }),
    (Reason::ApprovalNotNeeded, "relationship", |world| {
        world.set_policy(of_grants());
        offer(world, "grant").unwrap();
        let id = session(world);
        none(world.ask_grant(id, "user:alice", "doc:1#viewer@agent:a"))
    }),
    (Reason::InvalidValue, "relationship", |world| {
        let (id, _) = grant_asked(world);
        none(world.ask_grant(id, "user:carol", "doc:1#viewer@agent:b"))
    }),
    (Reason::GrantNotPermitted, "grantor", |world| {
        let (id, _) = grant_asked(world);
        world.set_human("user:dora", HumanStatus::Disabled, None);
        none(world.ask_grant(id, "user:dora", "doc:2#viewer@agent:a"))
    }),
    (Reason::SessionOver, "session", |world| {
        let (id, _) = grant_asked(world);
        world.run(|moment| command::close_session(moment, &by(), id)).unwrap();
        none(world.ask_grant(id, "user:carol", "doc:2#viewer@agent:a"))
    }),
    (Reason::ApprovalNotFound, "approval", |world| {
        let (id, _) = grant_asked(world);
        granted(world, (id, ApprovalId(99)), |_| {})
    }),
    (Reason::ApprovalBinding, "approval", |world| {
        let asked = grant_asked(world);
        world.presenter.client = "thief".into();
        granted(world, asked, |_| {})
    }),
    (Reason::InvalidValue, "relationships", |world| {
        let asked = grant_asked(world);
        granted(world, asked, |new| new.relationships.push(new.relationships[0].clone()))
    }),
    (Reason::ApprovalMismatch, "approval", |world| {
        let asked = grant_asked(world);
        granted(world, asked, |new| new.grantor = object("user:dora"))
    }),
    (Reason::ApprovalNotUsable, "approval", |world| {
        let asked = grant_asked(world);
        granted(world, asked, |_| {})
    }),
];

/// A guarded chain, and who may grant breaks the glass: Alice and Bob.
fn breakable(world: &mut World) -> DelegationId {
    let id = guarded(world);
    world.set_glass(glass("doc", "view", "grant", "grant"));
    id
}

fn broken(world: &mut World) -> ApprovalId {
    let id = breakable(world);
    world.break_glass(&leaf(id), ("view", "doc:1"), "user:alice", None).unwrap()
}

fn set_glass(world: &mut World, change: impl FnOnce(&mut BreakGlassPolicy)) -> Result<(), Refused> {
    let mut new = glass("doc", "view", "grant", "grant");
    change(&mut new);
    none(world.run(|moment| command::set_break_glass_policy(moment, &by(), new)))
}

const GLASS: &[Provocation] = &[
    (Reason::UnknownPermission, "user_permission", |world| {
        set_glass(world, |new| new.user_permission = "fly".into())
    }),
    (Reason::UnknownPermission, "reviewer_permission", |world| {
        set_glass(world, |new| new.reviewer_permission = "fly".into())
    }),
    (Reason::InvalidPeriod, "life", |world| set_glass(world, |new| new.life_ms = 60 * MINUTE as u64 + 1)),
    (Reason::InvalidPeriod, "review", |world| set_glass(world, |new| new.review_ms = 0)),
    (Reason::PolicyNotFound, "permission", |world| {
        none(world.run(|moment| command::unset_break_glass_policy(moment, "doc", "view")))
    }),
    (Reason::MissingValue, "reason", |world| {
        let new = command::BreakGlass {
            id: ApprovalId(1),
            claim: leaf(breakable(world)),
            permission: "view".into(),
            resource: object("doc:1"),
            values: None,
            user: object("user:bob"),
        };
        let (silent, presenter) = (By { reason: " ".into(), ..by() }, world.presenter.clone());
        none(world.run(|moment| command::break_glass(moment, &silent, &presenter, new)))
    }),
    (Reason::BreakGlassNotOffered, "permission", |world| {
        let id = guarded(world);
        none(world.break_glass(&leaf(id), ("view", "doc:1"), "user:bob", None))
    }),
    (Reason::BreakGlassNotPermitted, "user", |world| {
        let id = breakable(world);
        none(world.break_glass(&leaf(id), ("view", "doc:1"), "user:carol", None))
    }),
    (Reason::ReviewOverdue, "user", |world| {
        broken(world);
        world.pass(20 * MINUTE);
        let id = breakable(world);
        none(world.break_glass(&leaf(id), ("view", "doc:1"), "user:alice", None))
    }),
    (Reason::MissingValue, "comment", |world| {
        let (id, reviewer) = (broken(world), object("user:bob"));
        let new = command::ReviewGlass { id, reviewer, is_justified: true, comment: String::new() };
        none(world.run(|moment| command::review_glass(moment, &by(), new)))
    }),
    (Reason::BrokenGlassNotFound, "id", |world| none(world.review(ApprovalId(99), "user:bob"))),
    (Reason::ReviewerNotEligible, "reviewer", |world| {
        let id = broken(world);
        none(world.review(id, "user:alice"))
    }),
    (Reason::AlreadyReviewed, "id", |world| {
        let id = broken(world);
        world.review(id, "user:bob").unwrap();
        none(world.review(id, "user:bob"))
    }),
];

const APPROVALS: &[Provocation] = &[
    (Reason::InvalidQuorum, "quorum", |world| {
        let new = pemba_agents::records::ApprovalPolicy { quorum: 0, ..policy("doc", "view", "grant") };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::InvalidValue, "uses", |world| {
        let uses = ApprovalUses::Counted(0);
        let new = pemba_agents::records::ApprovalPolicy { uses, ..policy("doc", "view", "grant") };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::InvalidPeriod, "pending", |world| {
        let new = pemba_agents::records::ApprovalPolicy { pending_ms: 0, ..policy("doc", "view", "grant") };
        none(world.run(|moment| command::set_approval_policy(moment, &by(), new)))
    }),
    (Reason::PolicyNotFound, "permission", |world| {
        none(world.run(|moment| command::unset_approval_policy(moment, "doc", "view", false)))
    }),
    (Reason::ApprovalNotFound, "approval", |world| {
        let new = CastVote {
            approval: ApprovalId(99),
            approver: object("user:bob"),
            approves: true,
            comment: String::new(),
        };
        none(world.run(|moment| command::vote(moment, new)))
    }),
    (Reason::ApprovalNotOffered, "permission", |world| {
        let id = guarded(world);
        none(world.ask(&leaf(id), "view", "doc:3", None))
    }),
    (Reason::ApprovalNotNeeded, "permission", |world| {
        let id = first(world);
        none(world.ask(&leaf(id), "view", "doc:1", None))
    }),
    (Reason::BoundValueMissing, "context.amount", |world| {
        let id = guarded(world);
        let mut bound = policy("doc", "view", "grant");
        bound.bind = ["amount".into()].into();
        world.set_policy(bound);
        none(world.ask(&leaf(id), "view", "doc:1", Some(context(r#"{"other": 1}"#))))
    }),
    (Reason::TooManyPending, "permission", |world| {
        let id = guarded(world);
        let mut few = policy("doc", "view", "grant");
        few.pending_per_actor_max = 1;
        world.set_policy(few);
        world.ask(&leaf(id), "view", "doc:1", None).unwrap();
        none(world.ask(&leaf(id), "view", "doc:2", None))
    }),
    (Reason::CoolingDown, "permission", |world| {
        let (id, approval) = pending(world);
        world.vote(approval, "user:bob", false).unwrap();
        none(world.ask(&leaf(id), "view", "doc:1", None))
    }),
    (Reason::ApprovalNotPending, "approval", |world| {
        let (_, approval) = pending(world);
        world.pass(10 * MINUTE);
        none(world.vote(approval, "user:bob", true))
    }),
    (Reason::ApproverNotEligible, "approver", |world| {
        let (_, approval) = pending(world);
        none(world.vote(approval, "user:carol", true))
    }),
    (Reason::AlreadyVoted, "approver", |world| {
        let id = guarded(world);
        let mut two = policy("doc", "view", "grant");
        two.quorum = 2;
        world.set_policy(two);
        let approval = world.ask(&leaf(id), "view", "doc:1", None).unwrap();
        world.vote(approval.id, "user:bob", true).unwrap();
        none(world.vote(approval.id, "user:bob", true))
    }),
    (Reason::ApprovalMismatch, "approval", |world| {
        let (id, approval) = pending(world);
        none(world.decision(&approved(&leaf(id), approval), "view", "doc:2", None))
    }),
    (Reason::ApprovalBinding, "approval", |world| {
        let (id, approval) = pending(world);
        world.presenter.client = "thief".into();
        asked(world, &approved(&leaf(id), approval))
    }),
    (Reason::InvalidValue, "approval", |world| {
        let (id, approval) = pending(world);
        none(world.lookup(&approved(&leaf(id), approval), "doc", "view", (None, &[])))
    }),
    (Reason::IdempotencyConflict, "idempotency_key", |world| {
        let id = first(world);
        world.consume(&leaf(id), "view", "doc:1", (None, "k")).unwrap();
        none(world.consume(&leaf(id), "view", "doc:2", (None, "k")))
    }),
    (Reason::InvalidValue, "resource", |world| {
        let new = AskApproval {
            id: ApprovalId(1),
            claim: alone("user:alice"),
            permission: "view".into(),
            resource: pemba_model::ObjectRef::new("doc", "a b\n"),
            values: None,
            requester: None,
        };
        let presenter = world.presenter.clone();
        none(world.run(|moment| command::ask_approval(moment, &by(), &presenter, new)))
    }),
];

const QUESTIONS: &[Provocation] = &[
    (Reason::MissingValue, "root", |world| asked(world, &Claim::default())),
    (Reason::ChainNotDelegated, "delegation", |world| {
        asked(world, &Claim { actors: vec![object("agent:a")], ..alone("user:alice") })
    }),
    (Reason::ChainMismatch, "actors[0]", |world| {
        let id = first(world);
        asked(world, &Claim { actors: vec![object("agent:b")], ..leaf(id) })
    }),
    (Reason::DelegationNotFound, "delegation", |world| asked(world, &leaf(DelegationId(99)))),
    (Reason::DelegationAfterSnapshot, "delegation", |world| {
        let before = world.snapshot.clone();
        let id = first(world);
        none(world.check_at(&before, &leaf(id), "view", "doc:1", (None, &[])))
    }),
    (Reason::QueryFailed, "question", |world| {
        none(world.decision(&alone("user:alice"), "fly", "doc:1", None))
    }),
];

#[test]
fn every_reason_is_provoked_and_changes_nothing() {
    let mut provoked = BTreeSet::new();
    let all = [IDENTITIES, DELEGATIONS, SESSIONS, GRANT_APPROVALS, GLASS, APPROVALS, QUESTIONS].concat();
    for (at, (reason, field, provoke)) in all.into_iter().enumerate() {
        let mut world = attacks::world();
        let refused = match provoke(&mut world) {
            Err(refused) => refused,
            Ok(()) => panic!("{reason} of `{field}` (number {at}) is not refused"),
        };
        assert_eq!((refused.reason, refused.field.as_str()), (reason, field), "{}", refused.message);
        assert!(!refused.message.is_empty());
        assert_eq!(refused.query.is_some(), reason == Reason::QueryFailed);
        world.restart();
        provoked.insert(reason);
    }
    for (reason, why) in ELSEWHERE {
        assert!(!provoked.contains(reason), "{reason} is provoked after all; so far: {why}");
        provoked.insert(*reason);
    }
    let left: Vec<_> = Reason::ALL.iter().filter(|reason| !provoked.contains(reason)).collect();
    assert!(left.is_empty(), "nothing provokes {left:?}");
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut world = attacks::world();
    let id = first(&mut world);
    let before = (world.documents().clone(), world.book.clone(), world.snapshot.revision());
    let wider = Renew { scope: Some(scope("doc:view:*")), ..Renew::default() };
    world.run(|moment| command::renew(moment, &by(), id, wider)).unwrap_err();
    changed(&mut world, "agent:a", Transition::Activate, None).unwrap_err();
    assert_eq!(before, (world.documents().clone(), world.book.clone(), world.snapshot.revision()));
}
