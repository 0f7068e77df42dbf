//! A stand-in for caveat evaluation that needs no expression language: every caveat means "all my parameters are true".

use std::collections::BTreeMap;

use pemba_engine::{CaveatEvaluator, CaveatOutcome, QueryError};
use pemba_model::{Context, SmolStr};
use pemba_schema::Schema;

/// What a caveat says, with no engine type in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// These parameters are not known, sorted, never empty.
    Missing(Vec<SmolStr>),
}

/// The parameters of every caveat, and those that the request gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaveatTable {
    /// Parameter names by caveat.
    pub parameters: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// The request's values by parameter.
    pub given: BTreeMap<SmolStr, bool>,
}

impl CaveatTable {
    /// The caveats of a schema and the values a request gives.
    pub fn new(schema: &Schema, given: BTreeMap<SmolStr, bool>) -> CaveatTable {
        let names =
            |caveat: &pemba_schema::Caveat| caveat.parameters.iter().map(|p| p.name.clone()).collect();
        let parameters = schema.caveats.iter().map(|(name, caveat)| (name.clone(), names(caveat))).collect();
        CaveatTable { parameters, given }
    }

    /// What a caveat says, given the values bound on the relationship, which win. `None` for an unknown caveat.
    pub fn outcome(&self, caveat: &str, bound: &Context) -> Option<Outcome> {
        let mut missing = Vec::new();
        for parameter in self.parameters.get(caveat)? {
            let bound = bound.get(parameter.as_str()).and_then(serde_json::Value::as_bool);
            match bound.or_else(|| self.given.get(parameter).copied()) {
                Some(true) => {}
                Some(false) => return Some(Outcome::False),
                None => missing.push(parameter.clone()),
            }
        }
        missing.sort();
        Some(if missing.is_empty() { Outcome::True } else { Outcome::Missing(missing) })
    }
}

impl CaveatEvaluator for CaveatTable {
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError> {
        match self.outcome(caveat, bound) {
            Some(Outcome::True) => Ok(CaveatOutcome::True),
            Some(Outcome::False) => Ok(CaveatOutcome::False),
            Some(Outcome::Missing(missing)) => Ok(CaveatOutcome::Missing(missing)),
            None => Err(QueryError::UnknownCaveat(SmolStr::new(caveat))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_values_win_and_one_false_decides() {
        let table = CaveatTable {
            parameters: BTreeMap::from([("both".into(), vec!["pb".into(), "pa".into()])]),
            given: BTreeMap::from([("pa".into(), true)]),
        };
        let bound = |pairs: &[(&str, bool)]| -> Context {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        assert_eq!(table.outcome("both", &bound(&[])), Some(Outcome::Missing(vec!["pb".into()])));
        assert_eq!(table.outcome("both", &bound(&[("pa", false)])), Some(Outcome::False));
        assert_eq!(table.outcome("both", &bound(&[("pb", true)])), Some(Outcome::True));
        assert_eq!(table.outcome("other", &bound(&[])), None);
    }
}
