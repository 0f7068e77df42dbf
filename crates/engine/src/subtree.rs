//! Subtrees: an object with all that lies under it along one relation, such as `parent`.
//!
//! "Is it the top, or is its parent under the top?" is a permission like any other, the same for every type. So it is
//! compiled as one, and answered by what answers checks and lookups: cycles, conditions, expiry and bounds are theirs.

use pemba_model::{ObjectRef, SubjectRef};
use pemba_schema::SubjectShape;
use smol_str::SmolStr;

use crate::catalog::Catalog;
use crate::graph::Graph;
use crate::ids::TypeId;
use crate::op::Op;
use crate::program::{PredicateId, Program, Question};
use crate::query::{CheckAnswer, QueryContext, QueryError, ResourceSet};
use crate::specialised::{Lowered, Specialised};
use crate::{check, lookup_resources};

/// Whether an object is in the subtree of another: it is that object, or an edge of the relation leads directly from it
/// to an object in the subtree. Usersets and wildcards on the relation do not count. An object that lacks the relation
/// is at most in its own subtree; a relation that no type has is an error.
pub fn in_subtree<G: Graph>(
    graph: &G,
    object: &ObjectRef,
    relation: &str,
    top: &ObjectRef,
    context: &QueryContext<'_>,
) -> Result<CheckAnswer, QueryError> {
    let membership = Membership::compile(graph.catalog(), relation, top)?;
    let question = membership.question(type_of(graph.catalog(), &object.object_type)?);
    let top = SubjectRef { object: top.clone(), relation: None };
    check::answer(graph, &Program::default(), &question, object, &top, context)
}

/// All objects of a type that are in the subtree of an object, as `in_subtree` says of each. A top that no relationship
/// mentions is found as `Ordinal::UNMENTIONED`.
pub fn subtree<G: Graph>(
    graph: &G,
    resource_type: &str,
    relation: &str,
    top: &ObjectRef,
    context: &QueryContext<'_>,
) -> Result<ResourceSet, QueryError> {
    let membership = Membership::compile(graph.catalog(), relation, top)?;
    let question = membership.question(type_of(graph.catalog(), resource_type)?);
    lookup_resources::answer(graph, &Program::default(), &question, top, context)
}

/// Membership of one subtree as a program: one predicate for each type, with the type's number.
struct Membership {
    top_type: TypeId,
    specialised: Specialised,
}

impl Membership {
    fn compile(catalog: &Catalog, relation: &str, top: &ObjectRef) -> Result<Membership, QueryError> {
        let top_type = type_of(catalog, &top.object_type)?;
        let mut is_known = false;
        let mut bodies = Vec::new();
        for (object_type, _) in catalog.types() {
            let kinds = catalog.kinds_of(object_type, relation);
            is_known |= !kinds.is_empty();
            let mut steps = Vec::new();
            for (id, kind) in kinds.iter().filter_map(|id| Some((*id, catalog.kind(*id)?))) {
                if kind.shape == SubjectShape::Direct {
                    steps.push((id, predicate_of(kind.subject_type)));
                }
            }
            let mut ops = vec![Op::ArrowAny(steps)];
            if object_type == top_type {
                ops.insert(0, Op::SelfObject);
            }
            bodies.push(Some(Lowered::Permission(Op::Any(ops))));
        }
        if !is_known {
            let (definition, relation) = (top.object_type.clone(), SmolStr::new(relation));
            return Err(QueryError::UnknownRelation { definition, relation });
        }
        Ok(Membership { top_type, specialised: Specialised::of(bodies, [None; 2]) })
    }

    fn question(&self, resource_type: TypeId) -> Question<'_> {
        Question {
            resource_type,
            predicate: predicate_of(resource_type),
            subject_type: self.top_type,
            specialised: &self.specialised,
        }
    }
}

fn predicate_of(object_type: TypeId) -> PredicateId {
    PredicateId(object_type.0)
}

fn type_of(catalog: &Catalog, name: &str) -> Result<TypeId, QueryError> {
    catalog.type_id(name).ok_or_else(|| QueryError::UnknownDefinition(SmolStr::new(name)))
}
