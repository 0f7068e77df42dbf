//! Expressions in normal form.

use super::Plan;
use crate::schema::Expression;

/// The plan of an expression.
pub(super) fn normal(expression: &Expression) -> Plan {
    match expression {
        Expression::Nil => Plan::Nil,
        Expression::SelfObject => Plan::SelfObject,
        Expression::Reference(name) => Plan::Reference(name.clone()),
        Expression::Arrow { relation, target, all } => {
            Plan::Arrow { relation: relation.clone(), target: target.clone(), all: *all }
        }
        Expression::Union(operands) => union(operands.iter().map(normal)),
        Expression::Intersection(operands) => intersection(operands.iter().map(normal)),
        Expression::Exclusion(left, right) => exclusion(normal(left), normal(right)),
    }
}

/// Any of plans in normal form.
pub(super) fn union(operands: impl Iterator<Item = Plan>) -> Plan {
    let mut flat = Vec::new();
    for operand in operands {
        match operand {
            Plan::Nil => {}
            Plan::Union(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    alone_or(flat, Plan::Union)
}

/// All of plans in normal form. Of no plan at all it is nobody.
pub(super) fn intersection(operands: impl Iterator<Item = Plan>) -> Plan {
    let mut flat = Vec::new();
    for operand in operands {
        match operand {
            Plan::Nil => return Plan::Nil,
            Plan::Intersection(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    alone_or(flat, Plan::Intersection)
}

/// One plan in normal form without another. `x - x` stays: where `x` depends on a caveat it is not known to be
/// nobody.
pub(super) fn exclusion(left: Plan, right: Plan) -> Plan {
    match (left, right) {
        (Plan::Nil, _) => Plan::Nil,
        (left, Plan::Nil) => left,
        (left, right) => Plan::Exclusion(Box::new(left), Box::new(right)),
    }
}

fn alone_or(mut operands: Vec<Plan>, many: fn(Vec<Plan>) -> Plan) -> Plan {
    operands.sort_unstable();
    operands.dedup();
    match operands.len() {
        0 | 1 => operands.pop().unwrap_or(Plan::Nil),
        _ => many(operands),
    }
}
