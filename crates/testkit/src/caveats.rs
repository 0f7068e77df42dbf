//! A stand-in for caveat evaluation that needs no expression language: every caveat means "all my parameters are true".

use std::collections::BTreeMap;

use pemba_engine::{CaveatEvaluator, CaveatOutcome, QueryError};
use pemba_model::{Context, SmolStr};
use pemba_schema::Schema;

/// What a request says of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Given {
    /// It is true.
    True,
    /// It is false.
    False,
    /// A value that is not of the parameter's type: a caveat that would read it fails.
    Wrong,
}

impl From<bool> for Given {
    fn from(value: bool) -> Given {
        if value { Given::True } else { Given::False }
    }
}

/// The parameters of every caveat, and those that the request gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaveatTable {
    /// Parameter names by caveat.
    pub parameters: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// The request's values by parameter.
    pub given: BTreeMap<SmolStr, Given>,
}

impl CaveatTable {
    /// The caveats of a schema and the values a request gives.
    pub fn new(schema: &Schema, given: BTreeMap<SmolStr, Given>) -> CaveatTable {
        let names =
            |caveat: &pemba_schema::Caveat| caveat.parameters.iter().map(|p| p.name.clone()).collect();
        let parameters = schema.caveats.iter().map(|(name, caveat)| (name.clone(), names(caveat))).collect();
        CaveatTable { parameters, given }
    }
}

impl CaveatEvaluator for CaveatTable {
    /// Values bound on the relationship win. A value of a wrong type fails the caveat whatever the others are.
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError> {
        let parameters =
            self.parameters.get(caveat).ok_or_else(|| QueryError::UnknownCaveat(SmolStr::new(caveat)))?;
        let mut missing = Vec::new();
        let mut is_false = false;
        for parameter in parameters {
            let bound = bound.get(parameter.as_str()).and_then(serde_json::Value::as_bool).map(Given::from);
            match bound.or_else(|| self.given.get(parameter).copied()) {
                Some(Given::True) => {}
                Some(Given::False) => is_false = true,
                Some(Given::Wrong) => {
                    return Err(QueryError::CaveatParameterType {
                        caveat: SmolStr::new(caveat),
                        parameter: parameter.clone(),
                        message: "it is no bool".to_owned(),
                    });
                }
                None => missing.push(parameter.clone()),
            }
        }
        missing.sort();
        Ok(match (is_false, missing.is_empty()) {
            (true, _) => CaveatOutcome::False,
            (false, true) => CaveatOutcome::True,
            (false, false) => CaveatOutcome::Missing(missing),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_values_win_and_one_false_decides() {
        let mut table = CaveatTable {
            parameters: BTreeMap::from([("both".into(), vec!["pb".into(), "pa".into()])]),
            given: BTreeMap::from([("pa".into(), Given::True)]),
        };
        let bound = |pairs: &[(&str, bool)]| -> Context {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        let missing = CaveatOutcome::Missing(vec!["pb".into()]);
        assert_eq!(table.evaluate("both", &bound(&[])), Ok(missing));
        assert_eq!(table.evaluate("both", &bound(&[("pa", false)])), Ok(CaveatOutcome::False));
        assert_eq!(table.evaluate("both", &bound(&[("pb", true)])), Ok(CaveatOutcome::True));
        assert_eq!(table.evaluate("other", &bound(&[])), Err(QueryError::UnknownCaveat("other".into())));
        table.given.insert("pb".into(), Given::Wrong);
        let failed = table.evaluate("both", &bound(&[("pa", false)])).unwrap_err();
        assert_eq!(failed.failed_caveat().unwrap(), "both");
        assert_eq!(table.evaluate("both", &bound(&[("pb", true)])), Ok(CaveatOutcome::True));
    }
}
