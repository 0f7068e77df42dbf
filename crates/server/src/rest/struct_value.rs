//! Free-form JSON to the bytes of `google.protobuf.Struct`, `Value` and `ListValue`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::read::deeper;
use crate::raw::{put_bytes, put_fixed64, put_varint};

/// The numbers of the fields of `Value`.
pub(super) const NULL_FIELD: u32 = 1;
pub(super) const NUMBER_FIELD: u32 = 2;
pub(super) const STRING_FIELD: u32 = 3;
pub(super) const BOOL_FIELD: u32 = 4;
pub(super) const STRUCT_FIELD: u32 = 5;
pub(super) const LIST_FIELD: u32 = 6;
/// The numbers of a map entry's fields.
pub(super) const KEY_FIELD: u32 = 1;
pub(super) const ENTRY_FIELD: u32 = 2;
/// The only field of `Struct` and of `ListValue`.
pub(super) const ONLY_FIELD: u32 = 1;

/// The encoding of a `Value` that is null.
pub(super) const NULL: &[u8] = &[0x08, 0];

/// An object, appended without a tag.
pub(super) struct Struct<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for Struct<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Struct<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys: HashSet<String> = HashSet::new();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let depth = deeper(deeper(self.depth)?)?;
            let mut value = Vec::new();
            map.next_value_seed(Value { out: &mut value, depth })?;
            let mut entry = Vec::with_capacity(key.len() + value.len() + 12);
            put_bytes(&mut entry, KEY_FIELD, key.as_bytes());
            put_bytes(&mut entry, ENTRY_FIELD, &value);
            put_bytes(self.out, ONLY_FIELD, &entry);
            let key = key.into_owned();
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is given twice")));
            }
            keys.insert(key);
        }
        Ok(())
    }
}

/// Any value, appended without a tag.
pub(super) struct Value<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.out.extend_from_slice(NULL);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        put_varint(self.out, BOOL_FIELD, value.into());
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        // A Value holds every number as a double.
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        put_fixed64(self.out, NUMBER_FIELD, value.to_bits());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        put_bytes(self.out, STRING_FIELD, value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        let mut list = Vec::new();
        List { out: &mut list, depth: deeper(self.depth)? }.visit_seq(elements)?;
        put_bytes(self.out, LIST_FIELD, &list);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut nested = Vec::new();
        Struct { out: &mut nested, depth: deeper(self.depth)? }.visit_map(map)?;
        put_bytes(self.out, STRUCT_FIELD, &nested);
        Ok(())
    }
}

/// An array, appended without a tag.
pub(super) struct List<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        loop {
            let mut value = Vec::new();
            if elements.next_element_seed(Value { out: &mut value, depth })?.is_none() {
                return Ok(());
            }
            put_bytes(self.out, ONLY_FIELD, &value);
        }
    }
}
