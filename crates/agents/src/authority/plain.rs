//! The quick way to a decision: about the chain nothing is out of the ordinary, and everything but the root's own authority
//! holds by what the records say themselves.
//!
//! It recognises only that; whatever it does not recognise is evaluated as a whole. So it never has to say why not.

use pemba_engine::Graph;
use pemba_model::{ObjectRef, SubjectRef, Timestamp};
use smallvec::SmallVec;

use super::check::decision_of;
use super::conjunct::Limit;
use super::decision::{Decision, Outcome};
use super::{Ground, Question};
use crate::answer::earlier;
use crate::book::{ChainIndex, Link, NONE, Registered};
use crate::chain::{Claim, session_over};
use crate::error::Refused;
use crate::id::DelegationId;
use crate::liveness::is_selected;
use crate::records::{HumanStatus, Session};

/// Most hops of a chain that is taken this way.
const HOPS_MAX: usize = 8;

/// A chain that holds in all but the root's own authority.
pub(super) struct Plain<'a> {
    root: &'a SubjectRef,
    /// Until when, by the clock alone.
    until: Timestamp,
}

impl Plain<'_> {
    /// The decision, which the root's own authority makes.
    pub(super) fn decide<G: Graph>(
        &self,
        ground: &Ground<'_, G>,
        question: &Question<'_>,
    ) -> Result<Decision, Refused> {
        let Question { resource, permission, values, .. } = *question;
        let mut answer = ground.judged_for_root().check(resource, permission, self.root, values)?;
        answer.valid_until = earlier(answer.valid_until, Some(self.until));
        let mut decision = decision_of(answer, None, Vec::new());
        if decision.outcome != Outcome::Allow {
            decision.limit = Some(Limit::Root(self.root.object.clone()));
        }
        Ok(decision)
    }
}

/// The chain that a claim names, if it is as the claim says and plainly holds.
pub(super) fn claimed<'a, G: Graph>(ground: &Ground<'a, G>, question: &Question<'_>) -> Option<Plain<'a>> {
    let claim = question.claim;
    let session = match claim.session {
        Some(id) => Some(&**ground.book.session(id)?),
        None => None,
    };
    let of_session = session.and_then(|session| session.delegation);
    if session.is_some_and(|session| !ground.presenter.is(&session.binding))
        || (claim.delegation.is_some() && of_session.is_some() && claim.delegation != of_session)
    {
        return None;
    }
    plain(ground, claim.delegation.or(of_session)?, session, question)
}

/// The chain that ends with a delegation, in a session, if it is as the claim says and plainly holds.
pub(super) fn plain<'a, G: Graph>(
    ground: &Ground<'a, G>,
    leaf: DelegationId,
    session: Option<&Session>,
    question: &Question<'_>,
) -> Option<Plain<'a>> {
    let (book, resource) = (ground.book, question.resource);
    if question.claim.approval.is_some()
        || book.approval_policy(&resource.object_type, question.permission).is_some()
    {
        return None;
    }
    let index = book.chain_index();
    let mut walk = Walk { ground, index, question, until: Timestamp::MAX, scope: NONE, sponsor: NONE };
    let (last, root_number) = index.link_of(leaf)?;
    let root = index.subject(root_number)?;
    if root.relation.is_some() {
        return None;
    }
    let actors = walk.up(last, root_number)?;
    if let Some(session) = session {
        walk.session(last, session)?;
    }
    is_as_claimed(index, question.claim, &root.object, &actors)?;
    Some(Plain { root, until: walk.until })
}

/// Who acts, by number, innermost first.
type Actors = SmallVec<[u32; HOPS_MAX]>;

/// What was found on the way up a chain. Every step ends the walk where something does not plainly hold.
struct Walk<'a, 'b, G: Graph> {
    ground: &'b Ground<'a, G>,
    index: &'a ChainIndex,
    question: &'b Question<'b>,
    until: Timestamp,
    /// The scope and the sponsor looked at last: mostly they are the same all along.
    scope: u32,
    sponsor: u32,
}

