//! From a question to a system of equations: every object and predicate that the answer may depend on, each with what
//! it is computed from. The general way to an answer, whatever the data; `solve` solves the system.

use rustc_hash::FxHashMap;

use crate::edges::{EdgeState, Reading};
use crate::graph::Graph;
use crate::ids::{KindId, Ordinal};
use crate::op::Op;
use crate::program::PredicateId;
use crate::query::QueryError;
use crate::reasons::Reason;
use crate::specialised::{Lowered, RelationPlan, Specialised};
use crate::value::Value;

/// What the subjects of the question get from single edges.
pub(crate) trait Domain<G: Graph> {
    /// In what values.
    type Value: Value;
    /// What they have on an object because they are that object, or name its userset.
    fn itself(&self, object: Ordinal) -> Self::Value;
    /// What they have by the direct and wildcard edges of a relation of an object. For a value that depends on caveats
    /// the reasons are added.
    fn leaf(
        &mut self,
        graph: &G,
        plan: &RelationPlan,
        object: Ordinal,
        reading: &mut Reading<'_>,
        reasons: &mut Vec<Reason>,
    ) -> Result<Self::Value, QueryError>;
}

/// One equation.
#[derive(Debug, Clone)]
pub(crate) enum Node<V> {
    /// A known value.
    Known(V),
    /// The join of these children.
    Any(Span),
    /// The meet of these children.
    All(Span),
    /// The negation of a node.
    Not(u32),
}

/// A range of the children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// A system of equations; node 0 is known to be nobody.
pub(crate) struct Equations<V> {
    pub(crate) nodes: Vec<Node<V>>,
    children: Vec<u32>,
    /// Why a known node depends on caveats.
    reasons: FxHashMap<u32, Vec<Reason>>,
    /// The object and predicate behind a node, for errors.
    names: Vec<(PredicateId, Ordinal, u32)>,
}

impl<V> Equations<V> {
    /// The children of a span.
    pub(crate) fn children(&self, span: Span) -> &[u32] {
        self.children.get(span.start as usize..span.end as usize).unwrap_or(&[])
    }

    /// Why a node itself depends on caveats.
    pub(crate) fn reasons(&self, node: u32) -> &[Reason] {
        self.reasons.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The object and predicate that a node stands for.
    pub(crate) fn name(&self, node: u32) -> Option<(PredicateId, Ordinal)> {
        self.names.iter().find(|(_, _, at)| *at == node).map(|(predicate, object, _)| (*predicate, *object))
    }
}

/// Collects the equations.
pub(crate) struct Grounding<'a, 'b, G: Graph, D: Domain<G>> {
    graph: &'a G,
    specialised: &'a Specialised,
    domain: D,
    reading: &'a mut Reading<'b>,
    equations: Equations<D::Value>,
    atoms: FxHashMap<(PredicateId, Ordinal), u32>,
    /// Where in `names` the atoms without their equation begin.
    done: usize,
}

const NOBODY: u32 = 0;

impl<'a, 'b, G: Graph, D: Domain<G>> Grounding<'a, 'b, G, D> {
    /// An empty system.
    pub(crate) fn new(
        graph: &'a G,
        specialised: &'a Specialised,
        domain: D,
        reading: &'a mut Reading<'b>,
    ) -> Grounding<'a, 'b, G, D> {
        let equations = Equations {
            nodes: vec![Node::Known(D::Value::bottom())],
            children: Vec::new(),
            reasons: FxHashMap::default(),
            names: Vec::new(),
        };
        Grounding { graph, specialised, domain, reading, equations, atoms: FxHashMap::default(), done: 0 }
    }

    /// The node of a predicate of an object.
    pub(crate) fn atom(&mut self, predicate: PredicateId, object: Ordinal) -> u32 {
        let is_own = self.specialised.is_own(predicate);
        if !is_own && self.specialised.body(predicate).is_none() {
            return NOBODY;
        }
        if let Some(node) = self.atoms.get(&(predicate, object)) {
            return *node;
        }
        let node = self.push(Node::Any(Span { start: 0, end: 0 }));
        self.atoms.insert((predicate, object), node);
        self.equations.names.push((predicate, object, node));
        node
    }

    /// Completes the system: every node that was asked for gets its equation, and so does all that they lead to.
    pub(crate) fn finish(mut self) -> Result<(Equations<D::Value>, &'a mut Reading<'b>), QueryError> {
        while let Some((predicate, object, node)) = self.equations.names.get(self.done).copied() {
            self.done += 1;
            self.reading.charge(1)?;
            let equation = self.equation(predicate, object)?;
            if let Some(slot) = self.equations.nodes.get_mut(node as usize) {
                *slot = equation;
            }
        }
        Ok((self.equations, self.reading))
    }

    fn equation(&mut self, predicate: PredicateId, object: Ordinal) -> Result<Node<D::Value>, QueryError> {
        let specialised = self.specialised;
        let mut children = Vec::new();
        if specialised.is_own(predicate) {
            let own = self.domain.itself(object);
            if own.is_final() {
                return Ok(Node::Known(own));
            }
            children.push(self.known(own, Vec::new()));
        }
        match specialised.body(predicate) {
            None => {}
            Some(Lowered::Permission(op)) => children.push(self.op(op, object)?),
            Some(Lowered::Relation(plan)) => {
                let mut reasons = Vec::new();
                let leaf = self.domain.leaf(self.graph, plan, object, self.reading, &mut reasons)?;
                if leaf.is_final() {
                    return Ok(Node::Known(leaf));
                }
                if !leaf.is_bottom() {
                    children.push(self.known(leaf, reasons));
                }
                for userset in &plan.usersets {
                    self.walk(userset.kind, userset.target, object, &mut children)?;
                }
            }
        }
        Ok(Node::Any(self.span(children)))
    }

