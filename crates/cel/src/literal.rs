//! The values of number and text literals.

use crate::lexer::quotes;
use crate::value::Value;

/// The value of a number without sign; `negative` says that a minus stands before it.
pub(crate) fn int(text: &str, negative: bool) -> Option<Value> {
    let magnitude = magnitude(text)?;
    let signed = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(signed).ok().map(Value::Int)
}

/// The value of a number that ends in `u`.
pub(crate) fn uint(text: &str) -> Option<Value> {
    magnitude(text.strip_suffix(['u', 'U'])?).map(Value::Uint)
}

/// The value of a number with fraction or exponent; none when it exceeds every double.
pub(crate) fn double(text: &str, negative: bool) -> Option<Value> {
    let magnitude: f64 = text.parse().ok()?;
    magnitude.is_finite().then_some(Value::Double(if negative { -magnitude } else { magnitude }))
}

fn magnitude(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The value of a quoted text with prefix and quotes, or what is wrong with it.
pub(crate) fn text(source: &str) -> Result<Value, String> {
    let opening = quotes(source).ok_or_else(|| "this is no text".to_owned())?;
    let body = source
        .get(opening.length..)
        .and_then(|body| body.strip_suffix(opening.quote))
        .ok_or_else(|| "this text is not closed".to_owned())?;
    let plain =
        if body.contains('\r') { body.replace("\r\n", "\n").replace('\r', "\n") } else { body.to_owned() };
    if opening.raw {
        return Ok(if opening.bytes { Value::bytes(plain.into_bytes()) } else { Value::string(plain) });
    }
    let decoded = unescape(&plain, opening.bytes)?;
    if opening.bytes {
        return Ok(Value::bytes(decoded));
    }
    String::from_utf8(decoded).map(Value::string).map_err(|_| "this text is no UTF-8".to_owned())
}

fn unescape(body: &str, bytes: bool) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        decoded.extend_from_slice(before.as_bytes());
        rest = escape(after.get(1..).unwrap_or(""), bytes, &mut decoded)?;
    }
    decoded.extend_from_slice(rest.as_bytes());
    Ok(decoded)
}

/// Decodes one escape whose backslash is gone; gives what follows it.
fn escape<'a>(text: &'a str, bytes: bool, decoded: &mut Vec<u8>) -> Result<&'a str, String> {
    let Some(first) = text.chars().next() else { return Err("a backslash at the end".to_owned()) };
    let after = text.get(first.len_utf8()..).unwrap_or("");
    let simple = match first {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        '?' => Some(b'?'),
        '"' => Some(b'"'),
        '\'' => Some(b'\''),
        '`' => Some(b'`'),
        _ => None,
    };
    if let Some(byte) = simple {
        decoded.push(byte);
        return Ok(after);
    }
    let (digits, radix, rest) = match first {
        'x' | 'X' => (after.get(..2), 16, after.get(2..)),
        'u' if !bytes => (after.get(..4), 16, after.get(4..)),
        'U' if !bytes => (after.get(..8), 16, after.get(8..)),
        '0'..='3' => (text.get(..3), 8, text.get(3..)),
        _ => return Err(format!("`\\{first}` is no escape")),
    };
    let code = digits
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .ok_or_else(|| format!("`\\{first}` lacks its digits"))?;
    let rest = rest.unwrap_or("");
    if bytes {
        decoded.push(u8::try_from(code).map_err(|_| format!("`\\{first}` exceeds a byte"))?);
        return Ok(rest);
    }
    let c = char::from_u32(code).ok_or_else(|| format!("`\\{first}` names no character"))?;
    decoded.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}
