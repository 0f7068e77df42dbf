//! Values of expressions. Cloning one is cheap: what is long is shared.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::time::Instant;

/// A value. Lists and maps are shared, so a clone costs the same whatever is inside.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// true or false.
    Bool(bool),
    /// Signed, 64 bits.
    Int(i64),
    /// Unsigned, 64 bits.
    Uint(u64),
    /// Binary floating point, 64 bits; may be infinite or no number.
    Double(f64),
    /// Text.
    String(SmolStr),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Values in order.
    List(Arc<Vec<Value>>),
    /// Values by key, in the order of the keys.
    Map(Arc<BTreeMap<Key, Value>>),
    /// An instant.
    Timestamp(Instant),
    /// A length of time in nanoseconds.
    DurationNanos(i64),
    /// An IPv4 or IPv6 address, and the zone of the latter.
    IpAddress(IpAddr, Option<SmolStr>),
    /// A value that may be absent.
    Optional(Option<Arc<Value>>),
    /// The kind of a value.
    Kind(Kind),
}

/// The kinds of values, as `type` tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint`
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `list`
    List,
    /// `map`
    Map,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `google.protobuf.Duration`
    Duration,
    /// `IPAddress`
    IpAddress,
    /// `optional_type`
    Optional,
    /// `type`
    Type,
}

/// A key of a map. Numbers of different kinds are different keys, and a look-up finds any equal number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nothing.
    Null,
    /// true or false.
    Bool(bool),
    /// Signed, 64 bits.
    Int(i64),
    /// Unsigned, 64 bits.
    Uint(u64),
    /// The bits of a double that is a number, with one zero.
    Double(u64),
    /// Text.
    String(SmolStr),
}

impl Value {
    /// A text.
    pub(crate) fn string(text: impl AsRef<str>) -> Value {
        Value::String(SmolStr::new(text))
    }

    /// Bytes.
    pub(crate) fn bytes(bytes: Vec<u8>) -> Value {
        Value::Bytes(bytes.into())
    }

    /// A list.
    pub(crate) fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Int,
            Value::Uint(_) => Kind::Uint,
            Value::Double(_) => Kind::Double,
            Value::String(_) => Kind::String,
            Value::Bytes(_) => Kind::Bytes,
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
            Value::Timestamp(_) => Kind::Timestamp,
            Value::DurationNanos(_) => Kind::Duration,
            Value::IpAddress(..) => Kind::IpAddress,
            Value::Optional(_) => Kind::Optional,
            Value::Kind(_) => Kind::Type,
        }
    }

    /// The number as a double; none for what is no number.
    pub(crate) fn as_double(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(int_to_double(*number)),
            Value::Uint(number) => Some(uint_to_double(*number)),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }
}

impl Kind {
    /// The name that an expression calls it by.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null_type",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Uint => "uint",
            Kind::Double => "double",
            Kind::String => "string",
            Kind::Bytes => "bytes",
            Kind::List => "list",
            Kind::Map => "map",
            Kind::Timestamp => "google.protobuf.Timestamp",
            Kind::Duration => "google.protobuf.Duration",
            Kind::IpAddress => "IPAddress",
            Kind::Optional => "optional_type",
            Kind::Type => "type",
        }
    }
}

impl Key {
    /// The key that a value is; none for kinds that cannot be keys.
    pub fn of(value: &Value) -> Option<Key> {
        Some(match value {
            Value::Null => Key::Null,
            Value::Bool(flag) => Key::Bool(*flag),
            Value::Int(number) => Key::Int(*number),
            Value::Uint(number) => Key::Uint(*number),
            Value::Double(number) if !number.is_nan() => Key::Double((number + 0.0).to_bits()),
            Value::String(text) => Key::String(text.clone()),
            _ => return None,
        })
    }

    /// The value that the key is.
    pub fn value(&self) -> Value {
        match self {
            Key::Null => Value::Null,
            Key::Bool(flag) => Value::Bool(*flag),
            Key::Int(number) => Value::Int(*number),
            Key::Uint(number) => Value::Uint(*number),
            Key::Double(bits) => Value::Double(f64::from_bits(*bits)),
            Key::String(text) => Value::String(text.clone()),
        }
    }
}

/// The entry of a map for a value: that of the same kind, else that of an equal number.
pub(crate) fn find<'a>(map: &'a BTreeMap<Key, Value>, value: &Value) -> Option<&'a Value> {
    let exact = Key::of(value)?;
    if let Some(found) = map.get(&exact) {
        return Some(found);
    }
    let whole: i128 = match value {
        Value::Int(number) => i128::from(*number),
        Value::Uint(number) => i128::from(*number),
        Value::Double(number) => {
            double_to_int(*number).map(i128::from).or_else(|| double_to_uint(*number).map(i128::from))?
        }
        _ => return None,
    };
    let signed = i64::try_from(whole).ok();
    let unsigned = u64::try_from(whole).ok();
    let double = signed.map(int_to_double).or(unsigned.map(uint_to_double));
    signed
        .and_then(|number| map.get(&Key::Int(number)))
        .or_else(|| unsigned.and_then(|number| map.get(&Key::Uint(number))))
        .or_else(|| double.and_then(|number| map.get(&Key::Double((number + 0.0).to_bits()))))
}

/// The nearest double.
#[allow(clippy::cast_precision_loss, reason = "rounding to the nearest double is what is asked for")]
pub(crate) fn int_to_double(number: i64) -> f64 {
    number as f64
}

/// The nearest double.
#[allow(clippy::cast_precision_loss, reason = "rounding to the nearest double is what is asked for")]
pub(crate) fn uint_to_double(number: u64) -> f64 {
    number as f64
}

/// 2 to the power of 63.
pub(crate) const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// The int that a double is; none for fractions and what is out of range.
#[allow(clippy::cast_possible_truncation, reason = "whole and in range")]
pub(crate) fn double_to_int(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && (-TWO_63..TWO_63).contains(&number)).then_some(number as i64)
}

/// The uint that a double is; none for fractions and what is out of range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
pub(crate) fn double_to_uint(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..TWO_63 * 2.0).contains(&number)).then_some(number as u64)
}
