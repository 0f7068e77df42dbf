//! What is asked: plain data that prints as a person would write it, and its form on the wire.

use std::fmt;

use pemba_proto::authzed::api::v1 as wire;
use serde_json::{Map, Value};

/// A JSON object: a caveat context.
pub type Context = Map<String, Value>;

/// An object: type and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// A subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The object.
    pub object: Object,
    /// Its relation; empty for none.
    pub relation: String,
}

/// A relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The resource.
    pub resource: Object,
    /// The relation.
    pub relation: String,
    /// The subject.
    pub subject: Subject,
    /// The caveat and what is bound to it.
    pub caveat: Option<(String, Context)>,
    /// When it expires, in seconds since 1970.
    pub expires_at_s: Option<i64>,
}

/// A relationship filter; empty parts are not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// The resource's type.
    pub resource_type: String,
    /// The resource's id.
    pub resource_id: String,
    /// What the resource's id begins with.
    pub resource_id_prefix: String,
    /// The relation.
    pub relation: String,
    /// The subject's type, id, and relation; the relation only when given.
    pub subject: Option<(String, String, Option<String>)>,
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The resource.
    pub resource: Object,
    /// The permission or relation.
    pub permission: String,
    /// The subject.
    pub subject: Subject,
    /// The request's context.
    pub context: Context,
}

/// At which revision a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Head,
    /// Exactly the revision of the write with this number, counted from 0.
    Exact(usize),
    /// At least the revision of the last write: an older token would allow several answers.
    Fresh,
}

/// What an update does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Refuses one that is there.
    Create,
    /// Writes over one that is there.
    Touch,
    /// Removes.
    Delete,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// CheckPermission.
    Check(Item, At),
    /// CheckBulkPermissions.
    Bulk(Vec<Item>),
    /// LookupResources.
    LookupResources {
        /// The resources' type.
        resource_type: String,
        /// The permission or relation.
        permission: String,
        /// The subject.
        subject: Subject,
        /// The request's context.
        context: Context,
        /// How many results a page has; 0 for all at once.
        page: u32,
    },
    /// LookupSubjects.
    LookupSubjects {
        /// The resource.
        resource: Object,
        /// The permission or relation.
        permission: String,
        /// The subjects' type.
        subject_type: String,
        /// The subjects' relation; empty for none.
        subject_relation: String,
        /// The request's context.
        context: Context,
    },
    /// ExpandPermissionTree.
    Expand {
        /// The resource.
        resource: Object,
        /// The permission or relation.
        permission: String,
    },
    /// ReadRelationships.
    Read {
        /// What to read.
        filter: Filter,
        /// How many relationships a page has; 0 for all at once.
        page: u32,
        /// At which revision.
        at: At,
    },
    /// ExportBulkRelationships of everything.
    Export,
    /// WriteRelationships.
    Write {
        /// What to write.
        updates: Vec<(Operation, Edge)>,
        /// What must match, or with `false` must not.
        preconditions: Vec<(bool, Filter)>,
    },
    /// DeleteRelationships.
    Delete {
        /// What to delete.
        filter: Filter,
        /// What must match, or with `false` must not.
        preconditions: Vec<(bool, Filter)>,
        /// The limit; 0 for none.
        limit: u32,
        /// Whether a part may be deleted.
        partial: bool,
    },
    /// WriteSchema.
    Schema(String),
}

impl Step {
    /// Whether it changes relationships or the schema.
    pub fn is_change(&self) -> bool {
        matches!(self, Step::Write { .. } | Step::Delete { .. } | Step::Schema(_))
    }

    /// The call's name.
    pub fn call(&self) -> &'static str {
        match self {
            Step::Check(..) => "CheckPermission",
            Step::Bulk(_) => "CheckBulkPermissions",
            Step::LookupResources { .. } => "LookupResources",
            Step::LookupSubjects { .. } => "LookupSubjects",
            Step::Expand { .. } => "ExpandPermissionTree",
            Step::Read { .. } => "ReadRelationships",
            Step::Export => "ExportBulkRelationships",
            Step::Write { .. } => "WriteRelationships",
            Step::Delete { .. } => "DeleteRelationships",
            Step::Schema(_) => "WriteSchema",
        }
    }
}

impl Object {
    /// An object.
    pub fn new(kind: &str, id: &str) -> Object {
        Object { kind: kind.to_owned(), id: id.to_owned() }
    }

    /// On the wire.
    pub fn wire(&self) -> wire::ObjectReference {
        wire::ObjectReference { object_type: self.kind.clone(), object_id: self.id.clone() }
    }
}

impl Subject {
    /// On the wire.
    pub fn wire(&self) -> wire::SubjectReference {
        wire::SubjectReference { object: Some(self.object.wire()), optional_relation: self.relation.clone() }
    }
}

impl Edge {
    /// On the wire.
    pub fn wire(&self) -> wire::Relationship {
        wire::Relationship {
            resource: Some(self.resource.wire()),
            relation: self.relation.clone(),
            subject: Some(self.subject.wire()),
            optional_caveat: self.caveat.as_ref().map(|(name, context)| wire::ContextualizedCaveat {
                caveat_name: name.clone(),
                context: (!context.is_empty()).then(|| wire_struct(context)),
            }),
            optional_expires_at: self
                .expires_at_s
                .map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        }
    }

