//! The tree of a schema text, as far as it could be understood. Every node has its place in the text; every comment
//! is among the tokens.

use pemba_model::{SmolStr, Span};

use crate::lexer::Token;
use crate::schema::ParameterType;

/// A whole text.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// All tokens, comments included; the last is the end of the text.
    pub tokens: Vec<Token>,
    /// What the text declares, in its order.
    pub items: Vec<Item>,
    /// Whether something at the top level could not be understood: a name may be missing.
    pub incomplete: bool,
}

/// One thing at the top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `use flag`
    Use(Name),
    /// `import "file"`
    Import(Span),
    /// `definition name { ... }`
    Definition(Block),
    /// `partial name { ... }`
    Partial(Block),
    /// `caveat name(...) { ... }`
    Caveat(CaveatNode),
}

/// A name and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name, prefix included.
    pub text: SmolStr,
    /// Where it is written.
    pub span: Span,
}

/// A definition or a partial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The comments in front, as the schema keeps them.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// What stands between the braces, in order.
    pub members: Vec<Member>,
    /// From the keyword to the closing brace.
    pub span: Span,
    /// Whether a member could not be understood: a name may be missing.
    pub incomplete: bool,
}

/// One member of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// `relation name: ...`
    Relation(RelationNode),
    /// `permission name = ...`
    Permission(PermissionNode),
    /// `...name`
    Mix(Name),
}

/// A relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationNode {
    /// The comments in front.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// The subjects it takes; empty only when they could not be understood.
    pub allowed: Vec<AllowedNode>,
}

/// One kind of subject that a relation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedNode {
    /// The subject's object type.
    pub subject_type: Name,
    /// What follows the type.
    pub shape: ShapeNode,
    /// The caveat after `with`.
    pub caveat: Option<Name>,
    /// The word `expiration` after `with`.
    pub expiration: Option<Span>,
    /// All of it.
    pub span: Span,
}

/// What of its type a subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShapeNode {
    /// Nothing, or `#...`.
    Direct,
    /// `#relation`
    Userset(Name),
    /// `:*`
    Wildcard,
}

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionNode {
    /// The comments in front.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// The subject types of the annotation; those without definition too.
    pub types: Vec<Name>,
    /// How it is computed; `None` when it could not be understood.
    pub expression: Option<ExpressionNode>,
}

/// An expression and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionNode {
    /// What it is.
    pub kind: ExpressionKind,
    /// Where, without parentheses around it.
    pub span: Span,
    /// Levels of operators and parentheses under it; at most `SCHEMA_NESTING_MAX`.
    pub height: usize,
}

/// What an expression is. A union directly in a union, or an intersection in an intersection, is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `nil`
    Nil,
    /// The word `self`, which may be a name when the flag is not set.
    SelfObject,
    /// A name.
    Reference(Name),
    /// An arrow of one of its three forms.
    Arrow {
        /// Left of it.
        relation: Name,
        /// Right of it.
        target: Name,
        /// Whether it is `.all`.
        all: bool,
    },
    /// `+`
    Union(Vec<ExpressionNode>),
    /// `&`
    Intersection(Vec<ExpressionNode>),
    /// `-`
    Exclusion(Box<ExpressionNode>, Box<ExpressionNode>),
}

/// A caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaveatNode {
    /// The comments in front.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub parameters: Vec<ParameterNode>,
    /// Whether the parameters could be understood.
    pub parameters_complete: bool,
    /// Between the braces; `None` when there is no condition.
    pub body: Option<Span>,
    /// The condition within the body, without the comments before and after it; empty when there is nothing else.
    pub expression: Span,
    /// Everything from the keyword to the closing brace.
    pub span: Span,
}

/// A parameter of a caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterNode {
    /// Its name.
    pub name: Name,
    /// Its type; `None` when it is none.
    pub parameter_type: Option<ParameterType>,
}
