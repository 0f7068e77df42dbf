//! Values of one evaluator as those of the other.

use std::sync::Arc;

use cel::objects::{Key, Map, OptionalValue};
use cel::{Context, Env};
use pemba_cel::Value;

/// The value for the peer. Instants and lengths of time are made by evaluating the text that means them.
pub fn to_peer(env: &Arc<Env>, value: &Value) -> cel::Value {
    let evaluated =
        |source: String| env.compile(&source).unwrap().execute(&Context::with_env(Arc::clone(env))).unwrap();
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Int(number) => cel::Value::Int(*number),
        Value::Uint(number) => cel::Value::UInt(*number),
        Value::Double(number) => cel::Value::Float(*number),
        Value::String(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Bytes(bytes) => cel::Value::Bytes(Arc::new(bytes.to_vec())),
        Value::List(items) => {
            cel::Value::List(Arc::new(items.iter().map(|item| to_peer(env, item)).collect()))
        }
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| match key {
                pemba_cel::value::Key::String(text) => {
                    (Key::String(Arc::new(text.to_string())), to_peer(env, value))
                }
                other => panic!("a context has no key {other:?}"),
            });
            cel::Value::Map(Map { map: Arc::new(entries.collect()) })
        }
        Value::Timestamp(instant) => evaluated(instant_literal(instant.seconds(), instant.nanos())),
        Value::DurationNanos(nanos) => evaluated(format!("duration('{nanos}ns')")),
        other => panic!("a context has no {other:?}"),
    }
}

/// The name of the value's type, and an expression that means the value; none for what has no such expression.
pub fn literal(value: &cel::Value) -> Option<(&'static str, String)> {
    Some(match value {
        cel::Value::Null => ("null_type", "null".to_owned()),
        cel::Value::Bool(flag) => ("bool", flag.to_string()),
        cel::Value::Int(number) => ("int", number.to_string()),
        cel::Value::UInt(number) => ("uint", format!("{number}u")),
        cel::Value::Float(number) if number.is_nan() => return None,
        cel::Value::Float(number) if number.is_infinite() => {
            ("double", format!("{}1.0 / 0.0", if *number < 0.0 { "-" } else { "" }))
        }
        cel::Value::Float(number) => ("double", format!("{number:?}")),
        cel::Value::String(text) => ("string", serde_json::to_string(text.as_str()).unwrap()),
        cel::Value::Bytes(bytes) => {
            let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            ("bytes", format!("b\"{escaped}\""))
        }
        cel::Value::List(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| literal(item).map(|found| found.1)).collect();
            ("list", format!("[{}]", items?.join(", ")))
        }
        cel::Value::Map(map) => {
            let entries: Option<Vec<String>> = map
                .map
                .iter()
                .map(|(key, value)| {
                    Some(format!("{}: {}", literal(&cel::Value::from(key))?.1, literal(value)?.1))
                })
                .collect();
            ("map", format!("{{{}}}", entries?.join(", ")))
        }
        cel::Value::Timestamp(instant) => (
            "google.protobuf.Timestamp",
            instant_literal(instant.timestamp(), instant.timestamp_subsec_nanos()),
        ),
        cel::Value::Duration(length) => {
            ("google.protobuf.Duration", format!("duration('{}ns')", length.num_nanoseconds()?))
        }
        optional @ cel::Value::Opaque(_) => {
            let inner = <&OptionalValue>::try_from(optional).ok()?.value();
            let text = match inner {
                Some(inner) => format!("optional.of({})", literal(inner)?.1),
                None => "optional.none()".to_owned(),
            };
            ("optional_type", text)
        }
        _ => return None,
    })
}

fn instant_literal(seconds: i64, nanos: u32) -> String {
    format!("(timestamp({seconds}) + duration('{nanos}ns'))")
}
