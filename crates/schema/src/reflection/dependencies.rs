//! What depends on what: which permissions a relation may change, and which relations a permission reads.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::SmolStr;

use crate::schema::{Definition, Expression, Schema, SubjectShape};

/// A relation or permission of a definition. They sort by definition, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberReference {
    /// The definition.
    pub definition: SmolStr,
    /// The relation or permission.
    pub name: SmolStr,
    /// Whether it is a permission.
    pub is_permission: bool,
}

/// Why a question about dependencies has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no such definition.
    #[error("unknown definition `{definition}`")]
    UnknownDefinition {
        /// The name asked for.
        definition: SmolStr,
    },
    /// The definition has no such relation or permission.
    #[error("`{definition}` has no relation or permission `{name}`")]
    UnknownMember {
        /// The definition.
        definition: SmolStr,
        /// The name asked for.
        name: SmolStr,
    },
    /// A permission is needed and a relation was named.
    #[error("`{name}` of `{definition}` is a relation; only a permission reads others")]
    NotAPermission {
        /// The definition.
        definition: SmolStr,
        /// The relation.
        name: SmolStr,
    },
}

/// What the members of a schema depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'s> {
    /// The objects of a type as subjects.
    Objects(&'s str),
    /// The wildcard of a type.
    Wildcard(&'s str),
    /// A relation or permission of a type.
    Member(&'s str, &'s str),
}

/// The relations and permissions that may gain or lose subjects when a relation or permission does, by definition and
/// name; without a relation (`""`) those that may when an object of the definition is a subject. `beginning` keeps only
/// those of definitions whose names begin so. The member asked about is never among them. A member that takes the
/// wildcard of a type counts as depending on every member of that type, as clients of this interface know it. Takes
/// time linear in the schema with its arrows walked.
pub fn computable_permissions(
    schema: &Schema,
    definition: &str,
    relation: &str,
    beginning: Option<&str>,
) -> Result<Vec<MemberReference>, ReferenceError> {
    let owner = find(schema, definition)?;
    let start = if relation.is_empty() {
        Node::Objects(&owner.name)
    } else {
        Node::Member(&owner.name, find_member(owner, relation)?)
    };
    let mut dependents: BTreeMap<Node<'_>, Vec<Node<'_>>> = BTreeMap::new();
    for (definition, name) in members(schema) {
        for needed in needs(schema, definition, name).followed {
            dependents.entry(needed).or_default().push(Node::Member(&definition.name, name));
        }
    }
    let mut seen = BTreeSet::from([start.clone()]);
    let mut open = vec![start.clone()];
    while let Some(node) = open.pop() {
        let (Node::Objects(of_type) | Node::Wildcard(of_type) | Node::Member(of_type, _)) = node;
        for needed in [node, Node::Wildcard(of_type)] {
            for dependent in dependents.get(&needed).into_iter().flatten() {
                if seen.insert(dependent.clone()) {
                    open.push(dependent.clone());
                }
            }
        }
    }
    seen.remove(&start);
    let all = seen.iter().filter_map(|node| reference(schema, node));
    Ok(all
        .filter(|found| beginning.is_none_or(|beginning| found.definition.starts_with(beginning)))
        .collect())
}

/// The relations and permissions that a permission reads, directly or by others, by definition and name. The relation
/// that an arrow starts from is among them, the usersets that such a relation takes are not. The permission itself
/// never is. Takes time linear in the schema with its arrows walked.
pub fn dependent_relations(
    schema: &Schema,
    definition: &str,
    permission: &str,
) -> Result<Vec<MemberReference>, ReferenceError> {
    let owner = find(schema, definition)?;
    let name = find_member(owner, permission)?;
    if !owner.permissions.contains_key(name) {
        let (definition, name) = (owner.name.clone(), SmolStr::new(name));
        return Err(ReferenceError::NotAPermission { definition, name });
    }
    let start = Node::Member(&owner.name, name);
    let mut followed = BTreeSet::from([start.clone()]);
    let mut seen = BTreeSet::new();
    let mut open = vec![start.clone()];
    while let Some(node) = open.pop() {
        let Node::Member(definition, name) = node else { continue };
        let Some(owner) = schema.definitions.get(definition) else { continue };
        let needs = needs(schema, owner, name);
        seen.extend(needs.mentioned);
        for needed in needs.followed {
            if followed.insert(needed.clone()) {
                open.push(needed);
            }
        }
    }
    seen.extend(followed);
    seen.remove(&start);
    Ok(seen.iter().filter_map(|node| reference(schema, node)).collect())
}

fn find<'s>(schema: &'s Schema, definition: &str) -> Result<&'s Definition, ReferenceError> {
    let unknown = || ReferenceError::UnknownDefinition { definition: SmolStr::new(definition) };
    schema.definitions.get(definition).ok_or_else(unknown)
}

