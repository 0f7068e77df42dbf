//! The engine on sets that are large for a slot: from nothing to one, few, an array, a bitmap and back, beside a plain
//! set; and on the support desk beside its own truth.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_engine::{
    Graph, Permissionship, QueryContext, Snapshot, check, check_bulk, lookup_resources, lookup_subjects,
    query,
};
use pemba_model::{ObjectRef, Relationship, Revision, SubjectRef, Timestamp};
use pemba_testkit::caveats::CaveatTable;
use pemba_testkit::support_desk::{self, Principal, SupportDesk, mix};

const HUB: &str = "definition user {}
    definition group { relation member: user }
    definition page {
        relation viewer: user | group#member
        permission view = viewer
    }";

fn compiled(text: &str) -> Arc<pemba_schema::Schema> {
    Arc::new(pemba_schema::compile(text).unwrap().schema)
}

fn context(caveats: &CaveatTable) -> QueryContext<'_> {
    QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: 10_000_000, caveats }
}

/// Pages, groups and users as plain sets.
#[derive(Clone, Default)]
struct Model {
    named: BTreeSet<(u64, u64)>,
    shared: BTreeSet<(u64, u64)>,
    members: BTreeSet<(u64, u64)>,
}

impl Model {
    fn pages_of(&self, user: u64) -> BTreeSet<u64> {
        let groups: BTreeSet<u64> =
            self.members.iter().filter(|(_, u)| *u == user).map(|(g, _)| *g).collect();
        let by_name = self.named.iter().filter(|(_, u)| *u == user).map(|(page, _)| *page);
        by_name.chain(self.shared.iter().filter(|(_, g)| groups.contains(g)).map(|(page, _)| *page)).collect()
    }

    fn users_of(&self, page: u64) -> BTreeSet<u64> {
        let groups: BTreeSet<u64> = self.shared.iter().filter(|(p, _)| *p == page).map(|(_, g)| *g).collect();
        let by_name = self.named.iter().filter(|(p, _)| *p == page).map(|(_, user)| *user);
        by_name
            .chain(self.members.iter().filter(|(g, _)| groups.contains(g)).map(|(_, user)| *user))
            .collect()
    }
}

fn ids(snapshot: &Snapshot, object_type: &str, ordinals: impl Iterator<Item = u32>) -> BTreeSet<u64> {
    let id = snapshot.catalog().type_id(object_type).unwrap();
    ordinals
        .map(|ordinal| snapshot.object_id(id, pemba_engine::Ordinal(ordinal)).unwrap().parse().unwrap())
        .collect()
}

fn assert_shows(snapshot: &Snapshot, model: &Model) {
    let caveats = CaveatTable::default();
    let (program, context) = (snapshot.program(), context(&caveats));
    for user in [0, 1, 2, 77, 1500] {
        let subject = SubjectRef::direct("user", user.to_string());
        let got = lookup_resources(snapshot, program, "page", "view", &subject, &context).unwrap();
        assert_eq!(ids(snapshot, "page", got.definite.iter()), model.pages_of(user), "pages of user {user}");
        for page in [0, 1, 2, 600] {
            let object = ObjectRef::new("page", page.to_string());
            let got = check(snapshot, program, &object, "view", &subject, &context).unwrap();
            let expected = model.pages_of(user).contains(&page);
            assert_eq!(got.permissionship == Permissionship::Yes, expected, "page {page}, user {user}");
        }
    }
    for page in [0, 1, 2, 600] {
        let object = ObjectRef::new("page", page.to_string());
        let got = lookup_subjects(snapshot, program, &object, "view", "user", None, &context).unwrap();
        let ordinals = got.concrete.iter().map(|found| found.ordinal.0);
        assert_eq!(ids(snapshot, "user", ordinals), model.users_of(page), "users of page {page}");
    }
}

#[test]
fn sets_grow_to_bitmaps_and_shrink_again_and_old_revisions_keep_theirs() {
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(compiled(HUB));
    let mut head = transaction.finish(Revision(1));
    let mut model = Model::default();
    let mut kept: Vec<(Snapshot, Model)> = Vec::new();
    for round in 0..16_u64 {
        let mut transaction = head.transaction();
        for n in 0..900_u64 {
            let draw = mix(round << 32 | n);
            // Grows for ten rounds, then shrinks; most of it on page 0, group 0 and user 0.
            let removes = (draw >> 60) < if round < 10 { 3 } else { 14 };
            let hub = |draw: u64, below: u64| if draw.is_multiple_of(3) { 0 } else { (draw >> 3) % below };
            let (left, right) = (hub(draw, 700), hub(draw >> 20, 2_000));
            let (set, relationship) = match (draw >> 40) % 3 {
                0 => (&mut model.named, ("page", "viewer", SubjectRef::direct("user", right.to_string()))),
                1 => (
                    &mut model.shared,
                    ("page", "viewer", SubjectRef::userset("group", right.to_string(), "member")),
                ),
                _ => (&mut model.members, ("group", "member", SubjectRef::direct("user", right.to_string()))),
            };
            let pair =
                match removes.then(|| set.iter().nth((draw >> 8) as usize % set.len().max(1))).flatten() {
                    Some(pair) => *pair,
                    None => (left, right),
                };
            let (object_type, relation, mut subject) = relationship;
            subject.object.object_id = pair.1.to_string().into();
            let object = ObjectRef::new(object_type, pair.0.to_string());
            let relationship = Relationship::new(object, relation, subject);
            if removes {
                let key = transaction.edge_key(&relationship);
                let removed = key.and_then(|key| transaction.remove(key)).is_some();
                assert_eq!(removed, set.remove(&pair));
            } else {
                let put = transaction.put(&relationship).unwrap();
                assert_eq!(put.before.is_none(), set.insert(pair));
            }
        }
        head = transaction.finish(Revision(round + 2));
        kept.push((head.clone(), model.clone()));
    }
    let largest = kept.iter().map(|(_, model)| model.users_of(0).len()).max().unwrap();
    assert!(largest > 600, "sets of {largest} need no bitmap");
    for (snapshot, model) in &kept {
        assert_shows(snapshot, model);
    }
}

