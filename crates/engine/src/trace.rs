//! How a check comes to its answer: a tree of the relations and permissions it rests on, each with its own answer.
//!
//! The tree is walked before any caveat is decided, so that it shows a condition whether or not it holds; a branch that
//! decides without any condition ends the walk, and what comes after it is not shown. The answers are those of the
//! general solver, for all nodes at once.

use std::sync::Arc;

use pemba_model::{ObjectRef, SubjectRef, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

use crate::check::{resolve, solve_each};
use crate::condition::{Condition, TracedCaveat};
use crate::edges::Reading;
use crate::graph::{Graph, Qualifier};
use crate::ids::{KindId, Ordinal};
use crate::op::Op;
use crate::program::{Body, PredicateId, Program, Question};
use crate::query::{CheckAnswer, QueryContext, QueryError};
use crate::specialised::{Lowered, RelationPlan};

/// Deepest tree, in nodes: protobuf decoders refuse messages nested deeper than 100, and a node is two messages.
const DEPTH_MAX: usize = 45;

/// A relation or permission of one object, as far as it bears on the subject of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The object.
    pub resource: ObjectRef,
    /// The relation or permission.
    pub permission: SmolStr,
    /// Whether it is a permission.
    pub is_permission: bool,
    /// What a check of it says.
    pub answer: Result<CheckAnswer, QueryError>,
    /// What the answer depends on.
    pub condition: Arc<Condition>,
    /// The caveats on the edges that this node itself walks, whatever they say.
    pub caveats: Vec<Arc<TracedCaveat>>,
    /// What it rests on: for a permission the relations and permissions its expression names, those behind arrows
    /// included; for a relation its usersets. In the order of the compiled plan, which is always the same.
    pub children: Vec<Trace>,
    /// Why children may be missing.
    pub cut: Option<Cut>,
}

/// Why a node of a trace does not show all its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It is among its own ancestors: the data has a cycle.
    Cycle,
    /// It is shown in full elsewhere in the tree.
    Repeated,
    /// The tree would be larger, or deeper, than allowed.
    Limit,
}

/// Traces a check. At most `nodes_max` nodes are shown; where there would be more, nodes are cut and say so.
pub fn trace<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject: &SubjectRef,
    nodes_max: usize,
    context: &QueryContext<'_>,
) -> Result<Trace, QueryError> {
    traced(graph, program, (resource, permission, subject), nodes_max, context, true)
}

/// What `trace` would show of a check that takes too many steps to be answered: the same tree, whose answers say nothing.
pub fn trace_unanswered<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject: &SubjectRef,
    nodes_max: usize,
    context: &QueryContext<'_>,
) -> Result<Trace, QueryError> {
    traced(graph, program, (resource, permission, subject), nodes_max, context, false)
}

/// The tree of a check, answered or not.
fn traced<G: Graph>(
    graph: &G,
    program: &Program,
    (resource, permission, subject): (&ObjectRef, &str, &SubjectRef),
    nodes_max: usize,
    context: &QueryContext<'_>,
    is_answered: bool,
) -> Result<Trace, QueryError> {
    let question = program.question(resource, permission, subject)?;
    let (object, subject) = resolve(graph, &question, resource, subject);
    let mut reading = Reading::remembering(context);
    let root = walk(graph, &question, (object, subject), nodes_max, &mut reading)?;
    let mut naming = Naming { graph, program, resource, at: (question.predicate, object), until: None };
    if !is_answered {
        return Ok(naming.finish(root, &mut std::iter::empty()));
    }
    let mut asked = Vec::new();
    root.each(&mut |draft| asked.push((draft.predicate, draft.object)));
    let answers = solve_each(graph, program, question.specialised, subject, &asked, &mut reading)?;
    naming.until = reading.valid_until;
    Ok(naming.finish(root, &mut answers.into_iter().map(|answer| answer.and_then(conclude))))
}

