//! Who has a permission on an object: the equations of a check, solved for all subjects of a type at once.

use pemba_model::ObjectRef;
use roaring::RoaringBitmap;
use smol_str::SmolStr;

use crate::check::{UNKNOWN_SUBJECT, contradiction, solve_checks};
use crate::check_walk::{Stop, Walk};
use crate::closure::Closure;
use crate::edges::Reading;
use crate::graph::Graph;
use crate::ground::{Domain, Equations, Grounding, Node};
use crate::ids::{KindId, Ordinal, TypeId};
use crate::lookup_union::{plainly_named, subjects_of};
use crate::program::{PredicateId, Program};
use crate::query::{FoundSubject, Permissionship, QueryContext, QueryError, SubjectSet};
use crate::reasons::{Reason, Summary};
use crate::solve::solve;
use crate::specialised::{RelationPlan, Specialised};
use crate::value::Value;
use crate::value_subjects::Subjects;

/// Finds every subject of a type (with `subject_relation`, every userset of that name) that has the permission.
/// A resource that no relationship mentions and that has the permission on itself is found as `Ordinal::UNMENTIONED`.
/// Subjects covered only by a wildcard are not listed one by one: the answer's `wildcard` speaks for them. A subject
/// (or a wildcard) that depends on a caveat that fails fails the whole lookup.
pub fn lookup_subjects<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject_type: &str,
    subject_relation: Option<&str>,
    context: &QueryContext<'_>,
) -> Result<SubjectSet, QueryError> {
    let asked = (resource, permission, subject_type, subject_relation);
    answer(graph, program, asked, context, subjects_of)
}

/// The answer of `lookup_subjects` by the equations alone: the slow way, which the quick one must agree with.
#[doc(hidden)]
pub fn lookup_subjects_general<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    subject_type: &str,
    subject_relation: Option<&str>,
    context: &QueryContext<'_>,
) -> Result<SubjectSet, QueryError> {
    let asked = (resource, permission, subject_type, subject_relation);
    answer(graph, program, asked, context, |_, _, _, _, _| Ok(None))
}

/// The answer to a lookup: the resource, its permission, the subjects' type and relation. By the quick way, or where that
/// gives up by the equations.
fn answer<G: Graph>(
    graph: &G,
    program: &Program,
    (resource, permission, subject_type, subject_relation): (&ObjectRef, &str, &str, Option<&str>),
    context: &QueryContext<'_>,
    quick: impl FnOnce(
        &G,
        &Specialised,
        PredicateId,
        Ordinal,
        &mut Reading<'_>,
    ) -> Result<Option<Subjects>, QueryError>,
) -> Result<SubjectSet, QueryError> {
    let (resource_type, predicate) = program.find(&resource.object_type, permission)?;
    let (type_id, specialised) = program.find_subject(subject_type, subject_relation)?;
    // An object never mentioned has no edges; what it may have is itself.
    let object = graph.ordinal(resource_type, &resource.object_id).unwrap_or(UNKNOWN_SUBJECT);
    let mut reading = Reading::remembering(context);
    let (value, apart) = match quick(graph, specialised, predicate, object, &mut reading)? {
        // Nothing holds for everybody on a condition.
        Some(value) => (value, RoaringBitmap::new()),
        None => solved(graph, program, specialised, predicate, object, &mut reading)?,
    };
    let faults = Summary::default();
    let mut asker = Asker { graph, program, specialised, predicate, object, reading, apart, faults };
    let mut answer = asker.report(&value, type_id)?;
    answer.subject_type = Some(type_id);
    answer.valid_until = asker.reading.valid_until;
    Ok(answer)
}

