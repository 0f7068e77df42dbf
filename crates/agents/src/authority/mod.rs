//! What a chain may do: the root's own authority, and every conjunct on top of it.
//!
//! Relationships are read at the snapshot the question is about. Who is live, what is revoked, closed, expired or
//! approved is read in the newest book with the server's time, whatever snapshot was asked for. Scopes are read in the
//! newest book too: they only ever narrow, and a narrowing is a revocation in part.

mod approvals;
mod check;
mod conjunct;
mod decision;
mod evaluation;
mod explain;
mod gates;
mod glass;
mod lookup;
mod person;
mod plain;
mod reach;

pub use approvals::{ActionHash, action_hash, eligible};
pub(crate) use approvals::{applies, grant_hash, has_quorum, hexadecimal, is_same_voter, may_by_itself};
pub use check::{check, check_whole, decide, is_plain};
pub use conjunct::{Limit, Part};
pub use decision::{Decision, Outcome};
pub use explain::{Explanation, Step, explain};
pub(crate) use glass::{is_by, is_imposed, may_break, unreviewed};
pub use lookup::{Reachable, at_most, lookup_resources};
pub(crate) use person::{is_one_person, person_of};
pub use reach::{Reach, may_act, reach};

use pemba_engine::{Graph, Snapshot};
use pemba_model::{Context, ObjectRef};
use smallvec::SmallVec;

use crate::book::{Book, Known};
use crate::chain::{Chain, Claim, Presenter};
use crate::judged::Judged;
use crate::limits::AgentLimits;
use crate::moment::Facts;

/// What every question is asked against.
#[derive(Debug)]
pub struct Ground<'a, G: Graph = Snapshot> {
    /// The relationships at the revision asked for. Scopes, approvers and usersets as delegates are decided here.
    pub facts: Facts<'a, Snapshot>,
    /// The relationships at the head: whether who approved may still approve is decided here.
    pub head: Facts<'a, Snapshot>,
    /// The same as `facts` with what the request and its session bring along: the root's authority is decided here.
    pub seen: Facts<'a, G>,
    /// The newest book.
    pub book: &'a Book,
    /// The bounds.
    pub limits: &'a AgentLimits,
    /// Who asks.
    pub presenter: &'a Presenter,
}

impl<G: Graph> Clone for Ground<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<G: Graph> Copy for Ground<'_, G> {}

impl<'a, G: Graph> Ground<'a, G> {
    /// The same ground with what is brought along already in other edges.
    pub fn over<'b, H: Graph>(&self, seen: Facts<'b, H>) -> Ground<'b, H>
    where
        'a: 'b,
    {
        let Ground { facts, head, book, limits, presenter, .. } = *self;
        Ground { facts, head, seen, book, limits, presenter }
    }

    /// The relationships as they count for everything but the root's authority.
    fn judged(&self) -> Judged<'a, Snapshot> {
        self.facts.judged(self.book, self.limits)
    }

    /// The relationships as they count for the root's authority.
    fn judged_for_root(&self) -> Judged<'a, G> {
        self.seen.judged(self.book, self.limits)
    }

    /// The ground at the head, without what a request or its session brings along.
    fn at_head(&self) -> Ground<'a> {
        Ground { facts: self.head, ..self.over(self.head) }
    }
}

/// A question about one object.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// On whose authority.
    pub claim: &'a Claim,
    /// The permission or relation.
    pub permission: &'a str,
    /// The object.
    pub resource: &'a ObjectRef,
    /// Values for caveats, and those an approval is bound to.
    pub values: Option<&'a Context>,
}

/// What one evaluation works on.
struct Case<'a, G: Graph> {
    ground: Ground<'a, G>,
    chain: &'a Chain,
    /// Everyone in the chain, the root first.
    known: SmallVec<[Known<'a>; 5]>,
    permission: &'a str,
    values: Option<&'a Context>,
}

impl<'a, G: Graph> Case<'a, G> {
    fn new(
        ground: &Ground<'a, G>,
        chain: &'a Chain,
        permission: &'a str,
        values: Option<&'a Context>,
    ) -> Case<'a, G> {
        Case { ground: *ground, chain, known: chain.known(ground.book), permission, values }
    }
}
