//! Deletes by filter.

use crate::support::{clock, create, everything, head, memory, open, open_with, texts, write};
use pemba_db::{Database, Delete, DeleteError, Deleted, FilterError, Options, Storage};
use pemba_model::{Context, Limits, Precondition, RelationFilter, RelationshipFilter, SubjectFilter};

fn filled(database: Database) -> Database {
    let updates = (0..10).map(|n| create(&format!("document:d{n}#viewer@user:x")));
    database.write(write(updates)).wait().unwrap();
    database
        .write(write([create("document:d0#owner@user:y"), create("document:d0#viewer@user:*")]))
        .wait()
        .unwrap();
    database
}

fn limited(limits: Limits) -> Database {
    let database = Database::open(Storage::Memory, Options { limits, ..Options::default() }).unwrap();
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    filled(database)
}

fn of(user: &str) -> RelationshipFilter {
    let relation = RelationFilter::NoRelation;
    let subject = SubjectFilter { subject_type: "user".into(), subject_id: Some(user.into()), relation };
    RelationshipFilter {
        resource_type: Some("document".into()),
        subject: Some(subject),
        ..Default::default()
    }
}

fn delete(database: &Database, limit: Option<u32>, allow_partial: bool) -> Result<Deleted, DeleteError> {
    database.delete(Delete { filter: of("x"), limit, allow_partial, ..Delete::default() }).wait()
}

#[test]
fn everything_that_matches_goes() {
    let database = filled(open());
    let deleted = delete(&database, None, false).unwrap();
    assert_eq!((deleted.count, deleted.complete), (10, true));
    assert_eq!(deleted.revision, database.head());
    assert_eq!(
        everything(&head(&database)),
        texts(["document:d0#owner@user:y", "document:d0#viewer@user:*"])
    );
    // Nothing left is a delete too.
    let again = delete(&database, None, false).unwrap();
    assert_eq!((again.count, again.complete), (0, true));
    assert_eq!(again.revision, deleted.revision.next());
}

#[test]
fn a_limit_is_kept_and_told() {
    let database = filled(open());
    let error = delete(&database, Some(9), false).unwrap_err();
    assert_eq!(error, DeleteError::TooManyForLimit { limit: 9, filter: Box::new(of("x")) });
    assert_eq!(everything(&head(&database)).len(), 12);
    let first = delete(&database, Some(6), true).unwrap();
    assert_eq!((first.count, first.complete), (6, false));
    // Exactly the limit is told as incomplete although nothing is left.
    let second = delete(&database, Some(4), true).unwrap();
    assert_eq!((second.count, second.complete), (4, false));
    let third = delete(&database, Some(4), true).unwrap();
    assert_eq!((third.count, third.complete), (0, true));
}

#[test]
fn one_transaction_deletes_a_bounded_number() {
    let database = limited(Limits { delete_relationships_max: 4, ..Limits::default() });
    assert_eq!(delete(&database, None, false), Err(DeleteError::TooManyRelationships { max: 4 }));
    assert_eq!(delete(&database, Some(6), true), Err(DeleteError::TooManyRelationships { max: 4 }));
    assert_eq!(delete(&database, Some(4), true).unwrap().count, 4);
}

#[test]
fn filters_and_what_comes_with_them_are_checked() {
    let database =
        limited(Limits { preconditions_max: 1, transaction_metadata_max_bytes: 10, ..Limits::default() });
    let with = |filter| database.delete(Delete { filter, ..Delete::default() }).wait().unwrap_err();
    let empty = with(RelationshipFilter::default());
    assert!(matches!(empty, DeleteError::Filter(FilterError::Invalid { .. })), "{empty:?}");
    let both = RelationshipFilter {
        resource_id: Some("a".into()),
        resource_id_prefix: Some("a".into()),
        ..RelationshipFilter::default()
    };
    assert!(matches!(with(both), DeleteError::Filter(FilterError::Invalid { .. })));
    let unknown =
        RelationshipFilter { resource_type: Some("nothing".into()), ..RelationshipFilter::default() };
    assert!(matches!(with(unknown), DeleteError::Filter(FilterError::UnknownDefinition { .. })));
    let mut unknown = of("x");
    unknown.relation = Some("nothing".into());
    assert!(matches!(with(unknown), DeleteError::Filter(FilterError::UnknownRelation { .. })));
    let mut unknown = of("x");
    unknown.subject.as_mut().unwrap().relation = RelationFilter::Is("nothing".into());
    assert!(matches!(with(unknown), DeleteError::Filter(FilterError::UnknownRelation { .. })));

    let held = |preconditions| {
        database.delete(Delete { filter: of("x"), preconditions, ..Delete::default() }).wait().unwrap_err()
    };
    let failed = held(vec![Precondition::MustNotMatch(of("y"))]);
    assert!(matches!(failed, DeleteError::PreconditionFailed { .. }), "{failed:?}");
    let many = held(vec![Precondition::MustMatch(of("y")); 2]);
    assert_eq!(many, DeleteError::TooManyPreconditions { count: 2, max: 1 });
    let invalid = held(vec![Precondition::MustMatch(RelationshipFilter::default())]);
    assert!(matches!(invalid, DeleteError::PreconditionFilter(FilterError::Invalid { .. })));
    let mut metadata = Context::new();
    metadata.insert("a longer key".to_owned(), true.into());
    let metadata = Some(metadata);
    let large = database.delete(Delete { filter: of("x"), metadata, ..Delete::default() }).wait();
    assert!(matches!(large, Err(DeleteError::MetadataTooLarge { max_bytes: 10, .. })));
    let mut deep = Context::new();
    deep.insert(
        "k".to_owned(),
        serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).unwrap(),
    );
    let deep =
        filled(open()).delete(Delete { filter: of("x"), metadata: Some(deep), ..Delete::default() }).wait();
    assert!(matches!(deep, Err(DeleteError::MetadataTooDeep { .. })));
    assert_eq!(everything(&head(&database)).len(), 12);
}

#[test]
fn what_has_expired_is_not_counted() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    let updates = [
        create("document:a#viewer@user:x[expiration:2026-01-01T00:00:10Z]"),
        create("document:b#viewer@user:x[expiration:2026-01-01T00:00:20Z]"),
    ];
    database.write(write(updates)).wait().unwrap();
    clock.advance_ms(10_000);
    assert_eq!(delete(&database, None, false).unwrap().count, 1);
}