impl<'a, G: Graph> Walk<'a, '_, G> {
    /// The root, and every hop from the last up. Little of it waits for what is asked before, so that the processor can
    /// fetch the memory of many at once.
    fn up(&mut self, last: &'a Link, root: u32) -> Option<Actors> {
        self.party(root, last.root_incarnation)?;
        let mut actors = Actors::new();
        // Most hops that everybody allows.
        let mut hops_max = (self.ground.limits.depth_max as usize).min(HOPS_MAX);
        let mut link = last;
        loop {
            self.link(link)?;
            let after = actors.len();
            let depth_max = self.party(link.to, link.to_incarnation)?;
            hops_max = hops_max.min((depth_max as usize).saturating_add(after));
            let is_broken = link.root != root
                || link.root_incarnation != last.root_incarnation
                || link.to == root
                || actors.contains(&link.to);
            if is_broken || after > link.depth_left as usize || after >= hops_max {
                return None;
            }
            actors.push(link.to);
            if link.parent == NONE {
                break;
            }
            let before = self.index.link(link.parent)?;
            if link.from != before.to || link.from_incarnation != before.to_incarnation {
                return None;
            }
            link = before;
        }
        let holds = link.from == root && actors.len() <= hops_max;
        holds.then_some(actors)
    }

    /// One hop's record.
    fn link(&mut self, link: &Link) -> Option<()> {
        let facts = &self.ground.facts;
        let is_there = link.is_plain && link.created_revision <= facts.revision.0;
        if !is_there || facts.now < link.not_before || facts.now >= link.not_after {
            return None;
        }
        self.until = self.until.min(link.not_after);
        self.scope(link.scope)
    }

    /// One principal, to whom something was given as this incarnation; how deep it may be.
    fn party(&mut self, number: u32, incarnation: u32) -> Option<u32> {
        let party = self.index.party(number)?;
        if party.kills > 0 || party.incarnation != incarnation || self.is_selected(number) {
            return None;
        }
        match party.registered {
            Registered::Plainly => {
                let now = self.ground.facts.now;
                if now < party.not_before || now >= party.until {
                    return None;
                }
                self.until = self.until.min(party.until);
                self.sponsor(party.sponsor)?;
                if party.ceiling != NONE {
                    self.scope(party.ceiling)?;
                }
                Some(party.max_depth)
            }
            Registered::No if !self.index.type_of(party)?.is_agent => {
                self.is_live_human(number).then_some(u32::MAX)
            }
            _ => None,
        }
    }

    /// Whether a switch for more than one principal selects this one.
    fn is_selected(&self, number: u32) -> bool {
        let (book, index) = (self.ground.book, self.index);
        index.has_broad_kills()
            && index.subject(number).is_none_or(|subject| is_selected(book, book.known(&subject.object)))
    }

    fn sponsor(&mut self, number: u32) -> Option<()> {
        if number == self.sponsor {
            return Some(());
        }
        self.sponsor = number;
        self.is_live_human(number).then_some(())
    }

    /// Whether somebody who is no registered agent, or is asked about as a sponsor, still counts.
    fn is_live_human(&self, number: u32) -> bool {
        let Some(party) = self.index.party(number) else { return false };
        match party.human {
            Some(status) => status == HumanStatus::Active,
            None => self.index.type_of(party).is_some_and(|of| !of.is_managed),
        }
    }

    fn scope(&mut self, number: u32) -> Option<()> {
        if number == self.scope {
            return Some(());
        }
        self.scope = number;
        let scope = self.index.scope(number)?;
        scope.surely_contains(self.question.permission, self.question.resource).then_some(())
    }

    fn session(&mut self, last: &Link, session: &Session) -> Option<()> {
        let (presenter, now) = (self.ground.presenter, self.ground.facts.now);
        let actor = &self.index.subject(last.to)?.object;
        if session.incarnation != last.to_incarnation || session.actor != *actor {
            return None;
        }
        let until = session_over(session, presenter.session_used_at, now).ok()?;
        self.until = self.until.min(until);
        let (permission, resource) = (self.question.permission, self.question.resource);
        let is_within =
            session.scope.as_ref().is_none_or(|scope| scope.surely_contains(permission, resource));
        is_within.then_some(())
    }
}

/// Whether a claim says of a chain what is so.
fn is_as_claimed(index: &ChainIndex, claim: &Claim, root: &ObjectRef, actors: &[u32]) -> Option<()> {
    let named = |number: &u32| index.subject(*number).map(|subject| &subject.object);
    let mut actors = actors.iter().rev().map(named);
    let is_root = claim.root.as_ref().is_none_or(|said| said == root);
    let are_actors = claim.actors.is_empty() || actors.clone().eq(claim.actors.iter().map(Some));
    let is_end = match &claim.either_end {
        Some(end) => end == root || actors.next_back() == Some(Some(end)),
        None => true,
    };
    (is_root && are_actors && is_end).then_some(())
}
