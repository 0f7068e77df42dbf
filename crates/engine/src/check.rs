//! Whether a subject has a permission: the quick walk first, the general solver where it gives up.

use pemba_model::{ObjectRef, SubjectRef};

use crate::check_walk::{Stop, Walk};
use crate::closure::Closure;
use crate::edges::{EdgeState, Reading};
use crate::graph::{Graph, QualifiedEdge};
use crate::ground::{Domain, Grounding};
use crate::ids::{KindId, Ordinal, TypeId};
use crate::program::{PredicateId, Program, Question};
use crate::query::{CheckAnswer, Permissionship, QueryContext, QueryError};
use crate::reasons::{Reason, Summary};
use crate::solve::solve;
use crate::specialised::{Ahead, RelationPlan, Specialised};

/// An object never mentioned; above every ordinal, so it has no edges.
const UNKNOWN_RESOURCE: Ordinal = Ordinal(Ordinal::MAX.0 + 1);
/// A subject never mentioned, and not the resource.
pub(crate) const UNKNOWN_SUBJECT: Ordinal = Ordinal::UNMENTIONED;

/// Whether the subject has the permission (or relation) on the resource.
pub fn check<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject: &SubjectRef,
    context: &QueryContext<'_>,
) -> Result<CheckAnswer, QueryError> {
    let question = program.question(resource, permission, subject)?;
    answer(graph, program, &question, resource, subject, context)
}

/// The answer to a check whose names are looked up.
pub(crate) fn answer<G: Graph>(
    graph: &G,
    program: &Program,
    question: &Question<'_>,
    resource: &ObjectRef,
    subject: &SubjectRef,
    context: &QueryContext<'_>,
) -> Result<CheckAnswer, QueryError> {
    let (object, subject) = resolve(graph, question, resource, subject);
    let asked = Asked { graph, program, question, object, subject };
    // A single row is read at once anyway.
    if let Some(ahead) = question.specialised.ahead(question.predicate).filter(|ahead| ahead.rows.len() > 1) {
        asked.ask_ahead(ahead, true);
    }
    asked.answer(&mut None, context)
}

/// The answer of `check` by the general solver alone: the slow way, which the quick one must agree with.
#[doc(hidden)]
pub fn check_general<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject: &SubjectRef,
    context: &QueryContext<'_>,
) -> Result<CheckAnswer, QueryError> {
    let question = program.question(resource, permission, subject)?;
    let (object, subject) = resolve(graph, &question, resource, subject);
    Asked { graph, program, question: &question, object, subject }.general(&mut Reading::new(context))
}

/// The numbers of a resource and a subject. Objects never mentioned have numbers above all others.
pub(crate) fn resolve<G: Graph>(
    graph: &G,
    question: &Question<'_>,
    resource: &ObjectRef,
    subject: &SubjectRef,
) -> (Ordinal, Ordinal) {
    let asked = [
        (question.resource_type, resource.object_id.as_str()),
        (question.subject_type, subject.object.object_id.as_str()),
    ];
    let mut found = [None; 2];
    graph.ordinals(&asked, &mut found);
    ordinals_of(question, asked, found)
}

/// What `resolve` says, from what was found. A subject that is the resource has the resource's number, even if a name was
/// given a number between the two.
pub(crate) fn ordinals_of(
    question: &Question<'_>,
    [(_, resource_id), (_, subject_id)]: [(TypeId, &str); 2],
    [object, subject]: [Option<Ordinal>; 2],
) -> (Ordinal, Ordinal) {
    let object = object.unwrap_or(UNKNOWN_RESOURCE);
    if question.resource_type == question.subject_type && resource_id == subject_id {
        return (object, object);
    }
    (object, subject.unwrap_or(UNKNOWN_SUBJECT))
}

/// A check in numbers.
pub(crate) struct Asked<'a, G> {
    pub(crate) graph: &'a G,
    pub(crate) program: &'a Program,
    pub(crate) question: &'a Question<'a>,
    pub(crate) object: Ordinal,
    pub(crate) subject: Ordinal,
}

