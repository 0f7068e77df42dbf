//! A schema's caveats, decided by the values of one request.

use pemba_cel::{EvaluateError, EvaluationLimits, Outcome};
use pemba_model::Context;
use pemba_schema::Schema;
use smol_str::SmolStr;

use crate::query::{CaveatEvaluator, CaveatOutcome, QueryError};

/// Decides a schema's caveats with the values of one request.
#[derive(Debug, Clone, Copy)]
pub struct SchemaCaveats<'a> {
    /// Where the caveats are declared.
    pub schema: &'a Schema,
    /// The request's values by parameter; values bound on a relationship win over them.
    pub request: Option<&'a Context>,
}

impl CaveatEvaluator for SchemaCaveats<'_> {
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError> {
        let Some(declared) = self.schema.caveats.get(caveat) else {
            return Err(QueryError::UnknownCaveat(SmolStr::new(caveat)));
        };
        match declared.program.evaluate(bound, self.request, &EvaluationLimits::default()) {
            Ok(Outcome::True) => Ok(CaveatOutcome::True),
            Ok(Outcome::False) => Ok(CaveatOutcome::False),
            Ok(Outcome::Missing(names)) => Ok(CaveatOutcome::Missing(names)),
            Err(error) => Err(failed(declared.name.clone(), error)),
        }
    }
}

fn failed(caveat: SmolStr, error: EvaluateError) -> QueryError {
    match error {
        EvaluateError::ParameterType { parameter, message, .. } => {
            QueryError::CaveatParameterType { caveat, parameter, message }
        }
        EvaluateError::TooManySteps { steps_max } => QueryError::CaveatTooManySteps { caveat, steps_max },
        EvaluateError::Evaluation { .. } | EvaluateError::TooLarge { .. } => {
            QueryError::CaveatEvaluation { caveat, message: error.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "caveat both(two int, one bool) { one && two > 1 }\n\
        caveat divides(by int) { 10 / by == 5 }\ndefinition user {}";

    fn context(json: &str) -> Context {
        serde_json::from_str(json).unwrap()
    }

    fn evaluate(caveat: &str, bound: &str, request: &str) -> Result<CaveatOutcome, QueryError> {
        let schema = pemba_schema::compile(SCHEMA).unwrap().schema;
        let request = context(request);
        SchemaCaveats { schema: &schema, request: Some(&request) }.evaluate(caveat, &context(bound))
    }

    #[test]
    fn missing_parameters_are_named_and_bound_values_win() {
        let missing = |names: &[&str]| Ok(CaveatOutcome::Missing(names.iter().map(SmolStr::new).collect()));
        assert_eq!(evaluate("both", "{}", "{}"), missing(&["one", "two"]));
        assert_eq!(evaluate("both", "{\"one\":true}", "{}"), missing(&["two"]));
        assert_eq!(evaluate("both", "{\"one\":true}", "{\"two\":2,\"other\":7}"), Ok(CaveatOutcome::True));
        assert_eq!(evaluate("both", "{\"one\":true,\"two\":1}", "{\"two\":2}"), Ok(CaveatOutcome::False));
        assert_eq!(evaluate("both", "{}", "{\"one\":false}"), Ok(CaveatOutcome::False));
    }

    #[test]
    fn failures_say_whose_they_are() {
        assert_eq!(evaluate("none", "{}", "{}"), Err(QueryError::UnknownCaveat("none".into())));
        let division = evaluate("divides", "{}", "{\"by\":0}").unwrap_err();
        assert!(matches!(&division, QueryError::CaveatEvaluation { caveat, .. } if caveat == "divides"));
        let text = evaluate("divides", "{}", "{\"by\":\"x\"}").unwrap_err();
        assert!(matches!(&text, QueryError::CaveatParameterType { parameter, .. } if parameter == "by"));
    }
}
