//! Solves a system of equations: component by component in order of dependency, cycles by least fixpoint, and cycles
//! through a negation by alternating between a lower and an upper bound until they stop moving.
//!
//! Where the bounds meet, that is the value; where they do not, neither answer follows (`Contradiction`).

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::components::{Vertices, components};
use crate::edges::Reading;
use crate::ground::{Equations, Node};
use crate::ids::Ordinal;
use crate::program::PredicateId;
use crate::query::{Permissionship, QueryError};
use crate::reasons::Summary;
use crate::solve_reasons::reasons_of;
use crate::value::Value;

/// The values of a system.
pub(crate) struct Solution<V> {
    equations: Equations<V>,
    low: Vec<V>,
    /// Upper bounds, only where they differ from the lower.
    high: FxHashMap<u32, V>,
    contradiction: Option<(PredicateId, Ordinal)>,
}

/// Which bound is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Low,
    High,
}

impl Bound {
    fn opposite(self) -> Bound {
        match self {
            Bound::Low => Bound::High,
            Bound::High => Bound::Low,
        }
    }
}

impl<V> Vertices for Equations<V> {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn successor(&self, vertex: u32, index: u32) -> Option<u32> {
        match self.nodes.get(vertex as usize)? {
            Node::Known(_) => None,
            Node::Any(span) | Node::All(span) => self.children(*span).get(index as usize).copied(),
            Node::Not(child) => (index == 0).then_some(*child),
        }
    }
}

/// Solves for the roots and all that they depend on.
pub(crate) fn solve<V: Value>(
    equations: Equations<V>,
    roots: &[u32],
    reading: &mut Reading<'_>,
) -> Result<Solution<V>, QueryError> {
    let order = components(&equations, roots);
    let len = equations.nodes.len();
    let mut solver = Solver {
        low: vec![V::bottom(); len],
        high: FxHashMap::default(),
        uses: count_uses(&equations, roots),
        place: vec![OUTSIDE; len],
        contradiction: None,
        equations,
    };
    for component in order.iter() {
        solver.component(component, reading)?;
    }
    let Solver { equations, low, high, contradiction, .. } = solver;
    Ok(Solution { equations, low, high, contradiction })
}

impl<V: Value> Solution<V> {
    /// The value of a node; `None` where none follows.
    pub(crate) fn value(&self, node: u32) -> Option<&V> {
        let low = self.low.get(node as usize)?;
        self.high.get(&node).is_none_or(|high| high.agrees(low)).then_some(low)
    }

    /// As `value`, to keep.
    pub(crate) fn take(&mut self, node: u32) -> Option<V> {
        self.value(node)?;
        self.low.get_mut(node as usize).map(|value| std::mem::replace(value, V::bottom()))
    }

    /// An object and predicate that depends on its own absence, if some node has no value.
    pub(crate) fn contradiction(&self) -> Option<(PredicateId, Ordinal)> {
        self.contradiction
    }
}

impl Solution<Permissionship> {
    /// Why each of some nodes is conditional.
    pub(crate) fn reasons(
        &self,
        nodes: &[u32],
        reading: &mut Reading<'_>,
    ) -> Result<Vec<Summary>, QueryError> {
        reasons_of(&self.equations, &self.low, nodes, reading)
    }
}

const OUTSIDE: u32 = u32::MAX;

struct Solver<V> {
    equations: Equations<V>,
    low: Vec<V>,
    high: FxHashMap<u32, V>,
    /// How many nodes still have to read a node; empty for small values, which are copied instead of moved.
    uses: Vec<u32>,
    /// Where a node stands in the component being solved.
    place: Vec<u32>,
    /// Where the bounds first failed to meet.
    contradiction: Option<(PredicateId, Ordinal)>,
}

fn count_uses<V: Value>(equations: &Equations<V>, roots: &[u32]) -> Vec<u32> {
    if !V::IS_LARGE {
        return Vec::new();
    }
    let mut uses = vec![0; equations.nodes.len()];
    let mut count = |node: u32| {
        if let Some(slot) = uses.get_mut(node as usize) {
            *slot += 1;
        }
    };
    roots.iter().copied().for_each(&mut count);
    for node in &equations.nodes {
        match node {
            Node::Known(_) => {}
            Node::Any(span) | Node::All(span) => {
                equations.children(*span).iter().copied().for_each(&mut count)
            }
            Node::Not(child) => count(*child),
        }
    }
    uses
}

