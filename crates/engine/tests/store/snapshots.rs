//! Sequences of transactions against the model; earlier snapshots stay as they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_engine::{Graph, Ordinal, PutError, Snapshot, Transaction, TypeId};
use pemba_model::{ObjectRef, Relationship, Revision, SmolStr, SubjectRef};
use proptest::prelude::*;

use crate::model::{self, Model, assert_says, crowd, put, relationship, remove, schema, takes};

#[derive(Debug, Clone)]
pub enum Step {
    Put(Relationship),
    Remove(Relationship),
    /// Puts or removes a run of the crowd.
    Crowd {
        add: bool,
        of_resources: bool,
        from: u32,
        len: u32,
    },
    /// Removes whatever stands at this place of the model.
    RemoveAny(prop::sample::Index),
    /// Replaces what stands at this place of the model by this one's attributes.
    Requalify(prop::sample::Index, Relationship),
}

pub fn step() -> impl Strategy<Value = Step> {
    let crowd = (any::<bool>(), any::<bool>(), 0..30u32, 1..330u32)
        .prop_map(|(add, of_resources, from, len)| Step::Crowd { add, of_resources, from, len });
    prop_oneof![
        10 => relationship().prop_map(Step::Put),
        2 => relationship().prop_map(Step::Remove),
        1 => crowd,
        3 => any::<prop::sample::Index>().prop_map(Step::RemoveAny),
        3 => (any::<prop::sample::Index>(), relationship()).prop_map(|(at, from)| Step::Requalify(at, from)),
    ]
}

/// A transaction's steps, and whether it is finished or dropped.
pub fn transactions() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    prop::collection::vec((prop::collection::vec(step(), 0..12), prop::bool::weighted(0.8)), 1..8)
}

fn standing(model: &Model, at: &prop::sample::Index) -> Option<Relationship> {
    (!model.is_empty()).then(|| model.values().nth(at.index(model.len())).cloned().unwrap())
}

pub fn apply(transaction: &mut Transaction, model: &mut Model, step: &Step) {
    match step {
        Step::Put(relationship) => put(transaction, model, relationship),
        Step::Remove(relationship) => remove(transaction, model, relationship),
        Step::Crowd { add, of_resources, from, len } => {
            for n in *from..from + len {
                let one = crowd(n, *of_resources);
                if *add { put(transaction, model, &one) } else { remove(transaction, model, &one) }
            }
        }
        Step::RemoveAny(at) => {
            if let Some(relationship) = standing(model, at) {
                remove(transaction, model, &relationship);
            }
        }
        Step::Requalify(at, from) => {
            if let Some(mut relationship) = standing(model, at) {
                relationship.caveat = from.caveat.clone();
                relationship.expires_at = from.expires_at;
                put(transaction, model, &relationship);
            }
        }
    }
}

pub fn with_schema() -> Snapshot {
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(schema(usize::MAX));
    transaction.finish(Revision(1))
}

