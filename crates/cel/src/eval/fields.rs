//! Fields, indexes and membership.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::budget::{Budget, Stop};
use crate::compare;
use crate::value::{Value, double_to_int, find};

/// The entry of a map or element of a list; none when there is none, a fault when there never can be.
fn entry<'a>(operand: &'a Value, index: &Value, presence: bool) -> Result<Option<&'a Value>, Stop> {
    match operand {
        Value::Map(map) => Ok(find(map, index)),
        Value::List(items) => {
            let at = position(index)?;
            Ok(usize::try_from(at).ok().and_then(|at| items.get(at)))
        }
        _ if presence => Ok(None),
        _ => Err(missing(operand, index)),
    }
}

/// The place in a list that a whole number of any kind stands for.
fn position(index: &Value) -> Result<i64, Stop> {
    match index {
        Value::Int(at) => Ok(*at),
        Value::Uint(at) => Ok(i64::try_from(*at).unwrap_or(i64::MAX)),
        Value::Double(at) => {
            double_to_int(*at).ok_or_else(|| Stop::made(format!("unsupported index value {at} in list")))
        }
        other => Err(Stop::made(format!("unsupported index type '{}' in list", other.kind().name()))),
    }
}

fn missing(operand: &Value, index: &Value) -> Stop {
    let shown = match index {
        Value::String(text) => text.chars().take(64).collect(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => other.kind().name().to_owned(),
    };
    Stop::made(match operand {
        Value::List(_) => format!("index out of bounds: {shown}"),
        _ => format!("no such key: {shown}"),
    })
}

/// What an index, or a field as an index, gives. Behind an optional everything is optional.
pub(super) fn index(operand: &Value, index: &Value, optional: bool) -> Result<Value, Stop> {
    let (operand, optional) = match operand {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => (inner.as_ref(), true),
        other => (other, optional),
    };
    let found = entry(operand, index, optional)?;
    if optional {
        return Ok(Value::Optional(found.cloned().map(Arc::new)));
    }
    found.cloned().ok_or_else(|| missing(operand, index))
}

/// What a field gives.
pub(super) fn select(operand: &Value, field: &Value, optional: bool) -> Result<Value, Stop> {
    index(operand, field, optional)
}

/// Whether there is a field.
pub(super) fn has(operand: &Value, field: &SmolStr) -> Result<bool, Stop> {
    let operand = match operand {
        Value::Optional(None) => return Ok(false),
        Value::Optional(Some(inner)) => inner.as_ref(),
        other => other,
    };
    entry(operand, &Value::String(field.clone()), true).map(|found| found.is_some())
}

/// Whether a list has an equal element, or a map an equal key.
pub(super) fn contains(needle: &Value, container: &Value, budget: &mut Budget) -> Result<bool, Stop> {
    match container {
        Value::List(items) => {
            for item in items.iter() {
                // An element that cannot be compared is not the one sought.
                match compare::equal(needle, item, budget) {
                    Ok(true) => return Ok(true),
                    Ok(false) | Err(Stop::Fault(_)) => {}
                    Err(stop) => return Err(stop),
                }
            }
            Ok(false)
        }
        Value::Map(map) => Ok(find(map, needle).is_some()),
        _ => Err(Stop::no_overload()),
    }
}
