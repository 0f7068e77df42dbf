//! Protobuf's encoding as numbered fields, without knowing what they mean.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// A field's value as it stands in the encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Eight bytes.
    Fixed64(u64),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    /// What a field of text, bytes or a message holds.
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Raw::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }
}

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not valid protobuf")]
pub(crate) struct Malformed;

/// The fields of a message, in the order of the encoding.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Fields<'a> {
        Fields(message)
    }

    /// A field with a number below 16 and a value of less than 128 bytes, as most are, if it comes next.
    #[inline]
    fn read_short(&mut self) -> Option<(u32, Raw<'a>)> {
        let ([key @ 0x0a..=0x7a, length @ ..=0x7f], rest) = self.0.split_first_chunk::<2>()? else {
            return None;
        };
        if key & 7 != WireType::LengthDelimited as u8 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
        self.0 = rest;
        Some((u32::from(key >> 3), Raw::Bytes(bytes)))
    }

    fn read(&mut self) -> Result<(u32, Raw<'a>), Malformed> {
        if let Some(short) = self.read_short() {
            return Ok(short);
        }
        let (number, wire_type) = decode_key(&mut self.0).map_err(|_| Malformed)?;
        let raw = match wire_type {
            WireType::Varint => Raw::Varint(varint(&mut self.0)?),
            WireType::ThirtyTwoBit => Raw::Fixed32(u32::from_le_bytes(take(&mut self.0)?)),
            WireType::SixtyFourBit => Raw::Fixed64(u64::from_le_bytes(take(&mut self.0)?)),
            WireType::LengthDelimited => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Raw::Bytes(bytes)
            }
            WireType::StartGroup | WireType::EndGroup => return Err(Malformed),
        };
        Ok((number, raw))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Raw<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            // Nothing after a broken field can be trusted.
            self.0 = &[];
        }
        Some(read)
    }
}

/// Takes a number of variable length from the front.
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    decode_varint(bytes).map_err(|_| Malformed)
}

/// Takes bytes of a fixed length from the front.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*taken)
}

/// Appends a field of variable length.
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

/// Appends a field of four bytes.
pub(crate) fn put_fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    encode_key(number, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field of eight bytes.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    encode_key(number, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends text, bytes or a message.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(u64::try_from(value.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_trip() {
        let mut out = Vec::new();
        put_varint(&mut out, 1, 300);
        put_fixed32(&mut out, 2, 7);
        put_fixed64(&mut out, 3, u64::MAX);
        put_bytes(&mut out, 4, b"text");
        let read: Vec<_> = Fields::new(&out).map(Result::unwrap).collect();
        let expected = "[(1, Varint(300)), (2, Fixed32(7)), (3, Fixed64(18446744073709551615)), (4, Bytes([116, 101, 120, 116]))]";
        assert_eq!(format!("{read:?}"), expected);
    }

    #[test]
    fn broken_bytes_are_refused_once() {
        for broken in [&[0x0a, 5, 1][..], &[0x08], &[0x0b], &[0x0d, 1, 2], &[0x00, 1], &[0x0a, 0xff]] {
            let read: Vec<_> = Fields::new(broken).collect();
            assert_eq!(read.len(), 1, "{broken:?}");
            assert_eq!(read[0].err(), Some(Malformed));
        }
    }
}
