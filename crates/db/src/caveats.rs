//! Caveats at this boundary: the values bound on a relationship are checked when it is written; at a query every
//! caveat is undecided, with the parameters that nobody has bound.

use pemba_engine::{CaveatEvaluator, CaveatOutcome, QueryError};
use pemba_model::{CaveatRef, Context, Relationship, SmolStr};
use pemba_schema::{ParameterType, Schema};
use serde_json::Value;

use crate::errors::RelationshipError;
use crate::validation::identity;

/// Answers that every caveat depends on its unbound parameters.
pub(crate) struct Undecided<'a> {
    pub(crate) schema: &'a Schema,
}

impl CaveatEvaluator for Undecided<'_> {
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError> {
        let Some(caveat) = self.schema.caveats.get(caveat) else {
            return Err(QueryError::UnknownCaveat(SmolStr::new(caveat)));
        };
        let unbound = |name: &SmolStr| !bound.contains_key(name.as_str());
        let names = || caveat.parameters.iter().map(|parameter| &parameter.name);
        let mut missing: Vec<SmolStr> = names().filter(|name| unbound(name)).cloned().collect();
        if missing.is_empty() {
            missing = names().cloned().collect();
        }
        missing.sort();
        Ok(CaveatOutcome::Missing(missing))
    }
}

/// Checks that the bound values are parameters of the caveat and of their types, as far as JSON shows them.
pub(crate) fn check_bound_values(
    schema: &Schema,
    caveat: &CaveatRef,
    relationship: &Relationship,
) -> Result<(), RelationshipError> {
    // An allowed subject names only caveats that the schema has.
    let Some(declared) = schema.caveats.get(&caveat.name) else { return Ok(()) };
    for (name, value) in &caveat.context {
        let Some(parameter) = declared.parameters.iter().find(|parameter| parameter.name == name.as_str())
        else {
            return Err(RelationshipError::UnknownCaveatParameter {
                caveat: caveat.name.clone(),
                parameter: SmolStr::new(name),
                relationship: identity(relationship),
            });
        };
        if !can_be(value, &parameter.parameter_type) {
            return Err(RelationshipError::CaveatParameterType {
                caveat: caveat.name.clone(),
                parameter: parameter.name.clone(),
                expected: parameter.parameter_type.to_string(),
                found: kind_of(value),
                relationship: identity(relationship),
            });
        }
    }
    Ok(())
}

/// Whether a JSON value can stand for a value of the type. Numbers may come as text.
fn can_be(value: &Value, parameter_type: &ParameterType) -> bool {
    match parameter_type {
        ParameterType::Any => true,
        ParameterType::Bool => value.is_boolean(),
        ParameterType::String
        | ParameterType::Bytes
        | ParameterType::Duration
        | ParameterType::Timestamp
        | ParameterType::IpAddress => value.is_string(),
        ParameterType::Int => match value {
            Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
            Value::String(text) => text.parse::<i64>().is_ok(),
            _ => false,
        },
        ParameterType::Uint => match value {
            Value::Number(number) => {
                number.as_f64().is_some_and(|number| number.fract() == 0.0 && number >= 0.0)
            }
            Value::String(text) => text.parse::<u64>().is_ok(),
            _ => false,
        },
        ParameterType::Double => match value {
            Value::Number(_) => true,
            Value::String(text) => text.parse::<f64>().is_ok(),
            _ => false,
        },
        ParameterType::List(element) => {
            value.as_array().is_some_and(|items| items.iter().all(|item| can_be(item, element)))
        }
        ParameterType::Map(element) => {
            value.as_object().is_some_and(|fields| fields.values().all(|field| can_be(field, element)))
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(parameter_type: &ParameterType, json: &str) -> bool {
        can_be(&serde_json::from_str(json).unwrap(), parameter_type)
    }

    #[test]
    fn values_are_told_from_others_by_their_kind() {
        use ParameterType as T;
        let values =
            ["null", "true", "3", "-3", "2.5", "\"3\"", "\"-3\"", "\"2.5\"", "\"x\"", "[1]", "{\"a\":1}"];
        let text = vec!["\"3\"", "\"-3\"", "\"2.5\"", "\"x\""];
        for (parameter_type, accepted) in [
            (T::Any, values.to_vec()),
            (T::Bool, vec!["true"]),
            (T::String, text.clone()),
            (T::Bytes, text.clone()),
            (T::Duration, text.clone()),
            (T::Timestamp, text.clone()),
            (T::IpAddress, text),
            (T::Int, vec!["3", "-3", "\"3\"", "\"-3\""]),
            (T::Uint, vec!["3", "\"3\""]),
            (T::Double, vec!["3", "-3", "2.5", "\"3\"", "\"-3\"", "\"2.5\""]),
            (T::List(Box::new(T::Int)), vec!["[1]"]),
            (T::List(Box::new(T::Bool)), vec![]),
            (T::Map(Box::new(T::Int)), vec!["{\"a\":1}"]),
            (T::Map(Box::new(T::String)), vec![]),
        ] {
            let found: Vec<&str> = values.into_iter().filter(|value| fits(&parameter_type, value)).collect();
            assert_eq!(found, accepted, "{parameter_type}");
        }
    }

    #[test]
    fn unbound_parameters_are_missing_or_else_all() {
        let text = "caveat both(two bool, one bool) { one && two }\ndefinition user {}";
        let schema = pemba_schema::compile(text).unwrap().schema;
        let caveats = Undecided { schema: &schema };
        let missing = |bound: &str| caveats.evaluate("both", &serde_json::from_str(bound).unwrap());
        let names = |names: &[&str]| Ok(CaveatOutcome::Missing(names.iter().map(SmolStr::new).collect()));
        assert_eq!(missing("{}"), names(&["one", "two"]));
        assert_eq!(missing("{\"one\":true}"), names(&["two"]));
        assert_eq!(missing("{\"one\":true,\"two\":true}"), names(&["one", "two"]));
        let unknown = caveats.evaluate("none", &Context::new());
        assert_eq!(unknown, Err(QueryError::UnknownCaveat("none".into())));
    }
}
