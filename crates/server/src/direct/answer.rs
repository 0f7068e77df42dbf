//! Answers written without building their messages.

use bytes::{BufMut as _, Bytes, BytesMut};
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::fields::field_len;

/// Bytes that a pair with its request takes, mostly.
const PAIR_BYTES: usize = 96;

/// `CheckBulkPermissionsResponse`: each request as it came, with its answer.
pub(crate) fn bulk_answer<'a>(
    token: &str,
    pairs: impl ExactSizeIterator<Item = (&'a [u8], Response)>,
) -> Bytes {
    let mut out = BytesMut::with_capacity(token.len() + pairs.len() * PAIR_BYTES);
    start(&mut out, 1, field_len(token.len()));
    field(&mut out, 1, token.as_bytes());
    for (request, response) in pairs {
        let length = field_len(request.len()) + response.encoded_len();
        start(&mut out, 2, length);
        field(&mut out, 1, request);
        response.encode(&mut out);
    }
    out.freeze()
}

fn start(out: &mut BytesMut, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

fn field(out: &mut BytesMut, number: u32, bytes: &[u8]) {
    start(out, number, bytes.len());
    out.put_slice(bytes);
}
