//! Checked tree to schema.

use pemba_model::SmolStr;

use super::{MemberNode, Resolved, World};
use crate::schema::{
    AllowedSubject, Caveat, CaveatParameter, Definition, Expression, ParameterType, Permission, Relation,
    Schema, SubjectShape,
};
use crate::syntax::{
    AllowedNode, CaveatNode, ExpressionKind, ExpressionNode, PermissionNode, RelationNode, ShapeNode,
};

/// The schema that a world without errors means.
pub(super) fn schema(world: &World<'_>) -> Schema {
    let has_self = world.has_flag("self");
    Schema {
        definitions: world
            .definitions
            .iter()
            .map(|(name, resolved)| (name.clone(), definition(name, resolved, has_self)))
            .collect(),
        caveats: world
            .caveats
            .iter()
            .filter_map(|(name, node)| Some((name.clone(), caveat(node, world.text)?)))
            .collect(),
        flags: world.flags.clone(),
    }
}

fn definition(name: &SmolStr, resolved: &Resolved<'_>, has_self: bool) -> Definition {
    let mut definition = Definition {
        name: name.clone(),
        doc: resolved.block.doc.clone(),
        relations: std::collections::BTreeMap::new(),
        permissions: std::collections::BTreeMap::new(),
        order: resolved.order.clone(),
    };
    for (name, member) in &resolved.members {
        match member {
            MemberNode::Relation(node) => drop(definition.relations.insert(name.clone(), relation(node))),
            MemberNode::Permission(node) => {
                drop(definition.permissions.insert(name.clone(), permission(node, has_self)));
            }
        }
    }
    definition
}

fn relation(node: &RelationNode) -> Relation {
    Relation {
        name: node.name.text.clone(),
        doc: node.doc.clone(),
        allowed: node.allowed.iter().map(allowed).collect(),
    }
}

pub(super) fn allowed(node: &AllowedNode) -> AllowedSubject {
    AllowedSubject {
        subject_type: node.subject_type.text.clone(),
        shape: match &node.shape {
            ShapeNode::Direct => SubjectShape::Direct,
            ShapeNode::Userset(relation) => SubjectShape::Userset(relation.text.clone()),
            ShapeNode::Wildcard => SubjectShape::Wildcard,
        },
        caveat: node.caveat.as_ref().map(|name| name.text.clone()),
        expiration: node.expiration.is_some(),
    }
}

fn permission(node: &PermissionNode, has_self: bool) -> Permission {
    Permission {
        name: node.name.text.clone(),
        doc: node.doc.clone(),
        // A missing expression is an error, so a checked world has none.
        expression: node.expression.as_ref().map_or(Expression::Nil, |node| expression(node, has_self)),
        types: node.types.iter().map(|name| name.text.clone()).collect(),
    }
}

fn expression(node: &ExpressionNode, has_self: bool) -> Expression {
    let all =
        |operands: &[ExpressionNode]| operands.iter().map(|operand| expression(operand, has_self)).collect();
    match &node.kind {
        ExpressionKind::Nil => Expression::Nil,
        ExpressionKind::SelfObject if has_self => Expression::SelfObject,
        ExpressionKind::SelfObject => Expression::Reference(SmolStr::new_static("self")),
        ExpressionKind::Reference(name) => Expression::Reference(name.text.clone()),
        ExpressionKind::Arrow { relation, target, all } => {
            Expression::Arrow { relation: relation.text.clone(), target: target.text.clone(), all: *all }
        }
        ExpressionKind::Union(operands) => Expression::Union(all(operands)),
        ExpressionKind::Intersection(operands) => Expression::Intersection(all(operands)),
        ExpressionKind::Exclusion(left, right) => {
            Expression::Exclusion(Box::new(expression(left, has_self)), Box::new(expression(right, has_self)))
        }
    }
}

/// The caveat of a node; `None` when its condition has errors, which a checked world has not.
fn caveat(node: &CaveatNode, text: &str) -> Option<Caveat> {
    let parameters = node
        .parameters
        .iter()
        .map(|parameter| CaveatParameter {
            name: parameter.name.text.clone(),
            // An unknown type is an error, so a checked world has none.
            parameter_type: parameter.parameter_type.clone().unwrap_or(ParameterType::Any),
        })
        .collect();
    let expression = node.expression.text(text).to_owned();
    let caveat = Caveat::new(node.name.text.clone(), parameters, expression).ok()?;
    Some(Caveat { doc: node.doc.clone(), ..caveat })
}
