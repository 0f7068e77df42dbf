//! A small database to ask, and the cross-examination of its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pemba_engine::{
    CaveatEvaluator, CaveatOutcome, CheckAnswer, CheckItem, CheckOpened, Ordinal, Permissionship,
    QueryContext, QueryError, Snapshot, SubjectSet, check_general, lookup_subjects_general,
};
use pemba_model::text::{parse_object_relation, parse_relationship, parse_subject};
use pemba_model::{Context, ObjectRef, Revision, SmolStr, SubjectRef, Timestamp};

/// Decides by the caveat's name: `yes_..`, `no_..`, else its own name is the missing parameter.
pub(crate) struct ByName;

impl CaveatEvaluator for ByName {
    fn evaluate(&self, caveat: &str, _bound: &Context) -> Result<CaveatOutcome, QueryError> {
        Ok(match caveat {
            _ if caveat.starts_with("yes") => CaveatOutcome::True,
            _ if caveat.starts_with("no") => CaveatOutcome::False,
            "gone" => return Err(QueryError::UnknownCaveat(caveat.into())),
            _ => CaveatOutcome::Missing(vec![caveat.into()]),
        })
    }
}

pub(crate) const CAVEATS: &str = "
use expiration
use self
caveat yes_ok(p int) { p == 1 }
caveat not_ok(p int) { p == 1 }
caveat one(p int) { p == 1 }
caveat two(p int) { p == 1 }
caveat gone(p int) { p == 1 }
";

pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) now: Timestamp,
    pub(crate) steps_max: u64,
}

impl World {
    pub(crate) fn new(schema: &str, relationships: &[&str]) -> World {
        World::from_iter(schema, relationships.iter().map(|text| (*text).to_owned()))
    }

    pub(crate) fn from_iter(schema: &str, relationships: impl IntoIterator<Item = String>) -> World {
        let compiled =
            pemba_schema::compile(&format!("{CAVEATS}{schema}")).unwrap_or_else(|e| panic!("{e:?}"));
        let mut transaction = Snapshot::empty().transaction();
        transaction.set_schema(Arc::new(compiled.schema));
        for text in relationships {
            transaction.put(&parse_relationship(&text).unwrap()).unwrap();
        }
        let snapshot = transaction.finish(Revision::ZERO);
        World { snapshot, now: Timestamp::from_millis(1000), steps_max: 50_000_000 }
    }

