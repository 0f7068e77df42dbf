//! The usersets that hold a subject, found from the subject's side: what makes a check through nested groups cost what
//! the subject is in, not what the groups hold.
//!
//! A closure is computed for one query, or for all items of one subject in a bulk check, and dropped with it: it can
//! never be stale. For a few groups it allocates nothing.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::edges::{Overrun, Reading};
use crate::graph::{Graph, Members};
use crate::ids::{KindId, Ordinal};
use crate::specialised::{Closable, Specialised};

/// Most usersets in one closure; a subject in more is asked about from the object's side.
const GROUPS_MAX: usize = 1024;
/// So many groups are looked through one by one; with more there is a map.
const SCANNED_MAX: usize = 16;

/// The usersets that hold one subject.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    /// In the order found, each once: first those by plain edges alone, then the others.
    groups: SmallVec<[Group; SCANNED_MAX]>,
    /// Where each stands in `groups`, once there are more than `SCANNED_MAX`.
    places: FxHashMap<Group, u32>,
    /// How many of the groups hold the subject by plain edges alone.
    definite: usize,
    is_too_large: bool,
}

/// One userset that holds the subject: certainly, or, past the definite ones, by way of some qualified edge that has not
/// expired, if its caveat holds. One word: the relation's place in `Specialised::closable` above the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group(u64);

impl Group {
    fn new(place: u32, object: Ordinal) -> Group {
        Group(u64::from(place) << 32 | u64::from(object.0))
    }

    fn place(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn object(self) -> Ordinal {
        Ordinal(self.0 as u32)
    }
}

/// How a group holds the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// By plain edges alone: certainly.
    Certainly,
    /// If some caveats hold.
    Possibly,
}

impl Closure {
    /// Finds them all and puts them into an empty closure: an object missing from a complete one certainly does not hold
    /// the subject. After an error the closure says nothing.
    pub(crate) fn fill<G: Graph>(
        &mut self,
        graph: &G,
        specialised: &Specialised,
        subject: Ordinal,
        reading: &mut Reading<'_>,
    ) -> Result<(), Overrun> {
        let mut search = Search { graph, specialised, closure: self, reading };
        let is_complete = search.run(subject)?;
        self.is_too_large = !is_complete;
        Ok(())
    }

    /// Whether it is too large to be of use; what it holds then says nothing.
    pub(crate) fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// How many groups there are, of all relations.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The objects whose userset of a relation holds the subject, and how; the certain ones first.
    pub(crate) fn of(&self, place: u32) -> impl Iterator<Item = (Ordinal, Held)> + '_ {
        let groups = self.groups.iter().enumerate();
        let of = groups.filter(move |(_, group)| group.place() == place);
        of.map(|(at, group)| (group.object(), self.held(at)))
    }

    /// How an object's userset of a relation holds the subject; `None` when it certainly does not.
    pub(crate) fn find(&self, place: u32, object: Ordinal) -> Option<Held> {
        self.position(Group::new(place, object)).map(|at| self.held(at))
    }

    #[inline]
    fn position(&self, group: Group) -> Option<usize> {
        let groups = self.groups.as_slice();
        if groups.len() <= SCANNED_MAX {
            groups.iter().position(|other| *other == group)
        } else {
            self.places.get(&group).map(|at| *at as usize)
        }
    }

    fn held(&self, at: usize) -> Held {
        if at < self.definite { Held::Certainly } else { Held::Possibly }
    }

    /// Adds a group unless it is there.
    #[inline]
    fn add(&mut self, group: Group) {
        if self.groups.len() >= SCANNED_MAX {
            self.add_to_many(group);
        } else if !self.groups.contains(&group) {
            self.groups.push(group);
        }
    }

    #[cold]
    fn add_to_many(&mut self, group: Group) {
        if self.position(group).is_none() {
            self.groups.push(group);
            self.map_last();
        }
    }

    /// Puts the group added last into the map, and with it all others when it is the first too many to look through.
    fn map_last(&mut self) {
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let unmapped = self.places.len();
        for (place, group) in self.groups.iter().enumerate().skip(unmapped) {
            self.places.insert(*group, at(place));
        }
    }
}

