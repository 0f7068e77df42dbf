//! A permission's program: its operators, bound to predicates and kinds of edges.

use pemba_schema::SubjectShape;

use crate::ids::KindId;
use crate::program::{Body, PredicateId, Program};

/// A permission's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Nobody.
    Never,
    /// The resource itself.
    SelfObject,
    /// Another predicate of the same object.
    Reference(PredicateId),
    /// Any subject object of these edges has the target.
    ArrowAny(Vec<(KindId, PredicateId)>),
    /// There are subject objects and all have the target; `None` for a type that can never have it.
    ArrowAll(Vec<(KindId, Option<PredicateId>)>),
    /// Any operand.
    Any(Vec<Op>),
    /// Every operand.
    All(Vec<Op>),
    /// The first without the second.
    Minus(Box<Op>, Box<Op>),
}

impl Op {
    /// Whether some data could make it hold, given the predicates for which that is so.
    pub(crate) fn is_alive(&self, alive: &impl Fn(PredicateId) -> bool) -> bool {
        match self {
            Op::Never => false,
            Op::SelfObject => true,
            Op::Reference(id) => alive(*id),
            Op::ArrowAny(steps) => steps.iter().any(|(_, target)| alive(*target)),
            Op::ArrowAll(steps) => steps.iter().any(|(_, target)| target.is_some_and(alive)),
            Op::Any(ops) => ops.iter().any(|op| op.is_alive(alive)),
            Op::All(ops) => ops.iter().all(|op| op.is_alive(alive)),
            Op::Minus(from, _) => from.is_alive(alive),
        }
    }

    pub(crate) fn pruned(self, alive: &impl Fn(PredicateId) -> bool) -> Op {
        if !self.is_alive(alive) {
            return Op::Never;
        }
        match self {
            Op::Never | Op::SelfObject | Op::Reference(_) => self,
            Op::ArrowAny(mut steps) => {
                steps.retain(|(_, target)| alive(*target));
                Op::ArrowAny(steps)
            }
            Op::ArrowAll(mut steps) => {
                for (_, target) in &mut steps {
                    *target = target.filter(|target| alive(*target));
                }
                Op::ArrowAll(steps)
            }
            Op::Any(ops) => {
                let mut ops: Vec<Op> =
                    ops.into_iter().map(|op| op.pruned(alive)).filter(|op| *op != Op::Never).collect();
                if ops.len() == 1 { ops.pop().unwrap_or(Op::Never) } else { Op::Any(ops) }
            }
            Op::All(ops) => Op::All(ops.into_iter().map(|op| op.pruned(alive)).collect()),
            Op::Minus(from, without) => match without.pruned(alive) {
                Op::Never => from.pruned(alive),
                without => Op::Minus(Box::new(from.pruned(alive)), Box::new(without)),
            },
        }
    }

    /// Visits every predicate read, and whether it is read for its absence.
    pub(crate) fn each_target(&self, negated: bool, visit: &mut impl FnMut(PredicateId, bool)) {
        match self {
            Op::Never | Op::SelfObject => {}
            Op::Reference(id) => visit(*id, negated),
            Op::ArrowAny(steps) => steps.iter().for_each(|(_, target)| visit(*target, negated)),
            Op::ArrowAll(steps) => {
                steps.iter().filter_map(|(_, target)| *target).for_each(|id| visit(id, negated))
            }
            Op::Any(ops) | Op::All(ops) => ops.iter().for_each(|op| op.each_target(negated, visit)),
            Op::Minus(from, without) => {
                from.each_target(negated, visit);
                without.each_target(true, visit);
            }
        }
    }

    /// Visits every kind of edge walked.
    pub(crate) fn each_kind(&self, visit: &mut impl FnMut(KindId)) {
        match self {
            Op::Never | Op::SelfObject | Op::Reference(_) => {}
            Op::ArrowAny(steps) => steps.iter().for_each(|(kind, _)| visit(*kind)),
            Op::ArrowAll(steps) => steps.iter().for_each(|(kind, _)| visit(*kind)),
            Op::Any(ops) | Op::All(ops) => ops.iter().for_each(|op| op.each_kind(visit)),
            Op::Minus(from, without) => {
                from.each_kind(visit);
                without.each_kind(visit);
            }
        }
    }

    /// Visits every arrow that leads on.
    pub(crate) fn each_step(&self, visit: &mut impl FnMut((KindId, PredicateId))) {
        match self {
            Op::Never | Op::SelfObject | Op::Reference(_) => {}
            Op::ArrowAny(steps) => steps.iter().copied().for_each(visit),
            Op::ArrowAll(steps) => {
                steps.iter().filter_map(|(kind, target)| Some((*kind, (*target)?))).for_each(visit)
            }
            Op::Any(ops) | Op::All(ops) => ops.iter().for_each(|op| op.each_step(visit)),
            Op::Minus(from, without) => {
                from.each_step(visit);
                without.each_step(visit);
            }
        }
    }

    /// Visits every predicate of the same object that is read.
    pub(crate) fn each_reference(&self, visit: &mut impl FnMut(PredicateId)) {
        match self {
            Op::Reference(id) => visit(*id),
            Op::Never | Op::SelfObject | Op::ArrowAny(_) | Op::ArrowAll(_) => {}
            Op::Any(ops) | Op::All(ops) => ops.iter().for_each(|op| op.each_reference(visit)),
            Op::Minus(from, without) => {
                from.each_reference(visit);
                without.each_reference(visit);
            }
        }
    }

    /// How dear it is to ask, for putting the cheap operands first.
    pub(crate) fn cost(&self, program: &Program) -> u32 {
        match self {
            Op::Never | Op::SelfObject => 0,
            Op::Reference(id) => match program.predicate(*id).map(|predicate| &predicate.body) {
                Some(Body::Relation(kinds)) if kinds.iter().all(|kind| !is_userset(&kind.shape)) => 1,
                Some(Body::Relation(_)) => 2,
                _ => 4,
            },
            Op::ArrowAny(_) => 5,
            Op::ArrowAll(_) => 6,
            Op::Any(ops) | Op::All(ops) => ops.iter().map(|op| op.cost(program)).max().unwrap_or(0),
            Op::Minus(from, without) => from.cost(program).max(without.cost(program)),
        }
    }
}

fn is_userset(shape: &SubjectShape) -> bool {
    matches!(shape, SubjectShape::Userset(_))
}
