//! Caveat contexts and transaction metadata: `google.protobuf.Struct` on the wire, a JSON object inside.

use pemba_model::Context;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Number, Value as Json};

/// Whole numbers up to this are exact in the wire's only number type, a double: 2^53.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// A number that JSON lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the number at `{at}` is `{shown}`; only finite numbers are allowed")]
pub(crate) struct NotFinite {
    /// The path inside the struct, as `limits[2].amount`.
    pub(crate) at: String,
    /// `NaN`, `inf` or `-inf`.
    pub(crate) shown: String,
}

/// The JSON object of a struct. Depth is bounded by the decoder of the message it came in.
pub(crate) fn from_wire(context: &Struct) -> Result<Context, NotFinite> {
    context.fields.iter().map(|(name, value)| Ok((name.clone(), value_from_wire(name, value)?))).collect()
}

fn value_from_wire(at: &str, value: &Value) -> Result<Json, NotFinite> {
    Ok(match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => Json::Bool(*value),
        Some(Kind::StringValue(value)) => Json::String(value.clone()),
        Some(Kind::NumberValue(value)) => Json::Number(number(at, *value)?),
        Some(Kind::StructValue(fields)) => Json::Object(
            fields
                .fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), value_from_wire(&format!("{at}.{name}"), value)?)))
                .collect::<Result<Context, NotFinite>>()?,
        ),
        Some(Kind::ListValue(list)) => Json::Array(
            list.values
                .iter()
                .enumerate()
                .map(|(index, value)| value_from_wire(&format!("{at}[{index}]"), value))
                .collect::<Result<Vec<Json>, NotFinite>>()?,
        ),
    })
}

/// Whole numbers become integers, so that they print and compare as such.
fn number(at: &str, value: f64) -> Result<Number, NotFinite> {
    if value.fract() == 0.0 && value.abs() <= EXACT_INTEGER_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53: exact")]
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or_else(|| NotFinite { at: at.to_owned(), shown: value.to_string() })
}

/// The struct of a JSON object.
pub(crate) fn to_wire(context: &Context) -> Struct {
    Struct { fields: context.iter().map(|(name, value)| (name.clone(), value_to_wire(value))).collect() }
}

/// The wire form of one value.
pub(super) fn value_to_wire(value: &Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::StringValue(value.clone()),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.iter().map(value_to_wire).collect() })
        }
        Json::Object(fields) => Kind::StructValue(to_wire(fields)),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(number: f64) -> Struct {
        let value = Value { kind: Some(Kind::NumberValue(number)) };
        Struct { fields: [("n".to_owned(), value)].into() }
    }

    #[test]
    fn whole_numbers_are_integers_and_others_stay() {
        let text = |number| serde_json::to_string(&from_wire(&wire(number)).unwrap()).unwrap();
        assert_eq!(text(3.0), r#"{"n":3}"#);
        assert_eq!(text(-0.0), r#"{"n":0}"#);
        assert_eq!(text(0.5), r#"{"n":0.5}"#);
        assert_eq!(text(9_007_199_254_740_992.0), r#"{"n":9007199254740992}"#);
        assert_eq!(text(1e300), r#"{"n":1e+300}"#);
    }

    #[test]
    fn numbers_that_are_none_are_refused_with_their_place() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(from_wire(&wire(number)).unwrap_err().at, "n");
            let list =
                ListValue { values: vec![value_to_wire(&Json::Null), wire(number).fields["n"].clone()] };
            let nested =
                Struct { fields: [("a".to_owned(), Value { kind: Some(Kind::ListValue(list)) })].into() };
            assert_eq!(from_wire(&nested).unwrap_err().at, "a[1]");
        }
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let context: Context =
            serde_json::from_str(r#"{"a":null,"b":true,"c":"x","d":[1,[2.5],{}],"e":{"f":{"g":-7}}}"#)
                .unwrap();
        assert_eq!(from_wire(&to_wire(&context)).unwrap(), context);
    }
}
