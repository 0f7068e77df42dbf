//! Expansions against the oracle's.

use pemba_engine::{ExpandNode, ExpandTree, QueryError, expand};

use super::{Difference, Scene};
use crate::oracle::{Atom, Operator, Tree};

/// Largest tree that is compared; where the data is a thicket of cycles a tree has one branch for each way through it.
const NODES_MAX: usize = 2_000;

/// Whether the engine's tree is the oracle's.
fn same(expected: &Tree, got: &ExpandTree) -> bool {
    let is_at = |atom: &Atom| atom.object == got.object && atom.name == got.relation;
    match (expected, &got.node) {
        (Tree::Leaf(atom, expected), ExpandNode::Leaf(got)) => is_at(atom) && expected == got,
        (Tree::Node(atom, Operator::Union, expected), ExpandNode::Union(got))
        | (Tree::Node(atom, Operator::Intersection, expected), ExpandNode::Intersection(got))
        | (Tree::Node(atom, Operator::Exclusion, expected), ExpandNode::Exclusion(got)) => {
            is_at(atom)
                && expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| same(expected, got))
        }
        _ => false,
    }
}

/// Levels of a tree.
fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::Leaf(..) => 1,
        Tree::Node(_, _, children) => 1 + children.iter().map(depth).max().unwrap_or(0),
    }
}

impl Scene<'_> {
    /// Every object's every relation and permission.
    pub fn compare_expansions(&self) -> Result<(), Box<Difference>> {
        for atom in self.oracle.atoms() {
            let Some(expected) = self.oracle.expand(&atom.object, &atom.name, NODES_MAX) else { continue };
            let (graph, program) = (self.snapshot, self.snapshot.program());
            let agrees = match expand(graph, program, &atom.object, &atom.name, &self.context()) {
                Ok(got) if same(&expected, &got) => Ok(()),
                // A client could not decode it.
                Err(QueryError::TooDeep { depth_max }) if depth(&expected) >= depth_max as usize => Ok(()),
                got => Err(got),
            };
            if let Err(got) = agrees {
                return Err(self.difference(
                    format!("expand {}#{}", atom.object, atom.name),
                    &expected,
                    &got,
                ));
            }
        }
        Ok(())
    }
}
