//! Cases from a seed: a schema, relationships, and what is asked.

use super::caveats::{self, CAVEATS, Caveat};
use super::random::Random;
use super::schema::{Allowed, ArrowKind, Definition, Expression, Permission, Relation, Schema, Shape};
use super::step::{Context, Edge, FUTURE_S, Object, PAST_S, Step, Subject};

/// The types; the first has no names in most schemas.
pub const TYPES: [&str; 4] = ["user", "group", "folder", "ticket"];
/// The relations; all types use the same names, so that an arrow finds its target on several of them.
const RELATIONS: [&str; 4] = ["member", "parent", "viewer", "banned"];
/// The permissions.
const PERMISSIONS: [&str; 4] = ["view", "edit", "admin", "share"];
/// The ids that relationships use; all types use the same ones.
pub const IDS: [&str; 6] = ["a", "b", "c", "d/1|x", "e=_-+", "F9"];

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it was made from.
    pub seed: u64,
    /// The schema at the start.
    pub schema: Schema,
    /// The relationships at the start, written in one request.
    pub edges: Vec<Edge>,
    /// What is asked, in order.
    pub steps: Vec<Step>,
}

/// What cases are made of.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Whether schemas have caveats.
    pub caveats: bool,
    /// Whether schemas have expiring relationships.
    pub expiration: bool,
    /// How many requests a case has.
    pub requests: usize,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile { caveats: true, expiration: true, requests: 40 }
    }
}

/// The case of a seed.
pub fn case(seed: u64, profile: Profile) -> Case {
    let mut random = Random::new(seed);
    let schema = schema(&mut random, profile);
    let cyclic = random.percent(3);
    let mut edges: Vec<Edge> = Vec::new();
    for _ in 0..random.between(4, 26) {
        if let Some(edge) = edge(&mut random, &schema, cyclic)
            && !edges.iter().any(|old| old.same(&edge))
        {
            edges.push(edge);
        }
    }
    let steps = super::ask::steps(&mut random, &schema, &edges, profile.requests);
    Case { seed, schema, edges, steps }
}

/// A schema that a server takes nearly always.
fn schema(random: &mut Random, profile: Profile) -> Schema {
    let count = random.between(2, 4);
    let caveats: Vec<&'static Caveat> = if profile.caveats && random.percent(75) {
        let first = random.below(CAVEATS.len());
        (0..random.between(1, 4)).map(|place| &CAVEATS[(first + place * 7) % CAVEATS.len()]).collect()
    } else {
        Vec::new()
    };
    let mut schema = Schema { caveats, definitions: Vec::new() };
    for (place, name) in TYPES.iter().take(count).enumerate() {
        let relations = if place == 0 { usize::from(random.percent(10)) } else { random.between(1, 4) };
        let permissions = if place == 0 { 0 } else { random.between(1, 4) };
        let relation = |name: &&'static str| Relation { name, allowed: Vec::new() };
        let permission = |name: &&'static str| Permission { name, expression: Expression::Nil };
        schema.definitions.push(Definition {
            name,
            relations: RELATIONS.iter().take(relations).map(relation).collect(),
            permissions: PERMISSIONS.iter().take(permissions).map(permission).collect(),
        });
    }
    fill_relations(random, &mut schema, profile);
    fill_permissions(random, &mut schema);
    schema
}

fn fill_relations(random: &mut Random, schema: &mut Schema, profile: Profile) {
    let shapes: Vec<(&'static str, Vec<&'static str>)> =
        schema.definitions.iter().map(|d| (d.name, d.names())).collect();
    let caveats = schema.caveats.clone();
    let expires = profile.expiration && random.percent(30);
    for definition in &mut schema.definitions {
        for relation in &mut definition.relations {
            for _ in 0..random.between(1, 3) {
                let own = random.percent(25);
                let (subject_type, names) =
                    match shapes.iter().find(|(name, _)| own && *name == definition.name) {
                        Some(own) => own,
                        None => random.pick(&shapes),
                    };
                let shape = match random.below(10) {
                    0..=4 => Shape::Direct,
                    5 | 6 => Shape::Wildcard,
                    _ => random.pick_any(names).map_or(Shape::Direct, |name| Shape::Userset(name)),
                };
                let caveat =
                    if random.percent(45) { random.pick_any(&caveats).map(|c| c.name) } else { None };
                let expiration = expires && random.percent(35);
                let allowed = Allowed { subject_type, shape, caveat, expiration };
                if !relation.allowed.contains(&allowed) {
                    relation.allowed.push(allowed);
                }
            }
        }
    }
    let before = schema.clone();
    for relation in schema.definitions.iter_mut().flat_map(|d| &mut d.relations) {
        for allowed in &mut relation.allowed {
            // A userset may not be of a relation that admits a wildcard.
            if let Shape::Userset(name) = allowed.shape
                && admits_wildcard(&before, allowed.subject_type, name)
            {
                allowed.shape = Shape::Direct;
            }
        }
        let mut kept: Vec<Allowed> = Vec::new();
        for allowed in relation.allowed.drain(..) {
            if !kept.contains(&allowed) {
                kept.push(allowed);
            }
        }
        relation.allowed = kept;
    }
}

