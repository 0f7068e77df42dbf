//! A schema's plans bound to the numbers of a catalog, ready to run.

use std::collections::BTreeMap;
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
    /// The kinds of edges to usersets, by the usersets' type, with the type's number.
    userset_kinds: BTreeMap<SmolStr, (TypeId, Vec<KindId>)>,
    /// The program with two forms of every predicate, once something asks for it.
    with_forms: OnceLock<Box<Program>>,
    /// In a program with two forms the number of the first predicate in the form `Whole`.
    whole_from: Option<u32>,
}

/// How a predicate takes edges to usersets, in a program with two forms of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Without those that are withheld: what is granted is decided by it.
    Granting,
    /// All of them: what is taken away by an exclusion is decided by it.
    Whole,
}

impl Form {
    /// The form on the other side of an exclusion.
    pub(crate) fn negated(self) -> Form {
        match self {
            Form::Granting => Form::Whole,
            Form::Whole => Form::Granting,
        }
    }
}

/// Set in a kind's number to mean its edges without those that are withheld.
const GRANTING: u32 = 1 << 31;

impl KindId {
    /// The kind that stands for this one's edges without those that are withheld.
    pub(crate) fn granting(self) -> KindId {
        KindId(self.0 | GRANTING)
    }

    /// The kind behind one that `granting` gave, or this one itself; and whether it was such a one.
    pub(crate) fn whole(self) -> (KindId, bool) {
        (KindId(self.0 & !GRANTING), self.0 & GRANTING != 0)
    }
}

/// One relation or permission.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    pub(crate) object_type: SmolStr,
    pub(crate) type_id: TypeId,
    pub(crate) name: SmolStr,
    pub(crate) body: Body,
}

impl Predicate {
    fn relation_kinds(&self) -> &[RelationKind] {
        match &self.body {
            Body::Relation(kinds) => kinds,
            Body::Permission(_) => &[],
        }
    }

    fn withhold_usersets(&mut self) {
        let Body::Relation(kinds) = &mut self.body else { return };
        for kind in kinds.iter_mut().filter(|kind| matches!(kind.shape, SubjectShape::Userset(_))) {
            kind.kind = kind.kind.granting();
        }
    }
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
        for kind in program.predicates.iter().flat_map(Predicate::relation_kinds) {
            if let SubjectShape::Userset(_) = kind.shape
                && let Some(of) = program.types.get(&kind.subject_type)
            {
                let kinds = program.userset_kinds.entry(kind.subject_type.clone());
                kinds.or_insert_with(|| (of.type_id, Vec::new())).1.push(kind.kind);
            }
        }
        program.open_specialised(schema.definitions.len());
        program
    }

    fn open_specialised(&mut self, types: usize) {
        let kinds = types + self.predicates.len();
        self.specialised = (0..kinds).map(|_| OnceLock::new()).collect();
    }

    /// The same program with two forms of every predicate, for a graph that withholds usersets: what is asked for is
    /// decided without them, and what an exclusion takes away with all of them, however deep exclusions nest.
    pub(crate) fn with_forms(&self) -> &Program {
        self.with_forms.get_or_init(|| {
            let mut granting = self.predicates.clone();
            granting.iter_mut().for_each(Predicate::withhold_usersets);
            let whole_from = u32::try_from(granting.len()).unwrap_or(u32::MAX);
            let mut program = Program {
                predicates: granting.into_iter().chain(self.predicates.iter().cloned()).collect(),
                types: self.types.clone(),
                plans: self.plans.clone(),
                whole_from: Some(whole_from),
                ..Program::default()
            };
            program.open_specialised(self.specialised.len().saturating_sub(self.predicates.len()));
            Box::new(program)
        })
    }

    /// Whether every predicate has two forms.
    pub(crate) fn has_forms(&self) -> bool {
        self.whole_from.is_some()
    }

    /// The form of a predicate.
    pub(crate) fn form_of(&self, id: PredicateId) -> Form {
        match self.whole_from {
            Some(from) if id.0 >= from => Form::Whole,
            _ => Form::Granting,
        }
    }

    /// A predicate that was found by name, in a form; itself where there are no forms.
    pub(crate) fn in_form(&self, id: PredicateId, form: Form) -> PredicateId {
        match (self.whole_from, form) {
            (Some(from), Form::Whole) => PredicateId(id.0.saturating_add(from)),
            _ => id,
        }
    }

    /// The kinds of edges to usersets, by the usersets' type, with the type's number.
    pub(crate) fn userset_kinds(&self) -> impl Iterator<Item = (&SmolStr, TypeId, &[KindId])> {
        self.userset_kinds.iter().map(|(name, (type_id, kinds))| (name, *type_id, kinds.as_slice()))
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