fn find_member<'s>(owner: &'s Definition, name: &str) -> Result<&'s str, ReferenceError> {
    let relation = owner.relations.get_key_value(name).map(|(name, _)| name.as_str());
    let permission = owner.permissions.get_key_value(name).map(|(name, _)| name.as_str());
    relation.or(permission).ok_or_else(|| ReferenceError::UnknownMember {
        definition: owner.name.clone(),
        name: SmolStr::new(name),
    })
}

fn members(schema: &Schema) -> impl Iterator<Item = (&Definition, &str)> {
    schema
        .definitions
        .values()
        .flat_map(|definition| definition.names().map(move |name| (definition, name.as_str())))
}

fn reference(schema: &Schema, node: &Node<'_>) -> Option<MemberReference> {
    let Node::Member(definition, name) = node else { return None };
    Some(MemberReference {
        definition: SmolStr::new(definition),
        name: SmolStr::new(name),
        is_permission: schema.definitions.get(*definition)?.permissions.contains_key(*name),
    })
}

/// What one member needs.
#[derive(Default)]
struct Needs<'s> {
    /// What it has its subjects from.
    followed: Vec<Node<'s>>,
    /// The relations that its arrows start from.
    mentioned: Vec<Node<'s>>,
}

fn needs<'s>(schema: &'s Schema, definition: &'s Definition, name: &str) -> Needs<'s> {
    let mut needs = Needs::default();
    if let Some(relation) = definition.relations.get(name) {
        needs.followed.extend(relation.allowed.iter().map(|allowed| match &allowed.shape {
            SubjectShape::Direct => Node::Objects(&allowed.subject_type),
            SubjectShape::Wildcard => Node::Wildcard(&allowed.subject_type),
            SubjectShape::Userset(relation) => Node::Member(&allowed.subject_type, relation),
        }));
    }
    let expression = definition.permissions.get(name).map(|permission| &permission.expression);
    let mut open: Vec<&Expression> = expression.into_iter().collect();
    while let Some(expression) = open.pop() {
        match expression {
            Expression::Nil => {}
            Expression::SelfObject => needs.followed.push(Node::Objects(&definition.name)),
            Expression::Reference(name) => needs.followed.push(Node::Member(&definition.name, name)),
            Expression::Arrow { relation, target, .. } => {
                arrow(schema, definition, relation, target, &mut needs)
            }
            Expression::Union(operands) | Expression::Intersection(operands) => open.extend(operands),
            Expression::Exclusion(left, right) => open.extend([left.as_ref(), right.as_ref()]),
        }
    }
    needs
}

fn arrow<'s>(
    schema: &'s Schema,
    definition: &'s Definition,
    relation: &'s str,
    target: &'s str,
    needs: &mut Needs<'s>,
) {
    needs.mentioned.push(Node::Member(&definition.name, relation));
    let types: BTreeSet<&SmolStr> = definition
        .relations
        .get(relation)
        .into_iter()
        .flat_map(|relation| relation.allowed.iter().map(|allowed| &allowed.subject_type))
        .collect();
    for subject_type in types {
        if schema.definitions.get(subject_type).is_some_and(|found| found.has(target)) {
            needs.followed.push(Node::Member(subject_type, target));
        }
    }
}
