//! Protobuf to JSON: the message of an answer, from its bytes, in the form of grpc-gateway's default: fields that are
//! not set are shown with their default, those of a oneof are left out, 64-bit numbers are text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::instant;
use super::struct_value as numbers;
use crate::raw::{Fields, Malformed, Raw, take, varint};

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pemba_proto::authzed::api::v1 as wire;
    use pemba_proto::google::rpc;
    use prost::Message;
    use prost_types::value::Kind as ValueKind;

    use super::super::table::table;
    use super::*;

    fn rendered(name: &str, message: &impl Message) -> Result<String, Unwritable> {
        let table = table();
        let descriptor = table.renderer().pool.get_message_by_name(name).unwrap();
        let mut out = String::new();
        table.renderer().message(&mut out, &descriptor, &message.encode_to_vec()).map(|()| out)
    }

    fn kind(kind: ValueKind) -> prost_types::Value {
        prost_types::Value { kind: Some(kind) }
    }

    fn structure(pairs: impl IntoIterator<Item = (&'static str, ValueKind)>) -> prost_types::Struct {
        let fields: BTreeMap<String, prost_types::Value> =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), kind(value))).collect();
        prost_types::Struct { fields }
    }

    #[test]
    fn what_is_not_set_is_shown_unless_it_is_one_of_several() {
        let text =
            rendered("authzed.api.v1.CheckPermissionResponse", &wire::CheckPermissionResponse::default());
        assert_eq!(
            text.unwrap(),
            "{\"checkedAt\":null,\"permissionship\":\"PERMISSIONSHIP_UNSPECIFIED\",\"partialCaveatInfo\":null,\
             \"debugTrace\":null,\"optionalExpiresAt\":null}"
        );
        let empty = rendered("authzed.api.v1.Consistency", &wire::Consistency::default());
        assert_eq!(empty.unwrap(), "{}");
        let of_several = wire::consistency::Requirement::MinimizeLatency(false);
        let set = wire::Consistency { requirement: Some(of_several) };
        assert_eq!(rendered("authzed.api.v1.Consistency", &set).unwrap(), "{\"minimizeLatency\":false}");
        let counted = wire::ImportBulkRelationshipsResponse { num_loaded: u64::MAX };
        let counted = rendered("authzed.api.v1.ImportBulkRelationshipsResponse", &counted);
        assert_eq!(counted.unwrap(), "{\"numLoaded\":\"18446744073709551615\"}");
        let list = rendered("authzed.api.v1.PartialCaveatInfo", &wire::PartialCaveatInfo::default());
        assert_eq!(list.unwrap(), "{\"missingRequiredContext\":[]}");
        let unknown = wire::CheckPermissionResponse { permissionship: 77, ..Default::default() };
        let unknown = rendered("authzed.api.v1.CheckPermissionResponse", &unknown).unwrap();
        assert!(unknown.contains("\"permissionship\":77"), "{unknown}");
    }

    #[test]
    fn packed_enums_and_nested_structs_are_read() {
        let request = wire::WatchRequest { optional_update_kinds: vec![1, 3, 9], ..Default::default() };
        let text = rendered("authzed.api.v1.WatchRequest", &request).unwrap();
        let kinds = "[\"WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES\",\"WATCH_KIND_INCLUDE_CHECKPOINTS\",9]";
        assert!(text.contains(kinds), "{text}");
        let list = prost_types::ListValue {
            values: vec![
                kind(ValueKind::NumberValue(1.0)),
                kind(ValueKind::NullValue(0)),
                prost_types::Value::default(),
            ],
        };
        let given = structure([
            ("z", ValueKind::BoolValue(true)),
            ("a", ValueKind::StringValue("<é\"\n\u{1}>".into())),
            ("l", ValueKind::ListValue(list)),
            ("o", ValueKind::StructValue(structure([("k", ValueKind::NumberValue(0.5))]))),
        ]);
        assert_eq!(
            rendered("google.protobuf.Struct", &given).unwrap(),
            "{\"a\":\"<é\\\"\\n\\u0001>\",\"l\":[1,null,null],\"o\":{\"k\":0.5},\"z\":true}"
        );
    }

    #[test]
    fn numbers_have_the_form_of_javascript() {
        for (value, written) in [
            (7.0, "7"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (123_456_789_012_345_678_901.0, "123456789012345680000"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (-2.5e-9, "-2.5e-9"),
        ] {
            assert_eq!(number(value), written);
            assert_eq!(serde_json::from_str::<f64>(written).unwrap(), value);
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = rendered("google.protobuf.Value", &kind(ValueKind::NumberValue(value))).unwrap_err();
            assert!(matches!(error, Unwritable::NoNumber(_)), "{error}");
        }
    }

    #[test]
    fn details_have_their_type_and_unknown_ones_their_bytes() {
        let info = tonic_types::pb::ErrorInfo {
            reason: "R".into(),
            domain: "D".into(),
            metadata: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
        };
        let detail = |url: &str, value: Vec<u8>| prost_types::Any { type_url: url.into(), value };
        let status = rpc::Status {
            code: 9,
            message: "no".into(),
            details: vec![
                detail("type.googleapis.com/google.rpc.ErrorInfo", info.encode_to_vec()),
                detail("type.googleapis.com/made.up.Type", vec![1, 2]),
                detail(
                    "type.googleapis.com/google.protobuf.Duration",
                    prost_types::Duration { seconds: 1, nanos: 500_000_000 }.encode_to_vec(),
                ),
                detail("", Vec::new()),
            ],
        };
        assert_eq!(
            rendered("google.rpc.Status", &status).unwrap(),
            "{\"code\":9,\"message\":\"no\",\"details\":[\
             {\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"R\",\"domain\":\"D\",\
             \"metadata\":{\"a\":\"1\",\"b\":\"2\"}},\
             {\"@type\":\"type.googleapis.com/made.up.Type\",\"value\":\"AQI=\"},\
             {\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1.500s\"},{}]}"
        );
    }

    #[test]
    fn what_is_too_deep_or_broken_is_an_error() {
        let mut deep = structure([]);
        for _ in 0..200 {
            deep = structure([("a", ValueKind::StructValue(deep))]);
        }
        assert_eq!(rendered("google.protobuf.Struct", &deep).unwrap_err(), Unwritable::TooDeep);
        let mut deep = structure([]);
        for _ in 0..100 {
            deep = structure([("a", ValueKind::StructValue(deep))]);
        }
        assert!(rendered("google.protobuf.Struct", &deep).is_ok());
        let table = table();
        let descriptor = table.renderer().pool.get_message_by_name("authzed.api.v1.ZedToken").unwrap();
        for broken in [&[0x0a, 5, 1][..], &[0x0a, 1, 0xff], &[0x08, 1]] {
            let written = table.renderer().message(&mut String::new(), &descriptor, broken);
            assert_eq!(written.unwrap_err(), Unwritable::Malformed(Malformed));
        }
        let late = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        let late = rendered("google.protobuf.Timestamp", &late).unwrap_err();
        assert!(matches!(late, Unwritable::NoInstant { .. }));
    }
}
