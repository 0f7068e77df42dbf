//! The few fields of answers that matter, found without decoding the rest.

/// The value of a field: a number, or the bytes of a message or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message in order; ends early at what is no message.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

/// The last number in a field, 0 when there is none.
pub(crate) fn number(message: &[u8], field: u64) -> u64 {
    let numbers = Fields(message).filter_map(|(number, value)| match value {
        Value::Number(value) if number == field => Some(value),
        _ => None,
    });
    numbers.last().unwrap_or(0)
}

/// The first bytes in a field.
pub(crate) fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    Fields(message).find_map(|(number, value)| match value {
        Value::Bytes(value) if number == field => Some(value),
        _ => None,
    })
}

/// The whole messages at the front of a gRPC body; what is left is the rest of one that has not arrived.
pub(crate) fn messages<'a>(body: &mut &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = body.split_first_chunk::<5>()?;
        let [_, a, b, c, d] = *head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let (message, rest) = rest.split_at_checked(length)?;
        *body = rest;
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use pemba_proto::authzed::api::v1 as wire;
    use prost::Message as _;

    use super::*;

    #[test]
    fn fields_are_found() {
        let answer = wire::CheckPermissionResponse {
            checked_at: Some(wire::ZedToken { token: "x".repeat(300) }),
            permissionship: 2,
            ..Default::default()
        };
        let encoded = answer.encode_to_vec();
        assert_eq!(number(&encoded, 2), 2);
        assert_eq!(number(&encoded, 9), 0);
        assert_eq!(bytes(bytes(&encoded, 1).unwrap(), 1).unwrap().len(), 300);
        assert_eq!(number(&[0xff; 30], 2), 0);
    }

    #[test]
    fn messages_come_whole() {
        let body = [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8];
        let mut rest = &body[..];
        let found: Vec<&[u8]> = messages(&mut rest).collect();
        assert_eq!(found, [&[7][..], &[]]);
        assert_eq!(rest.len(), 6);
    }
}