    /// The nodes of all that a kind of edge leads to from an object, each under the edge's condition.
    fn walk(
        &mut self,
        kind: KindId,
        target: PredicateId,
        object: Ordinal,
        children: &mut Vec<u32>,
    ) -> Result<(), QueryError> {
        let graph = self.graph;
        let plain = graph.subjects(kind, object);
        self.reading.charge_len(plain.len())?;
        children.extend(plain.iter().map(|subject| self.atom(target, subject)));
        if !graph.has_qualified(kind) {
            return Ok(());
        }
        for edge in graph.qualified_subjects(kind, object) {
            self.reading.charge(1)?;
            match self.reading.state(&edge.qualifier)? {
                EdgeState::Absent => {}
                EdgeState::Holds => children.push(self.atom(target, edge.other)),
                EdgeState::Depends(reasons) => {
                    let condition = self.known(D::Value::conditional(), reasons);
                    let member = self.atom(target, edge.other);
                    children.push(self.all(vec![condition, member]));
                }
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Op, object: Ordinal) -> Result<u32, QueryError> {
        self.reading.charge(1)?;
        match op {
            Op::Never => Ok(NOBODY),
            Op::SelfObject => {
                let itself = self.domain.itself(object);
                Ok(self.known(itself, Vec::new()))
            }
            Op::Reference(id) => Ok(self.atom(*id, object)),
            Op::ArrowAny(steps) => {
                let mut children = Vec::new();
                for (kind, target) in steps {
                    self.walk(*kind, *target, object, &mut children)?;
                }
                Ok(self.any(children))
            }
            Op::ArrowAll(steps) => self.arrow_all(steps, object),
            Op::Any(ops) => {
                let children = self.operands(ops, object)?;
                Ok(self.any(children))
            }
            Op::All(ops) => {
                let children = self.operands(ops, object)?;
                Ok(self.all(children))
            }
            Op::Minus(from, without) => {
                let from = self.op(from, object)?;
                let without = self.op(without, object)?;
                let left_out = self.push(Node::Not(without));
                Ok(self.all(vec![from, left_out]))
            }
        }
    }

    fn operands(&mut self, ops: &[Op], object: Ordinal) -> Result<Vec<u32>, QueryError> {
        ops.iter().map(|op| self.op(op, object)).collect()
    }

    /// There is an edge that has not expired, and for each of those: its condition holds and its object has the target.
    fn arrow_all(
        &mut self,
        steps: &[(KindId, Option<PredicateId>)],
        object: Ordinal,
    ) -> Result<u32, QueryError> {
        let graph = self.graph;
        let mut children = Vec::new();
        for (kind, target) in steps {
            let plain = graph.subjects(*kind, object);
            self.reading.charge_len(plain.len())?;
            let replaced = graph.replaced_subjects(*kind);
            for subject in plain.iter().filter(|subject| !replaced.contains(*subject)) {
                children.push(target.map_or(NOBODY, |target| self.atom(target, subject)));
            }
            let edges = graph.qualified_subjects(*kind, object).iter();
            for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
                self.reading.charge(1)?;
                let Some(state) = self.reading.live_state(&edge.qualifier)? else { continue };
                match state {
                    EdgeState::Absent => {
                        children.push(NOBODY);
                        continue;
                    }
                    EdgeState::Holds => {}
                    EdgeState::Depends(reasons) => {
                        children.push(self.known(D::Value::conditional(), reasons));
                    }
                }
                children.push(target.map_or(NOBODY, |target| self.atom(target, edge.other)));
            }
        }
        if children.is_empty() { Ok(NOBODY) } else { Ok(self.all(children)) }
    }

    fn push(&mut self, node: Node<D::Value>) -> u32 {
        let id = u32::try_from(self.equations.nodes.len()).unwrap_or(u32::MAX);
        self.equations.nodes.push(node);
        id
    }

    fn span(&mut self, children: Vec<u32>) -> Span {
        let at = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let start = at(self.equations.children.len());
        self.equations.children.extend(children);
        Span { start, end: at(self.equations.children.len()) }
    }

    fn known(&mut self, value: D::Value, reasons: Vec<Reason>) -> u32 {
        if value.is_bottom() {
            return NOBODY;
        }
        let node = self.push(Node::Known(value));
        if !reasons.is_empty() {
            self.equations.reasons.insert(node, reasons);
        }
        node
    }

    fn any(&mut self, children: Vec<u32>) -> u32 {
        match children.as_slice() {
            [] => NOBODY,
            [only] => *only,
            _ => {
                let span = self.span(children);
                self.push(Node::Any(span))
            }
        }
    }

    fn all(&mut self, children: Vec<u32>) -> u32 {
        if children.contains(&NOBODY) {
            return NOBODY;
        }
        match children.as_slice() {
            [only] => *only,
            _ => {
                let span = self.span(children);
                self.push(Node::All(span))
            }
        }
    }
}
