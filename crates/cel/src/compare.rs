//! Equality and order of values. Both cost steps for what they look at.

use std::cmp::Ordering;

use crate::budget::{Budget, Stop};
use crate::value::{Value, find, int_to_double, uint_to_double};

/// Bytes of text that are compared or copied for one step.
pub(crate) const BYTES_PER_STEP: usize = 64;

/// Steps for looking at so many bytes.
pub(crate) fn steps_for(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_PER_STEP).unwrap_or(u64::MAX)
}

/// Whether two values are equal. Numbers of all kinds compare by value; other values of different kinds differ.
pub(crate) fn equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Stop> {
    budget.spend(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => {
            budget.spend(steps_for(left.len()))?;
            left == right
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.spend(steps_for(left.len()))?;
            left == right
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::DurationNanos(left), Value::DurationNanos(right)) => left == right,
        (Value::IpAddress(left, left_zone), Value::IpAddress(right, right_zone)) => {
            left == right && left_zone == right_zone
        }
        (Value::IpAddress(..), Value::Null) => false,
        (Value::IpAddress(..), _) => return Err(Stop::no_overload()),
        (Value::Kind(left), Value::Kind(right)) => left == right,
        (Value::Optional(left), Value::Optional(right)) => match (left, right) {
            (Some(left), Some(right)) => equal(left, right, budget)?,
            (left, right) => left.is_none() && right.is_none(),
        },
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, left) in left.iter() {
                budget.spend(1)?;
                let Some(right) = find(right, &key.value()) else { return Ok(false) };
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (left, right) => numbers(left, right) == Some(Some(Ordering::Equal)),
    })
}

/// The order of two numbers: the outer none for what is no number, the inner for a NaN.
#[allow(clippy::option_option, reason = "no number and no order are different answers")]
fn numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Uint(left), Value::Uint(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Uint(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Uint(left), Value::Int(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Double(left), Value::Int(right)) => double_to_int_order(*left, *right),
        (Value::Int(left), Value::Double(right)) => double_to_int_order(*right, *left).map(Ordering::reverse),
        (Value::Double(left), Value::Uint(right)) => double_to_uint_order(*left, *right),
        (Value::Uint(left), Value::Double(right)) => {
            double_to_uint_order(*right, *left).map(Ordering::reverse)
        }
        _ => return None,
    })
}

fn double_to_int_order(left: f64, right: i64) -> Option<Ordering> {
    left.partial_cmp(&int_to_double(right))
}

fn double_to_uint_order(left: f64, right: u64) -> Option<Ordering> {
    left.partial_cmp(&uint_to_double(right))
}

/// The order of two values of an ordered kind; none for a NaN. Other kinds are a fault.
pub(crate) fn order(left: &Value, right: &Value, budget: &mut Budget) -> Result<Option<Ordering>, Stop> {
    budget.spend(1)?;
    Ok(Some(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => {
            budget.spend(steps_for(left.len().min(right.len())))?;
            left.cmp(right)
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.spend(steps_for(left.len().min(right.len())))?;
            left.cmp(right)
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::DurationNanos(left), Value::DurationNanos(right)) => left.cmp(right),
        (left, right) => return numbers(left, right).ok_or_else(Stop::no_overload),
    }))
}
