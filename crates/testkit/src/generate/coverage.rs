//! How often the generated cases hold what the engine can get wrong.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{Relationship, SmolStr, Timestamp};
use pemba_schema::{Expression, Schema};

use super::coverage_caveats::{answer_classes, caveat_classes};
use super::{Case, State, Step};
use crate::oracle::{Atom, Formula, Oracle, Value};

/// The classes of which each case may have any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Relationships lead from an object's relation back to itself.
    Cycle,
    /// A cycle through an exclusion's right side, and every question has an answer.
    CycleThroughExclusionDefined,
    /// A question that has no answer.
    Contradiction,
    /// A wildcard reached from an exclusion's right side.
    WildcardUnderExclusion,
    /// A caveat on an arrow's left edge and one on its target's.
    CaveatsOnBothSidesOfArrow,
    /// Two objects of different types with equal ids.
    EqualIdsOfDifferentTypes,
    /// A relationship expires exactly at an instant that is asked about.
    ExpiryExactlyNow,
    /// A conditional answer.
    Conditional,
    /// A userset other than the atom itself has a permission.
    UsersetSubject,
    /// A subject that nobody mentioned has a permission.
    Stranger,
    /// `.all` over subjects of different types.
    AllArrowMixedTypes,
    /// `.all` over a conditional edge.
    AllArrowConditional,
    /// An exclusion inside an exclusion's right side.
    NestedExclusion,
    /// A caveat that holds, on a live relationship.
    CaveatHolds,
    /// A caveat that does not hold.
    CaveatRefuses,
    /// A caveat that misses parameters.
    CaveatMisses,
    /// A caveat that fails.
    CaveatFails,
    /// An answer that there is none of, as it depends on a caveat that fails.
    FaultDecides,
    /// A definite answer although a caveat that is read for it fails.
    FaultHidden,
    /// A conditional edge read under an exclusion.
    CaveatUnderExclusion,
    /// A caveat on a wildcard.
    CaveatOnWildcard,
    /// A caveat on a userset.
    CaveatOnUserset,
    /// A conditional answer where several conditional edges meet.
    SeveralCaveats,
    /// A caveat and an expiry on one relationship that is live.
    CaveatWithExpiry,
    /// Two relationships with the same caveat and the same bound values.
    SharedBoundValues,
    /// Two relationships with the same caveat and different bound values.
    DifferentBoundValues,
    /// A step that removes a relationship.
    Delete,
    /// A step that changes a relationship's attributes.
    AttributesChange,
    /// A step that changes the schema with relationships in place.
    SchemaChange,
}

/// All classes.
pub const CLASSES: [Class; 29] = [
    Class::Cycle,
    Class::CycleThroughExclusionDefined,
    Class::Contradiction,
    Class::WildcardUnderExclusion,
    Class::CaveatsOnBothSidesOfArrow,
    Class::EqualIdsOfDifferentTypes,
    Class::ExpiryExactlyNow,
    Class::Conditional,
    Class::UsersetSubject,
    Class::Stranger,
    Class::AllArrowMixedTypes,
    Class::AllArrowConditional,
    Class::NestedExclusion,
    Class::CaveatHolds,
    Class::CaveatRefuses,
    Class::CaveatMisses,
    Class::CaveatFails,
    Class::FaultDecides,
    Class::FaultHidden,
    Class::CaveatUnderExclusion,
    Class::CaveatOnWildcard,
    Class::CaveatOnUserset,
    Class::SeveralCaveats,
    Class::CaveatWithExpiry,
    Class::SharedBoundValues,
    Class::DifferentBoundValues,
    Class::Delete,
    Class::AttributesChange,
    Class::SchemaChange,
];

/// How many cases were looked at, and how many of them had each class.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Cases looked at.
    pub cases: usize,
    /// Cases with the class.
    pub counts: BTreeMap<Class, usize>,
}

impl Coverage {
    /// Counts one case.
    pub fn add(&mut self, case: &Case) {
        self.cases += 1;
        for class in classes(case) {
            *self.counts.entry(class).or_default() += 1;
        }
    }