    pub(crate) fn context(&self) -> QueryContext<'static> {
        QueryContext { now: self.now, steps_max: self.steps_max, caveats: &ByName }
    }

    /// The answer to `type:id#permission@subject`, by the quick way, which must be the general one too.
    pub(crate) fn answer(&self, question: &str) -> Result<CheckAnswer, QueryError> {
        let (left, subject) = question.split_once('@').unwrap();
        let (resource, permission) = parse_object_relation(left).unwrap();
        self.ask(&resource, &permission, &parse_subject(subject).unwrap())
    }

    pub(crate) fn ask(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
    ) -> Result<CheckAnswer, QueryError> {
        let context = self.context();
        let quick = self.snapshot.check(resource, permission, subject, &context);
        let general =
            check_general(&self.snapshot, self.snapshot.program(), resource, permission, subject, &context);
        let item = CheckItem { resource, permission, subject, caveats: &ByName };
        let bulk = self.snapshot.check_bulk(&[item, item], self.now, self.steps_max);
        let outline = |answer: &Result<CheckAnswer, QueryError>| {
            answer.clone().map(|answer| (answer.permissionship, answer.missing))
        };
        let question = || format!("{resource}#{permission}@{subject}");
        assert_eq!(outline(&quick), outline(&general), "quick and general: {}", question());
        for bulk in &bulk {
            assert_eq!(outline(&quick), outline(bulk), "single and bulk: {}", question());
        }
        for steps in 0..4 {
            let opened = CheckOpened::new(&self.snapshot, self.snapshot.program(), resource, permission);
            let stepwise = opened.and_then(|opened| opened.by(subject)).and_then(|mut begun| {
                (0..steps).for_each(|_| begun.advance());
                begun.answer(&context)
            });
            assert_eq!(quick, stepwise, "at once and after {steps} steps: {}", question());
        }
        quick
    }

    /// The same as a word: `yes`, `no`, `if one,two` or the error.
    pub(crate) fn check(&self, question: &str) -> String {
        match self.answer(question) {
            Ok(answer) => word(answer.permissionship, &answer.missing),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) fn resources(&self, resource_type: &str, permission: &str, subject: &str) -> String {
        let subject = parse_subject(subject).unwrap();
        match self.snapshot.lookup_resources(resource_type, permission, &subject, &self.context()) {
            Err(error) => error.to_string(),
            Ok(found) => {
                let name = |ordinal: u32, mark: &str| {
                    let id = self.snapshot.names().object_id(found.resource_type.unwrap(), Ordinal(ordinal));
                    let is_asked = Ordinal(ordinal) == Ordinal::UNMENTIONED;
                    let id = if is_asked { Some(subject.object.object_id.as_str()) } else { id };
                    format!("{}{mark}", id.unwrap())
                };
                let definite = found.definite.iter().map(|ordinal| name(ordinal, ""));
                let all: BTreeSet<String> =
                    definite.chain(found.conditional.iter().map(|ordinal| name(ordinal, "?"))).collect();
                all.into_iter().collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// `*=..` for the wildcard, `-id` excluded, `id` granted by name.
    pub(crate) fn subjects(&self, question: &str, subject_type: &str, relation: Option<&str>) -> String {
        let (resource, permission) = parse_object_relation(question).unwrap();
        let found =
            self.snapshot.lookup_subjects(&resource, &permission, subject_type, relation, &self.context());
        let (graph, context) = (&self.snapshot, self.context());
        let program = graph.program();
        let slowly =
            lookup_subjects_general(graph, program, &resource, &permission, subject_type, relation, &context);
        let timeless = |found: &Result<SubjectSet, QueryError>| {
            found.clone().map(|found| SubjectSet { valid_until: None, ..found })
        };
        assert_eq!(timeless(&found), timeless(&slowly), "{question}");
        let found = match found {
            Err(error) => return error.to_string(),
            Ok(found) => found,
        };
        let type_id = found.subject_type.unwrap();
        let name = |ordinal| match self.snapshot.names().object_id(type_id, ordinal) {
            None if ordinal == Ordinal::UNMENTIONED => resource.object_id.as_str(),
            id => id.unwrap(),
        };
        let mut words = Vec::new();
        if found.wildcard.0 != Permissionship::No {
            words.push(format!("*={}", word(found.wildcard.0, &found.wildcard.1)));
        }
        for one in &found.excluded {
            words.push(format!("-{}={}", name(one.ordinal), word(one.permissionship, &one.missing)));
        }
        let mut concrete = BTreeMap::new();
        for one in &found.concrete {
            concrete.insert(name(one.ordinal), word(one.permissionship, &one.missing));
        }
        words.extend(concrete.into_iter().map(|(name, value)| format!("{name}={value}")));
        words.join(" ")
    }

    pub(crate) fn objects(&self) -> Vec<ObjectRef> {
        let schema = self.snapshot.schema();
        let mut objects = Vec::new();
        for definition in schema.definitions.keys() {
            use pemba_engine::Graph;
            let type_id = self.snapshot.catalog().type_id(definition).unwrap();
            let ids = (0..).map_while(|ordinal| self.snapshot.names().object_id(type_id, Ordinal(ordinal)));
            objects.extend(ids.map(|id| ObjectRef::new(definition.clone(), id)));
        }
        objects
    }

    /// Asks everything of everything and compares checks with lookups.
    pub(crate) fn cross_examine(&self) {
        let schema = self.snapshot.schema().clone();
        let objects = self.objects();
        for (object_type, definition) in &schema.definitions {
            let relations = std::iter::once(None).chain(definition.names().cloned().map(Some));
            for relation in relations {
                let mut ids: Vec<SmolStr> = objects
                    .iter()
                    .filter(|object| object.object_type == *object_type)
                    .map(|object| object.object_id.clone())
                    .collect();
                ids.push("never_mentioned".into());
                self.compare_resources(object_type, relation.as_ref(), &ids, &objects);
                self.compare_subjects(object_type, relation.as_ref(), &ids, &objects);
            }
        }
    }

    fn compare_resources(
        &self,
        subject_type: &SmolStr,
        relation: Option<&SmolStr>,
        ids: &[SmolStr],
        objects: &[ObjectRef],
    ) {
        let schema = self.snapshot.schema().clone();
        for id in ids {
            let subject = SubjectRef {
                object: ObjectRef::new(subject_type.clone(), id.clone()),
                relation: relation.cloned(),
            };
            for definition in schema.definitions.values() {
                for name in definition.names() {
                    let expected: Result<BTreeSet<String>, QueryError> = objects
                        .iter()
                        .chain([&subject.object])
                        .filter(|object| object.object_type == definition.name)
                        .map(|object| (object, self.ask(object, name, &subject)))
                        .filter_map(|(object, answer)| match answer {
                            Err(error) => Some(Err(error)),
                            Ok(answer) => match answer.permissionship {
                                Permissionship::No => None,
                                Permissionship::Conditional => Some(Ok(format!("{}?", object.object_id))),
                                Permissionship::Yes => Some(Ok(object.object_id.to_string())),
                            },
                        })
                        .collect();
                    let found = self.resources(&definition.name, name, &subject.to_string());
                    match expected {
                        Ok(expected) => {
                            let expected: Vec<String> = expected.into_iter().collect();
                            assert_eq!(found, expected.join(" "), "{}#{name}@{subject}", definition.name);
                        }
                        Err(_) => assert!(
                            found.contains("absence") || found == "caveat `gone` not found",
                            "{}#{name}@{subject}: {found}",
                            definition.name
                        ),
                    }
                }
            }
        }
    }

    fn compare_subjects(
        &self,
        subject_type: &SmolStr,
        relation: Option<&SmolStr>,
        ids: &[SmolStr],
        objects: &[ObjectRef],
    ) {
        for object in objects {
            let definition = self.snapshot.schema().definition(&object.object_type).unwrap().clone();
            for name in definition.names() {
                let found = self.snapshot.lookup_subjects(
                    object,
                    name,
                    subject_type,
                    relation.map(SmolStr::as_str),
                    &self.context(),
                );
                let mut has_contradiction = false;
                for id in ids {
                    let subject = SubjectRef {
                        object: ObjectRef::new(subject_type.clone(), id.clone()),
                        relation: relation.cloned(),
                    };
                    let Ok(expected) = self.ask(object, name, &subject) else {
                        has_contradiction = true;
                        continue;
                    };
                    let Ok(found) = &found else { continue };
                    use pemba_engine::Graph;
                    let ordinal = self.snapshot.ordinal(found.subject_type.unwrap(), id);
                    let of = |list: &[pemba_engine::FoundSubject]| {
                        list.iter().find(|one| Some(one.ordinal) == ordinal).cloned()
                    };
                    let mut value = (found.wildcard.0, found.wildcard.1.clone());
                    if let Some(excluded) = of(&found.excluded) {
                        assert!(found.wildcard.0 > expected.permissionship);
                        value = match excluded.permissionship {
                            Permissionship::Yes => (Permissionship::No, Vec::new()),
                            _ => (Permissionship::Conditional, excluded.missing),
                        };
                    }
                    if let Some(concrete) = of(&found.concrete) {
                        value = (concrete.permissionship, concrete.missing);
                    }
                    assert_eq!(value.0, expected.permissionship, "{object}#{name}@{subject} in {found:?}");
                    if of(&found.concrete).is_some() || of(&found.excluded).is_some() || ordinal.is_none() {
                        assert_eq!(value.1, expected.missing, "{object}#{name}@{subject} in {found:?}");
                    }
                }
                assert_eq!(found.is_err(), has_contradiction, "{object}#{name} of {subject_type}: {found:?}");
            }
        }
    }
}

pub(crate) fn word(value: Permissionship, missing: &[SmolStr]) -> String {
    match value {
        Permissionship::No => "no".to_owned(),
        Permissionship::Yes => "yes".to_owned(),
        Permissionship::Conditional => format!("if {}", missing.join(",")),
    }
}
