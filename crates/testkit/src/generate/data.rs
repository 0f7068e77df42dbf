//! A draw becomes relationships that the schema allows, and steps that keep it so.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{
    CaveatRef, Context, ObjectRef, Operation, Relationship, SmolStr, SubjectRef, Timestamp, Update,
    WILDCARD_ID,
};
use pemba_schema::{AllowedSubject, Schema, SubjectShape};

use super::raw::{RawCase, RawRelationship, RawStep};
use crate::caveats::Given;

use super::{Case, IDS, Identity, State, Step, identity, schema};

/// A second, 2020-01-01T00:00:00Z; expiries fall on it and the few seconds after it.
const FIRST_SECOND: i64 = 1_577_836_800;
/// How many different expiries there are.
const EXPIRIES: u8 = 4;

/// What may be written: type, relation, and what it allows.
type Allowed = (SmolStr, SmolStr, AllowedSubject);

fn all_allowed(schema: &Schema) -> Vec<Allowed> {
    let mut all = Vec::new();
    for definition in schema.definitions.values() {
        for relation in definition.relations.values() {
            let one = |a: &AllowedSubject| (definition.name.clone(), relation.name.clone(), a.clone());
            all.extend(relation.allowed.iter().map(one));
        }
    }
    all
}

/// The expiry with a number, whole seconds apart.
fn expiry(number: u8) -> Timestamp {
    Timestamp::new(FIRST_SECOND + i64::from(number), 0).expect("within range")
}

/// An instant: an expiry, a nanosecond before or a nanosecond after it.
fn instant(number: u8, offset: u8) -> Timestamp {
    let seconds = FIRST_SECOND + i64::from(number % (EXPIRIES + 1));
    let at = match offset {
        1 => Timestamp::new(seconds - 1, 999_999_999),
        2 => Timestamp::new(seconds, 1),
        _ => Timestamp::new(seconds, 0),
    };
    at.expect("within range")
}

fn bound(schema: &Schema, caveat: &SmolStr, draw: u8) -> Context {
    let parameters = schema.caveats.get(caveat).into_iter().flat_map(|caveat| &caveat.parameters);
    let value = |(place, name): (usize, &SmolStr)| match (draw >> (2 * place)) & 3 {
        0 | 1 => None,
        2 => Some((name.to_string(), true.into())),
        _ => Some((name.to_string(), false.into())),
    };
    parameters.map(|p| &p.name).enumerate().filter_map(value).collect()
}

fn relationship(
    schema: &Schema,
    allowed: &[Allowed],
    ids: usize,
    raw: &RawRelationship,
) -> Option<Relationship> {
    let (resource_type, relation, one) = allowed.get(usize::from(raw.kind).checked_rem(allowed.len())?)?;
    let id = |draw: u8| IDS[usize::from(draw) % ids.clamp(1, IDS.len())];
    let resource = ObjectRef::new(resource_type.clone(), id(raw.resource));
    let subject_type = one.subject_type.clone();
    let subject = match &one.shape {
        SubjectShape::Direct => SubjectRef::direct(subject_type, id(raw.subject)),
        SubjectShape::Userset(name) => SubjectRef::userset(subject_type, id(raw.subject), name.clone()),
        SubjectShape::Wildcard => SubjectRef::direct(subject_type, WILDCARD_ID),
    };
    let mut relationship = Relationship::new(resource, relation.clone(), subject);
    relationship.caveat = one
        .caveat
        .as_ref()
        .map(|name| CaveatRef { name: name.clone(), context: bound(schema, name, raw.bound) });
    relationship.expires_at = one.expiration.then(|| expiry(raw.expiry % EXPIRIES));
    Some(relationship)
}

/// Applies one update; a `Create` of one that is there changes nothing.
pub(super) fn apply(relationships: &mut BTreeMap<Identity, Relationship>, update: &Update) {
    let identity = identity(&update.relationship);
    match update.operation {
        Operation::Create => {
            relationships.entry(identity).or_insert_with(|| update.relationship.clone());
        }
        Operation::Touch => {
            relationships.insert(identity, update.relationship.clone());
        }
        Operation::Delete => {
            relationships.remove(&identity);
        }
    }
}

/// The allowed kinds that stored relationships are of.
fn in_use(state: &State) -> BTreeSet<Allowed> {
    let kind = |r: &Relationship| {
        let shape = SubjectShape::of(&r.subject);
        let caveat = r.caveat.as_ref().map(|caveat| caveat.name.clone());
        let subject_type = r.subject.object.object_type.clone();
        let one = AllowedSubject { subject_type, shape, caveat, expiration: r.expires_at.is_some() };
        (r.resource.object_type.clone(), r.relation.clone(), one)
    };
    state.relationships.values().map(kind).collect()
}

fn updates(state: &State, allowed: &[Allowed], ids: usize, raw: &[(u8, RawRelationship)]) -> Vec<Update> {
    let existing = state.list();
    let mut updates: Vec<Update> = Vec::new();
    for (operation, raw) in raw {
        let delete = *operation < 4 && !existing.is_empty();
        let update = if delete {
            let relationship = existing[usize::from(raw.kind) % existing.len()].clone();
            Some(Update { operation: Operation::Delete, relationship })
        } else {
            let operation = if *operation < 8 { Operation::Touch } else { Operation::Create };
            relationship(&state.schema, allowed, ids, raw)
                .map(|relationship| Update { operation, relationship })
        };
        let fresh =
            |update: &Update| !updates.iter().any(|u| u.relationship.same_identity(&update.relationship));
        updates.extend(update.filter(fresh));
    }
    updates
}

/// The case of a draw, with so many different ids.
pub(super) fn build(raw: &RawCase, ids: usize) -> Case {
    let start = schema::build(&raw.schema);
    let mut state = State { schema: start.clone(), relationships: BTreeMap::new() };
    let first: Vec<(u8, RawRelationship)> = raw.first.iter().map(|r| (9, r.clone())).collect();
    let mut steps = vec![Step::Write(updates(&state, &all_allowed(&start), ids, &first))];
    state.apply(&steps[0]);
    for raw in &raw.steps {
        let step = match raw {
            RawStep::Write(raw) => Step::Write(updates(&state, &all_allowed(&state.schema), ids, raw)),
            RawStep::Schema(raw) => Step::Schema(schema::change(&state.schema, raw, &in_use(&state))),
        };
        state.apply(&step);
        steps.push(step);
    }
    let mut instants: Vec<Timestamp> = raw.instants.iter().map(|(n, offset)| instant(*n, *offset)).collect();
    instants.sort();
    instants.dedup();
    let value = |(name, draw): (&str, u8)| {
        let given = match draw {
            1 | 2 => Given::True,
            3 | 4 => Given::False,
            5 => Given::Wrong,
            _ => return None,
        };
        Some((SmolStr::new(name), given))
    };
    let given = ["pa", "pb", "pc"].into_iter().zip(raw.given).filter_map(value).collect();
    Case { schema: start, steps, instants, given }
}
