//! A draw becomes a valid schema.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::SmolStr;
use pemba_schema::{
    AllowedSubject, Caveat, CaveatParameter, Definition, Expression, ParameterType, Permission, Relation,
    Schema, SubjectShape,
};

use super::raw::{RawAllowed, RawDefinition, RawExpression, RawSchema};

/// The first type has no names at all, as a plain user; the others follow in this order.
const TYPES: [&str; 4] = ["user", "group", "folder", "ticket"];
/// All types use the same names, so that an arrow finds its target on several of them.
const RELATIONS: [&str; 2] = ["member", "parent"];
const PERMISSIONS: [&str; 3] = ["view", "edit", "admin"];

fn pick<T>(items: &[T], draw: u8) -> Option<&T> {
    items.get(usize::from(draw).checked_rem(items.len())?)
}

/// The caveats that all generated schemas have: each means that all its parameters are true.
fn caveats() -> BTreeMap<SmolStr, Caveat> {
    let caveat = |name: &str, parameters: &[&str]| {
        let parameter =
            |p: &&str| CaveatParameter { name: SmolStr::new(p), parameter_type: ParameterType::Bool };
        let name = SmolStr::new(name);
        let parameters_of = parameters.iter().map(parameter).collect();
        let caveat = Caveat::new(name.clone(), parameters_of, parameters.join(" && ")).ok()?;
        Some((name, caveat))
    };
    [caveat("one", &["pa"]), caveat("two", &["pb", "pc"])].into_iter().flatten().collect()
}

fn names_of(raw: &RawDefinition) -> Vec<SmolStr> {
    let relations = RELATIONS.iter().take(raw.relations.len());
    relations.chain(PERMISSIONS.iter().take(raw.permissions.len())).map(SmolStr::new).collect()
}

/// Types with their draws; the user's is empty.
fn typed(raw: &RawSchema) -> Vec<(SmolStr, RawDefinition)> {
    let user = RawDefinition { relations: Vec::new(), permissions: Vec::new() };
    let all = std::iter::once(user).chain(raw.definitions.iter().cloned());
    TYPES.iter().map(SmolStr::new).zip(all).collect()
}

fn allowed(types: &[(SmolStr, RawDefinition)], own: usize, raw: &RawAllowed) -> AllowedSubject {
    let (subject_type, target) =
        &types[if raw.own { own } else { usize::from(raw.subject_type) % types.len() }];
    let names = names_of(target);
    let shape = match raw.shape {
        0..=4 => SubjectShape::Direct,
        5 => SubjectShape::Wildcard,
        _ => pick(&names, raw.name).map_or(SubjectShape::Direct, |name| SubjectShape::Userset(name.clone())),
    };
    let caveat = match raw.caveat {
        0..=5 => None,
        6 | 7 => Some(SmolStr::new("one")),
        _ => Some(SmolStr::new("two")),
    };
    AllowedSubject { subject_type: subject_type.clone(), shape, caveat, expiration: raw.expiration }
}

/// Whether a relation of a type admits a wildcard.
pub fn admits_wildcard(schema: &Schema, object_type: &str, relation: &str) -> bool {
    let relation = schema.definition(object_type).and_then(|definition| definition.relations.get(relation));
    relation.is_some_and(|relation| relation.allowed.iter().any(|a| a.shape == SubjectShape::Wildcard))
}

/// A userset may not be of a relation that admits a wildcard: such ones become the object itself.
fn remove_wildcard_usersets(schema: &mut Schema) {
    let before = schema.clone();
    for definition in schema.definitions.values_mut() {
        for relation in definition.relations.values_mut() {
            for one in &mut relation.allowed {
                if let SubjectShape::Userset(name) = &one.shape
                    && admits_wildcard(&before, &one.subject_type, name)
                {
                    one.shape = SubjectShape::Direct;
                }
            }
            let mut seen = BTreeSet::new();
            relation.allowed.retain(|one| seen.insert(one.clone()));
        }
    }
}

fn flattened(operands: Vec<Expression>, union: bool) -> Vec<Expression> {
    operands
        .into_iter()
        .flat_map(|operand| match operand {
            Expression::Union(inner) if union => inner,
            Expression::Intersection(inner) if !union => inner,
            other => vec![other],
        })
        .collect()
}

