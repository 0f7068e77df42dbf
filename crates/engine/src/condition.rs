//! Conditions as formulas over caveats, before any caveat is decided: what a trace says an answer depends on.

use std::sync::Arc;

use pemba_model::Context;
use smol_str::SmolStr;

use crate::query::{CaveatOutcome, QueryError};

/// One caveat on an edge, with what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedCaveat {
    /// The caveat.
    pub name: SmolStr,
    /// The values bound to it on the relationship.
    pub bound: Context,
    /// What it said, or how it failed.
    pub outcome: Result<CaveatOutcome, QueryError>,
}

/// A formula over caveats. `Any` and `All` have two parts or more, none of which is `Never` or `Always`.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Whatever the caveats say, no.
    Never,
    /// Whatever they say, yes.
    Always,
    /// What a caveat says.
    Caveat(Arc<TracedCaveat>),
    /// Any part.
    Any(Vec<Arc<Condition>>),
    /// Every part.
    All(Vec<Arc<Condition>>),
    /// Not this.
    Not(Arc<Condition>),
    /// Something that the trace does not show.
    Open,
}

impl Condition {
    /// Whether some part of it is not shown.
    pub fn is_open(&self) -> bool {
        match self {
            Condition::Never | Condition::Always | Condition::Caveat(_) => false,
            Condition::Any(parts) | Condition::All(parts) => parts.iter().any(|part| part.is_open()),
            Condition::Not(part) => part.is_open(),
            Condition::Open => true,
        }
    }

    /// Whether any part holds, simplified.
    pub(crate) fn any(parts: Vec<Arc<Condition>>) -> Arc<Condition> {
        join(parts, &Condition::Always, &Condition::Never, Condition::Any)
    }

    /// Whether every part holds, simplified.
    pub(crate) fn all(parts: Vec<Arc<Condition>>) -> Arc<Condition> {
        join(parts, &Condition::Never, &Condition::Always, Condition::All)
    }

    /// The opposite, simplified.
    pub(crate) fn not(part: &Arc<Condition>) -> Arc<Condition> {
        match part.as_ref() {
            Condition::Never => Arc::new(Condition::Always),
            Condition::Always => Arc::new(Condition::Never),
            Condition::Open => Arc::new(Condition::Open),
            Condition::Not(inner) => Arc::clone(inner),
            _ => Arc::new(Condition::Not(Arc::clone(part))),
        }
    }
}

fn join(
    mut parts: Vec<Arc<Condition>>,
    decides: &Condition,
    empty: &Condition,
    several: fn(Vec<Arc<Condition>>) -> Condition,
) -> Arc<Condition> {
    let is = |part: &Arc<Condition>, other: &Condition| {
        std::mem::discriminant(part.as_ref()) == std::mem::discriminant(other)
    };
    if let Some(decisive) = parts.iter().find(|part| is(part, decides)) {
        return Arc::clone(decisive);
    }
    parts.retain(|part| !is(part, empty));
    match parts.len() {
        0 => Arc::new(empty.clone()),
        1 => parts.pop().unwrap_or_else(|| Arc::new(Condition::Open)),
        _ => Arc::new(several(parts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caveat(name: &str) -> Arc<Condition> {
        let outcome = Ok(CaveatOutcome::True);
        let caveat = TracedCaveat { name: name.into(), bound: Context::new(), outcome };
        Arc::new(Condition::Caveat(Arc::new(caveat)))
    }

    #[test]
    fn what_is_decided_is_left_out() {
        let (one, two) = (caveat("one"), caveat("two"));
        let (always, never) = (Arc::new(Condition::Always), Arc::new(Condition::Never));
        assert_eq!(Condition::any(vec![one.clone(), never.clone()]), one);
        assert_eq!(Condition::all(vec![one.clone(), always.clone()]), one);
        assert_eq!(Condition::any(vec![one.clone(), always.clone()]), always);
        assert_eq!(Condition::all(vec![one.clone(), never.clone()]), never);
        assert_eq!(Condition::any(Vec::new()), never);
        assert_eq!(Condition::all(Vec::new()), always);
        assert_eq!(Condition::not(&Condition::not(&one)), one);
        let both = Condition::all(vec![one.clone(), two.clone()]);
        assert_eq!(*both, Condition::All(vec![one, two]));
        assert!(!both.is_open() && Condition::any(vec![both, Arc::new(Condition::Open)]).is_open());
    }
}
