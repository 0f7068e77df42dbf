//! The conversion functions: `int`, `uint`, `double`, `string`, `bytes`, `bool`, `duration`, `timestamp`.

use crate::budget::{Budget, Stop};
use crate::time::{Instant, parse_duration, print_duration};
use crate::value::{TWO_63, Value, double_to_int, double_to_uint};

fn impossible(value: &Value, target: &str) -> Stop {
    Stop::made(format!("type conversion error from '{}' to '{target}'", value.kind().name()))
}

fn overflow() -> Stop {
    Stop::fault("integer overflow")
}

fn unsigned_overflow() -> Stop {
    Stop::fault("unsigned integer overflow")
}

pub(super) fn to_bool(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(impossible(value, "bool")),
        },
        _ => Err(Stop::no_overload()),
    }
}

pub(super) fn to_bytes(value: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    match value {
        Value::Bytes(_) => Ok(value.clone()),
        Value::String(text) => {
            budget.hold(text.len())?;
            Ok(Value::bytes(text.as_bytes().to_vec()))
        }
        _ => Err(Stop::no_overload()),
    }
}

pub(super) fn to_double(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::String(text) => {
            let number: f64 = text.parse().map_err(|_| impossible(value, "double"))?;
            // Digits that exceed every double are not infinity.
            if number.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
                return Err(impossible(value, "double"));
            }
            Ok(Value::Double(number))
        }
        number => number.as_double().map(Value::Double).ok_or_else(Stop::no_overload),
    }
}

pub(super) fn to_duration(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::DurationNanos(_) => Ok(value.clone()),
        Value::String(text) => parse_duration(text)
            .map(Value::DurationNanos)
            .ok_or_else(|| impossible(value, "google.protobuf.Duration")),
        _ => Err(Stop::no_overload()),
    }
}

pub(super) fn to_int(value: &Value) -> Result<Value, Stop> {
    Ok(Value::Int(match value {
        Value::Int(number) => *number,
        Value::Uint(number) => i64::try_from(*number).map_err(|_| overflow())?,
        // The ends of the range are excluded, since doubles near them stand for a range of ints.
        Value::Double(number) if *number > -TWO_63 && *number < TWO_63 => {
            double_to_int(number.trunc()).ok_or_else(overflow)?
        }
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => text.parse().map_err(|_| impossible(value, "int"))?,
        Value::Timestamp(instant) => instant.seconds(),
        Value::DurationNanos(nanos) => *nanos,
        _ => return Err(Stop::no_overload()),
    }))
}

pub(super) fn to_uint(value: &Value) -> Result<Value, Stop> {
    Ok(Value::Uint(match value {
        Value::Uint(number) => *number,
        Value::Int(number) => u64::try_from(*number).map_err(|_| unsigned_overflow())?,
        Value::Double(number) if *number >= 0.0 => {
            double_to_uint(number.trunc()).ok_or_else(unsigned_overflow)?
        }
        Value::Double(_) => return Err(unsigned_overflow()),
        Value::String(text) if !text.starts_with('+') => {
            text.parse().map_err(|_| impossible(value, "uint"))?
        }
        Value::String(_) => return Err(impossible(value, "uint")),
        _ => return Err(Stop::no_overload()),
    }))
}

pub(super) fn to_timestamp(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Timestamp(_) => Ok(value.clone()),
        Value::String(text) => Instant::parse(text)
            .map(Value::Timestamp)
            .ok_or_else(|| impossible(value, "google.protobuf.Timestamp")),
        Value::Int(seconds) => {
            Instant::new(*seconds, 0).map(Value::Timestamp).ok_or_else(|| Stop::fault("timestamp overflow"))
        }
        _ => Err(Stop::no_overload()),
    }
}

pub(super) fn to_string(value: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    Ok(Value::string(match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => print_double(*number),
        Value::Bytes(bytes) => {
            budget.hold(bytes.len())?;
            std::str::from_utf8(bytes)
                .map_err(|_| Stop::fault("invalid UTF-8 in bytes, cannot convert to string"))?
                .to_owned()
        }
        Value::Timestamp(instant) => instant.print(),
        Value::DurationNanos(nanos) => print_duration(*nanos),
        _ => return Err(Stop::no_overload()),
    }))
}

/// The shortest digits that read back the same, with an exponent below -4 and from 6 on.
pub(crate) fn print_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
