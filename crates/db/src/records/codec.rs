//! From plain data to bytes and back. This is the only module that knows the encoding library; the golden bytes in
//! the tests of each record say what it must produce, so it can be replaced.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use pemba_model::Context;
use serde_json::Value;

pub(super) use bincode::{BorrowDecode, Encode};

/// Deepest nesting of a stored context, in levels; the context itself is the first. JSON readers stop at 128.
pub const CONTEXT_DEPTH_MAX: usize = 100;

/// Most memory one value may claim while it is decoded, in bytes: damaged lengths must not exhaust the machine.
const DECODE_MAX_BYTES: usize = 256 * 1024 * 1024;

const CONFIGURATION: Configuration<LittleEndian, Varint, Limit<DECODE_MAX_BYTES>> =
    bincode::config::standard().with_limit::<DECODE_MAX_BYTES>();

/// The version byte, then the value.
pub(super) fn encode<T: Encode>(version: u8, value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![version];
    bincode::encode_into_std_write(value, &mut bytes, CONFIGURATION).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The value behind a version byte, all of it.
pub(super) fn decode<'a, T: BorrowDecode<'a, ()>>(version: u8, bytes: &'a [u8]) -> Result<T, String> {
    let body = unversioned(version, bytes)?;
    let (value, read) =
        bincode::borrow_decode_from_slice(body, CONFIGURATION).map_err(|error| error.to_string())?;
    if read != body.len() {
        return Err(format!("`{}` bytes follow the value", body.len().saturating_sub(read)));
    }
    Ok(value)
}

/// What follows the version byte.
pub(super) fn unversioned(version: u8, bytes: &[u8]) -> Result<&[u8], String> {
    match bytes.split_first() {
        Some((found, body)) if *found == version => Ok(body),
        Some((found, _)) => {
            Err(format!("version `{found}` of the value is unknown, this build reads `{version}`"))
        }
        None => Err("value is empty".to_owned()),
    }
}

/// The version byte, then bytes as they are.
pub(super) fn encode_bytes(version: u8, value: &[u8]) -> Vec<u8> {
    [&[version], value].concat()
}

/// The version byte, then text.
pub(super) fn encode_text(version: u8, text: &str) -> Vec<u8> {
    encode_bytes(version, text.as_bytes())
}

/// The text behind a version byte.
pub(super) fn decode_text(version: u8, bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(unversioned(version, bytes)?).map_err(|error| error.to_string())
}

/// A context as JSON text; `None` if it nests too deep to be read again.
pub(super) fn context_to_json(context: &Context) -> Option<String> {
    if !context.values().all(|value| fits(value, CONTEXT_DEPTH_MAX - 1)) {
        return None;
    }
    serde_json::to_string(context).ok()
}

/// A context from its JSON text.
pub(super) fn context_from_json(text: &str) -> Result<Context, String> {
    serde_json::from_str(text).map_err(|error| format!("context is not JSON: {error}"))
}

/// Whether the value has at most `levels` levels of lists and objects.
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

    fn nested(levels: usize) -> Context {
        let mut value = Value::Null;
        for level in 1..levels {
            value =
                if level % 2 == 0 { Value::Array(vec![value]) } else { serde_json::json!({ "a": value }) };
        }
        Context::from_iter([("a".to_owned(), value)])
    }

    #[test]
    fn deepest_context_reads_again_and_deeper_is_refused() {
        let deepest = nested(CONTEXT_DEPTH_MAX);
        let text = context_to_json(&deepest).unwrap();
        assert_eq!(context_from_json(&text).unwrap(), deepest);
        assert_eq!(context_to_json(&nested(CONTEXT_DEPTH_MAX + 1)), None);
    }

    #[test]
    fn damaged_lengths_are_refused_without_allocating() {
        // A list that claims 2^62 elements.
        let bytes = [1, 253, 0, 0, 0, 0, 0, 0, 0, 64];
        assert!(decode::<Vec<u64>>(1, &bytes).is_err());
    }

    #[test]
    fn version_and_length_are_checked() {
        let bytes = encode(3, &7_u32).unwrap();
        assert_eq!(decode::<u32>(3, &bytes), Ok(7));
        assert!(decode::<u32>(4, &bytes).unwrap_err().contains("version `3`"));
        assert!(decode::<u32>(3, &[3, 7, 0]).unwrap_err().contains("follow"));
        assert!(decode::<u32>(3, &[]).unwrap_err().contains("empty"));
        assert_eq!(decode_text(1, &encode_text(1, "ä")), Ok("ä"));
        assert!(decode_text(1, &[1, 0xff]).is_err());
    }

    #[test]
    fn numbers_in_contexts_keep_their_exact_value() {
        for text in
            ["{\"a\":0.1}", "{\"a\":-0.0}", "{\"a\":1.7976931348623157e308}", "{\"a\":18446744073709551615}"]
        {
            let context = context_from_json(text).unwrap();
            assert_eq!(context_from_json(&context_to_json(&context).unwrap()).unwrap(), context);
        }
    }
}
