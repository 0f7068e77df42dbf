//! Values of parameters from JSON, by the type they are declared with.
//!
//! Numbers may come as text, so that integers beyond 2^53 survive a wire that knows only doubles.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use smol_str::SmolStr;

use crate::address;
use crate::time::{Instant, parse_duration};
use crate::types::Type;
use crate::value::{Key, Value, double_to_int, double_to_uint};

/// Deepest nesting of a value of type `any`, in levels.
const DEPTH_MAX: usize = 128;

/// A value that does not have the type declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The type that was needed, at the place of the trouble.
    pub(crate) expected: String,
    /// What stands there.
    pub(crate) found: String,
    /// Where, from the parameter: `[3]`, `["key"]`; empty for the parameter itself.
    pub(crate) place: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is needed, and {} was given", self.expected, self.found)?;
        if !self.place.is_empty() {
            write!(f, " at `{}`", self.place)?;
        }
        Ok(())
    }
}

fn mismatch(expected: &str, json: &Json) -> Mismatch {
    Mismatch { expected: expected.to_owned(), found: describe(json), place: String::new() }
}

/// Says what a JSON value is, with the value when it is short.
fn describe(json: &Json) -> String {
    let short = |text: &str| text.chars().take(64).collect::<String>();
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(flag) => format!("the bool `{flag}`"),
        Json::Number(number) => format!("the number `{number}`"),
        Json::String(text) => format!("the text `{}`", short(text)),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a map".to_owned(),
    }
}

/// Converts a value; adds the elements it looked at to `elements`.
pub(crate) fn convert(json: &Json, declared: &Type, elements: &mut u64) -> Result<Value, Mismatch> {
    *elements += 1;
    match declared {
        Type::Any => any(json, 0, elements),
        Type::Bool => json.as_bool().map(Value::Bool).ok_or_else(|| mismatch("a bool", json)),
        Type::String => text(json, "a text").map(Value::string),
        Type::Int => int(json),
        Type::Uint => uint(json),
        Type::Double => double(json),
        Type::Bytes => bytes(json),
        Type::Duration => {
            let what = "a duration such as `1h30m`";
            parse_duration(text(json, what)?).map(Value::DurationNanos).ok_or_else(|| mismatch(what, json))
        }
        Type::Timestamp => {
            let what = "an RFC 3339 timestamp between the years 1 and 9999";
            Instant::parse(text(json, what)?).map(Value::Timestamp).ok_or_else(|| mismatch(what, json))
        }
        Type::IpAddress => {
            let what = "an IP address";
            let (address, zone) = address::parse(text(json, what)?).ok_or_else(|| mismatch(what, json))?;
            Ok(Value::IpAddress(address, zone))
        }
        Type::List(element) => {
            let items = json.as_array().ok_or_else(|| mismatch("a list", json))?;
            let values: Result<Vec<Value>, Mismatch> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    convert(item, element, elements).map_err(|trouble| trouble.inside(&format!("[{at}]")))
                })
                .collect();
            values.map(Value::list)
        }
        Type::Map(element) => {
            let fields = json.as_object().ok_or_else(|| mismatch("a map", json))?;
            let mut map = BTreeMap::new();
            for (key, field) in fields {
                let value = convert(field, element, elements).map_err(|trouble| {
                    let shown: String = key.chars().take(64).collect();
                    trouble.inside(&format!("[{shown:?}]"))
                })?;
                map.insert(Key::String(SmolStr::new(key)), value);
            }
            Ok(Value::Map(map.into()))
        }
    }
}

impl Mismatch {
    fn inside(mut self, step: &str) -> Mismatch {
        self.place.insert_str(0, step);
        self
    }
}

fn text<'a>(json: &'a Json, what: &str) -> Result<&'a str, Mismatch> {
    json.as_str().ok_or_else(|| mismatch(what, json))
}

/// Any value as it stands. Every number is a double, as on the wire.
fn any(json: &Json, depth: usize, elements: &mut u64) -> Result<Value, Mismatch> {
    *elements += 1;
    if depth >= DEPTH_MAX {
        return Err(Mismatch {
            expected: format!("a value nested at most {DEPTH_MAX} levels deep"),
            found: "a deeper one".to_owned(),
            place: String::new(),
        });
    }
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Double(number.as_f64().ok_or_else(|| mismatch("a double", json))?),
        Json::String(text) => Value::string(text),
        Json::Array(items) => {
            let values: Result<Vec<Value>, Mismatch> =
                items.iter().map(|item| any(item, depth + 1, elements)).collect();
            Value::list(values?)
        }
        Json::Object(fields) => {
            let mut map = BTreeMap::new();
            for (key, field) in fields {
                map.insert(Key::String(SmolStr::new(key)), any(field, depth + 1, elements)?);
            }
            Value::Map(map.into())
        }
    })
}

fn bytes(json: &Json) -> Result<Value, Mismatch> {
    let what = "base64 of bytes";
    let encoded = text(json, what)?;
    let cleaned;
    let plain = if encoded.contains(['\r', '\n']) {
        cleaned = encoded.replace(['\r', '\n'], "");
        cleaned.as_str()
    } else {
        encoded
    };
    STANDARD.decode(plain).map(Value::bytes).map_err(|_| mismatch(what, json))
}

fn int(json: &Json) -> Result<Value, Mismatch> {
    let whole = match json {
        Json::Number(number) => number
            .as_i64()
            .or_else(|| if number.is_u64() { None } else { number.as_f64().and_then(double_to_int) }),
        Json::String(text) => whole(text).and_then(|number| i64::try_from(number).ok()),
        _ => None,
    };
    whole.map(Value::Int).ok_or_else(|| mismatch("a whole number of 64 bits", json))
}

fn uint(json: &Json) -> Result<Value, Mismatch> {
    let whole = match json {
        Json::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(double_to_uint)),
        Json::String(text) => whole(text).and_then(|number| u64::try_from(number).ok()),
        _ => None,
    };
    whole.map(Value::Uint).ok_or_else(|| mismatch("a whole number of 64 bits that is not negative", json))
}

fn double(json: &Json) -> Result<Value, Mismatch> {
    let number = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => decimal_double(text),
        _ => None,
    };
    number.map(Value::Double).ok_or_else(|| mismatch("a number", json))
}

/// Reads a decimal or `Inf`; no NaN. A decimal too large for a double is infinite.
fn decimal_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let infinite = matches!(unsigned, "Inf" | "inf");
    let decimal = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if infinite || decimal { text.parse().ok() } else { None }
}

/// The whole number that a decimal stands for, exponents included: `3e1` is 30. None for fractions.
fn whole(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if (before.is_empty() && after.is_empty()) || !digits_only(before) || !digits_only(after) {
        return None;
    }
    let joined = format!("{before}{after}");
    let digits = joined.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let shift = i64::from(exponent) - i64::try_from(after.len()).ok()? + zeros;
    if !(0..=20).contains(&shift) || significant.len() > 20 {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
    let magnitude = significant.parse::<i128>().ok()?.checked_mul(scale)?;
    Some(if negative { -magnitude } else { magnitude })
}
