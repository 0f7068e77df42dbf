//! JSON's scalars as the values of scalar fields.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{FieldDescriptor, Kind};

use crate::raw::{put_bytes, put_fixed32, put_fixed64, put_varint};

/// The whole number below which a double holds every other one exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Either padded or not.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A scalar in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

/// A number in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl std::fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Bool(value) => write!(f, "{value}"),
            Scalar::Number(Number::Whole(value)) => write!(f, "{value}"),
            Scalar::Number(Number::Float(value)) => write!(f, "{value}"),
            Scalar::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// A value that the field does not take.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the field `{field}` takes {form}, not {given}")]
    Form { field: String, form: &'static str, given: String },
    #[error("`{given}` is no value of `{name}`, which the field `{field}` takes")]
    EnumName { field: String, name: String, given: String },
}

/// What a field of this kind takes, in words.
pub(super) fn form(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false",
        Kind::String => "text",
        Kind::Bytes => "base64 text",
        Kind::Float | Kind::Double => "a number",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits with a sign",
        Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits without a sign",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits with a sign",
        Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits without a sign",
        Kind::Enum(_) => "the name or number of a value",
        Kind::Message(_) => "an object",
    }
}

impl Scalar<'_> {
    /// Appends the field with this value. Numbers may be text, as 64-bit ones must be to survive JavaScript.
    pub(super) fn put(self, out: &mut Vec<u8>, field: &FieldDescriptor) -> Result<(), Unfit> {
        let kind = field.kind();
        let number = field.number();
        if let (Kind::Enum(values), Scalar::Text(name)) = (&kind, self) {
            let value = values.get_value_by_name(name).ok_or_else(|| Unfit::EnumName {
                field: field.json_name().to_owned(),
                name: values.full_name().to_owned(),
                given: name.to_owned(),
            })?;
            put_varint(out, number, i64::from(value.number()).cast_unsigned());
            return Ok(());
        }
        self.encode(out, number, &kind).ok_or_else(|| Unfit::Form {
            field: field.json_name().to_owned(),
            form: form(&kind),
            given: self.to_string(),
        })
    }

    fn encode(self, out: &mut Vec<u8>, number: u32, kind: &Kind) -> Option<()> {
        match kind {
            Kind::Bool => match self {
                Scalar::Bool(value) => put_varint(out, number, value.into()),
                _ => return None,
            },
            Kind::String => put_bytes(out, number, self.text()?.as_bytes()),
            Kind::Bytes => {
                let text = self.text()?;
                let bytes = BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)).ok()?;
                put_bytes(out, number, &bytes);
            }
            Kind::Double => put_fixed64(out, number, self.float()?.to_bits()),
            Kind::Float => put_fixed32(out, number, narrow(self.float()?)?.to_bits()),
            Kind::Int32 | Kind::Enum(_) => {
                put_varint(out, number, i64::from(i32::try_from(self.whole()?).ok()?).cast_unsigned());
            }
            Kind::Int64 => put_varint(out, number, i64::try_from(self.whole()?).ok()?.cast_unsigned()),
            Kind::Uint32 => put_varint(out, number, u32::try_from(self.whole()?).ok()?.into()),
            Kind::Uint64 => put_varint(out, number, u64::try_from(self.whole()?).ok()?),
            Kind::Sint32 => put_varint(out, number, zigzag(i32::try_from(self.whole()?).ok()?.into())),
            Kind::Sint64 => put_varint(out, number, zigzag(i64::try_from(self.whole()?).ok()?)),
            Kind::Fixed32 => put_fixed32(out, number, u32::try_from(self.whole()?).ok()?),
            Kind::Fixed64 => put_fixed64(out, number, u64::try_from(self.whole()?).ok()?),
            Kind::Sfixed32 => put_fixed32(out, number, i32::try_from(self.whole()?).ok()?.cast_unsigned()),
            Kind::Sfixed64 => put_fixed64(out, number, i64::try_from(self.whole()?).ok()?.cast_unsigned()),
            Kind::Message(_) => return None,
        }
        Some(())
    }

    fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, if it is one exactly: 5, 5.0, 1e1, and the same as text.
    fn whole(self) -> Option<i128> {
        match self.number()? {
            Number::Whole(value) => Some(value),
            Number::Float(value) if value.fract() == 0.0 && value.abs() < EXACT_MAX => Some(value as i128),
            Number::Float(_) => None,
        }
    }

    fn float(self) -> Option<f64> {
        if let Scalar::Text(name) = self {
            match name {
                "NaN" => return Some(f64::NAN),
                "Infinity" => return Some(f64::INFINITY),
                "-Infinity" => return Some(f64::NEG_INFINITY),
                _ => {}
            }
        }
        match self.number()? {
            Number::Whole(value) => Some(value as f64),
            Number::Float(value) => Some(value),
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Scalar::Bool(_) => None,
            Scalar::Number(number) => Some(number),
            // JSON's own grammar, without the blanks it allows around a value.
            Scalar::Text(text) if text.trim_ascii().len() == text.len() => {
                let number: serde_json::Number = serde_json::from_str(text).ok()?;
                number.as_i128().map(Number::Whole).or_else(|| number.as_f64().map(Number::Float))
            }
            Scalar::Text(_) => None,
        }
    }
}