/// The value by the equations, and whom some grant names who may hold on other conditions than everybody.
fn solved<G: Graph>(
    graph: &G,
    program: &Program,
    specialised: &Specialised,
    predicate: PredicateId,
    object: Ordinal,
    reading: &mut Reading<'_>,
) -> Result<(Subjects, RoaringBitmap), QueryError> {
    let mut grounding = Grounding::new(graph, specialised, AllSubjects, reading);
    let root = grounding.atom(predicate, object);
    let (equations, reading) = grounding.finish()?;
    let apart = named_anywhere(&equations, reading)?;
    let mut solution = solve(equations, &[root], reading)?;
    let value = solution.take(root).ok_or_else(|| contradiction(graph, program, solution.contradiction()))?;
    Ok((value, apart))
}

/// Whom some grant names, where something holds for everybody on a condition: the value of such a subject may be that of
/// everybody, and depend on more.
fn named_anywhere(
    equations: &Equations<Subjects>,
    reading: &mut Reading<'_>,
) -> Result<RoaringBitmap, QueryError> {
    let known = || {
        equations.nodes.iter().filter_map(|node| match node {
            Node::Known(value) => Some(value),
            _ => None,
        })
    };
    let mut named = RoaringBitmap::new();
    if !known().any(|value| value.default_value() == Permissionship::Conditional) {
        return Ok(named);
    }
    for value in known() {
        reading.charge(value.weight())?;
        named |= &value.definite.exceptions;
        named |= &value.possible.exceptions;
    }
    Ok(named)
}

/// The domain of a lookup of subjects.
struct AllSubjects;

impl<G: Graph> Domain<G> for AllSubjects {
    type Value = Subjects;

    fn itself(&self, object: Ordinal) -> Subjects {
        Subjects::one(object.0)
    }

    fn leaf(
        &mut self,
        graph: &G,
        plan: &RelationPlan,
        object: Ordinal,
        reading: &mut Reading<'_>,
        _reasons: &mut Vec<Reason>,
    ) -> Result<Subjects, QueryError> {
        let mut value = Subjects::bottom();
        if let Some(kind) = plan.direct {
            let plain = graph.subjects(kind, object);
            reading.charge_len(plain.len())?;
            plain.add_to(&mut value.named);
            value.definite.exceptions.clone_from(&value.named);
            value.possible.exceptions.clone_from(&value.named);
            for_each_qualified(graph, kind, object, reading, |point, level| value.name(point.0, level))?;
        }
        if let Some(kind) = plan.wildcard {
            if graph.subjects(kind, object).contains(Ordinal::WILDCARD) {
                value.give_all(Permissionship::Yes);
            }
            for_each_qualified(graph, kind, object, reading, |_, level| value.give_all(level))?;
        }
        Ok(value)
    }
}

fn for_each_qualified<G: Graph>(
    graph: &G,
    kind: KindId,
    object: Ordinal,
    reading: &mut Reading<'_>,
    mut visit: impl FnMut(Ordinal, Permissionship),
) -> Result<(), QueryError> {
    if !graph.has_qualified(kind) {
        return Ok(());
    }
    for edge in graph.qualified_subjects(kind, object) {
        reading.charge(1)?;
        visit(edge.other, reading.state(&edge.qualifier)?.value());
    }
    Ok(())
}

/// Puts a solved value into an answer; asks the check of a conditional subject which parameters it misses.
struct Asker<'a, 'b, G> {
    graph: &'a G,
    program: &'a Program,
    specialised: &'a Specialised,
    predicate: PredicateId,
    object: Ordinal,
    reading: Reading<'b>,
    /// Whom some grant names who may hold on other conditions than everybody.
    apart: RoaringBitmap,
    /// The first fault of all that were found.
    faults: Summary,
}

