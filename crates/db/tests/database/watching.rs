//! Following the changes.

use std::collections::BTreeSet;
use std::time::Duration;

use pemba_db::{Database, Delete, FilterError, Watch, WatchError, WatchEvent, WatchRequest, Write};
use pemba_model::{Context, Limits, Operation, RelationshipFilter, Revision};

use crate::support::{
    Numbers, SCHEMA, clock, create, delete, everything, head, memory, open, open_with, rel, texts, touch,
    write,
};

fn after(revision: u64) -> WatchRequest {
    WatchRequest { after: Some(Revision(revision)), ..WatchRequest::default() }
}

/// Everything there is to tell without waiting.
fn drain(watch: &mut Watch) -> Vec<WatchEvent> {
    let mut events = Vec::new();
    while let Some(event) = watch.next_blocking(Duration::ZERO).unwrap() {
        events.push(event);
    }
    events
}

fn changes(event: &WatchEvent) -> Vec<String> {
    let sign = |operation| match operation {
        Operation::Touch => '+',
        Operation::Delete => '-',
        Operation::Create => panic!("a watch tells only touches and deletes"),
    };
    event.updates.iter().map(|update| format!("{}{}", sign(update.operation), update.relationship)).collect()
}

#[test]
fn changes_come_by_revision_with_what_was_said_about_them() {
    let database = open();
    let mut watch = database.watch(WatchRequest::default()).unwrap();
    assert!(drain(&mut watch).is_empty());
    let mut metadata = Context::new();
    metadata.insert("why".to_owned(), "because".into());
    let updates = vec![create("document:a#viewer@user:x"), touch("document:a#owner@user:y")];
    let first = database
        .write(Write { updates, metadata: Some(metadata.clone()), ..Write::default() })
        .wait()
        .unwrap();
    let second = database
        .write(write([touch("document:a#viewer@user:x[limit]"), delete("document:a#owner@user:y")]))
        .wait()
        .unwrap();
    // What changes nothing is not told.
    database
        .write(write([touch("document:a#viewer@user:x[limit]"), delete("document:z#owner@user:y")]))
        .wait()
        .unwrap();
    let filter =
        RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() };
    database.delete(Delete { filter, metadata: Some(metadata.clone()), ..Delete::default() }).wait().unwrap();
    let events = drain(&mut watch);
    let told: Vec<Vec<String>> = events.iter().map(changes).collect();
    assert_eq!(
        told,
        [
            vec!["+document:a#viewer@user:x", "+document:a#owner@user:y"],
            vec!["+document:a#viewer@user:x[limit]", "-document:a#owner@user:y"],
            vec!["-document:a#viewer@user:x[limit]"],
        ]
    );
    assert_eq!((events[0].revision, events[0].token), (first.revision, first.token));
    assert_eq!(events[1].revision, second.revision);
    assert_eq!(events[0].metadata, Some(metadata.clone()));
    assert_eq!((&events[1].metadata, &events[2].metadata), (&None, &Some(metadata)));
    assert!(events.iter().all(|event| !event.schema_changed && !event.checkpoint));
}

