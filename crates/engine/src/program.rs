//! A schema's plans bound to the numbers of a catalog, ready to run.

use std::sync::OnceLock;

use pemba_model::{ObjectRef, SubjectRef};
use pemba_schema::plan::{Plans, SubjectKind};
use pemba_schema::{Expression, Schema, SubjectShape};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{Catalog, Kind};
use crate::ids::{KindId, TypeId};
use crate::query::QueryError;
use crate::specialised::Specialised;

/// A relation or permission of a type; dense from 0 within a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PredicateId(pub(crate) u32);

/// Everything a query needs of a schema, compiled once per schema revision. What depends on the kind of subject asked
/// about is compiled when that kind is first asked about.
#[derive(Debug, Clone, Default)]
pub struct Program {
    predicates: Vec<Predicate>,
    types: FxHashMap<SmolStr, TypeEntry>,
    type_names: Vec<SmolStr>,
    plans: Plans,
    /// One per type for its objects, then one per predicate for its usersets.
    specialised: Vec<OnceLock<Specialised>>,
}

/// One relation or permission.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    pub(crate) object_type: SmolStr,
    pub(crate) type_id: TypeId,
    pub(crate) name: SmolStr,
    pub(crate) body: Body,
}

/// What it is.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// A relation, by the kinds of subject it takes.
    Relation(Vec<RelationKind>),
    /// A permission, as written.
    Permission(Expression),
}

/// One kind of edge of a relation.
#[derive(Debug, Clone)]
pub(crate) struct RelationKind {
    pub(crate) kind: KindId,
    pub(crate) subject_type: SmolStr,
    pub(crate) shape: SubjectShape,
}

#[derive(Debug, Clone)]
struct TypeEntry {
    type_id: TypeId,
    /// Where the type stands among the types of the schema.
    position: usize,
    names: FxHashMap<SmolStr, PredicateId>,
}

impl Program {
    /// Compiles a checked schema whose types and kinds are all in the catalog; types and kinds the catalog lacks are
    /// taken as never mentioned.
    pub fn compile(schema: &Schema, catalog: &Catalog) -> Program {
        let mut program = Program { plans: Plans::compile(schema), ..Program::default() };
        for (position, definition) in schema.definitions.values().enumerate() {
            let Some(type_id) = catalog.type_id(&definition.name) else { continue };
            let mut names = FxHashMap::default();
            let relations = definition
                .relations
                .values()
                .map(|relation| (&relation.name, Body::Relation(relation_kinds(catalog, type_id, relation))));
            let permissions = definition
                .permissions
                .values()
                .map(|permission| (&permission.name, Body::Permission(permission.expression.clone())));
            for (name, body) in relations.chain(permissions) {
                let id = PredicateId(u32::try_from(program.predicates.len()).unwrap_or(u32::MAX));
                names.insert(name.clone(), id);
                let object_type = definition.name.clone();
                program.predicates.push(Predicate { object_type, type_id, name: name.clone(), body });
            }
            program.types.insert(definition.name.clone(), TypeEntry { type_id, position, names });
            program.type_names.push(definition.name.clone());
        }
        let kinds = schema.definitions.len() + program.predicates.len();
        program.specialised = (0..kinds).map(|_| OnceLock::new()).collect();
        program
    }

    /// The predicate of a type by name.
    pub(crate) fn predicate_id(&self, object_type: &str, name: &str) -> Option<PredicateId> {
        self.types.get(object_type)?.names.get(name).copied()
    }

    /// The predicate behind a number.
    pub(crate) fn predicate(&self, id: PredicateId) -> Option<&Predicate> {
        self.predicates.get(id.0 as usize)
    }

    /// All predicates in order of their numbers.
    pub(crate) fn predicates(&self) -> impl Iterator<Item = (PredicateId, &Predicate)> {
        (0..).map(PredicateId).zip(&self.predicates)
    }

    /// The plans.
    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    /// A type's number and the predicate of the type that a query asks for, or why there is none.
    pub(crate) fn find(&self, object_type: &str, name: &str) -> Result<(TypeId, PredicateId), QueryError> {
        let entry = self.entry(object_type)?;
        let id = entry.names.get(name).copied().ok_or_else(|| QueryError::UnknownRelation {
            definition: SmolStr::new(object_type),
            relation: SmolStr::new(name),
        })?;
        Ok((entry.type_id, id))
    }

    /// A subject kind's type and its programs, or why there is none.
    pub(crate) fn find_subject(
        &self,
        subject_type: &str,
        relation: Option<&str>,
    ) -> Result<(TypeId, &Specialised), QueryError> {
        let (type_id, position) = match relation {
            None => {
                let entry = self.entry(subject_type)?;
                (entry.type_id, entry.position)
            }
            Some(relation) => {
                let (type_id, id) = self.find(subject_type, relation)?;
                (type_id, self.specialised.len() - self.predicates.len() + id.0 as usize)
            }
        };
        let kind =
            || SubjectKind { subject_type: SmolStr::new(subject_type), relation: relation.map(SmolStr::new) };
        let cell = self.specialised.get(position).ok_or_else(|| unknown_definition(subject_type))?;
        Ok((type_id, cell.get_or_init(|| Specialised::compile(self, &kind()))))
    }

    /// Whether the schema has every name of a question, or the first that it lacks.
    pub fn check_names(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
    ) -> Result<(), QueryError> {
        self.find(resource_type, permission)?;
        self.find_subject(&subject.object.object_type, subject.relation.as_deref()).map(|_| ())
    }

    fn entry(&self, object_type: &str) -> Result<&TypeEntry, QueryError> {
        self.types.get(object_type).ok_or_else(|| unknown_definition(object_type))
    }
}

/// The question of a check in numbers; for a lookup of resources the resource is left open.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) resource_type: TypeId,
    pub(crate) predicate: PredicateId,
    pub(crate) subject_type: TypeId,
    pub(crate) specialised: &'a Specialised,
}

impl Program {
    /// Looks up every name of a check's question.
    pub(crate) fn question(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
    ) -> Result<Question<'_>, QueryError> {
        let (resource_type, predicate) = self.find(&resource.object_type, permission)?;
        let (subject_type, specialised) =
            self.find_subject(&subject.object.object_type, subject.relation.as_deref())?;
        Ok(Question { resource_type, predicate, subject_type, specialised })
    }
}

fn unknown_definition(object_type: &str) -> QueryError {
    QueryError::UnknownDefinition(SmolStr::new(object_type))
}

fn relation_kinds(
    catalog: &Catalog,
    resource_type: TypeId,
    relation: &pemba_schema::Relation,
) -> Vec<RelationKind> {
    let mut kinds: Vec<RelationKind> = relation
        .allowed
        .iter()
        .filter_map(|allowed| {
            let kind = Kind {
                resource_type,
                relation: relation.name.clone(),
                subject_type: catalog.type_id(&allowed.subject_type)?,
                shape: allowed.shape.clone(),
            };
            let kind = catalog.kind_id(&kind)?;
            Some(RelationKind {
                kind,
                subject_type: allowed.subject_type.clone(),
                shape: allowed.shape.clone(),
            })
        })
        .collect();
    // One kind may be allowed several times, plain and with different caveats.
    kinds.sort_by_key(|kind| kind.kind);
    kinds.dedup_by_key(|kind| kind.kind);
    kinds
}
