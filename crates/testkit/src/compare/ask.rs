//! Checks, one by one and in bulk, against the oracle.

use std::collections::BTreeSet;

use pemba_engine::query::CheckItem;
use pemba_engine::{CheckAnswer, Permissionship, QueryContext, QueryError, Snapshot};
use pemba_engine::{check, check_bulk, check_general};
use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};

use super::{Difference, STEPS_MAX};
use crate::caveats::CaveatTable;
use crate::generate::State;
use crate::oracle::{Answer, Atom, Oracle, Solution, Value};

/// A snapshot beside the state it must show, at one instant, with every answer worked out.
pub struct Scene<'a> {
    /// The engine's side.
    pub snapshot: &'a Snapshot,
    /// The other side.
    pub state: &'a State,
    /// The instant.
    pub now: Timestamp,
    /// What requests say of caveats.
    pub caveats: CaveatTable,
    /// Objects that an ordinal is certain for: those mentioned up to this revision.
    pub mentioned: BTreeSet<ObjectRef>,
    /// Every subject to ask about.
    pub subjects: Vec<SubjectRef>,
    /// The oracle.
    pub oracle: Oracle,
    /// Its solution for each subject, in their order.
    pub solutions: Vec<Solution>,
}

/// The engine's word for a value.
pub(super) fn permissionship(value: Value) -> Permissionship {
    match value {
        Value::No => Permissionship::No,
        Value::Maybe => Permissionship::Conditional,
        Value::Yes => Permissionship::Yes,
    }
}

/// Whether the engine's answer is what the oracle says. `exact` also compares the missing parameters.
fn agrees(expected: &Answer, got: &Result<CheckAnswer, QueryError>, exact: bool) -> bool {
    match (expected, got) {
        (Answer::Value(value, missing), Ok(answer)) => {
            answer.permissionship == permissionship(*value)
                && (!exact || answer.missing == *missing)
                && answer.missing.is_sorted_by(|a, b| a < b)
                && answer.missing.is_empty() == (*value != Value::Maybe)
        }
        (Answer::Fault(caveat, text), Err(error)) => {
            error.failed_caveat() == Some(caveat) && error.to_string() == *text
        }
        (Answer::Contradiction, Err(QueryError::Contradiction { .. }))
        | (Answer::UnknownDefinition, Err(QueryError::UnknownDefinition(_)))
        | (Answer::UnknownRelation, Err(QueryError::UnknownRelation { .. })) => true,
        _ => false,
    }
}

/// One check from nothing: the oracle's answer and the engine's.
pub fn check_once(
    snapshot: &Snapshot,
    state: &State,
    (object, name, subject): (&ObjectRef, &str, &SubjectRef),
    now: Timestamp,
    caveats: &CaveatTable,
) -> (Answer, Result<CheckAnswer, QueryError>) {
    let mut objects = state.objects();
    objects.extend([object.clone(), subject.object.clone()]);
    let oracle = Oracle::new(&state.schema, &state.list(), &objects, now, caveats);
    let context = QueryContext { now, steps_max: STEPS_MAX, caveats };
    let got = check(snapshot, snapshot.program(), object, name, subject, &context);
    (oracle.check(object, name, subject), got)
}