impl<V: Value> Solver<V> {
    fn component(&mut self, component: &[u32], reading: &mut Reading<'_>) -> Result<(), QueryError> {
        match component {
            [node]
                if (0..)
                    .map_while(|index| self.equations.successor(*node, index))
                    .all(|next| next != *node) =>
            {
                self.single(*node, reading)
            }
            _ => self.cycle(component, reading),
        }
    }

    fn bound(&self, bound: Bound, node: u32) -> Option<&V> {
        match bound {
            Bound::High if !self.high.is_empty() => {
                self.high.get(&node).or_else(|| self.low.get(node as usize))
            }
            _ => self.low.get(node as usize),
        }
    }

    /// A node that does not depend on itself.
    fn single(&mut self, node: u32, reading: &mut Reading<'_>) -> Result<(), QueryError> {
        let high = match self.high.is_empty() {
            true => None,
            false => Some(self.evaluate(node, Bound::High, reading)?),
        };
        let low = self.evaluate(node, Bound::Low, reading)?;
        if let Some(high) = high.filter(|high| *high != low) {
            self.high.insert(node, high);
        }
        self.set_low(node, low);
        Ok(())
    }

    fn set_low(&mut self, node: u32, value: V) {
        if let Some(slot) = self.low.get_mut(node as usize) {
            *slot = value;
        }
    }

    fn evaluate(&mut self, node: u32, bound: Bound, reading: &mut Reading<'_>) -> Result<V, QueryError> {
        let (span, is_any) = match self.equations.nodes.get_mut(node as usize) {
            None => return Ok(V::bottom()),
            // Only a lower bound takes the value away, and it is read once and last.
            Some(Node::Known(value)) if V::IS_LARGE && bound == Bound::Low => {
                return Ok(std::mem::replace(value, V::bottom()));
            }
            Some(Node::Known(value)) => return Ok(value.clone()),
            Some(Node::Not(child)) => {
                let child = *child;
                let value = self.bound(bound.opposite(), child);
                reading.charge(value.map_or(1, V::weight))?;
                return Ok(value.map_or_else(V::top, V::negated));
            }
            Some(Node::Any(span)) => (*span, true),
            Some(Node::All(span)) => (*span, false),
        };
        let movable = self.movable(self.equations.children(span), bound);
        let mut value = match movable.and_then(|child| self.low.get_mut(child as usize)) {
            Some(value) => std::mem::replace(value, V::bottom()),
            None if is_any => V::bottom(),
            None => V::top(),
        };
        for child in self.equations.children(span) {
            if movable == Some(*child) {
                continue;
            }
            let Some(other) = self.bound(bound, *child) else { continue };
            reading.charge(other.weight())?;
            if is_any {
                value.join(other);
            } else {
                value.meet(other);
            }
        }
        Ok(value)
    }

    /// The largest child that nobody else will read, so that its value can be moved. In a wide node most children are
    /// small, so moving the largest is what keeps a long chain of growing sets linear.
    fn movable(&self, children: &[u32], bound: Bound) -> Option<u32> {
        if !V::IS_LARGE || bound == Bound::High || !self.high.is_empty() {
            return None;
        }
        let is_last = |node: &&u32| self.uses.get(**node as usize) == Some(&1);
        let weight = |node: &&u32| self.low.get(**node as usize).map_or(0, V::weight);
        children.iter().filter(is_last).max_by_key(weight).copied()
    }

    /// Nodes that depend on one another.
    fn cycle(&mut self, component: &[u32], reading: &mut Reading<'_>) -> Result<(), QueryError> {
        for (place, node) in component.iter().enumerate() {
            if let Some(slot) = self.place.get_mut(*node as usize) {
                *slot = u32::try_from(place).unwrap_or(OUTSIDE);
            }
        }
        let node_at = |node: &u32| self.equations.nodes.get(*node as usize);
        let is_pure = component.iter().all(|node| matches!(node_at(node), Some(Node::Any(_))));
        let has_not = component.iter().any(|node| matches!(node_at(node), Some(Node::Not(_))));
        if is_pure {
            self.merge(component, reading)?;
        } else {
            self.fixpoint(component, has_not, reading)?;
        }
        for node in component {
            if let Some(slot) = self.place.get_mut(*node as usize) {
                *slot = OUTSIDE;
            }
        }
        Ok(())
    }

