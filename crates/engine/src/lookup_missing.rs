//! What conditional resources of a lookup still depend on: the checks of one subject on many resources at once.

use pemba_model::SubjectRef;
use smol_str::SmolStr;

use crate::check::{UNKNOWN_SUBJECT, solve_checks};
use crate::check_walk::{Stop, Walk};
use crate::closure::Closure;
use crate::edges::Reading;
use crate::graph::Graph;
use crate::ids::Ordinal;
use crate::program::{PredicateId, Program};
use crate::query::{Permissionship, QueryContext, QueryError};
use crate::reasons::Summary;
use crate::specialised::Specialised;

/// For each of these resources of one type, in their order, the parameters that decide whether the subject has the
/// permission, sorted, each once; empty for a resource on which it certainly has it or has not. What a check of each
/// would say, with what is found out about the subject shared, and within one query's steps.
pub fn lookup_missing<G: Graph>(
    graph: &G,
    program: &Program,
    resource_type: &str,
    permission: &str,
    subject: &SubjectRef,
    resources: &[Ordinal],
    context: &QueryContext<'_>,
) -> Result<Vec<Vec<SmolStr>>, QueryError> {
    let (_, predicate) = program.find(resource_type, permission)?;
    let (subject_type, specialised) =
        program.find_subject(&subject.object.object_type, subject.relation.as_deref())?;
    let subject = graph.ordinal(subject_type, &subject.object.object_id).unwrap_or(UNKNOWN_SUBJECT);
    let mut reading = Reading::remembering(context);
    let on = OneByOne { graph, program, specialised, subject, predicate };
    let answers = on.answer(resources.iter().copied(), &mut reading)?;
    first_fault(&answers)?;
    Ok(answers.into_iter().map(|(_, summary)| summary.missing).collect())
}

/// The error if some answer depends on a caveat that failed: the first of all such faults.
pub(crate) fn first_fault(answers: &[(Permissionship, Summary)]) -> Result<(), QueryError> {
    let mut all = Summary::default();
    answers.iter().for_each(|(_, summary)| all.merge_fault(summary));
    all.into_missing().map(|_| ())
}

/// The checks of one subject and permission on many resources.
pub(crate) struct OneByOne<'a, G> {
    pub(crate) graph: &'a G,
    pub(crate) program: &'a Program,
    pub(crate) specialised: &'a Specialised,
    pub(crate) subject: Ordinal,
    pub(crate) predicate: PredicateId,
}

impl<G: Graph> OneByOne<'_, G> {
    /// The answers in the order of the resources: by the quick walk with one closure for all, and by one system of
    /// equations for all those on which it gives up.
    pub(crate) fn answer(
        &self,
        resources: impl Iterator<Item = Ordinal>,
        reading: &mut Reading<'_>,
    ) -> Result<Vec<(Permissionship, Summary)>, QueryError> {
        let mut closure: Option<Closure> = None;
        let mut answers = Vec::new();
        let (mut hard, mut places) = (Vec::new(), Vec::new());
        for resource in resources {
            let mut walk = Walk::new(self.graph, self.specialised, self.subject, &mut closure, reading);
            match walk.atom(self.predicate, resource, 0) {
                Ok(value) => answers.push((value, walk.into_summary())),
                Err(Stop::Refused(error)) => return Err(*error),
                Err(Stop::Exhausted) => {
                    places.push(answers.len());
                    hard.push((self.predicate, resource));
                    answers.push((Permissionship::No, Summary::default()));
                }
            }
        }
        if hard.is_empty() {
            return Ok(answers);
        }
        let solved = solve_checks(self.graph, self.program, self.specialised, self.subject, &hard, reading)?;
        for (place, answer) in places.into_iter().zip(solved) {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        }
        Ok(answers)
    }
}
