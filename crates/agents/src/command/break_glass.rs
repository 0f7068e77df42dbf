//! Breaking the glass, and reviewing it.

use pemba_model::{Context, ObjectRef, SmolStr};

use super::approvals::ground_of;
use super::ask::{Asked, check_cool, offered};
use super::changes::{By, Changes, check_object, check_text, millis};
use super::policies::{check_period, definition, next_version};
use crate::authority::{
    Question, action_hash, is_by, is_imposed, is_one_person, may_break, may_by_itself, person_of, unreviewed,
};
use crate::chain::{Claim, Presenter, resolve};
use crate::error::{Reason, Refused};
use crate::id::ApprovalId;
use crate::limits::{BREAK_GLASS_LIFE_MAX_MS, BREAK_GLASS_REVIEW_MAX_MS, UNREVIEWED_MAX};
use crate::moment::Moment;
use crate::records::{Approval, ApprovalState, BreakGlassPolicy, BrokenGlass, Glass, Review};
use crate::scope::check_member;

/// Sets who may break the glass. What was broken under an earlier version serves no more; its review stays open. The
/// version and who set it are filled in here.
pub fn set_break_glass_policy(
    moment: &Moment<'_>,
    by: &By,
    new: BreakGlassPolicy,
) -> Result<Changes<BreakGlassPolicy>, Refused> {
    let definition = definition(moment, "resource_type", &new.resource_type)?;
    check_member(definition, &new.permission, "permission")?;
    check_member(definition, &new.user_permission, "user_permission")?;
    check_member(definition, &new.reviewer_permission, "reviewer_permission")?;
    let periods = [
        ("life", new.life_ms, BREAK_GLASS_LIFE_MAX_MS),
        ("review", new.review_ms, BREAK_GLASS_REVIEW_MAX_MS),
    ];
    periods.into_iter().try_for_each(|(field, ms, max)| check_period(field, ms, max))?;
    let before = moment.book.break_glass_policy(&new.resource_type, &new.permission);
    let policy = BreakGlassPolicy {
        version: next_version(moment, before.map(|before| before.version)),
        set_at: moment.now(),
        set_by: by.client.clone(),
        ..new
    };
    let mut changes = Changes::new(policy.clone());
    changes.put(&policy)?;
    Ok(changes)
}

/// Takes a policy away: nobody breaks the glass any more. Open reviews stay open.
pub fn unset_break_glass_policy(
    moment: &Moment<'_>,
    resource_type: &str,
    permission: &str,
) -> Result<Changes<BreakGlassPolicy>, Refused> {
    let policy = moment.book.break_glass_policy(resource_type, permission).ok_or_else(|| {
        let message = format!("no policy lets anybody break the glass of `{resource_type}#{permission}`");
        Refused::new(Reason::PolicyNotFound, "permission", message)
    })?;
    let mut changes = Changes::new(policy.clone());
    changes.remove(policy);
    Ok(changes)
}

/// Breaking the glass for one action.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakGlass {
    /// The id of the approval that comes of it, drawn by the caller.
    pub id: ApprovalId,
    /// On whose authority the action is to be done; names no approval.
    pub claim: Claim,
    /// The permission.
    pub permission: SmolStr,
    /// The object.
    pub resource: ObjectRef,
    /// Values for caveats, and those the approval is bound to.
    pub values: Option<Context>,
    /// The human who takes it upon themselves.
    pub user: ObjectRef,
}

/// Gives an approval on one human's word: only where everything but an approval that a policy wants allows the action.
/// What the same human has broken for the same action, and still serves, is returned as it is.
pub fn break_glass(
    moment: &Moment<'_>,
    by: &By,
    presenter: &Presenter,
    new: BreakGlass,
) -> Result<Changes<BrokenGlass>, Refused> {
    check_said("reason", &by.reason)?;
    check_object("resource", &new.resource)?;
    check_object("user", &new.user)?;
    let claim = Claim { approval: None, ..new.claim };
    let chain = resolve(moment.book, &claim, presenter, moment.revision)?;
    let values = new.values.as_ref();
    let question = Question { claim: &claim, permission: &new.permission, resource: &new.resource, values };
    let wanted = offered(moment, presenter, &chain, &question)?;
    let policy = check_breakable(moment, presenter, &new.permission, &new.resource, &new.user)?;
    if is_imposed(&ground_of(moment, presenter), &chain, &question)? {
        let message = "a kill switch or a quarantine wants the approval: nobody's own word stands in for it";
        return Err(Refused::new(Reason::BreakGlassNotOffered, "permission", message));
    }
    let (hash, bound) = action_hash(&chain, &new.permission, &new.resource, values, wanted)?;
    check_cool(moment, &hash)?;
    if let Some(serving) = serving(moment, presenter, &hash, policy, &new.user) {
        return Ok(Changes::new(serving.clone()));
    }
    let now = moment.now();
    let use_before = now.plus_millis(millis(policy.life_ms));
    let broken = BrokenGlass {
        id: new.id,
        person: person_of(moment.book, &new.user),
        root: chain.root.clone(),
        actors: chain.actors().cloned().collect(),
        delegation: chain.leaf(),
        session: claim.session,
        resource: new.resource.clone(),
        permission: new.permission.clone(),
        reason: by.reason.clone(),
        reviewer_permission: policy.reviewer_permission.clone(),
        at: now,
        by: by.client.clone(),
        revision: moment.revision.0,
        use_before,
        review_before: now.plus_millis(millis(policy.review_ms)),
        review: None,
        user: new.user.clone(),
    };
    let asked = Asked {
        id: new.id,
        hash,
        session: claim.session,
        resource: new.resource,
        permission: new.permission,
        bound,
        grant: None,
        requester: Some(new.user.clone()),
    };
    let glass = Glass { user: new.user, policy_version: policy.version };
    let approval = Approval {
        glass: Some(glass),
        state: ApprovalState::Approved { at: now, use_before },
        ..asked.pending(moment, by, presenter, (&chain, wanted))
    };
    let mut changes = Changes::new(broken.clone());
    changes.put(&approval)?;
    changes.put(&broken)?;
    changes.forget(moment);
    Ok(changes)
}