/// Gives an expression its names. `walkable` are the relations that an arrow may start from.
fn expression(names: &[SmolStr], walkable: &[SmolStr], raw: &RawExpression) -> Expression {
    let reference =
        |draw: u8| pick(names, draw).map_or(Expression::Nil, |name| Expression::Reference(name.clone()));
    let all = |operands: &[RawExpression]| -> Vec<Expression> {
        operands.iter().map(|operand| expression(names, walkable, operand)).collect()
    };
    match raw {
        RawExpression::Nil => Expression::Nil,
        RawExpression::SelfObject => Expression::SelfObject,
        RawExpression::Reference(draw) => reference(*draw),
        RawExpression::Arrow { relation, target, all } => {
            let targets: Vec<&str> = RELATIONS.iter().chain(&PERMISSIONS).copied().collect();
            match (pick(walkable, *relation), pick(&targets, *target)) {
                (Some(relation), Some(target)) => {
                    Expression::Arrow { relation: relation.clone(), target: SmolStr::new(target), all: *all }
                }
                _ => reference(*target),
            }
        }
        RawExpression::Union(operands) => Expression::Union(flattened(all(operands), true)),
        RawExpression::Intersection(operands) => Expression::Intersection(flattened(all(operands), false)),
        RawExpression::Exclusion(base, without) => Expression::Exclusion(
            Box::new(expression(names, walkable, base)),
            Box::new(expression(names, walkable, without)),
        ),
    }
}

/// The names that an expression refers to on the same object.
fn references<'a>(expression: &'a Expression, into: &mut BTreeSet<&'a SmolStr>) {
    match expression {
        Expression::Reference(name) => _ = into.insert(name),
        Expression::Union(operands) | Expression::Intersection(operands) => {
            operands.iter().for_each(|operand| references(operand, into));
        }
        Expression::Exclusion(base, without) => {
            references(base, into);
            references(without, into);
        }
        Expression::Nil | Expression::SelfObject | Expression::Arrow { .. } => {}
    }
}

/// Whether a permission leads to another on the same object.
fn leads(permissions: &BTreeMap<SmolStr, Permission>, from: &SmolStr, to: &SmolStr) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = BTreeSet::from([from]);
    while let Some(at) = open.pop_first() {
        if at == to {
            return true;
        }
        if let Some(permission) = permissions.get(at).filter(|_| seen.insert(at)) {
            references(&permission.expression, &mut open);
        }
    }
    false
}

/// Puts something else in place of references to one name.
fn replace_references(expression: &mut Expression, name: &SmolStr, by: &Expression) {
    match expression {
        Expression::Reference(at) if at == name => *expression = by.clone(),
        Expression::Union(operands) | Expression::Intersection(operands) => {
            operands.iter_mut().for_each(|operand| replace_references(operand, name, by));
        }
        Expression::Exclusion(base, without) => {
            replace_references(base, name, by);
            replace_references(without, name, by);
        }
        _ => {}
    }
}

/// A permission may not be defined by itself on the same object: a reference that closes such a cycle becomes one to
/// the first relation.
fn break_cycles(definition: &mut Definition) {
    let instead =
        definition.relations.keys().next().map_or(Expression::Nil, |r| Expression::Reference(r.clone()));
    let names: Vec<SmolStr> = definition.permissions.keys().cloned().collect();
    for name in &names {
        let mut referenced = BTreeSet::new();
        if let Some(permission) = definition.permissions.get(name) {
            references(&permission.expression, &mut referenced);
        }
        let closes: Vec<SmolStr> = referenced
            .into_iter()
            .filter(|target| leads(&definition.permissions, target, name))
            .cloned()
            .collect();
        for target in closes {
            if let Some(permission) = definition.permissions.get_mut(name) {
                replace_references(&mut permission.expression, &target, &instead);
            }
        }
    }
}

/// Fills in the permissions, once the relations of all types are settled.
fn add_permissions(schema: &mut Schema, types: &[(SmolStr, RawDefinition)]) {
    for (type_name, raw) in types {
        let names = names_of(raw);
        let walkable = RELATIONS.iter().take(raw.relations.len()).map(SmolStr::new);
        let walkable: Vec<SmolStr> =
            walkable.filter(|name| !admits_wildcard(schema, type_name, name)).collect();
        let permission = |(name, raw): (&&str, &RawExpression)| {
            let name = SmolStr::new(name);
            let expression = expression(&names, &walkable, raw);
            (name.clone(), Permission { name, doc: None, expression, types: Vec::new() })
        };
        let permissions = PERMISSIONS.iter().zip(&raw.permissions).map(permission).collect();
        if let Some(definition) = schema.definitions.get_mut(type_name) {
            definition.permissions = permissions;
            break_cycles(definition);
        }
    }
}

