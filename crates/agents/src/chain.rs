//! Chains: from what a request names to the principals, hops and session behind it.

use std::sync::Arc;

use pemba_model::{ObjectRef, Revision, SmolStr, SubjectRef, Timestamp};
use smallvec::SmallVec;

use crate::book::{Book, Known};
use crate::error::{Reason, Refused};
use crate::id::{ApprovalId, DelegationId, SessionId};
use crate::limits::AgentLimits;
use crate::records::{Delegation, Session, SessionBinding};

/// Most hops that are walked up; above every depth that can be configured.
const WALK_MAX: usize = 256;

/// On whose authority a request acts, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// The root; checked against the delegation where one is named.
    pub root: Option<ObjectRef>,
    /// Who acts, outermost first, to who acts now; checked likewise, whole.
    pub actors: Vec<ObjectRef>,
    /// A principal of which it is only said that it is the root or who acts now.
    pub either_end: Option<ObjectRef>,
    /// The last hop.
    pub delegation: Option<DelegationId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The approval.
    pub approval: Option<ApprovalId>,
}

/// Who presents a request: sessions and approvals are bound to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presenter {
    /// The API client's name.
    pub client: SmolStr,
    /// The SHA-256 thumbprint of the certificate it showed, in lower-case hexadecimal digits.
    pub thumbprint: Option<SmolStr>,
    /// When the session that the request names was used last, as far as memory goes.
    pub session_used_at: Option<Timestamp>,
}

impl Presenter {
    /// Whether this is whom something is bound to.
    pub fn is(&self, binding: &SessionBinding) -> bool {
        match binding {
            SessionBinding::Client(name) => self.client == *name,
            SessionBinding::Thumbprint(thumbprint) => self.thumbprint.as_ref() == Some(thumbprint),
        }
    }

    /// What new sessions and approvals of this client are bound to.
    pub fn binding(&self) -> SessionBinding {
        match &self.thumbprint {
            Some(thumbprint) => SessionBinding::Thumbprint(thumbprint.clone()),
            None => SessionBinding::Client(self.client.clone()),
        }
    }
}

/// One hop of a chain.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Its record.
    pub delegation: Arc<Delegation>,
    /// Who acts by it.
    pub principal: ObjectRef,
}

/// A chain that connects. Whether it is alive is another question.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Whose authority is used.
    pub root: ObjectRef,
    /// The hops, outermost first; empty when the root acts itself.
    pub hops: Vec<Hop>,
    /// The session presented.
    pub session: Option<Arc<Session>>,
    /// Whether a hop before the first one here was forgotten: the chain is dead.
    pub is_cut: bool,
}

impl Chain {
    /// A principal that acts on its own authority, outside any session.
    pub fn of_one(root: ObjectRef) -> Chain {
        Chain { root, hops: Vec::new(), session: None, is_cut: false }
    }

    /// Who acts.
    pub fn actor(&self) -> &ObjectRef {
        self.hops.last().map_or(&self.root, |hop| &hop.principal)
    }

    /// Everyone after the root, to who acts.
    pub fn actors(&self) -> impl Iterator<Item = &ObjectRef> {
        self.hops.iter().map(|hop| &hop.principal)
    }

    /// Everyone.
    pub fn principals(&self) -> impl Iterator<Item = &ObjectRef> {
        std::iter::once(&self.root).chain(self.actors())
    }

    /// Everyone with their records, the root first.
    pub(crate) fn known<'a>(&'a self, book: &'a Book) -> SmallVec<[Known<'a>; 5]> {
        self.principals().map(|principal| book.known(principal)).collect()
    }

    /// The last hop's id.
    pub fn leaf(&self) -> Option<DelegationId> {
        self.hops.last().map(|hop| hop.delegation.id)
    }
}

