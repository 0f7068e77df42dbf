//! What a chain may reach: the root's set, cut down by every conjunct at once.

use pemba_engine::{Graph, Permissionship, QueryError, ResourceSet};
use pemba_model::{Context, SmolStr, Timestamp};

use super::approvals::policy_for;
use super::check::direct;
use super::conjunct::Limit;
use super::evaluation::Evaluation;
use super::{Case, Ground, Outcome, gates};
use crate::answer::earlier;
use crate::chain::{Chain, Claim, resolve};
use crate::error::{Reason, Refused};
use crate::scope::Scope;
use crate::scope_sets::Held;

/// What a chain reaches of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct Reachable {
    /// The resources; every one of them checks alike for the same chain.
    pub resources: ResourceSet,
    /// What a check of any resource would come to at most: below `Allow` the set is empty, and `limit` says why.
    pub at_most: Outcome,
    /// What limits all of it at once.
    pub limit: Option<Limit>,
}

/// The resources of a type on which a chain has a permission.
pub fn lookup_resources<G: Graph>(
    ground: &Ground<'_, G>,
    claim: &Claim,
    resource_type: &SmolStr,
    permission: &str,
    values: Option<&Context>,
) -> Result<Reachable, Refused> {
    if claim.approval.is_some() {
        let message = "an approval is for one object: name it in a check";
        return Err(Refused::new(Reason::InvalidValue, "approval", message));
    }
    let chain = resolve(ground.book, claim, ground.presenter, ground.facts.revision)?;
    let case = Case::new(ground, &chain, permission, values);
    let Gate { permissionship, at_most, limit, valid_until } = gate(&case, resource_type)?;
    // The question itself is checked whatever the gates say: an unknown permission is an error, not an empty set.
    let mut resources = reached_by(ground, &chain, resource_type, permission, values)?;
    resources.valid_until = earlier(resources.valid_until, valid_until);
    if at_most != Outcome::Allow {
        resources.definite.clear();
        resources.conditional.clear();
        return Ok(Reachable { resources, at_most, limit });
    }
    if permissionship == Permissionship::Conditional {
        let definite = std::mem::take(&mut resources.definite);
        resources.conditional |= definite;
    }
    bound(&case, resource_type, &mut resources)?;
    Ok(Reachable { resources, at_most, limit })
}

/// What a check of any resource of a type would come to at most, and what limits it: what everything but the resource
/// itself says.
pub fn at_most<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    resource_type: &SmolStr,
    permission: &str,
    values: Option<&Context>,
) -> Result<(Outcome, Option<Limit>), QueryError> {
    let gate = gate(&Case::new(ground, chain, permission, values), resource_type)?;
    Ok((gate.at_most, gate.limit))
}

/// What the gates let through.
struct Gate {
    permissionship: Permissionship,
    at_most: Outcome,
    limit: Option<Limit>,
    valid_until: Option<Timestamp>,
}

fn gate<G: Graph>(case: &Case<'_, G>, resource_type: &SmolStr) -> Result<Gate, QueryError> {
    let mut evaluation = Evaluation::new(false);
    let gated = gates::take(case, resource_type, &mut evaluation)?;
    let concluded = evaluation.conclude()?;
    let permissionship = concluded.answer.permissionship;
    let waits = gated.approval_required
        || policy_for(case.ground.book, case.chain, case.permission, resource_type, false).is_some();
    let (at_most, limit) = match permissionship {
        Permissionship::No => (Outcome::Deny, concluded.limit),
        _ if waits => (Outcome::RequiresApproval, Some(Limit::Approval)),
        _ if gated.is_counted => (Outcome::RequiresConsumption, Some(Limit::Uses)),
        _ => (Outcome::Allow, None),
    };
    Ok(Gate { permissionship, at_most, limit, valid_until: concluded.answer.valid_until })
}

/// What the root reaches.
fn reached_by<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    resource_type: &str,
    permission: &str,
    values: Option<&Context>,
) -> Result<ResourceSet, QueryError> {
    let root = direct(&chain.root);
    ground.judged_for_root().lookup_resources(resource_type, permission, &root, values)
}

/// Cuts the set down to scopes, ceilings, purposes and own grants.
fn bound<G: Graph>(
    case: &Case<'_, G>,
    resource_type: &SmolStr,
    resources: &mut ResourceSet,
) -> Result<(), QueryError> {
    let ground = &case.ground;
    for hop in &case.chain.hops {
        for scope in hop.delegation.scopes() {
            hold(case, scope, resource_type, resources)?;
        }
    }
    if let Some(scope) = case.chain.session.as_ref().and_then(|session| session.scope.as_ref()) {
        hold(case, scope, resource_type, resources)?;
    }
    for (place, known) in case.known.iter().enumerate() {
        let Some(agent) = known.agent else { continue };
        if let Some(ceiling) = &agent.ceiling {
            hold(case, ceiling, resource_type, resources)?;
        }
        if !agent.is_for(resource_type, case.permission) {
            resources.definite.clear();
            resources.conditional.clear();
        }
        if agent.own_grants_required && place > 0 {
            let subject = direct(known.principal);
            let own =
                ground.judged().lookup_resources(resource_type, case.permission, &subject, case.values)?;
            resources.valid_until = earlier(resources.valid_until, own.valid_until);
            Held::found(own).restrict(resources);
        }
    }
    Ok(())
}

fn hold<G: Graph>(
    case: &Case<'_, G>,
    scope: &Scope,
    resource_type: &SmolStr,
    resources: &mut ResourceSet,
) -> Result<(), QueryError> {
    let (facts, seen) = (&case.ground.facts, case.ground.seen.graph);
    let held = scope.held(facts, seen, case.permission, resource_type, case.values)?;
    resources.valid_until = earlier(resources.valid_until, held.valid_until);
    held.held.restrict(resources);
    match held.fault {
        // What the failing caveat guards is open; it matters when something is left that rests on it.
        Some(fault) if !resources.conditional.is_empty() => Err(fault),
        _ => Ok(()),
    }
}