/// The policy, where it lets a human break the glass who owes no review.
fn check_breakable<'a>(
    moment: &Moment<'a>,
    presenter: &Presenter,
    permission: &str,
    resource: &ObjectRef,
    user: &ObjectRef,
) -> Result<&'a BreakGlassPolicy, Refused> {
    let policy = moment.book.break_glass_policy(&resource.object_type, permission).ok_or_else(|| {
        let message =
            format!("no policy lets anybody break the glass of `{}#{permission}`", resource.object_type);
        Refused::new(Reason::BreakGlassNotOffered, "permission", message)
    })?;
    if !may_break(&ground_of(moment, presenter), policy, user, resource)? {
        let message = format!(
            "`{user}` is not known to be a human, lacks `{}` on `{resource}`, or may not act",
            policy.user_permission
        );
        return Err(Refused::new(Reason::BreakGlassNotPermitted, "user", message));
    }
    let mut open = 0;
    for broken in unreviewed(moment.book, user) {
        if broken.is_overdue(moment.now()) {
            let message = format!(
                "what `{}` broke, {}, was to be reviewed before {}",
                broken.user, broken.id, broken.review_before
            );
            return Err(Refused::new(Reason::ReviewOverdue, "user", message));
        }
        open += 1;
    }
    if open >= UNREVIEWED_MAX {
        let message =
            format!("{open} reviews of what `{user}` broke are open; at most {UNREVIEWED_MAX} may be");
        return Err(Refused::new(Reason::TooManyPending, "user", message));
    }
    Ok(policy)
}

/// What a human has broken for the same action and client that still serves.
fn serving<'a>(
    moment: &Moment<'a>,
    presenter: &Presenter,
    hash: &str,
    policy: &BreakGlassPolicy,
    user: &ObjectRef,
) -> Option<&'a BrokenGlass> {
    let now = moment.now();
    let glass = Glass { user: user.clone(), policy_version: policy.version };
    let mut all = moment.book.approvals_of_action(hash).filter(|approval| {
        let serves = matches!(approval.state, ApprovalState::Approved { use_before, .. } if now < use_before);
        serves && presenter.is(&approval.binding) && approval.glass.as_ref() == Some(&glass)
    });
    moment.book.broken_glass(all.next()?.id).map(AsRef::as_ref)
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewGlass {
    /// Of what.
    pub id: ApprovalId,
    /// Who reviews.
    pub reviewer: ObjectRef,
    /// Whether it was right to break the glass.
    pub is_justified: bool,
    /// Their words.
    pub comment: String,
}

/// Writes down a review. Neither who broke the glass reviews it, nor anybody of the chain, under whichever account.
pub fn review_glass(moment: &Moment<'_>, by: &By, new: ReviewGlass) -> Result<Changes<BrokenGlass>, Refused> {
    check_object("reviewer", &new.reviewer)?;
    check_said("comment", &new.comment)?;
    let before = moment.book.broken_glass(new.id).map(AsRef::as_ref).ok_or_else(|| {
        Refused::new(Reason::BrokenGlassNotFound, "id", format!("nothing was broken under {}", new.id))
    })?;
    if before.review.is_some() {
        let message = format!("{} has been reviewed", new.id);
        return Err(Refused::new(Reason::AlreadyReviewed, "id", message));
    }
    if let Some(why) = not_reviewer(moment, before, &new.reviewer)? {
        return Err(Refused::new(Reason::ReviewerNotEligible, "reviewer", why));
    }
    let review = Review {
        reviewer: new.reviewer,
        is_justified: new.is_justified,
        comment: new.comment,
        at: moment.now(),
        by: by.client.clone(),
        revision: moment.revision.0,
    };
    let after = BrokenGlass { review: Some(review), ..before.clone() };
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}

/// Why somebody may not review what was broken, if they may not.
fn not_reviewer(
    moment: &Moment<'_>,
    broken: &BrokenGlass,
    reviewer: &ObjectRef,
) -> Result<Option<String>, Refused> {
    let book = moment.book;
    if is_by(book, broken, reviewer) {
        return Ok(Some(format!("`{reviewer}` broke it, or is the same person as `{}`", broken.user)));
    }
    let mut chain = std::iter::once(&broken.root).chain(&broken.actors);
    if chain.any(|other| is_one_person(book, other, reviewer)) {
        return Ok(Some(format!("`{reviewer}` is, or is the same person as, somebody of the chain")));
    }
    if book.is_agent(reviewer) || !book.is_human(reviewer) {
        return Ok(Some(format!("`{reviewer}` is not known to be a human")));
    }
    let resource = &broken.resource;
    let policy = book.break_glass_policy(&resource.object_type, &broken.permission);
    let permission = policy.map_or(&broken.reviewer_permission, |policy| &policy.reviewer_permission);
    let presenter = Presenter::default();
    let may = may_by_itself(&ground_of(moment, &presenter), reviewer, permission, resource, None)?;
    Ok((!may).then(|| format!("`{reviewer}` lacks `{permission}` on `{resource}`, or may not act")))
}

/// Checks a text that must say something.
fn check_said(field: &str, text: &str) -> Result<(), Refused> {
    check_text(field, text)?;
    if text.trim().is_empty() {
        return Err(Refused::new(Reason::MissingValue, field, "it must say something"));
    }
    Ok(())
}