    fn place(&self, node: u32) -> Option<usize> {
        self.place.get(node as usize).copied().filter(|place| *place != OUTSIDE).map(|place| place as usize)
    }

    /// Joins all the way round: every node has what any of them has.
    fn merge(&mut self, component: &[u32], reading: &mut Reading<'_>) -> Result<(), QueryError> {
        let low = self.merged(component, Bound::Low, reading)?;
        let high = match self.high.is_empty() {
            true => None,
            false => Some(self.merged(component, Bound::High, reading)?).filter(|high| *high != low),
        };
        let mut inner = vec![0_u32; if V::IS_LARGE { component.len() } else { 0 }];
        if V::IS_LARGE {
            for child in component.iter().flat_map(|node| self.children_of(*node)) {
                if let Some(count) = self.place(*child).and_then(|place| inner.get_mut(place)) {
                    *count += 1;
                }
            }
        }
        for (place, node) in component.iter().enumerate() {
            if let Some(high) = &high {
                self.high.insert(*node, high.clone());
            }
            // A large value is copied only to where something outside reads it.
            if !V::IS_LARGE || self.uses.get(*node as usize) > inner.get(place) {
                reading.charge(low.weight())?;
                self.set_low(*node, low.clone());
            }
        }
        Ok(())
    }

    fn children_of(&self, node: u32) -> &[u32] {
        match self.equations.nodes.get(node as usize) {
            Some(Node::Any(span) | Node::All(span)) => self.equations.children(*span),
            Some(Node::Not(child)) => std::slice::from_ref(child),
            Some(Node::Known(_)) | None => &[],
        }
    }

    fn merged(&self, component: &[u32], bound: Bound, reading: &mut Reading<'_>) -> Result<V, QueryError> {
        let mut value = V::bottom();
        for child in component.iter().flat_map(|node| self.children_of(*node)) {
            if self.place(*child).is_none()
                && let Some(other) = self.bound(bound, *child)
            {
                reading.charge(other.weight())?;
                value.join(other);
            }
        }
        Ok(value)
    }

    /// The general case. Each bound is a least fixpoint in which negations read the other bound; the lower bound
    /// rises and the upper falls from one round to the next.
    fn fixpoint(
        &mut self,
        component: &[u32],
        has_not: bool,
        reading: &mut Reading<'_>,
    ) -> Result<(), QueryError> {
        let parents = self.parents(component);
        let mut low = vec![V::bottom(); component.len()];
        let mut high;
        if !has_not && self.high.is_empty() {
            let low = self.least(component, &parents, Bound::Low, &[], reading)?;
            component.iter().zip(low).for_each(|(node, low)| self.set_low(*node, low));
            return Ok(());
        }
        loop {
            high = self.least(component, &parents, Bound::High, &low, reading)?;
            let next = self.least(component, &parents, Bound::Low, &high, reading)?;
            let is_stable = next == low;
            low = next;
            if is_stable || !has_not {
                break;
            }
        }
        for ((node, low), high) in component.iter().zip(low).zip(high) {
            if high != low {
                self.high.insert(*node, high);
                if self.contradiction.is_none() {
                    self.contradiction = self.equations.name(*node);
                }
            }
            self.set_low(*node, low);
        }
        Ok(())
    }

    /// By place, the places of the nodes that read it.
    fn parents(&self, component: &[u32]) -> Vec<Vec<u32>> {
        let mut parents = vec![Vec::new(); component.len()];
        for (place, node) in (0..).zip(component) {
            for child in self.children_of(*node) {
                if let Some(list) = self.place(*child).and_then(|child| parents.get_mut(child)) {
                    list.push(place);
                }
            }
        }
        parents
    }

