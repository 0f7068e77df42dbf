//! What conditional answers of Pemba must miss, by the evaluator of the testkit, which shares no code with the engine.
//!
//! For an oracle that names only some of the missing parameters: without this, Pemba might name too many and nobody
//! would notice.

use std::collections::{BTreeMap, BTreeSet};

use pemba_client::wire::{context_from_wire, relationship_from_wire};
use pemba_engine::SchemaCaveats;
use pemba_model::{ObjectRef, Relationship, SubjectRef, Timestamp};
use pemba_proto::authzed::api::v1 as wire;
use pemba_schema::Schema;
use pemba_testkit::oracle::{self, Oracle, Value};

use super::answer::{Answer, CONDITIONAL, Verdict};
use super::ask::STRANGER;
use super::peer::Peer;
use super::step::{At, Context, Item, Object, PAST_S, Step, Subject, wire_context};

/// One state: a schema, and the relationships that hold under it.
pub struct State {
    schema: Schema,
    relationships: Vec<Relationship>,
}

impl State {
    /// From a schema's text and relationships as messages, which have not expired.
    pub fn new(schema: &str, relationships: Vec<wire::Relationship>) -> State {
        let schema = pemba_schema::compile(schema).unwrap().schema;
        let relationships = relationships.into_iter().map(|one| relationship_from_wire(one).unwrap());
        State { schema, relationships: relationships.collect() }
    }

    /// The answer with other missing parameters: those that the naive evaluator names, where it finds the answer
    /// conditional too.
    pub fn corrected(&self, step: &Step, ours: &Answer) -> Answer {
        let mut answer = ours.clone();
        match (step, &mut answer) {
            (Step::Check(item, _), Answer::Check(verdict)) => self.correct(item, verdict),
            (Step::Bulk(items), Answer::Bulk(verdicts)) => {
                for (item, verdict) in items.iter().zip(verdicts) {
                    if let Ok(verdict) = verdict {
                        self.correct(item, verdict);
                    }
                }
            }
            (
                Step::LookupResources { resource_type, permission, subject, context, .. },
                Answer::Resources { found, .. },
            ) => {
                for (id, verdict) in found {
                    let resource = Object::new(resource_type, id);
                    let item = item(&resource, permission, subject, context);
                    self.correct(&item, verdict);
                }
            }
            (
                Step::LookupSubjects { resource, permission, subject_type, subject_relation, context },
                Answer::Subjects { found, .. },
            ) => {
                let correct = |id: &str, verdict: &mut Verdict| {
                    // What is said of everybody is said of whoever nothing else is said of.
                    let object = Object::new(subject_type, if id == "*" { STRANGER } else { id });
                    let subject = Subject { object, relation: subject_relation.clone() };
                    self.correct(&item(resource, permission, &subject, context), verdict);
                };
                for (id, (verdict, excluded)) in found {
                    correct(id, verdict);
                    excluded.iter_mut().for_each(|(id, verdict)| correct(id, verdict));
                }
            }
            _ => {}
        }
        answer
    }

    fn correct(&self, item: &Item, verdict: &mut Verdict) {
        if verdict.permissionship != CONDITIONAL {
            return;
        }
        let object = |object: &Object| ObjectRef::new(object.kind.as_str(), object.id.as_str());
        let relation = Some(&item.subject.relation).filter(|relation| !relation.is_empty());
        let subject = SubjectRef { object: object(&item.subject.object), relation: relation.map(Into::into) };
        let resource = object(&item.resource);
        let request = context_from_wire(wire_context(&item.context)).unwrap();
        let caveats = SchemaCaveats { schema: &self.schema, request: Some(&request) };
        let asked = BTreeSet::from([resource.clone(), subject.object.clone()]);
        let now = Timestamp::new(PAST_S + 1, 0).unwrap();
        let naive = Oracle::new(&self.schema, &self.relationships, &asked, now, &caveats);
        if let oracle::Answer::Value(Value::Maybe, missing) =
            naive.check(&resource, &item.permission, &subject)
        {
            verdict.missing = missing.iter().map(ToString::to_string).collect();
        }
    }
}

fn item(resource: &Object, permission: &str, subject: &Subject, context: &Context) -> Item {
    let (resource, permission) = (resource.clone(), permission.to_owned());
    Item { resource, permission, subject: subject.clone(), context: context.clone() }
}

/// Pemba's answer as the naive evaluator would have it, after the changes before; `pemba` is asked for the relationships.
pub async fn corrected(before: &[Step], step: &Step, ours: &Answer, pemba: &mut Peer) -> Answer {
    if !is_conditional(ours) {
        return ours.clone();
    }
    let at = if let Step::Check(_, at) = step { *at } else { At::Head };
    // Every change that was taken has a token, in order.
    let before = match at {
        At::Exact(number) => before.get(..=number).unwrap_or(before),
        At::Head | At::Fresh => before,
    };
    let schema = before.iter().rev().find_map(|step| match step {
        Step::Schema(text) => Some(text.as_str()),
        _ => None,
    });
    let relationships = pemba.relationships(at).await.unwrap();
    State::new(schema.unwrap_or_default(), relationships).corrected(step, ours)
}

fn is_conditional(answer: &Answer) -> bool {
    let is_one = |verdict: &Verdict| verdict.permissionship == CONDITIONAL;
    let any = |found: &BTreeMap<String, Verdict>| found.values().any(is_one);
    match answer {
        Answer::Check(verdict) => is_one(verdict),
        Answer::Bulk(items) => items.iter().flatten().any(is_one),
        Answer::Resources { found, .. } => any(found),
        Answer::Subjects { found, .. } => {
            found.values().any(|(verdict, excluded)| is_one(verdict) || any(excluded))
        }
        _ => false,
    }
}