fn walk<G: Graph>(
    graph: &G,
    question: &Question<'_>,
    (object, subject): (Ordinal, Ordinal),
    nodes_max: usize,
    reading: &mut Reading<'_>,
) -> Result<Draft, QueryError> {
    let mut tracing = Tracing {
        graph,
        question,
        subject,
        reading,
        nodes_left: nodes_max.saturating_sub(1),
        path: FxHashSet::default(),
        shown: FxHashMap::default(),
    };
    tracing.node(question.predicate, object)
}

fn conclude(
    (permissionship, reasons): (crate::query::Permissionship, crate::reasons::Summary),
) -> Result<CheckAnswer, QueryError> {
    Ok(CheckAnswer { permissionship, missing: reasons.into_missing()?, valid_until: None })
}

/// A node before it has names and an answer.
struct Draft {
    predicate: PredicateId,
    object: Ordinal,
    condition: Arc<Condition>,
    caveats: Vec<Arc<TracedCaveat>>,
    children: Vec<Draft>,
    cut: Option<Cut>,
    /// The earliest expiry among the edges of it and its children.
    expires_at: Option<Timestamp>,
    /// Whether anything below is not shown here.
    is_partial: bool,
}

impl Draft {
    fn new(predicate: PredicateId, object: Ordinal) -> Draft {
        Draft {
            predicate,
            object,
            condition: Arc::new(Condition::Open),
            caveats: Vec::new(),
            children: Vec::new(),
            cut: None,
            expires_at: None,
            is_partial: false,
        }
    }

    fn each(&self, visit: &mut impl FnMut(&Draft)) {
        visit(self);
        self.children.iter().for_each(|child| child.each(visit));
    }

    fn note(&mut self, expires_at: Option<Timestamp>) {
        self.expires_at = self.expires_at.into_iter().chain(expires_at).min();
    }
}

struct Tracing<'a, 'b, 'q, G> {
    graph: &'a G,
    question: &'a Question<'a>,
    subject: Ordinal,
    reading: &'b mut Reading<'q>,
    nodes_left: usize,
    path: FxHashSet<(PredicateId, Ordinal)>,
    /// The conditions of the nodes shown in full.
    shown: FxHashMap<(PredicateId, Ordinal), Arc<Condition>>,
}

