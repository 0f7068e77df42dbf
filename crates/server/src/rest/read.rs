//! JSON to protobuf: the body of a request, straight into the bytes of its message.

use std::borrow::Cow;
use std::fmt;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::{Number, Scalar};
use super::{instant, struct_value};
use crate::raw::{put_bytes, put_varint};

/// Deepest nesting of messages; deeper ones the services would refuse to decode. Every level of a Struct is three.
pub(super) const MESSAGES_NESTED_MAX: usize = 100;

/// JSON that is not the message asked for; says where, by line and column.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the JSON of `{message}`: {source}")]
pub(super) struct Unreadable {
    message: String,
    #[source]
    source: serde_json::Error,
}

/// The message whose JSON this is. No JSON at all is the empty message. Unknown fields are ignored; a second value,
/// an unknown enum value, a field given twice, and a wrong type are errors.
pub(super) fn read(json: &[u8], descriptor: &MessageDescriptor) -> Result<Vec<u8>, Unreadable> {
    let mut out = Vec::with_capacity(json.len());
    if json.trim_ascii().is_empty() {
        return Ok(out);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = Message { descriptor, out: &mut out, depth: 0 };
    message
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|source| Unreadable { message: descriptor.full_name().to_owned(), source })?;
    Ok(out)
}

/// One message, appended without a tag.
struct Message<'a> {
    descriptor: &'a MessageDescriptor,
    out: &'a mut Vec<u8>,
    depth: usize,
}

/// The depth of what is nested in a message at this depth.
pub(super) fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth < MESSAGES_NESTED_MAX {
        Ok(depth + 1)
    } else {
        Err(E::custom(format!(
            "more than {MESSAGES_NESTED_MAX} messages are nested (a Struct is three a level)"
        )))
    }
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.descriptor.full_name() {
            "google.protobuf.Timestamp" => deserializer.deserialize_str(Timestamp(self.out)),
            "google.protobuf.Struct" => {
                struct_value::Struct { out: self.out, depth: self.depth }.deserialize(deserializer)
            }
            "google.protobuf.Value" => {
                struct_value::Value { out: self.out, depth: self.depth }.deserialize(deserializer)
            }
            "google.protobuf.ListValue" => {
                struct_value::List { out: self.out, depth: self.depth }.deserialize(deserializer)
            }
            _ => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object for `{}`", self.descriptor.full_name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut given: Vec<FieldDescriptor> = Vec::new();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let named = self.descriptor.get_field_by_json_name(&key);
            let Some(field) = named.or_else(|| self.descriptor.get_field_by_name(&key)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let depth = self.depth;
            if !map.next_value_seed(Nullable { field: &field, out: self.out, depth })? {
                continue;
            }
            if given.contains(&field) {
                return Err(A::Error::custom(format!("the field `{key}` is given twice")));
            }
            let oneof = field.containing_oneof();
            let rival = given.iter().find(|other| oneof.is_some() && other.containing_oneof() == oneof);
            if let Some(rival) = rival {
                let message =
                    format!("only one of `{}` and `{}` can be given", rival.json_name(), field.json_name());
                return Err(A::Error::custom(message));
            }
            given.push(field);
        }
        Ok(())
    }
}

/// A field's value or null. Whether it was a value.
struct Nullable<'a> {
    field: &'a FieldDescriptor,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Nullable<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Nullable<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for the field `{}`", self.field.json_name())
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        let is_value = |message: &MessageDescriptor| message.full_name() == "google.protobuf.Value";
        if self.field.kind().as_message().is_some_and(is_value) && !self.field.is_list() {
            put_bytes(self.out, self.field.number(), struct_value::NULL);
            return Ok(true);
        }
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Nullable { field, out, depth } = self;
        if field.is_list() {
            deserializer.deserialize_seq(Elements { field, out, depth })?;
        } else {
            Single { field, out, depth }.deserialize(deserializer)?;
        }
        Ok(true)
    }
}

/// The elements of a repeated field, each with its tag.
struct Elements<'a> {
    field: &'a FieldDescriptor,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array for the field `{}`", self.field.json_name())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements
            .next_element_seed(Single { field: self.field, out: &mut *self.out, depth: self.depth })?
            .is_some()
        {}
        Ok(())
    }
}

