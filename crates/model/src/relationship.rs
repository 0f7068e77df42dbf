//! Objects, subjects and the relationships between them.

use std::fmt;

use smol_str::SmolStr;

use crate::names::{self, InvalidName};
use crate::timestamp::Timestamp;

/// The object id that stands for every object of its type, as a subject.
pub const WILDCARD_ID: &str = "*";

/// The values a caveat sees, by parameter name; what the wire calls a Struct. Keys are sorted, so equal contexts
/// print alike.
pub type Context = serde_json::Map<String, serde_json::Value>;

/// One object: a type and an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The type, `user` or `docs/document`.
    pub object_type: SmolStr,
    /// The id, unique within its type; `*` only as a subject.
    pub object_id: SmolStr,
}

impl ObjectRef {
    /// An object from its two parts, unchecked.
    pub fn new(object_type: impl Into<SmolStr>, object_id: impl Into<SmolStr>) -> ObjectRef {
        ObjectRef { object_type: object_type.into(), object_id: object_id.into() }
    }

    /// Whether the id is the wildcard `*`.
    pub fn is_wildcard(&self) -> bool {
        self.object_id == WILDCARD_ID
    }
}

/// Who is related: an object, or with a relation everyone who has it (a userset).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectRef {
    /// The object.
    pub object: ObjectRef,
    /// The relation of a userset (`member` in `group:eng#member`); `None` for the object itself, which the wire
    /// writes as an empty relation or `...`.
    pub relation: Option<SmolStr>,
}

impl SubjectRef {
    /// The object itself as a subject, unchecked.
    pub fn direct(object_type: impl Into<SmolStr>, object_id: impl Into<SmolStr>) -> SubjectRef {
        SubjectRef { object: ObjectRef::new(object_type, object_id), relation: None }
    }

    /// Everyone with `relation` on the object, unchecked.
    pub fn userset(
        object_type: impl Into<SmolStr>,
        object_id: impl Into<SmolStr>,
        relation: impl Into<SmolStr>,
    ) -> SubjectRef {
        SubjectRef { object: ObjectRef::new(object_type, object_id), relation: Some(relation.into()) }
    }
}

/// A caveat named on a relationship, with the values fixed there.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaveatRef {
    /// The caveat's name in the schema.
    pub name: SmolStr,
    /// Values bound when the relationship was written; they win over a request's.
    pub context: Context,
}

/// One edge of the graph. Its identity is resource, relation and subject; caveat and expiry are attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Relationship {
    /// What is accessed.
    pub resource: ObjectRef,
    /// How the subject relates to it.
    pub relation: SmolStr,
    /// Who is related.
    pub subject: SubjectRef,
    /// The condition under which it counts.
    pub caveat: Option<CaveatRef>,
    /// The first instant at which it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl Relationship {
    /// A relationship without caveat and expiry, unchecked.
    pub fn new(resource: ObjectRef, relation: impl Into<SmolStr>, subject: SubjectRef) -> Relationship {
        Relationship { resource, relation: relation.into(), subject, caveat: None, expires_at: None }
    }

    /// Whether both name the same edge, whatever their attributes.
    pub fn same_identity(&self, other: &Relationship) -> bool {
        self.resource == other.resource && self.relation == other.relation && self.subject == other.subject
    }

    /// Checks every name and id against its grammar. A wildcard is accepted only as a subject without relation.
    pub fn check_names(&self) -> Result<(), InvalidName> {
        names::check_object_type(&self.resource.object_type)?;
        names::check_object_id(&self.resource.object_id)?;
        names::check_relation(&self.relation)?;
        names::check_object_type(&self.subject.object.object_type)?;
        if !(self.subject.object.is_wildcard() && self.subject.relation.is_none()) {
            names::check_object_id(&self.subject.object.object_id)?;
        }
        if let Some(relation) = &self.subject.relation {
            names::check_relation(relation)?;
        }
        match &self.caveat {
            Some(caveat) => names::check_caveat_name(&caveat.name),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object_type, self.object_id)
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relation {
            None => write!(f, "{}", self.object),
            Some(relation) => write!(f, "{}#{relation}", self.object),
        }
    }
}

impl fmt::Display for Relationship {
    /// The text form; `text::parse_relationship` reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.resource, self.relation, self.subject)?;
        if let Some(caveat) = &self.caveat {
            write!(f, "[{}", caveat.name)?;
            if !caveat.context.is_empty() {
                let json = serde_json::to_string(&caveat.context).map_err(|_| fmt::Error)?;
                write!(f, ":{json}")?;
            }
            write!(f, "]")?;
        }
        match &self.expires_at {
            Some(instant) => write!(f, "[expiration:{instant}]"),
            None => Ok(()),
        }
    }
}
