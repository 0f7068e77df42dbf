//! A small universe of relationships, and the naive model of a database over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pemba_engine::{EdgeKey, Graph, Ordinal, Snapshot, Transaction};
use pemba_model::{
    CaveatRef, Context, ObjectRef, Relationship, RelationshipFilter, SmolStr, SubjectRef, Timestamp,
    WILDCARD_ID,
};
use pemba_schema::{AllowedSubject, Definition, Relation, Schema, SubjectShape};
use proptest::prelude::*;

/// Resource type, id, relation; subject type, id, relation.
pub type Identity = (SmolStr, SmolStr, SmolStr, SmolStr, SmolStr, Option<SmolStr>);
/// Every relationship there is, by identity.
pub type Model = BTreeMap<Identity, Relationship>;

/// What the relations of the universe take: resource type, relation, subject type, shape.
pub fn takes() -> Vec<(&'static str, &'static str, &'static str, SubjectShape)> {
    let member = || SubjectShape::Userset("member".into());
    vec![
        ("doc", "viewer", "user", SubjectShape::Direct),
        ("doc", "viewer", "user", SubjectShape::Wildcard),
        ("doc", "viewer", "group", member()),
        ("doc", "viewer", "group", SubjectShape::Direct),
        ("doc", "owner", "user", SubjectShape::Direct),
        ("doc", "parent", "doc", SubjectShape::Direct),
        ("group", "member", "user", SubjectShape::Direct),
        ("group", "member", "user", SubjectShape::Wildcard),
        ("group", "member", "group", member()),
    ]
}

/// A schema with the first `len` of `takes`.
pub fn schema(len: usize) -> Arc<Schema> {
    let mut schema = Schema::default();
    for name in ["user", "group", "doc"] {
        let definition = Definition {
            name: name.into(),
            doc: None,
            relations: BTreeMap::new(),
            permissions: BTreeMap::new(),
            order: Vec::new(),
        };
        schema.definitions.insert(name.into(), definition);
    }
    for (resource_type, name, subject_type, shape) in takes().into_iter().take(len) {
        let relation = Relation { name: name.into(), doc: None, allowed: Vec::new() };
        let relations = &mut schema.definitions.get_mut(resource_type).unwrap().relations;
        let subject =
            AllowedSubject { subject_type: subject_type.into(), shape, caveat: None, expiration: false };
        relations.entry(name.into()).or_insert(relation).allowed.push(subject);
    }
    Arc::new(schema)
}

/// Ids are shared by all types, so that one type's ordinals and ids mean something in another.
pub fn id() -> impl Strategy<Value = SmolStr> {
    (0..7u32).prop_map(id_of)
}

pub fn id_of(n: u32) -> SmolStr {
    SmolStr::new(if n.is_multiple_of(2) {
        format!("a{n}")
    } else {
        format!("an-id-too-long-to-lie-inline-{n}")
    })
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 0).unwrap()
}

fn qualifiers() -> impl Strategy<Value = (Option<CaveatRef>, Option<Timestamp>)> {
    let caveat = prop::option::weighted(0.3, 0..3i64).prop_map(|limit| {
        limit.map(|limit| {
            let mut context = Context::new();
            context.insert("limit".into(), limit.into());
            CaveatRef { name: "limited".into(), context }
        })
    });
    (caveat, prop::option::weighted(0.3, (1..6i64).prop_map(at)))
}

pub fn relationship() -> impl Strategy<Value = Relationship> {
    (prop::sample::select(takes()), id(), id(), qualifiers()).prop_map(
        |((resource_type, relation, subject_type, shape), resource, subject, (caveat, expires_at))| {
            let subject = match shape {
                SubjectShape::Direct => SubjectRef::direct(subject_type, subject),
                SubjectShape::Wildcard => SubjectRef::direct(subject_type, WILDCARD_ID),
                SubjectShape::Userset(relation) => SubjectRef::userset(subject_type, subject, relation),
            };
            let resource = ObjectRef::new(resource_type, resource);
            Relationship { resource, relation: relation.into(), subject, caveat, expires_at }
        },
    )
}

pub fn identity(relationship: &Relationship) -> Identity {
    let (resource, subject) = (relationship.resource.clone(), relationship.subject.clone());
    let relation = relationship.relation.clone();
    (
        resource.object_type,
        resource.object_id,
        relation,
        subject.object.object_type,
        subject.object.object_id,
        subject.relation,
    )
}

