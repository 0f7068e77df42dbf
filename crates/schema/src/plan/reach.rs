//! Which subject kinds each relation and permission can ever contain: the least fixpoint over the schema.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::SmolStr;

use super::Plan;
use crate::schema::{Relation, Schema, SubjectShape};

/// Most bits that reachability may take (4 MiB). Of a larger schema everything is taken to be reachable: nothing is
/// pruned, no answer changes.
const BITS_MAX: usize = 1 << 25;

/// Reachability of one schema. Kinds and predicates are numbered: predicate `p` is also the kind of its own userset,
/// the kinds of whole objects follow.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// Predicates by type and name.
    predicates: BTreeMap<SmolStr, BTreeMap<SmolStr, usize>>,
    /// Kinds of whole objects by type.
    objects: BTreeMap<SmolStr, usize>,
    /// Subject types of each relation, by type and relation: what an arrow from it walks to.
    subjects: BTreeMap<SmolStr, BTreeMap<SmolStr, BTreeSet<SmolStr>>>,
    /// A row of `words` words for each predicate, a bit for each kind; `None` when it would be too large.
    rows: Option<Vec<u64>>,
    words: usize,
}

/// What a row is made of.
enum Formula {
    Never,
    Kind(usize),
    Row(usize),
    Any(Vec<Formula>),
    Every(Vec<Formula>),
}

impl Reach {
    /// Works out what can reach what.
    pub(super) fn compute(schema: &Schema, plan_of: impl Fn(&str, &str) -> Plan) -> Reach {
        let mut reach = Reach::default();
        let mut count = 0;
        for (object_type, definition) in &schema.definitions {
            let names = reach.predicates.entry(object_type.clone()).or_default();
            for name in definition.names() {
                names.insert(name.clone(), count);
                count += 1;
            }
            let walked =
                definition.relations.iter().map(|(name, relation)| (name.clone(), types_of(relation)));
            reach.subjects.insert(object_type.clone(), walked.collect());
        }
        for (number, object_type) in schema.definitions.keys().enumerate() {
            reach.objects.insert(object_type.clone(), count + number);
        }
        reach.words = (count + reach.objects.len()).div_ceil(64);
        if count.saturating_mul(reach.words * 64) > BITS_MAX {
            return reach;
        }
        let formulas = reach.formulas(schema, plan_of, count);
        reach.rows = Some(fixpoint(&formulas, reach.words));
        reach
    }

    fn formulas(&self, schema: &Schema, plan_of: impl Fn(&str, &str) -> Plan, count: usize) -> Vec<Formula> {
        let mut formulas: Vec<Formula> = (0..count).map(|_| Formula::Never).collect();
        for (object_type, definition) in &schema.definitions {
            for name in definition.names() {
                let formula = match definition.relations.get(name) {
                    Some(relation) => self.relation(relation),
                    None => self.formula(object_type, &plan_of(object_type, name)),
                };
                if let Some(slot) = self.predicate(object_type, name).and_then(|at| formulas.get_mut(at)) {
                    *slot = formula;
                }
            }
        }
        formulas
    }

    fn relation(&self, relation: &Relation) -> Formula {
        let of_subject = |allowed: &crate::schema::AllowedSubject| match &allowed.shape {
            SubjectShape::Direct | SubjectShape::Wildcard => {
                self.objects.get(&allowed.subject_type).map(|kind| Formula::Kind(*kind))
            }
            SubjectShape::Userset(name) => self.predicate(&allowed.subject_type, name).map(Formula::Row),
        };
        Formula::Any(relation.allowed.iter().filter_map(of_subject).collect())
    }

    fn formula(&self, object_type: &str, plan: &Plan) -> Formula {
        let all =
            |operands: &[Plan]| operands.iter().map(|operand| self.formula(object_type, operand)).collect();
        match plan {
            Plan::Nil => Formula::Never,
            Plan::SelfObject => {
                self.objects.get(object_type).map_or(Formula::Never, |kind| Formula::Kind(*kind))
            }
            Plan::Reference(name) => self.predicate(object_type, name).map_or(Formula::Never, Formula::Row),
            Plan::Arrow { relation, target, .. } => {
                Formula::Any(self.targets(object_type, relation, target).map(Formula::Row).collect())
            }
            Plan::Union(operands) => Formula::Any(all(operands)),
            Plan::Intersection(operands) => Formula::Every(all(operands)),
            Plan::Exclusion(left, _) => self.formula(object_type, left),
        }
    }

    /// The number of a predicate.
    fn predicate(&self, object_type: &str, name: &str) -> Option<usize> {
        self.predicates.get(object_type)?.get(name).copied()
    }

