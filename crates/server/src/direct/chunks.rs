//! Streams as chunks of ready frames, so that what sends them has nothing to do for each message.

use bytes::{Bytes, BytesMut};
use pemba_proto::authzed::api::v1::LookupPermissionship;
use prost::Message;

use super::answer::{NUMBER_BYTES, field, number, start};
use super::fields::field_len;
use super::frames::{HEAD_BYTES, put_head};
use crate::stream::{Gathered, GatheredResources};

/// Bytes of a chunk; one message alone may be longer.
const CHUNK_BYTES: usize = 32 * 1024;

/// Messages in their frames, in chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    done: Vec<Bytes>,
    open: BytesMut,
}

impl Chunks {
    /// Begins a frame with a message of so many bytes, in a chunk that has room for it.
    fn begin(&mut self, length: usize) -> &mut BytesMut {
        let bytes = HEAD_BYTES + length;
        if self.open.len() + bytes > CHUNK_BYTES && !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open).freeze());
        }
        if self.open.is_empty() {
            self.open.reserve(bytes.max(CHUNK_BYTES));
        }
        put_head(&mut self.open, length);
        &mut self.open
    }
}

impl<M: Message> Gathered<M> for Chunks {
    type Part = Bytes;
    const MESSAGES_MAX: usize = 2048;

    fn push(&mut self, message: M) {
        let out = self.begin(message.encoded_len());
        message.encode_raw(out);
    }

    fn parts(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.done.push(self.open.freeze());
        }
        self.done
    }
}

impl GatheredResources for Chunks {
    fn push_granted(&mut self, looked_up_at: &str, id: &str, cursor: &str) {
        let (at, cursor_bytes) = (field_len(looked_up_at.len()), field_len(cursor.len()));
        let length = field_len(at) + field_len(id.len()) + NUMBER_BYTES + field_len(cursor_bytes);
        let out = self.begin(length);
        start(out, 1, at);
        field(out, 1, looked_up_at.as_bytes());
        field(out, 2, id.as_bytes());
        number(out, 3, LookupPermissionship::HasPermission as u8);
        start(out, 5, cursor_bytes);
        field(out, 1, cursor.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use pemba_proto::authzed::api::v1::LookupResourcesResponse;

    use super::*;

    fn frames(chunks: &[Bytes]) -> Vec<LookupResourcesResponse> {
        let mut messages = Vec::new();
        for chunk in chunks {
            let mut left = &chunk[..];
            while let Some(([0, length @ ..], rest)) = left.split_first_chunk::<HEAD_BYTES>() {
                let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
                messages.push(LookupResourcesResponse::decode(message).unwrap());
                left = rest;
            }
            assert!(left.is_empty());
        }
        messages
    }

    #[test]
    fn what_is_written_by_hand_is_what_the_generated_code_writes() {
        let (mut direct, mut generated, mut messages) = (Chunks::default(), Chunks::default(), Vec::new());
        for number in 0..2_000 {
            let (id, cursor) = (format!("{number:0$}", 1 + number % 300), "c".repeat(number % 200 + 1));
            direct.push_granted("a token", &id, &cursor);
            messages.push_granted("a token", &id, &cursor);
        }
        for message in messages.clone() {
            generated.push(message);
        }
        let parts = |chunks| <Chunks as Gathered<LookupResourcesResponse>>::parts(chunks);
        let chunks = parts(direct);
        assert_eq!(chunks, parts(generated));
        assert_eq!(frames(&chunks), messages);
        assert!(chunks.len() > 10 && chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
        let long = LookupResourcesResponse { resource_object_id: "x".repeat(40_000), ..Default::default() };
        let mut alone = Chunks::default();
        alone.push(long.clone());
        assert_eq!(frames(&parts(alone)), [long]);
        assert!(parts(Chunks::default()).is_empty());
    }
}
