//! What a permission is made of on one object, read off the expression as written.

use std::collections::BTreeSet;

use pemba_model::{ObjectRef, SmolStr, SubjectRef};
use pemba_schema::Expression;

use super::{Atom, Oracle};

/// How a node's children combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Any child.
    Union,
    /// Every child.
    Intersection,
    /// The first without the others.
    Exclusion,
}

/// A node of an expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Direct subjects of a relation, sorted; or none for `nil` and for what an arrow leads to that lacks its target, the
    /// object for `self`, or the node itself as a userset where the expansion has come back to it.
    Leaf(Atom, Vec<SubjectRef>),
    /// An operator, a reference or an arrow.
    Node(Atom, Operator, Vec<Tree>),
}

/// What an expansion has used up and where it stands.
struct Walk {
    nodes_left: usize,
    path: Vec<Atom>,
}

impl Oracle {
    /// The expansion of a relation or permission; `None` when it has more than `nodes_max` nodes.
    pub fn expand(&self, object: &ObjectRef, name: &str, nodes_max: usize) -> Option<Tree> {
        let atom = Atom { object: object.clone(), name: SmolStr::new(name) };
        self.expand_atom(&mut Walk { nodes_left: nodes_max, path: Vec::new() }, &atom)
    }

    fn expand_atom(&self, walk: &mut Walk, atom: &Atom) -> Option<Tree> {
        walk.nodes_left = walk.nodes_left.checked_sub(1)?;
        if walk.path.contains(atom) {
            let itself = SubjectRef { object: atom.object.clone(), relation: Some(atom.name.clone()) };
            return Some(Tree::Leaf(atom.clone(), vec![itself]));
        }
        let definition = self.schema.definition(&atom.object.object_type);
        let Some(permission) = definition.and_then(|d| d.permissions.get(&atom.name)) else {
            return Some(Tree::Leaf(atom.clone(), self.direct_subjects(&atom.object, &atom.name)));
        };
        walk.path.push(atom.clone());
        let tree = self.expand_expression(walk, atom, &permission.expression)?;
        walk.path.pop();
        let is_operator = matches!(
            permission.expression,
            Expression::Union(_) | Expression::Intersection(_) | Expression::Exclusion(..)
        );
        Some(if is_operator { tree } else { Tree::Node(atom.clone(), Operator::Union, vec![tree]) })
    }

    fn expand_expression(&self, walk: &mut Walk, atom: &Atom, expression: &Expression) -> Option<Tree> {
        walk.nodes_left = walk.nodes_left.checked_sub(1)?;
        let mut node = |operator, operands: &[&Expression]| {
            let children: Option<Vec<Tree>> =
                operands.iter().map(|operand| self.expand_expression(walk, atom, operand)).collect();
            Some(Tree::Node(atom.clone(), operator, children?))
        };
        match expression {
            Expression::Nil => Some(Tree::Leaf(atom.clone(), Vec::new())),
            Expression::SelfObject => {
                let itself = SubjectRef { object: atom.object.clone(), relation: None };
                Some(Tree::Leaf(atom.clone(), vec![itself]))
            }
            Expression::Reference(name) => {
                self.expand_atom(walk, &Atom { object: atom.object.clone(), name: name.clone() })
            }
            Expression::Arrow { relation, target, all } => {
                let has = |object: &ObjectRef| {
                    self.schema.definition(&object.object_type).is_some_and(|d| d.has(target))
                };
                let subjects = self.direct_subjects(&atom.object, relation);
                let objects: BTreeSet<ObjectRef> =
                    subjects.into_iter().map(|s| s.object).filter(|o| !o.is_wildcard()).collect();
                let one = |object| match has(&object) {
                    true => self.expand_atom(walk, &Atom { object, name: target.clone() }),
                    // Without the target there is nobody in it.
                    false => Some(Tree::Leaf(atom.clone(), Vec::new())),
                };
                let children: Option<Vec<Tree>> = objects.into_iter().map(one).collect();
                let operator = if *all { Operator::Intersection } else { Operator::Union };
                Some(Tree::Node(atom.clone(), operator, children?))
            }
            Expression::Union(all) => node(Operator::Union, &all.iter().collect::<Vec<_>>()),
            Expression::Intersection(all) => node(Operator::Intersection, &all.iter().collect::<Vec<_>>()),
            Expression::Exclusion(base, without) => {
                node(Operator::Exclusion, &[base.as_ref(), without.as_ref()])
            }
        }
    }
}