impl<G: Graph> Tracing<'_, '_, '_, G> {
    fn node(&mut self, predicate: PredicateId, object: Ordinal) -> Result<Draft, QueryError> {
        self.reading.charge(1)?;
        let mut draft = Draft::new(predicate, object);
        let key = (predicate, object);
        if !self.path.insert(key) {
            draft.cut = Some(Cut::Cycle);
            draft.is_partial = true;
            return Ok(draft);
        }
        if let Some(condition) = self.shown.get(&key) {
            draft.condition = Arc::clone(condition);
            draft.cut = Some(Cut::Repeated);
            draft.is_partial = true;
            self.path.remove(&key);
            return Ok(draft);
        }
        let specialised = self.question.specialised;
        draft.condition = if object == self.subject && specialised.is_own(predicate) {
            Arc::new(Condition::Always)
        } else {
            match specialised.body(predicate) {
                None => Arc::new(Condition::Never),
                Some(Lowered::Relation(plan)) => self.relation(plan, &mut draft)?,
                Some(Lowered::Permission(op)) => self.op(op, &mut draft)?,
            }
        };
        self.path.remove(&key);
        self.shown.insert(key, Arc::clone(&draft.condition));
        Ok(draft)
    }

    /// A child of a node, or nothing where there is no room for it.
    fn child(
        &mut self,
        parent: &mut Draft,
        predicate: PredicateId,
        object: Ordinal,
    ) -> Result<Arc<Condition>, QueryError> {
        if self.nodes_left == 0 || self.path.len() >= DEPTH_MAX {
            parent.cut = Some(Cut::Limit);
            parent.is_partial = true;
            return Ok(Arc::new(Condition::Open));
        }
        self.nodes_left -= 1;
        let child = self.node(predicate, object)?;
        let condition = Arc::clone(&child.condition);
        parent.note(child.expires_at);
        parent.is_partial |= child.is_partial;
        parent.children.push(child);
        Ok(condition)
    }

    fn relation(&mut self, plan: &RelationPlan, draft: &mut Draft) -> Result<Arc<Condition>, QueryError> {
        let (graph, object) = (self.graph, draft.object);
        let direct = plan.direct.map(|kind| (kind, self.subject));
        let wildcard = plan.wildcard.map(|kind| (kind, Ordinal::WILDCARD));
        let mut parts = Vec::new();
        for (kind, end) in direct.into_iter().chain(wildcard) {
            if graph.subjects(kind, object).contains(end) {
                return Ok(Arc::new(Condition::Always));
            }
            let edges = graph.qualified_subjects(kind, object);
            let edge = edges.binary_search_by_key(&end, |edge| edge.other).ok().and_then(|at| edges.get(at));
            if let Some(edge) = edge {
                parts.extend(self.edge(&edge.qualifier, draft)?);
            }
        }
        for userset in &plan.usersets {
            if is_decided(&parts, &Condition::Always) {
                break;
            }
            self.step(userset.kind, userset.target, draft, &mut parts)?;
        }
        Ok(Condition::any(parts))
    }

    /// The condition of a qualified edge; `None` when it has expired.
    fn edge(
        &mut self,
        qualifier: &Qualifier,
        draft: &mut Draft,
    ) -> Result<Option<Arc<Condition>>, QueryError> {
        self.reading.charge(1)?;
        if !self.reading.is_live(qualifier) {
            return Ok(None);
        }
        draft.note(qualifier.expires_at);
        let Some(caveat) = &qualifier.caveat else { return Ok(Some(Arc::new(Condition::Always))) };
        let traced = Arc::new(TracedCaveat {
            name: caveat.name.clone(),
            bound: caveat.context.clone(),
            outcome: self.reading.outcome(caveat)?,
        });
        draft.caveats.push(Arc::clone(&traced));
        Ok(Some(Arc::new(Condition::Caveat(traced))))
    }

    /// Any object that a kind of edge leads to, until one decides.
    fn step(
        &mut self,
        kind: KindId,
        target: PredicateId,
        draft: &mut Draft,
        parts: &mut Vec<Arc<Condition>>,
    ) -> Result<(), QueryError> {
        let (graph, object) = (self.graph, draft.object);
        let replaced = graph.replaced_subjects(kind);
        for other in graph.subjects(kind, object).iter().filter(|other| !replaced.contains(*other)) {
            parts.push(self.child(draft, target, other)?);
            if is_decided(parts, &Condition::Always) || draft.cut.is_some() {
                return Ok(());
            }
        }
        let edges = graph.qualified_subjects(kind, object).iter();
        for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
            let Some(condition) = self.edge(&edge.qualifier, draft)? else { continue };
            let member = self.child(draft, target, edge.other)?;
            parts.push(Condition::all(vec![condition, member]));
            if is_decided(parts, &Condition::Always) || draft.cut.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Op, draft: &mut Draft) -> Result<Arc<Condition>, QueryError> {
        self.reading.charge(1)?;
        match op {
            Op::Never => Ok(Arc::new(Condition::Never)),
            Op::SelfObject if draft.object == self.subject => Ok(Arc::new(Condition::Always)),
            Op::SelfObject => Ok(Arc::new(Condition::Never)),
            Op::Reference(id) => self.child(draft, *id, draft.object),
            Op::ArrowAny(steps) => {
                let mut parts = Vec::new();
                for (kind, target) in steps {
                    self.step(*kind, *target, draft, &mut parts)?;
                    if is_decided(&parts, &Condition::Always) {
                        break;
                    }
                }
                Ok(Condition::any(parts))
            }
            Op::ArrowAll(steps) => self.arrow_all(steps, draft),
            Op::Any(ops) => Ok(Condition::any(self.operands(ops, &Condition::Always, draft)?)),
            Op::All(ops) => Ok(Condition::all(self.operands(ops, &Condition::Never, draft)?)),
            Op::Minus(from, without) => {
                let from = self.op(from, draft)?;
                if *from == Condition::Never {
                    return Ok(from);
                }
                let without = self.op(without, draft)?;
                Ok(Condition::all(vec![from, Condition::not(&without)]))
            }
        }
    }

    /// The operands up to one that decides.
    fn operands(
        &mut self,
        ops: &[Op],
        decides: &Condition,
        draft: &mut Draft,
    ) -> Result<Vec<Arc<Condition>>, QueryError> {
        let mut parts = Vec::new();
        for op in ops {
            parts.push(self.op(op, draft)?);
            if is_decided(&parts, decides) {
                break;
            }
        }
        Ok(parts)
    }

    /// There is an edge that has not expired, and every one of those holds and leads to an object with the target.
    fn arrow_all(
        &mut self,
        steps: &[(KindId, Option<PredicateId>)],
        draft: &mut Draft,
    ) -> Result<Arc<Condition>, QueryError> {
        let (graph, object) = (self.graph, draft.object);
        let mut parts = Vec::new();
        for (kind, target) in steps {
            let replaced = graph.replaced_subjects(*kind);
            for other in graph.subjects(*kind, object).iter().filter(|other| !replaced.contains(*other)) {
                parts.push(self.target(*target, other, draft)?);
                if is_decided(&parts, &Condition::Never) || draft.cut.is_some() {
                    return Ok(Condition::all(parts));
                }
            }
            let edges = graph.qualified_subjects(*kind, object).iter();
            for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
                let Some(condition) = self.edge(&edge.qualifier, draft)? else { continue };
                let member = self.target(*target, edge.other, draft)?;
                parts.push(Condition::all(vec![condition, member]));
                if is_decided(&parts, &Condition::Never) || draft.cut.is_some() {
                    return Ok(Condition::all(parts));
                }
            }
        }
        if parts.is_empty() {
            return Ok(Arc::new(Condition::Never));
        }
        Ok(Condition::all(parts))
    }

    fn target(
        &mut self,
        target: Option<PredicateId>,
        object: Ordinal,
        draft: &mut Draft,
    ) -> Result<Arc<Condition>, QueryError> {
        match target {
            Some(target) => self.child(draft, target, object),
            None => Ok(Arc::new(Condition::Never)),
        }
    }
}

