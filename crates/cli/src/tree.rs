//! An expanded permission as indented lines, or as JSON.

use pemba_client::{PermissionTree, TreeNode};
use pemba_engine::{ExpandNode, ExpandTree};
use serde_json::{Value, json};

/// Appends the tree's lines, each indented by two spaces a level.
pub fn lines(tree: &PermissionTree, level: usize, into: &mut Vec<String>) {
    let indent = "  ".repeat(level);
    let (word, children) = match &tree.node {
        TreeNode::Leaf(subjects) => {
            let names: Vec<_> = subjects.iter().map(ToString::to_string).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            into.push(format!("{indent}{}#{}: {names}", tree.object, tree.relation));
            return;
        }
        TreeNode::Union(children) => ("any of", children),
        TreeNode::Intersection(children) => ("all of", children),
        TreeNode::Exclusion(children) => ("the first without the others", children),
    };
    let word = if children.is_empty() { "nobody" } else { word };
    into.push(format!("{indent}{}#{}: {word}", tree.object, tree.relation));
    children.iter().for_each(|child| lines(child, level + 1, into));
}

/// The tree for programs.
pub fn to_json(tree: &PermissionTree) -> Value {
    let children = |trees: &[PermissionTree]| trees.iter().map(to_json).collect::<Vec<_>>();
    let (key, content) = match &tree.node {
        TreeNode::Leaf(subjects) => ("subjects", subjects.iter().map(|one| json!(one.to_string())).collect()),
        TreeNode::Union(trees) => ("union", children(trees)),
        TreeNode::Intersection(trees) => ("intersection", children(trees)),
        TreeNode::Exclusion(trees) => ("exclusion", children(trees)),
    };
    json!({"object": tree.object.to_string(), "relation": tree.relation.as_str(), key: content})
}

/// The tree of an embedded database as a client would have got it.
pub fn from_engine(tree: ExpandTree) -> PermissionTree {
    let children = |trees: Vec<ExpandTree>| trees.into_iter().map(from_engine).collect();
    let node = match tree.node {
        ExpandNode::Leaf(subjects) => TreeNode::Leaf(subjects),
        ExpandNode::Union(trees) => TreeNode::Union(children(trees)),
        ExpandNode::Intersection(trees) => TreeNode::Intersection(children(trees)),
        ExpandNode::Exclusion(trees) => TreeNode::Exclusion(children(trees)),
    };
    PermissionTree { object: tree.object, relation: tree.relation, node }
}
