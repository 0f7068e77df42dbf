//! The values of all formulas for one subject: the well-founded solution by alternating fixpoint.

use std::collections::BTreeSet;

use pemba_model::{SmolStr, SubjectRef};

use crate::oracle::ground::{Cause, Formula};
use crate::oracle::{Answer, Value};

/// The answers of all atoms for one subject, by atom number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// What certainly holds.
    low: Vec<Value>,
    /// What may hold. Where it differs from `low`, neither answer follows.
    high: Vec<Value>,
    /// For conditional atoms what decides.
    causes: Vec<BTreeSet<Cause>>,
}

impl Solution {
    /// The answer for an atom.
    pub fn answer(&self, number: usize) -> Answer {
        if self.low[number] != self.high[number] {
            return Answer::Contradiction;
        }
        let mut missing: Vec<SmolStr> = Vec::new();
        for cause in &self.causes[number] {
            match cause {
                Cause::Parameter(name) => missing.push(name.clone()),
                Cause::Fault(caveat, text) => return Answer::Fault(caveat.clone(), text.clone()),
            }
        }
        Answer::Value(self.low[number], missing)
    }

    /// Whether some atom has no answer.
    pub fn has_contradiction(&self) -> bool {
        self.low != self.high
    }

    /// Whether some atom is conditional.
    pub fn has_conditional(&self) -> bool {
        self.low.iter().zip(&self.high).any(|(low, high)| low == high && *low == Value::Maybe)
    }
}

/// The three estimates that an evaluation reads. Inside an exclusion's right side it reads `other` where it read
/// `current`, and `finished` where it read `other`: never the estimate in the making.
#[derive(Clone, Copy)]
struct Estimates<'a> {
    current: &'a [Value],
    other: &'a [Value],
    finished: &'a [Value],
}

impl<'a> Estimates<'a> {
    fn negated(self) -> Estimates<'a> {
        Estimates { current: self.other, other: self.finished, finished: self.other }
    }
}

fn value(formula: &Formula, subject: &SubjectRef, estimates: Estimates<'_>) -> Value {
    let truth = |holds: bool| if holds { Value::Yes } else { Value::No };
    match formula {
        Formula::Edge(value, _) => *value,
        Formula::Is(one) => truth(one == subject),
        Formula::AnyOf(object_type) => {
            truth(subject.relation.is_none() && subject.object.object_type == *object_type)
        }
        Formula::Atom(number) => estimates.current[*number],
        Formula::Or(any) => any.iter().map(|f| value(f, subject, estimates)).max().unwrap_or(Value::No),
        Formula::And(all) => all.iter().map(|f| value(f, subject, estimates)).min().unwrap_or(Value::Yes),
        Formula::Except(base, without) => {
            let base = value(base, subject, estimates);
            base.min(value(without, subject, estimates.negated()).negate())
        }
    }
}

/// The least solution with everything under an exclusion fixed by the other estimate.
fn least(formulas: &[Formula], subject: &SubjectRef, other: &[Value], finished: &[Value]) -> Vec<Value> {
    let mut current = vec![Value::No; formulas.len()];
    loop {
        let mut changed = false;
        for (number, formula) in formulas.iter().enumerate() {
            let now = value(formula, subject, Estimates { current: &current, other, finished });
            if now > current[number] {
                current[number] = now;
                changed = true;
            }
        }
        if !changed {
            return current;
        }
    }
}

/// What a conditional formula depends on: what its conditional operands do.
fn causes(
    formula: &Formula,
    subject: &SubjectRef,
    values: &[Value],
    known: &[BTreeSet<Cause>],
) -> BTreeSet<Cause> {
    let settled = Estimates { current: values, other: values, finished: values };
    if value(formula, subject, settled) != Value::Maybe {
        return BTreeSet::new();
    }
    match formula {
        Formula::Edge(_, causes) => causes.iter().cloned().collect(),
        Formula::Is(_) | Formula::AnyOf(_) => BTreeSet::new(),
        Formula::Atom(number) => known[*number].clone(),
        Formula::Or(operands) | Formula::And(operands) => {
            operands.iter().flat_map(|f| causes(f, subject, values, known)).collect()
        }
        Formula::Except(base, without) => {
            let mut both = causes(base, subject, values, known);
            both.extend(causes(without, subject, values, known));
            both
        }
    }
}

/// All values: what holds at least and at most, tightened in turn until neither moves.
pub(super) fn solve(formulas: &[Formula], subject: &SubjectRef) -> Solution {
    let mut low = vec![Value::No; formulas.len()];
    let mut high = vec![Value::Yes; formulas.len()];
    loop {
        let next_high = least(formulas, subject, &low, &high);
        let next_low = least(formulas, subject, &next_high, &low);
        let stable = next_low == low && next_high == high;
        (low, high) = (next_low, next_high);
        if stable {
            break;
        }
    }
    let mut found = vec![BTreeSet::new(); formulas.len()];
    if low.contains(&Value::Maybe) {
        loop {
            let next: Vec<_> = formulas.iter().map(|f| causes(f, subject, &low, &found)).collect();
            if next == found {
                break;
            }
            found = next;
        }
    }
    Solution { low, high, causes: found }
}
