//! Single guarantees, each as a property of one case.

use std::collections::BTreeSet;

use pemba_engine::{
    CheckAnswer, Graph, Permissionship, QueryError, ResourceSet, check, lookup_resources, lookup_subjects,
};
use pemba_model::{RelationshipFilter, SubjectRef, Timestamp};

use super::{Difference, History, Scene, replay};
use crate::generate::{Case, Step};

/// Everything a snapshot says, for comparison with itself.
#[derive(Debug, Clone, PartialEq)]
struct Testimony {
    checks: Vec<Result<CheckAnswer, QueryError>>,
    lookups: Vec<Result<ResourceSet, QueryError>>,
    rows: Vec<String>,
}

impl Scene<'_> {
    fn check(&self, subject: &SubjectRef, number: usize) -> Result<CheckAnswer, QueryError> {
        let atom = &self.oracle.atoms()[number];
        check(self.snapshot, self.snapshot.program(), &atom.object, &atom.name, subject, &self.context())
    }

    fn testimony(&self) -> Testimony {
        let mut checks = Vec::new();
        let mut lookups = Vec::new();
        let (graph, program, context) = (self.snapshot, self.snapshot.program(), self.context());
        // Strangers and those mentioned only later have no ordinal yet and may get one.
        for subject in self.subjects.iter().filter(|subject| self.mentioned.contains(&subject.object)) {
            checks.extend((0..self.oracle.atoms().len()).map(|number| self.check(subject, number)));
            for definition in self.state.schema.definitions.values() {
                for name in definition.names() {
                    lookups.push(lookup_resources(graph, program, &definition.name, name, subject, &context));
                }
            }
        }
        let mut rows = Vec::new();
        for object_type in self.state.schema.definitions.keys() {
            let resource_type = Some(object_type.clone());
            let filter = RelationshipFilter { resource_type, ..RelationshipFilter::default() };
            for (key, attributes) in self.snapshot.scan(&filter, None, None) {
                rows.push(self.snapshot.relationship(key, &attributes).expect("it has names").to_string());
            }
        }
        Testimony { checks, lookups, rows }
    }

    /// Every check's answer holds until `valid_until`, and at the first instant at which it changes it is over.
    fn compare_validity(&self, later: &[Scene<'_>]) -> Result<(), Box<Difference>> {
        for (place, subject) in self.subjects.iter().enumerate() {
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let Ok(got) = self.check(subject, number) else { continue };
                let now = self.expected(place, number);
                let change =
                    later.iter().find(|scene| scene.expected(place, number) != now).map(|scene| scene.now);
                let after_now = got.valid_until.is_none_or(|until| until > self.now);
                let not_late =
                    change.is_none_or(|change| got.valid_until.is_some_and(|until| until <= change));
                if !(after_now && not_late) {
                    let question = format!("validity of {}#{}@{subject}", atom.object, atom.name);
                    return Err(self.difference(question, &change, &got));
                }
            }
        }
        Ok(())
    }

    /// The same for the sets that lookups of resources give.
    fn compare_set_validity(&self, later: &[Scene<'_>]) -> Result<(), Box<Difference>> {
        let (graph, program) = (self.snapshot, self.snapshot.program());
        for subject in &self.subjects {
            for definition in self.state.schema.definitions.values() {
                for name in definition.names() {
                    let ask = |scene: &Scene<'_>| {
                        lookup_resources(graph, program, &definition.name, name, subject, &scene.context())
                    };
                    let Ok(got) = ask(self) else { continue };
                    let differs = |scene: &&Scene<'_>| match ask(scene) {
                        Ok(set) => (&set.definite, &set.conditional) != (&got.definite, &got.conditional),
                        Err(_) => true,
                    };
                    let change = later.iter().find(differs).map(|scene| scene.now);
                    if change.is_some_and(|change| got.valid_until.is_none_or(|until| until > change)) {
                        let question = format!("validity of {} with {name} for {subject}", definition.name);
                        return Err(self.difference(question, &change, &got));
                    }
                }
            }
        }
        Ok(())
    }

    /// Lookups of resources and of subjects hold exactly what the engine's own checks say. Needs no oracle.
    fn compare_agreement(&self) -> Result<(), Box<Difference>> {
        let (graph, program, context) = (self.snapshot, self.snapshot.program(), self.context());
        for subject in self.subjects.iter().filter(|s| self.mentioned.contains(&s.object)) {
            for (number, atom) in self.oracle.atoms().iter().enumerate() {
                let object = &atom.object;
                let id = graph.catalog().type_id(&object.object_type);
                let Some(ordinal) = id.and_then(|id| graph.ordinal(id, &object.object_id)) else { continue };
                let checked = self.check(subject, number);
                let resources =
                    lookup_resources(graph, program, &object.object_type, &atom.name, subject, &context);
                let relation = subject.relation.as_deref();
                let subject_type = &subject.object.object_type;
                let subjects =
                    lookup_subjects(graph, program, object, &atom.name, subject_type, relation, &context);
                let (Ok(checked), Ok(resources), Ok(subjects)) = (checked, resources, subjects) else {
                    continue;
                };
                let by_resource = match () {
                    () if resources.definite.contains(ordinal.0) => Permissionship::Yes,
                    () if resources.conditional.contains(ordinal.0) => Permissionship::Conditional,
                    () => Permissionship::No,
                };
                let point = graph
                    .catalog()
                    .type_id(subject_type)
                    .and_then(|id| graph.ordinal(id, &subject.object.object_id));
                let of = |list: &[pemba_engine::FoundSubject]| {
                    list.iter().find(|found| Some(found.ordinal) == point).map(|found| found.permissionship)
                };
                let by_subject = match (of(&subjects.concrete), of(&subjects.excluded)) {
                    (Some(value), _) => value,
                    (None, Some(Permissionship::Yes)) => Permissionship::No,
                    (None, Some(_)) => Permissionship::Conditional,
                    (None, None) => subjects.wildcard.0,
                };
                if by_resource != checked.permissionship || by_subject != checked.permissionship {
                    let question = format!("lookups beside the check {object}#{}@{subject}", atom.name);
                    return Err(self.difference(question, &checked, &(by_resource, by_subject)));
                }
            }
        }
        Ok(())
    }
}

