//! Answers written without building their messages, each in its frame.

use bytes::{BufMut as _, Bytes, BytesMut};
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::fields::field_len;
use super::frames::{HEAD_BYTES, put_head};

/// Bytes that a pair with its request takes, mostly.
const PAIR_BYTES: usize = 128;
/// Bytes of a field with a number below 16 that holds one of less than 128.
pub(super) const NUMBER_BYTES: usize = 2;

/// `CheckPermissionResponse` with nothing but a token and what is granted.
pub(crate) fn check_answer(token: &str, permissionship: Permissionship) -> Bytes {
    let checked_at = field_len(token.len());
    let length = field_len(checked_at) + NUMBER_BYTES;
    let mut out = BytesMut::with_capacity(HEAD_BYTES + length);
    put_head(&mut out, length);
    start(&mut out, 1, checked_at);
    field(&mut out, 1, token.as_bytes());
    number(&mut out, 2, permissionship as u8);
    out.freeze()
}

/// What one item of a bulk check is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BulkAnswer {
    /// Nothing but what is granted.
    Plain(Permissionship),
    /// More than that.
    More(Box<Response>),
}

/// `CheckBulkPermissionsResponse`: each request as it came, with its answer.
pub(crate) fn bulk_answer<'a>(
    token: &str,
    pairs: impl ExactSizeIterator<Item = (&'a [u8], BulkAnswer)>,
) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + token.len() + pairs.len() * PAIR_BYTES);
    put_head(&mut out, 0);
    start(&mut out, 1, field_len(token.len()));
    field(&mut out, 1, token.as_bytes());
    for (request, answer) in pairs {
        match answer {
            BulkAnswer::Plain(permissionship) => {
                start(&mut out, 2, field_len(request.len()) + field_len(NUMBER_BYTES));
                field(&mut out, 1, request);
                start(&mut out, 2, NUMBER_BYTES);
                number(&mut out, 1, permissionship as u8);
            }
            BulkAnswer::More(response) => {
                start(&mut out, 2, field_len(request.len()) + response.encoded_len());
                field(&mut out, 1, request);
                response.encode(&mut out);
            }
        }
    }
    // How long it is, is known now.
    let length = out.len().saturating_sub(HEAD_BYTES);
    if let Some(mut head) = out.get_mut(..HEAD_BYTES) {
        head.put_u8(0);
        head.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    }
    out.freeze()
}

pub(super) fn start(out: &mut BytesMut, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

pub(super) fn field(out: &mut BytesMut, number: u32, bytes: &[u8]) {
    start(out, number, bytes.len());
    out.put_slice(bytes);
}

/// What is granted, which is never the 0 that would be left out.
pub(super) fn number(out: &mut BytesMut, number: u32, value: u8) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value.into(), out);
}