    /// The least fixpoint of a component, negations inside it reading `assumed`.
    fn least(
        &self,
        component: &[u32],
        parents: &[Vec<u32>],
        bound: Bound,
        assumed: &[V],
        reading: &mut Reading<'_>,
    ) -> Result<Vec<V>, QueryError> {
        let mut run = Run {
            solver: self,
            bound,
            assumed,
            values: vec![V::bottom(); component.len()],
            blocked: vec![0; component.len()],
            changed: VecDeque::new(),
            is_queued: vec![false; component.len()],
        };
        for (place, node) in component.iter().enumerate() {
            let value = run.evaluate(place, *node, reading)?;
            run.update(place, value);
        }
        while let Some(place) = run.changed.pop_front() {
            if let Some(queued) = run.is_queued.get_mut(place) {
                *queued = false;
            }
            for parent in parents.get(place).map_or(&[][..], Vec::as_slice) {
                run.raise(component, *parent as usize, place, reading)?;
            }
        }
        Ok(run.values)
    }
}

/// One computation of a least fixpoint; values only rise.
struct Run<'a, V> {
    solver: &'a Solver<V>,
    bound: Bound,
    assumed: &'a [V],
    values: Vec<V>,
    /// For a meet the first child that may still be nobody: those before it never will be again.
    blocked: Vec<usize>,
    changed: VecDeque<usize>,
    is_queued: Vec<bool>,
}

impl<V: Value> Run<'_, V> {
    fn read(&self, node: u32) -> Option<&V> {
        match self.solver.place(node) {
            Some(place) => self.values.get(place),
            None => self.solver.bound(self.bound, node),
        }
    }

    fn update(&mut self, place: usize, value: V) {
        let Some(slot) = self.values.get_mut(place) else { return };
        if *slot == value {
            return;
        }
        *slot = value;
        if let Some(queued) = self.is_queued.get_mut(place).filter(|queued| !**queued) {
            *queued = true;
            self.changed.push_back(place);
        }
    }

    /// Takes in that a child of a node has risen.
    fn raise(
        &mut self,
        component: &[u32],
        parent: usize,
        child: usize,
        reading: &mut Reading<'_>,
    ) -> Result<(), QueryError> {
        let Some(node) = component.get(parent).copied() else { return Ok(()) };
        match self.solver.equations.nodes.get(node as usize) {
            Some(Node::Any(_)) => {
                let (Some(old), Some(other)) = (self.values.get(parent), self.values.get(child)) else {
                    return Ok(());
                };
                reading.charge(old.weight().saturating_add(other.weight()))?;
                let mut value = old.clone();
                value.join(other);
                self.update(parent, value);
            }
            Some(Node::All(_)) => {
                let value = self.evaluate(parent, node, reading)?;
                self.update(parent, value);
            }
            // A negation reads what is assumed, not what has risen.
            _ => {}
        }
        Ok(())
    }

    fn evaluate(&mut self, place: usize, node: u32, reading: &mut Reading<'_>) -> Result<V, QueryError> {
        reading.charge(1)?;
        match self.solver.equations.nodes.get(node as usize) {
            Some(Node::Any(span)) => {
                let mut value = V::bottom();
                for other in
                    self.solver.equations.children(*span).iter().filter_map(|child| self.read(*child))
                {
                    reading.charge(other.weight())?;
                    value.join(other);
                }
                Ok(value)
            }
            Some(Node::All(span)) => {
                let children = self.solver.equations.children(*span);
                let from = self.blocked.get(place).copied().unwrap_or(0);
                let rest = children.iter().enumerate().skip(from);
                for (at, child) in rest {
                    reading.charge(1)?;
                    if self.read(*child).is_none_or(V::is_bottom) {
                        if let Some(blocked) = self.blocked.get_mut(place) {
                            *blocked = at;
                        }
                        return Ok(V::bottom());
                    }
                }
                if let Some(blocked) = self.blocked.get_mut(place) {
                    *blocked = children.len();
                }
                let mut value = V::top();
                for other in children.iter().filter_map(|child| self.read(*child)) {
                    reading.charge(other.weight())?;
                    value.meet(other);
                }
                Ok(value)
            }
            Some(Node::Not(child)) => {
                let assumed = self.solver.place(*child).and_then(|place| self.assumed.get(place));
                reading.charge(assumed.map_or(1, V::weight))?;
                Ok(assumed.map_or_else(V::bottom, V::negated))
            }
            Some(Node::Known(value)) => Ok(value.clone()),
            None => Ok(V::bottom()),
        }
    }
}