    /// The share of cases with a class, 0 to 1.
    pub fn share(&self, class: Class) -> f64 {
        let count = self.counts.get(&class).copied().unwrap_or(0);
        f64::from(u32::try_from(count).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(self.cases.max(1)).unwrap_or(1))
    }
}

/// The classes of a case.
pub fn classes(case: &Case) -> BTreeSet<Class> {
    let states = case.states();
    let mut found = BTreeSet::new();
    for (state, step) in states.iter().zip(&case.steps) {
        step_classes(state, step, &mut found);
    }
    let Some(last) = states.last() else { return found };
    structure_classes(last, &mut found);
    for now in &case.instants {
        instant_classes(case, last, *now, &mut found);
    }
    found
}

fn step_classes(before: &State, step: &Step, found: &mut BTreeSet<Class>) {
    match step {
        Step::Schema(schema) if *schema != before.schema && !before.relationships.is_empty() => {
            found.insert(Class::SchemaChange);
        }
        Step::Schema(_) => {}
        Step::Write(_) => {
            let mut after = before.clone();
            after.apply(step);
            for (identity, old) in &before.relationships {
                match after.relationships.get(identity) {
                    None => _ = found.insert(Class::Delete),
                    Some(new) if new != old => _ = found.insert(Class::AttributesChange),
                    Some(_) => {}
                }
            }
        }
    }
}

fn arrows<'a>(expression: &'a Expression, into: &mut Vec<(&'a SmolStr, &'a SmolStr, bool)>) {
    match expression {
        Expression::Arrow { relation, target, all } => into.push((relation, target, *all)),
        Expression::Union(operands) | Expression::Intersection(operands) => {
            operands.iter().for_each(|operand| arrows(operand, into));
        }
        Expression::Exclusion(base, without) => {
            arrows(base, into);
            arrows(without, into);
        }
        Expression::Nil | Expression::SelfObject | Expression::Reference(_) => {}
    }
}

fn nested_exclusion(expression: &Expression, under: bool) -> bool {
    match expression {
        Expression::Union(operands) | Expression::Intersection(operands) => {
            operands.iter().any(|operand| nested_exclusion(operand, under))
        }
        Expression::Exclusion(base, without) => {
            under || nested_exclusion(base, under) || nested_exclusion(without, true)
        }
        _ => false,
    }
}

fn structure_classes(state: &State, found: &mut BTreeSet<Class>) {
    let relationships = state.list();
    let objects = state.objects();
    if objects.iter().any(|a| {
        objects.iter().any(|b| {
            a.object_id != super::STRANGER && a.object_id == b.object_id && a.object_type != b.object_type
        })
    }) {
        found.insert(Class::EqualIdsOfDifferentTypes);
    }
    for definition in state.schema.definitions.values() {
        for permission in definition.permissions.values() {
            if nested_exclusion(&permission.expression, false) {
                found.insert(Class::NestedExclusion);
            }
            let mut all = Vec::new();
            arrows(&permission.expression, &mut all);
            for (relation, target, all) in all {
                arrow_classes(
                    &state.schema,
                    &relationships,
                    (&definition.name, relation, target, all),
                    found,
                );
            }
        }
    }
}

fn arrow_classes(
    schema: &Schema,
    relationships: &[Relationship],
    (type_name, relation, target, all): (&SmolStr, &SmolStr, &SmolStr, bool),
    found: &mut BTreeSet<Class>,
) {
    let left =
        || relationships.iter().filter(|r| r.resource.object_type == *type_name && r.relation == *relation);
    let on_target = |edge: &Relationship| {
        let definition = schema.definition(&edge.subject.object.object_type);
        definition.is_some_and(|d| d.relations.contains_key(target))
            && relationships
                .iter()
                .any(|r| r.caveat.is_some() && r.resource == edge.subject.object && r.relation == *target)
    };
    if left().any(|edge| edge.caveat.is_some() && on_target(edge)) {
        found.insert(Class::CaveatsOnBothSidesOfArrow);
    }
    let of_one =
        |one: &Relationship| left().filter(|r| r.resource == one.resource).cloned().collect::<Vec<_>>();
    for edges in left().filter(|_| all).map(of_one) {
        let types: BTreeSet<&SmolStr> = edges.iter().map(|edge| &edge.subject.object.object_type).collect();
        if types.len() > 1 {
            found.insert(Class::AllArrowMixedTypes);
        }
        if edges.iter().any(|edge| edge.caveat.is_some()) {
            found.insert(Class::AllArrowConditional);
        }
    }
}

