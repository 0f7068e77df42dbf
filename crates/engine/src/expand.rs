//! What a permission is made of on one object: its expression as written, down to the direct subjects of relations.

use pemba_model::{ObjectRef, SubjectRef, WILDCARD_ID};
use pemba_schema::{Expression, SubjectShape};
use smol_str::SmolStr;

use crate::edges::Reading;
use crate::graph::Graph;
use crate::ids::{Ordinal, TypeId};
use crate::program::{Body, PredicateId, Program, RelationKind};
use crate::query::{ExpandNode, ExpandTree, QueryContext, QueryError};

/// Deepest tree, in levels: protobuf decoders refuse messages nested deeper than 100, and a level is two messages.
const DEPTH_MAX: u32 = 45;

/// Expands a relation or permission of an object. A relation is a leaf of its direct subjects, usersets and wildcards
/// included, whatever their caveats. A permission is a node for each operator, reference and arrow in it; usersets in
/// leaves are not followed. Where the data leads back to an object and permission that is being expanded, the tree
/// ends in a leaf that names it as a userset.
pub fn expand<G: Graph>(
    graph: &G,
    program: &Program,
    resource: &ObjectRef,
    permission: &str,
    context: &QueryContext<'_>,
) -> Result<ExpandTree, QueryError> {
    let (type_id, predicate) = program.find(&resource.object_type, permission)?;
    let ordinal = graph.ordinal(type_id, &resource.object_id);
    let at = Place { object: resource.clone(), ordinal, predicate };
    Expansion { graph, program, reading: Reading::new(context), path: Vec::new() }.predicate(at)
}

/// One predicate of one object.
#[derive(Debug, Clone)]
struct Place {
    object: ObjectRef,
    /// `None` for an object never mentioned: it has no edges.
    ordinal: Option<Ordinal>,
    predicate: PredicateId,
}

struct Expansion<'a, 'b, G> {
    graph: &'a G,
    program: &'a Program,
    reading: Reading<'b>,
    /// What is being expanded, outermost first.
    path: Vec<(PredicateId, Option<Ordinal>)>,
}

impl<G: Graph> Expansion<'_, '_, G> {
    fn predicate(&mut self, at: Place) -> Result<ExpandTree, QueryError> {
        self.reading.charge(1)?;
        let program = self.program;
        let Some(predicate) = program.predicate(at.predicate) else {
            return Ok(leaf(&at.object, "", Vec::new()));
        };
        let key = (at.predicate, at.ordinal);
        if self.path.contains(&key) {
            let userset = SubjectRef { object: at.object.clone(), relation: Some(predicate.name.clone()) };
            return Ok(leaf(&at.object, &predicate.name, vec![userset]));
        }
        match &predicate.body {
            Body::Relation(kinds) => {
                let mut subjects = Vec::new();
                for kind in kinds {
                    self.subjects(kind, at.ordinal, &mut |subject| subjects.push(subject))?;
                }
                subjects.sort_unstable();
                subjects.dedup();
                Ok(leaf(&at.object, &predicate.name, subjects))
            }
            Body::Permission(expression) => {
                self.path.push(key);
                let tree = self.expression(&at, &predicate.name, expression, 1)?;
                self.path.pop();
                // What is no operator itself is the only child of a union.
                Ok(if is_operator(expression) {
                    tree
                } else {
                    tree_of(&at.object, &predicate.name, ExpandNode::Union(vec![tree]))
                })
            }
        }
    }

    fn expression(
        &mut self,
        at: &Place,
        name: &SmolStr,
        expression: &Expression,
        depth: u32,
    ) -> Result<ExpandTree, QueryError> {
        self.reading.charge(1)?;
        let levels = u32::try_from(self.path.len()).unwrap_or(u32::MAX);
        if levels.saturating_add(depth) > DEPTH_MAX {
            return Err(QueryError::TooDeep { depth_max: DEPTH_MAX });
        }
        let operands = |this: &mut Self, operands: &mut dyn Iterator<Item = &Expression>| {
            operands
                .map(|operand| this.expression(at, name, operand, depth + 1))
                .collect::<Result<Vec<_>, _>>()
        };
        let node = match expression {
            Expression::Nil => ExpandNode::Leaf(Vec::new()),
            Expression::SelfObject => {
                ExpandNode::Leaf(vec![SubjectRef { object: at.object.clone(), relation: None }])
            }
            Expression::Reference(target) => {
                let Some(predicate) = self.program.predicate_id(&at.object.object_type, target) else {
                    return Ok(leaf(&at.object, name, Vec::new()));
                };
                return self.predicate(Place { object: at.object.clone(), ordinal: at.ordinal, predicate });
            }
            Expression::Arrow { relation, target, all } => {
                let children = self.arrow(at, name, relation, target)?;
                if *all { ExpandNode::Intersection(children) } else { ExpandNode::Union(children) }
            }
            Expression::Union(all) => ExpandNode::Union(operands(self, &mut all.iter())?),
            Expression::Intersection(all) => ExpandNode::Intersection(operands(self, &mut all.iter())?),
            Expression::Exclusion(from, without) => {
                let mut both = [from.as_ref(), without.as_ref()].into_iter();
                ExpandNode::Exclusion(operands(self, &mut both)?)
            }
        };
        Ok(tree_of(&at.object, name, node))
    }

