//! The quick way to a check: a walk down the plan from the resource, with a bound on its length. It either gives the
//! exact answer or gives up; it never guesses.

use smallvec::SmallVec;

use crate::check::{has_plain_edge, qualified_edges};
use crate::closure::{Closure, Held};
use crate::edges::{EdgeState, Overrun, Reading};
use crate::graph::{Graph, Members, QualifiedEdge};
use crate::ids::{KindId, Ordinal};
use crate::op::Op;
use crate::program::PredicateId;
use crate::query::{Permissionship, QueryError};
use crate::reasons::{Reason, Summary};
use crate::specialised::{Lowered, RelationPlan, Specialised, UsersetPlan};

/// Deepest chain of predicates and operators that is walked.
const DEPTH_MAX: u32 = 64;
/// Most edges and plan nodes that are walked.
const FUEL: u32 = 4096;
/// Up to so many usersets without nested ones are asked one by one; beyond, the subject's closure is cheaper.
const PROBES_MAX: usize = 4;

/// The rows of so many objects are asked for ahead; where an edge leads to more, none.
const AHEAD_MAX: usize = 2;

/// Why a walk ended without an answer.
pub(crate) enum Stop {
    /// It was too long.
    Exhausted,
    /// The query has no answer. Boxed, so that what every step returns fits registers.
    Refused(Box<QueryError>),
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Stop {
        Stop::Refused(Box::new(error))
    }
}

impl From<Overrun> for Stop {
    #[cold]
    fn from(overrun: Overrun) -> Stop {
        QueryError::from(overrun).into()
    }
}

type Walked = Result<Permissionship, Stop>;

/// One walk. Each step that returns `Conditional` has added its reasons, and no other step has.
pub(crate) struct Walk<'a, 'b, G> {
    graph: &'a G,
    specialised: &'a Specialised,
    subject: Ordinal,
    /// The subject's closure, once it was needed.
    closure: &'a mut Option<Closure>,
    reading: &'a mut Reading<'b>,
    fuel: u32,
    reasons: Vec<Reason>,
}

impl<'a, 'b, G: Graph> Walk<'a, 'b, G> {
    /// A walk for one subject.
    pub(crate) fn new(
        graph: &'a G,
        specialised: &'a Specialised,
        subject: Ordinal,
        closure: &'a mut Option<Closure>,
        reading: &'a mut Reading<'b>,
    ) -> Walk<'a, 'b, G> {
        Walk { graph, specialised, subject, closure, reading, fuel: FUEL, reasons: Vec::new() }
    }

    /// The reasons, in order.
    pub(crate) fn into_summary(self) -> Summary {
        Summary::of(self.reasons)
    }

    #[inline]
    fn burn(&mut self) -> Result<(), Stop> {
        self.reading.charge(1)?;
        self.fuel = self.fuel.checked_sub(1).ok_or(Stop::Exhausted)?;
        Ok(())
    }

    /// What the subject has of a predicate of an object.
    pub(crate) fn atom(&mut self, predicate: PredicateId, object: Ordinal, depth: u32) -> Walked {
        if depth > DEPTH_MAX {
            return Err(Stop::Exhausted);
        }
        self.burn()?;
        let specialised = self.specialised;
        if object == self.subject && specialised.is_own(predicate) {
            return Ok(Permissionship::Yes);
        }
        match specialised.body(predicate) {
            None => Ok(Permissionship::No),
            Some(Lowered::Permission(op)) => self.op(op, object, depth),
            Some(Lowered::Relation(plan)) => self.relation(plan, object, depth),
        }
    }

    fn relation(&mut self, plan: &RelationPlan, object: Ordinal, depth: u32) -> Walked {
        self.reading.charge(1)?;
        if has_plain_edge(self.graph, plan, object, self.subject) {
            return Ok(Permissionship::Yes);
        }
        let start = self.reasons.len();
        let mut value = Permissionship::No;
        if plan.direct.iter().chain(&plan.wildcard).any(|kind| self.graph.has_qualified(*kind)) {
            let (graph, subject) = (self.graph, self.subject);
            value = qualified_edges(graph, plan, object, subject, self.reading, &mut self.reasons)?;
        }
        for userset in &plan.usersets {
            if value == Permissionship::Yes {
                break;
            }
            value = value.max(self.usersets(userset, object, depth)?);
        }
        Ok(self.settle(value, start))
    }

    /// Keeps the reasons added since `start` only if they still matter.
    #[inline]
    fn settle(&mut self, value: Permissionship, start: usize) -> Permissionship {
        if value != Permissionship::Conditional && self.reasons.len() > start {
            self.reasons.truncate(start);
        }
        value
    }