/// The atoms a formula reads, each with whether it is read under an exclusion; and whether a wildcard is.
fn reads(formula: &Formula, under: bool, atoms: &mut BTreeSet<(usize, bool)>, wildcard: &mut BTreeSet<bool>) {
    match formula {
        Formula::Atom(number) => _ = atoms.insert((*number, under)),
        Formula::AnyOf(_) => _ = wildcard.insert(under),
        Formula::Or(operands) | Formula::And(operands) => {
            operands.iter().for_each(|operand| reads(operand, under, atoms, wildcard));
        }
        Formula::Except(base, without) => {
            reads(base, under, atoms, wildcard);
            reads(without, true, atoms, wildcard);
        }
        Formula::Edge(..) | Formula::Is(_) => {}
    }
}

/// What leads where, by atom.
struct Leads {
    /// The atoms read, each with whether it is under an exclusion.
    direct: Vec<BTreeSet<(usize, bool)>>,
    /// All atoms that it leads to.
    all: Vec<BTreeSet<usize>>,
    /// Whether it reads a wildcard.
    has_wildcard: Vec<bool>,
}

fn leads(formulas: &[Formula]) -> Leads {
    let mut direct = Vec::new();
    let mut has_wildcard = Vec::new();
    for formula in formulas {
        let (mut atoms, mut wildcard) = (BTreeSet::new(), BTreeSet::new());
        reads(formula, false, &mut atoms, &mut wildcard);
        direct.push(atoms);
        has_wildcard.push(!wildcard.is_empty());
    }
    let mut all: Vec<BTreeSet<usize>> =
        direct.iter().map(|d| d.iter().map(|(atom, _)| *atom).collect()).collect();
    loop {
        let next: Vec<BTreeSet<usize>> =
            all.iter().map(|to| to.iter().flat_map(|at| &all[*at]).chain(to).copied().collect()).collect();
        if next == all {
            return Leads { direct, all, has_wildcard };
        }
        all = next;
    }
}

fn instant_classes(case: &Case, state: &State, now: Timestamp, found: &mut BTreeSet<Class>) {
    let relationships = state.list();
    if relationships.iter().any(|r| r.expires_at == Some(now)) {
        found.insert(Class::ExpiryExactlyNow);
    }
    let caveats = case.caveats(&state.schema);
    caveat_classes(&relationships, now, &caveats, found);
    let oracle = Oracle::new(&state.schema, &relationships, &state.objects(), now, &caveats);
    let Leads { direct, all, has_wildcard } = leads(oracle.formulas());
    let negative_cycle = direct
        .iter()
        .enumerate()
        .any(|(at, reads)| reads.iter().any(|(to, under)| *under && all[*to].contains(&at)));
    if all.iter().enumerate().any(|(at, to)| to.contains(&at)) {
        found.insert(Class::Cycle);
    }
    if direct
        .iter()
        .flatten()
        .any(|(to, under)| *under && (has_wildcard[*to] || all[*to].iter().any(|at| has_wildcard[*at])))
    {
        found.insert(Class::WildcardUnderExclusion);
    }
    let mut contradiction = false;
    for subject in state.subjects(&state.objects()) {
        let solution = oracle.solve(&subject);
        contradiction |= solution.has_contradiction();
        if solution.has_conditional() {
            found.insert(Class::Conditional);
        }
        answer_classes(&oracle, &subject, &solution, found);
        let granted = |(at, atom): (usize, &Atom)| {
            let itself = subject.object == atom.object;
            !itself && solution.answer(at).value() == Some(Value::Yes)
        };
        if oracle.atoms().iter().enumerate().any(granted) {
            found.extend(subject.relation.as_ref().map(|_| Class::UsersetSubject));
            found.extend((subject.object.object_id == super::STRANGER).then_some(Class::Stranger));
        }
    }
    if contradiction {
        found.insert(Class::Contradiction);
    } else if negative_cycle {
        found.insert(Class::CycleThroughExclusionDefined);
    }
}
