//! Functions and methods.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Evaluation, convert, strings};
use crate::address::contains;
use crate::budget::{Budget, Stop};
use crate::compare;
use crate::function::{Function, Unit};
use crate::node::Node;
use crate::time::{Instant, zone_offset};
use crate::value::{Key, Value, find};

impl Evaluation<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Node]) -> Result<Value, Stop> {
        match (function, arguments) {
            (Function::Or | Function::OrValue, [first, second]) => self.or(function, first, second),
            _ => {
                let values = self.all(arguments)?;
                match values.as_slice() {
                    [] if function == Function::OptionalNone => Ok(Value::Optional(None)),
                    [only] => unary(function, only, &mut self.budget),
                    [first, second] => binary(function, first, second, &mut self.budget),
                    _ => Err(Stop::no_overload()),
                }
            }
        }
    }

    /// `or` and `orValue` look at their argument only when the receiver is absent.
    fn or(&mut self, function: Function, first: &Node, second: &Node) -> Result<Value, Stop> {
        match self.run(first)? {
            Value::Optional(None) => match (function, self.run(second)?) {
                (Function::OrValue, value) => Ok(value),
                (_, value @ Value::Optional(_)) => Ok(value),
                _ => Err(Stop::no_overload()),
            },
            Value::Optional(Some(inner)) if function == Function::OrValue => Ok(inner.as_ref().clone()),
            present @ Value::Optional(Some(_)) => Ok(present),
            _ => Err(Stop::no_overload()),
        }
    }
}

fn some(value: &Value) -> Value {
    Value::Optional(Some(Arc::new(value.clone())))
}

fn unary(function: Function, value: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    match function {
        Function::Dyn => Ok(value.clone()),
        Function::Type => Ok(Value::Kind(value.kind())),
        Function::Bool => convert::to_bool(value),
        Function::Bytes => convert::to_bytes(value, budget),
        Function::Double => convert::to_double(value),
        Function::Duration => convert::to_duration(value),
        Function::Int => convert::to_int(value),
        Function::String => convert::to_string(value, budget),
        Function::Timestamp => convert::to_timestamp(value),
        Function::Uint => convert::to_uint(value),
        Function::Size => strings::size(value, budget),
        Function::Get(_, unit) => get(value, unit, ""),
        Function::OptionalOf => Ok(some(value)),
        Function::OptionalOfNonZero if is_zero(value) => Ok(Value::Optional(None)),
        Function::OptionalOfNonZero => Ok(some(value)),
        Function::HasValue => match value {
            Value::Optional(inner) => Ok(Value::Bool(inner.is_some())),
            _ => Err(Stop::no_overload()),
        },
        Function::Value => match value {
            Value::Optional(Some(inner)) => Ok(inner.as_ref().clone()),
            Value::Optional(None) => Err(Stop::fault("optional.none() dereference")),
            _ => Err(Stop::no_overload()),
        },
        _ => Err(Stop::no_overload()),
    }
}

fn binary(function: Function, first: &Value, second: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    match (function, first, second) {
        (Function::Get(_, unit), Value::Timestamp(_), Value::String(zone)) => get(first, unit, zone),
        (Function::InCidr, Value::IpAddress(address, zone), Value::String(range)) => {
            in_cidr(*address, zone.is_some(), range)
        }
        (Function::IsSubtreeOf, Value::Map(inner), Value::Map(outer)) => {
            subtree(inner, outer, budget).map(Value::Bool)
        }
        (_, Value::String(text), Value::String(argument)) => {
            strings::compare(function, text, argument, budget)
        }
        _ => Err(Stop::no_overload()),
    }
}

fn in_cidr(address: IpAddr, zoned: bool, range: &str) -> Result<Value, Stop> {
    let shown = || range.chars().take(64).collect::<String>();
    let found =
        contains(range, address).ok_or_else(|| Stop::made(format!("invalid CIDR string: `{}`", shown())))?;
    // An address with a zone lies in no range.
    Ok(Value::Bool(found && !zoned))
}

/// Whether every entry of the inner map stands in the outer one; maps inside are compared the same way, and other
/// values must be of one kind and equal.
fn subtree(
    inner: &BTreeMap<Key, Value>,
    outer: &BTreeMap<Key, Value>,
    budget: &mut Budget,
) -> Result<bool, Stop> {
    for (key, value) in inner {
        budget.spend(1)?;
        let Some(other) = find(outer, &key.value()) else { return Ok(false) };
        let held = match (value, other) {
            (Value::Map(value), Value::Map(other)) => subtree(value, other, budget)?,
            (value, other) => value.kind() == other.kind() && compare::equal(value, other, budget)?,
        };
        if !held {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(flag) => !flag,
        Value::Int(number) => *number == 0,
        Value::Uint(number) => *number == 0,
        Value::Double(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::DurationNanos(nanos) => *nanos == 0,
        Value::Timestamp(instant) => Instant::ZERO == *instant,
        Value::IpAddress(..) | Value::Optional(Some(_)) | Value::Kind(_) => false,
    }
}

fn get(value: &Value, unit: Unit, zone: &str) -> Result<Value, Stop> {
    let number = match value {
        Value::Timestamp(instant) => {
            let offset = zone_offset(zone, *instant).map_err(Stop::made)?;
            let calendar = instant.calendar(offset);
            match unit {
                Unit::FullYear => calendar.year,
                Unit::Month => calendar.month - 1,
                Unit::DayOfYear => calendar.day_of_year,
                Unit::DayOfMonth => calendar.day - 1,
                Unit::Date => calendar.day,
                Unit::DayOfWeek => calendar.day_of_week,
                Unit::Hours => calendar.second_of_day / 3600,
                Unit::Minutes => calendar.second_of_day / 60 % 60,
                Unit::Seconds => calendar.second_of_day % 60,
                Unit::Milliseconds => i64::from(instant.nanos() / 1_000_000),
            }
        }
        Value::DurationNanos(nanos) => match unit {
            Unit::Hours => nanos / 3_600_000_000_000,
            Unit::Minutes => nanos / 60_000_000_000,
            Unit::Seconds => nanos / 1_000_000_000,
            Unit::Milliseconds => nanos / 1_000_000,
            _ => return Err(Stop::no_overload()),
        },
        _ => return Err(Stop::no_overload()),
    };
    Ok(Value::Int(number))
}
