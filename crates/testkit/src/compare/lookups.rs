//! Lookups and reads against the oracle: a lookup must be what checking everything gives.

use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::lookup_resources::lookup_resources;
use pemba_engine::{
    Graph, Ordinal, Permissionship, ResourceSet, SubjectSet, TypeId, lookup_subjects, lookup_subjects_general,
};
use pemba_model::{ObjectRef, RelationFilter, RelationshipFilter, SmolStr, SubjectFilter, SubjectRef};

use super::ask::permissionship;
use super::conditions::Failure;
use super::{Difference, Scene};
use crate::generate::STRANGER;
use crate::oracle::{Answer, Value};

/// A lookup's result by object id.
type Found = BTreeMap<SmolStr, Entry>;

/// What a lookup says of one object: a value and the missing parameters.
type Entry = (Permissionship, Vec<SmolStr>);

impl Scene<'_> {
    fn id_in_answer(
        &self,
        object_type: Option<TypeId>,
        ordinal: Ordinal,
        asked: &ObjectRef,
    ) -> Option<SmolStr> {
        if ordinal == Ordinal::UNMENTIONED {
            return Some(asked.object_id.clone());
        }
        self.snapshot.object_id(object_type?, ordinal).map(SmolStr::new)
    }

    /// Whether the engine can name the object in a lookup at all.
    fn has_ordinal(&self, object: &ObjectRef) -> bool {
        let type_id = self.snapshot.catalog().type_id(&object.object_type);
        type_id.is_some_and(|id| self.snapshot.ordinal(id, &object.object_id).is_some())
    }

    /// Every lookup of resources for every subject.
    pub fn compare_lookup_resources(&self) -> Result<(), Box<Difference>> {
        for (place, subject) in self.subjects.iter().enumerate() {
            for definition in self.state.schema.definitions.values() {
                for name in definition.names() {
                    self.compare_resources(&definition.name, name, (place, subject))?;
                }
            }
        }
        Ok(())
    }

    fn compare_resources(
        &self,
        object_type: &SmolStr,
        name: &SmolStr,
        (place, subject): (usize, &SubjectRef),
    ) -> Result<(), Box<Difference>> {
        let of_type = self.oracle.atoms().iter().enumerate();
        let answers: Vec<(&ObjectRef, Answer)> = of_type
            .filter(|(_, atom)| atom.object.object_type == *object_type && atom.name == *name)
            .map(|(number, atom)| (&atom.object, self.expected(place, number)))
            .collect();
        let (graph, program) = (self.snapshot, self.snapshot.program());
        let got = lookup_resources(graph, program, object_type, name, subject, &self.context());
        let question = || format!("lookup of {object_type} with {name} for {subject}");
        let certain = |object: &ObjectRef| self.mentioned.contains(object);
        let failure = Failure::of(answers.iter().map(|(object, answer)| (answer, certain(object))));
        match got {
            Err(error) if failure.allows(&error) => Ok(()),
            Err(error) => Err(self.difference(question(), &answers, &error)),
            Ok(got) if failure.is_due() => Err(self.difference(question(), &failure, &got)),
            Ok(got) => match self.resources_by_id(&got, &subject.object) {
                Some(found) if self.are_resources(&answers, &found, &subject.object) => Ok(()),
                found => Err(self.difference(question(), &answers, &found)),
            },
        }
    }

    /// By id; `None` when the set is not what it promises to be.
    fn resources_by_id(&self, set: &ResourceSet, asked: &ObjectRef) -> Option<Found> {
        if !set.definite.is_disjoint(&set.conditional) {
            return None;
        }
        let named = |value: Permissionship| {
            move |ordinal: u32| {
                Some((self.id_in_answer(set.resource_type, Ordinal(ordinal), asked)?, (value, Vec::new())))
            }
        };
        let definite = set.definite.iter().map(named(Permissionship::Yes));
        definite.chain(set.conditional.iter().map(named(Permissionship::Conditional))).collect()
    }

    fn are_resources(&self, answers: &[(&ObjectRef, Answer)], found: &Found, asked: &ObjectRef) -> bool {
        let known: BTreeSet<&SmolStr> = answers.iter().map(|(object, _)| &object.object_id).collect();
        found.keys().all(|id| known.contains(id))
            && answers.iter().all(|(object, answer)| {
                let got = found.get(&object.object_id).map(|(value, _)| *value).unwrap_or_default();
                let must = self.mentioned.contains(*object) || *object == asked;
                let right = answer.value().is_none_or(|value| permissionship(value) == got);
                right || (!must && got == Permissionship::No)
            })
    }

    /// Every lookup of subjects, of every type and every relation of it.
    pub fn compare_lookup_subjects(&self) -> Result<(), Box<Difference>> {
        for definition in self.state.schema.definitions.values() {
            for relation in std::iter::once(None).chain(definition.names().map(Some)) {
                let points: Vec<(usize, &SubjectRef)> = self
                    .subjects
                    .iter()
                    .enumerate()
                    .filter(|(_, s)| {
                        s.object.object_type == definition.name && s.relation.as_ref() == relation
                    })
                    .collect();
                for number in 0..self.oracle.atoms().len() {
                    self.compare_subjects(number, &definition.name, relation, &points)?;
                }
            }
        }
        Ok(())
    }

    fn compare_subjects(
        &self,
        number: usize,
        subject_type: &SmolStr,
        relation: Option<&SmolStr>,
        points: &[(usize, &SubjectRef)],
    ) -> Result<(), Box<Difference>> {
        let atom = &self.oracle.atoms()[number];
        let answers: Vec<(&SubjectRef, Answer)> =
            points.iter().map(|(place, subject)| (*subject, self.expected(*place, number))).collect();
        let exact = points.iter().all(|(place, _)| !self.solutions[*place].has_contradiction());
        let (graph, program) = (self.snapshot, self.snapshot.program());
        let context = self.context();
        let relation_text = relation.map(SmolStr::as_str);
        let (object, name) = (&atom.object, &atom.name);
        let got = lookup_subjects(graph, program, object, name, subject_type, relation_text, &context);
        let slowly =
            lookup_subjects_general(graph, program, object, name, subject_type, relation_text, &context);
        let question = || format!("lookup of {subject_type}#{relation:?} with {}#{}", atom.object, atom.name);
        // A stranger that is the resource is not like all other strangers.
        let is_default =
            |subject: &SubjectRef| subject.object.object_id == STRANGER && subject.object != atom.object;
        let certain = |subject: &SubjectRef| self.mentioned.contains(&subject.object) || is_default(subject);
        let failure = Failure::of(answers.iter().map(|(subject, answer)| (answer, certain(subject))));
        for got in [got, slowly] {
            match got {
                Err(error) if failure.allows(&error) => {}
                Err(error) => return Err(self.difference(question(), &answers, &error)),
                Ok(got) if failure.is_due() => return Err(self.difference(question(), &failure, &got)),
                Ok(got) => {
                    let default =
                        answers.iter().find(|(subject, _)| is_default(subject)).map(|(_, answer)| answer);
                    if let Some(why) = self.subjects_differ(&answers, default, &got, (exact, &atom.object)) {
                        return Err(self.difference(question(), &answers, &(why, got)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Why a set of subjects is not the function from points to values that the answers are; `None` if it is.
    fn subjects_differ(
        &self,
        answers: &[(&SubjectRef, Answer)],
        default: Option<&Answer>,
        got: &SubjectSet,
        (exact, asked): (bool, &ObjectRef),
    ) -> Option<String> {
        let ascending = |list: &[pemba_engine::FoundSubject]| list.is_sorted_by(|a, b| a.ordinal < b.ordinal);
        if !ascending(&got.concrete) || !ascending(&got.excluded) {
            return Some("not ascending".to_owned());
        }
        let by_id = |list: &[pemba_engine::FoundSubject]| -> Option<Found> {
            let one = |found: &pemba_engine::FoundSubject| {
                let id = self.id_in_answer(got.subject_type, found.ordinal, asked)?;
                Some((id, (found.permissionship, found.missing.clone())))
            };
            list.iter().map(one).collect()
        };
        let (Some(concrete), Some(excluded)) = (by_id(&got.concrete), by_id(&got.excluded)) else {
            return Some("an ordinal without a name".to_owned());
        };
        let wildcard = got.wildcard.0;
        match default {
            Some(Answer::Value(value, missing)) => {
                if permissionship(*value) != wildcard || (exact && *missing != got.wildcard.1) {
                    return Some("the wildcard".to_owned());
                }
            }
            Some(_) => {}
            None if wildcard == Permissionship::No => {}
            None => return Some("a wildcard of usersets".to_owned()),
        }
        let points: BTreeSet<&SmolStr> =
            answers.iter().map(|(subject, _)| &subject.object.object_id).collect();
        if !concrete.keys().chain(excluded.keys()).all(|id| points.contains(id)) {
            return Some("an object that is not there".to_owned());
        }
        answers.iter().find_map(|(subject, answer)| {
            let Answer::Value(value, missing) = answer else { return None };
            let id = &subject.object.object_id;
            let is_asked = subject.object == *asked;
            if !self.has_ordinal(&subject.object) && !is_asked {
                return None;
            }
            let must = self.mentioned.contains(&subject.object) || is_asked;
            point_differs(*value, missing, (wildcard, concrete.get(id), excluded.get(id)), exact)
                .filter(|_| must || concrete.contains_key(id) || excluded.contains_key(id))
                .map(|why| format!("{subject}: {why}"))
        })
    }

    /// Reads by a few filters for each relationship there is, and by prefixes and subjects.
    pub fn compare_reads(&self) -> Result<(), Box<Difference>> {
        let mut filters = Vec::new();
        for relationship in self.state.relationships.values() {
            let resource_type = Some(relationship.resource.object_type.clone());
            let resource_id = Some(relationship.resource.object_id.clone());
            let relation = Some(relationship.relation.clone());
            let subject_of = |relation: RelationFilter, with_id: bool| {
                let object = &relationship.subject.object;
                let subject_id = with_id.then(|| object.object_id.clone());
                Some(SubjectFilter { subject_type: object.object_type.clone(), subject_id, relation })
            };
            let exact = match &relationship.subject.relation {
                Some(relation) => RelationFilter::Is(relation.clone()),
                None => RelationFilter::NoRelation,
            };
            let none = RelationshipFilter::default();
            let of_type = RelationshipFilter { resource_type, ..none.clone() };
            filters.push(RelationshipFilter { resource_id: resource_id.clone(), ..of_type.clone() });
            filters.push(RelationshipFilter { relation: relation.clone(), ..of_type.clone() });
            filters.push(RelationshipFilter { resource_id_prefix: resource_id.clone(), ..none.clone() });
            filters.push(RelationshipFilter { subject: subject_of(exact.clone(), true), ..of_type.clone() });
            filters
                .push(RelationshipFilter { subject: subject_of(RelationFilter::Any, true), ..none.clone() });
            filters.push(RelationshipFilter { subject: subject_of(exact, false), relation, ..none.clone() });
            filters.push(of_type);
        }
        let mut asked: Vec<&RelationshipFilter> = Vec::new();
        for filter in &filters {
            if !asked.contains(&filter) {
                self.compare_read(filter)?;
                asked.push(filter);
            }
        }
        Ok(())
    }

    fn compare_read(&self, filter: &RelationshipFilter) -> Result<(), Box<Difference>> {
        let mut expected: Vec<String> = self.oracle.read(filter).iter().map(ToString::to_string).collect();
        expected.sort();
        let rows: Vec<_> = self.snapshot.scan(filter, None, Some(self.now)).collect();
        let question = || format!("read by {filter:?}");
        if !rows.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(self.difference(question(), &"ascending keys", &rows));
        }
        let named = rows.iter().filter_map(|(key, attributes)| self.snapshot.relationship(*key, attributes));
        let mut got: Vec<String> = named.map(|relationship| relationship.to_string()).collect();
        got.sort();
        if got != expected || got.len() != rows.len() {
            return Err(self.difference(question(), &expected, &got));
        }
        // A page that starts behind a row is the rest.
        for (place, (key, _)) in rows.iter().enumerate().step_by(3) {
            let rest: Vec<_> = self.snapshot.scan(filter, Some(*key), Some(self.now)).collect();
            if rest != rows[place + 1..] {
                return Err(self.difference(
                    format!("{} after {key:?}", question()),
                    &&rows[place + 1..],
                    &rest,
                ));
            }
        }
        Ok(())
    }
}

/// Why what a set of subjects says of one point is not its value; `None` if it is.
fn point_differs(
    value: Value,
    missing: &[SmolStr],
    (wildcard, concrete, excluded): (Permissionship, Option<&Entry>, Option<&Entry>),
    exact: bool,
) -> Option<&'static str> {
    let value = permissionship(value);
    let below = value < wildcard;
    match excluded {
        None if below => return Some("should be excluded"),
        Some(_) if !below => return Some("should not be excluded"),
        Some((Permissionship::Yes, _)) if value != Permissionship::No => {
            return Some("is not certainly excluded");
        }
        Some((Permissionship::Conditional, _)) if value != Permissionship::Conditional => {
            return Some("is certainly excluded");
        }
        Some((Permissionship::No, _)) => return Some("cannot be excluded with `No`"),
        _ => {}
    }
    match concrete {
        None if value > wildcard => Some("should be concrete"),
        Some((got, _)) if *got != value || value == Permissionship::No => {
            Some("is concrete with another value")
        }
        Some((_, got)) if exact && got != missing => Some("is concrete with other missing parameters"),
        _ => None,
    }
}
