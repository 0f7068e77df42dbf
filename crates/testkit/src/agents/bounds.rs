//! What is in scope.

use std::collections::BTreeSet;

use pemba_engine::{CaveatEvaluator, CaveatOutcome};
use pemba_model::{ObjectRef, Relationship, SmolStr};

use super::facts::{Clause, Objects, Scope};
use crate::oracle::Value;

/// A value, and the parameters it waits for.
pub(super) type Says = (Value, BTreeSet<SmolStr>);

/// Both must hold.
pub(super) fn both(one: Says, other: Says) -> Says {
    let value = one.0.min(other.0);
    (value, if value == Value::Maybe { &one.1 | &other.1 } else { BTreeSet::new() })
}

/// One suffices.
fn any(one: Says, other: Says) -> Says {
    let value = one.0.max(other.0);
    (value, if value == Value::Maybe { &one.1 | &other.1 } else { BTreeSet::new() })
}

/// A plain yes or no.
pub(super) fn plainly(holds: bool) -> Says {
    (if holds { Value::Yes } else { Value::No }, BTreeSet::new())
}

/// Whether a scope has a permission on an object. The edges of subtrees must be unconditional.
pub(super) fn in_scope(
    scope: &Scope,
    (permission, object): (&str, &ObjectRef),
    live: &[Relationship],
    caveats: &dyn CaveatEvaluator,
) -> Says {
    let about = scope.iter().filter(|clause| {
        clause.resource_type == object.object_type && clause.permissions.iter().any(|one| one == permission)
    });
    about.fold(plainly(false), |sum, clause| {
        any(sum, both(plainly(selects(clause, object, live)), condition(clause, caveats)))
    })
}

fn selects(clause: &Clause, object: &ObjectRef, live: &[Relationship]) -> bool {
    match &clause.objects {
        Objects::All => true,
        Objects::These(ids) => ids.contains(&object.object_id),
        Objects::Under(relation, top) => leads(object, relation, top, live, &mut BTreeSet::new()),
    }
}

/// Whether a scope has anything to do with an object.
pub(super) fn reaches(scope: &Scope, object: &ObjectRef, live: &[Relationship]) -> bool {
    scope.iter().any(|clause| clause.resource_type == object.object_type && selects(clause, object, live))
}

fn leads(
    from: &ObjectRef,
    relation: &str,
    top: &ObjectRef,
    live: &[Relationship],
    seen: &mut BTreeSet<ObjectRef>,
) -> bool {
    if from == top {
        return true;
    }
    if !seen.insert(from.clone()) {
        return false;
    }
    let onwards: Vec<&Relationship> = live
        .iter()
        .filter(|one| one.resource == *from && one.relation == relation && one.subject.relation.is_none())
        .collect();
    onwards.into_iter().any(|one| {
        assert!(one.caveat.is_none(), "the edges of subtrees are unconditional here: {one}");
        leads(&one.subject.object, relation, top, live, seen)
    })
}

fn condition(clause: &Clause, caveats: &dyn CaveatEvaluator) -> Says {
    let Some(caveat) = &clause.caveat else { return plainly(true) };
    match caveats.evaluate(&caveat.name, &caveat.context) {
        Ok(CaveatOutcome::True) => plainly(true),
        Ok(CaveatOutcome::False) => plainly(false),
        Ok(CaveatOutcome::Missing(names)) => (Value::Maybe, names.into_iter().collect()),
        Err(error) => panic!("a scope's caveat fails: {error}"),
    }
}