    /// The target of every object that the relation leads to, in order of type and id. An object whose type lacks the
    /// target is an empty leaf of the permission `name` that the arrow stands in.
    fn arrow(
        &mut self,
        at: &Place,
        name: &SmolStr,
        relation: &str,
        target: &str,
    ) -> Result<Vec<ExpandTree>, QueryError> {
        let relation = self.program.predicate_id(&at.object.object_type, relation);
        let body = relation.and_then(|id| self.program.predicate(id)).map(|predicate| &predicate.body);
        let Some(Body::Relation(kinds)) = body else { return Ok(Vec::new()) };
        let mut objects = Vec::new();
        for kind in kinds.iter().filter(|kind| kind.shape != SubjectShape::Wildcard) {
            let predicate = self.program.predicate_id(&kind.subject_type, target);
            self.subjects(kind, at.ordinal, &mut |subject| objects.push((subject.object, predicate)))?;
        }
        objects.sort_unstable();
        objects.dedup();
        objects
            .into_iter()
            .map(|(object, predicate)| {
                let Some(predicate) = predicate else { return Ok(leaf(&at.object, name, Vec::new())) };
                let type_id = self.graph.catalog().type_id(&object.object_type);
                let ordinal = type_id.and_then(|type_id| self.graph.ordinal(type_id, &object.object_id));
                self.predicate(Place { object, ordinal, predicate })
            })
            .collect()
    }

    /// Visits the subjects of an object's live edges of one kind.
    fn subjects(
        &mut self,
        kind: &RelationKind,
        object: Option<Ordinal>,
        visit: &mut dyn FnMut(SubjectRef),
    ) -> Result<(), QueryError> {
        let (graph, Some(object)) = (self.graph, object) else { return Ok(()) };
        let Some(subject_type) = graph.catalog().type_id(&kind.subject_type) else { return Ok(()) };
        let mut visit_named = |this: &Self, ordinal: Ordinal| {
            let subject = this.subject(kind, subject_type, ordinal);
            // A name that has gone to a later incarnation is not a subject of this edge.
            let is_named = || graph.ordinal(subject_type, &subject.object.object_id) == Some(ordinal);
            if kind.shape == SubjectShape::Wildcard || is_named() {
                visit(subject);
            }
        };
        let plain = graph.subjects(kind.kind, object);
        self.reading.charge_len(plain.len())?;
        for subject in plain.iter() {
            visit_named(self, subject);
        }
        for edge in graph.qualified_subjects(kind.kind, object) {
            self.reading.charge(1)?;
            if self.reading.is_live(&edge.qualifier) {
                visit_named(self, edge.other);
            }
        }
        Ok(())
    }

    fn subject(&self, kind: &RelationKind, subject_type: TypeId, subject: Ordinal) -> SubjectRef {
        let object_id = match kind.shape {
            SubjectShape::Wildcard => WILDCARD_ID,
            _ => self.graph.object_id(subject_type, subject).unwrap_or_default(),
        };
        let relation = match &kind.shape {
            SubjectShape::Userset(relation) => Some(relation.clone()),
            _ => None,
        };
        SubjectRef { object: ObjectRef::new(kind.subject_type.clone(), object_id), relation }
    }
}

/// Whether an expression is a node with operands.
fn is_operator(expression: &Expression) -> bool {
    matches!(expression, Expression::Union(_) | Expression::Intersection(_) | Expression::Exclusion(..))
}

fn tree_of(object: &ObjectRef, name: &str, node: ExpandNode) -> ExpandTree {
    ExpandTree { object: object.clone(), relation: SmolStr::new(name), node }
}

fn leaf(object: &ObjectRef, name: &str, subjects: Vec<SubjectRef>) -> ExpandTree {
    tree_of(object, name, ExpandNode::Leaf(subjects))
}
