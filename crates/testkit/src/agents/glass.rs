//! Who may break the glass, and who reviews it.

use pemba_model::{ObjectRef, SmolStr};

use super::approval::person;
use super::facts::Broken;
use super::judge::{Ask, Judge, Verdict, principals};

impl Judge<'_> {
    /// Whether a human may take an action upon themselves: it waits for an approval that a policy wants, and for nothing
    /// else.
    pub fn may_break_for(&self, ask: &Ask<'_>, user: &ObjectRef) -> bool {
        let Some(hops) = self.hops(ask.delegation) else { return false };
        let everybody = principals(ask, None, &hops);
        self.verdict(ask) == Verdict::RequiresApproval
            && self.policy(ask).is_some()
            && !self.is_imposed(ask, &everybody)
            && self.may_break(ask.object, ask.permission, user, None)
    }

    /// Whether a human may break the glass on an object, under the policy of a version.
    pub(super) fn may_break(
        &self,
        object: &ObjectRef,
        permission: &str,
        user: &ObjectRef,
        version: Option<u64>,
    ) -> bool {
        let facts = self.facts;
        let policy = facts.glass_policies.iter().find(|policy| {
            policy.resource_type == object.object_type
                && policy.permission == permission
                && version.is_none_or(|version| version == policy.version)
        });
        let owes = |broken: &Broken| self.is_by(broken, user) && facts.now >= broken.review_before;
        policy.is_some_and(|policy| self.is_human_with(user, &policy.user_permission, object))
            && !facts.broken.iter().any(owes)
    }

    /// Whether somebody may review what was broken.
    pub fn may_review(&self, id: u128, reviewer: &ObjectRef) -> bool {
        let Some(broken) = self.facts.broken.iter().find(|broken| broken.id == id) else { return false };
        let policy = self.facts.glass_policies.iter().find(|policy| {
            policy.resource_type == broken.resource.object_type && policy.permission == broken.permission
        });
        let permission = policy.map_or(&broken.reviewer_permission, |policy| &policy.reviewer_permission);
        let is_same = |other: &ObjectRef| {
            other == reviewer
                || person(self.facts, other).is_some_and(|name| person(self.facts, reviewer) == Some(name))
        };
        !self.is_by(broken, reviewer)
            && !broken.principals.iter().any(is_same)
            && self.is_human_with(reviewer, permission, &broken.resource)
    }

    fn is_by(&self, broken: &Broken, account: &ObjectRef) -> bool {
        let now = person(self.facts, account);
        broken.user == *account
            || (now.is_some() && (broken.person.as_ref() == now || person(self.facts, &broken.user) == now))
    }

    fn is_human_with(&self, who: &ObjectRef, permission: &SmolStr, object: &ObjectRef) -> bool {
        let alone = Ask {
            root: Some(who),
            actor: None,
            delegation: None,
            session: None,
            approval: None,
            permission,
            object,
        };
        !self.facts.is_agent(who) && self.facts.is_human(who) && self.verdict(&alone) == Verdict::Allow
    }
}
