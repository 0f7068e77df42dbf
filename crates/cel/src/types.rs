//! The types a caveat's parameters are declared with.

use std::fmt;

/// The type of a caveat parameter. It prints as the schema writes it: `list<string>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// Any value.
    Any,
    /// true or false.
    Bool,
    /// Text.
    String,
    /// Signed, 64 bits.
    Int,
    /// Unsigned, 64 bits.
    Uint,
    /// Binary floating point, 64 bits.
    Double,
    /// Bytes, base64 in JSON.
    Bytes,
    /// A length of time, `1h30m` in JSON.
    Duration,
    /// An instant, RFC 3339 in JSON.
    Timestamp,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A list of one type.
    List(Box<Type>),
    /// A map from text to one type.
    Map(Box<Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "any",
            Type::Bool => "bool",
            Type::String => "string",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::Bytes => "bytes",
            Type::Duration => "duration",
            Type::Timestamp => "timestamp",
            Type::IpAddress => "ipaddress",
            Type::List(element) => return write!(f, "list<{element}>"),
            Type::Map(element) => return write!(f, "map<{element}>"),
        })
    }
}