/// A double as a float, unless it is finite and too large for one.
fn narrow(value: f64) -> Option<f32> {
    let narrowed = value as f32;
    (narrowed.is_finite() || !value.is_finite()).then_some(narrowed)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(kind: Kind, scalar: Scalar<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        scalar.encode(&mut out, 1, &kind).map(|()| out)
    }

    fn whole(text: &str) -> Option<i128> {
        Scalar::Text(text).whole()
    }

    #[test]
    fn numbers_are_read_from_text_in_every_form_json_has() {
        for (text, value) in
            [("5", 5), ("5.0", 5), ("1e1", 10), ("-3", -3), ("18446744073709551615", u64::MAX.into())]
        {
            assert_eq!(whole(text), Some(value), "{text}");
        }
        for text in ["", " 5", "5 ", "+5", "5.5", "0x5", "inf", "NaN", "1e400", "9007199254740993.0", "٣"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn every_kind_has_its_bounds() {
        let number = |value: i128| Scalar::Number(Number::Whole(value));
        for (kind, low, high) in [
            (Kind::Int32, i128::from(i32::MIN), i128::from(i32::MAX)),
            (Kind::Sint32, i128::from(i32::MIN), i128::from(i32::MAX)),
            (Kind::Sfixed32, i128::from(i32::MIN), i128::from(i32::MAX)),
            (Kind::Uint32, 0, i128::from(u32::MAX)),
            (Kind::Fixed32, 0, i128::from(u32::MAX)),
            (Kind::Int64, i128::from(i64::MIN), i128::from(i64::MAX)),
            (Kind::Sint64, i128::from(i64::MIN), i128::from(i64::MAX)),
            (Kind::Sfixed64, i128::from(i64::MIN), i128::from(i64::MAX)),
            (Kind::Uint64, 0, i128::from(u64::MAX)),
            (Kind::Fixed64, 0, i128::from(u64::MAX)),
        ] {
            assert!(
                encode(kind.clone(), number(low)).is_some() && encode(kind.clone(), number(high)).is_some()
            );
            assert!(
                encode(kind.clone(), number(low - 1)).is_none() && encode(kind, number(high + 1)).is_none()
            );
        }
        assert!(encode(Kind::Bool, number(1)).is_none());
        assert!(encode(Kind::String, number(1)).is_none());
        assert!(encode(Kind::Float, Scalar::Number(Number::Float(1e300))).is_none());
        assert!(encode(Kind::Float, Scalar::Text("Infinity")).is_some());
    }

    #[test]
    fn zigzag_and_bytes_are_as_protobuf_has_them() {
        let number = |value: i128| Scalar::Number(Number::Whole(value));
        assert_eq!(encode(Kind::Sint32, number(-1)).unwrap(), [8, 1]);
        assert_eq!(encode(Kind::Sint64, number(1)).unwrap(), [8, 2]);
        for text in ["-_8=", "-_8", "+/8=", "+/8"] {
            assert_eq!(encode(Kind::Bytes, Scalar::Text(text)).unwrap(), [10, 2, 0xfb, 0xff], "{text}");
        }
        assert!(encode(Kind::Bytes, Scalar::Text("!")).is_none());
    }
}
