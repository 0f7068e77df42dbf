//! How often the generated cases hold what can go wrong with caveats.

use std::collections::BTreeSet;

use pemba_engine::{CaveatEvaluator, CaveatOutcome};
use pemba_model::{Relationship, SubjectRef, Timestamp};

use super::coverage::Class;
use crate::caveats::CaveatTable;
use crate::oracle::{Answer, Cause, Formula, Oracle, Solution, Value};

/// The classes that the live relationships show.
pub(super) fn caveat_classes(
    relationships: &[Relationship],
    now: Timestamp,
    caveats: &CaveatTable,
    found: &mut BTreeSet<Class>,
) {
    let live: Vec<_> = relationships
        .iter()
        .filter(|r| r.expires_at.is_none_or(|at| at > now))
        .filter_map(|r| Some((r, r.caveat.as_ref()?)))
        .collect();
    for (place, (relationship, caveat)) in live.iter().enumerate() {
        found.insert(match caveats.evaluate(&caveat.name, &caveat.context) {
            Ok(CaveatOutcome::True) => Class::CaveatHolds,
            Ok(CaveatOutcome::False) => Class::CaveatRefuses,
            Ok(CaveatOutcome::Missing(_)) => Class::CaveatMisses,
            Err(_) => Class::CaveatFails,
        });
        let subject = &relationship.subject;
        found.extend(subject.object.is_wildcard().then_some(Class::CaveatOnWildcard));
        found.extend(subject.relation.is_some().then_some(Class::CaveatOnUserset));
        found.extend(relationship.expires_at.is_some().then_some(Class::CaveatWithExpiry));
        for (_, other) in live.iter().take(place).filter(|(_, other)| other.name == caveat.name) {
            let is_same = other.context == caveat.context;
            found.insert(if is_same { Class::SharedBoundValues } else { Class::DifferentBoundValues });
        }
    }
}

/// Whether a formula itself reads a caveat that fails.
fn reads_fault(formula: &Formula) -> bool {
    match formula {
        Formula::Edge(_, causes) => causes.iter().any(|cause| matches!(cause, Cause::Fault(..))),
        Formula::Or(all) | Formula::And(all) => all.iter().any(reads_fault),
        Formula::Except(base, without) => reads_fault(base) || reads_fault(without),
        Formula::Is(_) | Formula::AnyOf(_) | Formula::Atom(_) => false,
    }
}

/// Whether a conditional atom is read under an exclusion, directly.
fn excludes_conditional(formula: &Formula, under: bool, solution: &Solution) -> bool {
    match formula {
        Formula::Edge(value, _) => under && *value == Value::Maybe,
        Formula::Atom(number) => under && solution.answer(*number).value() == Some(Value::Maybe),
        Formula::Or(all) | Formula::And(all) => {
            all.iter().any(|part| excludes_conditional(part, under, solution))
        }
        Formula::Except(base, without) => {
            excludes_conditional(base, under, solution) || excludes_conditional(without, true, solution)
        }
        Formula::Is(_) | Formula::AnyOf(_) => false,
    }
}

/// How many conditional edges a formula itself reads.
fn conditional_edges(formula: &Formula) -> usize {
    match formula {
        Formula::Edge(Value::Maybe, _) => 1,
        Formula::Or(all) | Formula::And(all) => all.iter().map(conditional_edges).sum(),
        Formula::Except(base, without) => conditional_edges(base) + conditional_edges(without),
        _ => 0,
    }
}

/// The classes that one subject's answers show.
pub(super) fn answer_classes(
    oracle: &Oracle,
    subject: &SubjectRef,
    solution: &Solution,
    found: &mut BTreeSet<Class>,
) {
    for (number, (atom, formula)) in oracle.atoms().iter().zip(oracle.formulas()).enumerate() {
        if subject.object == atom.object && subject.relation.as_ref() == Some(&atom.name) {
            continue;
        }
        match solution.answer(number) {
            Answer::Fault(..) => _ = found.insert(Class::FaultDecides),
            Answer::Value(Value::Yes, _) if reads_fault(formula) => _ = found.insert(Class::FaultHidden),
            Answer::Value(Value::Maybe, _) if conditional_edges(formula) > 1 => {
                found.insert(Class::SeveralCaveats);
            }
            _ => {}
        }
        if excludes_conditional(formula, false, solution) {
            found.insert(Class::CaveatUnderExclusion);
        }
    }
}
