//! Sets of resources, predicate by predicate: for one subject, every object on which it has each predicate.
//!
//! Two planes carry the three values: the resources it has certainly, and those it has at least conditionally. Each is
//! computed by plain set algebra; what an exclusion takes away is read from the other plane.

use std::rc::Rc;

use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::edges::Reading;
use crate::gather::Gather;
use crate::graph::{Graph, Replaced};
use crate::ids::{KindId, Ordinal};
use crate::lookup_recursion::Recursion;
use crate::op::Op;
use crate::program::PredicateId;
use crate::query::{Permissionship, QueryError};
use crate::specialised::{Component, Lowered, RelationPlan, Specialised};

/// Which of the two sets is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    /// What holds certainly.
    Definite,
    /// What holds certainly or conditionally.
    Possible,
}

/// What to do with exclusions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negation {
    /// Take away what they exclude; it must be complete by then.
    Exact,
    /// Take away nothing, so that the possible sets are upper bounds.
    Ignored,
}

impl Plane {
    fn opposite(self) -> Plane {
        match self {
            Plane::Definite => Plane::Possible,
            Plane::Possible => Plane::Definite,
        }
    }

    /// Whether something with this value belongs.
    pub(crate) fn holds(self, value: Permissionship) -> bool {
        match self {
            Plane::Definite => value == Permissionship::Yes,
            Plane::Possible => value >= Permissionship::Conditional,
        }
    }
}

/// So many rows are asked for ahead, before the first of them is read.
const BATCH: usize = 32;

/// What is the same for all edges of a kind.
#[derive(Clone, Copy)]
pub(crate) struct Edges<'a> {
    kind: KindId,
    replaced: Replaced<'a>,
    is_qualified: bool,
}

impl<'a> Edges<'a> {
    /// Of a kind.
    pub(crate) fn of<G: Graph>(graph: &'a G, kind: KindId) -> Edges<'a> {
        let (replaced, is_qualified) = (graph.replaced_resources(kind), graph.has_qualified(kind));
        Edges { kind, replaced, is_qualified }
    }
}

/// The sets computed so far.
pub(crate) struct Sets<'a, 'b, G> {
    pub(crate) graph: &'a G,
    specialised: &'a Specialised,
    subject: Ordinal,
    negation: Negation,
    pub(crate) reading: &'a mut Reading<'b>,
    definite: FxHashMap<PredicateId, Rc<RoaringBitmap>>,
    /// Only where it differs from `definite`.
    possible: FxHashMap<PredicateId, Rc<RoaringBitmap>>,
    empty: Rc<RoaringBitmap>,
}

impl<'a, 'b, G: Graph> Sets<'a, 'b, G> {
    /// No sets yet.
    pub(crate) fn new(
        graph: &'a G,
        specialised: &'a Specialised,
        subject: Ordinal,
        negation: Negation,
        reading: &'a mut Reading<'b>,
    ) -> Sets<'a, 'b, G> {
        Sets {
            graph,
            specialised,
            subject,
            negation,
            reading,
            definite: FxHashMap::default(),
            possible: FxHashMap::default(),
            empty: Rc::default(),
        }
    }

    /// The set of a predicate.
    pub(crate) fn set(&self, plane: Plane, id: PredicateId) -> &Rc<RoaringBitmap> {
        let possible = || self.possible.get(&id).filter(|_| plane == Plane::Possible);
        possible().or_else(|| self.definite.get(&id)).unwrap_or(&self.empty)
    }

    /// The definite and the possible set of a predicate, to keep; no possible one where it is the definite one.
    pub(crate) fn take(&mut self, id: PredicateId) -> (RoaringBitmap, Option<RoaringBitmap>) {
        let definite = self.definite.remove(&id).unwrap_or_default();
        (Rc::unwrap_or_clone(definite), self.possible.remove(&id).map(Rc::unwrap_or_clone))
    }

    /// Computes the sets of a component; those it depends on must be there.
    pub(crate) fn compute(&mut self, component: &Component) -> Result<(), QueryError> {
        // Where nothing is qualified here or below, the planes are one.
        let is_split = self.negation == Negation::Exact && self.is_conditional(component);
        let first = if self.negation == Negation::Exact { Plane::Definite } else { Plane::Possible };
        for (id, set) in self.component(component, first)? {
            self.definite.insert(id, Rc::new(set));
        }
        if is_split {
            for (id, set) in self.component(component, Plane::Possible)? {
                self.possible.insert(id, Rc::new(set));
            }
        }
        Ok(())
    }

