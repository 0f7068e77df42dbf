//! Relationships laid over a graph: every answer is that of a snapshot that has them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::{
    Graph, Ordinal, Overlay, OverlayError, QueryContext, Snapshot, lookup_resources, lookup_subjects,
};
use pemba_model::{ObjectRef, Relationship, Revision, SubjectRef, Timestamp};
use pemba_testkit::cases;
use pemba_testkit::caveats::CaveatTable;
use pemba_testkit::compare::{Difference, STEPS_MAX};
use pemba_testkit::generate::{Case, Identity, State, identity};

use crate::asked::{Asked, snapshot};

/// What an overlay can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    NewObject,
    Wildcard,
    Userset,
    Caveat,
    Expiry,
    Equal,
    PlainOverQualified,
    QualifiedOverPlain,
    LaterExpiry,
    EarlierExpiry,
    OtherCaveat,
    Matters,
}

const ALL: [Met; 12] = [
    Met::NewObject,
    Met::Wildcard,
    Met::Userset,
    Met::Caveat,
    Met::Expiry,
    Met::Equal,
    Met::PlainOverQualified,
    Met::QualifiedOverPlain,
    Met::LaterExpiry,
    Met::EarlierExpiry,
    Met::OtherCaveat,
    Met::Matters,
];

/// A draw that stays with the relationship when a case is shrunk.
fn draw(relationship: &Relationship) -> u64 {
    let text = identity_text(&identity(relationship));
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        >> 20
}

fn identity_text((resource, relation, subject): &Identity) -> String {
    format!("{resource}#{relation}@{subject}")
}

/// The same edge with the attributes of another.
fn with_attributes(edge: &Relationship, other: &Relationship) -> Relationship {
    Relationship { caveat: other.caveat.clone(), expires_at: other.expires_at, ..edge.clone() }
}

/// A state in two parts: what the base has, and what is laid over it.
fn parts(state: &State) -> (Vec<Relationship>, Vec<Relationship>) {
    let all = state.list();
    let (mut base, mut extra) = (Vec::new(), Vec::new());
    for (place, one) in all.iter().enumerate() {
        let draw = draw(one);
        let other = with_attributes(one, &all[(place + 1 + (draw >> 8) as usize % 3) % all.len()]);
        let later = one.expires_at.map(|at| Timestamp::new(at.seconds() + 1, 0).unwrap());
        let sooner = Relationship { expires_at: later, ..one.clone() };
        match draw % 8 {
            0 | 1 => base.push(one.clone()),
            2 | 3 => extra.push(one.clone()),
            4 => (base.push(one.clone()), extra.push(other)).1,
            5 => (base.push(other), extra.push(one.clone())).1,
            6 => (base.push(one.clone()), extra.push(sooner)).1,
            _ => (base.push(sooner), extra.push(one.clone())).1,
        }
    }
    (base, extra)
}

/// What holds of an edge that is there and laid over.
fn merged(there: &Relationship, extra: &Relationship, met: &mut BTreeSet<Met>) -> Relationship {
    let is_plain = |one: &Relationship| one.caveat.is_none() && one.expires_at.is_none();
    match (is_plain(there), is_plain(extra)) {
        (true, true) => _ = met.insert(Met::Equal),
        (true, false) => {
            met.insert(Met::QualifiedOverPlain);
            return there.clone();
        }
        (false, true) => _ = met.insert(Met::PlainOverQualified),
        (false, false) if there.caveat != extra.caveat => _ = met.insert(Met::OtherCaveat),
        (false, false) => {
            let never = (there.expires_at.is_none(), extra.expires_at.is_none());
            met.insert(match (never, there.expires_at.cmp(&extra.expires_at)) {
                (_, std::cmp::Ordering::Equal) => Met::Equal,
                ((false, true), _) | ((false, false), std::cmp::Ordering::Less) => Met::LaterExpiry,
                _ => Met::EarlierExpiry,
            });
            if never == (true, false) || (never == (false, false) && there.expires_at > extra.expires_at) {
                return there.clone();
            }
        }
    }
    extra.clone()
}

fn compare(case: &Case, counts: &RefCell<BTreeMap<Met, u32>>) -> Result<(), Box<Difference>> {
    let state = case.states().pop().unwrap();
    let (base_part, extra) = parts(&state);
    let mut met = BTreeSet::new();
    let mut edges: BTreeMap<Identity, Relationship> =
        base_part.iter().map(|one| (identity(one), one.clone())).collect();
    for one in &extra {
        let subject = &one.subject;
        met.extend(subject.object.is_wildcard().then_some(Met::Wildcard));
        met.extend(subject.relation.is_some().then_some(Met::Userset));
        met.extend(one.caveat.is_some().then_some(Met::Caveat));
        met.extend(one.expires_at.is_some().then_some(Met::Expiry));
        let merged = edges.get(&identity(one)).map(|there| merged(there, one, &mut met));
        edges.insert(identity(one), merged.unwrap_or_else(|| one.clone()));
    }
    let base = snapshot(&state.schema, &base_part);
    let with_extra = snapshot(&state.schema, edges.values());
    let count = |snapshot: &Snapshot| -> u32 {
        snapshot.catalog().types().map(|(id, _)| snapshot.names().len(id)).sum()
    };
    let known = count(&base);
    met.extend((count(&with_extra) > known).then_some(Met::NewObject));

    let overlay = Overlay::new(&base, &extra).unwrap();
    let objects = case.objects();
    let now = case.instants[0];
    let caveats: CaveatTable = case.caveats(&state.schema);
    let context = QueryContext { now, steps_max: STEPS_MAX, caveats: &caveats };
    let asked = Asked { graph: &with_extra, base: &with_extra, state: &state, context, answers: Vec::new() };
    let expected = asked.all(&objects);
    let asked = Asked { graph: &overlay, base: &base, state: &state, context, answers: Vec::new() };
    let got = asked.all(&objects);
    let asked = Asked { graph: &base, base: &base, state: &state, context, answers: Vec::new() };
    met.extend((asked.all(&objects) != got).then_some(Met::Matters));
    assert_eq!(count(&base), known, "a query made a name known to the base");

    for (expected, got) in expected.iter().zip(&got) {
        if expected != got {
            let state = State { schema: state.schema.clone(), relationships: edges.clone() };
            let question = format!("{} with these laid over: {extra:?}", expected.0);
            let (expected, got) = (expected.1.clone(), got.1.clone());
            return Err(Box::new(Difference { state, now, caveats, question, check: None, expected, got }));
        }
    }
    assert_eq!(expected.len(), got.len());
    for one in met {
        *counts.borrow_mut().entry(one).or_default() += 1;
    }
    Ok(())
}