fn admits_wildcard(schema: &Schema, kind: &str, relation: &str) -> bool {
    let relation = schema.definition(kind).and_then(|definition| definition.relation(relation));
    relation.is_some_and(|relation| relation.allowed.iter().any(|one| one.shape == Shape::Wildcard))
}

fn fill_permissions(random: &mut Random, schema: &mut Schema) {
    let before = schema.clone();
    for definition in &mut schema.definitions {
        let relations: Vec<&'static str> = definition.relations.iter().map(|r| r.name).collect();
        let walkable: Vec<&'static str> = relations
            .iter()
            .copied()
            .filter(|name| !admits_wildcard(&before, definition.name, name))
            .collect();
        let mut names = relations.clone();
        for permission in &mut definition.permissions {
            permission.expression = expression(random, &names, &walkable, 2);
            // Later permissions may refer to it, so that no permission is defined by itself.
            names.push(permission.name);
        }
    }
}

fn leaf(random: &mut Random, names: &[&'static str], walkable: &[&'static str]) -> Expression {
    match random.below(20) {
        0 => Expression::Nil,
        1 => Expression::Itself,
        2..=9 if !walkable.is_empty() => {
            let kind = *random.pick(&[ArrowKind::Plain, ArrowKind::Plain, ArrowKind::Any, ArrowKind::All]);
            let targets: Vec<&'static str> = RELATIONS.iter().chain(&PERMISSIONS).copied().collect();
            Expression::Arrow(random.pick::<&str>(walkable), kind, random.pick::<&str>(&targets))
        }
        _ => random.pick_any(names).map_or(Expression::Nil, |name| Expression::Name(name)),
    }
}

/// An expression over names of the same type; `depth` bounds its nesting.
pub fn expression(
    random: &mut Random,
    names: &[&'static str],
    walkable: &[&'static str],
    depth: usize,
) -> Expression {
    if depth == 0 || random.percent(35) {
        return leaf(random, names, walkable);
    }
    let count = random.between(2, 4);
    let operands = (0..count).map(|_| expression(random, names, walkable, depth - 1)).collect();
    let operators = (1..count).map(|_| *random.pick(&['+', '+', '&', '-'])).collect();
    Expression::Chain(operands, operators)
}

/// A relationship that the schema allows. Without cycles, an object leads only to objects with later ids.
pub fn edge(random: &mut Random, schema: &Schema, cyclic: bool) -> Option<Edge> {
    let definition = random.pick(&schema.definitions);
    let relation = random.pick_any(&definition.relations)?;
    let allowed = random.pick(&relation.allowed);
    let from = random.below(IDS.len());
    let to = random.below(IDS.len());
    let leads_on = schema.definition(allowed.subject_type).is_some_and(|d| !d.relations.is_empty());
    let (from, to) = if leads_on && !cyclic && from >= to { (to, from + 1) } else { (from, to) };
    let resource = Object::new(definition.name, IDS[from]);
    let id = if allowed.shape == Shape::Wildcard { "*" } else { IDS.get(to)? };
    let subject = Subject {
        object: Object::new(allowed.subject_type, id),
        relation: if let Shape::Userset(name) = allowed.shape { name.to_owned() } else { String::new() },
    };
    let caveat = allowed.caveat.map(|name| (name.to_owned(), bound(random, name)));
    let expires_at_s = allowed.expiration.then(|| if random.percent(30) { PAST_S } else { FUTURE_S });
    Some(Edge { resource, relation: relation.name.to_owned(), subject, caveat, expires_at_s })
}

/// Some of a caveat's parameters, with values of their types.
pub fn bound(random: &mut Random, caveat: &str) -> Context {
    let mut context = Context::new();
    if let Some(caveat) = caveats::named(caveat) {
        for (name, kind) in caveat.parameters {
            if random.percent(35) {
                context.insert((*name).to_owned(), caveats::value(random, kind));
            }
        }
    }
    context
}