    fn usersets(&mut self, plan: &UsersetPlan, object: Ordinal, depth: u32) -> Walked {
        let graph = self.graph;
        let plain = graph.subjects(plan.kind, object);
        let qualified =
            if graph.has_qualified(plan.kind) { graph.qualified_subjects(plan.kind, object) } else { &[] };
        if plain.is_empty() && qualified.is_empty() {
            return Ok(Permissionship::No);
        }
        let is_cheap = plan.is_flat && plain.len() <= PROBES_MAX;
        match plan.closable.filter(|_| !is_cheap) {
            Some(place) => self.by_closure(plan, place, (plain, qualified), object, depth),
            None => self.step(plan.kind, plan.target, object, depth),
        }
    }

    /// Meets the object's usersets with those that hold the subject.
    fn by_closure(
        &mut self,
        plan: &UsersetPlan,
        place: u32,
        (plain, qualified): (Members<'a>, &'a [QualifiedEdge]),
        object: Ordinal,
        depth: u32,
    ) -> Walked {
        if self.closure.is_none() {
            let closure = self.closure.insert(Closure::default());
            if let Err(overrun) = closure.fill(self.graph, self.specialised, self.subject, self.reading) {
                *self.closure = None;
                return Err(overrun.into());
            }
        }
        let closure = self.closure.get_or_insert_default();
        if closure.is_too_large() {
            return self.step(plan.kind, plan.target, object, depth);
        }
        // Most objects name one group.
        if let (Members::One(group), []) = (plain, qualified) {
            return match closure.find(place, Ordinal(group)) {
                None => Ok(Permissionship::No),
                Some(Held::Certainly) => Ok(Permissionship::Yes),
                Some(Held::Possibly) => self.atom(plan.target, Ordinal(group), depth + 1),
            };
        }
        let Some(possible) = met(closure, place, plain) else { return Ok(Permissionship::Yes) };
        let conditional = met_qualified(closure, place, qualified);
        let start = self.reasons.len();
        let mut value = Permissionship::No;
        for group in possible {
            if value == Permissionship::Yes {
                break;
            }
            value = value.max(self.atom(plan.target, group, depth + 1)?);
        }
        for edge in conditional {
            if value == Permissionship::Yes {
                break;
            }
            let state = self.reading.state(&edge.qualifier)?;
            value = value.max(self.under(state, plan.target, edge.other, depth)?);
        }
        Ok(self.settle(value, start))
    }

    /// Any object that a kind of edge leads to.
    fn step(&mut self, kind: KindId, target: PredicateId, object: Ordinal, depth: u32) -> Walked {
        let graph = self.graph;
        let start = self.reasons.len();
        let mut value = Permissionship::No;
        let plain = graph.subjects(kind, object);
        if plain.len() <= AHEAD_MAX
            && let Some(ahead) = self.specialised.ahead(target).filter(|ahead| ahead.rows.len() > 1)
        {
            for other in plain.iter() {
                ahead.rows.iter().for_each(|kind| graph.prefetch_subjects(*kind, other));
            }
        }
        for other in plain.iter() {
            value = value.max(self.atom(target, other, depth + 1)?);
            if value == Permissionship::Yes {
                return Ok(self.settle(value, start));
            }
        }
        if graph.has_qualified(kind) {
            for edge in graph.qualified_subjects(kind, object) {
                self.burn()?;
                let state = self.reading.state(&edge.qualifier)?;
                value = value.max(self.under(state, target, edge.other, depth)?);
                if value == Permissionship::Yes {
                    break;
                }
            }
        }
        Ok(self.settle(value, start))
    }

    /// The target under an edge's condition.
    fn under(&mut self, state: EdgeState, target: PredicateId, object: Ordinal, depth: u32) -> Walked {
        match state {
            EdgeState::Absent => Ok(Permissionship::No),
            EdgeState::Holds => self.atom(target, object, depth + 1),
            EdgeState::Depends(reasons) => {
                let start = self.reasons.len();
                let value = self.atom(target, object, depth + 1)?.min(Permissionship::Conditional);
                self.reasons.extend(reasons);
                Ok(self.settle(value, start))
            }
        }
    }

