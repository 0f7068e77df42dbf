//! Subtrees along a relation, beside a fixpoint over the plain list of relationships.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::{
    CaveatEvaluator, CaveatOutcome, Graph, Ordinal, Permissionship, QueryContext, QueryError, in_subtree,
    subtree,
};
use pemba_model::{ObjectRef, SmolStr, Timestamp};
use pemba_testkit::cases;
use pemba_testkit::caveats::CaveatTable;
use pemba_testkit::compare::{Difference, STEPS_MAX, replay};
use pemba_testkit::generate::{Case, State};

/// A live edge of the relation: from, to, and what its caveat says.
type Edge = (ObjectRef, ObjectRef, Result<CaveatOutcome, QueryError>);

/// What subtrees can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    /// A member by no edge to the top itself.
    Deep,
    /// A conditional member.
    Conditional,
    /// An answer that a failing caveat prevents.
    Fault,
    /// A member of another type than the top's.
    OtherType,
    /// A top that is under one of its members.
    Cycle,
    /// A member with two edges into the subtree.
    Diamond,
    /// An answer that changes at some instant.
    Expiry,
}

const ALL: [Met; 7] =
    [Met::Deep, Met::Conditional, Met::Fault, Met::OtherType, Met::Cycle, Met::Diamond, Met::Expiry];

fn edges(state: &State, relation: &str, now: Timestamp, caveats: &CaveatTable) -> Vec<Edge> {
    let all = state.relationships.values().filter(|one| {
        one.relation == relation
            && one.subject.relation.is_none()
            && !one.subject.object.is_wildcard()
            && one.expires_at.is_none_or(|expires_at| expires_at > now)
    });
    all.map(|one| {
        let caveat = one.caveat.as_ref();
        let says = caveat.map_or(Ok(CaveatOutcome::True), |c| caveats.evaluate(&c.name, &c.context));
        (one.resource.clone(), one.subject.object.clone(), says)
    })
    .collect()
}

/// The members of a subtree by least fixpoint.
fn members(edges: &[Edge], top: &ObjectRef) -> BTreeMap<ObjectRef, Permissionship> {
    let mut members = BTreeMap::from([(top.clone(), Permissionship::Yes)]);
    loop {
        let before = members.clone();
        for (from, to, says) in edges {
            let edge = match says {
                Ok(CaveatOutcome::True) => Permissionship::Yes,
                Ok(CaveatOutcome::False) => Permissionship::No,
                Ok(CaveatOutcome::Missing(_)) | Err(_) => Permissionship::Conditional,
            };
            let value = edge.min(members.get(to).copied().unwrap_or_default());
            let slot = members.entry(from.clone()).or_default();
            *slot = value.max(*slot);
        }
        if members == before {
            return members;
        }
    }
}

/// The members if no edge with a failing caveat were there.
fn without_faults(edges: &[Edge], top: &ObjectRef) -> BTreeMap<ObjectRef, Permissionship> {
    let sound: Vec<Edge> = edges.iter().filter(|(_, _, says)| says.is_ok()).cloned().collect();
    members(&sound, top)
}

fn note(met: &mut BTreeSet<Met>, edges: &[Edge], top: &ObjectRef, all: &BTreeMap<ObjectRef, Permissionship>) {
    for (object, value) in all.iter().filter(|(object, value)| *object != top && **value > Permissionship::No)
    {
        let into =
            || edges.iter().filter(|(from, to, _)| from == object && all.get(to) > Some(&Permissionship::No));
        met.extend((!into().any(|(_, to, _)| to == top)).then_some(Met::Deep));
        met.extend((*value == Permissionship::Conditional).then_some(Met::Conditional));
        met.extend((object.object_type != top.object_type).then_some(Met::OtherType));
        met.extend(edges.iter().any(|(from, to, _)| from == top && to == object).then_some(Met::Cycle));
        met.extend((into().count() > 1).then_some(Met::Diamond));
    }
}

