//! Whether somebody's word stands in for an approval: judged when it is used, as an approval is.

use pemba_engine::{Graph, QueryError};
use pemba_model::{ObjectRef, Timestamp};

use super::approvals::may_by_itself;
use super::evaluation::Evaluation;
use super::person::was_by;
use super::{Case, Ground, Question, gates};
use crate::book::Book;
use crate::chain::Chain;
use crate::error::Refused;
use crate::records::{Approval, BreakGlassPolicy, BrokenGlass, Glass};

/// What a person has broken that nobody has reviewed; the person as known then or as known now.
pub(crate) fn unreviewed<'a>(book: &'a Book, user: &'a ObjectRef) -> impl Iterator<Item = &'a BrokenGlass> {
    book.unreviewed().filter(move |broken| is_by(book, broken, user))
}

/// Whether somebody broke it, under whichever account.
pub(crate) fn is_by(book: &Book, broken: &BrokenGlass, account: &ObjectRef) -> bool {
    was_by(book, (&broken.user, broken.person.as_ref()), account)
}

/// Whether somebody may break the glass on an object, on a ground at the head: a human, with the permission that takes.
pub(crate) fn may_break(
    ground: &Ground<'_>,
    policy: &BreakGlassPolicy,
    user: &ObjectRef,
    resource: &ObjectRef,
) -> Result<bool, Refused> {
    let book = ground.book;
    if book.is_agent(user) || !book.is_human(user) {
        return Ok(false);
    }
    may_by_itself(ground, user, &policy.user_permission, resource, None)
}

/// Until when an approval that somebody gave themselves serves, if it does: under the same policy, while they still may,
/// and while no review of what they broke is overdue.
pub(super) fn serves_until<G: Graph>(
    ground: &Ground<'_, G>,
    approval: &Approval,
    glass: &Glass,
    use_before: Timestamp,
) -> Result<Option<Timestamp>, Refused> {
    let (book, resource) = (ground.book, &approval.resource);
    let policy = book
        .break_glass_policy(&resource.object_type, &approval.permission)
        .filter(|policy| policy.version == glass.policy_version);
    let Some(policy) = policy else { return Ok(None) };
    let deadline = unreviewed(book, &glass.user).map(|broken| broken.review_before).min();
    if deadline.is_some_and(|deadline| ground.facts.now >= deadline)
        || !may_break(&ground.at_head(), policy, &glass.user, resource)?
    {
        return Ok(None);
    }
    Ok(Some(deadline.map_or(use_before, |deadline| deadline.min(use_before))))
}

/// Whether a quarantine or a kill switch wants the approval of an action: nobody's own word stands in for that one.
pub(crate) fn is_imposed(
    ground: &Ground<'_>,
    chain: &Chain,
    question: &Question<'_>,
) -> Result<bool, QueryError> {
    let case = Case::new(ground, chain, question.permission, question.values);
    let gated = gates::take(&case, &question.resource.object_type, &mut Evaluation::new(false))?;
    Ok(gated.approval_required)
}
