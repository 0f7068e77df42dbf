//! What a subject has a permission on: the plans of a check, run backwards on whole sets of resources.

use pemba_model::{ObjectRef, SubjectRef};
use roaring::RoaringBitmap;

use crate::check::{UNKNOWN_SUBJECT, solve_checks};
use crate::edges::Reading;
use crate::graph::Graph;
use crate::ids::{Ordinal, TypeId};
use crate::lookup_missing::{OneByOne, first_fault};
use crate::lookup_sets::{Negation, Sets};
use crate::program::{PredicateId, Program, Question};
use crate::query::{Permissionship, QueryContext, QueryError, ResourceSet};
use crate::specialised::{Component, Specialised};

/// Finds every resource of a type on which the subject has the permission. A subject's own object that no relationship
/// mentions is found as `Ordinal::UNMENTIONED`. `lookup_missing` tells the parameters that
/// conditional ones miss. A resource that depends on a caveat that fails fails the whole lookup.
pub fn lookup_resources<G: Graph>(
    graph: &G,
    program: &Program,
    resource_type: &str,
    permission: &str,
    subject: &SubjectRef,
    context: &QueryContext<'_>,
) -> Result<ResourceSet, QueryError> {
    let (resource_type, predicate) = program.find(resource_type, permission)?;
    let (subject_type, specialised) =
        program.find_subject(&subject.object.object_type, subject.relation.as_deref())?;
    let question = Question { resource_type, predicate, subject_type, specialised };
    answer(graph, program, &question, &subject.object, context)
}

/// The answer to a lookup whose names are looked up.
pub(crate) fn answer<G: Graph>(
    graph: &G,
    program: &Program,
    question: &Question<'_>,
    subject: &ObjectRef,
    context: &QueryContext<'_>,
) -> Result<ResourceSet, QueryError> {
    let Question { resource_type, predicate, subject_type, specialised } = *question;
    let subject = graph.ordinal(subject_type, &subject.object_id).unwrap_or(UNKNOWN_SUBJECT);
    let lookup = Lookup { graph, program, specialised, subject, resource_type, predicate };
    let order = specialised.order_of(predicate);
    let mut reading = Reading::remembering(context);
    let mut found = if order.iter().any(|component| component.is_negative) {
        lookup.by_checks(&order, &mut reading)?
    } else {
        lookup.by_sets(&order, &mut reading)?
    };
    found.valid_until = reading.valid_until;
    Ok(found)
}

/// A lookup in numbers.
struct Lookup<'a, G> {
    graph: &'a G,
    program: &'a Program,
    specialised: &'a Specialised,
    subject: Ordinal,
    resource_type: TypeId,
    predicate: PredicateId,
}

impl<G: Graph> Lookup<'_, G> {
    /// Exact: negations only read what is already complete.
    fn by_sets(&self, order: &[&Component], reading: &mut Reading<'_>) -> Result<ResourceSet, QueryError> {
        let mut sets = Sets::new(self.graph, self.specialised, self.subject, Negation::Exact, reading);
        for component in order {
            sets.compute(component)?;
        }
        let (mut definite, possible) = sets.take(self.predicate);
        self.graph.keep_named(self.resource_type, &mut definite);
        let conditional = possible.map_or_else(RoaringBitmap::new, |mut possible| {
            self.graph.keep_named(self.resource_type, &mut possible);
            possible - &definite
        });
        // The sets take a caveat that failed for an open one; whether that matters only a check of each can say.
        if reading.has_faults {
            let Lookup { graph, program, specialised, subject, predicate, .. } = *self;
            let checks = OneByOne { graph, program, specialised, subject, predicate };
            first_fault(&checks.answer(conditional.iter().map(Ordinal), reading)?)?;
        }
        Ok(ResourceSet { resource_type: Some(self.resource_type), definite, conditional, valid_until: None })
    }

    /// Where a predicate can depend on its own absence: first every resource that could be found if nothing were
    /// excluded, then one system of equations for all of them.
    fn by_checks(&self, order: &[&Component], reading: &mut Reading<'_>) -> Result<ResourceSet, QueryError> {
        let mut sets = Sets::new(self.graph, self.specialised, self.subject, Negation::Ignored, reading);
        for component in order {
            sets.compute(component)?;
        }
        // With exclusions ignored there is one set, of all that is possible.
        let (mut candidates, _) = sets.take(self.predicate);
        self.graph.keep_named(self.resource_type, &mut candidates);
        let asked: Vec<(PredicateId, Ordinal)> =
            candidates.iter().map(|object| (self.predicate, Ordinal(object))).collect();
        let values = solve_checks(self.graph, self.program, self.specialised, self.subject, &asked, reading)?;
        first_fault(&values)?;
        let mut found = ResourceSet { resource_type: Some(self.resource_type), ..ResourceSet::default() };
        for (object, (value, _)) in candidates.iter().zip(values) {
            match value {
                Permissionship::No => {}
                Permissionship::Conditional => {
                    found.conditional.insert(object);
                }
                Permissionship::Yes => {
                    found.definite.insert(object);
                }
            }
        }
        Ok(found)
    }
}
