//! What records say about themselves at an instant, for whoever lists them. Decisions look at more than that.

use pemba_model::{ObjectRef, Revision, Timestamp};

use crate::book::Book;
use crate::chain::{Chain, Claim, Presenter, delegation_over, is_connected, resolve, session_over};
use crate::limits::AgentLimits;
use crate::liveness::liveness;
use crate::records::{Approval, ApprovalState, Delegation};

/// Whether a delegation can be used now by somebody: it and every hop before it hold, in its session if it has one, and
/// everybody named in the chain may act.
pub fn is_alive(book: &Book, limits: &AgentLimits, delegation: &Delegation, now: Timestamp) -> bool {
    let session = delegation.session.and_then(|id| book.session(id));
    if delegation.session.is_some() && session.is_none_or(|session| session_over(session, None, now).is_err())
    {
        return false;
    }
    let claim = Claim {
        delegation: Some(delegation.id),
        // Who of a userset acts is nobody's business here: the userset's object takes the place.
        either_end: Some(delegation.to.object.clone()),
        ..Claim::default()
    };
    match resolve(book, &claim, &Presenter::default(), Revision(u64::MAX)) {
        Ok(chain) => chain_holds(book, limits, &chain, delegation, now),
        Err(_) => false,
    }
}

fn chain_holds(book: &Book, limits: &AgentLimits, chain: &Chain, leaf: &Delegation, now: Timestamp) -> bool {
    if chain.is_cut || !is_connected(limits, chain, &chain.known(book)) {
        return false;
    }
    let may_act = |principal: &ObjectRef, incarnation: u32| {
        liveness(book, limits, book.known(principal), Some(incarnation), now).not_live.is_none()
    };
    // A userset of an agent that is not live is nobody's.
    let is_given = |group: &ObjectRef| {
        let known = book.known(group);
        !known.is_agent() || liveness(book, limits, known, None, now).not_live.is_none()
    };
    chain.hops.iter().all(|hop| {
        let record = &hop.delegation;
        let [root, from, to] = record.incarnations;
        delegation_over(record, leaf.session, now).is_ok()
            && may_act(&record.root, root)
            && may_act(&record.from, from)
            && if to == 0 { is_given(&record.to.object) } else { may_act(&hop.principal, to) }
    })
}

/// Whether an approval was neither decided nor used in time.
pub fn is_expired(approval: &Approval, now: Timestamp) -> bool {
    match approval.state {
        ApprovalState::Pending => now >= approval.decide_before,
        ApprovalState::Approved { use_before, .. } => now >= use_before,
        ApprovalState::Denied { .. } | ApprovalState::Cancelled { .. } | ApprovalState::Consumed { .. } => {
            false
        }
    }
}
