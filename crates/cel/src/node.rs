//! What is evaluated: the checked tree with every name replaced by its place.

use smol_str::SmolStr;

use crate::ast::{Binary, Fold};
use crate::function::Function;
use crate::pattern::Pattern;
use crate::value::Value;

/// A part of a program.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Value),
    /// A parameter, by slot.
    Parameter(usize),
    /// A variable of a macro, by depth.
    Local(usize),
    Select {
        operand: Box<Node>,
        field: SmolStr,
        optional: bool,
    },
    Has {
        operand: Box<Node>,
        field: SmolStr,
    },
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        optional: bool,
    },
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    Call(Function, Vec<Node>),
    /// `matches` with a pattern that is known.
    Matches(Box<Node>, Pattern),
    Fold(Box<FoldNode>),
    OptionalMap {
        target: Box<Node>,
        body: Box<Node>,
    },
}

/// A macro over a list or map.
#[derive(Debug, Clone)]
pub(crate) struct FoldNode {
    pub(crate) fold: Fold,
    pub(crate) range: Node,
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}
