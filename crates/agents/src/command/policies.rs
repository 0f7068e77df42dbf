//! What administrators say about types, permissions and approvals.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_model::{SmolStr, names};
use pemba_schema::Definition;

use super::changes::{By, Changes, check_list, check_name, millis};
use crate::book::Book;
use crate::error::{Reason, Refused};
use crate::limits::{QUORUM_MAX, USES_MAX};
use crate::moment::Moment;
use crate::records::{
    ApprovalPolicy, ApprovalUses, GrantPolicy, PermissionLabels, PrincipalKind, TypePolicy,
};
use crate::scope::check_member;

/// Says what the objects of a type are.
pub fn set_type_policy(moment: &Moment<'_>, new: TypePolicy) -> Result<Changes<TypePolicy>, Refused> {
    definition(moment, "object_type", &new.object_type)?;
    if new.kind == PrincipalKind::Human {
        let agents = moment.book.agents();
        let registered = agents.after(None).find(|(agent, _)| agent.object_type == new.object_type);
        if let Some((agent, _)) = registered {
            let message = format!("`{agent}` is registered as an agent");
            return Err(Refused::new(Reason::TypeMismatch, "kind", message));
        }
    }
    if new.kind == PrincipalKind::Agent {
        let humans = moment.book.humans();
        let known = humans.after(None).find(|(human, _)| human.object_type == new.object_type);
        if let Some((human, _)) = known {
            let message = format!("`{human}` is known to be a human");
            return Err(Refused::new(Reason::TypeMismatch, "kind", message));
        }
    }
    let mut changes = Changes::new(new.clone());
    changes.put(&new)?;
    Ok(changes)
}

/// Sets the labels of a permission; none takes them away.
pub fn set_permission_labels(
    moment: &Moment<'_>,
    resource_type: SmolStr,
    permission: SmolStr,
    labels: BTreeSet<SmolStr>,
) -> Result<Changes<PermissionLabels>, Refused> {
    check_member(definition(moment, "resource_type", &resource_type)?, &permission, "permission")?;
    check_list("labels", labels.len())?;
    labels.iter().try_for_each(|label| check_name("labels", label))?;
    let new = PermissionLabels { resource_type, permission, labels };
    let mut changes = Changes::new(new.clone());
    if new.labels.is_empty() {
        changes.remove(&new)
    } else {
        changes.put(&new)?
    }
    Ok(changes)
}

/// Says who may grant a relation inside sessions.
pub fn set_grant_policy(moment: &Moment<'_>, new: GrantPolicy) -> Result<Changes<GrantPolicy>, Refused> {
    let definition = definition(moment, "resource_type", &new.resource_type)?;
    if !definition.relations.contains_key(&new.relation) {
        let message = format!("type `{}` has no relation `{}`", new.resource_type, new.relation);
        return Err(Refused::new(Reason::UnknownPermission, "relation", message));
    }
    check_member(definition, &new.grantor_permission, "grantor_permission")?;
    let mut changes = Changes::new(new.clone());
    changes.put(&new)?;
    Ok(changes)
}

/// Sets who must approve a permission. Approvals asked under an earlier version of the policy are void. The version and
/// who set it are filled in here.
pub fn set_approval_policy(
    moment: &Moment<'_>,
    by: &By,
    new: ApprovalPolicy,
) -> Result<Changes<ApprovalPolicy>, Refused> {
    let definition = definition(moment, "resource_type", &new.resource_type)?;
    if new.grants {
        check_of_grants(definition, &new)?;
    } else {
        check_member(definition, &new.permission, "permission")?;
    }
    check_member(definition, &new.approver_permission, "approver_permission")?;
    if new.quorum == 0 || new.quorum > QUORUM_MAX {
        let message = format!("from 1 to {QUORUM_MAX} may have to approve, not {}", new.quorum);
        return Err(Refused::new(Reason::InvalidQuorum, "quorum", message));
    }
    if let ApprovalUses::Counted(uses) = new.uses
        && (uses == 0 || uses > USES_MAX)
    {
        let message = format!("from 1 to {USES_MAX} uses can be counted, not {uses}");
        return Err(Refused::new(Reason::InvalidValue, "uses", message));
    }
    check_list("bind", new.bind.len())?;
    new.bind.iter().try_for_each(|key| check_name("bind", key))?;
    for (field, ms) in [("pending", new.pending_ms), ("execution", new.execution_ms)] {
        check_period(field, ms, moment.limits.approval_life_max_ms)?;
    }
    if millis(new.cool_down_ms) > millis(moment.limits.approval_life_max_ms) {
        let message = format!("at most {} milliseconds", moment.limits.approval_life_max_ms);
        return Err(Refused::new(Reason::InvalidPeriod, "cool_down", message));
    }
    if new.pending_per_actor_max == 0 {
        let message = "with none waiting nothing could be asked";
        return Err(Refused::new(Reason::InvalidValue, "pending_per_actor_max", message));
    }
    let before = approval_policy(moment.book, &new.resource_type, &new.permission, new.grants);
    let policy = ApprovalPolicy {
        version: next_version(moment, before.map(|before| before.version)),
        set_at: moment.now(),
        set_by: by.client.clone(),
        ..new
    };
    let mut changes = Changes::new(policy.clone());
    changes.put(&policy)?;
    Ok(changes)
}