    fn op(&mut self, op: &Op, object: Ordinal, depth: u32) -> Walked {
        match op {
            Op::Never => Ok(Permissionship::No),
            Op::SelfObject if object == self.subject => Ok(Permissionship::Yes),
            Op::SelfObject => Ok(Permissionship::No),
            Op::Reference(id) => self.atom(*id, object, depth + 1),
            Op::ArrowAny(steps) => {
                let start = self.reasons.len();
                let mut value = Permissionship::No;
                for (kind, target) in steps {
                    value = value.max(self.step(*kind, *target, object, depth)?);
                    if value == Permissionship::Yes {
                        break;
                    }
                }
                Ok(self.settle(value, start))
            }
            Op::ArrowAll(steps) => self.arrow_all(steps, object, depth),
            Op::Any(ops) => {
                let start = self.reasons.len();
                let mut value = Permissionship::No;
                for op in ops {
                    value = value.max(self.op(op, object, depth + 1)?);
                    if value == Permissionship::Yes {
                        break;
                    }
                }
                Ok(self.settle(value, start))
            }
            Op::All(ops) => {
                let start = self.reasons.len();
                let mut value = Permissionship::Yes;
                for op in ops {
                    value = value.min(self.op(op, object, depth + 1)?);
                    if value == Permissionship::No {
                        break;
                    }
                }
                Ok(self.settle(value, start))
            }
            Op::Minus(from, without) => {
                let start = self.reasons.len();
                let mut value = self.op(from, object, depth + 1)?;
                if value != Permissionship::No {
                    value = value.min(negated(self.op(without, object, depth + 1)?));
                }
                Ok(self.settle(value, start))
            }
        }
    }

    /// Every edge holds and leads to an object with the target, and there is one. An edge whose caveat says no is there
    /// and does not hold.
    fn arrow_all(&mut self, steps: &[(KindId, Option<PredicateId>)], object: Ordinal, depth: u32) -> Walked {
        let graph = self.graph;
        let start = self.reasons.len();
        let mut is_any = false;
        let mut value = Permissionship::Yes;
        for (kind, target) in steps {
            let replaced = graph.replaced_subjects(*kind);
            for other in graph.subjects(*kind, object).iter().filter(|other| !replaced.contains(*other)) {
                is_any = true;
                value = value.min(self.target(*target, other, depth)?);
                if value == Permissionship::No {
                    return Ok(self.settle(value, start));
                }
            }
            if !graph.has_qualified(*kind) {
                continue;
            }
            let edges = graph.qualified_subjects(*kind, object).iter();
            for edge in edges.filter(|edge| !replaced.contains(edge.other)) {
                self.burn()?;
                let Some(state) = self.reading.live_state(&edge.qualifier)? else { continue };
                is_any = true;
                value = value.min(match target {
                    Some(target) => self.under(state, *target, edge.other, depth)?,
                    None => Permissionship::No,
                });
                if value == Permissionship::No {
                    return Ok(self.settle(value, start));
                }
            }
        }
        Ok(self.settle(if is_any { value } else { Permissionship::No }, start))
    }

    fn target(&mut self, target: Option<PredicateId>, object: Ordinal, depth: u32) -> Walked {
        target.map_or(Ok(Permissionship::No), |target| self.atom(target, object, depth + 1))
    }
}

/// The groups that can still hold the subject, each on conditions that must be looked at; `None` when one certainly
/// does. Goes through whichever of the two sides is smaller.
fn met(closure: &Closure, place: u32, plain: Members<'_>) -> Option<SmallVec<[Ordinal; 4]>> {
    let mut possible = SmallVec::new();
    let mut note = |group, held| match held {
        Held::Certainly => None,
        Held::Possibly => {
            possible.push(group);
            Some(())
        }
    };
    if plain.len() <= closure.len() {
        for group in plain.iter() {
            if let Some(held) = closure.find(place, group) {
                note(group, held)?;
            }
        }
    } else {
        for (group, held) in closure.of(place).filter(|(group, _)| plain.contains(*group)) {
            note(group, held)?;
        }
    }
    Some(possible)
}

/// The qualified edges to groups that can hold the subject.
fn met_qualified<'a>(
    closure: &Closure,
    place: u32,
    edges: &'a [QualifiedEdge],
) -> SmallVec<[&'a QualifiedEdge; 4]> {
    if edges.len() <= closure.len() {
        return edges.iter().filter(|edge| closure.find(place, edge.other).is_some()).collect();
    }
    let at = |group: Ordinal| edges.binary_search_by_key(&group, |edge| edge.other).ok();
    closure.of(place).filter_map(|(group, _)| edges.get(at(group)?)).collect()
}

fn negated(value: Permissionship) -> Permissionship {
    crate::value::Value::negated(&value)
}