impl<G: Graph> Asked<'_, G> {
    /// The answer; the subject's closure is put where it is kept for further checks, if it was needed.
    pub(crate) fn answer(
        &self,
        closure: &mut Option<Closure>,
        context: &QueryContext<'_>,
    ) -> Result<CheckAnswer, QueryError> {
        let mut reading = Reading::new(context);
        let mut walk = Walk::new(self.graph, self.question.specialised, self.subject, closure, &mut reading);
        match walk.atom(self.question.predicate, self.object, 0) {
            Ok(permissionship) => {
                let missing = walk.into_summary().into_missing()?;
                Ok(CheckAnswer { permissionship, missing, valid_until: reading.valid_until })
            }
            Err(Stop::Refused(error)) => Err(*error),
            Err(Stop::Exhausted) => self.general(&mut reading),
        }
    }

    /// Asks for the rows that the walk reads first, and for those that the subject's closure begins with.
    pub(crate) fn ask_ahead(&self, ahead: &Ahead, for_closure: bool) {
        ask_rows(self.graph, ahead, self.object);
        if for_closure {
            ask_groups(self.graph, ahead, self.question.specialised, self.subject);
        }
    }

    fn general(&self, reading: &mut Reading<'_>) -> Result<CheckAnswer, QueryError> {
        let mut answers = solve_checks(
            self.graph,
            self.program,
            self.question.specialised,
            self.subject,
            &[(self.question.predicate, self.object)],
            reading,
        )?;
        let (permissionship, reasons) = answers.pop().unwrap_or_default();
        let missing = reasons.into_missing()?;
        Ok(CheckAnswer { permissionship, missing, valid_until: reading.valid_until })
    }
}

/// Asks for the rows of the resource that a walk reads first.
pub(crate) fn ask_rows<G: Graph>(graph: &G, ahead: &Ahead, object: Ordinal) {
    ahead.rows.iter().for_each(|kind| graph.prefetch_subjects(*kind, object));
}

/// Asks for the rows that the subject's closure begins with, if it may be needed.
pub(crate) fn ask_groups<G: Graph>(graph: &G, ahead: &Ahead, specialised: &Specialised, subject: Ordinal) {
    if ahead.by_closure {
        for kind in specialised.closable.iter().filter_map(|closable| closable.direct) {
            graph.prefetch_resources(kind, subject);
        }
    }
}

/// Answers several checks of one subject by one system of equations, in order, with the reasons of conditional answers.
/// Fails when any has no answer.
pub(crate) fn solve_checks<G: Graph>(
    graph: &G,
    program: &Program,
    specialised: &Specialised,
    subject: Ordinal,
    asked: &[(PredicateId, Ordinal)],
    reading: &mut Reading<'_>,
) -> Result<Vec<(Permissionship, Summary)>, QueryError> {
    solve_each(graph, program, specialised, subject, asked, reading)?.into_iter().collect()
}

/// A value, with the reasons if it is conditional.
type Answer = (Permissionship, Summary);

/// The same, where each has an answer of its own.
pub(crate) fn solve_each<G: Graph>(
    graph: &G,
    program: &Program,
    specialised: &Specialised,
    subject: Ordinal,
    asked: &[(PredicateId, Ordinal)],
    reading: &mut Reading<'_>,
) -> Result<Vec<Result<Answer, QueryError>>, QueryError> {
    let mut grounding = Grounding::new(graph, specialised, OneSubject(subject), reading);
    let roots: Vec<u32> =
        asked.iter().map(|(predicate, object)| grounding.atom(*predicate, *object)).collect();
    let (equations, reading) = grounding.finish()?;
    let solution = solve(equations, &roots, reading)?;
    let reasons = solution.reasons(&roots, reading)?;
    let answers = roots.iter().zip(reasons).map(|(root, reasons)| match solution.value(*root) {
        Some(value) => Ok((*value, reasons)),
        None => Err(contradiction(graph, program, solution.contradiction())),
    });
    Ok(answers.collect())
}

