//! Every question to a graph, with its answer in names, so that the answers of two graphs can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pemba_engine::{
    CheckAnswer, CheckItem, FoundSubject, Graph, Ordinal, QueryContext, QueryError, Snapshot, check,
    check_bulk, check_general, expand, lookup_missing, lookup_resources, lookup_subjects, trace,
};
use pemba_model::{ObjectRef, Relationship, Revision, SmolStr, SubjectRef};
use pemba_schema::Schema;
use pemba_testkit::compare::STEPS_MAX;
use pemba_testkit::generate::State;

/// A snapshot of its own names with these relationships.
pub(crate) fn snapshot<'a>(
    schema: &Schema,
    relationships: impl IntoIterator<Item = &'a Relationship>,
) -> Snapshot {
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(Arc::new(schema.clone()));
    for relationship in relationships {
        transaction.put(relationship).unwrap();
    }
    transaction.finish(Revision(1))
}

fn word<T: std::fmt::Debug>(answer: Result<T, QueryError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        // Which of several objects a contradiction names depends on their numbers.
        Err(QueryError::Contradiction { .. }) => "contradiction".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn value(answer: CheckAnswer) -> (pemba_engine::Permissionship, Vec<SmolStr>) {
    (answer.permissionship, answer.missing)
}

/// Every question to a graph, with its answer in names.
pub(crate) struct Asked<'a, G> {
    pub(crate) graph: &'a G,
    /// Whose program is run.
    pub(crate) base: &'a Snapshot,
    pub(crate) state: &'a State,
    pub(crate) context: QueryContext<'a>,
    /// None yet.
    pub(crate) answers: Vec<(String, String)>,
}

impl<G: Graph> Asked<'_, G> {
    fn name(&self, object_type: &str, ordinal: Ordinal, asked: &ObjectRef) -> SmolStr {
        if ordinal == Ordinal::UNMENTIONED {
            return asked.object_id.clone();
        }
        let type_id = self.graph.catalog().type_id(object_type).unwrap();
        let id = self.graph.object_id(type_id, ordinal).expect("it has a name");
        assert_eq!(self.graph.ordinal(type_id, id), Some(ordinal));
        SmolStr::new(id)
    }

    /// The questions about these objects, each with its answer.
    pub(crate) fn all(mut self, objects: &BTreeSet<ObjectRef>) -> Vec<(String, String)> {
        for subject in self.state.subjects(objects) {
            self.checks(objects, &subject);
            self.resources(&subject);
        }
        for object in objects {
            self.of_object(object);
        }
        self.answers
    }

    fn names(&self, object_type: &str) -> Vec<SmolStr> {
        self.state.schema.definition(object_type).into_iter().flat_map(|d| d.names()).cloned().collect()
    }

    fn checks(&mut self, objects: &BTreeSet<ObjectRef>, subject: &SubjectRef) {
        let (graph, program, context) = (self.graph, self.base.program(), self.context);
        let atoms: Vec<(&ObjectRef, SmolStr)> = objects
            .iter()
            .flat_map(|object| self.names(&object.object_type).into_iter().map(move |name| (object, name)))
            .collect();
        let items: Vec<CheckItem<'_>> = atoms
            .iter()
            .map(|(resource, name)| CheckItem {
                resource,
                permission: name,
                subject,
                caveats: context.caveats,
            })
            .collect();
        let bulk = check_bulk(graph, program, &items, context.now, STEPS_MAX);
        for ((object, name), bulk) in atoms.iter().zip(bulk) {
            let question = format!("{object}#{name}@{subject}");
            let quick = check(graph, program, object, name, subject, &context).map(value);
            let general = check_general(graph, program, object, name, subject, &context).map(value);
            let traced = trace(graph, program, object, name, subject, 50, &context);
            self.answers.push((format!("check {question}"), word(quick)));
            self.answers.push((format!("general check {question}"), word(general)));
            self.answers.push((format!("bulk check {question}"), word(bulk.map(value))));
            let traced = traced.and_then(|trace| trace.answer.map(value));
            self.answers.push((format!("trace {question}"), word(traced)));
        }
    }

    fn resources(&mut self, subject: &SubjectRef) {
        let (graph, program, context) = (self.graph, self.base.program(), self.context);
        for definition in self.state.schema.definitions.values() {
            for name in definition.names() {
                let object_type = &definition.name;
                let found =
                    lookup_resources(graph, program, object_type, name, subject, &context).map(|set| {
                        let named = |ordinal| self.name(object_type, Ordinal(ordinal), &subject.object);
                        let definite: BTreeSet<SmolStr> = set.definite.iter().map(named).collect();
                        let ordinals: Vec<Ordinal> = set.conditional.iter().map(Ordinal).collect();
                        let missing =
                            lookup_missing(graph, program, object_type, name, subject, &ordinals, &context)
                                .unwrap();
                        let conditional: BTreeMap<SmolStr, Vec<SmolStr>> =
                            set.conditional.iter().map(named).zip(missing).collect();
                        (definite, conditional)
                    });
                self.answers.push((format!("{object_type} with {name} for {subject}"), word(found)));
            }
        }
    }

    fn of_object(&mut self, object: &ObjectRef) {
        let (graph, program, context) = (self.graph, self.base.program(), self.context);
        for name in self.names(&object.object_type) {
            let tree = expand(graph, program, object, &name, &context);
            self.answers.push((format!("expansion of {object}#{name}"), word(tree)));
            for definition in self.state.schema.definitions.values() {
                let subject_type = &definition.name;
                for relation in
                    std::iter::once(None).chain(definition.names().map(|name| Some(name.as_str())))
                {
                    let found =
                        lookup_subjects(graph, program, object, &name, subject_type, relation, &context);
                    let by_name = |found: Vec<FoundSubject>| -> BTreeMap<SmolStr, _> {
                        let one = |one: FoundSubject| {
                            (self.name(subject_type, one.ordinal, object), (one.permissionship, one.missing))
                        };
                        found.into_iter().map(one).collect()
                    };
                    let found = found.map(|set| (set.wildcard, by_name(set.excluded), by_name(set.concrete)));
                    let question = format!("{subject_type}#{relation:?} with {object}#{name}");
                    self.answers.push((question, word(found)));
                }
            }
        }
    }
}
