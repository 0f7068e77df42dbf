//! The algebra that fixpoints are computed in: what a subject, or every subject at once, has.

use crate::query::Permissionship;

/// A value between "nobody" and "everybody". Join and meet are monotone; negation turns the order round.
pub(crate) trait Value: Clone + PartialEq {
    /// Whether a copy costs more than a few bytes, so that a solver moves values where it can.
    const IS_LARGE: bool;
    /// Nobody.
    fn bottom() -> Self;
    /// Everybody.
    fn top() -> Self;
    /// Depends on a caveat, for everybody.
    fn conditional() -> Self;
    /// Whether it is nobody.
    fn is_bottom(&self) -> bool;
    /// Either.
    fn join(&mut self, other: &Self);
    /// Both.
    fn meet(&mut self, other: &Self);
    /// Who is left out.
    fn negated(&self) -> Self;
    /// Whether nothing that is joined changes it.
    fn is_final(&self) -> bool {
        *self == Self::top()
    }
    /// Whether both say the same of every subject, however they came to it.
    fn agrees(&self, other: &Self) -> bool {
        self == other
    }
    /// How much work an operation on it is, in steps; at least 1.
    fn weight(&self) -> u64;
}

impl Value for Permissionship {
    const IS_LARGE: bool = false;

    fn bottom() -> Self {
        Permissionship::No
    }

    fn top() -> Self {
        Permissionship::Yes
    }

    fn conditional() -> Self {
        Permissionship::Conditional
    }

    fn is_bottom(&self) -> bool {
        *self == Permissionship::No
    }

    fn join(&mut self, other: &Self) {
        *self = (*self).max(*other);
    }

    fn meet(&mut self, other: &Self) {
        *self = (*self).min(*other);
    }

    fn negated(&self) -> Self {
        match self {
            Permissionship::No => Permissionship::Yes,
            Permissionship::Conditional => Permissionship::Conditional,
            Permissionship::Yes => Permissionship::No,
        }
    }

    fn weight(&self) -> u64 {
        1
    }
}