/// Checks a length of time in milliseconds.
pub(super) fn check_period(field: &str, ms: u64, max: u64) -> Result<(), Refused> {
    if (1..=max).contains(&ms) {
        return Ok(());
    }
    let message = format!("from 1 to {max} milliseconds, not {ms}");
    Err(Refused::new(Reason::InvalidPeriod, field, message))
}

/// The version of a policy that takes the place of one. Never a number that a removed policy had: what was given under that
/// one must not come back.
pub(super) fn next_version(moment: &Moment<'_>, before: Option<u64>) -> u64 {
    before.unwrap_or(0).max(moment.revision.0) + 1
}

/// The policy about using a permission, or about granting a relation.
pub(super) fn approval_policy<'a>(
    book: &'a Book,
    resource_type: &str,
    permission: &str,
    grants: bool,
) -> Option<&'a Arc<ApprovalPolicy>> {
    if grants {
        book.grant_approval_policy(resource_type, permission)
    } else {
        book.approval_policy(resource_type, permission)
    }
}

/// An approval of a grant is for one relationship, used up by granting it, and no value comes with it.
fn check_of_grants(definition: &Definition, new: &ApprovalPolicy) -> Result<(), Refused> {
    if !definition.relations.contains_key(&new.permission) {
        let message = format!("type `{}` has no relation `{}` to grant", new.resource_type, new.permission);
        return Err(Refused::new(Reason::UnknownPermission, "permission", message));
    }
    if new.uses != ApprovalUses::Counted(1) {
        let message = "an approval of a grant serves once";
        return Err(Refused::new(Reason::InvalidValue, "uses", message));
    }
    if !new.bind.is_empty() {
        let message = "a grant has no values that its approval could be bound to";
        return Err(Refused::new(Reason::InvalidValue, "bind", message));
    }
    Ok(())
}

/// Takes a policy away: the permission needs no approval any more, and no approval lets anybody grant the relation.
pub fn unset_approval_policy(
    moment: &Moment<'_>,
    resource_type: &str,
    permission: &str,
    grants: bool,
) -> Result<Changes<ApprovalPolicy>, Refused> {
    let policy = approval_policy(moment.book, resource_type, permission, grants).ok_or_else(|| {
        let about = if grants { "grants of " } else { "" };
        let message = format!("there is no policy for {about}`{resource_type}#{permission}`");
        Refused::new(Reason::PolicyNotFound, "permission", message)
    })?;
    let mut changes = Changes::new(policy.as_ref().clone());
    changes.remove(policy.as_ref());
    Ok(changes)
}

/// A type of the schema.
pub(super) fn definition<'a>(
    moment: &Moment<'a>,
    field: &str,
    object_type: &SmolStr,
) -> Result<&'a Definition, Refused> {
    names::check_object_type(object_type)
        .map_err(|error| Refused::new(Reason::InvalidValue, field, error.to_string()))?;
    moment.facts.schema.definitions.get(object_type).ok_or_else(|| {
        Refused::new(Reason::UnknownType, field, format!("the schema has no type `{object_type}`"))
    })
}