    /// Whether both say the same about the same, caveat and expiry aside.
    pub fn same(&self, other: &Edge) -> bool {
        self.resource == other.resource && self.relation == other.relation && self.subject == other.subject
    }
}

impl Filter {
    /// On the wire.
    pub fn wire(&self) -> wire::RelationshipFilter {
        wire::RelationshipFilter {
            resource_type: self.resource_type.clone(),
            optional_resource_id: self.resource_id.clone(),
            optional_resource_id_prefix: self.resource_id_prefix.clone(),
            optional_relation: self.relation.clone(),
            optional_subject_filter: self.subject.as_ref().map(|(kind, id, relation)| wire::SubjectFilter {
                subject_type: kind.clone(),
                optional_subject_id: id.clone(),
                optional_relation: relation
                    .as_ref()
                    .map(|relation| wire::subject_filter::RelationFilter { relation: relation.clone() }),
            }),
        }
    }

    /// What selects exactly one relationship.
    pub fn of(edge: &Edge) -> Filter {
        Filter {
            resource_type: edge.resource.kind.clone(),
            resource_id: edge.resource.id.clone(),
            resource_id_prefix: String::new(),
            relation: edge.relation.clone(),
            subject: Some((
                edge.subject.object.kind.clone(),
                edge.subject.object.id.clone(),
                Some(edge.subject.relation.clone()),
            )),
        }
    }
}

/// A context on the wire; `None` when it is empty.
pub fn wire_context(context: &Context) -> Option<prost_types::Struct> {
    (!context.is_empty()).then(|| wire_struct(context))
}

/// A JSON object as a protobuf struct.
pub fn wire_struct(context: &Context) -> prost_types::Struct {
    let fields = context.iter().map(|(name, value)| (name.clone(), wire_value(value))).collect();
    prost_types::Struct { fields }
}

fn wire_value(value: &Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(wire_value).collect() })
        }
        Value::Object(fields) => Kind::StructValue(wire_struct(fields)),
    };
    prost_types::Value { kind: Some(kind) }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if self.relation.is_empty() { Ok(()) } else { write!(f, "#{}", self.relation) }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.resource, self.relation, self.subject)?;
        match &self.caveat {
            None => {}
            Some((name, context)) if context.is_empty() => write!(f, "[{name}]")?,
            Some((name, context)) => write!(f, "[{name}:{}]", Value::Object(context.clone()))?,
        }
        match self.expires_at_s {
            None => Ok(()),
            Some(seconds) => write!(f, "[expiration:{}]", instant_text(seconds)),
        }
    }
}

/// The instants that relationships expire at, as text: the generator uses these two only.
fn instant_text(seconds: i64) -> String {
    match seconds {
        PAST_S => "2020-01-01T00:00:00Z".to_owned(),
        FUTURE_S => "2100-01-01T00:00:00Z".to_owned(),
        other => format!("at {other} s"),
    }
}

/// An instant long past, 2020-01-01T00:00:00Z.
pub const PAST_S: i64 = 1_577_836_800;
/// An instant far away, 2100-01-01T00:00:00Z.
pub const FUTURE_S: i64 = 4_102_444_800;

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.resource, self.permission, self.subject)?;
        with(f, &self.context)
    }
}

fn with(f: &mut fmt::Formatter<'_>, context: &Context) -> fmt::Result {
    if context.is_empty() { Ok(()) } else { write!(f, " with {}", Value::Object(context.clone())) }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource_type, self.resource_id)?;
        if !self.resource_id_prefix.is_empty() {
            write!(f, "{}%", self.resource_id_prefix)?;
        }
        write!(f, "#{}", self.relation)?;
        match &self.subject {
            None => Ok(()),
            Some((kind, id, None)) => write!(f, "@{kind}:{id}"),
            Some((kind, id, Some(relation))) => write!(f, "@{kind}:{id}#{relation}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.call())?;
        match self {
            Step::Check(item, at) => write!(f, "{item} ({at:?})"),
            Step::Bulk(items) => items.iter().try_for_each(|item| write!(f, "\n    {item}")),
            Step::LookupResources { resource_type, permission, subject, context, page } => {
                write!(f, "{resource_type}#{permission}@{subject}")?;
                with(f, context)?;
                write!(f, " (page {page})")
            }
            Step::LookupSubjects { resource, permission, subject_type, subject_relation, context } => {
                write!(f, "{resource}#{permission}@{subject_type}#{subject_relation}")?;
                with(f, context)
            }
            Step::Expand { resource, permission } => write!(f, "{resource}#{permission}"),
            Step::Read { filter, page, at } => write!(f, "{filter} (page {page}, {at:?})"),
            Step::Export => Ok(()),
            Step::Write { updates, preconditions } => {
                show_preconditions(f, preconditions)?;
                updates.iter().try_for_each(|(operation, edge)| write!(f, "\n    {operation:?} {edge}"))
            }
            Step::Delete { filter, preconditions, limit, partial } => {
                show_preconditions(f, preconditions)?;
                write!(f, "{filter} (limit {limit}, partial {partial})")
            }
            Step::Schema(text) => write!(f, "\n{text}"),
        }
    }
}

fn show_preconditions(f: &mut fmt::Formatter<'_>, preconditions: &[(bool, Filter)]) -> fmt::Result {
    for (must, filter) in preconditions {
        write!(f, "[{} {filter}] ", if *must { "must match" } else { "must not match" })?;
    }
    Ok(())
}
