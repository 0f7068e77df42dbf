//! Random schemas, relationships and operation sequences, small and tangled: few types, few ids that all types share,
//! recursion, cycles, wildcards, caveats and expiries that fall on the instants that are asked about.
//!
//! A strategy draws numbers without meaning (`raw`), and building gives them meaning by taking each modulo what is
//! possible there. So every draw is valid, and shrinking moves towards fewer and simpler parts.

pub mod coverage;
mod coverage_caveats;
mod data;
mod raw;
mod schema;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{ObjectRef, Relationship, SmolStr, SubjectRef, Timestamp, Update};
use pemba_schema::Schema;
use proptest::strategy::Strategy;

use crate::caveats::{CaveatTable, Given};

pub use schema::admits_wildcard;
pub use text::schema_text;

/// Object ids; every type uses the same ones. Cases of the usual size use the first three.
pub const IDS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
/// An id that no relationship ever mentions.
pub const STRANGER: &str = "zz";

/// One commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Changes relationships. A `Create` of one that is there is left out by whoever applies it.
    Write(Vec<Update>),
    /// Replaces the schema; every relationship that is there stays allowed.
    Schema(Schema),
}

/// One generated case: a schema, what happens to it, and what a request brings along.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The schema at the start.
    pub schema: Schema,
    /// What happens, in order; each step is one revision.
    pub steps: Vec<Step>,
    /// Instants to ask at, ascending; most are an expiry or one nanosecond off.
    pub instants: Vec<Timestamp>,
    /// Caveat parameters that requests give.
    pub given: BTreeMap<SmolStr, Given>,
}

/// The state after a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// The schema.
    pub schema: Schema,
    /// All relationships by resource, relation and subject; expired ones included.
    pub relationships: BTreeMap<Identity, Relationship>,
}

/// What makes a relationship the same one.
pub type Identity = (ObjectRef, SmolStr, SubjectRef);

/// The identity of a relationship.
pub fn identity(relationship: &Relationship) -> Identity {
    (relationship.resource.clone(), relationship.relation.clone(), relationship.subject.clone())
}

impl State {
    /// Applies a step.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Schema(schema) => self.schema = schema.clone(),
            Step::Write(updates) => {
                for update in updates {
                    data::apply(&mut self.relationships, update);
                }
            }
        }
    }

    /// All relationships, as a plain list.
    pub fn list(&self) -> Vec<Relationship> {
        self.relationships.values().cloned().collect()
    }

    /// All objects that relationships mention.
    pub fn mentioned(&self) -> BTreeSet<ObjectRef> {
        let mut objects = BTreeSet::new();
        for relationship in self.relationships.values() {
            objects.insert(relationship.resource.clone());
            if !relationship.subject.object.is_wildcard() {
                objects.insert(relationship.subject.object.clone());
            }
        }
        objects
    }

    /// All objects that relationships mention, and one stranger for each type.
    pub fn objects(&self) -> BTreeSet<ObjectRef> {
        let strangers = self.schema.definitions.keys().map(|name| ObjectRef::new(name.clone(), STRANGER));
        self.mentioned().into_iter().chain(strangers).collect()
    }

    /// Each of the objects, and each with every name of its type as a userset.
    pub fn subjects(&self, objects: &BTreeSet<ObjectRef>) -> Vec<SubjectRef> {
        let mut subjects = Vec::new();
        for object in objects {
            let names = self.schema.definition(&object.object_type).into_iter().flat_map(|d| d.names());
            let usersets =
                names.map(|name| SubjectRef { object: object.clone(), relation: Some(name.clone()) });
            subjects.extend(usersets);
            subjects.push(SubjectRef { object: object.clone(), relation: None });
        }
        subjects
    }
}

impl Case {
    /// The states after each step, the first being the state before any.
    pub fn states(&self) -> Vec<State> {
        let mut state = State { schema: self.schema.clone(), relationships: BTreeMap::new() };
        let mut states = vec![state.clone()];
        for step in &self.steps {
            state.apply(step);
            states.push(state.clone());
        }
        states
    }

    /// All objects that any state mentions, and one stranger for each type.
    pub fn objects(&self) -> BTreeSet<ObjectRef> {
        self.states().iter().flat_map(State::objects).collect()
    }

    /// The caveats of a schema with what the request gives.
    pub fn caveats(&self, schema: &Schema) -> CaveatTable {
        CaveatTable::new(schema, self.given.clone())
    }
}

/// Cases of the usual size: 2 to 4 types, 3 ids, up to about 25 relationships, up to 4 steps after the first.
pub fn case() -> impl Strategy<Value = Case> {
    raw::case(4..=22).prop_map(|raw| data::build(&raw, 3))
}

/// Cases with 10 ids and about a hundred relationships: sets of more than a few, and longer ways through them.
pub fn wide_case() -> impl Strategy<Value = Case> {
    raw::case(60..=140).prop_map(|raw| data::build(&raw, IDS.len()))
}

/// Schemas alone.
pub fn schema() -> impl Strategy<Value = Schema> {
    raw::schema().prop_map(|raw| schema::build(&raw))
}
