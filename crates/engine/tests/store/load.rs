//! A loaded snapshot equals the one that was stored, and damaged rows are refused.

use std::sync::Arc;

use pemba_engine::{
    Attributes, EdgeKey, Graph, Kind, KindId, LoadError, Loader, Ordinal, RestoreError, Snapshot, TypeId,
};
use pemba_model::{RelationshipFilter, Revision};
use pemba_schema::SubjectShape;
use proptest::prelude::*;

use crate::model::{assert_says, crowd, put, schema};
use crate::snapshots::{built, transactions, with_schema};

/// The rows a store would have.
struct Rows {
    types: Vec<(TypeId, String)>,
    kinds: Vec<(KindId, Kind)>,
    objects: Vec<(TypeId, Ordinal, String)>,
    edges: Vec<(EdgeKey, Attributes)>,
}

fn rows(snapshot: &Snapshot) -> Rows {
    let objects = |object_type: TypeId| {
        (0..snapshot.names().len(object_type)).map(move |ordinal| {
            let ordinal = Ordinal(ordinal);
            (object_type, ordinal, snapshot.object_id(object_type, ordinal).unwrap().to_string())
        })
    };
    Rows {
        types: snapshot.catalog().types().map(|(id, name)| (id, name.to_string())).collect(),
        kinds: snapshot.catalog().kinds().map(|(id, kind)| (id, kind.clone())).collect(),
        objects: snapshot.catalog().types().flat_map(|(id, _)| objects(id)).collect(),
        edges: snapshot.scan(&RelationshipFilter::default(), None, None).collect(),
    }
}

fn loader(rows: &Rows) -> Result<Loader, LoadError> {
    let mut loader = Loader::new();
    for (id, name) in &rows.types {
        loader.restore_type(*id, name)?;
    }
    for (id, kind) in &rows.kinds {
        loader.restore_kind(*id, kind.clone())?;
    }
    for (object_type, ordinal, name) in &rows.objects {
        loader.restore_object(*object_type, *ordinal, name)?;
    }
    loader.restore_schema(schema(usize::MAX));
    Ok(loader)
}

fn load(rows: &Rows, revision: Revision) -> Result<Snapshot, LoadError> {
    let mut loader = loader(rows)?;
    for (key, attributes) in &rows.edges {
        loader.edge(*key, attributes.clone())?;
    }
    loader.finish(revision)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_loaded_snapshot_equals_the_stored_one(before in transactions(), after in transactions()) {
        let (stored, model) = built(&before);
        let loaded = load(&rows(&stored), stored.revision()).unwrap();
        prop_assert_eq!(loaded.revision(), stored.revision());
        prop_assert_eq!(loaded.schema(), stored.schema());
        assert_says(&loaded, &model);
        prop_assert_eq!(rows(&loaded).edges, rows(&stored).edges);

        // It goes on like the other.
        let (mut loaded, mut stored) = (loaded, stored);
        let (mut one, mut other) = (model.clone(), model);
        for (steps, _) in &after {
            let (mut a, mut b) = (loaded.transaction(), stored.transaction());
            for step in steps {
                crate::snapshots::apply(&mut a, &mut one, step);
                crate::snapshots::apply(&mut b, &mut other, step);
            }
            prop_assert_eq!(a.new_objects(), b.new_objects());
            (loaded, stored) = (a.finish(stored.revision().next()), b.finish(stored.revision().next()));
        }
        assert_says(&loaded, &one);
        prop_assert_eq!(rows(&loaded).edges, rows(&stored).edges);
    }
}

/// A snapshot with plain and qualified edges of two kinds.
fn stored() -> Snapshot {
    let (mut transaction, mut model) = (with_schema().transaction(), Default::default());
    for n in 0..3 {
        put(&mut transaction, &mut model, &crowd(n, false));
    }
    for text in [
        "group:g#member@user:u0",
        "group:g#member@user:*",
        "group:g#member@user:u1[expiration:2030-01-01T00:00:00Z]",
    ] {
        put(&mut transaction, &mut model, &pemba_model::text::parse_relationship(text).unwrap());
    }
    transaction.finish(Revision(2))
}

#[test]
fn rows_out_of_order_are_refused() {
    let good = rows(&stored());
    assert!(load(&good, Revision(2)).is_ok());

    let mut swapped = rows(&stored());
    swapped.edges.swap(0, 1);
    let (last, found) = (swapped.edges[0].0, swapped.edges[1].0);
    assert_eq!(load(&swapped, Revision(2)).err(), Some(LoadError::EdgeOrder { last, found }));

    let mut twice = rows(&stored());
    twice.edges.insert(0, twice.edges[0].clone());
    assert!(matches!(load(&twice, Revision(2)), Err(LoadError::EdgeOrder { .. })));

    let mut gap = rows(&stored());
    let users: Vec<usize> = (0..gap.objects.len()).filter(|at| gap.objects[*at].2.starts_with('u')).collect();
    gap.objects.remove(users[0]);
    let expected = RestoreError::OutOfOrder { expected: 0, found: 1 };
    assert_eq!(load(&gap, Revision(2)).err(), Some(LoadError::Name(expected)));

    let mut kinds = rows(&stored());
    kinds.kinds.remove(1);
    assert_eq!(load(&kinds, Revision(2)).err(), Some(LoadError::Numbering { expected: 1, found: 2 }));

    let mut types = rows(&stored());
    types.types[1].1 = types.types[0].1.clone();
    assert_eq!(load(&types, Revision(2)).err(), Some(LoadError::Numbering { expected: 1, found: 1 }));
}

#[test]
fn rows_that_name_nothing_are_refused() {
    let key = |kind, resource, subject| EdgeKey {
        kind: KindId(kind),
        resource: Ordinal(resource),
        subject: Ordinal(subject),
    };
    let rows = rows(&stored());
    let wildcard =
        rows.kinds.iter().position(|(_, kind)| kind.shape == SubjectShape::Wildcard).unwrap() as u32;
    let kinds = rows.kinds.len() as u32;
    for (bad, what, number) in [
        (key(kinds, 0, 0), "kind", kinds),
        (key(0, 99, 0), "resource", 99),
        (key(0, 0, 99), "subject", 99),
        (key(wildcard, 0, 1), "subject", 1),
    ] {
        let mut loader = loader(&rows).unwrap();
        assert_eq!(loader.edge(bad, None), Err(LoadError::Unknown { what, number }));
    }
    let mut loader = Loader::new();
    assert_eq!(
        loader.restore_object(TypeId(0), Ordinal(0), "a"),
        Err(LoadError::Unknown { what: "type", number: 0 })
    );
    let (_, kind) = rows.kinds[0].clone();
    assert!(matches!(loader.restore_kind(KindId(0), kind), Err(LoadError::Unknown { what: "type", .. })));
}

#[test]
fn a_schema_whose_kinds_were_lost_is_refused() {
    let mut rows = rows(&stored());
    rows.kinds.pop();
    rows.edges.clear();
    let error = load(&rows, Revision(2)).unwrap_err();
    assert!(matches!(error, LoadError::MissingKind { .. }), "{error}");
    assert!(error.to_string().contains('#'), "{error}");
}

#[test]
fn nothing_loads_as_nothing() {
    let empty = Loader::new().finish(Revision(7)).unwrap();
    assert_eq!((empty.revision(), empty.len()), (Revision(7), 0));
    assert_eq!(empty.schema(), &Arc::default());
}