/// The chain that a claim names; it must connect, and be as the claim says. `at` is the snapshot's revision.
pub fn resolve(book: &Book, claim: &Claim, presenter: &Presenter, at: Revision) -> Result<Chain, Refused> {
    let session = claim.session.map(|id| session_of(book, id, presenter)).transpose()?;
    let leaf = match (claim.delegation, session.as_ref().and_then(|session| session.delegation)) {
        (Some(named), Some(of_session)) if named != of_session => {
            let message = format!("the session is for delegation {of_session}, not for {named}");
            return Err(Refused::new(Reason::SessionMismatch, "session", message));
        }
        (named, of_session) => named.or(of_session),
    };
    let chain = match leaf {
        Some(leaf) => delegated(book, leaf, claim, session)?,
        None => alone(claim, session)?,
    };
    check_claim(&chain, claim)?;
    if let Some(hop) = chain.hops.iter().find(|hop| hop.delegation.created_revision > at.0) {
        let message = format!("{} was made after the snapshot asked for", hop.delegation.id);
        return Err(Refused::new(Reason::DelegationAfterSnapshot, "delegation", message));
    }
    Ok(chain)
}

/// A session, for the client it belongs to.
pub fn session_of(book: &Book, id: SessionId, presenter: &Presenter) -> Result<Arc<Session>, Refused> {
    let session = book.session(id).ok_or_else(|| {
        Refused::new(Reason::SessionNotFound, "session", format!("there is no session {id}"))
    })?;
    if !presenter.is(&session.binding) {
        let message = format!("session {id} belongs to another client than `{}`", presenter.client);
        return Err(Refused::new(Reason::SessionBinding, "session", message));
    }
    Ok(Arc::clone(session))
}

/// A chain of one: the principal's own authority.
fn alone(claim: &Claim, session: Option<Arc<Session>>) -> Result<Chain, Refused> {
    let root = claim
        .root
        .as_ref()
        .or(claim.either_end.as_ref())
        .or(claim.actors.last())
        .or(session.as_ref().map(|session| &session.actor))
        .ok_or_else(|| Refused::new(Reason::MissingValue, "root", "name the root, or a delegation"))?;
    if let Some(other) = claim.actors.iter().find(|actor| *actor != root) {
        let message = format!("`{other}` acts for `{root}`: name the delegation that says so");
        return Err(Refused::new(Reason::ChainNotDelegated, "delegation", message));
    }
    let mut chain = Chain::of_one(root.clone());
    chain.session = session;
    Ok(chain)
}

/// The chain that ends with a delegation.
fn delegated(
    book: &Book,
    leaf: DelegationId,
    claim: &Claim,
    session: Option<Arc<Session>>,
) -> Result<Chain, Refused> {
    let last = book.delegation(leaf).ok_or_else(|| {
        Refused::new(Reason::DelegationNotFound, "delegation", format!("there is no delegation {leaf}"))
    })?;
    let mut principal = match &last.to.relation {
        None => last.to.object.clone(),
        Some(_) => acting(claim, session.as_deref(), &last.to)?,
    };
    let mut hops = Vec::with_capacity(last.depth.min(WALK_MAX as u32) as usize);
    let mut is_cut = false;
    let mut record = last;
    loop {
        hops.push(Hop { delegation: Arc::clone(record), principal });
        let Some(id) = record.parent else { break };
        let before = book.delegation(id).filter(|found| found.root == last.root && hops.len() < WALK_MAX);
        let Some(before) = before else {
            is_cut = true;
            break;
        };
        // Who of a userset acts is who made the hop after.
        principal = if before.to.relation.is_none() { &before.to.object } else { &record.from }.clone();
        record = before;
    }
    hops.reverse();
    Ok(Chain { root: last.root.clone(), hops, session, is_cut })
}

/// Who of a userset acts: the request must say.
fn acting(claim: &Claim, session: Option<&Session>, to: &SubjectRef) -> Result<ObjectRef, Refused> {
    claim
        .actors
        .last()
        .or(session.map(|session| &session.actor))
        .or(claim.either_end.as_ref())
        .cloned()
        .ok_or_else(|| {
            let message = format!("the delegation is to `{to}`: name who of it acts");
            Refused::new(Reason::ChainMismatch, "actors", message)
        })
}