/// The `use` flags that a schema's contents need.
fn flags(schema: &Schema) -> BTreeSet<SmolStr> {
    fn has_self(expression: &Expression) -> bool {
        match expression {
            Expression::SelfObject => true,
            Expression::Union(operands) | Expression::Intersection(operands) => operands.iter().any(has_self),
            Expression::Exclusion(base, without) => has_self(base) || has_self(without),
            _ => false,
        }
    }
    let definitions = || schema.definitions.values();
    let expires =
        definitions().flat_map(|d| d.relations.values()).flat_map(|r| &r.allowed).any(|a| a.expiration);
    let selves = definitions().flat_map(|d| d.permissions.values()).any(|p| has_self(&p.expression));
    let flag = |set: bool, name: &str| set.then(|| SmolStr::new(name));
    flag(expires, "expiration").into_iter().chain(flag(selves, "self")).collect()
}

/// Relations first, each with what it allows.
fn with_relations(types: &[(SmolStr, RawDefinition)]) -> Schema {
    let mut schema = Schema { caveats: caveats(), ..Schema::default() };
    for (own, (type_name, raw)) in types.iter().enumerate() {
        let relation = |(name, raw): (&&str, &Vec<RawAllowed>)| {
            let name = SmolStr::new(name);
            let allowed = raw.iter().map(|one| allowed(types, own, one)).collect();
            (name.clone(), Relation { name, doc: None, allowed })
        };
        let relations = RELATIONS.iter().zip(&raw.relations).map(relation).collect();
        let name = type_name.clone();
        let permissions = BTreeMap::new();
        let definition = Definition { name, doc: None, relations, permissions, order: Vec::new() };
        schema.definitions.insert(type_name.clone(), definition);
    }
    remove_wildcard_usersets(&mut schema);
    schema
}

/// Names every member in the order in which `schema_text` writes them.
fn set_order(schema: &mut Schema) {
    for definition in schema.definitions.values_mut() {
        definition.order =
            definition.relations.keys().chain(definition.permissions.keys()).cloned().collect();
    }
}

/// The schema of a draw.
pub(super) fn build(raw: &RawSchema) -> Schema {
    let types = typed(raw);
    let mut schema = with_relations(&types);
    add_permissions(&mut schema, &types);
    schema.flags = flags(&schema);
    set_order(&mut schema);
    schema
}

/// Changes a schema as another draw says and keeps valid what `in_use` says is in use: the types and relations stay,
/// what they allow is the new draw's and whatever is in use; permissions are the new draw's, and those of the old one
/// that it does not name.
pub(super) fn change(
    old: &Schema,
    raw: &RawSchema,
    in_use: &BTreeSet<(SmolStr, SmolStr, AllowedSubject)>,
) -> Schema {
    let fresh = build(raw);
    let mut schema = old.clone();
    for (type_name, definition) in &mut schema.definitions {
        let Some(new) = fresh.definition(type_name) else { continue };
        for (name, relation) in &mut definition.relations {
            relation.allowed.retain(|one| {
                in_use.contains(&(type_name.clone(), name.clone(), one.clone()))
                    || !matches!(one.shape, SubjectShape::Direct)
            });
            let candidates = new.relations.get(name).into_iter().flat_map(|r| r.allowed.clone());
            let known = |one: &AllowedSubject| match &one.shape {
                SubjectShape::Userset(name) => old.definition(&one.subject_type).is_some_and(|d| d.has(name)),
                SubjectShape::Wildcard => false,
                SubjectShape::Direct => old.definition(&one.subject_type).is_some(),
            };
            relation.allowed.extend(candidates.filter(known));
            if relation.allowed.is_empty() {
                relation.allowed.push(AllowedSubject {
                    subject_type: SmolStr::new(TYPES[0]),
                    shape: SubjectShape::Direct,
                    caveat: None,
                    expiration: false,
                });
            }
            let mut seen = BTreeSet::new();
            relation.allowed.retain(|one| seen.insert(one.clone()));
        }
    }
    repermission(&mut schema, raw);
    schema
}

/// Rewrites permissions by another draw, over the names that each type has.
fn repermission(schema: &mut Schema, raw: &RawSchema) {
    // Usersets of a relation with a wildcard are refused; the old schema had none and wildcards never are added, but a
    // userset from the new draw may name a relation that has one here.
    remove_wildcard_usersets(schema);
    let before = schema.clone();
    for (type_name, raw) in typed(raw) {
        let Some(definition) = schema.definitions.get_mut(&type_name) else { continue };
        let names: Vec<SmolStr> = definition.names().cloned().collect();
        let walkable = definition.relations.keys().filter(|name| !admits_wildcard(&before, &type_name, name));
        let walkable: Vec<SmolStr> = walkable.cloned().collect();
        for (name, raw) in PERMISSIONS.iter().zip(&raw.permissions) {
            let name = SmolStr::new(name);
            let expression = expression(&names, &walkable, raw);
            let permission = Permission { name: name.clone(), doc: None, expression, types: Vec::new() };
            definition.permissions.insert(name, permission);
        }
        break_cycles(definition);
    }
    schema.flags = flags(schema);
    set_order(schema);
}
