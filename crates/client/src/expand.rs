//! Showing what a permission is made of.

use pemba_model::{ObjectRef, SmolStr, SubjectRef};
use pemba_proto::authzed::api::v1;

use crate::{
    client::{Client, Repeat},
    consistency::{Consistency, Token},
    error::Error,
    wire,
};

/// Levels of tree accepted from a server, well above what an expansion of one level has.
const TREE_LEVELS_MAX: usize = 64;

/// One node of an expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionTree {
    /// The object the node is about.
    pub object: ObjectRef,
    /// The relation or permission of the object.
    pub relation: SmolStr,
    /// What it is made of.
    pub node: TreeNode,
}

/// What a relation or permission is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeNode {
    /// These subjects, written directly on the relation; usersets are not followed.
    Leaf(Vec<SubjectRef>),
    /// Everyone in any child.
    Union(Vec<PermissionTree>),
    /// Everyone in all children.
    Intersection(Vec<PermissionTree>),
    /// Everyone in the first child and in none of the others.
    Exclusion(Vec<PermissionTree>),
}

impl Client {
    /// Shows one level of what a permission or relation of the resource is made of, and the revision it was read at.
    ///
    /// # Errors
    /// `FailedPrecondition` when the schema has no such type or permission.
    pub async fn expand(
        &self,
        resource: &ObjectRef,
        permission: &str,
        consistency: &Consistency,
    ) -> Result<(PermissionTree, Token), Error> {
        let request = v1::ExpandPermissionTreeRequest {
            consistency: consistency.to_wire(),
            resource: Some(wire::object_to_wire(resource)),
            permission: permission.to_owned(),
        };
        let answer = self
            .unary(request, Repeat::Safe, |mut api, request| async move {
                api.permissions.expand_permission_tree(request).await
            })
            .await?;
        let tree = tree_from_wire(wire::present(answer.tree_root, "tree_root")?, TREE_LEVELS_MAX)?;
        Ok((tree, Token::from_wire(answer.expanded_at)))
    }
}

fn tree_from_wire(tree: v1::PermissionRelationshipTree, levels_left: usize) -> Result<PermissionTree, Error> {
    use v1::{algebraic_subject_set::Operation, permission_relationship_tree::TreeType};

    let Some(below) = levels_left.checked_sub(1) else {
        return Err(Error::malformed_answer(format!("a tree of more than `{TREE_LEVELS_MAX}` levels")));
    };
    let node = match wire::present(tree.tree_type, "tree_type")? {
        TreeType::Leaf(leaf) => {
            let subjects = leaf.subjects.into_iter().map(wire::subject_from_wire);
            TreeNode::Leaf(subjects.collect::<Result<_, _>>()?)
        }
        TreeType::Intermediate(set) => {
            let operation = set.operation();
            let children = set.children.into_iter().map(|child| tree_from_wire(child, below));
            let children = children.collect::<Result<_, _>>()?;
            match operation {
                Operation::Union => TreeNode::Union(children),
                Operation::Intersection => TreeNode::Intersection(children),
                Operation::Exclusion => TreeNode::Exclusion(children),
                Operation::Unspecified => {
                    return Err(Error::malformed_answer("the set operation is unspecified"));
                }
            }
        }
    };
    Ok(PermissionTree {
        object: wire::object_from_wire(wire::present(tree.expanded_object, "expanded_object")?),
        relation: tree.expanded_relation.into(),
        node,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_deeper_than_the_bound_is_an_error() {
        use v1::permission_relationship_tree::TreeType;

        let mut tree = v1::PermissionRelationshipTree {
            tree_type: Some(TreeType::Leaf(v1::DirectSubjectSet::default())),
            expanded_object: Some(v1::ObjectReference::default()),
            expanded_relation: "viewer".into(),
        };
        for _ in 1..TREE_LEVELS_MAX {
            let set = v1::AlgebraicSubjectSet { operation: 1, children: vec![tree.clone()] };
            tree.tree_type = Some(TreeType::Intermediate(set));
        }
        assert!(tree_from_wire(tree.clone(), TREE_LEVELS_MAX).is_ok());
        assert!(tree_from_wire(tree, TREE_LEVELS_MAX - 1).is_err());
    }
}