/// Compares a chain with what the claim says about it, position by position.
fn check_claim(chain: &Chain, claim: &Claim) -> Result<(), Refused> {
    let mismatch = |field: &str, message: String| Err(Refused::new(Reason::ChainMismatch, field, message));
    if let Some(root) = claim.root.as_ref().filter(|root| **root != chain.root) {
        return mismatch("root", format!("the delegation is on the authority of another than `{root}`"));
    }
    if !claim.actors.is_empty() && !chain.hops.is_empty() && !chain.actors().eq(&claim.actors) {
        let at = chain.actors().zip(&claim.actors).position(|(is, said)| is != said);
        let field = format!("actors[{}]", at.unwrap_or(chain.hops.len().min(claim.actors.len())));
        return mismatch(&field, "the delegation's chain has other actors".to_owned());
    }
    if let Some(end) = claim.either_end.as_ref()
        && *end != chain.root
        && end != chain.actor()
    {
        return mismatch("subject", format!("`{end}` is neither the root of the chain nor who acts"));
    }
    match &chain.session {
        Some(session) if session.actor != *chain.actor() => {
            let message = format!("the session is for another actor than `{}`", chain.actor());
            Err(Refused::new(Reason::SessionMismatch, "session", message))
        }
        _ => Ok(()),
    }
}

/// Why a hop or a session no longer holds, apart from its principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It was revoked, or closed.
    Ended,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Expired,
    /// It lay unused for too long.
    Idle,
    /// All its uses are used.
    Used,
    /// It holds only in a session that was not presented.
    OutsideSession,
    /// A hop before it is gone.
    Cut,
    /// Its principals do not follow from those before it, or are deeper than allowed.
    Broken,
    /// It was given by or to an earlier incarnation.
    OtherIncarnation,
}

impl Over {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Over::Ended => "ended",
            Over::NotYet => "not_yet",
            Over::Expired => "expired",
            Over::Idle => "idle",
            Over::Used => "used",
            Over::OutsideSession => "outside_session",
            Over::Cut => "cut",
            Over::Broken => "broken",
            Over::OtherIncarnation => "other_incarnation",
        }
    }
}

/// Whether a session is open, and until when by the clock alone.
pub fn session_over(
    session: &Session,
    used_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, (Over, Option<Timestamp>)> {
    if session.closed.is_some() {
        return Err((Over::Ended, None));
    }
    if now >= session.not_after {
        return Err((Over::Expired, None));
    }
    let Some(idle_ms) = session.idle_ms else { return Ok(session.not_after) };
    let used_at = used_at.map_or(session.touched_at, |used_at| used_at.max(session.touched_at));
    let idle_at = used_at.plus_millis(i64::try_from(idle_ms).unwrap_or(i64::MAX));
    if now >= idle_at { Err((Over::Idle, None)) } else { Ok(session.not_after.min(idle_at)) }
}

/// Whether a hop's record holds, in the session presented, and until when by the clock alone.
pub fn delegation_over(
    delegation: &Delegation,
    session: Option<SessionId>,
    now: Timestamp,
) -> Result<Timestamp, (Over, Option<Timestamp>)> {
    if delegation.revoked.is_some() {
        return Err((Over::Ended, None));
    }
    if now < delegation.not_before {
        return Err((Over::NotYet, Some(delegation.not_before)));
    }
    if now >= delegation.not_after {
        return Err((Over::Expired, None));
    }
    if delegation.uses_left == Some(0) {
        return Err((Over::Used, None));
    }
    if delegation.session.is_some() && delegation.session != session {
        return Err((Over::OutsideSession, None));
    }
    Ok(delegation.not_after)
}

/// The incarnation that something given to a principal is for.
pub fn incarnation_of(book: &Book, principal: &ObjectRef) -> u32 {
    book.known(principal).incarnation()
}

/// Whether the hops follow from one another, given everyone with their records: who delegates is who the hop before ends with, nobody is twice in the
/// chain, nobody is deeper than they may be, and no hop is followed by more than it allows.
pub(crate) fn is_connected(limits: &AgentLimits, chain: &Chain, known: &[Known<'_>]) -> bool {
    let mut before = &chain.root;
    for (at, hop) in chain.hops.iter().enumerate() {
        let depth = at + 1;
        let depth_max = known
            .get(depth)
            .and_then(|known| known.agent?.max_depth)
            .unwrap_or(limits.depth_max)
            .min(limits.depth_max);
        let who = &hop.principal;
        // The ids first: types are mostly the same.
        let is_twice = chain
            .principals()
            .take(depth)
            .any(|earlier| earlier.object_id == who.object_id && earlier == who);
        let after = chain.hops.len().saturating_sub(depth);
        let is_deep = depth > depth_max as usize || after > hop.delegation.depth_left as usize;
        if hop.delegation.from != *before || is_twice || is_deep {
            return false;
        }
        before = &hop.principal;
    }
    true
}
