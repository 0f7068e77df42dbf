//! Messages in protobuf's text form, which is how an error's metadata carries one.

use std::fmt::Write as _;

use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MapKey, Value};

use crate::descriptors;

/// The fields that are set of a message of that full name, on one line; `None` when there is no such message.
pub(super) fn render(name: &str, message: &impl Message) -> Option<String> {
    let descriptor = descriptors::message(name)?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()?;
    let mut out = String::new();
    fields(&mut out, &message);
    Some(out)
}

fn fields(out: &mut String, message: &DynamicMessage) {
    for (field, value) in message.fields() {
        let kind = field.kind();
        match value {
            Value::List(elements) => elements.iter().for_each(|one| named(out, field.name(), &kind, one)),
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                let value_kind = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
                start(out, field.name());
                out.push('{');
                named(out, "key", &Kind::String, &key_value(key));
                named(out, "value", &value_kind.unwrap_or(Kind::String), value);
                out.push('}');
            }),
            value => named(out, field.name(), &kind, value),
        }
    }
}

fn key_value(key: &MapKey) -> Value {
    match key {
        MapKey::Bool(value) => Value::Bool(*value),
        MapKey::I32(value) => Value::I32(*value),
        MapKey::I64(value) => Value::I64(*value),
        MapKey::U32(value) => Value::U32(*value),
        MapKey::U64(value) => Value::U64(*value),
        MapKey::String(value) => Value::String(value.clone()),
    }
}

fn start(out: &mut String, name: &str) {
    if !out.is_empty() && !out.ends_with('{') {
        out.push(' ');
    }
    out.push_str(name);
    out.push(':');
}

fn named(out: &mut String, name: &str, kind: &Kind, value: &Value) {
    start(out, name);
    match value {
        Value::Message(message) => {
            out.push('{');
            fields(out, message);
            out.push('}');
        }
        Value::String(text) => quoted(out, text.as_bytes()),
        Value::Bytes(bytes) => quoted(out, bytes),
        Value::EnumNumber(number) => {
            let named = kind.as_enum().and_then(|values| values.get_value(*number));
            match named {
                Some(named) => out.push_str(named.name()),
                None => push(out, number),
            }
        }
        Value::Bool(value) => push(out, value),
        Value::I32(value) => push(out, value),
        Value::I64(value) => push(out, value),
        Value::U32(value) => push(out, value),
        Value::U64(value) => push(out, value),
        Value::F32(value) => push(out, value),
        Value::F64(value) => push(out, value),
        // No list or map holds another.
        Value::List(_) | Value::Map(_) => {}
    }
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    out.push_str(&value.to_string());
}

/// ASCII in quotes; everything else by its number in base 8.
fn quoted(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing to a text does not fail.
            other => drop(write!(out, "\\{other:03o}")),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use pemba_proto::authzed::api::v1 as wire;
    use prost_types::value::Kind as ValueKind;

    use super::*;

    #[test]
    fn every_kind_of_field_is_written() {
        let value = |kind| prost_types::Value { kind: Some(kind) };
        let fields = [("k\u{e9}".to_owned(), value(ValueKind::NumberValue(0.5)))].into();
        let request = wire::CheckPermissionRequest {
            resource: Some(wire::ObjectReference {
                object_type: "a\n\t\"\\".into(),
                object_id: String::new(),
            }),
            context: Some(prost_types::Struct { fields }),
            with_tracing: true,
            ..Default::default()
        };
        assert_eq!(
            render("authzed.api.v1.CheckPermissionRequest", &request).unwrap(),
            r#"resource:{object_type:"a\n\t\"\\"} context:{fields:{key:"k\303\251" value:{number_value:0.5}}} with_tracing:true"#
        );
        let watch = wire::WatchRequest {
            optional_object_types: vec!["a".into(), "b".into()],
            optional_update_kinds: vec![1, 77],
            ..Default::default()
        };
        assert_eq!(
            render("authzed.api.v1.WatchRequest", &watch).unwrap(),
            "optional_object_types:\"a\" optional_object_types:\"b\" \
             optional_update_kinds:WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES optional_update_kinds:77"
        );
        assert_eq!(render("authzed.api.v1.Nothing", &watch), None);
    }
}