    fn component(
        &mut self,
        component: &Component,
        plane: Plane,
    ) -> Result<Vec<(PredicateId, RoaringBitmap)>, QueryError> {
        if component.is_recursive {
            return Recursion::compute(self, &component.predicates, plane);
        }
        component.predicates.iter().map(|id| Ok((*id, self.predicate(*id, plane)?))).collect()
    }

    /// Whether the two planes of a component can differ.
    fn is_conditional(&self, component: &Component) -> bool {
        let qualified = |kind: &KindId| self.graph.has_qualified(*kind);
        component.predicates.iter().any(|id| match self.specialised.body(*id) {
            None => false,
            Some(Lowered::Relation(plan)) => {
                plan.direct.iter().chain(&plan.wildcard).any(qualified)
                    || plan.usersets.iter().any(|userset| {
                        qualified(&userset.kind) || self.possible.contains_key(&userset.target)
                    })
            }
            Some(Lowered::Permission(op)) => {
                let mut differs = false;
                op.each_target(false, &mut |target, _| differs |= self.possible.contains_key(&target));
                op.each_kind(&mut |kind| differs |= qualified(&kind));
                differs
            }
        })
    }

    /// The body of a predicate.
    pub(crate) fn body(&self, id: PredicateId) -> Option<&'a Lowered> {
        self.specialised.body(id)
    }

    /// The resources of a predicate that does not depend on itself.
    fn predicate(&mut self, id: PredicateId, plane: Plane) -> Result<RoaringBitmap, QueryError> {
        let mut set = match self.body(id) {
            None => RoaringBitmap::new(),
            Some(Lowered::Permission(op)) => self.op(op, plane)?,
            Some(Lowered::Relation(plan)) => {
                let mut found = self.relation(plan, plane)?;
                for userset in &plan.usersets {
                    let mut gather = Gather::default();
                    let objects = Rc::clone(self.set(plane, userset.target));
                    self.through(userset.kind, objects.iter(), plane, &mut gather)?;
                    found |= gather.finish();
                }
                found
            }
        };
        set |= self.own(id);
        Ok(set)
    }

    /// The object whose userset of this predicate the subject is.
    pub(crate) fn own(&self, id: PredicateId) -> RoaringBitmap {
        let own = self.specialised.is_own(id).then_some(self.subject.0);
        own.into_iter().collect()
    }

    /// The resources of a relation by the subject's own and by wildcard edges.
    pub(crate) fn relation(
        &mut self,
        plan: &RelationPlan,
        plane: Plane,
    ) -> Result<RoaringBitmap, QueryError> {
        let graph = self.graph;
        let mut gather = Gather::default();
        if let Some(kind) = plan.direct {
            self.behind(Edges::of(graph, kind), self.subject, plane, &mut gather)?;
        }
        if let Some(kind) = plan.wildcard {
            self.behind(Edges::of(graph, kind), Ordinal::WILDCARD, plane, &mut gather)?;
        }
        Ok(gather.finish())
    }

