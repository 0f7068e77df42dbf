//! Sets of resources of predicates that depend on one another: a least fixpoint in which only what is new is carried
//! on, so that a chain of any length costs what it holds.

use std::collections::VecDeque;

use roaring::RoaringBitmap;

use crate::gather::Gather;
use crate::graph::Graph;
use crate::ids::{KindId, Ordinal};
use crate::lookup_sets::{Plane, Sets};
use crate::op::Op;
use crate::program::PredicateId;
use crate::query::QueryError;
use crate::specialised::{Lowered, RelationPlan};

/// One fixpoint.
pub(crate) struct Recursion<'s, 'a, 'b, G> {
    sets: &'s mut Sets<'a, 'b, G>,
    plane: Plane,
    predicates: &'s [PredicateId],
    nodes: Vec<Node<'a>>,
    /// By place in `predicates`: the node that holds its set.
    roots: Vec<usize>,
    /// By place in `predicates`: the nodes that read it, and how.
    readers: Vec<Vec<(usize, Via)>>,
    /// What is new of a predicate, still to be carried to its readers.
    fresh: VecDeque<(usize, Vec<u32>)>,
    /// What the leaves begin with.
    seeds: Vec<(usize, RoaringBitmap)>,
}

/// A part of a predicate's expression, with what it holds so far.
struct Node<'a> {
    parent: Option<usize>,
    part: Part<'a>,
    found: RoaringBitmap,
}

enum Part<'a> {
    /// The whole of a predicate, by its place.
    Root(usize),
    /// Any child.
    Any,
    /// Every child.
    All(Vec<usize>),
    /// The child without these.
    Minus(RoaringBitmap),
    /// Reads predicates or begins with something.
    Leaf,
    /// Reads predicates by `.all`.
    ArrowAll(&'a [(KindId, Option<PredicateId>)]),
}

/// How a leaf reads a predicate.
#[derive(Debug, Clone, Copy)]
enum Via {
    /// Of the same object.
    Same,
    /// Of the objects that an edge leads to.
    Edge(KindId),
    /// The same, but every edge must.
    AllEdges(KindId),
}

impl<'s, 'a, 'b, G: Graph> Recursion<'s, 'a, 'b, G> {
    /// The sets of the predicates of a component. Exclusions in it must read complete sets only.
    pub(crate) fn compute(
        sets: &'s mut Sets<'a, 'b, G>,
        predicates: &'s [PredicateId],
        plane: Plane,
    ) -> Result<Vec<(PredicateId, RoaringBitmap)>, QueryError> {
        let mut run = Recursion {
            sets,
            plane,
            predicates,
            nodes: Vec::new(),
            roots: Vec::new(),
            readers: vec![Vec::new(); predicates.len()],
            fresh: VecDeque::new(),
            seeds: Vec::new(),
        };
        for place in 0..predicates.len() {
            let root = run.push(None, Part::Root(place));
            run.roots.push(root);
        }
        for (place, id) in predicates.iter().enumerate() {
            let root = run.root(place);
            run.seeds.push((root, run.sets.own(*id)));
            match run.sets.body(*id) {
                None => {}
                Some(Lowered::Relation(plan)) => run.build_relation(root, plan)?,
                Some(Lowered::Permission(op)) => run.build(root, op)?,
            }
        }
        run.run()?;
        let roots = std::mem::take(&mut run.roots);
        let mut found = Vec::new();
        for (id, root) in predicates.iter().zip(roots) {
            let set = run.nodes.get_mut(root).map(|node| std::mem::take(&mut node.found));
            found.push((*id, set.unwrap_or_default()));
        }
        Ok(found)
    }

    fn push(&mut self, parent: Option<usize>, part: Part<'a>) -> usize {
        self.nodes.push(Node { parent, part, found: RoaringBitmap::new() });
        self.nodes.len() - 1
    }

    fn root(&self, place: usize) -> usize {
        self.roots.get(place).copied().unwrap_or(0)
    }

    fn place(&self, id: PredicateId) -> Option<usize> {
        self.predicates.iter().position(|other| *other == id)
    }

    fn read(&mut self, node: usize, id: PredicateId, via: Via) {
        if let Some(readers) = self.place(id).and_then(|place| self.readers.get_mut(place)) {
            readers.push((node, via));
        }
    }

    fn build_relation(&mut self, root: usize, plan: &RelationPlan) -> Result<(), QueryError> {
        let base = self.sets.relation(plan, self.plane)?;
        self.seeds.push((root, base));
        let steps: Vec<_> = plan.usersets.iter().map(|userset| (userset.kind, userset.target)).collect();
        self.build_steps(root, &steps)
    }

    /// Any of several edges, under a node that joins.
    fn build_steps(&mut self, parent: usize, steps: &[(KindId, PredicateId)]) -> Result<(), QueryError> {
        let (inner, outer): (Vec<_>, Vec<_>) =
            steps.iter().copied().partition(|(_, target)| self.place(*target).is_some());
        if !outer.is_empty() {
            let seed = self.sets.op(&Op::ArrowAny(outer), self.plane)?;
            self.seeds.push((parent, seed));
        }
        for (kind, target) in inner {
            let node = self.push(Some(parent), Part::Leaf);
            self.read(node, target, Via::Edge(kind));
        }
        Ok(())
    }

