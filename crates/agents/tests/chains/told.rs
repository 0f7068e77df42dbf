//! What a book says, as the oracle's plain lists.

use pemba_agents::Book;
use pemba_agents::records::{
    self, Applies, ApprovalState, ApprovalUses, HumanStatus, KillMode, KillSelector, PrincipalKind, TypeMode,
};
use pemba_agents::scope::Selector;
use pemba_testkit::agents::{
    Agent, Approval, Broken, Clause, Distinct, Facts, GlassPolicy, GrantRight, Hop, Human, Kind, Mode,
    Objects, Policy, Scope, Selects, Session, Status, Switch, Vote,
};

use crate::world::World;

/// Everything, for the oracle.
pub fn facts(world: &World) -> Facts {
    let book = &world.book;
    Facts {
        now: world.now,
        depth_max: world.limits.depth_max as usize,
        grace_ms: world.limits.orphan_grace_ms as i64,
        kinds: book.type_policies().map(kind).collect(),
        agents: book.agents().after(None).map(|(_, one)| agent(one)).collect(),
        humans: book.humans().after(None).map(|(_, one)| human(one)).collect(),
        switches: book.kills().map(|one| switch(one)).collect(),
        hops: book.delegations().after(None).map(|(_, one)| hop(one)).collect(),
        sessions: book.sessions().after(None).map(|(_, one)| session(one, world)).collect(),
        labels: labels(book),
        grant_rights: book.grant_policies().map(grant_right).collect(),
        policies: book.approval_policies().map(policy).collect(),
        approvals: book.approvals().after(None).map(|(_, one)| approval(one)).collect(),
        glass_policies: book.break_glass_policies().map(glass_policy).collect(),
        broken: book.unreviewed().map(broken).collect(),
    }
}

fn kind(one: &records::TypePolicy) -> Kind {
    Kind {
        object_type: one.object_type.clone(),
        is_agent: one.kind == PrincipalKind::Agent,
        is_managed: one.mode == TypeMode::Managed,
    }
}

fn agent(one: &records::Agent) -> Agent {
    Agent {
        id: one.principal.clone(),
        incarnation: one.incarnation,
        status: match one.status {
            records::Status::Active => Status::Active,
            records::Status::Quarantined => Status::Quarantined,
            _ => Status::Stopped,
        },
        not_before: one.not_before,
        ends: one.not_after.into_iter().chain(one.attest_by).collect(),
        sponsors: one.sponsors.clone(),
        grace_ms: one.orphan_grace_ms.map(|ms| ms as i64),
        created_at: one.created_at,
        owners: one.owners.clone(),
        blueprint: one.blueprint.clone(),
        tenant: one.tenant.clone(),
        labels: one.labels.clone(),
        max_depth: one.max_depth.map(|max| max as usize),
        ceiling: one.ceiling.as_ref().map(scope),
        purpose: one.purpose_permissions.clone(),
        own_grants_required: one.own_grants_required,
    }
}

fn human(one: &records::Human) -> Human {
    Human {
        id: one.principal.clone(),
        is_active: one.status == HumanStatus::Active,
        since: one.since,
        person: one.person.clone(),
    }
}

fn switch(one: &records::Kill) -> Switch {
    Switch {
        selects: match one.selector.clone() {
            KillSelector::Agent(who) => Selects::One(who),
            KillSelector::Blueprint(name) => Selects::Blueprint(name),
            KillSelector::Owner(who) => Selects::Owner(who),
            KillSelector::Sponsor(who) => Selects::Sponsor(who),
            KillSelector::Label(name) => Selects::Label(name),
            KillSelector::Tenant(name) => Selects::Tenant(name),
            KillSelector::All => Selects::All,
        },
        mode: match one.mode {
            KillMode::DenyAll => Mode::DenyAll,
            KillMode::DenyWrite => Mode::DenyWrite,
            KillMode::RequireApproval => Mode::RequireApproval,
        },
        until: one.until,
    }
}

fn hop(one: &records::Delegation) -> Hop {
    Hop {
        id: one.id.0,
        parent: one.parent.map(|id| id.0),
        root: one.root.clone(),
        from: one.from.clone(),
        to: one.to.clone(),
        incarnations: one.incarnations,
        scopes: std::iter::once(&one.scope).chain(&one.within).map(scope).collect(),
        not_before: one.not_before,
        not_after: one.not_after,
        depth_left: one.depth_left as usize,
        session: one.session.map(|id| id.0),
        uses_left: one.uses_left,
        is_revoked: one.revoked.is_some(),
    }
}