    /// The predicates that an arrow leads to: `target` of every subject type of the relation that has it.
    fn targets<'a>(
        &'a self,
        object_type: &str,
        relation: &str,
        target: &'a str,
    ) -> impl Iterator<Item = usize> + 'a {
        let types = self.subjects.get(object_type).and_then(|relations| relations.get(relation));
        types.into_iter().flatten().filter_map(move |subject_type| self.predicate(subject_type, target))
    }

    /// The number of a kind.
    pub(super) fn kind(&self, subject_type: &str, relation: Option<&str>) -> Option<usize> {
        match relation {
            Some(name) => self.predicate(subject_type, name),
            None => self.objects.get(subject_type).copied(),
        }
    }

    /// Whether a kind can be in a predicate; both must exist.
    pub(super) fn holds(&self, object_type: &str, name: &str, kind: usize) -> bool {
        self.predicate(object_type, name).is_some_and(|row| self.bit(row, kind))
    }

    /// Whether a kind can be in what an arrow leads to.
    pub(super) fn holds_over(&self, object_type: &str, relation: &str, target: &str, kind: usize) -> bool {
        self.targets(object_type, relation, target).any(|row| self.bit(row, kind))
    }

    /// Whether a kind is the objects of a type.
    pub(super) fn is_object(&self, object_type: &str, kind: usize) -> bool {
        self.objects.get(object_type) == Some(&kind)
    }

    fn bit(&self, row: usize, kind: usize) -> bool {
        let Some(rows) = &self.rows else { return true };
        rows.get(row * self.words + kind / 64).is_some_and(|word| word >> (kind % 64) & 1 == 1)
    }
}

fn types_of(relation: &Relation) -> BTreeSet<SmolStr> {
    relation.allowed.iter().map(|allowed| allowed.subject_type.clone()).collect()
}

/// The least rows that satisfy all formulas and hold their own userset.
fn fixpoint(formulas: &[Formula], words: usize) -> Vec<u64> {
    let mut rows = vec![0_u64; formulas.len() * words];
    for row in 0..formulas.len() {
        set(&mut rows, row * words, row);
    }
    let order = dependencies_first(formulas);
    let mut value = vec![0_u64; words];
    loop {
        let mut changed = false;
        for row in &order {
            let Some(formula) = formulas.get(*row) else { continue };
            value.fill(0);
            add(formula, &rows, words, &mut value);
            let Some(slots) = rows.get_mut(row * words..(row + 1) * words) else { continue };
            for (slot, word) in slots.iter_mut().zip(&value) {
                changed |= *slot | *word != *slot;
                *slot |= *word;
            }
        }
        if !changed {
            return rows;
        }
    }
}

fn set(words: &mut [u64], start: usize, kind: usize) {
    if let Some(word) = words.get_mut(start + kind / 64) {
        *word |= 1 << (kind % 64);
    }
}

/// Adds the kinds of a formula to `value`.
fn add(formula: &Formula, rows: &[u64], words: usize, value: &mut [u64]) {
    match formula {
        Formula::Never => {}
        Formula::Kind(kind) => set(value, 0, *kind),
        Formula::Row(row) => {
            for (slot, word) in value.iter_mut().zip(rows.get(row * words..).unwrap_or(&[])) {
                *slot |= *word;
            }
        }
        Formula::Any(operands) => operands.iter().for_each(|operand| add(operand, rows, words, value)),
        Formula::Every(operands) => {
            let mut every = vec![u64::MAX; words];
            for operand in operands {
                let mut one = vec![0_u64; words];
                add(operand, rows, words, &mut one);
                every.iter_mut().zip(&one).for_each(|(slot, word)| *slot &= *word);
            }
            value.iter_mut().zip(&every).for_each(|(slot, word)| *slot |= *word);
        }
    }
}

/// Rows in an order in which each comes after those it is made of, as far as there are no cycles; with it the
/// fixpoint takes few rounds.
fn dependencies_first(formulas: &[Formula]) -> Vec<usize> {
    let mut seen = vec![false; formulas.len()];
    let mut order = Vec::with_capacity(formulas.len());
    for start in 0..formulas.len() {
        let mut open = vec![(start, false)];
        while let Some((row, left)) = open.pop() {
            if left {
                order.push(row);
                continue;
            }
            let Some(slot) = seen.get_mut(row) else { continue };
            if std::mem::replace(slot, true) {
                continue;
            }
            open.push((row, true));
            if let Some(formula) = formulas.get(row) {
                rows_of(formula, &mut |row| open.push((row, false)));
            }
        }
    }
    order
}

fn rows_of(formula: &Formula, found: &mut impl FnMut(usize)) {
    match formula {
        Formula::Never | Formula::Kind(_) => {}
        Formula::Row(row) => found(*row),
        Formula::Any(operands) | Formula::Every(operands) => {
            operands.iter().for_each(|operand| rows_of(operand, &mut *found));
        }
    }
}