    /// Adds an expression under a node.
    fn build(&mut self, parent: usize, op: &'a Op) -> Result<(), QueryError> {
        let mut is_inner = false;
        op.each_target(false, &mut |target, _| is_inner |= self.place(target).is_some());
        if !is_inner {
            let set = self.sets.op(op, self.plane)?;
            let leaf = self.push(Some(parent), Part::Leaf);
            self.adopt(parent, leaf);
            self.seeds.push((leaf, set));
            return Ok(());
        }
        match op {
            Op::Never | Op::SelfObject => {}
            Op::Reference(id) => {
                let leaf = self.push(Some(parent), Part::Leaf);
                self.adopt(parent, leaf);
                self.read(leaf, *id, Via::Same);
            }
            Op::ArrowAny(steps) => {
                let any = self.push(Some(parent), Part::Any);
                self.adopt(parent, any);
                self.build_steps(any, steps)?;
            }
            Op::ArrowAll(steps) => self.build_all_edges(parent, steps)?,
            Op::Any(ops) => {
                let any = self.push(Some(parent), Part::Any);
                self.adopt(parent, any);
                ops.iter().try_for_each(|op| self.build(any, op))?;
            }
            Op::All(ops) => {
                let all = self.push(Some(parent), Part::All(Vec::new()));
                self.adopt(parent, all);
                ops.iter().try_for_each(|op| self.build(all, op))?;
            }
            Op::Minus(from, without) => {
                let without = self.sets.excluded(without, self.plane)?;
                let minus = self.push(Some(parent), Part::Minus(without));
                self.adopt(parent, minus);
                self.build(minus, from)?;
            }
        }
        Ok(())
    }

    fn build_all_edges(
        &mut self,
        parent: usize,
        steps: &'a [(KindId, Option<PredicateId>)],
    ) -> Result<(), QueryError> {
        let node = self.push(Some(parent), Part::ArrowAll(steps));
        self.adopt(parent, node);
        let candidates = self.sets.all_candidates(steps, self.plane)?;
        let mut found = RoaringBitmap::new();
        for resource in candidates {
            if self.has_all(steps, Ordinal(resource))? {
                found.insert(resource);
            }
        }
        self.seeds.push((node, found));
        for (kind, target) in steps {
            if let Some(target) = target {
                self.read(node, *target, Via::AllEdges(*kind));
            }
        }
        Ok(())
    }

    fn adopt(&mut self, parent: usize, child: usize) {
        if let Some(Node { part: Part::All(children), .. }) = self.nodes.get_mut(parent) {
            children.push(child);
        }
    }

    fn run(&mut self) -> Result<(), QueryError> {
        for (node, seed) in std::mem::take(&mut self.seeds) {
            self.sets.reading.charge(seed.len())?;
            self.emit(node, seed.into_iter().collect())?;
        }
        while let Some((place, fresh)) = self.fresh.pop_front() {
            for (node, via) in self.readers.get(place).cloned().unwrap_or_default() {
                let found = self.carry(node, via, &fresh)?;
                self.emit(node, found)?;
            }
        }
        Ok(())
    }

    /// What new members of a predicate mean for one of its readers.
    fn carry(&mut self, node: usize, via: Via, fresh: &[u32]) -> Result<Vec<u32>, QueryError> {
        let (kind, plane) = match via {
            Via::Same => return Ok(fresh.to_vec()),
            Via::Edge(kind) | Via::AllEdges(kind) => (kind, self.plane),
        };
        let mut gather = Gather::default();
        self.sets.through(kind, fresh.iter().copied(), plane, &mut gather)?;
        let found = gather.into_sorted();
        let Via::AllEdges(_) = via else { return Ok(found) };
        let steps = match self.nodes.get(node).map(|node| &node.part) {
            Some(Part::ArrowAll(steps)) => *steps,
            _ => &[],
        };
        let mut complete = Vec::new();
        for resource in found {
            if self.has_all(steps, Ordinal(resource))? {
                complete.push(resource);
            }
        }
        Ok(complete)
    }

    fn has_all(
        &mut self,
        steps: &[(KindId, Option<PredicateId>)],
        resource: Ordinal,
    ) -> Result<bool, QueryError> {
        let (nodes, roots, predicates, plane) = (&self.nodes, &self.roots, self.predicates, self.plane);
        let has = |sets: &Sets<'a, 'b, G>, id: PredicateId, other: Ordinal| match predicates
            .iter()
            .position(|own| *own == id)
        {
            Some(place) => {
                let root = roots.get(place).and_then(|root| nodes.get(*root));
                root.is_some_and(|root| root.found.contains(other.0))
            }
            None => sets.set(plane, id).contains(other.0),
        };
        self.sets.has_all(steps, resource, plane, &has)
    }

    /// Adds members to a node and carries what is new of them up to the predicate.
    fn emit(&mut self, node: usize, mut members: Vec<u32>) -> Result<(), QueryError> {
        let mut at = node;
        loop {
            self.sets.reading.charge_len(members.len())?;
            let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
            members.retain(|member| node.found.insert(*member));
            if members.is_empty() {
                return Ok(());
            }
            if let Part::Root(place) = node.part {
                self.fresh.push_back((place, members));
                return Ok(());
            }
            let (Some(parent), child) = (node.parent, at) else { return Ok(()) };
            match self.nodes.get(parent).map(|node| &node.part) {
                Some(Part::All(children)) => {
                    let others: Vec<&RoaringBitmap> = children
                        .iter()
                        .filter(|other| **other != child)
                        .filter_map(|other| self.nodes.get(*other).map(|node| &node.found))
                        .collect();
                    members.retain(|member| others.iter().all(|other| other.contains(*member)));
                }
                Some(Part::Minus(without)) => members.retain(|member| !without.contains(*member)),
                _ => {}
            }
            at = parent;
        }
    }
}
