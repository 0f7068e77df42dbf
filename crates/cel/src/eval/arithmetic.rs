//! Arithmetic. What does not fit is a fault, never another number.

use crate::ast::Binary;
use crate::budget::{Budget, Stop};
use crate::eval::ELEMENT_BYTES;
use crate::value::Value;

fn overflow() -> Stop {
    Stop::fault("integer overflow")
}

pub(super) fn negate(operand: &Value) -> Result<Value, Stop> {
    match operand {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(Stop::no_overload()),
    }
}

/// Applies `+ - * / %` to two values.
pub(super) fn apply(
    operator: Binary,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Value, Stop> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => ints(operator, *left, *right).map(Value::Int),
        (Value::Uint(left), Value::Uint(right)) => uints(operator, *left, *right).map(Value::Uint),
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(match operator {
            Binary::Add => left + right,
            Binary::Subtract => left - right,
            Binary::Multiply => left * right,
            Binary::Divide => left / right,
            _ => return Err(Stop::no_overload()),
        })),
        (left, right) if operator == Binary::Add => add(left, right, budget),
        (left, right) if operator == Binary::Subtract => subtract(left, right),
        _ => Err(Stop::no_overload()),
    }
}

fn ints(operator: Binary, left: i64, right: i64) -> Result<i64, Stop> {
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide if right == 0 => return Err(Stop::fault("division by zero")),
        Binary::Divide => left.checked_div(right),
        Binary::Modulo if right == 0 => return Err(Stop::fault("modulus by zero")),
        Binary::Modulo => left.checked_rem(right),
        _ => return Err(Stop::no_overload()),
    }
    .ok_or_else(overflow)
}

fn uints(operator: Binary, left: u64, right: u64) -> Result<u64, Stop> {
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide if right == 0 => return Err(Stop::fault("division by zero")),
        Binary::Divide => left.checked_div(right),
        Binary::Modulo if right == 0 => return Err(Stop::fault("modulus by zero")),
        Binary::Modulo => left.checked_rem(right),
        _ => return Err(Stop::no_overload()),
    }
    .ok_or_else(|| Stop::fault("unsigned integer overflow"))
}

fn late() -> Stop {
    Stop::fault("timestamp overflow")
}

fn add(left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    Ok(match (left, right) {
        (Value::String(left), Value::String(right)) => {
            budget.hold(left.len() + right.len())?;
            let mut joined = String::with_capacity(left.len() + right.len());
            joined.push_str(left);
            joined.push_str(right);
            Value::string(joined)
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.hold(left.len() + right.len())?;
            Value::bytes([left.as_ref(), right.as_ref()].concat())
        }
        (Value::List(left), Value::List(right)) => {
            let length = left.len() + right.len();
            budget.hold(length * ELEMENT_BYTES)?;
            Value::list(left.iter().chain(right.iter()).cloned().collect())
        }
        (Value::Timestamp(instant), Value::DurationNanos(nanos))
        | (Value::DurationNanos(nanos), Value::Timestamp(instant)) => {
            Value::Timestamp(instant.plus(i128::from(*nanos)).ok_or_else(late)?)
        }
        (Value::DurationNanos(left), Value::DurationNanos(right)) => {
            Value::DurationNanos(left.checked_add(*right).ok_or_else(overflow)?)
        }
        _ => return Err(Stop::no_overload()),
    })
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Stop> {
    Ok(match (left, right) {
        (Value::Timestamp(left), Value::Timestamp(right)) => {
            Value::DurationNanos(left.since(*right).ok_or_else(overflow)?)
        }
        (Value::Timestamp(instant), Value::DurationNanos(nanos)) => {
            Value::Timestamp(instant.plus(-i128::from(*nanos)).ok_or_else(late)?)
        }
        (Value::DurationNanos(left), Value::DurationNanos(right)) => {
            Value::DurationNanos(left.checked_sub(*right).ok_or_else(overflow)?)
        }
        _ => return Err(Stop::no_overload()),
    })
}