/// The error for a question without a value, given where that comes from.
pub(crate) fn contradiction<G: Graph>(
    graph: &G,
    program: &Program,
    at: Option<(PredicateId, Ordinal)>,
) -> QueryError {
    let predicate = at.and_then(|(id, object)| Some((program.predicate(id)?, object)));
    let at = predicate.map_or_else(String::new, |(predicate, object)| {
        let object_id = graph.object_id(predicate.type_id, object).unwrap_or("?");
        format!("{}:{object_id}#{}", predicate.object_type, predicate.name)
    });
    QueryError::Contradiction { at }
}

/// The domain of a check.
struct OneSubject(Ordinal);

impl<G: Graph> Domain<G> for OneSubject {
    type Value = Permissionship;

    fn itself(&self, object: Ordinal) -> Permissionship {
        if object == self.0 { Permissionship::Yes } else { Permissionship::No }
    }

    fn leaf(
        &mut self,
        graph: &G,
        plan: &RelationPlan,
        object: Ordinal,
        reading: &mut Reading<'_>,
        reasons: &mut Vec<Reason>,
    ) -> Result<Permissionship, QueryError> {
        single_edges(graph, plan, object, self.0, reading, reasons)
    }
}

/// What one subject has by its own and by the wildcard's edge. The reasons are added when it is conditional.
fn single_edges<G: Graph>(
    graph: &G,
    plan: &RelationPlan,
    object: Ordinal,
    subject: Ordinal,
    reading: &mut Reading<'_>,
    reasons: &mut Vec<Reason>,
) -> Result<Permissionship, QueryError> {
    reading.charge(1)?;
    if has_plain_edge(graph, plan, object, subject) {
        return Ok(Permissionship::Yes);
    }
    qualified_edges(graph, plan, object, subject, reading, reasons)
}

/// Whether a plain edge gives it to the subject or to everybody.
#[inline]
pub(crate) fn has_plain_edge<G: Graph>(
    graph: &G,
    plan: &RelationPlan,
    object: Ordinal,
    subject: Ordinal,
) -> bool {
    plan.direct.is_some_and(|kind| graph.subjects(kind, object).contains(subject))
        || plan.wildcard.is_some_and(|kind| graph.subjects(kind, object).contains(Ordinal::WILDCARD))
}

/// What the subject's own and the wildcard's qualified edges give. The reasons are added when it is conditional.
pub(crate) fn qualified_edges<G: Graph>(
    graph: &G,
    plan: &RelationPlan,
    object: Ordinal,
    subject: Ordinal,
    reading: &mut Reading<'_>,
    reasons: &mut Vec<Reason>,
) -> Result<Permissionship, QueryError> {
    let direct = plan.direct.map(|kind| (kind, subject));
    let wildcard = plan.wildcard.map(|kind| (kind, Ordinal::WILDCARD));
    let start = reasons.len();
    let mut value = Permissionship::No;
    for (kind, end) in direct.into_iter().chain(wildcard) {
        let Some(edge) = qualified_edge(graph, kind, object, end) else { continue };
        let state = reading.state(&edge.qualifier)?;
        value = value.max(state.value());
        match state {
            EdgeState::Absent => {}
            EdgeState::Holds => {
                reasons.truncate(start);
                return Ok(value);
            }
            EdgeState::Depends(depends) => reasons.extend(depends),
        }
    }
    Ok(value)
}

/// The qualified edge between two objects.
pub(crate) fn qualified_edge<G: Graph>(
    graph: &G,
    kind: KindId,
    object: Ordinal,
    subject: Ordinal,
) -> Option<&QualifiedEdge> {
    if !graph.has_qualified(kind) {
        return None;
    }
    let edges = graph.qualified_subjects(kind, object);
    let at = edges.binary_search_by_key(&subject, |edge| edge.other).ok()?;
    edges.get(at)
}
