//! Texts: search, patterns, size.

use crate::budget::{Budget, Stop};
use crate::compare::steps_for;
use crate::function::Function;
use crate::pattern::{self, Pattern};
use crate::value::Value;

/// Steps for compiling one byte of a pattern.
const STEPS_PER_PATTERN_BYTE: u64 = 32;

/// A number of items as a value.
fn count(items: usize) -> Value {
    Value::Int(i64::try_from(items).unwrap_or(i64::MAX))
}

/// The characters of a text, the bytes, the elements of a list or the entries of a map.
pub(super) fn size(value: &Value, budget: &mut Budget) -> Result<Value, Stop> {
    Ok(count(match value {
        Value::String(text) => {
            budget.spend(steps_for(text.len()))?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Stop::no_overload()),
    }))
}

/// `contains`, `startsWith`, `endsWith` and `matches` with a pattern that is not known before.
pub(super) fn compare(
    function: Function,
    text: &str,
    argument: &str,
    budget: &mut Budget,
) -> Result<Value, Stop> {
    budget.spend(steps_for(text.len()) + steps_for(argument.len()))?;
    Ok(Value::Bool(match function {
        Function::Contains => text.contains(argument),
        Function::StartsWith => text.starts_with(argument),
        Function::EndsWith => text.ends_with(argument),
        Function::Matches => {
            let length = u64::try_from(argument.len()).unwrap_or(u64::MAX);
            budget.spend(length.saturating_mul(STEPS_PER_PATTERN_BYTE))?;
            let pattern = pattern::compile(argument, pattern::DYNAMIC_SIZE_MAX_BYTES).map_err(Stop::made)?;
            return search(text, &pattern, budget);
        }
        _ => return Err(Stop::no_overload()),
    }))
}

/// Whether a pattern that is known occurs in a value.
pub(super) fn matches(value: &Value, pattern: &Pattern, budget: &mut Budget) -> Result<Value, Stop> {
    match value {
        Value::String(text) => search(text, pattern, budget),
        _ => Err(Stop::no_overload()),
    }
}

fn search(text: &str, pattern: &Pattern, budget: &mut Budget) -> Result<Value, Stop> {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    budget.spend(bytes.saturating_mul(pattern.steps_per_byte))?;
    Ok(Value::Bool(pattern.regex.is_match(text)))
}
