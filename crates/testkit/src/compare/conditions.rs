//! Guarantee 6: three values, each condition named, and a limit that is never an answer.

use std::collections::BTreeSet;

use pemba_engine::{
    CheckAnswer, Graph, Ordinal, Permissionship, QueryContext, QueryError, check, lookup_missing,
    lookup_resources, lookup_subjects,
};
use pemba_model::{SmolStr, SubjectRef};

use super::{Difference, Scene, replay};
use crate::caveats::{CaveatTable, Given};
use crate::generate::Case;
use crate::oracle::{Answer, Cause};

/// How a lookup may fail and must, given the answers of all that it covers.
#[derive(Debug, Default)]
pub(super) struct Failure {
    must_contradict: bool,
    may_contradict: bool,
    /// The faults of those that it certainly covers.
    certain: BTreeSet<Cause>,
    /// The faults of all.
    possible: BTreeSet<Cause>,
}

impl Failure {
    /// From answers, each with whether the lookup certainly covers it.
    pub(super) fn of<'a>(answers: impl Iterator<Item = (&'a Answer, bool)>) -> Failure {
        let mut failure = Failure::default();
        for (answer, is_certain) in answers {
            match answer {
                Answer::Contradiction => {
                    failure.may_contradict = true;
                    failure.must_contradict |= is_certain;
                }
                Answer::Fault(caveat, text) => {
                    let fault = Cause::Fault(caveat.clone(), text.clone());
                    failure.certain.extend(is_certain.then(|| fault.clone()));
                    failure.possible.insert(fault);
                }
                _ => {}
            }
        }
        failure
    }

    /// Whether the lookup must fail.
    pub(super) fn is_due(&self) -> bool {
        self.must_contradict || !self.certain.is_empty()
    }

    /// Whether it may fail so. Of several faults only the first will do.
    pub(super) fn allows(&self, error: &QueryError) -> bool {
        if let QueryError::Contradiction { .. } = error {
            return self.may_contradict;
        }
        let Some(fault) = Cause::fault(error) else { return false };
        let is_first = self.certain.first().is_none_or(|first| fault <= *first);
        !self.must_contradict && is_first && self.possible.contains(&fault)
    }
}

