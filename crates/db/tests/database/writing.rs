//! What a write does, and every way in which it is refused.

use crate::support::{
    clock, create, delete, everything, head, memory, open, open_with, rel, start, texts, touch, write,
};
use pemba_db::{
    Committed, Consistency, Database, DecideError, Decided, Delete, DeleteError, FilterError, ImportError,
    Options, RelationshipError, Storage, Write, WriteError, verify_store,
};
use pemba_model::{Context, Limits, Precondition, RelationFilter, RelationshipFilter, SubjectFilter, Update};

use crate::ledger::Documents;

fn limited(limits: Limits) -> Database {
    let database = Database::open(Storage::Memory, Options { limits, ..Options::default() }).unwrap();
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    database
}

fn one(database: &Database, update: Update) -> Result<Committed, WriteError> {
    database.write(write([update])).wait()
}

fn refused(database: &Database, update: Update) -> RelationshipError {
    let before = database.head();
    match one(database, update) {
        Err(WriteError::Relationship(error)) => {
            assert_eq!(database.head(), before, "a refused write takes no revision");
            error
        }
        other => panic!("expected a refused relationship, got {other:?}"),
    }
}

fn documents(relation: &str) -> RelationshipFilter {
    RelationshipFilter {
        resource_type: Some("document".into()),
        relation: Some(relation.into()),
        ..RelationshipFilter::default()
    }
}

#[test]
fn create_touch_and_delete_follow_their_rules() {
    let database = open();
    let first = one(&database, create("document:a#viewer@user:x")).unwrap();
    let again = one(&database, create("document:a#viewer@user:x")).unwrap_err();
    let WriteError::AlreadyExists { relationship } = again else { panic!("{again:?}") };
    assert_eq!(relationship.to_string(), "document:a#viewer@user:x");
    // Another caveat does not make it another relationship.
    let other = one(&database, create("document:a#viewer@user:x[limit]")).unwrap_err();
    assert!(matches!(other, WriteError::AlreadyExists { .. }));

    let identical = one(&database, touch("document:a#viewer@user:x")).unwrap();
    assert_eq!(identical.revision, first.revision.next(), "an identical touch still is a revision");
    one(&database, touch("document:a#viewer@user:x[limit:{\"max\":3}]")).unwrap();
    assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x[limit:{\"max\":3}]"]));

    one(&database, delete("document:a#viewer@user:x")).unwrap();
    assert!(everything(&head(&database)).is_empty());
    one(&database, delete("document:a#viewer@user:never")).unwrap();
    assert_eq!(database.statistics().relationships, 0);
}

#[test]
fn a_write_is_all_or_nothing() {
    let database = open();
    one(&database, create("document:b#viewer@user:x")).unwrap();
    let before = database.head();
    let updates = [create("document:a#viewer@user:x"), create("document:b#viewer@user:x")];
    assert!(database.write(write(updates)).wait().is_err());
    assert_eq!(everything(&head(&database)), texts(["document:b#viewer@user:x"]));
    assert_eq!(database.head(), before);
    // An empty write is one too.
    assert_eq!(database.write(Write::default()).wait().unwrap().revision, before.next());
}

#[test]
fn counts_and_sizes_are_bounded() {
    let limits = Limits {
        write_updates_max: 2,
        preconditions_max: 1,
        transaction_metadata_max_bytes: 20,
        relationship_context_max_bytes: 30,
        ..Limits::default()
    };
    let database = limited(limits);
    let three = ["a", "b", "c"].map(|id| create(&format!("document:{id}#viewer@user:x")));
    assert_eq!(database.write(write(three)).wait(), Err(WriteError::TooManyUpdates { count: 3, max: 2 }));
    let preconditions = vec![Precondition::MustNotMatch(documents("viewer")); 2];
    let refused = database.write(Write { preconditions, ..Write::default() }).wait();
    assert_eq!(refused, Err(WriteError::TooManyPreconditions { count: 2, max: 1 }));
    let mut metadata = Context::new();
    metadata.insert("key".to_owned(), "a value of some length".into());
    let refused = database.write(Write { metadata: Some(metadata), ..Write::default() }).wait();
    assert!(matches!(refused, Err(WriteError::MetadataTooLarge { max_bytes: 20, .. })), "{refused:?}");
    let large = create("document:a#viewer@user:x[limit:{\"tag\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]");
    let refused = one(&database, large).unwrap_err();
    let WriteError::Relationship(RelationshipError::ContextTooLarge { relationship, max_bytes: 30, .. }) =
        refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(relationship, "document:a#viewer@user:x");
}

