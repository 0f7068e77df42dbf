//! Cycles: in relationships, and of permissions that refer to themselves.

use super::generate::Case;
use super::step::{Object, Step};
use super::tolerate::written_edges;

/// Whether some object leads back to itself, by all relationships that were ever written.
pub(super) fn has_cycle(case: &Case) -> bool {
    let mut left: Vec<(&Object, &Object)> =
        written_edges(case).map(|edge| (&edge.resource, &edge.subject.object)).collect();
    // What leads to an object that leads nowhere is on no cycle.
    loop {
        let before = left.len();
        let all = left.clone();
        left.retain(|(_, to)| all.iter().any(|(from, _)| from == to));
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

/// Whether a permission of the schema in force comes back to itself on the same object, whatever the data.
pub(super) fn names_itself(before: &[Step]) -> bool {
    let text = before.iter().rev().find_map(|step| match step {
        Step::Schema(text) => Some(text),
        _ => None,
    });
    // By type: each permission with the names that it has of the same object.
    let mut left: Vec<(usize, &str, &str)> = Vec::new();
    let mut of = 0;
    for line in text.map(String::as_str).unwrap_or_default().lines() {
        of += usize::from(line.starts_with("definition"));
        if let Some((name, expression)) =
            line.trim().strip_prefix("permission ").and_then(|line| line.split_once('='))
        {
            left.extend(own_names(expression).map(|other| (of, name.trim(), other)));
        }
    }
    loop {
        let before = left.len();
        let all = left.clone();
        left.retain(|(of, _, to)| all.iter().any(|(other, from, _)| other == of && from == to));
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

/// The names in an expression, but for those on the right of an arrow.
fn own_names(expression: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = "";
    let mut rest = expression;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(is_name)?;
            let (between, from) = rest.split_at(start);
            let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
            let (name, after) = from.split_at(end);
            let is_right = between == "->" || (between == "(" && matches!(before, "any" | "all"));
            (before, rest) = (name, after);
            if !is_right {
                return Some(name);
            }
        }
    })
}