#[test]
fn a_ring_of_twenty_thousand_groups_is_answered() {
    const GROUPS: u64 = 20_000;
    const RING: &str = "definition user {}
        definition group {
            relation member: user | group#member
            relation parent: group
            relation barred: user
            permission inside = (member + parent->inside) - barred
        }";
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(compiled(RING));
    let group = |n: u64| ObjectRef::new("group", (n % GROUPS).to_string());
    let mut put = |object: ObjectRef, relation: &str, subject: SubjectRef| {
        transaction.put(&Relationship::new(object, relation, subject)).unwrap();
    };
    for n in 0..GROUPS {
        let next = group(n + 1);
        put(group(n), "member", SubjectRef { object: next.clone(), relation: Some("member".into()) });
        put(group(n), "parent", SubjectRef { object: next, relation: None });
    }
    let (inside, outside) = (SubjectRef::direct("user", "inside"), SubjectRef::direct("user", "outside"));
    put(group(GROUPS / 2), "member", inside.clone());
    put(group(3), "barred", inside.clone());
    let snapshot = transaction.finish(Revision(1));
    let caveats = CaveatTable::default();
    let (program, context) = (snapshot.program(), context(&caveats));
    for (n, name, subject, expected) in [
        (0, "member", &inside, Permissionship::Yes),
        (GROUPS - 1, "member", &inside, Permissionship::Yes),
        (7, "member", &outside, Permissionship::No),
        (2, "inside", &inside, Permissionship::Yes),
        (3, "inside", &inside, Permissionship::No),
        (7, "inside", &outside, Permissionship::No),
    ] {
        let got = check(&snapshot, program, &group(n), name, subject, &context).unwrap();
        assert_eq!(got.permissionship, expected, "group {n} {name}");
    }
    let all = |name: &str, subject: &SubjectRef| {
        lookup_resources(&snapshot, program, "group", name, subject, &context).unwrap().definite.len()
    };
    assert_eq!((all("member", &inside), all("member", &outside)), (GROUPS, 0));
    assert_eq!((all("inside", &inside), all("inside", &outside)), (GROUPS - 1, 0));
    let found = lookup_subjects(&snapshot, program, &group(9), "inside", "user", None, &context).unwrap();
    assert_eq!(found.concrete.len(), 1);
}

#[test]
fn the_support_desk_answers_its_own_truth() {
    let desk = SupportDesk::new(30_000, 11);
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(compiled(support_desk::SCHEMA));
    for relationship in desk.relationships() {
        transaction.put(&relationship).unwrap();
    }
    let snapshot = transaction.finish(Revision(1));
    let caveats = CaveatTable::default();
    let (program, context) = (snapshot.program(), context(&caveats));
    let questions: Vec<_> = (0..4_000).map(|number| desk.question(number)).collect();
    let items: Vec<query::CheckItem<'_>> = questions
        .iter()
        .map(|q| query::CheckItem {
            resource: &q.resource,
            permission: &q.permission,
            subject: &q.subject,
            caveats: &caveats,
        })
        .collect();
    let bulk = check_bulk(&snapshot, program, &items, context.now, context.steps_max);
    for (question, bulk) in questions.iter().zip(bulk) {
        let one = check(&snapshot, program, &question.resource, "view", &question.subject, &context).unwrap();
        assert_eq!(one.permissionship == Permissionship::Yes, question.expected, "{question:?}");
        assert_eq!(bulk.unwrap().permissionship, one.permissionship, "{question:?}");
    }
    for number in 0..12 {
        let principal = if number % 3 == 0 { Principal::Agent(number) } else { Principal::User(number * 37) };
        let subject = SubjectRef { object: desk.principal(principal), relation: None };
        let got = lookup_resources(&snapshot, program, "ticket", "view", &subject, &context).unwrap();
        let id = snapshot.catalog().type_id("ticket").unwrap();
        let got: Vec<&str> =
            got.definite.iter().map(|n| snapshot.object_id(id, pemba_engine::Ordinal(n)).unwrap()).collect();
        let expected: Vec<_> =
            desk.tickets_of(principal).map(|ticket| desk.ticket(ticket).object_id).collect();
        let got: BTreeSet<&str> = got.into_iter().collect();
        assert_eq!(got, expected.iter().map(|id| id.as_str()).collect(), "{subject}");
    }
}