#[test]
fn contexts_nest_no_deeper_than_can_be_stored() {
    let database = open();
    let nested: serde_json::Value =
        serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).unwrap();
    let mut metadata = Context::new();
    metadata.insert("key".to_owned(), nested.clone());
    let answer = database.write(Write { metadata: Some(metadata.clone()), ..Write::default() }).wait();
    assert!(matches!(answer, Err(WriteError::MetadataTooDeep { .. })), "{answer:?}");
    let mut update = create("document:a#viewer@user:x[limit]");
    update.relationship.caveat.as_mut().unwrap().context = metadata;
    assert!(matches!(refused(&database, update), RelationshipError::ContextTooDeep { .. }));
    one(&database, create("document:a#viewer@user:x")).unwrap();
}

#[test]
fn one_relationship_is_updated_once() {
    let database = open();
    let updates = [touch("document:a#viewer@user:x"), delete("document:a#viewer@user:x[limit]")];
    let refused = database.write(write(updates)).wait().unwrap_err();
    let WriteError::DuplicateUpdate { relationship } = refused else { panic!("{refused:?}") };
    assert_eq!(relationship.to_string(), "document:a#viewer@user:x[limit]");
}

#[test]
fn names_are_checked() {
    let database = open();
    let mut update = create("document:a#viewer@user:x");
    update.relationship.resource.object_id = "no blanks".into();
    assert!(matches!(refused(&database, update.clone()), RelationshipError::InvalidName { .. }));
    update.relationship.resource.object_id = "*".into();
    assert!(matches!(refused(&database, update), RelationshipError::WildcardResource { .. }));
    let mut update = create("document:a#viewer@group:x#member");
    update.relationship.subject.object.object_id = "*".into();
    assert!(matches!(refused(&database, update), RelationshipError::WildcardWithRelation { .. }));
}

#[test]
fn the_schema_decides_what_may_be_written() {
    let database = open();
    let RelationshipError::UnknownDefinition { definition, suggestion } =
        refused(&database, create("documnt:a#viewer@user:x"))
    else {
        panic!("not the error expected")
    };
    assert_eq!((definition.as_str(), suggestion.as_deref()), ("documnt", Some("document")));
    let unknown = refused(&database, create("document:a#viewer@usr:x"));
    assert!(
        matches!(unknown, RelationshipError::UnknownDefinition { definition, .. } if definition == "usr")
    );
    let RelationshipError::UnknownRelation { definition, relation, suggestion } =
        refused(&database, create("document:a#veiwer@user:x"))
    else {
        panic!("not the error expected")
    };
    assert_eq!((definition.as_str(), relation.as_str()), ("document", "veiwer"));
    assert_eq!(suggestion.as_deref(), Some("viewer"));
    let unknown = refused(&database, create("document:a#viewer@group:x#members"));
    assert!(
        matches!(unknown, RelationshipError::UnknownRelation { definition, .. } if definition == "group")
    );
    let RelationshipError::CannotUpdatePermission { definition, permission } =
        refused(&database, delete("document:a#view@user:x"))
    else {
        panic!("not the error expected")
    };
    assert_eq!((definition.as_str(), permission.as_str()), ("document", "view"));
}