fn session(one: &records::Session, world: &World) -> Session {
    let used_at = world.presenter.session_used_at;
    Session {
        id: one.id.0,
        actor: one.actor.clone(),
        incarnation: one.incarnation,
        delegation: one.delegation.map(|id| id.0),
        scope: one.scope.as_ref().map(scope),
        not_after: one.not_after,
        idle_ms: one.idle_ms.map(|ms| ms as i64),
        used_at: used_at.map_or(one.touched_at, |used_at| used_at.max(one.touched_at)),
        is_closed: one.closed.is_some(),
    }
}

fn scope(one: &pemba_agents::scope::Scope) -> Scope {
    one.clauses
        .iter()
        .map(|clause| Clause {
            resource_type: clause.resource_type.clone(),
            permissions: clause.permissions.clone(),
            objects: match &clause.selector {
                Selector::Objects(ids) => Objects::These(ids.clone()),
                Selector::Subtree { relation, top } => Objects::Under(relation.clone(), top.clone()),
                Selector::AllOfType => Objects::All,
            },
            caveat: clause.caveat.clone(),
        })
        .collect()
}

fn labels(
    book: &Book,
) -> std::collections::BTreeSet<(pemba_model::SmolStr, pemba_model::SmolStr, pemba_model::SmolStr)> {
    book.all_labels()
        .flat_map(|one| {
            one.labels.iter().map(|label| (one.resource_type.clone(), one.permission.clone(), label.clone()))
        })
        .collect()
}

fn grant_right(one: &records::GrantPolicy) -> GrantRight {
    GrantRight {
        resource_type: one.resource_type.clone(),
        relation: one.relation.clone(),
        permission: one.grantor_permission.clone(),
    }
}

fn policy(one: &records::ApprovalPolicy) -> Policy {
    assert!(one.human_only && one.bind.is_empty(), "the oracle knows no other policies");
    Policy {
        resource_type: one.resource_type.clone(),
        permission: one.permission.clone(),
        of_grants: one.grants,
        agents_only: one.applies == Applies::AgentChains,
        approver_permission: one.approver_permission.clone(),
        quorum: one.quorum as usize,
        distinct: one
            .distinct_from
            .iter()
            .filter_map(|one| match one {
                records::Distinct::Sponsor => Some(Distinct::Sponsor),
                records::Distinct::Requester => Some(Distinct::Requester),
                _ => None,
            })
            .collect(),
        version: one.version,
    }
}

fn glass_policy(one: &records::BreakGlassPolicy) -> GlassPolicy {
    GlassPolicy {
        resource_type: one.resource_type.clone(),
        permission: one.permission.clone(),
        user_permission: one.user_permission.clone(),
        reviewer_permission: one.reviewer_permission.clone(),
        version: one.version,
    }
}

fn broken(one: &records::BrokenGlass) -> Broken {
    Broken {
        id: one.id.0,
        user: one.user.clone(),
        person: one.person.clone(),
        principals: std::iter::once(&one.root).chain(&one.actors).cloned().collect(),
        resource: one.resource.clone(),
        permission: one.permission.clone(),
        reviewer_permission: one.reviewer_permission.clone(),
        review_before: one.review_before,
    }
}

fn approval(one: &records::Approval) -> Approval {
    Approval {
        id: one.id.0,
        policy_version: one.policy_version,
        grant: one
            .grant
            .as_ref()
            .map(|grant| (one.session.unwrap().0, grant.grantor.clone(), grant.relationship.clone())),
        use_before: match one.state {
            ApprovalState::Approved { use_before, .. } => Some(use_before),
            _ => None,
        },
        uses_left: matches!(one.uses, ApprovalUses::Counted(_)).then_some(one.uses_left),
        requester: one.requester.clone(),
        glass: one.glass.as_ref().map(|glass| (glass.user.clone(), glass.policy_version)),
        votes: one
            .votes
            .iter()
            .map(|vote| Vote {
                approver: vote.approver.clone(),
                person: vote.person.clone(),
                approves: vote.approves,
            })
            .collect(),
    }
}
