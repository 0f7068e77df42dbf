//! What the client makes of a server that is slow, lost, paged or wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod fake;

use fake::{Fake, Script};
use pemba_client::{
    Check, Client, Code, Consistency, Delete, Export, LookupResources, LookupSubjects, Permissionship, Read,
    Token, Watch, Write,
    model::{CaveatRef, ObjectRef, Relationship, RelationshipFilter, SubjectRef, text::parse_relationship},
};

fn user() -> SubjectRef {
    SubjectRef::direct("user", "u")
}

fn check() -> Check {
    Check::new(ObjectRef::new("document", "d"), "view", user())
}

fn viewer() -> Relationship {
    parse_relationship("document:d#viewer@user:u").unwrap()
}

fn all() -> RelationshipFilter {
    RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() }
}

async fn found(client: &Client, lookup: LookupResources) -> Vec<String> {
    let found = client.lookup_resources(lookup).try_collect().await.unwrap();
    found.into_iter().map(|resource| resource.object_id).collect()
}

fn lookup() -> LookupResources {
    LookupResources::new("document", "view", user())
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("d{number}")).collect()
}

#[tokio::test]
async fn a_check_is_repeated_while_the_server_is_unavailable() {
    let (fake, client) = Fake::start(Script { refuse: 4, ..Script::default() }).await;
    let answer = client.check(check()).await.unwrap();
    assert_eq!(answer.permissionship, Permissionship::Conditional { missing: vec!["ip".into()] });
    assert!(!answer.is_allowed());
    assert_eq!(fake.calls().len(), 5);
    assert_eq!(fake.0.lock().unwrap().authorization, "Bearer key");
}

