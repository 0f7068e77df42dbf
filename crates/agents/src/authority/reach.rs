//! Who can touch an object, and on whose authority.

use std::collections::BTreeSet;

use pemba_engine::{Graph, Permissionship};
use pemba_model::{ObjectRef, Timestamp};

use super::check::decide;
use super::decision::{Decision, Outcome};
use super::{Ground, Question};
use crate::book::Book;
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::error::Refused;
use crate::id::DelegationId;
use crate::limits::AgentLimits;
use crate::liveness::liveness;
use crate::records::{KillSelector, SessionBinding, TypeMode};

/// One who can touch an object on another's authority.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The chain.
    pub chain: Chain,
    /// What it may do: `Deny` never occurs.
    pub decision: Decision,
}

/// What becomes of a grant to every subject of a type, since some of them may not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Everyone {
    /// It holds for all but these, ascending.
    But(Vec<ObjectRef>),
    /// It holds for these only, ascending: the type is managed.
    Only(Vec<ObjectRef>),
}

/// Whether a subject may act at all, as a check of it would find.
pub fn may_act(book: &Book, limits: &AgentLimits, subject: &ObjectRef, now: Timestamp) -> bool {
    liveness(book, limits, subject, None, now).not_live.is_none()
}

/// Who of a type a grant to everyone is for.
pub fn everyone(book: &Book, limits: &AgentLimits, subject_type: &str, now: Timestamp) -> Everyone {
    let is_managed = book.type_policy(subject_type).is_some_and(|policy| policy.mode == TypeMode::Managed);
    let mut known: BTreeSet<ObjectRef> = BTreeSet::new();
    let of_type = |object: &&ObjectRef| object.object_type == subject_type;
    known.extend(book.agents().after(None).map(|(principal, _)| principal).filter(of_type).cloned());
    known.extend(book.humans().after(None).map(|(principal, _)| principal).filter(of_type).cloned());
    known.extend(book.kills().filter_map(|kill| match &kill.selector {
        KillSelector::Agent(agent) if agent.object_type == subject_type => Some(agent.clone()),
        _ => None,
    }));
    let (live, dead): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|principal| may_act(book, limits, principal, now));
    if is_managed { Everyone::Only(live) } else { Everyone::But(dead) }
}

/// The chains below a root that can do something to an object: every delegation on its authority that is alive and in
/// scope, those of sessions as of whoever holds the session. After the delegation `after`, at most `count`.
pub fn delegates_of<G: Graph>(
    ground: &Ground<'_, G>,
    root: &ObjectRef,
    question: &Question<'_>,
    after: Option<DelegationId>,
    count: usize,
) -> Result<Vec<Reach>, Refused> {
    let mut found = Vec::new();
    for id in ground.book.delegations_of_root(root, after) {
        if found.len() >= count {
            break;
        }
        found.extend(reach(ground, id, question)?);
    }
    Ok(found)
}

/// What the chain that ends with a delegation may do to an object, if anything. A delegation to a userset stands for
/// whoever of it acts: of those, only one that holds the session is known.
pub fn reach<G: Graph>(
    ground: &Ground<'_, G>,
    id: DelegationId,
    question: &Question<'_>,
) -> Result<Option<Reach>, Refused> {
    let Some(delegation) = ground.book.delegation(id) else { return Ok(None) };
    if delegation.revoked.is_some() || delegation.created_revision > ground.facts.revision.0 {
        return Ok(None);
    }
    let scope = &delegation.scope;
    let in_scope = scope.contains(&ground.facts, question.permission, question.resource, question.values)?;
    if in_scope.permissionship == Permissionship::No {
        return Ok(None);
    }
    let session = delegation.session.and_then(|session| ground.book.session(session));
    let presenter = match session.map(|session| &session.binding) {
        Some(SessionBinding::Client(client)) => {
            Presenter { client: client.clone(), thumbprint: None, session_used_at: None }
        }
        Some(SessionBinding::Thumbprint(thumbprint)) => {
            Presenter { thumbprint: Some(thumbprint.clone()), ..ground.presenter.clone() }
        }
        None => ground.presenter.clone(),
    };
    let claim = Claim {
        delegation: Some(id),
        session: session.map(|session| session.id),
        actors: if delegation.to.relation.is_some() && session.is_none() {
            // Nobody of the userset is named, so nobody can be judged.
            return Ok(None);
        } else {
            Vec::new()
        },
        ..Claim::default()
    };
    let as_holder = Ground { presenter: &presenter, ..*ground };
    let chain = match resolve(ground.book, &claim, &presenter, ground.facts.revision) {
        Ok(chain) => chain,
        // A session of another chain, say: nobody can present this delegation.
        Err(_) => return Ok(None),
    };
    let asked = Question { claim: &claim, ..*question };
    let (decision, _) = decide(&as_holder, &chain, &asked, false)?;
    Ok((decision.outcome != Outcome::Deny).then_some(Reach { chain, decision }))
}