impl Scene<'_> {
    /// What conditional resources miss, all of a lookup's at once, is what checks of each say.
    pub fn compare_missing(&self) -> Result<(), Box<Difference>> {
        let (graph, program, context) = (self.snapshot, self.snapshot.program(), self.context());
        for subject in &self.subjects {
            for definition in self.state.schema.definitions.values() {
                let Some(type_id) = graph.catalog().type_id(&definition.name) else { continue };
                for name in definition.names() {
                    let found = lookup_resources(graph, program, &definition.name, name, subject, &context);
                    let Ok(found) = found else { continue };
                    let ordinals: Vec<Ordinal> =
                        (&found.conditional | &found.definite).iter().map(Ordinal).collect();
                    let got =
                        lookup_missing(graph, program, &definition.name, name, subject, &ordinals, &context);
                    let expected: Result<Vec<Vec<SmolStr>>, QueryError> = ordinals
                        .iter()
                        .map(|ordinal| {
                            let named = graph.object_id(type_id, *ordinal);
                            let id = named.unwrap_or(&subject.object.object_id);
                            let object = pemba_model::ObjectRef::new(definition.name.clone(), id);
                            check(graph, program, &object, name, subject, &context)
                                .map(|answer| answer.missing)
                        })
                        .collect();
                    if got != expected {
                        let question = format!("missing of {} with {name} for {subject}", definition.name);
                        return Err(self.difference(question, &expected, &got));
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&self, subject: &SubjectRef, number: usize, steps_max: u64) -> Result<CheckAnswer, QueryError> {
        let atom = &self.oracle.atoms()[number];
        let context = QueryContext { steps_max, ..self.context() };
        check(self.snapshot, self.snapshot.program(), &atom.object, &atom.name, subject, &context)
    }

    /// With fewer steps than a question takes there is an error, never another answer.
    fn compare_limits(&self) -> Result<(), Box<Difference>> {
        let is_limit = |error: &QueryError| matches!(error, QueryError::TooManySteps { .. });
        let (graph, program) = (self.snapshot, self.snapshot.program());
        for subject in &self.subjects {
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let free = self.answer(subject, number, super::STEPS_MAX);
                for steps_max in [0, 1, 2, 3, 5, 8, 13] {
                    let got = self.answer(subject, number, steps_max);
                    let right = match (&free, &got) {
                        (_, Err(error)) if is_limit(error) => true,
                        (Ok(free), Ok(got)) => free == got,
                        (Err(free), Err(got)) => std::mem::discriminant(free) == std::mem::discriminant(got),
                        _ => false,
                    };
                    if !right {
                        let question =
                            format!("{}#{}@{subject} within {steps_max} steps", atom.object, atom.name);
                        return Err(self.difference(question, &free, &got));
                    }
                }
            }
            for atom in self.oracle.atoms() {
                let limited = |steps_max| QueryContext { steps_max, ..self.context() };
                let object = &atom.object;
                let resources = |steps_max| {
                    let (context, object_type) = (limited(steps_max), &object.object_type);
                    lookup_resources(graph, program, object_type, &atom.name, subject, &context)
                };
                let (subject_type, relation) = (&subject.object.object_type, subject.relation.as_deref());
                let subjects = |steps_max| {
                    let context = limited(steps_max);
                    lookup_subjects(graph, program, object, &atom.name, subject_type, relation, &context)
                };
                let (free_resources, free_subjects) =
                    (resources(super::STEPS_MAX), subjects(super::STEPS_MAX));
                for steps_max in [1, 4, 9] {
                    let (few_resources, few_subjects) = (resources(steps_max), subjects(steps_max));
                    let fits = few_resources.as_ref().err().is_some_and(is_limit)
                        || few_resources.is_err() == free_resources.is_err()
                            && few_resources.as_ref().ok() == free_resources.as_ref().ok();
                    let fits = fits
                        && (few_subjects.as_ref().err().is_some_and(is_limit)
                            || few_subjects.is_err() == free_subjects.is_err()
                                && few_subjects.as_ref().ok() == free_subjects.as_ref().ok());
                    if !fits {
                        let question =
                            format!("lookups at {object}#{}@{subject} within {steps_max}", atom.name);
                        let expected = (&free_resources, &free_subjects);
                        return Err(self.difference(question, &expected, &(few_resources, few_subjects)));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a further parameter may change: what misses it, and nothing else.
    fn compare_refined(&self, parameter: &SmolStr, refined: &CaveatTable) -> Result<(), Box<Difference>> {
        let context = QueryContext { caveats: refined, ..self.context() };
        for subject in &self.subjects {
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let Ok(before) = self.answer(subject, number, super::STEPS_MAX) else { continue };
                if before.missing.contains(parameter) {
                    continue;
                }
                let (graph, program) = (self.snapshot, self.snapshot.program());
                let after = check(graph, program, &atom.object, &atom.name, subject, &context);
                let same = after.as_ref().is_ok_and(|after| {
                    (after.permissionship, &after.missing) == (before.permissionship, &before.missing)
                });
                if !same {
                    let question =
                        format!("{}#{}@{subject} once {parameter} is given", atom.object, atom.name);
                    return Err(self.difference(question, &before, &after));
                }
            }
        }
        Ok(())
    }

    /// With every parameter given nothing is open.
    fn compare_decided(&self) -> Result<(), Box<Difference>> {
        for subject in &self.subjects {
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let got = self.answer(subject, number, super::STEPS_MAX);
                if got.as_ref().is_ok_and(|answer| answer.permissionship == Permissionship::Conditional) {
                    let question = format!("{}#{}@{subject} with everything given", atom.object, atom.name);
                    return Err(self.difference(question, &"no condition", &got));
                }
            }
        }
        Ok(())
    }
}

/// Guarantee 6: a limit is an error, never a denial or another answer.
pub fn limits_are_errors(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let mut scene = history.scene(case, history.versions.len() - 1, case.instants[0]);
    scene.keep_each(3);
    scene.compare_limits()
}

/// Guarantee 6: giving missing parameters one by one, in every order and with either value, changes no definite answer
/// and none that does not miss them; with all of them given no answer is open.
pub fn values_only_decide(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let last = history.versions.len() - 1;
    let mut open = vec![case.clone()];
    let mut seen = BTreeSet::new();
    while let Some(case) = open.pop() {
        if !seen.insert(case.given.clone()) {
            continue;
        }
        let scene = history.scene(&case, last, case.instants[0]);
        let missing: BTreeSet<SmolStr> = scene
            .caveats
            .parameters
            .values()
            .flatten()
            .filter(|name| !case.given.contains_key(*name))
            .cloned()
            .collect();
        if missing.is_empty() {
            scene.compare_decided()?;
        }
        for parameter in missing {
            for value in [Given::True, Given::False] {
                let mut next = case.clone();
                next.given.insert(parameter.clone(), value);
                scene.compare_refined(&parameter, &next.caveats(&scene.state.schema))?;
                open.push(next);
            }
        }
    }
    Ok(())
}
