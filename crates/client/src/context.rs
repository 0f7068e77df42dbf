//! Caveat parameters and transaction metadata between JSON and the wire.

use pemba_model::Context;
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::{Number, Value as Json};

use crate::error::Error;

/// Objects and lists inside one another. The wire's decoder gives up somewhat deeper, with a worse message.
const NESTING_MAX: usize = 24;

/// Whole numbers up to here are exact in the wire's only number type, a double.
const WHOLE_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The context as the wire has it, absent when empty.
pub(crate) fn to_wire(context: &Context) -> Result<Option<Struct>, Error> {
    if context.is_empty() { Ok(None) } else { struct_to_wire(context, NESTING_MAX).map(Some) }
}

/// The context of an answer; an absent one is empty.
pub(crate) fn from_wire(context: Option<Struct>) -> Result<Context, Error> {
    struct_from_wire(context.unwrap_or_default(), NESTING_MAX.saturating_mul(2))
}

/// One level deeper, or an error when there is none left.
fn deeper(levels_left: usize) -> Result<usize, Error> {
    levels_left
        .checked_sub(1)
        .ok_or_else(|| Error::invalid(format!("a context is nested more than `{NESTING_MAX}` levels deep")))
}

fn struct_to_wire(context: &Context, levels_left: usize) -> Result<Struct, Error> {
    let below = deeper(levels_left)?;
    let fields = context
        .iter()
        .map(|(name, value)| Ok((name.clone(), value_to_wire(value, below)?)))
        .collect::<Result<_, Error>>()?;
    Ok(Struct { fields })
}

fn value_to_wire(value: &Json, levels_left: usize) -> Result<Value, Error> {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Json::String(value) => Kind::StringValue(value.clone()),
        Json::Array(values) => {
            let below = deeper(levels_left)?;
            let values = values.iter().map(|value| value_to_wire(value, below)).collect::<Result<_, _>>()?;
            Kind::ListValue(ListValue { values })
        }
        Json::Object(fields) => Kind::StructValue(struct_to_wire(fields, levels_left)?),
    };
    Ok(Value { kind: Some(kind) })
}

fn struct_from_wire(context: Struct, levels_left: usize) -> Result<Context, Error> {
    let below = deeper(levels_left)?;
    context.fields.into_iter().map(|(name, value)| Ok((name, value_from_wire(value, below)?))).collect()
}

fn value_from_wire(value: Value, levels_left: usize) -> Result<Json, Error> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(value),
        Some(Kind::NumberValue(value)) => Json::Number(number_from_wire(value)?),
        Some(Kind::StringValue(value)) => Json::String(value),
        Some(Kind::ListValue(list)) => {
            let below = deeper(levels_left)?;
            Json::Array(
                list.values
                    .into_iter()
                    .map(|value| value_from_wire(value, below))
                    .collect::<Result<_, _>>()?,
            )
        }
        Some(Kind::StructValue(fields)) => Json::Object(struct_from_wire(fields, levels_left)?),
    })
}

/// A whole number comes back as one, so that 3 is not printed as 3.0.
fn number_from_wire(value: f64) -> Result<Number, Error> {
    let negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() <= WHOLE_EXACT_MAX && !negative_zero {
        #[expect(clippy::as_conversions, reason = "whole and within the exact range, as just tested")]
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or_else(|| Error::malformed_answer(format!("`{value}` is not a JSON number")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Json) -> Context {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn survives_the_round_trip() {
        let context = object(json!({
            "ip": "10.0.0.1", "n": 3, "minus": -4, "f": 1.5, "yes": true, "nothing": null,
            "list": [1, "a", [false]], "map": {"inner": {"x": []}}
        }));
        assert_eq!(from_wire(to_wire(&context).unwrap()).unwrap(), context);
        assert_eq!(to_wire(&Context::new()).unwrap(), None);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            let mut value = json!(1);
            for _ in 0..levels {
                value = json!({ "in": value });
            }
            to_wire(&object(value))
        };
        assert!(nested(NESTING_MAX).is_ok());
        assert!(nested(NESTING_MAX + 1).unwrap_err().message().contains("24"));
    }

    #[test]
    fn a_number_json_lacks_is_an_error() {
        let context =
            Struct { fields: [("n".to_owned(), Value { kind: Some(Kind::NumberValue(f64::NAN)) })].into() };
        assert!(from_wire(Some(context)).is_err());
        assert_eq!(number_from_wire(-0.0).unwrap().as_f64().unwrap().to_bits(), (-0.0_f64).to_bits());
    }
}
