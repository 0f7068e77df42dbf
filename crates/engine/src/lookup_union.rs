//! Who has a permission that is made of unions: one walk over all that they lead to, which gathers the subjects of every
//! object it comes by. An intersection or an exclusion on the way joins walks of its own.
//!
//! It gives the exact value or gives up, where an operator leads back into itself or too deep, or where everybody has the permission
//! on a condition, so that it matters who is named on the way; the equations decide then.
//! Whether it gives up depends on the data alone and not on how many steps are allowed.

use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::check_walk::Stop;
use crate::edges::{EdgeState, Reading};
use crate::gather::Gather;
use crate::graph::Graph;
use crate::ids::{KindId, Ordinal};
use crate::op::Op;
use crate::program::PredicateId;
use crate::query::{Permissionship, QueryError};
use crate::specialised::{Lowered, RelationPlan, Specialised};
use crate::value::Value;
use crate::value_subjects::Subjects;

/// Most operators inside one another. Each may copy what it holds, so that more are left to the equations, which do not.
const DEPTH_MAX: usize = 16;

/// The subjects of a predicate of an object; `None` when it gives up, and then nothing of it is charged or noted.
pub(crate) fn subjects_of<G: Graph>(
    graph: &G,
    specialised: &Specialised,
    predicate: PredicateId,
    object: Ordinal,
    reading: &mut Reading<'_>,
) -> Result<Option<Subjects>, QueryError> {
    let before = reading.mark();
    let start = Op::Reference(predicate);
    let mut unions = Unions { graph, specialised, reading, open: Vec::new(), done: FxHashMap::default() };
    match unions.walk(&start, object) {
        Err(Stop::Refused(error)) => Err(*error),
        Ok(found) if found.default_value() != Permissionship::Conditional => Ok(Some(found)),
        Ok(_) | Err(Stop::Exhausted) => {
            reading.rewind(before);
            Ok(None)
        }
    }
}

/// A predicate of an object.
type Atom = (PredicateId, Ordinal);

struct Unions<'a, 'b, 'c, G> {
    graph: &'a G,
    specialised: &'a Specialised,
    reading: &'c mut Reading<'b>,
    /// The walks that wait for the one that is on; outermost first.
    open: Vec<Walk>,
    /// What intersections and exclusions came to, by their address in the program and object.
    done: FxHashMap<(usize, Ordinal), Subjects>,
}

/// One walk. Everything is reached certainly or at least conditionally.
#[derive(Default)]
struct Walk {
    /// How each atom was reached.
    reached: FxHashMap<Atom, Permissionship>,
    /// Those to look at.
    next: Vec<(Atom, Permissionship)>,
    definite: Gather,
    conditional: Gather,
    wildcard: Permissionship,
    /// What intersections and exclusions give.
    others: Vec<Subjects>,
}

impl Walk {
    fn reach(&mut self, atom: Atom, level: Permissionship) {
        let known = self.reached.entry(atom).or_default();
        if *known < level {
            *known = level;
            self.next.push((atom, level));
        }
    }

    fn gather(&mut self, level: Permissionship) -> &mut Gather {
        if level == Permissionship::Yes { &mut self.definite } else { &mut self.conditional }
    }

    fn value(self) -> Subjects {
        let mut value = Subjects::bottom();
        let definite = self.definite.finish();
        let mut named = self.conditional.finish();
        if named.is_empty() {
            named = definite.clone();
        } else {
            named |= &definite;
        }
        value.definite.exceptions = definite;
        value.possible.exceptions = named.clone();
        value.named = named;
        if self.wildcard > Permissionship::No {
            value.give_all(self.wildcard);
        }
        self.others.iter().for_each(|other| value.join(other));
        value
    }
}

