//! The usersets that hold a subject, found from the subject's side: what makes a check through nested groups cost what
//! the subject is in, not what the groups hold.
//!
//! A closure is computed for one query, or for all items of one subject in a bulk check, and dropped with it: it can
//! never be stale.

use crate::edges::Reading;
use crate::graph::Graph;
use crate::ids::{KindId, Ordinal};
use crate::query::QueryError;
use crate::specialised::{Lowered, Specialised};

/// Most usersets in one closure; a subject in more is asked about from the object's side.
const GROUPS_MAX: usize = 1024;

/// The usersets that hold one subject.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    /// By place in `Specialised::closable`; empty when there were too many.
    by_place: Vec<Groups>,
}

/// The objects whose userset of one relation holds the subject; both sorted, disjoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    /// By plain edges alone: certainly.
    pub(crate) definite: Vec<Ordinal>,
    /// By way of some qualified edge that has not expired: if its caveat holds.
    pub(crate) possible: Vec<Ordinal>,
}

impl Closure {
    /// Finds them all: an object missing from a complete closure certainly does not hold the subject.
    pub(crate) fn compute<G: Graph>(
        graph: &G,
        specialised: &Specialised,
        subject: Ordinal,
        reading: &mut Reading<'_>,
    ) -> Result<Closure, QueryError> {
        let by_place = vec![Groups::default(); specialised.closable.len()];
        let mut search = Search { graph, specialised, by_place, open: Vec::new(), len: 0, reading };
        Ok(match search.run(subject)? {
            true => Closure { by_place: search.by_place },
            false => Closure::default(),
        })
    }

    /// The groups of one closable relation; `None` when the closure is too large to be of use.
    pub(crate) fn groups(&self, place: usize) -> Option<&Groups> {
        self.by_place.get(place)
    }
}

struct Search<'a, 'b, G> {
    graph: &'a G,
    specialised: &'a Specialised,
    by_place: Vec<Groups>,
    open: Vec<(usize, Ordinal)>,
    len: usize,
    reading: &'a mut Reading<'b>,
}

impl<G: Graph> Search<'_, '_, G> {
    /// False when there are too many.
    fn run(&mut self, subject: Ordinal) -> Result<bool, QueryError> {
        Ok(self.definite(subject)? && self.possible(subject)?)
    }

    fn definite(&mut self, subject: Ordinal) -> Result<bool, QueryError> {
        for (place, closable) in self.specialised.closable.iter().enumerate() {
            if self.specialised.own == Some(closable.predicate) {
                self.add(place, subject, true);
            }
            for (kind, end) in self.base(place, subject) {
                if !self.add_plain(place, kind, end, true)? {
                    return Ok(false);
                }
            }
        }
        while let Some((place, object)) = self.open.pop() {
            let specialised = self.specialised;
            for (kind, owner) in parents(specialised, place) {
                if !self.add_plain(*owner, *kind, object, true)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What lies behind at least one qualified edge.
    fn possible(&mut self, subject: Ordinal) -> Result<bool, QueryError> {
        let specialised = self.specialised;
        for place in 0..specialised.closable.len() {
            for (kind, end) in self.base(place, subject) {
                if !self.add_qualified(place, kind, end)? {
                    return Ok(false);
                }
            }
            for at in 0.. {
                let Some(object) =
                    self.by_place.get(place).and_then(|groups| groups.definite.get(at)).copied()
                else {
                    break;
                };
                for (kind, owner) in parents(specialised, place) {
                    if !self.add_qualified(*owner, *kind, object)? {
                        return Ok(false);
                    }
                }
            }
        }
        while let Some((place, object)) = self.open.pop() {
            for (kind, owner) in parents(specialised, place) {
                if !self.add_plain(*owner, *kind, object, false)?
                    || !self.add_qualified(*owner, *kind, object)?
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The edges by which the subject itself is in usersets of one relation.
    fn base(&self, place: usize, subject: Ordinal) -> impl Iterator<Item = (KindId, Ordinal)> + use<G> {
        let predicate = self.specialised.closable.get(place).map(|closable| closable.predicate);
        let plan = match predicate.and_then(|predicate| self.specialised.body(predicate)) {
            Some(Lowered::Relation(plan)) => Some(plan),
            _ => None,
        };
        let direct = plan.and_then(|plan| plan.direct).map(|kind| (kind, subject));
        let wildcard = plan.and_then(|plan| plan.wildcard).map(|kind| (kind, Ordinal::WILDCARD));
        direct.into_iter().chain(wildcard)
    }

    fn add_plain(
        &mut self,
        place: usize,
        kind: KindId,
        subject: Ordinal,
        is_definite: bool,
    ) -> Result<bool, QueryError> {
        let resources = self.graph.resources(kind, subject);
        if resources.len() > GROUPS_MAX {
            return Ok(false);
        }
        self.reading.charge_len(resources.len())?;
        let replaced = self.graph.replaced_resources(kind);
        for resource in resources.iter() {
            if !replaced.contains(resource) {
                self.add(place, resource, is_definite);
            }
        }
        Ok(self.len <= GROUPS_MAX)
    }

    fn add_qualified(&mut self, place: usize, kind: KindId, subject: Ordinal) -> Result<bool, QueryError> {
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
                self.add(place, edge.other, false);
            }
        }
        Ok(self.len <= GROUPS_MAX)
    }

    fn add(&mut self, place: usize, object: Ordinal, is_definite: bool) {
        let Some(groups) = self.by_place.get_mut(place) else { return };
        let Err(at) = groups.definite.binary_search(&object) else { return };
        if is_definite {
            groups.definite.insert(at, object);
        } else {
            let Err(at) = groups.possible.binary_search(&object) else { return };
            groups.possible.insert(at, object);
        }
        self.len += 1;
        self.open.push((place, object));
    }
}

fn parents(specialised: &Specialised, place: usize) -> &[(KindId, usize)] {
    specialised.closable.get(place).map_or(&[], |closable| closable.parents.as_slice())
}