#[test]
fn a_watch_from_any_revision_leads_to_the_head() {
    let store = memory();
    let limits = Limits { watch_buffer_max: 5, ..Limits::default() };
    let mut database = open_with(&store, limits.clone(), &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut numbers = Numbers(1);
    for _ in 0..100 {
        let texts: BTreeSet<String> = (0..1 + numbers.below(4))
            .map(|_| format!("document:d{}#viewer@user:u{}", numbers.below(5), numbers.below(3)))
            .collect();
        let updates = texts.iter().map(|text| if numbers.below(3) == 0 { delete(text) } else { touch(text) });
        let updates: Vec<_> = updates.collect();
        database.write(write(updates)).wait().unwrap();
    }
    for restarted in [false, true] {
        if restarted {
            database.close();
            database = open_with(&store, limits.clone(), &clock());
        }
        let last = database.head();
        for from in (0..=last.0).step_by(7) {
            let mut state = everything(&database.view_at(Revision(from)).unwrap());
            let mut watch = database.watch(after(from)).unwrap();
            let mut seen = Revision(from);
            for event in drain(&mut watch) {
                assert!(event.revision > seen, "one message a revision, ascending");
                seen = event.revision;
                for update in &event.updates {
                    let text = update.relationship.to_string();
                    if update.operation == Operation::Touch {
                        state.insert(text)
                    } else {
                        state.remove(&text)
                    };
                }
                assert_eq!(state, everything(&database.view_at(seen).unwrap()));
            }
            assert_eq!(watch.position(), last);
            assert_eq!(state, everything(&head(&database)));
        }
    }
}

#[test]
fn a_watch_tells_only_what_was_chosen() {
    let database = open();
    let from = database.head().0;
    let updates = [
        create("document:a#viewer@user:x"),
        create("group:g#member@user:x"),
        create("document:b#viewer@group:g#member"),
    ];
    database.write(write(updates)).wait().unwrap();
    database.write(write([create("group:h#member@user:y")])).wait().unwrap();
    let told = |request: WatchRequest| -> Vec<String> {
        drain(&mut database.watch(request).unwrap()).iter().flat_map(changes).collect()
    };
    let groups = WatchRequest { object_types: vec!["group".into()], ..after(from) };
    assert_eq!(told(groups), ["+group:g#member@user:x", "+group:h#member@user:y"]);
    let filter = |resource_type: &str, id: Option<&str>| RelationshipFilter {
        resource_type: Some(resource_type.into()),
        resource_id: id.map(Into::into),
        ..RelationshipFilter::default()
    };
    let filters = vec![filter("document", Some("b")), filter("group", Some("h"))];
    let chosen = WatchRequest { filters: filters.clone(), ..after(from) };
    assert_eq!(told(chosen), ["+document:b#viewer@group:g#member", "+group:h#member@user:y"]);

    let refused = |request| database.watch(request).map(|_| ()).unwrap_err();
    let both = WatchRequest { object_types: vec!["group".into()], filters, ..after(from) };
    assert_eq!(refused(both), WatchError::TypesAndFilters);
    let empty = WatchRequest { filters: vec![RelationshipFilter::default()], ..after(from) };
    assert!(matches!(refused(empty), WatchError::Filter(FilterError::Invalid { .. })));
    let ahead = Revision(from + 3);
    assert_eq!(refused(after(from + 3)), WatchError::Future { after: ahead, head: database.head() });
}

#[test]
fn schema_changes_and_checkpoints_come_when_asked_for() {
    let database = open();
    let request = WatchRequest { schema: true, checkpoints: true, ..after(0) };
    let mut watch = database.watch(request).unwrap();
    let events = drain(&mut watch);
    assert_eq!(events.len(), 2);
    assert!(events[0].schema_changed && !events[0].checkpoint && events[0].updates.is_empty());
    assert!(events[1].checkpoint && events[1].revision == database.head());
    assert!(drain(&mut watch).is_empty(), "a checkpoint is told once");
    database.write(write([create("document:a#viewer@user:x")])).wait().unwrap();
    // An empty write has nothing to tell but that it is there.
    let last = database.write(Write::default()).wait().unwrap();
    let events = drain(&mut watch);
    assert_eq!(events.len(), 2);
    assert_eq!(changes(&events[0]), ["+document:a#viewer@user:x"]);
    assert!(events[1].checkpoint && events[1].token == last.token);
    assert!(drain(&mut database.watch(after(0)).unwrap()).iter().all(|event| !event.schema_changed));
}

#[test]
fn a_large_revision_comes_in_parts_that_resume_whole() {
    let limits = Limits { watch_buffer_max: 1, ..Limits::default() };
    let database = open_with(&memory(), limits, &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut import = database.import();
    import.push((0..2500).map(|n| rel(&format!("document:d{n}#viewer@user:x"))).collect()).unwrap();
    let imported = import.finish().wait().unwrap();
    let last = database.write(write([create("document:x#viewer@user:y")])).wait().unwrap();
    let events = drain(&mut database.watch(after(1)).unwrap());
    let told: Vec<(u64, usize)> =
        events.iter().map(|event| (event.revision.0, event.updates.len())).collect();
    assert_eq!(told, [(1, 1000), (1, 1000), (imported.revision.0, 500), (last.revision.0, 1)]);
    let all: BTreeSet<String> = events.iter().flat_map(changes).collect();
    assert_eq!(all.len(), 2501);
}

#[test]
fn a_waiting_watch_is_woken() {
    let database = open();
    let mut watch = database.watch(WatchRequest::default()).unwrap();
    let reader = std::thread::spawn(move || watch.next_blocking(Duration::from_secs(60)).unwrap());
    std::thread::sleep(Duration::from_millis(20));
    let committed = database.write(write([create("document:a#viewer@user:x")])).wait().unwrap();
    let event = reader.join().unwrap().unwrap();
    assert_eq!(event.revision, committed.revision);

    let mut watch = database.watch(WatchRequest::default()).unwrap();
    assert_eq!(watch.next_blocking(Duration::from_millis(5)), Ok(None));
    database.write(write([create("document:b#viewer@user:x")])).wait().unwrap();
    let reader = std::thread::spawn(move || {
        let first = watch.next_blocking(Duration::from_secs(60));
        (first, watch.next_blocking(Duration::from_secs(60)))
    });
    std::thread::sleep(Duration::from_millis(20));
    database.close();
    let (first, second) = reader.join().unwrap();
    assert_eq!(
        changes(&first.unwrap().unwrap()),
        ["+document:b#viewer@user:x"],
        "what was committed is told first"
    );
    assert_eq!(second, Err(WatchError::Stopped));
}

#[test]
fn a_watch_behind_the_window_is_told_so() {
    let clock = clock();
    let limits = Limits { history_window_ms: 10_000, ..Limits::default() };
    let database: Database = open_with(&memory(), limits, &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database.write(write([create("document:a#viewer@user:x")])).wait().unwrap();
    let mut slow = database.watch(after(1)).unwrap();
    let mut idle = database.watch(after(2)).unwrap();
    clock.advance_ms(10_000);
    database.write(write([create("document:b#viewer@user:x")])).wait().unwrap();
    database.collect_garbage();
    let expired = WatchError::Expired { after: Revision(1), horizon: Revision(2) };
    assert_eq!(slow.next_blocking(Duration::ZERO), Err(expired.clone()));
    assert_eq!(database.watch(after(1)).map(|_| ()).unwrap_err(), expired);
    assert_eq!(changes(&drain(&mut idle)[0]), ["+document:b#viewer@user:x"]);
    assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x", "document:b#viewer@user:x"]));
}

fn with_expirations(after: Option<Revision>) -> WatchRequest {
    WatchRequest { after, expirations: true, ..WatchRequest::default() }
}

const SHORT: &str = "document:a#viewer@user:x[expiration:2026-01-01T00:01:00Z]";
const LONG: &str = "document:a#viewer@user:y[expiration:2026-01-01T00:02:00Z]";

#[test]
fn an_expiration_is_told_once_at_its_instant() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database.write(write([create(SHORT)])).wait().unwrap();
    let mut watch = database.watch(with_expirations(None)).unwrap();
    let mut plain = database.watch(WatchRequest::default()).unwrap();
    let second = database.write(write([create(LONG)])).wait().unwrap();
    assert_eq!(drain(&mut watch).iter().flat_map(changes).collect::<Vec<_>>(), [format!("+{LONG}")]);
    assert_eq!(watch.until_expiration(), Some(Duration::from_millis(60_001)));
    clock.advance_ms(59_999);
    assert!(drain(&mut watch).is_empty());
    clock.advance_ms(1);
    let events = drain(&mut watch);
    assert_eq!(events.iter().flat_map(changes).collect::<Vec<_>>(), [format!("-{SHORT}")]);
    assert_eq!(events[0].token, second.token);
    clock.advance_ms(60_000);
    assert_eq!(drain(&mut watch).iter().flat_map(changes).collect::<Vec<_>>(), [format!("-{LONG}")]);
    assert_eq!(watch.until_expiration(), None);
    assert_eq!(drain(&mut plain).len(), 1);
}

#[test]
fn what_is_replaced_or_deleted_in_time_does_not_expire() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut watch = database.watch(with_expirations(None)).unwrap();
    database.write(write([create(SHORT), create(LONG)])).wait().unwrap();
    let longer = SHORT.replace("00:01:00", "00:03:00");
    database.write(write([touch(&longer), delete(LONG)])).wait().unwrap();
    assert_eq!(drain(&mut watch).len(), 2);
    clock.advance_ms(150_000);
    assert!(drain(&mut watch).is_empty());
    clock.advance_ms(30_000);
    assert_eq!(drain(&mut watch).iter().flat_map(changes).collect::<Vec<_>>(), [format!("-{longer}")]);
}

#[test]
fn expirations_keep_their_place_among_changes_and_a_resumed_watch_misses_none() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let first = database.write(write([create(SHORT), create(LONG)])).wait().unwrap();
    clock.advance_ms(90_000);
    let again = SHORT.replace("00:01:00", "00:05:00");
    let second = database.write(write([create(&again)])).wait().unwrap();
    clock.advance_ms(90_000);
    let all = [format!("-{SHORT}"), format!("+{again}"), format!("-{LONG}")];
    let told = |after| {
        let mut watch = database.watch(with_expirations(Some(after))).unwrap();
        drain(&mut watch).iter().flat_map(changes).collect::<Vec<_>>()
    };
    let from_start: Vec<String> = told(Revision::ZERO);
    assert_eq!(from_start, [&[format!("+{SHORT}"), format!("+{LONG}")], &all[..]].concat());
    assert_eq!(told(first.revision), all);
    assert_eq!(told(second.revision), all[2..]);
    assert_eq!(told(second.revision), all[2..], "resuming repeats");
}

#[test]
fn expirations_are_chosen_like_changes() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database.write(write([create(SHORT)])).wait().unwrap();
    for (object_type, expected) in [("document", 1), ("group", 0)] {
        let request =
            WatchRequest { object_types: vec![object_type.into()], ..with_expirations(Some(Revision(1))) };
        let mut watch = database.watch(request).unwrap();
        drain(&mut watch);
        assert_eq!(usize::from(watch.until_expiration().is_some()), expected, "{object_type}");
    }
}

#[test]
fn a_waiting_reader_is_woken_by_an_expiration() {
    let database = open();
    let soon = pemba_db::Clock::now(&pemba_db::SystemClock).plus_millis(300);
    let text = format!("document:a#viewer@user:x[expiration:{soon}]");
    let mut watch = database.watch(with_expirations(None)).unwrap();
    database.write(write([create(&text)])).wait().unwrap();
    assert_eq!(
        watch.next_blocking(Duration::from_secs(5)).unwrap().map(|event| event.updates.len()),
        Some(1)
    );
    let event = watch.next_blocking(Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!(event.updates[0].operation, Operation::Delete);
}