    /// The resources of one object's edges of a kind.
    pub(crate) fn behind(
        &mut self,
        edges: Edges<'a>,
        object: Ordinal,
        plane: Plane,
        gather: &mut Gather,
    ) -> Result<(), QueryError> {
        let Edges { kind, replaced, is_qualified } = edges;
        let plain = self.graph.resources(kind, object);
        self.reading.charge_len(plain.len() + 1)?;
        if replaced.is_empty() {
            gather.add(plain);
        } else {
            plain.iter().filter(|one| !replaced.contains(*one)).for_each(|one| gather.add_one(one));
        }
        if is_qualified {
            let edges = self.graph.qualified_resources(kind, object).iter();
            for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
                self.reading.charge(1)?;
                if plane.holds(self.reading.state(&edge.qualifier)?.value()) {
                    gather.add_one(edge.other);
                }
            }
        }
        Ok(())
    }

    /// The resources of many objects' edges of a kind.
    pub(crate) fn through(
        &mut self,
        kind: KindId,
        mut objects: impl Iterator<Item = u32>,
        plane: Plane,
        gather: &mut Gather,
    ) -> Result<(), QueryError> {
        let edges = Edges::of(self.graph, kind);
        loop {
            let batch: SmallVec<[Ordinal; BATCH]> = objects.by_ref().take(BATCH).map(Ordinal).collect();
            if batch.is_empty() {
                return Ok(());
            }
            batch.iter().for_each(|object| self.graph.prefetch_resources(kind, *object));
            batch.iter().try_for_each(|object| self.behind(edges, *object, plane, gather))?;
        }
    }

    /// The resources of an expression that reads only complete sets.
    pub(crate) fn op(&mut self, op: &Op, plane: Plane) -> Result<RoaringBitmap, QueryError> {
        self.reading.charge(1)?;
        match op {
            Op::Never => Ok(RoaringBitmap::new()),
            Op::SelfObject => Ok(std::iter::once(self.subject.0).collect()),
            Op::Reference(id) => Ok(RoaringBitmap::clone(self.set(plane, *id))),
            Op::ArrowAny(steps) => {
                let mut gather = Gather::default();
                for (kind, target) in steps {
                    let objects = Rc::clone(self.set(plane, *target));
                    self.through(*kind, objects.iter(), plane, &mut gather)?;
                }
                Ok(gather.finish())
            }
            Op::ArrowAll(steps) => {
                let candidates = self.all_candidates(steps, plane)?;
                let mut found = Vec::new();
                for object in candidates {
                    let sets = |this: &Self, id, other: Ordinal| this.set(plane, id).contains(other.0);
                    if self.has_all(steps, Ordinal(object), plane, &sets)? {
                        found.push(object);
                    }
                }
                Ok(found.into_iter().collect())
            }
            Op::Any(ops) => ops.iter().try_fold(RoaringBitmap::new(), |mut set, op| {
                set |= self.op(op, plane)?;
                Ok(set)
            }),
            Op::All(ops) => {
                let mut set: Option<RoaringBitmap> = None;
                for op in ops {
                    let next = self.op(op, plane)?;
                    let met = set.take().map_or_else(|| next.clone(), |set| set & &next);
                    if met.is_empty() {
                        return Ok(met);
                    }
                    set = Some(met);
                }
                Ok(set.unwrap_or_default())
            }
            Op::Minus(from, without) => {
                let set = self.op(from, plane)?;
                if set.is_empty() {
                    return Ok(set);
                }
                Ok(set - self.excluded(without, plane)?)
            }
        }
    }

    /// What an exclusion takes away from a plane.
    pub(crate) fn excluded(&mut self, without: &Op, plane: Plane) -> Result<RoaringBitmap, QueryError> {
        match self.negation {
            Negation::Exact => {
                if plane == Plane::Possible && self.walks_qualified(without) {
                    // What is excluded only possibly is of no use here, but a caveat that fails on the way to it must
                    // be noticed, and where nothing certain is left nobody else looks.
                    self.op(without, plane)?;
                }
                self.op(without, plane.opposite())
            }
            Negation::Ignored => Ok(RoaringBitmap::new()),
        }
    }

    /// Whether an expression itself walks edges that may be conditional.
    fn walks_qualified(&self, op: &Op) -> bool {
        let mut found = false;
        op.each_kind(&mut |kind| found |= self.graph.has_qualified(kind));
        found
    }

    /// A superset of the resources of `.all`, by what is complete.
    pub(crate) fn all_candidates(
        &mut self,
        steps: &[(KindId, Option<PredicateId>)],
        plane: Plane,
    ) -> Result<RoaringBitmap, QueryError> {
        let mut gather = Gather::default();
        for (kind, target) in steps {
            if let Some(target) = target {
                let objects = Rc::clone(self.set(plane, *target));
                self.through(*kind, objects.iter(), plane, &mut gather)?;
            }
        }
        Ok(gather.finish())
    }

    /// Whether a resource has an edge that has not expired, and every one of those holds and leads to an object with the
    /// target.
    pub(crate) fn has_all(
        &mut self,
        steps: &[(KindId, Option<PredicateId>)],
        resource: Ordinal,
        plane: Plane,
        has: &impl Fn(&Self, PredicateId, Ordinal) -> bool,
    ) -> Result<bool, QueryError> {
        let graph = self.graph;
        let mut exists = false;
        for (kind, target) in steps {
            let has = |this: &Self, other| target.is_some_and(|target| has(this, target, other));
            let replaced = graph.replaced_subjects(*kind);
            for other in graph.subjects(*kind, resource).iter().filter(|other| !replaced.contains(*other)) {
                self.reading.charge(1)?;
                exists = true;
                if !has(self, other) {
                    return Ok(false);
                }
            }
            if !graph.has_qualified(*kind) {
                continue;
            }
            let edges = graph.qualified_subjects(*kind, resource).iter();
            for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
                self.reading.charge(1)?;
                let Some(state) = self.reading.live_state(&edge.qualifier)? else { continue };
                exists = true;
                if !plane.holds(state.value()) || !has(self, edge.other) {
                    return Ok(false);
                }
            }
        }
        Ok(exists)
    }
}
