//! Who can touch an object, and on whose authority.

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
use crate::records::SessionBinding;

/// One who can touch an object on another's authority.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The chain.
    pub chain: Chain,
    /// What it may do: `Deny` never occurs.
    pub decision: Decision,
}

/// Whether a subject may act at all, as a check of it would find.
pub fn may_act(book: &Book, limits: &AgentLimits, subject: &ObjectRef, now: Timestamp) -> bool {
    liveness(book, limits, book.known(subject), None, now).not_live.is_none()
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
            let client = ground.presenter.client.clone();
            Presenter { client, thumbprint: Some(thumbprint.clone()), session_used_at: None }
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