#[test]
fn every_answer_is_that_of_a_snapshot_with_the_relationships() {
    let counts = RefCell::new(BTreeMap::new());
    let cases = cases::count(160);
    cases::check(cases, cases::seed(11), |case| compare(case, &counts));
    let counts = counts.into_inner();
    for met in ALL {
        let share = counts.get(&met).copied().unwrap_or(0);
        assert!(share * 25 >= cases, "{met:?} in {share} of {cases} cases: {counts:?}");
    }
    assert!(counts[&Met::Matters] * 2 >= cases, "{counts:?}");
}

const SCHEMA: &str = "
definition user {}
caveat one(p int) { p == 1 }
definition doc { relation viewer: user | user with one }
";

#[test]
fn what_no_schema_takes_is_named() {
    let schema = pemba_schema::compile(SCHEMA).unwrap().schema;
    let base = snapshot(&schema, []);
    let parse = |text: &str| pemba_model::text::parse_relationship(text).unwrap();
    let good = parse("doc:d#viewer@user:ann");
    for text in ["doc:d#viewer@doc:e", "doc:d#owner@user:ann", "doc:d#viewer@user:*"] {
        let error = Overlay::new(&base, &[good.clone(), parse(text)]).unwrap_err();
        assert_eq!(error, OverlayError::UnknownKind { relationship: text.to_owned() });
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn objects_of_the_overlay_are_unknown_to_the_base_and_stay_apart_from_those_it_learns_later() {
    let schema = pemba_schema::compile(SCHEMA).unwrap().schema;
    let parse = |text: &str| pemba_model::text::parse_relationship(text).unwrap();
    let base = snapshot(&schema, &[parse("doc:d#viewer@user:ann")]);
    let extra =
        [parse("doc:e#viewer@user:bob"), parse("doc:f#viewer@user:bob"), parse("doc:e#viewer@user:ann")];
    let overlay = Overlay::new(&base, &extra).unwrap();
    let user = base.catalog().type_id("user").unwrap();
    assert_eq!(base.ordinal(user, "bob"), None);
    let bob = overlay.ordinal(user, "bob").unwrap();
    // While the overlay is used, a write makes the name known.
    let mut transaction = base.transaction();
    transaction.put(&parse("doc:d#viewer@user:bob")).unwrap();
    let later = transaction.finish(Revision(2));
    assert_ne!(later.ordinal(user, "bob"), Some(bob));
    assert_eq!((overlay.ordinal(user, "bob"), overlay.object_id(user, bob)), (Some(bob), Some("bob")));
    let context = QueryContext {
        now: Timestamp::UNIX_EPOCH,
        steps_max: STEPS_MAX,
        caveats: &CaveatTable::new(&schema, BTreeMap::new()),
    };
    let subject = SubjectRef::direct("user", "bob");
    let found = lookup_resources(&overlay, base.program(), "doc", "viewer", &subject, &context).unwrap();
    let doc = base.catalog().type_id("doc").unwrap();
    let ids: BTreeSet<&str> =
        found.definite.iter().map(|ordinal| overlay.object_id(doc, Ordinal(ordinal)).unwrap()).collect();
    assert_eq!(ids, BTreeSet::from(["e", "f"]));
}

#[test]
fn overlays_lie_over_rows_of_every_size() {
    let schema = pemba_schema::compile(SCHEMA).unwrap().schema;
    let parse = |text: &str| pemba_model::text::parse_relationship(text).unwrap();
    for size in [0, 1, 2, 200, 1000] {
        let edges: Vec<Relationship> = (0..size).map(|n| parse(&format!("doc:d#viewer@user:u{n}"))).collect();
        let base = snapshot(&schema, &edges);
        let extra = [
            parse("doc:d#viewer@user:new"),
            parse("doc:d#viewer@user:u0"),
            parse("doc:d#viewer@user:u1[one]"),
        ];
        let overlay = Overlay::new(&base, &extra).unwrap();
        let caveats = CaveatTable::new(&schema, BTreeMap::new());
        let context = QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: STEPS_MAX, caveats: &caveats };
        let found = lookup_subjects(
            &overlay,
            base.program(),
            &ObjectRef::new("doc", "d"),
            "viewer",
            "user",
            None,
            &context,
        );
        let found = found.unwrap().concrete;
        let conditional = found.iter().filter(|one| !one.missing.is_empty()).count();
        assert_eq!(found.len(), size.max(2) + 1, "{size}");
        assert_eq!(conditional, usize::from(size < 2), "a plain edge is not weakened");
    }
}
