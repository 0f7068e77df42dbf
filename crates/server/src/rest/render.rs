//! Protobuf to JSON: the message of an answer, from its bytes, in the form of grpc-gateway's default: fields that are
//! not set are shown with their default, those of a oneof are left out, 64-bit numbers are text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::instant;
use super::struct_value as numbers;
use super::wire::{Fields, Malformed, Raw, take, varint};

/// Deepest nesting of messages that is written; every level of a Struct is three.
const MESSAGES_NESTED_MAX: usize = 400;

/// A message that JSON cannot show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(
        "the answer nests more than {MESSAGES_NESTED_MAX} messages, which JSON is not written for; ask over gRPC"
    )]
    TooDeep,
    #[error("the answer holds the number {0}, which JSON cannot show; ask over gRPC")]
    NoNumber(String),
    #[error(
        "the answer holds the time or span {seconds} s {nanos} ns, which JSON cannot show; ask over gRPC"
    )]
    NoInstant {
        /// Whole seconds.
        seconds: i64,
        /// The rest.
        nanos: i32,
    },
}

/// Writes messages; the pool knows what an `Any` may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renderer<'a> {
    pub(super) pool: &'a DescriptorPool,
}

type Written = Result<(), Unwritable>;

impl Renderer<'_> {
    /// Appends a message's JSON.
    pub(super) fn message(self, out: &mut String, descriptor: &MessageDescriptor, bytes: &[u8]) -> Written {
        self.nested(out, descriptor, bytes, 0)
    }

    fn nested(self, out: &mut String, descriptor: &MessageDescriptor, bytes: &[u8], depth: usize) -> Written {
        if depth > MESSAGES_NESTED_MAX {
            return Err(Unwritable::TooDeep);
        }
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => instant_text(out, bytes, instant::render),
            "google.protobuf.Duration" => instant_text(out, bytes, instant::render_span),
            "google.protobuf.Struct" => structure(out, bytes, depth),
            "google.protobuf.Value" => value(out, bytes, depth),
            "google.protobuf.ListValue" => list(out, bytes, depth),
            "google.protobuf.Any" => self.any(out, bytes, depth),
            _ => {
                out.push('{');
                self.fields(out, descriptor, bytes, depth, true)?;
                out.push('}');
                Ok(())
            }
        }
    }

    /// The fields of a message in the order of its declaration.
    fn fields(
        self,
        out: &mut String,
        descriptor: &MessageDescriptor,
        bytes: &[u8],
        depth: usize,
        mut is_first: bool,
    ) -> Written {
        let given = Fields::new(bytes).collect::<Result<Vec<_>, _>>()?;
        let declared = descriptor.descriptor_proto().field.iter();
        for field in declared.filter_map(|field| descriptor.get_field(u32::try_from(field.number()).ok()?)) {
            let values: Vec<Raw<'_>> =
                given.iter().filter(|(number, _)| *number == field.number()).map(|(_, raw)| *raw).collect();
            if values.is_empty() && field.containing_oneof().is_some() {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            text(out, field.json_name());
            out.push(':');
            self.field(out, &field, &values, depth)?;
        }
        Ok(())
    }

    fn field(self, out: &mut String, field: &FieldDescriptor, values: &[Raw<'_>], depth: usize) -> Written {
        let kind = field.kind();
        if field.is_map() {
            return self.map(out, &kind, values, depth);
        }
        if field.is_list() {
            return self.list(out, &kind, values, depth);
        }
        match (values, &kind) {
            ([], _) if field.supports_presence() => out.push_str("null"),
            ([], _) => default(out, &kind),
            ([_, _, ..], Kind::Message(descriptor)) => {
                // Parts of one message given apart are one message.
                let whole: Vec<u8> =
                    values.iter().flat_map(|raw| raw.bytes().unwrap_or_default().to_vec()).collect();
                self.nested(out, descriptor, &whole, depth + 1)?;
            }
            ([.., last], _) => self.single(out, &kind, *last, depth)?,
        }
        Ok(())
    }

    fn list(self, out: &mut String, kind: &Kind, values: &[Raw<'_>], depth: usize) -> Written {
        out.push('[');
        let mut is_first = true;
        let mut element = |out: &mut String, raw: Raw<'_>| {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            self.single(out, kind, raw, depth)
        };
        for raw in values {
            match raw {
                Raw::Bytes(packed) if !matches!(kind, Kind::Message(_) | Kind::String | Kind::Bytes) => {
                    let mut packed = *packed;
                    while !packed.is_empty() {
                        element(out, unpack(kind, &mut packed)?)?;
                    }
                }
                raw => element(out, *raw)?,
            }
        }
        out.push(']');
        Ok(())
    }

    /// A map, sorted by its keys as text.
    fn map(self, out: &mut String, kind: &Kind, values: &[Raw<'_>], depth: usize) -> Written {
        let Kind::Message(entry) = kind else { return Err(Malformed.into()) };
        let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let mut entries = std::collections::BTreeMap::new();
        for raw in values {
            let fields = Fields::new(raw.bytes()?).collect::<Result<Vec<_>, _>>()?;
            let of = |number| fields.iter().rev().find(|(found, _)| *found == number).map(|(_, raw)| *raw);
            let mut key = String::new();
            match of(numbers::KEY_FIELD) {
                Some(raw) => self.single(&mut key, &key_field.kind(), raw, depth)?,
                None => default(&mut key, &key_field.kind()),
            }
            entries.insert(key, of(numbers::ENTRY_FIELD));
        }
        out.push('{');
        for (index, (key, raw)) in entries.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            if key.starts_with('"') {
                out.push_str(&key)
            } else {
                text(out, &key)
            }
            out.push(':');
            match (raw, value_field.kind()) {
                (Some(raw), kind) => self.single(out, &kind, raw, depth)?,
                (None, Kind::Message(descriptor)) => self.nested(out, &descriptor, &[], depth + 1)?,
                (None, kind) => default(out, &kind),
            }
        }
        out.push('}');
        Ok(())
    }

    /// One value of a field.
    fn single(self, out: &mut String, kind: &Kind, raw: Raw<'_>, depth: usize) -> Written {
        match (kind, raw) {
            (Kind::Message(descriptor), Raw::Bytes(bytes)) => {
                self.nested(out, descriptor, bytes, depth + 1)?
            }
            (Kind::String, Raw::Bytes(bytes)) => {
                text(out, std::str::from_utf8(bytes).map_err(|_| Malformed)?)
            }
            (Kind::Bytes, Raw::Bytes(bytes)) => text(out, &STANDARD.encode(bytes)),
            (Kind::Bool, Raw::Varint(value)) => out.push_str(if value == 0 { "false" } else { "true" }),
            (Kind::Enum(values), Raw::Varint(value)) => enum_value(out, values, low(value).cast_signed()),
            (Kind::Int32, Raw::Varint(value)) => push(out, low(value).cast_signed()),
            (Kind::Uint32, Raw::Varint(value)) => push(out, low(value)),
            (Kind::Sint32, Raw::Varint(value)) => push(out, unzigzag(low(value).into())),
            (Kind::Int64, Raw::Varint(value)) => quoted(out, value.cast_signed()),
            (Kind::Uint64, Raw::Varint(value)) => quoted(out, value),
            (Kind::Sint64, Raw::Varint(value)) => quoted(out, unzigzag(value)),
            (Kind::Fixed32, Raw::Fixed32(value)) => push(out, value),
            (Kind::Sfixed32, Raw::Fixed32(value)) => push(out, value.cast_signed()),
            (Kind::Fixed64, Raw::Fixed64(value)) => quoted(out, value),
            (Kind::Sfixed64, Raw::Fixed64(value)) => quoted(out, value.cast_signed()),
            (Kind::Double, Raw::Fixed64(value)) => {
                float_field(out, f64::from_bits(value), number(f64::from_bits(value)))
            }
            (Kind::Float, Raw::Fixed32(value)) => {
                let value = f32::from_bits(value);
                float_field(
                    out,
                    value.into(),
                    number_text(f64::from(value).abs(), format!("{value}"), format!("{value:e}")),
                );
            }
            _ => return Err(Malformed.into()),
        }
        Ok(())
    }

    /// An `Any` as its message with `@type`; one that is not known as its bytes.
    fn any(self, out: &mut String, bytes: &[u8], depth: usize) -> Written {
        let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::new(bytes) {
            match field? {
                (1, Raw::Bytes(bytes)) => url = bytes,
                (2, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        let url = std::str::from_utf8(url).map_err(|_| Malformed)?;
        out.push('{');
        if !url.is_empty() {
            out.push_str("\"@type\":");
            text(out, url);
            let name = url.rsplit('/').next().unwrap_or(url);
            match self.pool.get_message_by_name(name) {
                Some(known) if known.package_name() == "google.protobuf" => {
                    out.push_str(",\"value\":");
                    self.nested(out, &known, value, depth + 1)?;
                }
                Some(known) => self.fields(out, &known, value, depth + 1, false)?,
                None => {
                    out.push_str(",\"value\":");
                    text(out, &STANDARD.encode(value));
                }
            }
        }
        out.push('}');
        Ok(())
    }
}

impl<'a> Raw<'a> {
    fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Raw::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }
}

/// A field that is not set.
fn default(out: &mut String, kind: &Kind) {
    match kind {
        Kind::Message(_) => out.push_str("null"),
        Kind::String | Kind::Bytes => out.push_str("\"\""),
        Kind::Bool => out.push_str("false"),
        Kind::Enum(values) => enum_value(out, values, values.default_value().number()),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => quoted(out, 0),
        _ => push(out, 0),
    }
}

fn enum_value(out: &mut String, values: &EnumDescriptor, number: i32) {
    match values.get_value(number) {
        Some(value) => text(out, value.name()),
        None => push(out, number),
    }
}

fn instant_text(out: &mut String, bytes: &[u8], render: fn(i64, i32) -> Option<String>) -> Written {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::new(bytes) {
        match field? {
            (1, Raw::Varint(value)) => seconds = value.cast_signed(),
            (2, Raw::Varint(value)) => nanos = low(value).cast_signed(),
            _ => {}
        }
    }
    text(out, &render(seconds, nanos).ok_or(Unwritable::NoInstant { seconds, nanos })?);
    Ok(())
}

/// A `Struct`, sorted by its keys.
fn structure(out: &mut String, bytes: &[u8], depth: usize) -> Written {
    let mut entries: std::collections::BTreeMap<&str, &[u8]> = std::collections::BTreeMap::new();
    for field in Fields::new(bytes) {
        let (numbers::ONLY_FIELD, Raw::Bytes(entry)) = field? else { continue };
        let (mut key, mut value): (&str, &[u8]) = ("", &[]);
        for field in Fields::new(entry) {
            match field? {
                (numbers::KEY_FIELD, Raw::Bytes(bytes)) => {
                    key = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
                }
                (numbers::ENTRY_FIELD, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        entries.insert(key, value);
    }
    out.push('{');
    for (index, (key, bytes)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        text(out, key);
        out.push(':');
        value(out, bytes, depth + 2)?;
    }
    out.push('}');
    Ok(())
}

/// A `Value`; one that says nothing is null.
fn value(out: &mut String, bytes: &[u8], depth: usize) -> Written {
    if depth > MESSAGES_NESTED_MAX {
        return Err(Unwritable::TooDeep);
    }
    // The last member of the oneof wins.
    let Some(last) = Fields::new(bytes).last() else {
        out.push_str("null");
        return Ok(());
    };
    match last? {
        (numbers::NULL_FIELD, _) => out.push_str("null"),
        (numbers::NUMBER_FIELD, Raw::Fixed64(bits)) => {
            let value = f64::from_bits(bits);
            if !value.is_finite() {
                return Err(Unwritable::NoNumber(value.to_string()));
            }
            out.push_str(&number(value));
        }
        (numbers::STRING_FIELD, Raw::Bytes(bytes)) => {
            text(out, std::str::from_utf8(bytes).map_err(|_| Malformed)?);
        }
        (numbers::BOOL_FIELD, Raw::Varint(value)) => out.push_str(if value == 0 { "false" } else { "true" }),
        (numbers::STRUCT_FIELD, Raw::Bytes(bytes)) => structure(out, bytes, depth + 1)?,
        (numbers::LIST_FIELD, Raw::Bytes(bytes)) => list(out, bytes, depth + 1)?,
        _ => return Err(Malformed.into()),
    }
    Ok(())
}

/// A `ListValue`.
fn list(out: &mut String, bytes: &[u8], depth: usize) -> Written {
    out.push('[');
    let mut is_first = true;
    for field in Fields::new(bytes) {
        let (numbers::ONLY_FIELD, Raw::Bytes(element)) = field? else { continue };
        if !std::mem::take(&mut is_first) {
            out.push(',');
        }
        value(out, element, depth + 1)?;
    }
    out.push(']');
    Ok(())
}

/// The next of packed numbers.
fn unpack<'a>(kind: &Kind, packed: &mut &'a [u8]) -> Result<Raw<'a>, Malformed> {
    Ok(match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Raw::Fixed64(u64::from_le_bytes(take(packed)?)),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Raw::Fixed32(u32::from_le_bytes(take(packed)?)),
        _ => Raw::Varint(varint(packed)?),
    })
}

/// Text with quotes and escapes.
pub(super) fn text(out: &mut String, text: &str) {
    // Text always serializes.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    out.push_str(&value.to_string());
}

fn quoted(out: &mut String, value: impl std::fmt::Display) {
    out.push('"');
    push(out, value);
    out.push('"');
}

/// The low 32 bits, which is how a 32-bit number of variable length is read.
fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn float_field(out: &mut String, value: f64, finite: String) {
    match value {
        _ if value.is_nan() => out.push_str("\"NaN\""),
        f64::INFINITY => out.push_str("\"Infinity\""),
        f64::NEG_INFINITY => out.push_str("\"-Infinity\""),
        _ => out.push_str(&finite),
    }
}

/// A double in the form JavaScript and Go give it: an exponent below 1e-6 and from 1e21 on.
fn number(value: f64) -> String {
    number_text(value.abs(), format!("{value}"), format!("{value:e}"))
}

fn number_text(size: f64, plain: String, scientific: String) -> String {
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return plain;
    }
    match scientific.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => scientific,
    }
}