/// One value of a field, with its tag.
struct Single<'a> {
    field: &'a FieldDescriptor,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind() {
            Kind::Message(descriptor) => {
                let mut nested = Vec::new();
                let depth = deeper(self.depth)?;
                Message { descriptor: &descriptor, out: &mut nested, depth }.deserialize(deserializer)?;
                put_bytes(self.out, self.field.number(), &nested);
                Ok(())
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl Single<'_> {
    fn put<E: Error>(self, scalar: Scalar<'_>) -> Result<(), E> {
        scalar.put(self.out, self.field).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Single<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for the field `{}`", super::scalar::form(&self.field.kind()), self.field.json_name())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(Scalar::Number(Number::Whole(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(Scalar::Number(Number::Whole(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(Scalar::Number(Number::Float(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.put(Scalar::Text(value))
    }
}

/// An instant, appended without a tag.
struct Timestamp<'a>(&'a mut Vec<u8>);

impl Visitor<'_> for Timestamp<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as RFC 3339 text")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let Some((seconds, nanos)) = instant::parse(value) else {
            return Err(E::custom(format!(
                "`{value}` is not a time of the years 1 to 9999 in RFC 3339 form, such as 2030-01-31T12:00:00Z"
            )));
        };
        put_varint(self.0, 1, seconds.cast_unsigned());
        put_varint(self.0, 2, i64::from(nanos).cast_unsigned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pemba_proto::authzed::api::v1 as wire;
    use prost::Message as _;

    use super::*;

    fn descriptor(name: &str) -> MessageDescriptor {
        let pool = prost_reflect::DescriptorPool::decode(pemba_proto::FILE_DESCRIPTOR_SET).unwrap();
        pool.get_message_by_name(&format!("authzed.api.v1.{name}")).unwrap()
    }

    fn check(json: &str) -> Result<wire::CheckPermissionRequest, String> {
        let bytes = read(json.as_bytes(), &descriptor("CheckPermissionRequest"));
        let bytes = bytes.map_err(|error| error.to_string())?;
        Ok(wire::CheckPermissionRequest::decode(bytes.as_slice()).unwrap())
    }

    fn refused(json: &str, part: &str) {
        let error = check(json).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(error.starts_with("the body is not the JSON of `authzed.api.v1.CheckPermissionRequest`: "));
    }

    #[test]
    fn both_spellings_of_a_field_are_read() {
        let camel =
            check(r#"{"resource":{"objectType":"document","objectId":"a"},"withTracing":true}"#).unwrap();
        let snake =
            check(r#"{"resource":{"object_type":"document","object_id":"a"},"with_tracing":true}"#).unwrap();
        assert_eq!(camel, snake);
        assert_eq!(camel.resource.unwrap().object_id, "a");
        assert!(camel.with_tracing);
    }

    #[test]
    fn nothing_and_null_are_what_is_not_given() {
        for json in
            ["", " \n", "{}", r#"{"resource":null,"permission":null,"consistency":null,"context":null}"#]
        {
            assert_eq!(check(json).unwrap(), wire::CheckPermissionRequest::default(), "{json}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_whatever_they_hold() {
        let read = check(r#"{"@type":"x","more":{"a":[1,{"b":null}]},"permission":"view"}"#).unwrap();
        assert_eq!(read.permission, "view");
    }

    #[test]
    fn a_context_is_any_json() {
        let json = r#"{"context":{"n":null,"b":true,"i":-3,"f":1.5,"big":123456789012345678901,"s":"é","l":[1,[],{}],"o":{"k":"v"}}}"#;
        let context = check(json).unwrap().context.unwrap();
        use prost_types::value::Kind;
        let kind = |name: &str| context.fields.get(name).unwrap().kind.clone().unwrap();
        assert_eq!(kind("n"), Kind::NullValue(0));
        assert_eq!(kind("b"), Kind::BoolValue(true));
        assert_eq!(kind("i"), Kind::NumberValue(-3.0));
        assert_eq!(kind("f"), Kind::NumberValue(1.5));
        assert_eq!(kind("big"), Kind::NumberValue(123_456_789_012_345_680_000.0));
        assert_eq!(kind("s"), Kind::StringValue("é".into()));
        let Kind::ListValue(list) = kind("l") else { panic!() };
        assert_eq!(list.values.len(), 3);
        let Kind::StructValue(nested) = kind("o") else { panic!() };
        assert_eq!(nested.fields["k"].kind, Some(Kind::StringValue("v".into())));
    }

    #[test]
    fn errors_name_the_field_and_the_place() {
        refused("[]", "expected an object for `authzed.api.v1.CheckPermissionRequest` at line 1 column 0");
        refused("{", "EOF while parsing");
        refused("{}{}", "trailing characters at line 1 column 3");
        refused("{} x", "trailing characters");
        refused(
            r#"{"resource":5}"#,
            "invalid type: integer `5`, expected an object for `authzed.api.v1.ObjectReference`",
        );
        refused(r#"{"permission":5}"#, "the field `permission` takes text, not 5");
        refused(r#"{"withTracing":"true"}"#, "the field `withTracing` takes true or false, not \"true\"");
        refused(r#"{"permission":[]}"#, "invalid type: sequence, expected text for the field `permission`");
        refused(r#"{"permission":"a","permission":"b"}"#, "the field `permission` is given twice");
        refused(r#"{"with_tracing":true,"withTracing":true}"#, "the field `withTracing` is given twice");
        refused(r#"{"context":[]}"#, "expected an object");
        refused(r#"{"context":{"a":1,"a":2}}"#, "the key `a` is given twice");
        refused(
            r#"{"consistency":{"fullyConsistent":true,"minimizeLatency":true}}"#,
            "only one of `fullyConsistent` and `minimizeLatency` can be given",
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = read(b"{\"permission\":\"\xff\"}", &descriptor("CheckPermissionRequest")).unwrap_err();
        assert!(error.to_string().contains("invalid unicode"), "{error}");
        assert!(read(b"\xef\xbb\xbf{}", &descriptor("CheckPermissionRequest")).is_err());
    }

    #[test]
    fn what_is_read_can_be_decoded_and_what_is_too_deep_is_said() {
        let nested =
            |levels: usize| format!("{{\"context\":{}1{}}}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let deepest = (1..60).take_while(|levels| check(&nested(*levels)).is_ok()).last().unwrap();
        assert_eq!(deepest, 33);
        for levels in [34, 100] {
            refused(&nested(levels), "more than 100 messages are nested");
        }
        refused(&nested(100_000), "more than 100 messages are nested");
        let lists =
            |levels: usize| format!("{{\"context\":{{\"a\":{}{}}}}}", "[".repeat(levels), "]".repeat(levels));
        let deepest = (1..60).take_while(|levels| check(&lists(*levels)).is_ok()).last().unwrap();
        assert_eq!(deepest, 48);
        refused(&format!("{{\"x\":{}", "[".repeat(100_000)), "EOF while parsing");
    }

    #[test]
    fn enums_are_names_or_numbers_and_instants_are_text() {
        let read = |operation: &str| {
            let json = format!(
                r#"{{"updates":[{{"operation":{operation},"relationship":{{"optionalExpiresAt":"2030-01-01T00:00:00.5Z"}}}}]}}"#
            );
            let bytes = read(json.as_bytes(), &descriptor("WriteRelationshipsRequest"))
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(wire::WriteRelationshipsRequest::decode(bytes.as_slice()).unwrap())
        };
        for operation in ["\"OPERATION_TOUCH\"", "2", "2.0"] {
            let update = read(operation).unwrap().updates.remove(0);
            assert_eq!(update.operation, 2);
            let expires_at = update.relationship.unwrap().optional_expires_at.unwrap();
            assert_eq!((expires_at.seconds, expires_at.nanos), (1_893_456_000, 500_000_000));
        }
        assert_eq!(read("99").unwrap().updates[0].operation, 99);
        assert_eq!(read("null").unwrap().updates[0].operation, 0);
        for operation in ["\"TOUCH\"", "\"operation_touch\"", "\"2\""] {
            let error = read(operation).unwrap_err();
            assert!(
                error.contains("is no value of `authzed.api.v1.RelationshipUpdate.Operation`"),
                "{error}"
            );
        }
        assert!(
            read("2.5").unwrap_err().contains("the field `operation` takes the name or number of a value")
        );
        assert!(read("true").unwrap_err().contains("not true"));
    }
}