impl<'a> Scene<'a> {
    /// Works out every answer for the objects given and every subject made of them.
    pub fn new(
        snapshot: &'a Snapshot,
        state: &'a State,
        mentioned: &BTreeSet<ObjectRef>,
        objects: &BTreeSet<ObjectRef>,
        now: Timestamp,
        caveats: CaveatTable,
    ) -> Scene<'a> {
        let oracle = Oracle::new(&state.schema, &state.list(), objects, now, &caveats);
        let subjects = state.subjects(objects);
        let solutions = subjects.iter().map(|subject| oracle.solve(subject)).collect();
        let mentioned = mentioned.clone();
        Scene { snapshot, state, now, caveats, mentioned, subjects, oracle, solutions }
    }

    /// Leaves out all subjects but each one in `step`.
    pub fn keep_each(&mut self, step: usize) {
        self.subjects = self.subjects.iter().step_by(step).cloned().collect();
        self.solutions = self.solutions.iter().step_by(step).cloned().collect();
    }

    /// What queries are given.
    pub fn context(&self) -> QueryContext<'_> {
        QueryContext { now: self.now, steps_max: STEPS_MAX, caveats: &self.caveats }
    }

    /// What the oracle says to a check: the place of a subject and the number of an atom.
    pub fn expected(&self, subject: usize, number: usize) -> Answer {
        self.solutions[subject].answer(number)
    }

    pub(super) fn difference(
        &self,
        question: String,
        expected: &impl std::fmt::Debug,
        got: &impl std::fmt::Debug,
    ) -> Box<Difference> {
        Box::new(Difference {
            state: self.state.clone(),
            now: self.now,
            caveats: self.caveats.clone(),
            question,
            check: None,
            expected: format!("{expected:?}"),
            got: format!("{got:?}"),
        })
    }

    fn check_difference(
        &self,
        how: &str,
        atom: &Atom,
        subject: &SubjectRef,
        expected: &Answer,
        got: &Result<CheckAnswer, QueryError>,
    ) -> Box<Difference> {
        let question = format!("{how} {}#{}@{subject}", atom.object, atom.name);
        let mut difference = self.difference(question, expected, got);
        difference.check = Some((atom.object.clone(), atom.name.clone(), subject.clone()));
        difference
    }

    /// Every object's every name for every subject, one by one and in bulk.
    pub fn compare_checks(&self) -> Result<(), Box<Difference>> {
        let context = self.context();
        for (place, subject) in self.subjects.iter().enumerate() {
            let exact = !self.solutions[place].has_contradiction();
            let mut answers = Vec::new();
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let (graph, program) = (self.snapshot, self.snapshot.program());
                let got = check(graph, program, &atom.object, &atom.name, subject, &context);
                let expected = self.expected(place, number);
                if !agrees(&expected, &got, exact) {
                    return Err(self.check_difference("check", atom, subject, &expected, &got));
                }
                let general = check_general(graph, program, &atom.object, &atom.name, subject, &context);
                if !agrees(&expected, &general, exact) {
                    return Err(self.check_difference("general check", atom, subject, &expected, &general));
                }
                answers.push(got);
            }
            self.compare_bulk(subject, &answers)?;
        }
        Ok(())
    }

    fn compare_bulk(
        &self,
        subject: &SubjectRef,
        answers: &[Result<CheckAnswer, QueryError>],
    ) -> Result<(), Box<Difference>> {
        let items: Vec<CheckItem<'_>> = self
            .oracle
            .atoms()
            .iter()
            .map(|atom| CheckItem {
                resource: &atom.object,
                permission: &atom.name,
                subject,
                caveats: &self.caveats,
            })
            .collect();
        let got = check_bulk(self.snapshot, self.snapshot.program(), &items, self.now, STEPS_MAX);
        for ((one, bulk), atom) in answers.iter().zip(&got).zip(self.oracle.atoms()) {
            let same = match (one, bulk) {
                (Ok(one), Ok(bulk)) => {
                    one.permissionship == bulk.permissionship && one.missing == bulk.missing
                }
                (Err(one), Err(bulk)) if one.failed_caveat().is_some() => one == bulk,
                (Err(one), Err(bulk)) => std::mem::discriminant(one) == std::mem::discriminant(bulk),
                _ => false,
            };
            if !same {
                let question = format!("bulk check {}#{}@{subject}", atom.object, atom.name);
                return Err(self.difference(question, one, bulk));
            }
        }
        if got.len() == answers.len() {
            return Ok(());
        }
        Err(self.difference(format!("bulk check of all for {subject}"), &answers.len(), &got.len()))
    }

    /// Names that the schema lacks are errors, each of its kind.
    pub fn compare_unknown(&self) -> Result<(), Box<Difference>> {
        let Some(atom) = self.oracle.atoms().first() else { return Ok(()) };
        let user = SubjectRef::direct(atom.object.object_type.clone(), "a");
        let nobody = SubjectRef::direct("nothing", "a");
        let no_relation = SubjectRef { object: user.object.clone(), relation: Some("nothing".into()) };
        let nowhere = ObjectRef::new("nothing", "a");
        let questions: [(&ObjectRef, &SmolStr, &SubjectRef); 4] = [
            (&nowhere, &atom.name, &user),
            (&atom.object, &atom.name, &nobody),
            (&atom.object, &SmolStr::new("nothing"), &user),
            (&atom.object, &atom.name, &no_relation),
        ];
        for (object, name, subject) in questions {
            let expected = self.oracle.check(object, name, subject);
            let got = check(self.snapshot, self.snapshot.program(), object, name, subject, &self.context());
            if !agrees(&expected, &got, true) {
                return Err(self.difference(format!("check {object}#{name}@{subject}"), &expected, &got));
            }
        }
        Ok(())
    }
}
