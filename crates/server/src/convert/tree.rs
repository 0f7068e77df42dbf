//! The tree of an expand.

use pemba_engine::{ExpandNode, ExpandTree};
use pemba_proto::authzed::api::v1::algebraic_subject_set::Operation;
use pemba_proto::authzed::api::v1::permission_relationship_tree::TreeType;
use pemba_proto::authzed::api::v1::{AlgebraicSubjectSet, DirectSubjectSet, PermissionRelationshipTree};

use super::{object_to_wire, subject_to_wire};

/// The tree on the wire. Its depth is that of the permission's expression, which the schema bounds.
pub(crate) fn tree_to_wire(tree: &ExpandTree) -> PermissionRelationshipTree {
    let (operation, children) = match &tree.node {
        ExpandNode::Leaf(subjects) => {
            let leaf = DirectSubjectSet { subjects: subjects.iter().map(subject_to_wire).collect() };
            return node(tree, TreeType::Leaf(leaf));
        }
        ExpandNode::Union(children) => (Operation::Union, children),
        ExpandNode::Intersection(children) => (Operation::Intersection, children),
        ExpandNode::Exclusion(children) => (Operation::Exclusion, children),
    };
    let children = children.iter().map(tree_to_wire).collect();
    node(tree, TreeType::Intermediate(AlgebraicSubjectSet { operation: operation.into(), children }))
}

fn node(tree: &ExpandTree, tree_type: TreeType) -> PermissionRelationshipTree {
    PermissionRelationshipTree {
        expanded_object: Some(object_to_wire(&tree.object)),
        expanded_relation: tree.relation.to_string(),
        tree_type: Some(tree_type),
    }
}
