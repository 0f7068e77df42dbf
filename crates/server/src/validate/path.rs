//! Where in a request a value stands, spelled only when something is wrong with it.

use std::fmt;

/// One step of a path: a field, and which element of it when it is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) index: Option<usize>,
}

/// A field path that borrows from its parents, so that checking ten thousand good items builds no text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The request itself.
    Root,
    /// A field of a message.
    Field(&'a Path<'a>, &'static str),
    /// One element of a repeated field.
    Item(&'a Path<'a>, &'static str, usize),
}

impl<'a> Path<'a> {
    /// A field of the message at this path.
    pub(crate) fn field(&'a self, name: &'static str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// An element, from 0, of a repeated field of the message at this path.
    pub(crate) fn item(&'a self, name: &'static str, index: usize) -> Path<'a> {
        Path::Item(self, name, index)
    }

    /// The steps from the request to the value.
    pub(super) fn steps(self) -> Vec<Step> {
        let (parent, step) = match self {
            Path::Root => return Vec::new(),
            Path::Field(parent, name) => (parent, Step { name, index: None }),
            Path::Item(parent, name, index) => (parent, Step { name, index: Some(index) }),
        };
        let mut steps = parent.steps();
        steps.push(step);
        steps
    }

    fn separator(self) -> &'static str {
        match self {
            Path::Root => "",
            Path::Field(..) | Path::Item(..) => ".",
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(parent, name) => write!(f, "{parent}{}{name}", parent.separator()),
            Path::Item(parent, name, index) => write!(f, "{parent}{}{name}[{index}]", parent.separator()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_in_the_proto_files() {
        let root = Path::Root;
        let item = root.item("updates", 3);
        let relationship = item.field("relationship");
        assert_eq!(relationship.field("relation").to_string(), "updates[3].relationship.relation");
        assert_eq!(root.field("permission").to_string(), "permission");
    }
}
