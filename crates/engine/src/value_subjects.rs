//! Sets of subjects as values: what each subject of a type has, all at once.

use roaring::RoaringBitmap;

use crate::query::Permissionship;
use crate::value::Value;

/// A set of ordinals that is finite, or all but a finite set.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct PointSet {
    /// Whether every point that is not an exception belongs.
    pub(crate) is_default: bool,
    /// The points for which it is the other way round.
    pub(crate) exceptions: RoaringBitmap,
}

impl PointSet {
    /// All points.
    fn all() -> PointSet {
        PointSet { is_default: true, exceptions: RoaringBitmap::new() }
    }

    /// Whether a point belongs.
    pub(crate) fn contains(&self, point: u32) -> bool {
        self.is_default != self.exceptions.contains(point)
    }

    fn is_empty(&self) -> bool {
        !self.is_default && self.exceptions.is_empty()
    }

    fn complement(&self) -> PointSet {
        PointSet { is_default: !self.is_default, exceptions: self.exceptions.clone() }
    }

    fn union(&mut self, other: &PointSet) {
        match (self.is_default, other.is_default) {
            (false, false) => self.exceptions |= &other.exceptions,
            (true, true) => self.exceptions &= &other.exceptions,
            (true, false) => self.exceptions -= &other.exceptions,
            (false, true) => {
                let left_out = &other.exceptions - &self.exceptions;
                *self = PointSet { is_default: true, exceptions: left_out };
            }
        }
    }

    fn intersect(&mut self, other: &PointSet) {
        match (self.is_default, other.is_default) {
            (false, false) => self.exceptions &= &other.exceptions,
            (true, true) => self.exceptions |= &other.exceptions,
            (false, true) => self.exceptions -= &other.exceptions,
            (true, false) => {
                let kept = &other.exceptions - &self.exceptions;
                *self = PointSet { is_default: false, exceptions: kept };
            }
        }
    }
}

/// What every subject of a type has: a three-valued function of the subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subjects {
    /// Those who certainly have it.
    pub(crate) definite: PointSet,
    /// Those who have it at least conditionally.
    pub(crate) possible: PointSet,
    /// Those of them to whom some grant gives it by name.
    pub(crate) named: RoaringBitmap,
}

impl Subjects {
    /// The same value for all.
    fn constant(value: Permissionship) -> Subjects {
        let set = |is_in: bool| if is_in { PointSet::all() } else { PointSet::default() };
        Subjects {
            definite: set(value == Permissionship::Yes),
            possible: set(value >= Permissionship::Conditional),
            named: RoaringBitmap::new(),
        }
    }

    /// One subject, by name.
    pub(crate) fn one(point: u32) -> Subjects {
        let mut value = Subjects::bottom();
        value.name(point, Permissionship::Yes);
        value
    }

    /// Gives a subject at least a value, by name. Only for values without a default.
    pub(crate) fn name(&mut self, point: u32, value: Permissionship) {
        if value == Permissionship::No {
            return;
        }
        self.possible.exceptions.insert(point);
        self.named.insert(point);
        if value == Permissionship::Yes {
            self.definite.exceptions.insert(point);
        }
    }

    /// Gives every subject at least a value.
    pub(crate) fn give_all(&mut self, value: Permissionship) {
        let named = std::mem::take(&mut self.named);
        self.join(&Subjects::constant(value));
        self.named = named;
    }

    /// What a subject has that is nowhere an exception.
    pub(crate) fn default_value(&self) -> Permissionship {
        level(self.definite.is_default, self.possible.is_default)
    }

    /// What one subject has.
    pub(crate) fn value_of(&self, point: u32) -> Permissionship {
        level(self.definite.contains(point), self.possible.contains(point))
    }
}

fn level(is_definite: bool, is_possible: bool) -> Permissionship {
    match (is_definite, is_possible) {
        (true, _) => Permissionship::Yes,
        (false, true) => Permissionship::Conditional,
        (false, false) => Permissionship::No,
    }
}

impl Value for Subjects {
    const IS_LARGE: bool = true;

    fn bottom() -> Self {
        Subjects::constant(Permissionship::No)
    }

    fn top() -> Self {
        Subjects::constant(Permissionship::Yes)
    }

    fn conditional() -> Self {
        Subjects::constant(Permissionship::Conditional)
    }

    fn is_bottom(&self) -> bool {
        self.possible.is_empty()
    }

    fn join(&mut self, other: &Self) {
        self.definite.union(&other.definite);
        self.possible.union(&other.possible);
        self.named |= &other.named;
    }

    fn meet(&mut self, other: &Self) {
        self.definite.intersect(&other.definite);
        self.possible.intersect(&other.possible);
        self.named |= &other.named;
        if self.possible.is_default {
            self.named -= &self.possible.exceptions;
        } else {
            self.named &= &self.possible.exceptions;
        }
    }

    fn negated(&self) -> Self {
        Subjects {
            definite: self.possible.complement(),
            possible: self.definite.complement(),
            named: RoaringBitmap::new(),
        }
    }

    fn is_final(&self) -> bool {
        // What everybody has, some may have by name too.
        false
    }

    fn agrees(&self, other: &Self) -> bool {
        // A grant by name that may or may not count is no contradiction where the value is the same with and without it.
        self.definite == other.definite && self.possible == other.possible
    }

    fn weight(&self) -> u64 {
        // A bitmap works in words of 64 members at best and member by member at worst.
        1 + (self.possible.exceptions.len() + self.definite.exceptions.len() + self.named.len()) / 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subjects() -> impl Strategy<Value = Subjects> {
        let level = prop_oneof![
            Just(Permissionship::No),
            Just(Permissionship::Conditional),
            Just(Permissionship::Yes)
        ];
        (level.clone(), proptest::collection::vec((0..8_u32, level), 0..6)).prop_map(|(default, points)| {
            let mut value = Subjects::bottom();
            points.into_iter().for_each(|(point, level)| value.name(point, level));
            value.give_all(default);
            value
        })
    }

    proptest! {
        #[test]
        fn operations_are_pointwise(left in subjects(), right in subjects(), point in 0..12_u32) {
            let (a, b) = (left.value_of(point), right.value_of(point));
            let mut joined = left.clone();
            joined.join(&right);
            prop_assert_eq!(joined.value_of(point), a.max(b));
            prop_assert_eq!(joined.default_value(), left.default_value().max(right.default_value()));
            let mut met = left.clone();
            met.meet(&right);
            prop_assert_eq!(met.value_of(point), a.min(b));
            prop_assert_eq!(met.default_value(), left.default_value().min(right.default_value()));
            prop_assert!(!met.named.contains(point) || met.value_of(point) > Permissionship::No);
            prop_assert_eq!(left.negated().value_of(point), a.negated());
            prop_assert_eq!(left.negated().negated().value_of(point), a);
        }
    }
}
