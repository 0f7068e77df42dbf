//! The quick way to a decision: about the chain nothing is out of the ordinary, and everything but the root's own authority
//! holds by what the records say themselves.
//!
//! It recognises only that; whatever it does not recognise is evaluated as a whole. So it never has to say why not.

use pemba_engine::{CheckBegun, CheckOpened, Graph};
use pemba_model::{ObjectRef, Timestamp};
use smallvec::SmallVec;

use super::check::decision_of;
use super::conjunct::Limit;
use super::decision::{Decision, Outcome};
use super::{Ground, Question};
use crate::answer::earlier;
use crate::book::{ChainIndex, Link, NONE, Party, Registered, SoughtLink};
use crate::chain::{Claim, session_over};
use crate::error::Refused;
use crate::id::DelegationId;
use crate::liveness::is_selected;
use crate::moment::Facts;
use crate::records::{HumanStatus, Session};

/// Most hops of a chain that is taken this way.
const HOPS_MAX: usize = 8;

/// A chain that holds in all but the root's own authority.
pub(super) struct Plain<'a, G> {
    /// The check of that, which is under way.
    begun: CheckBegun<'a, G>,
    /// Until when, by the clock alone.
    until: Timestamp,
}

impl<G: Graph> Plain<'_, G> {
    /// The decision, which the root's own authority makes.
    pub(super) fn decide(self, ground: &Ground<'_, G>, question: &Question<'_>) -> Result<Decision, Refused> {
        let Plain { begun, until } = self;
        let root = begun.subject();
        let mut answer = ground.judged_for_root().finish(begun, question.permission, question.values)?;
        answer.valid_until = earlier(answer.valid_until, Some(until));
        let mut decision = decision_of(answer, None, Vec::new());
        if decision.outcome != Outcome::Allow {
            decision.limit = Some(Limit::Root(root.object.clone()));
        }
        Ok(decision)
    }
}

/// The chain that a claim names, if it is as the claim says and plainly holds.
pub(super) fn claimed<'a, G: Graph>(ground: &Ground<'a, G>, question: &Question<'a>) -> Option<Plain<'a, G>> {
    let claim = question.claim;
    if claim.delegation.is_none() && claim.session.is_none() {
        return None;
    }
    let opened = open(ground, question)?;
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
    plain(ground, opened, claim.delegation.or(of_session)?, session, question)
}

/// The chain that ends with a delegation, in a session, if it is as the claim says and plainly holds.
pub(super) fn resolved<'a, G: Graph>(
    ground: &Ground<'a, G>,
    leaf: DelegationId,
    session: Option<&Session>,
    question: &Question<'a>,
) -> Option<Plain<'a, G>> {
    plain(ground, open(ground, question)?, leaf, session, question)
}

/// Begins the check of the root's own authority, unless the question is out of the ordinary.
fn open<'a, G: Graph>(ground: &Ground<'a, G>, question: &Question<'a>) -> Option<CheckOpened<'a, G>> {
    let (resource, permission) = (question.resource, question.permission);
    let is_plain = question.claim.approval.is_none()
        && ground.book.approval_policy(&resource.object_type, permission).is_none();
    let Facts { graph, program, .. } = ground.seen;
    if is_plain { CheckOpened::new(graph, program, resource, permission).ok() } else { None }
}

/// What is waited for is asked for early, and in between is done what needs none of it.
fn plain<'a, G: Graph>(
    ground: &Ground<'a, G>,
    opened: CheckOpened<'a, G>,
    leaf: DelegationId,
    session: Option<&Session>,
    question: &Question<'_>,
) -> Option<Plain<'a, G>> {
    let index = ground.book.chain_index();
    let sought = index.seek_link(leaf)?;
    let root = index.subject(sought.root).filter(|root| root.relation.is_none())?;
    let mut begun = opened.by(root).ok()?;
    let hops = hops(index, sought)?;
    begun.advance();
    let mut walk = Walk { ground, index, question, until: Timestamp::MAX, scope: NONE, sponsor: NONE };
    walk.up(&hops, sought.root)?;
    begun.advance();
    if let Some(session) = session {
        walk.session(hops.first()?.link, session)?;
    }
    is_as_claimed(index, question.claim, &root.object, &hops)?;
    Some(Plain { begun, until: walk.until })
}

/// A hop, and whom it is to.
#[derive(Clone, Copy)]
struct Hop<'a> {
    link: &'a Link,
    to: &'a Party,
}

/// A chain's hops, the last first.
type Hops<'a> = SmallVec<[Hop<'a>; HOPS_MAX]>;

/// Every hop from the one sought up, not looked at yet but for what comes before it.
fn hops(index: &ChainIndex, sought: SoughtLink) -> Option<Hops<'_>> {
    let mut hops = Hops::new();
    let mut link = index.found_link(sought)?;
    loop {
        hops.push(Hop { link, to: index.ask_party(link.to)? });
        if link.parent == NONE {
            return Some(hops);
        }
        if hops.len() >= HOPS_MAX {
            return None;
        }
        link = index.link(link.parent)?;
    }
}

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

impl<G: Graph> Walk<'_, '_, G> {
    /// The root, and every hop from the last up.
    fn up(&mut self, hops: &[Hop<'_>], root: u32) -> Option<()> {
        let root_incarnation = hops.first()?.link.root_incarnation;
        self.party(root, self.index.party(root)?, root_incarnation)?;
        // Most hops that everybody allows.
        let mut hops_max = self.ground.limits.depth_max as usize;
        for (after, Hop { link, to }) in hops.iter().enumerate() {
            self.link(link)?;
            let depth_max = self.party(link.to, to, link.to_incarnation)?;
            hops_max = hops_max.min((depth_max as usize).saturating_add(after));
            // Who made it: whom the hop before is to, or the root.
            let from = match hops.get(after + 1) {
                Some(Hop { link: before, .. }) => (before.to, before.to_incarnation),
                None => (root, link.from_incarnation),
            };
            let is_broken = link.root != root
                || link.root_incarnation != root_incarnation
                || link.to == root
                || hops.iter().take(after).any(|other| other.link.to == link.to)
                || (link.from, link.from_incarnation) != from;
            if is_broken || after > link.depth_left as usize {
                return None;
            }
        }
        (hops.len() <= hops_max).then_some(())
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
    fn party(&mut self, number: u32, party: &Party, incarnation: u32) -> Option<u32> {
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
fn is_as_claimed(index: &ChainIndex, claim: &Claim, root: &ObjectRef, hops: &[Hop<'_>]) -> Option<()> {
    let mut actors = hops.iter().rev().map(|hop| index.subject(hop.link.to).map(|subject| &subject.object));
    let is_root = claim.root.as_ref().is_none_or(|said| said == root);
    let are_actors = claim.actors.is_empty() || actors.clone().eq(claim.actors.iter().map(Some));
    let is_end = match &claim.either_end {
        Some(end) => end == root || actors.next_back() == Some(Some(end)),
        None => true,
    };
    (is_root && are_actors && is_end).then_some(())
}