/// Guarantee 2: what a snapshot says does not change by what is written after it.
pub fn snapshots_stay(case: &Case) -> Result<(), Box<Difference>> {
    let now = case.instants[0];
    let mut history = History::new(case);
    let mut before = Vec::new();
    for step in &case.steps {
        history.commit(step);
        before.push(history.scene(case, history.versions.len() - 1, now).testimony());
    }
    for (place, before) in before.iter().enumerate() {
        let scene = history.scene(case, place + 1, now);
        let after = scene.testimony();
        if after != *before {
            return Err(scene.difference(format!("revision {} after all writes", place + 2), before, &after));
        }
    }
    Ok(())
}

/// Guarantee 4: nothing found out at one revision answers at another. Every single update is a revision of its own,
/// and everything is asked at each, at the head and one behind it in turn.
pub fn nothing_is_stale(case: &Case) -> Result<(), Box<Difference>> {
    let now = case.instants[0];
    let mut history = History::new(case);
    for step in &case.steps {
        let single: Vec<Step> = match step {
            Step::Write(updates) => updates.iter().map(|update| Step::Write(vec![update.clone()])).collect(),
            Step::Schema(_) => vec![step.clone()],
        };
        for step in &single {
            history.commit(step);
            let head = history.versions.len() - 1;
            history.scene(case, head, now).compare_checks()?;
            history.scene(case, head - 1, now).compare_checks()?;
        }
    }
    history.scene(case, history.versions.len() - 1, now).compare()
}

/// Guarantee 5: at its instant, not a nanosecond sooner or later, a relationship stops to count, everywhere.
pub fn expiry_is_exact(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let last = history.versions.len() - 1;
    let expiries: BTreeSet<Timestamp> =
        history.versions[last].state.relationships.values().filter_map(|r| r.expires_at).collect();
    let mut instants = BTreeSet::new();
    for expiry in expiries {
        let sooner = Timestamp::new(expiry.seconds() - 1, 999_999_999).expect("within range");
        instants.extend([sooner, expiry]);
    }
    let scenes: Vec<Scene<'_>> = instants.iter().map(|now| history.scene(case, last, *now)).collect();
    for (place, scene) in scenes.iter().enumerate() {
        scene.compare()?;
        scene.compare_validity(&scenes[place + 1..])?;
        scene.compare_set_validity(&scenes[place + 1..])?;
    }
    Ok(())
}

/// Guarantee 7: lookups and checks agree with one another.
pub fn lookups_agree(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    history.scene(case, history.versions.len() - 1, case.instants[0]).compare_agreement()
}
