//! Sizes of the values that come with relationships and writes.

use pemba_model::Context;
use serde_json::Value;

use crate::records::CONTEXT_DEPTH_MAX;

/// The context's size as the wire has it, a protobuf `Struct`, in bytes; within a few bytes a field.
pub(crate) fn context_size_bytes(context: &Context) -> usize {
    context.iter().map(|(key, value)| field(field(key.len()) + field(value_size_bytes(value)))).sum()
}

fn value_size_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 2,
        Value::Number(_) => 9,
        Value::String(text) => field(text.len()),
        Value::Array(items) => field(items.iter().map(|item| field(value_size_bytes(item))).sum()),
        Value::Object(fields) => field(context_size_bytes(fields)),
    }
}

/// A field of this many bytes with its tag and length.
fn field(bytes: usize) -> usize {
    let length_bits = usize::try_from(usize::BITS - (bytes | 1).leading_zeros()).unwrap_or(64);
    bytes.saturating_add(1 + length_bits.div_ceil(7))
}

/// Whether the context nests no deeper than can be stored.
pub(crate) fn context_depth_fits(context: &Context) -> bool {
    context.values().all(|value| fits(value, CONTEXT_DEPTH_MAX - 1))
}

fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|field| fits(field, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(text: &str) -> Context {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn sizes_are_those_of_the_wire() {
        // Struct { fields { key: "a" value { bool_value: true } } }: 2 + (2 + 1) + (2 + 2).
        assert_eq!(context_size_bytes(&context(r#"{"a":true}"#)), 9);
        assert_eq!(context_size_bytes(&context(r#"{"a":1}"#)), 16);
        assert_eq!(context_size_bytes(&context(r#"{"a":["b"]}"#)), 2 + 3 + 2 + 2 + 2 + 3);
        assert_eq!(context_size_bytes(&Context::new()), 0);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(context_depth_fits(&context(&nested(CONTEXT_DEPTH_MAX - 1))));
        assert!(!context_depth_fits(&context(&nested(CONTEXT_DEPTH_MAX))));
    }
}