impl<'a, G: Graph> Unions<'a, '_, '_, G> {
    /// What the subjects have of an expression on an object.
    fn walk(&mut self, op: &'a Op, object: Ordinal) -> Result<Subjects, Stop> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Stop::Exhausted);
        }
        let mut walk = Walk::default();
        self.op(&mut walk, op, object, Permissionship::Yes)?;
        while let Some((atom, level)) = walk.next.pop() {
            // What a waiting walk has come by waits for this one.
            if self.open.iter().any(|open| open.reached.contains_key(&atom)) {
                return Err(Stop::Exhausted);
            }
            // Reached certainly meanwhile: that says more.
            if walk.reached.get(&atom).is_none_or(|known| *known == level) {
                self.atom(&mut walk, atom, level)?;
            }
        }
        let value = walk.value();
        self.reading.charge(value.weight())?;
        Ok(value)
    }

    fn atom(
        &mut self,
        walk: &mut Walk,
        (predicate, object): Atom,
        level: Permissionship,
    ) -> Result<(), Stop> {
        self.reading.charge(1)?;
        let specialised = self.specialised;
        if specialised.is_own(predicate) {
            walk.gather(level).add_one(object);
        }
        match specialised.body(predicate) {
            None => Ok(()),
            Some(Lowered::Permission(op)) => self.op(walk, op, object, level),
            Some(Lowered::Relation(plan)) => self.relation(walk, plan, object, level),
        }
    }

    fn relation(
        &mut self,
        walk: &mut Walk,
        plan: &RelationPlan,
        object: Ordinal,
        level: Permissionship,
    ) -> Result<(), Stop> {
        let graph = self.graph;
        if let Some(kind) = plan.direct {
            let plain = graph.subjects(kind, object);
            self.reading.charge_len(plain.len())?;
            walk.gather(level).add(plain);
            self.qualified(kind, object, level, |subject, level| walk.gather(level).add_one(subject))?;
        }
        if let Some(kind) = plan.wildcard {
            if graph.subjects(kind, object).contains(Ordinal::WILDCARD) {
                walk.wildcard = walk.wildcard.max(level);
            }
            self.qualified(kind, object, level, |_, level| walk.wildcard = walk.wildcard.max(level))?;
        }
        for userset in &plan.usersets {
            self.edges(walk, (userset.kind, userset.target), object, level)?;
        }
        Ok(())
    }

    /// Goes on to all that a kind of edge leads to.
    fn edges(
        &mut self,
        walk: &mut Walk,
        (kind, target): (KindId, PredicateId),
        object: Ordinal,
        level: Permissionship,
    ) -> Result<(), Stop> {
        if self.specialised.body(target).is_none() && !self.specialised.is_own(target) {
            return Ok(());
        }
        let plain = self.graph.subjects(kind, object);
        self.reading.charge_len(plain.len())?;
        plain.iter().for_each(|other| walk.reach((target, other), level));
        self.qualified(kind, object, level, |other, level| walk.reach((target, other), level))
    }

    /// Visits the qualified edges that count, each with how its end is reached.
    fn qualified(
        &mut self,
        kind: KindId,
        object: Ordinal,
        level: Permissionship,
        mut visit: impl FnMut(Ordinal, Permissionship),
    ) -> Result<(), Stop> {
        let graph = self.graph;
        if !graph.has_qualified(kind) {
            return Ok(());
        }
        for edge in graph.qualified_subjects(kind, object) {
            self.reading.charge(1)?;
            match self.reading.state(&edge.qualifier)? {
                EdgeState::Absent => {}
                state => visit(edge.other, level.min(state.value())),
            }
        }
        Ok(())
    }

    fn op(
        &mut self,
        walk: &mut Walk,
        op: &'a Op,
        object: Ordinal,
        level: Permissionship,
    ) -> Result<(), Stop> {
        self.reading.charge(1)?;
        match op {
            Op::Never => Ok(()),
            Op::SelfObject => {
                walk.gather(level).add_one(object);
                Ok(())
            }
            Op::Reference(id) => {
                walk.reach((*id, object), level);
                Ok(())
            }
            Op::ArrowAny(steps) => steps.iter().try_for_each(|step| self.edges(walk, *step, object, level)),
            Op::Any(ops) => ops.iter().try_for_each(|op| self.op(walk, op, object, level)),
            Op::ArrowAll(_) => Err(Stop::Exhausted),
            Op::All(_) | Op::Minus(..) => {
                let mut value = self.joined(walk, op, object)?;
                if level < Permissionship::Yes {
                    value.meet(&Subjects::conditional());
                }
                walk.others.push(value);
                Ok(())
            }
        }
    }

    /// What an intersection or exclusion gives, while the walk that came by it waits.
    fn joined(&mut self, walk: &mut Walk, op: &'a Op, object: Ordinal) -> Result<Subjects, Stop> {
        let key = (std::ptr::from_ref(op).addr(), object);
        if let Some(known) = self.done.get(&key) {
            self.reading.charge(known.weight())?;
            return Ok(known.clone());
        }
        self.open.push(std::mem::take(walk));
        let value = self.joins(op, object);
        *walk = self.open.pop().unwrap_or_default();
        let value = value?;
        self.done.insert(key, value.clone());
        Ok(value)
    }

    fn joins(&mut self, op: &'a Op, object: Ordinal) -> Result<Subjects, Stop> {
        match op {
            Op::Minus(from, without) => {
                let mut value = self.walk(from, object)?;
                if !value.is_bottom() {
                    value.meet(&self.walk(without, object)?.negated());
                }
                Ok(value)
            }
            Op::All(ops) => {
                let mut value = Subjects::top();
                for op in ops {
                    value.meet(&self.walk(op, object)?);
                    if value.is_bottom() {
                        break;
                    }
                }
                Ok(value)
            }
            _ => Err(Stop::Exhausted),
        }
    }
}

/// The subjects of a value without a default in which nothing is conditional: exactly those who have it.
pub(crate) fn plainly_named(value: &Subjects) -> Option<&RoaringBitmap> {
    let is_plain = value.default_value() == Permissionship::No && value.definite == value.possible;
    is_plain.then_some(&value.definite.exceptions)
}