struct Search<'a, 'b, G> {
    graph: &'a G,
    specialised: &'a Specialised,
    closure: &'a mut Closure,
    reading: &'a mut Reading<'b>,
}

impl<G: Graph> Search<'_, '_, G> {
    /// False when there are too many.
    fn run(&mut self, subject: Ordinal) -> Result<bool, Overrun> {
        if !self.definite(subject)? {
            return Ok(false);
        }
        self.closure.definite = self.closure.groups.len();
        let is_qualified = |kind: &KindId| self.graph.has_qualified(*kind);
        Ok(!self.specialised.closable_kinds.iter().any(is_qualified) || self.possible(subject)?)
    }

    /// What plain edges lead to. A function of its own, so that its inmost loop has the registers.
    #[inline(never)]
    fn definite(&mut self, subject: Ordinal) -> Result<bool, Overrun> {
        let specialised = self.specialised;
        for (place, closable) in (0..).zip(&specialised.closable) {
            if specialised.is_own(closable.predicate) {
                self.closure.add(Group::new(place, subject));
            }
            if let Some(kind) = closable.direct
                && !self.add_plain(place, kind, subject)?
            {
                return Ok(false);
            }
            if let Some(kind) = closable.wildcard
                && !self.add_plain(place, kind, Ordinal::WILDCARD)?
            {
                return Ok(false);
            }
        }
        let (graph, has_replaced) = (self.graph, self.graph.has_replaced());
        // Most groups are in one other or in none; those steps are charged all at once.
        let mut ones = 0;
        let mut at = 0;
        while let Some(group) = self.closure.groups.get(at).copied().filter(|_| at < GROUPS_MAX) {
            at += 1;
            for (kind, owner) in parents(specialised, group.place()) {
                match graph.resources(*kind, group.object()) {
                    Members::Empty => {}
                    Members::One(one) if !has_replaced => {
                        ones += 1;
                        self.closure.add(Group::new(*owner, Ordinal(one)));
                    }
                    others => {
                        if !self.add_members(*owner, *kind, others)? {
                            return Ok(false);
                        }
                    }
                }
            }
        }
        self.reading.charge(ones)?;
        Ok(self.closure.groups.len() <= GROUPS_MAX)
    }

