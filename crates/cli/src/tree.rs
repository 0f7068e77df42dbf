//! An expanded permission as indented lines.

use pemba_engine::{ExpandNode, ExpandTree};

/// Appends the tree's lines, each indented by two spaces a level.
pub fn lines(tree: &ExpandTree, level: usize, into: &mut Vec<String>) {
    let indent = "  ".repeat(level);
    let (word, children) = match &tree.node {
        ExpandNode::Leaf(subjects) => {
            let names: Vec<_> = subjects.iter().map(ToString::to_string).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            into.push(format!("{indent}{}#{}: {names}", tree.object, tree.relation));
            return;
        }
        ExpandNode::Union(children) => ("any of", children),
        ExpandNode::Intersection(children) => ("all of", children),
        ExpandNode::Exclusion(children) => ("the first without the others", children),
    };
    into.push(format!("{indent}{}#{}: {word}", tree.object, tree.relation));
    children.iter().for_each(|child| lines(child, level + 1, into));
}