impl<G: Graph> Asker<'_, '_, G> {
    fn report(&mut self, value: &Subjects, subject_type: TypeId) -> Result<SubjectSet, QueryError> {
        if let Some(named) = plainly_named(value) {
            let mut named = named.clone();
            self.graph.keep_named(subject_type, &mut named);
            self.reading.charge(named.len())?;
            let concrete = named.iter().map(|point| FoundSubject {
                ordinal: Ordinal(point),
                permissionship: Permissionship::Yes,
                missing: Vec::new(),
            });
            return Ok(SubjectSet { concrete: concrete.collect(), ..SubjectSet::default() });
        }
        let wildcard = value.default_value();
        let mut points = &value.definite.exceptions | &value.possible.exceptions;
        points |= &value.named;
        self.graph.keep_named(subject_type, &mut points);
        self.reading.charge(points.len())?;
        let (mut excluded, mut concrete) = (RoaringBitmap::new(), RoaringBitmap::new());
        for point in &points {
            let level = value.value_of(point);
            if level < wildcard {
                excluded.insert(point);
            }
            if level > wildcard || (level > Permissionship::No && value.named.contains(point)) {
                concrete.insert(point);
            }
        }
        let missing = match wildcard {
            Permissionship::Conditional => self.missing(UNKNOWN_SUBJECT)?,
            _ => Vec::new(),
        };
        let excluded = excluded.iter().map(|point| self.excluded(value, point)).collect::<Result<_, _>>()?;
        let mut apart = std::mem::take(&mut self.apart);
        let mut concrete: Vec<FoundSubject> =
            concrete.iter().map(|point| self.concrete(value, point)).collect::<Result<_, _>>()?;
        if wildcard == Permissionship::Conditional {
            apart -= points;
            concrete.extend(self.otherwise(subject_type, apart, &missing)?);
            concrete.sort_unstable_by_key(|found| found.ordinal);
        }
        std::mem::take(&mut self.faults).into_missing()?;
        Ok(SubjectSet { wildcard: (wildcard, missing), excluded, concrete, ..SubjectSet::default() })
    }

    /// Those of these subjects, all as conditional as everybody, who miss other parameters than everybody does.
    fn otherwise(
        &mut self,
        subject_type: TypeId,
        mut points: RoaringBitmap,
        missing_all: &[SmolStr],
    ) -> Result<Vec<FoundSubject>, QueryError> {
        self.graph.keep_named(subject_type, &mut points);
        self.reading.charge(points.len())?;
        let mut found = Vec::new();
        for point in &points {
            let (ordinal, permissionship) = (Ordinal(point), Permissionship::Conditional);
            let missing = self.missing(ordinal)?;
            if missing != missing_all {
                found.push(FoundSubject { ordinal, permissionship, missing });
            }
        }
        Ok(found)
    }

    fn excluded(&mut self, value: &Subjects, point: u32) -> Result<FoundSubject, QueryError> {
        let ordinal = Ordinal(point);
        Ok(match value.value_of(point) {
            Permissionship::Conditional => FoundSubject {
                ordinal,
                permissionship: Permissionship::Conditional,
                missing: self.missing(ordinal)?,
            },
            _ => FoundSubject { ordinal, permissionship: Permissionship::Yes, missing: Vec::new() },
        })
    }

    fn concrete(&mut self, value: &Subjects, point: u32) -> Result<FoundSubject, QueryError> {
        let (ordinal, permissionship) = (Ordinal(point), value.value_of(point));
        let missing = match permissionship {
            Permissionship::Conditional => self.missing(ordinal)?,
            _ => Vec::new(),
        };
        Ok(FoundSubject { ordinal, permissionship, missing })
    }

    fn missing(&mut self, subject: Ordinal) -> Result<Vec<SmolStr>, QueryError> {
        let mut closure: Option<Closure> = None;
        let mut walk = Walk::new(self.graph, self.specialised, subject, &mut closure, &mut self.reading);
        let summary = match walk.atom(self.predicate, self.object, 0) {
            Ok(_) => walk.into_summary(),
            Err(Stop::Refused(error)) => return Err(*error),
            Err(Stop::Exhausted) => {
                let asked = [(self.predicate, self.object)];
                let mut answers = solve_checks(
                    self.graph,
                    self.program,
                    self.specialised,
                    subject,
                    &asked,
                    &mut self.reading,
                )?;
                answers.pop().unwrap_or_default().1
            }
        };
        self.faults.merge_fault(&summary);
        Ok(summary.missing)
    }
}
