//! The checked schema: what a text means once every name in it is known to exist.
//!
//! Everything is kept by name and in name order, so two texts that mean the same compare equal but for their comments and
//! the order of their members.

use std::collections::{BTreeMap, BTreeSet};

use pemba_cel::Program;
pub use pemba_cel::Type as ParameterType;
use pemba_model::{Diagnostic, SubjectRef};
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
    /// The names of its members in the order of the text, partials in place. It is for showing only: a name that is
    /// missing is shown last, one that is too much is not shown.
    pub order: Vec<SmolStr>,
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

impl SubjectShape {
    /// What of its type a subject is. A wildcard with a relation is of no shape that a relation takes; here it counts as
    /// a userset.
    pub fn of(subject: &SubjectRef) -> SubjectShape {
        match &subject.relation {
            Some(relation) => SubjectShape::Userset(relation.clone()),
            None if subject.object.is_wildcard() => SubjectShape::Wildcard,
            None => SubjectShape::Direct,
        }
    }
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
    /// The subject types that `permission name: user | org = ...` claims; empty without an annotation. They need not
    /// exist.
    pub types: Vec<SmolStr>,
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
    /// The condition, ready to be evaluated.
    pub program: Program,
}

/// One parameter of a caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaveatParameter {
    /// The parameter's name.
    pub name: SmolStr,
    /// Its type.
    pub parameter_type: ParameterType,
}

impl Schema {
    /// The definition of an object type.
    pub fn definition(&self, object_type: &str) -> Option<&Definition> {
        self.definitions.get(object_type)
    }
}

impl Caveat {
    /// A caveat without comments. Fails with all that is wrong with the condition, at places of its own text.
    pub fn new(
        name: SmolStr,
        parameters: Vec<CaveatParameter>,
        expression: String,
    ) -> Result<Caveat, Vec<Diagnostic>> {
        let types: Vec<(SmolStr, ParameterType)> = parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.parameter_type.clone()))
            .collect();
        let program = pemba_cel::compile(&expression, &types)?;
        Ok(Caveat { name, doc: None, parameters, expression, program })
    }

    /// The parameters by name, as clients are shown them: their order says nothing.
    pub fn parameters_by_name(&self) -> Vec<&CaveatParameter> {
        let mut parameters: Vec<&CaveatParameter> = self.parameters.iter().collect();
        parameters.sort_by(|left, right| left.name.cmp(&right.name));
        parameters
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

    /// Names of all relations and permissions in the order of the text.
    pub fn names_in_order(&self) -> Vec<&SmolStr> {
        let place_of: BTreeMap<&SmolStr, usize> =
            self.order.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let mut names: Vec<&SmolStr> = self.names().collect();
        names.sort_by_key(|name| place_of.get(name).copied().unwrap_or(usize::MAX));
        names
    }

    /// All relations in the order of the text.
    pub fn relations_in_order(&self) -> impl Iterator<Item = &Relation> {
        self.names_in_order().into_iter().filter_map(|name| self.relations.get(name))
    }

    /// All permissions in the order of the text.
    pub fn permissions_in_order(&self) -> impl Iterator<Item = &Permission> {
        self.names_in_order().into_iter().filter_map(|name| self.permissions.get(name))
    }
}