    /// What lies behind at least one qualified edge.
    fn possible(&mut self, subject: Ordinal) -> Result<bool, Overrun> {
        let specialised = self.specialised;
        for (place, closable) in (0..).zip(&specialised.closable) {
            for (kind, end) in base(closable, subject) {
                if !self.add_qualified(place, kind, end)? {
                    return Ok(false);
                }
            }
        }
        let mut at = 0;
        while let Some(group) = self.closure.groups.get(at).copied() {
            let is_definite = at < self.closure.definite;
            at += 1;
            for (kind, owner) in parents(specialised, group.place()) {
                // Plain edges from a definite group lead to definite ones, which are there.
                if !(is_definite || self.add_plain(*owner, *kind, group.object())?)
                    || !self.add_qualified(*owner, *kind, group.object())?
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn add_plain(&mut self, place: u32, kind: KindId, subject: Ordinal) -> Result<bool, Overrun> {
        match self.graph.resources(kind, subject) {
            Members::Empty => Ok(true),
            Members::One(one) if !self.graph.has_replaced() => {
                self.reading.charge(1)?;
                self.closure.add(Group::new(place, Ordinal(one)));
                Ok(self.closure.groups.len() <= GROUPS_MAX)
            }
            others => self.add_members(place, kind, others),
        }
    }

    fn add_members(&mut self, place: u32, kind: KindId, resources: Members<'_>) -> Result<bool, Overrun> {
        let len = resources.len();
        if len > GROUPS_MAX {
            return Ok(false);
        }
        self.reading.charge_len(len)?;
        let replaced = self.graph.replaced_resources(kind);
        for resource in resources.iter().filter(|resource| !replaced.contains(*resource)) {
            self.closure.add(Group::new(place, resource));
        }
        Ok(self.closure.groups.len() <= GROUPS_MAX)
    }

    fn add_qualified(&mut self, place: u32, kind: KindId, subject: Ordinal) -> Result<bool, Overrun> {
        let graph = self.graph;
        if !graph.has_qualified(kind) {
            return Ok(true);
        }
        let edges = graph.qualified_resources(kind, subject);
        if edges.len() > GROUPS_MAX {
            return Ok(false);
        }
        self.reading.charge_len(edges.len())?;
        let replaced = graph.replaced_resources(kind);
        for edge in edges {
            // Not noted as looked at: what a check finds here it looks at again, and what it does not cannot matter.
            let is_live = edge.qualifier.expires_at.is_none_or(|expires_at| expires_at > self.reading.now);
            if is_live && !replaced.contains(edge.other) {
                self.closure.add(Group::new(place, edge.other));
            }
        }
        Ok(self.closure.groups.len() <= GROUPS_MAX)
    }
}

/// The edges by which the subject itself is in usersets of one relation.
fn base(closable: &Closable, subject: Ordinal) -> impl Iterator<Item = (KindId, Ordinal)> + use<> {
    let direct = closable.direct.map(|kind| (kind, subject));
    let wildcard = closable.wildcard.map(|kind| (kind, Ordinal::WILDCARD));
    direct.into_iter().chain(wildcard)
}

fn parents(specialised: &Specialised, place: u32) -> &[(KindId, u32)] {
    specialised.closable.get(place as usize).map_or(&[], |closable| closable.parents.as_slice())
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use pemba_model::text::parse_relationship;
    use pemba_model::{Revision, Timestamp};

    use super::*;
    use crate::query::QueryContext;
    use crate::{SchemaCaveats, Snapshot};

    /// The closure of the user at the end of a chain of groups in one another.
    fn of_chain(len: usize) -> Closure {
        let schema = "definition user {} definition group { relation member: user | group#member }";
        let mut transaction = Snapshot::empty().transaction();
        transaction.set_schema(Arc::new(pemba_schema::compile(schema).unwrap().schema));
        let mut put = |text: &str| transaction.put(&parse_relationship(text).unwrap()).map(|_| ()).unwrap();
        put("group:g0#member@user:u");
        (1..len).for_each(|n| put(&format!("group:g{n}#member@group:g{}#member", n - 1)));
        let snapshot = transaction.finish(Revision(1));
        let (user, specialised) = snapshot.program().find_subject("user", None).unwrap();
        let caveats = SchemaCaveats { schema: snapshot.schema(), request: None };
        let context =
            QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: len as u64 + 1, caveats: &caveats };
        let mut closure = Closure::default();
        let subject = snapshot.ordinal(user, "u").unwrap();
        closure.fill(&snapshot, specialised, subject, &mut Reading::new(&context)).unwrap();
        closure
    }

    #[test]
    fn a_closure_ends_at_its_bound_and_is_complete_below_it() {
        for len in [1, 2, SCANNED_MAX, SCANNED_MAX + 1, SCANNED_MAX + 2, 100, GROUPS_MAX] {
            let closure = of_chain(len);
            assert!(!closure.is_too_large());
            assert_eq!((closure.len(), closure.definite), (len, len));
            assert!((0..len).all(|n| closure.find(0, Ordinal(n as u32)) == Some(Held::Certainly)));
            assert_eq!(closure.find(0, Ordinal(len as u32)), None);
        }
        for len in [GROUPS_MAX + 1, 3 * GROUPS_MAX] {
            let closure = of_chain(len);
            assert!(closure.is_too_large());
            assert!(closure.len() <= GROUPS_MAX + 1, "{}", closure.len());
        }
    }
}
