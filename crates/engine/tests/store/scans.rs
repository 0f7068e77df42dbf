//! Every filter shape, from every place on, against `RelationshipFilter::matches`.

use pemba_engine::{EdgeKey, KindId, Ordinal, Snapshot};
use pemba_model::{RelationFilter, RelationshipFilter, SmolStr, SubjectFilter, Timestamp};
use proptest::prelude::*;

use crate::model::{at, id, id_of, scanned};
use crate::snapshots::{built, transactions};

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<SmolStr>> {
    prop::option::of(prop::sample::select(values).prop_map(SmolStr::new))
}

fn subject() -> impl Strategy<Value = SubjectFilter> {
    let subject_id = prop_oneof![
        3 => Just(None),
        4 => id().prop_map(Some),
        1 => Just(Some(SmolStr::new("busy"))),
        1 => Just(Some(SmolStr::new("*"))),
        1 => Just(Some(SmolStr::new("nobody"))),
    ];
    let relation = prop_oneof![
        Just(RelationFilter::Any),
        Just(RelationFilter::NoRelation),
        Just(RelationFilter::Is("member".into())),
        Just(RelationFilter::Is("nothing".into())),
    ];
    (prop::sample::select(&["user", "group", "doc", "nothing"][..]), subject_id, relation).prop_map(
        |(subject_type, subject_id, relation)| SubjectFilter {
            subject_type: subject_type.into(),
            subject_id,
            relation,
        },
    )
}

/// Also those that `check` refuses: a scan then says what `matches` says.
fn filter() -> impl Strategy<Value = RelationshipFilter> {
    let resource_id = prop_oneof![
        4 => Just(None),
        3 => id().prop_map(Some),
        1 => Just(Some(SmolStr::new("busy"))),
        1 => Just(Some(SmolStr::new("nobody"))),
    ];
    (
        maybe(&["doc", "doc", "group", "user", "nothing"]),
        resource_id,
        prop::option::weighted(0.3, prop::sample::select(&["", "a", "an-id", "a2", "b", "d1"][..])),
        maybe(&["viewer", "viewer", "member", "owner", "parent", "nothing"]),
        prop::option::of(subject()),
    )
        .prop_map(|(resource_type, resource_id, prefix, relation, subject)| RelationshipFilter {
            resource_type,
            resource_id,
            resource_id_prefix: prefix.map(SmolStr::new),
            relation,
            subject,
        })
}

fn expected(snapshot: &Snapshot, filter: &RelationshipFilter, now: Option<Timestamp>) -> Vec<EdgeKey> {
    scanned(snapshot, &RelationshipFilter::default())
        .into_iter()
        .filter(|(_, relationship)| filter.matches(relationship))
        .filter(|(_, relationship)| now.is_none_or(|now| relationship.expires_at.is_none_or(|end| end > now)))
        .map(|(key, _)| key)
        .collect()
}

fn keys(
    snapshot: &Snapshot,
    filter: &RelationshipFilter,
    after: Option<EdgeKey>,
    now: Option<Timestamp>,
) -> Vec<EdgeKey> {
    snapshot.scan(filter, after, now).map(|(key, _)| key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_scan_from_any_place_finds_what_matches(
        transactions in transactions(),
        filters in prop::collection::vec(filter(), 30),
        now in prop::option::of((0..7i64).prop_map(at)),
        strays in prop::collection::vec((0..11u32, 0..9u32, 0..9u32), 10),
    ) {
        let (snapshot, _) = built(&transactions);
        let strays = strays.into_iter().chain([(0, u32::MAX, u32::MAX), (2, 3, u32::MAX), (u32::MAX, 0, 0)]);
        let strays: Vec<EdgeKey> = strays
            .map(|(kind, resource, subject)| EdgeKey {
                kind: KindId(kind),
                resource: Ordinal(resource),
                subject: Ordinal(subject),
            })
            .collect();
        for filter in &filters {
            let all = expected(&snapshot, filter, now);
            prop_assert_eq!(&keys(&snapshot, filter, None, now), &all, "{:?}", filter);
            // Every place in a short answer, some in a long one.
            let stride = all.len() / 40 + 1;
            let places = all.iter().step_by(stride).chain(&strays);
            for after in places {
                let rest: Vec<EdgeKey> = all.iter().copied().filter(|key| key > after).collect();
                prop_assert_eq!(&keys(&snapshot, filter, Some(*after), now), &rest, "{:?} after {:?}", filter, after);
            }
        }
    }

    #[test]
    fn a_bounded_scan_says_that_it_stopped(transactions in transactions(), filter in filter(), steps_max in 0..200u64) {
        let (snapshot, _) = built(&transactions);
        let all = keys(&snapshot, &filter, None, None);
        let mut scan = snapshot.scan(&filter, None, None).limit_steps(steps_max);
        let found: Vec<EdgeKey> = scan.by_ref().map(|(key, _)| key).collect();
        prop_assert!(scan.steps() <= steps_max);
        prop_assert_eq!(scan.next(), None);
        prop_assert!(all.starts_with(&found));
        if !scan.stopped() {
            prop_assert_eq!(found, all);
        }
    }
}

#[test]
fn a_scan_by_id_takes_few_steps() {
    let steps = |filter: &RelationshipFilter| {
        let crowd =
            |of_resources| crate::snapshots::Step::Crowd { add: true, of_resources, from: 0, len: 2000 };
        let (snapshot, _) = built(&[(vec![crowd(true), crowd(false)], true)]);
        let mut scan = snapshot.scan(filter, None, None);
        let found = scan.by_ref().count();
        (found, scan.steps())
    };
    let by = |resource_id: Option<&str>, subject_id: Option<&str>| RelationshipFilter {
        resource_id: resource_id.map(SmolStr::new),
        subject: subject_id.map(|id| SubjectFilter {
            subject_type: "user".into(),
            subject_id: Some(id.into()),
            relation: RelationFilter::Any,
        }),
        ..Default::default()
    };
    for (filter, found) in [
        (by(Some("d7"), None), 1),
        (by(None, Some("u7")), 1),
        (by(Some("busy"), Some("u1999")), 1),
        (by(Some("busy"), Some("busy")), 0),
    ] {
        let (answers, steps) = steps(&filter);
        assert_eq!(answers, found);
        assert!(steps < 40, "{steps} steps for {filter:?}");
    }
    let (answers, _) =
        steps(&RelationshipFilter { resource_id_prefix: Some("d1".into()), ..Default::default() });
    assert_eq!(answers, 1 + 10 + 100 + 1000);
    assert_eq!(id_of(2), "a2");
}
