//! Which object types and edge kinds a database has ever had, and their numbers.

use pemba_model::Relationship;
use pemba_schema::SubjectShape;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::ids::{KindId, TypeId};

/// An edge kind: one pair of edge tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The resource's type.
    pub resource_type: TypeId,
    /// The relation.
    pub relation: SmolStr,
    /// The subject's type.
    pub subject_type: TypeId,
    /// What of the subject's type is the subject. Each shape is a kind of its own, so a table never mixes them.
    pub shape: SubjectShape,
}

/// All types and kinds, append-only. A kind stays when a schema drops it: it is empty then, and numbers never move.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    types: Vec<SmolStr>,
    type_ids: FxHashMap<SmolStr, TypeId>,
    kinds: Vec<Kind>,
    kind_ids: FxHashMap<Kind, KindId>,
    by_relation: FxHashMap<(TypeId, SmolStr), Vec<KindId>>,
}

impl Catalog {
    /// The number of a type.
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.type_ids.get(name).copied()
    }

    /// The name of a type.
    pub fn type_name(&self, id: TypeId) -> Option<&SmolStr> {
        self.types.get(id.0 as usize)
    }

    /// All types in order of their numbers.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &SmolStr)> {
        (0..).map(TypeId).zip(&self.types)
    }

    /// The number of a kind.
    pub fn kind_id(&self, kind: &Kind) -> Option<KindId> {
        self.kind_ids.get(kind).copied()
    }

    /// The kind behind a number.
    pub fn kind(&self, id: KindId) -> Option<&Kind> {
        self.kinds.get(id.0 as usize)
    }

    /// All kinds in order of their numbers.
    pub fn kinds(&self) -> impl Iterator<Item = (KindId, &Kind)> {
        (0..).map(KindId).zip(&self.kinds)
    }

    /// The kinds of a relation of a type, in order of their numbers.
    pub fn kinds_of(&self, resource_type: TypeId, relation: &str) -> &[KindId] {
        self.by_relation.get(&(resource_type, SmolStr::new(relation))).map_or(&[], Vec::as_slice)
    }

    /// The kind of a relationship's edge; `None` when no schema ever allowed it, or when the relationship is of no kind (a
    /// wildcard as resource or as userset).
    pub fn kind_of(&self, relationship: &Relationship) -> Option<KindId> {
        let subject = &relationship.subject;
        let is_wildcard_userset = subject.object.is_wildcard() && subject.relation.is_some();
        if is_wildcard_userset || relationship.resource.is_wildcard() {
            return None;
        }
        self.kind_id(&Kind {
            resource_type: self.type_id(&relationship.resource.object_type)?,
            relation: relationship.relation.clone(),
            subject_type: self.type_id(&subject.object.object_type)?,
            shape: SubjectShape::of(subject),
        })
    }

    /// The number of a type, given one if it has none yet.
    pub fn intern_type(&mut self, name: &str) -> TypeId {
        if let Some(id) = self.type_id(name) {
            return id;
        }
        let id = TypeId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(SmolStr::new(name));
        self.type_ids.insert(SmolStr::new(name), id);
        id
    }

    /// The number of a kind, given one if it has none yet.
    pub fn intern_kind(&mut self, kind: Kind) -> KindId {
        if let Some(id) = self.kind_id(&kind) {
            return id;
        }
        let id = KindId(u32::try_from(self.kinds.len()).unwrap_or(u32::MAX));
        self.by_relation.entry((kind.resource_type, kind.relation.clone())).or_default().push(id);
        self.kinds.push(kind.clone());
        self.kind_ids.insert(kind, id);
        id
    }
}