/// `doc:busy#viewer@user:u<n>`: enough of them make a bitmap, on one side or the other.
pub fn crowd(n: u32, of_resources: bool) -> Relationship {
    let (resource, subject) =
        if of_resources { (format!("d{n}"), "busy".into()) } else { ("busy".into(), format!("u{n}")) };
    Relationship::new(ObjectRef::new("doc", resource), "viewer", SubjectRef::direct("user", subject))
}

/// Puts into both; the answer is the same.
pub fn put(transaction: &mut Transaction, model: &mut Model, relationship: &Relationship) {
    let put = transaction.put(relationship).unwrap();
    let before = model.insert(identity(relationship), relationship.clone());
    let before_there = put.before.map(|attributes| transaction.relationship(put.key, &attributes).unwrap());
    assert_eq!(before_there, before);
}

/// Removes from both; the answer is the same.
pub fn remove(transaction: &mut Transaction, model: &mut Model, relationship: &Relationship) {
    let before = model.remove(&identity(relationship));
    let removed = transaction.edge_key(relationship).and_then(|key| {
        let attributes = transaction.remove(key)?;
        transaction.relationship(key, &attributes)
    });
    assert_eq!(removed, before);
}

/// All edges by scanning, with their relationships.
pub fn scanned(snapshot: &Snapshot, filter: &RelationshipFilter) -> Vec<(EdgeKey, Relationship)> {
    snapshot
        .scan(filter, None, None)
        .map(|(key, attributes)| (key, snapshot.relationship(key, &attributes).unwrap()))
        .collect()
}

/// Everything a snapshot says equals what the model says.
pub fn assert_says(snapshot: &Snapshot, model: &Model) {
    assert_eq!(snapshot.len(), model.len() as u64);
    assert_eq!(snapshot.is_empty(), model.is_empty());
    let edges = scanned(snapshot, &RelationshipFilter::default());
    assert!(edges.is_sorted_by(|(a, _), (b, _)| a < b));
    let found: Model =
        edges.iter().map(|(_, relationship)| (identity(relationship), relationship.clone())).collect();
    assert_eq!(found.len(), edges.len());
    assert_eq!(&found, model);
    for (key, relationship) in &edges {
        assert_eq!(snapshot.edge_key(relationship), Some(*key));
        let attributes = snapshot.edge(*key).unwrap();
        assert_eq!(attributes, pemba_engine::attributes_of(relationship));
    }
    assert_tables(snapshot, &edges);
}

/// Each of the four tables of each kind holds exactly its edges.
fn assert_tables(snapshot: &Snapshot, edges: &[(EdgeKey, Relationship)]) {
    for (kind_id, kind) in snapshot.catalog().kinds() {
        let of_kind = || edges.iter().filter(move |(key, _)| key.kind == kind_id);
        let is_plain = |relationship: &Relationship| pemba_engine::attributes_of(relationship).is_none();
        assert_eq!(snapshot.has_plain(kind_id), of_kind().any(|(_, r)| is_plain(r)));
        assert_eq!(snapshot.has_qualified(kind_id), of_kind().any(|(_, r)| !is_plain(r)));
        for (object_type, forward) in [(kind.resource_type, true), (kind.subject_type, false)] {
            for ordinal in (0..=snapshot.names().len(object_type)).map(Ordinal) {
                let ends =
                    |plain: bool| -> BTreeSet<Ordinal> {
                        of_kind()
                            .filter(|(_, r)| is_plain(r) == plain)
                            .map(|(key, _)| {
                                if forward {
                                    (key.resource, key.subject)
                                } else {
                                    (key.subject, key.resource)
                                }
                            })
                            .filter_map(|(one, other)| (one == ordinal).then_some(other))
                            .collect()
                    };
                let (members, row) = if forward {
                    (snapshot.subjects(kind_id, ordinal), snapshot.qualified_subjects(kind_id, ordinal))
                } else {
                    (snapshot.resources(kind_id, ordinal), snapshot.qualified_resources(kind_id, ordinal))
                };
                assert!(members.iter().eq(ends(true)));
                assert!(row.iter().map(|edge| edge.other).eq(ends(false)));
                assert_row(snapshot, kind_id, ordinal, forward);
            }
        }
    }
}

/// The two directions of a qualified edge share their qualifier.
fn assert_row(snapshot: &Snapshot, kind_id: pemba_engine::KindId, ordinal: Ordinal, forward: bool) {
    if !forward {
        return;
    }
    for edge in snapshot.qualified_subjects(kind_id, ordinal) {
        let back = snapshot.qualified_resources(kind_id, edge.other);
        let back = back.iter().find(|back| back.other == ordinal).unwrap();
        assert!(Arc::ptr_eq(&edge.qualifier, &back.qualifier));
    }
}