/// Whether the last part decides all.
fn is_decided(parts: &[Arc<Condition>], decides: &Condition) -> bool {
    parts.last().is_some_and(|last| **last == *decides)
}

/// Puts names and answers to a tree.
struct Naming<'a, G> {
    graph: &'a G,
    program: &'a Program,
    /// The resource of the check, which may have no name in the graph.
    resource: &'a ObjectRef,
    at: (PredicateId, Ordinal),
    /// The earliest expiry that was looked at anywhere.
    until: Option<Timestamp>,
}

impl<G: Graph> Naming<'_, G> {
    fn finish(
        &self,
        draft: Draft,
        answers: &mut impl Iterator<Item = Result<CheckAnswer, QueryError>>,
    ) -> Trace {
        let predicate = self.program.predicate(draft.predicate);
        let answer = answers.next().unwrap_or_else(|| Ok(CheckAnswer::default()));
        // What is not shown here may expire too.
        let valid_until = if draft.is_partial { self.until } else { draft.expires_at };
        Trace {
            resource: self.object(draft.predicate, draft.object),
            permission: predicate.map(|predicate| predicate.name.clone()).unwrap_or_default(),
            is_permission: predicate.is_some_and(|found| matches!(found.body, Body::Permission(_))),
            answer: answer.map(|answer| CheckAnswer { valid_until, ..answer }),
            condition: draft.condition,
            caveats: draft.caveats,
            children: draft.children.into_iter().map(|child| self.finish(child, answers)).collect(),
            cut: draft.cut,
        }
    }

    fn object(&self, id: PredicateId, object: Ordinal) -> ObjectRef {
        let type_of = |id: PredicateId| self.program.predicate(id).map(|predicate| predicate.type_id);
        if object == self.at.1 && type_of(id) == type_of(self.at.0) {
            return self.resource.clone();
        }
        let Some(predicate) = self.program.predicate(id) else { return self.resource.clone() };
        let object_id = self.graph.object_id(predicate.type_id, object).unwrap_or_default();
        ObjectRef::new(predicate.object_type.clone(), object_id)
    }
}
