//! Who must approve, and whether they have.

use pemba_model::{ObjectRef, SmolStr};

use super::facts::{Approval, Distinct, Facts, Policy, Vote};
use super::judge::{Ask, Judge, Verdict};

impl Judge<'_> {
    /// The policy about a permission.
    pub(super) fn policy(&self, ask: &Ask<'_>) -> Option<&Policy> {
        self.facts.policies.iter().find(|policy| {
            !policy.of_grants
                && policy.resource_type == ask.object.object_type
                && policy.permission == ask.permission
        })
    }

    /// The approval that lets the action through, if it does.
    pub(super) fn approval(
        &self,
        ask: &Ask<'_>,
        policy: &Policy,
        principals: &[ObjectRef],
        must: bool,
    ) -> Option<&Approval> {
        let approval = self.facts.approvals.iter().find(|one| Some(one.id) == ask.approval)?;
        let is_given = match &approval.glass {
            None => self.is_given(ask.object, policy, approval, principals),
            Some((user, version)) => {
                !must
                    && self.is_usable(policy, approval)
                    && self.may_break(ask.object, ask.permission, user, Some(*version))
            }
        };
        is_given.then_some(approval)
    }

    fn is_usable(&self, policy: &Policy, approval: &Approval) -> bool {
        approval.policy_version == policy.version
            && approval.use_before.is_some_and(|end| self.facts.now < end)
            && approval.uses_left != Some(0)
    }

    /// Whether an approval was given under a policy, can be used, and those who gave it still may.
    pub(super) fn is_given(
        &self,
        object: &ObjectRef,
        policy: &Policy,
        approval: &Approval,
        principals: &[ObjectRef],
    ) -> bool {
        let is_given = approval.glass.is_none() && self.is_usable(policy, approval);
        let mut counted: Vec<&Vote> = Vec::new();
        for vote in approval.votes.iter().filter(|vote| vote.approves) {
            let is_new = counted.iter().all(|other| !is_one_person(self.facts, other, vote));
            if is_new && self.may_approve(object, policy, approval, principals, &vote.approver) {
                counted.push(vote);
            }
        }
        is_given && counted.len() >= policy.quorum
    }

    /// Only humans, nobody of the chain, nobody set apart; and they must have the permission themselves.
    fn may_approve(
        &self,
        object: &ObjectRef,
        policy: &Policy,
        approval: &Approval,
        principals: &[ObjectRef],
        approver: &ObjectRef,
    ) -> bool {
        let is_same = |other: &ObjectRef| {
            other == approver
                || person(self.facts, other).is_some_and(|name| person(self.facts, approver) == Some(name))
        };
        let is_apart = |distinct: &Distinct| match distinct {
            Distinct::Requester => approval.requester.iter().all(|other| !is_same(other)),
            Distinct::Sponsor => principals
                .iter()
                .filter_map(|one| self.facts.agent(one))
                .all(|agent| agent.sponsors.iter().all(|sponsor| !is_same(sponsor))),
        };
        let alone = Ask {
            root: Some(approver),
            permission: &policy.approver_permission,
            object,
            actor: None,
            delegation: None,
            session: None,
            approval: None,
        };
        !self.facts.is_agent(approver)
            && self.facts.is_human(approver)
            && principals.iter().all(|other| !is_same(other))
            && policy.distinct.iter().all(is_apart)
            && approval.grant.iter().all(|(_, grantor, _)| !is_same(grantor))
            && self.verdict(&alone) == Verdict::Allow
    }
}

pub(super) fn person<'a>(facts: &'a Facts, account: &ObjectRef) -> Option<&'a SmolStr> {
    facts.human(account).and_then(|human| human.person.as_ref())
}

/// Whether two votes are one person's, as known when they were cast or as known now.
fn is_one_person(facts: &Facts, one: &Vote, other: &Vote) -> bool {
    let now = person(facts, &other.approver);
    one.approver == other.approver
        || (now.is_some() && (one.person.as_ref() == now || person(facts, &one.approver) == now))
}
