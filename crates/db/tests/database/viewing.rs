//! Questions to a view.

use pemba_db::{CheckRequest, Database, FilterError, View};
use pemba_engine::{ExpandNode, Permissionship, QueryError};
use pemba_model::text::{parse_object, parse_subject};
use pemba_model::{Context, Limits, RelationshipFilter};

use crate::support::{SCHEMA, clock, create, head, memory, open, open_with, write};

fn filled() -> Database {
    let database = open();
    let updates = [
        create("document:a#viewer@user:x"),
        create("document:a#viewer@group:g#member"),
        create("document:a#owner@user:y"),
        create("document:b#viewer@user:x[limit:{\"max\":5}]"),
        create("document:c#viewer@user:*"),
        create("group:g#member@group:h#member"),
        create("group:h#member@user:deep"),
    ];
    database.write(write(updates)).wait().unwrap();
    database
}

fn check(view: &View, object: &str, permission: &str, subject: &str) -> Result<Permissionship, QueryError> {
    let (object, subject) = (parse_object(object).unwrap(), parse_subject(subject).unwrap());
    view.check(&object, permission, &subject, None).map(|answer| answer.permissionship)
}

#[test]
fn checks_are_answered_at_the_revision_of_the_view() {
    let database = filled();
    let view = head(&database);
    database.write(write([crate::support::delete("document:a#viewer@user:x")])).wait().unwrap();
    assert_eq!(check(&view, "document:a", "view", "user:x"), Ok(Permissionship::Yes));
    assert_eq!(check(&head(&database), "document:a", "view", "user:x"), Ok(Permissionship::No));
    assert_eq!(check(&view, "document:a", "view", "user:deep"), Ok(Permissionship::Yes));
    assert_eq!(check(&view, "document:a", "viewer", "user:y"), Ok(Permissionship::No));
    assert_eq!(check(&view, "document:c", "view", "user:never-named"), Ok(Permissionship::Yes));
    let unknown = check(&view, "document:a", "nothing", "user:x");
    assert!(matches!(unknown, Err(QueryError::UnknownRelation { .. })), "{unknown:?}");
    assert!(matches!(check(&view, "nothing:a", "view", "user:x"), Err(QueryError::UnknownDefinition(_))));
}

#[test]
fn a_caveat_is_undecided_with_what_it_lacks_and_decided_with_all() {
    let view = head(&filled());
    let (object, subject) = (parse_object("document:b").unwrap(), parse_subject("user:x").unwrap());
    let mut context = Context::new();
    context.insert("tag".to_owned(), "x".into());
    let cases = [
        (None, Permissionship::Conditional, vec!["tag".into()]),
        (Some(&context), Permissionship::Yes, vec![]),
    ];
    for (context, expected, missing) in cases {
        let answer = view.check(&object, "view", &subject, context).unwrap();
        assert_eq!((answer.permissionship, answer.missing), (expected, missing));
        let trace = view.trace(&object, "view", &subject, context, 100).unwrap();
        assert_eq!(trace.answer.unwrap().permissionship, expected);
    }
}

#[test]
fn bulk_checks_are_answered_in_order() {
    let view = head(&filled());
    let objects = ["a", "b", "c", "d"].map(|id| parse_object(&format!("document:{id}")).unwrap());
    let subject = parse_subject("user:x").unwrap();
    let request = |at: usize, permission| CheckRequest {
        resource: &objects[at],
        permission,
        subject: &subject,
        context: None,
    };
    let requests = [
        request(3, "view"),
        request(0, "view"),
        request(0, "nothing"),
        request(1, "view"),
        request(2, "view"),
    ];
    let answers: Vec<_> =
        view.check_bulk(&requests).into_iter().map(|one| one.map(|answer| answer.permissionship)).collect();
    assert!(matches!(answers[2], Err(QueryError::UnknownRelation { .. })));
    let known: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
    assert_eq!(
        known,
        [Permissionship::No, Permissionship::Yes, Permissionship::Conditional, Permissionship::Yes]
    );
}

#[test]
fn lookups_name_objects_by_number() {
    let view = head(&filled());
    let found = view.lookup_resources("document", "view", &parse_subject("user:x").unwrap(), None).unwrap();
    let object_type = found.resource_type.unwrap();
    let name = |ordinal: u32| view.object_id(object_type, pemba_engine::Ordinal(ordinal)).unwrap();
    let mut definite: Vec<&str> = found.definite.iter().map(name).collect();
    definite.sort_unstable();
    assert_eq!(definite, ["a", "c"]);
    assert_eq!(found.conditional.iter().map(name).collect::<Vec<_>>(), ["b"]);

    let document = parse_object("document:a").unwrap();
    let found = view.lookup_subjects(&document, "view", "user", None, None).unwrap();
    let object_type = found.subject_type.unwrap();
    let mut subjects: Vec<&str> =
        found.concrete.iter().map(|one| view.object_id(object_type, one.ordinal).unwrap()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["deep", "x", "y"]);
    assert_eq!(found.wildcard.0, Permissionship::No);

    let ExpandNode::Union(children) = view.expand(&document, "view").unwrap().node else { panic!("a union") };
    assert_eq!(children.len(), 2);
}

#[test]
fn reading_goes_on_after_a_key() {
    let view = head(&filled());
    let filter =
        RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() };
    view.validate_filter(&filter).unwrap();
    let all: Vec<_> = view.read(&filter, None).collect();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by_key(|(key, _)| *key));
    for (at, (key, _)) in all.iter().enumerate() {
        let rest: Vec<_> = view.read(&filter, Some(*key)).collect();
        assert_eq!(rest, all[at + 1..]);
    }
    let unknown = RelationshipFilter { relation: Some("nothing".into()), ..filter };
    assert!(matches!(view.validate_filter(&unknown), Err(FilterError::UnknownRelation { .. })));
}

#[test]
fn work_is_bounded_by_an_error() {
    let limits = Limits { query_steps_max: 20, ..Limits::default() };
    let database = open_with(&memory(), limits, &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let chain = (0..100).map(|n| create(&format!("group:g{n}#member@group:g{}#member", n + 1)));
    database.write(write(chain)).wait().unwrap();
    database.write(write([create("group:g100#member@user:x")])).wait().unwrap();
    let answer = check(&head(&database), "group:g0", "member", "user:x");
    assert_eq!(answer, Err(QueryError::TooManySteps { steps_max: 20 }));
}
