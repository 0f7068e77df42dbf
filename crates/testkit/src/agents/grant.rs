//! Whether somebody may grant something inside a session.

use pemba_model::{ObjectRef, Relationship, Timestamp};

use super::bounds::reaches;
use super::facts::{Mode, Session};
use super::judge::{Ask, Judge, Verdict, principals};

/// A grant of a relationship that the schema allows.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// The session.
    pub session: u128,
    /// Who grants.
    pub grantor: &'a ObjectRef,
    /// What, without an end.
    pub relationship: &'a Relationship,
    /// Its end; `None` is the session's, or what was approved.
    pub until: Option<Timestamp>,
    /// The approval.
    pub approval: Option<u128>,
}

impl Judge<'_> {
    /// Whether it may be done.
    pub fn may_grant(&self, grant: &Grant<'_>) -> bool {
        let Some(session) = self.facts.sessions.iter().find(|one| one.id == grant.session) else {
            return false;
        };
        let now = self.facts.now;
        let everybody = self.everybody(session);
        let (first, last) = (everybody.first(), everybody.last());
        let resource = &grant.relationship.resource;
        let ceiling = self.facts.agent(&session.actor).and_then(|agent| agent.ceiling.as_ref());
        let subject = &grant.relationship.subject;
        !session.is_closed
            && now < session.not_after
            && grant.until.is_none_or(|until| now < until && until <= session.not_after)
            && subject.relation.is_none()
            && (Some(&subject.object) == first || Some(&subject.object) == last)
            && ceiling.is_none_or(|ceiling| reaches(ceiling, resource, self.live))
            && match grant.approval {
                Some(id) => self.is_approved(grant, id, &everybody),
                None => self.has_right(grant),
            }
    }

    fn everybody(&self, session: &Session) -> Vec<ObjectRef> {
        let hops = self.hops(session.delegation).unwrap_or_default();
        let ask = Ask {
            root: None,
            actor: None,
            delegation: session.delegation,
            session: Some(session.id),
            approval: None,
            permission: "",
            object: &session.actor,
        };
        principals(&ask, Some(session), &hops)
    }

    fn has_right(&self, grant: &Grant<'_>) -> bool {
        let Relationship { resource, relation, .. } = grant.relationship;
        let right = self
            .facts
            .grant_rights
            .iter()
            .find(|right| right.resource_type == resource.object_type && right.relation == *relation);
        right.is_some_and(|right| {
            let alone = Ask {
                root: Some(grant.grantor),
                actor: None,
                delegation: None,
                session: None,
                approval: None,
                permission: &right.permission,
                object: resource,
            };
            self.verdict(&alone) == Verdict::Allow
        })
    }

    /// The approval is of this session, grantor and relationship, and no shorter than what is wanted.
    fn is_approved(&self, grant: &Grant<'_>, id: u128, everybody: &[ObjectRef]) -> bool {
        let Relationship { resource, relation, .. } = grant.relationship;
        let approval = self.facts.approvals.iter().find(|one| one.id == id);
        let policy = self.facts.policies.iter().find(|policy| {
            policy.of_grants
                && policy.resource_type == resource.object_type
                && policy.permission == *relation
                && (!policy.agents_only || everybody.iter().any(|who| self.facts.is_agent(who)))
        });
        let (Some(approval), Some(policy)) = (approval, policy) else { return false };
        let Some((session, grantor, relationship)) = &approval.grant else { return false };
        *session == grant.session
            && grantor == grant.grantor
            && Relationship { expires_at: None, ..relationship.clone() } == *grant.relationship
            && grant.until.is_none_or(|until| Some(until) <= relationship.expires_at)
            && self.facts.is_alive(grantor, None)
            && !self.facts.is_under(grantor, Mode::DenyWrite)
            && self.is_given(resource, policy, approval, everybody)
    }
}