#[tokio::test]
async fn a_check_is_not_repeated_for_ever() {
    let (fake, client) = Fake::start(Script { refuse: 100, ..Script::default() }).await;
    assert_eq!(client.check(check()).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(fake.calls().len(), 5);
}

#[tokio::test]
async fn a_touch_is_repeated_and_a_creation_is_not() {
    let (fake, client) = Fake::start(Script { refuse: 1, ..Script::default() }).await;
    assert_eq!(client.write(Write::new().touch(viewer())).await.unwrap(), Token::new("written"));
    assert_eq!(fake.calls().len(), 2);

    let (fake, client) = Fake::start(Script { refuse: 1, ..Script::default() }).await;
    let error = client.write(Write::new().create(viewer())).await.unwrap_err();
    assert_eq!((error.code(), fake.calls().len()), (Code::Unavailable, 1));
}

#[tokio::test]
async fn a_limited_delete_is_not_repeated() {
    let (fake, client) = Fake::start(Script { refuse: 1, ..Script::default() }).await;
    assert!(client.delete(Delete::new(all()).limit(7)).await.is_err());
    assert_eq!(fake.calls().len(), 1);
    let deleted = client.delete(Delete::new(all())).await.unwrap();
    assert_eq!((deleted.count, deleted.complete), (7, false));
}

#[tokio::test]
async fn pages_follow_one_another_with_the_same_limit() {
    let (fake, client) = Fake::start(Script { results: 7, ..Script::default() }).await;
    assert_eq!(found(&client, lookup().page_size(3)).await, ids(7));
    let pages: Vec<_> = fake.calls().into_iter().map(|(_, cursor, limit)| (cursor, limit)).collect();
    assert_eq!(pages, [("".into(), 3), ("3".into(), 3), ("6".into(), 3)]);
}

#[tokio::test]
async fn a_last_page_that_is_full_is_followed_by_an_empty_one() {
    let (fake, client) = Fake::start(Script { results: 6, ..Script::default() }).await;
    assert_eq!(found(&client, lookup().page_size(3)).await, ids(6));
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn a_limit_ends_the_results_and_the_calls() {
    let (fake, client) = Fake::start(Script { results: 100, ..Script::default() }).await;
    assert_eq!(found(&client, lookup().page_size(4).limit(10)).await, ids(10));
    assert_eq!(fake.calls().len(), 3);
    assert_eq!(found(&client, lookup().limit(0)).await, ids(0));
    assert_eq!(found(&client, lookup().limit(2)).await, ids(2));
    assert_eq!(fake.calls().last().unwrap().2, 2);
}

#[tokio::test]
async fn a_lost_stream_goes_on_after_the_last_result() {
    for lose_after in 0..6 {
        let script = Script { results: 8, lose_after: Some(lose_after), ..Script::default() };
        let (fake, client) = Fake::start(script).await;
        assert_eq!(found(&client, lookup().page_size(5)).await, ids(8), "lost after {lose_after}");
        let resumed = fake.calls()[1].1.clone();
        assert_eq!(resumed, if lose_after == 0 { String::new() } else { lose_after.to_string() });
    }
}

#[tokio::test]
async fn a_lost_stream_without_cursors_is_an_error_and_not_a_short_list() {
    let script = Script { results: 8, lose_after: Some(2), no_cursors: true, ..Script::default() };
    let (_fake, client) = Fake::start(script).await;
    let mut stream = client.lookup_resources(lookup());
    assert_eq!(stream.next().await.unwrap().unwrap().object_id, "d0");
    assert_eq!(stream.next().await.unwrap().unwrap().object_id, "d1");
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_full_page_without_a_cursor_is_an_error() {
    let (_fake, client) = Fake::start(Script { results: 8, no_cursors: true, ..Script::default() }).await;
    let error = client.lookup_resources(lookup().page_size(4)).try_collect().await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
}

#[tokio::test]
async fn reads_and_subjects_are_paged_too() {
    let (fake, client) = Fake::start(Script { results: 5, ..Script::default() }).await;
    let read = client.read(Read::new(all()).page_size(2)).try_collect().await.unwrap();
    assert_eq!(read.len(), 5);
    assert_eq!(read[4], parse_relationship("document:d4#viewer@user:u").unwrap());

    let subjects = LookupSubjects::new(ObjectRef::new("document", "d"), "view", "user");
    let whole = client.lookup_subjects(subjects.clone()).try_collect().await.unwrap();
    assert!(whole[0].is_wildcard() && !whole[1].is_wildcard());
    let paged = client.lookup_subjects(subjects.page_size(2)).try_collect().await.unwrap();
    assert_eq!(paged, whole);
    let limits: Vec<_> = fake.calls().into_iter().map(|(name, _, limit)| (name, limit)).collect();
    let expected = [("read", 2), ("read", 2), ("read", 2), ("subjects", 0), ("subjects", 2)];
    assert_eq!(limits[..5], expected);
}

#[tokio::test]
async fn an_export_goes_on_after_the_last_batch() {
    let (fake, client) = Fake::start(Script { results: 3, lose_after: Some(2), ..Script::default() }).await;
    let all = client.export(Export::new().batch_size(2)).try_collect().await.unwrap();
    let expected: Vec<_> = ids(6).into_iter().map(|id| ObjectRef::new("document", id)).collect();
    assert_eq!(all.into_iter().map(|relationship| relationship.resource).collect::<Vec<_>>(), expected);
    assert_eq!(fake.calls()[1].1, "2");
}

#[tokio::test]
async fn an_import_is_cut_into_batches() {
    let (fake, client) = Fake::start(Script::default()).await;
    let many = (0..2500)
        .map(|number| Relationship::new(ObjectRef::new("document", format!("d{number}")), "viewer", user()));
    assert_eq!(client.import(many).await.unwrap(), 2500);
    assert_eq!(fake.0.lock().unwrap().imported, [1000, 1000, 500]);
}

#[tokio::test]
async fn an_import_with_a_bad_relationship_is_refused_by_both_ends() {
    let (fake, client) = Fake::start(Script::default()).await;
    let nested = (0..100).fold(1.into(), |inner, _| {
        pemba_client::model::Context::from_iter([("in".to_owned(), inner)]).into()
    });
    let context = pemba_client::model::Context::from_iter([("deep".to_owned(), nested)]);
    let bad = Relationship { caveat: Some(CaveatRef { name: "c".into(), context }), ..viewer() };
    let many = (0..1500).map(|_| viewer()).chain([bad]);
    let error = client.import(many).await.unwrap_err();
    assert!(error.message().contains("nested"), "{error}");
    assert_eq!(fake.0.lock().unwrap().imported, [0_usize; 0]);
}

#[tokio::test]
async fn a_bulk_check_pairs_answers_with_questions() {
    let (_fake, client) = Fake::start(Script { pairs: 2, ..Script::default() }).await;
    let now = Consistency::FullyConsistent;
    let answers = client.check_bulk(&[check(), check()], &now).await.unwrap().answers;
    assert_eq!(answers[0], Ok(Permissionship::Yes));
    assert_eq!(answers[1].as_ref().unwrap_err().code(), Code::FailedPrecondition);
    let short = client.check_bulk(&[check(), check(), check()], &now).await.unwrap_err();
    assert_eq!(short.code(), Code::Internal);
}

#[tokio::test]
async fn an_empty_answer_is_malformed() {
    let (_fake, client) = Fake::start(Script::default()).await;
    let tree = client.expand(&ObjectRef::new("document", "d"), "view", &Consistency::default()).await;
    assert_eq!(tree.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn a_lost_watch_goes_on_from_its_token() {
    let (fake, client) = Fake::start(Script { results: 5, lose_after: Some(1), ..Script::default() }).await;
    let events = client.watch(Watch::new().after(Token::new("2"))).try_collect().await.unwrap();
    let through: Vec<_> = events.iter().map(|event| event.through.as_str().to_owned()).collect();
    assert_eq!(through, ["3", "4", "5"]);
    assert_eq!(fake.calls()[1].1, "3");
}

#[tokio::test]
async fn a_watch_lost_before_its_first_event_says_so() {
    let (fake, client) = Fake::start(Script { results: 5, lose_after: Some(0), ..Script::default() }).await;
    let error = client.watch(Watch::new()).try_collect().await.unwrap_err();
    assert_eq!((error.code(), fake.calls().len()), (Code::Unavailable, 1));

    let (fake, client) = Fake::start(Script { results: 5, refuse: 1, ..Script::default() }).await;
    assert_eq!(client.watch(Watch::new()).try_collect().await.unwrap().len(), 5);
    assert_eq!(fake.calls().len(), 2);
}