/// A snapshot and its model after these transactions.
pub fn built(transactions: &[(Vec<Step>, bool)]) -> (Snapshot, Model) {
    let (mut snapshot, mut model) = (with_schema(), Model::new());
    for (steps, _) in transactions {
        let mut transaction = snapshot.transaction();
        steps.iter().for_each(|step| apply(&mut transaction, &mut model, step));
        snapshot = transaction.finish(snapshot.revision().next());
    }
    (snapshot, model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_revision_says_what_its_model_says_for_good(transactions in transactions()) {
        let mut head = with_schema();
        let mut model = Model::new();
        let mut kept = vec![(head.clone(), model.clone())];
        let mut stored: BTreeMap<TypeId, Vec<SmolStr>> = BTreeMap::new();
        for (steps, finished) in &transactions {
            let mut transaction = head.transaction();
            let mut changed = model.clone();
            for step in steps {
                apply(&mut transaction, &mut changed, step);
            }
            assert_says(transaction.state(), &changed);
            if *finished {
                for (object_type, ordinal, name) in transaction.new_objects() {
                    let names = stored.entry(*object_type).or_default();
                    // What a store is handed has no gaps, even after dropped transactions.
                    prop_assert_eq!(ordinal.0 as usize, names.len());
                    names.push(name.clone());
                }
                head = transaction.finish(head.revision().next());
                model = changed;
                kept.push((head.clone(), model.clone()));
            }
        }
        for (revision, (snapshot, model)) in kept.iter().enumerate() {
            prop_assert_eq!(snapshot.revision(), Revision(revision as u64 + 1));
            assert_says(snapshot, model);
        }
        for relationship in model.values() {
            for object in [&relationship.resource, &relationship.subject.object] {
                let object_type = head.catalog().type_id(&object.object_type).unwrap();
                prop_assert!(object.is_wildcard() || stored[&object_type].contains(&object.object_id));
            }
        }
    }

    #[test]
    fn an_older_revision_is_rebuilt_by_numbers(transactions in transactions()) {
        let (old, old_model) = built(&transactions[..transactions.len() / 2]);
        let (mut head, mut model) = (old.clone(), old_model.clone());
        for (steps, _) in &transactions {
            let mut transaction = head.transaction();
            steps.iter().for_each(|step| apply(&mut transaction, &mut model, step));
            head = transaction.finish(head.revision().next());
        }
        let mut rewind = head.transaction();
        let everything = Default::default();
        for (key, _) in head.scan(&everything, None, None) {
            if old.edge(key).is_none() {
                rewind.remove(key);
            }
        }
        for (key, attributes) in old.scan(&everything, None, None) {
            prop_assert_eq!(rewind.put_edge(key, attributes), head.edge(key));
        }
        assert_says(&rewind.finish(old.revision()), &old_model);
        assert_says(&head, &model);
    }
}

#[test]
fn a_schema_numbers_what_it_allows_and_never_renumbers() {
    let base = Snapshot::empty();
    let mut small = base.transaction();
    small.set_schema(schema(3));
    assert_eq!(small.new_types().len(), 3);
    assert_eq!(small.new_kinds().len(), 3);
    assert_eq!(small.schema(), &schema(3));
    let small = small.finish(Revision(1));
    let kinds: Vec<_> = small.catalog().kinds().map(|(id, kind)| (id, kind.clone())).collect();

    let mut large = small.transaction();
    large.set_schema(schema(usize::MAX));
    assert!(large.new_types().is_empty());
    assert_eq!(large.new_kinds().len(), takes().len() - 3);
    let large = large.finish(Revision(2));
    assert!(kinds.iter().all(|(id, kind)| large.catalog().kind(*id) == Some(kind)));
    assert_eq!(small.catalog().kinds().count(), 3);

    let mut back = large.transaction();
    back.set_schema(schema(3));
    assert!(back.new_kinds().is_empty());
    // What an earlier schema allowed still has a kind, so its relationships can be found and removed.
    assert!(back.put(&pemba_model::text::parse_relationship("group:g#member@user:u").unwrap()).is_ok());
    assert_eq!(base.catalog().kinds().count(), 0);
}

#[test]
fn what_no_schema_takes_is_refused_and_interns_nothing() {
    let mut transaction = with_schema().transaction();
    for text in ["doc:new#reader@user:new", "nothing:new#viewer@user:new", "doc:new#owner@group:new"] {
        let relationship = pemba_model::text::parse_relationship(text).unwrap();
        assert_eq!(
            transaction.put(&relationship),
            Err(PutError::UnknownKind { relationship: text.to_string() })
        );
    }
    let wildcards = [
        Relationship::new(ObjectRef::new("doc", "*"), "viewer", SubjectRef::direct("user", "new")),
        Relationship::new(
            ObjectRef::new("doc", "new"),
            "viewer",
            SubjectRef::userset("group", "*", "member"),
        ),
    ];
    for relationship in &wildcards {
        assert!(matches!(transaction.put(relationship), Err(PutError::UnknownKind { .. })));
    }
    assert!(transaction.new_objects().is_empty());
    assert_eq!(transaction.state().ordinal(TypeId(0), "new"), None);
}

#[test]
fn numbers_that_stand_for_nothing_are_not_put() {
    let (snapshot, model) = built(&[]);
    let mut transaction = snapshot.transaction();
    let key = |kind, resource| pemba_engine::EdgeKey {
        kind: pemba_engine::KindId(kind),
        resource: Ordinal(resource),
        subject: Ordinal(0),
    };
    for key in [key(u32::MAX, 0), key(takes().len() as u32, 0), key(0, u32::MAX)] {
        assert_eq!(transaction.put_edge(key, None), None);
        assert_eq!(transaction.edge(key), None);
        assert_eq!(transaction.remove(key), None);
    }
    assert_says(transaction.state(), &model);
}

#[test]
fn a_qualifier_of_nothing_is_plain() {
    let snapshot = with_schema();
    let mut transaction = snapshot.transaction();
    let key = transaction.put(&crowd(0, false)).unwrap().key;
    let nothing = Arc::new(pemba_engine::Qualifier { caveat: None, expires_at: None });
    assert_eq!(transaction.put_edge(key, Some(nothing)), Some(None));
    assert_eq!(transaction.edge(key), Some(None));
    assert!(!transaction.state().has_qualified(key.kind));
}

#[test]
fn many_kinds_lie_in_several_chunks() {
    let mut schema = (*schema(usize::MAX)).clone();
    let relations = &mut schema.definitions.get_mut("doc").unwrap().relations;
    let template = relations["owner"].clone();
    for n in 0..100 {
        let name = SmolStr::new(format!("role_{n}"));
        relations.insert(name.clone(), pemba_schema::Relation { name, ..template.clone() });
    }
    let mut transaction = with_schema().transaction();
    transaction.set_schema(Arc::new(schema));
    let mut expected = Model::new();
    for n in 0..100 {
        let relationship = Relationship { relation: format!("role_{n}").into(), ..crowd(n % 3, false) };
        model::put(&mut transaction, &mut expected, &relationship);
    }
    let snapshot = transaction.finish(Revision(2));
    assert_says(&snapshot, &expected);
}
