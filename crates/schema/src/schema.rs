//! The checked schema: what a text means once every name in it is known to exist.
//!
//! Everything is kept by name and in name order, so two texts that mean the same compare equal but for their comments.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

/// A whole schema. Partials are already mixed into the definitions that name them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// Object types by name.
    pub definitions: BTreeMap<SmolStr, Definition>,
    /// Caveats by name.
    pub caveats: BTreeMap<SmolStr, Caveat>,
    /// The `use` flags of the text: `expiration`, `typechecking`, `self`, `partial`.
    pub flags: BTreeSet<SmolStr>,
}

/// One object type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The type's name, prefix included.
    pub name: SmolStr,
    /// The comments in front of it, comment marks included, lines joined by `\n`.
    pub doc: Option<String>,
    /// Relations by name.
    pub relations: BTreeMap<SmolStr, Relation>,
    /// Permissions by name; no name is in both maps.
    pub permissions: BTreeMap<SmolStr, Permission>,
}

/// A relation: what may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The relation's name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub doc: Option<String>,
    /// Which subjects may be written, in the order of the text, without duplicates.
    pub allowed: Vec<AllowedSubject>,
}

/// One kind of subject that a relation takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedSubject {
    /// The subject's object type.
    pub subject_type: SmolStr,
    /// Object, userset or wildcard.
    pub shape: SubjectShape,
    /// The caveat that must come with it.
    pub caveat: Option<SmolStr>,
    /// Whether an expiry must come with it.
    pub expiration: bool,
}

/// What of its type a subject is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectShape {
    /// One object, `user:alice`.
    Direct,
    /// Everyone who has the relation on one object, `group:eng#member`.
    Userset(SmolStr),
    /// Every object of the type, `user:*`.
    Wildcard,
}

/// A permission: what is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The permission's name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub doc: Option<String>,
    /// How it is computed, as written.
    pub expression: Expression,
    /// The subject types that `permission name: user | group#member = ...` claims; empty without an annotation.
    pub types: Vec<TypeAnnotation>,
}

/// One member of a permission's type annotation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeAnnotation {
    /// The subject's object type.
    pub subject_type: SmolStr,
    /// Its relation, for a userset.
    pub relation: Option<SmolStr>,
}

/// The right side of a permission, as written: operands in order, nested by binding strength and parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Nobody.
    Nil,
    /// The resource itself, as a subject.
    SelfObject,
    /// Another relation or permission of the same object.
    Reference(SmolStr),
    /// `relation->target`, `relation.any(target)` or, with `all`, `relation.all(target)`: what the subjects of the
    /// relation have as `target`, for any or for all of them.
    Arrow {
        /// A relation of the same definition.
        relation: SmolStr,
        /// A relation or permission of the relation's subjects; those whose type lacks it never have it.
        target: SmolStr,
        /// Whether every subject of the relation must have it; false when the relation has no subject.
        all: bool,
    },
    /// Has any operand. At least two operands.
    Union(Vec<Expression>),
    /// Has all operands. At least two operands.
    Intersection(Vec<Expression>),
    /// Has the first operand and not the second.
    Exclusion(Box<Expression>, Box<Expression>),
}

/// A caveat: a condition with typed parameters, kept as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caveat {
    /// The caveat's name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub doc: Option<String>,
    /// Parameters in the order of the text.
    pub parameters: Vec<CaveatParameter>,
    /// The condition's source, as written between the braces, trimmed.
    pub expression: String,
}

/// One parameter of a caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaveatParameter {
    /// The parameter's name.
    pub name: SmolStr,
    /// Its type.
    pub parameter_type: ParameterType,
}

/// The type of a caveat parameter. It prints as the schema writes it: `list<string>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ParameterType {
    /// Any value.
    Any,
    /// true or false.
    Bool,
    /// Text.
    String,
    /// Signed, 64 bits.
    Int,
    /// Unsigned, 64 bits.
    Uint,
    /// Binary floating point, 64 bits.
    Double,
    /// Bytes, base64 in JSON.
    Bytes,
    /// A length of time, `1h30m` in JSON.
    Duration,
    /// An instant, RFC 3339 in JSON.
    Timestamp,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A list of one type.
    List(Box<ParameterType>),
    /// A map from text to one type.
    Map(Box<ParameterType>),
}

impl Schema {
    /// The definition of an object type.
    pub fn definition(&self, object_type: &str) -> Option<&Definition> {
        self.definitions.get(object_type)
    }
}

impl Definition {
    /// Whether the name is a relation or permission of this type.
    pub fn has(&self, name: &str) -> bool {
        self.relations.contains_key(name) || self.permissions.contains_key(name)
    }

    /// Names of all relations, then of all permissions.
    pub fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.relations.keys().chain(self.permissions.keys())
    }
}