#[test]
fn subject_caveat_and_expiry_must_be_allowed_together() {
    let database = open();
    for text in [
        "document:a#viewer@user:x",
        "document:a#viewer@user:*",
        "document:a#viewer@group:g#member",
        "document:b#viewer@user:x[limit]",
        "document:c#viewer@user:x[expiration:2999-01-01T00:00:00Z]",
        "document:d#viewer@user:x[limit][expiration:2999-01-01T00:00:00Z]",
    ] {
        one(&database, create(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    for (text, shown, caveats) in [
        ("document:a#viewer@group:g", "group", None),
        ("document:a#owner@user:*", "user:*", None),
        ("document:a#viewer@document:a", "document", None),
        ("document:a#viewer@group:g#member[limit]", "group#member with limit", None),
        ("document:a#viewer@user:x[other]", "user with other", Some(vec!["limit"])),
        ("document:a#viewer@user:x[nowhere]", "user with nowhere", Some(vec!["limit"])),
        ("document:a#owner@user:x[expiration:2999-01-01T00:00:00Z]", "user with expiration", None),
    ] {
        let RelationshipError::InvalidSubjectType { subject_type, allowed_caveats, relation, .. } =
            refused(&database, touch(text))
        else {
            panic!("{text}")
        };
        assert_eq!(subject_type, shown, "{text}");
        assert!(text.contains(relation.as_str()));
        let caveats: Option<Vec<pemba_model::SmolStr>> =
            caveats.map(|names| names.into_iter().map(Into::into).collect());
        assert_eq!(allowed_caveats, caveats, "{text}");
    }
    // A delete names only the edge, but a caveat it names must fit.
    one(&database, delete("document:b#viewer@user:x")).unwrap();
    let error = refused(&database, delete("document:b#viewer@user:x[other]"));
    assert!(matches!(error, RelationshipError::InvalidSubjectType { .. }));
}

#[test]
fn a_delete_that_names_a_caveat_names_the_expiry_too_where_both_are_demanded() {
    let database = Database::open(Storage::Memory, Options::default()).unwrap();
    let schema = "use expiration
        caveat limit(max int) { max > 1 }
        definition user {}
        definition document {
            relation viewer: user with limit and expiration
            relation editor: user with expiration | user with limit
        }";
    database.write_schema(schema.to_owned()).wait().unwrap();
    one(&database, create("document:a#viewer@user:x[limit][expiration:2999-01-01T00:00:00Z]")).unwrap();
    let error = refused(&database, delete("document:a#viewer@user:x[limit]"));
    assert!(matches!(error, RelationshipError::InvalidSubjectType { .. }));
    assert_eq!(database.statistics().relationships, 1);
    one(&database, delete("document:a#viewer@user:x[limit][expiration:2998-01-01T00:00:00Z]")).unwrap();
    assert_eq!(database.statistics().relationships, 0);
    one(&database, delete("document:a#viewer@user:y")).unwrap();
    // What is allowed only with a caveat or only with an expiry says so.
    let error = refused(&database, touch("document:a#editor@user:x"));
    let RelationshipError::InvalidSubjectType { allowed_caveats, .. } = error else { panic!("{error:?}") };
    assert_eq!(allowed_caveats, Some(vec!["limit".into()]));
}

/// The schema's faults come in an order: filters of preconditions, updates, and then what the data says.
#[test]
fn of_several_faults_the_first_is_named() {
    let database = open();
    let both = RelationshipFilter {
        resource_type: Some("document".into()),
        resource_id: Some("a".into()),
        resource_id_prefix: Some("a".into()),
        ..RelationshipFilter::default()
    };
    let unknown = RelationshipFilter { relation: Some("nothing".into()), ..both.clone() };
    let asked = |filter: &RelationshipFilter, update: Update| {
        let preconditions = vec![Precondition::MustMatch(filter.clone())];
        database.write(Write { updates: vec![update], preconditions, metadata: None }).wait().unwrap_err()
    };
    let refused = touch("document:a#view@user:x");
    let error = asked(&unknown, refused.clone());
    assert!(matches!(error, WriteError::Filter(FilterError::UnknownRelation { .. })), "{error:?}");
    let error = asked(&both, refused.clone());
    assert!(matches!(error, WriteError::Filter(FilterError::Invalid { .. })), "{error:?}");
    let error = asked(&documents("viewer"), refused);
    assert!(matches!(error, WriteError::Relationship(_)), "{error:?}");
    let error = asked(&documents("viewer"), touch("document:a#viewer@user:x"));
    assert!(matches!(error, WriteError::PreconditionFailed { .. }), "{error:?}");
    let delete = Delete { filter: unknown, ..Delete::default() };
    let error = database.delete(delete).wait().unwrap_err();
    assert!(matches!(error, DeleteError::Filter(FilterError::UnknownRelation { .. })), "{error:?}");
}

#[test]
fn bound_values_are_parameters_of_their_types() {
    let database = open();
    let error = refused(&database, touch("document:a#viewer@user:x[limit:{\"mix\":3}]"));
    let RelationshipError::UnknownCaveatParameter { caveat, parameter, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((caveat.as_str(), parameter.as_str()), ("limit", "mix"));
    for (value, found) in
        [("true", "the bool `true`"), ("1.5", "the number `1.5`"), ("[]", "a list"), ("null", "null")]
    {
        let error =
            refused(&database, touch(&format!("document:a#viewer@user:x[limit:{{\"max\":{value}}}]")));
        let RelationshipError::CaveatParameterType { parameter, expected, found: shown, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((parameter.as_str(), &*expected, &*shown), ("max", "int", found));
    }
    for value in ["3", "-3", "\"12\""] {
        one(&database, touch(&format!("document:a#viewer@user:x[limit:{{\"max\":{value}}}]"))).unwrap();
    }
}

#[test]
fn preconditions_are_checked_before_the_changes() {
    let database = open();
    let must = |filter| Precondition::MustMatch(filter);
    let must_not = |filter| Precondition::MustNotMatch(filter);
    let with = |preconditions: Vec<Precondition>| {
        let updates = vec![touch("document:a#viewer@user:x")];
        database.write(Write { updates, preconditions, metadata: None }).wait()
    };
    let failed = with(vec![must_not(documents("owner")), must(documents("viewer"))]).unwrap_err();
    let WriteError::PreconditionFailed { precondition } = failed else { panic!("{failed:?}") };
    assert_eq!(*precondition, must(documents("viewer")));
    with(vec![must_not(documents("viewer"))]).unwrap();
    with(vec![must(documents("viewer"))]).unwrap();
    assert!(matches!(with(vec![must_not(documents("viewer"))]), Err(WriteError::PreconditionFailed { .. })));

    let unknown = with(vec![must(documents("veiwer"))]);
    assert!(matches!(unknown, Err(WriteError::Filter(FilterError::UnknownRelation { .. }))), "{unknown:?}");
    let filter =
        RelationshipFilter { resource_type: Some("documnt".into()), ..RelationshipFilter::default() };
    assert!(matches!(
        with(vec![must(filter)]),
        Err(WriteError::Filter(FilterError::UnknownDefinition { .. }))
    ));
    let empty = with(vec![must(RelationshipFilter::default())]);
    assert!(matches!(empty, Err(WriteError::Filter(FilterError::Invalid { .. }))), "{empty:?}");
}

#[test]
fn an_expired_relationship_is_gone_at_its_instant() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    let expiring = "document:a#viewer@user:x[expiration:2026-01-01T00:00:10Z]";
    one(&database, create(expiring)).unwrap();
    clock.advance_ms(9_999);
    assert_eq!(everything(&head(&database)), texts([expiring]));
    assert!(matches!(one(&database, create(expiring)), Err(WriteError::AlreadyExists { .. })));
    clock.advance_ms(1);
    assert!(everything(&head(&database)).is_empty());
    // For preconditions too, and a create over it succeeds.
    let preconditions = vec![Precondition::MustNotMatch(documents("viewer"))];
    let updates = vec![create("document:a#viewer@user:x")];
    database.write(Write { updates, preconditions, metadata: None }).wait().unwrap();
    assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x"]));
}

#[test]
fn time_never_goes_backwards() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    clock.advance_ms(60_000);
    one(&database, create("document:a#viewer@user:x[expiration:2026-01-01T00:00:30Z]")).unwrap();
    clock.set(start());
    assert!(everything(&head(&database)).is_empty(), "what has expired once stays so");
    assert!(head(&database).now() >= start().plus_millis(60_000));
}

#[test]
fn an_import_is_all_or_nothing() {
    let database = open();
    let mut import = database.import();
    import.push((0..3000).map(|n| rel(&format!("document:d{n}#viewer@user:u{}", n % 7))).collect()).unwrap();
    import.push(vec![rel("document:x#viewer@user:*")]).unwrap();
    assert_eq!(import.len(), 3001);
    let imported = import.finish().wait().unwrap();
    assert_eq!(imported.count, 3001);
    let view = database.view(&Consistency::AtExactSnapshot(imported.token)).unwrap();
    assert_eq!(everything(&view).len(), 3001);

    let conflict = |relationships: Vec<&str>| {
        let mut import = database.import();
        let pushed = import.push(relationships.into_iter().map(rel).collect());
        pushed.and_then(|()| import.finish().wait()).unwrap_err()
    };
    let before = database.head();
    for conflicting in
        [vec!["document:y#viewer@user:a", "document:d1#viewer@user:u1"], vec!["document:y#viewer@user:a"; 2]]
    {
        let error = conflict(conflicting);
        assert!(matches!(error, ImportError::Write(WriteError::AlreadyExists { .. })), "{error:?}");
    }
    let error = conflict(vec!["document:y#viewer@user:a", "document:y#nothing@user:a"]);
    assert!(matches!(
        error,
        ImportError::Write(WriteError::Relationship(RelationshipError::UnknownRelation { .. }))
    ));
    assert_eq!(database.head(), before);
    assert_eq!(everything(&head(&database)).len(), 3001);

    let database = limited(Limits { import_relationships_max: 2, ..Limits::default() });
    let mut import = database.import();
    import.push(vec![rel("document:a#viewer@user:a")]).unwrap();
    let two = vec![rel("document:b#viewer@user:a"), rel("document:c#viewer@user:a")];
    assert_eq!(import.push(two), Err(ImportError::TooManyRelationships { max: 2 }));
    let mut bad = rel("document:b#viewer@user:a");
    bad.relation = "x".into();
    let refused = database.import().push(vec![bad]);
    assert!(matches!(refused, Err(ImportError::Write(WriteError::Relationship(_)))));
}

#[test]
fn an_import_follows_a_name_that_is_given_to_another_object_meanwhile() {
    let database = open();
    let mut import = database.import();
    import.push(vec![rel("document:a#viewer@user:x"), rel("document:b#viewer@user:y")]).unwrap();
    let reincarnate = vec![rel("document:a#viewer@user:x").subject.object];
    let answer =
        database.decide(move |_| Ok::<_, DecideError>(Decided { reincarnate, ..Decided::unchanged(()) }));
    answer.wait().unwrap();
    import.push(vec![rel("document:c#viewer@user:x")]).unwrap();
    import.finish().wait().unwrap();
    let view = head(&database);
    assert_eq!(everything(&view).len(), 3);
    let filter = RelationshipFilter {
        subject: Some(SubjectFilter {
            subject_type: "user".into(),
            subject_id: Some("x".into()),
            relation: RelationFilter::Any,
        }),
        ..RelationshipFilter::default()
    };
    assert_eq!(view.read(&filter, None).count(), 2, "both edges are of the object that has the name");
}

#[test]
fn an_import_over_expired_relationships_remembers_them() {
    let (store, clock) = (memory(), clock());
    let database = open_with(&store, Limits::default(), &clock);
    database.write_schema(crate::support::SCHEMA.to_owned()).wait().unwrap();
    let expiring = "document:d7#viewer@user:x[expiration:2026-01-01T00:00:30Z]";
    let written = one(&database, create(expiring)).unwrap();
    let load = |database: &Database| {
        let mut import = database.import();
        import.push((0..6000).map(|n| rel(&format!("document:d{n}#viewer@user:x"))).collect()).unwrap();
        import.finish().wait()
    };
    assert!(matches!(load(&database), Err(ImportError::Write(WriteError::AlreadyExists { .. }))));
    assert_eq!(everything(&head(&database)), texts([expiring]), "a refused import changes nothing");
    clock.advance_ms(60_000);
    assert_eq!(load(&database).unwrap().count, 6000);
    database.close();
    let database = open_with(&store, Limits::default(), &clock);
    assert_eq!(everything(&head(&database)).len(), 6000);
    assert_eq!(verify_store(&*store, Documents::none()).unwrap().relationships, 6000);
    let old = database.view(&Consistency::AtExactSnapshot(written.token)).unwrap();
    assert!(everything(&old).len() <= 1, "the import is undone as a whole");
}

#[test]
fn preconditions_that_look_at_too_much_are_refused() {
    let database = limited(Limits { query_steps_max: 100, ..Limits::default() });
    database.write(write((0..200).map(|n| create(&format!("document:d{n}#owner@user:x"))))).wait().unwrap();
    let sparse = RelationshipFilter { resource_id_prefix: Some("z".into()), ..RelationshipFilter::default() };
    let preconditions = vec![Precondition::MustNotMatch(sparse.clone())];
    let refused = database.write(Write { preconditions: preconditions.clone(), ..write([]) }).wait();
    assert!(matches!(refused, Err(WriteError::PreconditionTooManySteps { max: 100, .. })), "{refused:?}");
    let filter = RelationshipFilter { resource_id: Some("d1".into()), ..sparse };
    let filter =
        RelationshipFilter { resource_id_prefix: None, resource_type: Some("document".into()), ..filter };
    let refused = database.delete(Delete { filter, preconditions, ..Delete::default() }).wait();
    assert!(matches!(refused, Err(DeleteError::PreconditionTooManySteps { .. })), "{refused:?}");
}
