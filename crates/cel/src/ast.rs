//! The tree of an expression, as parsed; macros are nodes of their own.

use pemba_model::Span;
use smol_str::SmolStr;

use crate::value::Value;

/// A node and where it stands in the source.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// Levels below, so that everything that walks the tree is bounded.
    pub(crate) height: usize,
}

/// An operator between two operands, in the order of its strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// What a macro over a list or map answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A part that was reported and is not looked at again.
    Fault,
    Literal(Value),
    Name {
        name: SmolStr,
        /// Whether a dot before it hides the variables of macros.
        rooted: bool,
    },
    Select {
        operand: Box<Expr>,
        field: SmolStr,
        optional: bool,
    },
    Has {
        operand: Box<Expr>,
        field: SmolStr,
    },
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
        optional: bool,
    },
    Call {
        function: SmolStr,
        target: Option<Box<Expr>>,
        arguments: Vec<Expr>,
    },
    /// Elements, with whether an absent optional is left out.
    List(Vec<(Expr, bool)>),
    Map(Vec<(Expr, Expr, bool)>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Conditional(Box<[Expr; 3]>),
    Fold {
        fold: Fold,
        range: Box<Expr>,
        variable: SmolStr,
        /// Of `map` with three arguments: which elements are taken.
        filter: Option<Box<Expr>>,
        body: Box<Expr>,
    },
    OptionalMap {
        target: Box<Expr>,
        variable: SmolStr,
        body: Box<Expr>,
    },
}