/// Compares one subtree, object by object and as sets; the error says where it differs.
fn compare_one(
    (graph, state, objects): (&pemba_engine::Snapshot, &State, &BTreeSet<ObjectRef>),
    relation: &str,
    top: &ObjectRef,
    context: &QueryContext<'_>,
    edges: &[Edge],
    met: &mut BTreeSet<Met>,
) -> Result<(), (String, String, String)> {
    let expected = members(edges, top);
    note(met, edges, top, &expected);
    let without_faults = without_faults(edges, top);
    let mut by_type: BTreeMap<&SmolStr, Result<BTreeMap<SmolStr, Permissionship>, ()>> =
        state.schema.definitions.keys().map(|name| (name, Ok(BTreeMap::new()))).collect();
    for object in objects {
        let value = expected.get(object).copied().unwrap_or_default();
        let got = in_subtree(graph, object, relation, top, context);
        let wrong = |got: &dyn std::fmt::Debug| {
            Err((format!("{object} in {relation} of {top}"), format!("{value:?}"), format!("{got:?}")))
        };
        // Where no member is left without the faulty edges, only these can be why it is open.
        let must_fail = value == Permissionship::Conditional
            && without_faults.get(object).copied().unwrap_or_default() == Permissionship::No;
        let list = by_type.get_mut(&object.object_type).unwrap();
        match got {
            Ok(answer) if answer.permissionship == value && !must_fail => {
                if answer.missing.is_empty() != (value != Permissionship::Conditional) {
                    return wrong(&answer);
                }
                if let Ok(list) = list {
                    list.insert(object.object_id.clone(), value);
                }
            }
            Err(error)
                if value == Permissionship::Conditional
                    && edges.iter().any(|(_, _, says)| says.as_ref() == Err(&error)) =>
            {
                met.insert(Met::Fault);
                *list = Err(());
            }
            got => return wrong(&got),
        }
    }
    for (object_type, list) in by_type {
        let got = subtree(graph, object_type, relation, top, context);
        let differs = |got: &dyn std::fmt::Debug| {
            Err((
                format!("all {object_type} in {relation} of {top}"),
                format!("{list:?}"),
                format!("{got:?}"),
            ))
        };
        match (&list, &got) {
            (Err(()), Err(error)) if error.failed_caveat().is_some() => continue,
            (Ok(_), Ok(_)) => {}
            _ => return differs(&got),
        }
        let (Ok(list), Ok(got)) = (&list, got) else { continue };
        let type_id = got.resource_type.unwrap();
        let name = |ordinal: u32| match graph.object_id(type_id, Ordinal(ordinal)) {
            None if Ordinal(ordinal) == Ordinal::UNMENTIONED => top.object_id.clone(),
            id => SmolStr::new(id.unwrap()),
        };
        let definite = got.definite.iter().map(|ordinal| (name(ordinal), Permissionship::Yes));
        let conditional = got.conditional.iter().map(|ordinal| (name(ordinal), Permissionship::Conditional));
        let found: BTreeMap<SmolStr, Permissionship> = definite.chain(conditional).collect();
        let wanted: BTreeMap<SmolStr, Permissionship> = list
            .iter()
            .filter(|(_, value)| **value > Permissionship::No)
            .map(|(id, value)| (id.clone(), *value))
            .collect();
        if found != wanted {
            return differs(&found);
        }
    }
    Ok(())
}

fn compare(case: &Case, counts: &RefCell<BTreeMap<Met, u32>>) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let head = history.head();
    let (graph, state) = (&head.snapshot, &head.state);
    let caveats = case.caveats(&state.schema);
    let objects = state.objects();
    let mut met = BTreeSet::new();
    let relations: BTreeSet<&SmolStr> =
        state.schema.definitions.values().flat_map(|definition| definition.relations.keys()).collect();
    for relation in relations {
        for now in &case.instants {
            let context = QueryContext { now: *now, steps_max: STEPS_MAX, caveats: &caveats };
            let edges = edges(state, relation, *now, &caveats);
            for top in &objects {
                let on = (graph, state, &objects);
                let outcome = compare_one(on, relation, top, &context, &edges, &mut met);
                if let Err((question, expected, got)) = outcome {
                    let (state, caveats, now) = (state.clone(), caveats.clone(), *now);
                    return Err(Box::new(Difference {
                        state,
                        now,
                        caveats,
                        question,
                        check: None,
                        expected,
                        got,
                    }));
                }
                validity(case, state, (relation, top), &context, graph, &mut met)?;
            }
        }
    }
    for one in met {
        *counts.borrow_mut().entry(one).or_default() += 1;
    }
    Ok(())
}

/// An answer holds until the instant that it gives.
fn validity(
    case: &Case,
    state: &State,
    (relation, top): (&SmolStr, &ObjectRef),
    context: &QueryContext<'_>,
    graph: &pemba_engine::Snapshot,
    met: &mut BTreeSet<Met>,
) -> Result<(), Box<Difference>> {
    let caveats = case.caveats(&state.schema);
    for object in state.objects() {
        let Ok(answer) = in_subtree(graph, &object, relation, top, context) else { continue };
        let at = |now: Timestamp| members(&edges(state, relation, now, &caveats), top).get(&object).copied();
        let here = at(context.now).unwrap_or_default();
        let later = case.instants.iter().copied().filter(|now| *now > context.now);
        let Some(change) = later.into_iter().find(|now| at(*now).unwrap_or_default() != here) else {
            continue;
        };
        met.insert(Met::Expiry);
        if answer.valid_until.is_none_or(|until| until > change) {
            return Err(Box::new(Difference {
                state: state.clone(),
                now: context.now,
                caveats,
                question: format!("validity of {object} in {relation} of {top}"),
                check: None,
                expected: format!("at most {change:?}"),
                got: format!("{:?}", answer.valid_until),
            }));
        }
    }
    Ok(())
}

#[test]
fn subtrees_are_the_fixpoint_and_sets_agree_with_single_answers() {
    let counts = RefCell::new(BTreeMap::new());
    let cases = cases::count(300);
    cases::check(cases, cases::seed(12), |case| compare(case, &counts));
    let counts = counts.into_inner();
    for met in ALL {
        let share = counts.get(&met).copied().unwrap_or(0);
        assert!(share * 50 >= cases, "{met:?} in {share} of {cases} cases: {counts:?}");
    }
}
