//! The bytes of the journal: what a segment begins with, and a record.
//!
//! All numbers are big-endian. Every checksum begins with the journal's id, which nobody outside knows: bytes that a
//! client brings, and records of another journal, never look like a record.

use std::ops::Range;

/// Bytes in front of a segment's records. The header itself is shorter than a disk's unit of writing and stands alone in
/// its page, so that it is there as a whole or not at all.
pub(super) const HEADER_BYTES: usize = 4096;
/// Bytes in front of a record's payload.
pub(super) const HEAD_BYTES: usize = 24;
/// Records begin at multiples of this.
const ALIGNMENT: usize = 8;

const MAGIC: &[u8; 8] = b"pembajnl";
const VERSION: u32 = 1;
const HEADER_USED_BYTES: usize = 36;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its place in the journal, from 0.
    pub(super) segment: u32,
    /// The journal's.
    pub(super) id: u64,
    /// The sequence of its first record; 0 as long as it was never used.
    pub(super) first: u64,
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&checksum(0, &[&bytes]).to_be_bytes());
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }

    /// The header at the beginning of a segment; `None` if there is none that is whole.
    pub(super) fn decode(bytes: &[u8]) -> Option<Header> {
        let (used, sum) = bytes.get(..HEADER_USED_BYTES)?.split_last_chunk::<4>()?;
        let is_known = used.starts_with(MAGIC) && number32(used, 8)? == VERSION;
        if !is_known || u32::from_be_bytes(*sum) != checksum(0, &[used]) {
            return None;
        }
        Some(Header { segment: number32(used, 12)?, id: number64(used, 16)?, first: number64(used, 24)? })
    }
}

/// A record that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) sequence: u64,
    /// Where its payload is in the segment.
    pub(super) payload: Range<usize>,
    /// Where the next record begins.
    pub(super) end: usize,
}

impl Record {
    /// Replaces what `buffer` holds by a record.
    pub(super) fn encode(buffer: &mut Vec<u8>, id: u64, sequence: u64, payload: &[u8]) {
        let payload_sum = checksum(id, &[payload]).to_be_bytes();
        let sequence = sequence.to_be_bytes();
        let len = u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes();
        let head_sum = checksum(id, &[&payload_sum, &sequence, &len]).to_be_bytes();
        buffer.clear();
        for part in [&head_sum[..], &payload_sum, &sequence, &len, payload] {
            buffer.extend_from_slice(part);
        }
        buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
    }

    /// The record that begins at a place of a segment; `None` if there is none that is whole.
    pub(super) fn decode(segment: &[u8], at: usize, id: u64) -> Option<Record> {
        let head = segment.get(at..at.checked_add(HEAD_BYTES)?)?;
        if number32(head, 0)? != checksum(id, &[head.get(4..)?]) {
            return None;
        }
        let start = at.checked_add(HEAD_BYTES)?;
        let payload = start..start.checked_add(usize::try_from(number64(head, 16)?).ok()?)?;
        if number32(head, 4)? != checksum(id, &[segment.get(payload.clone())?]) {
            return None;
        }
        let end = payload.end.checked_next_multiple_of(ALIGNMENT)?;
        Some(Record { sequence: number64(head, 8)?, payload, end })
    }

    /// The first whole record at or behind a place whose sequence is at least `least`.
    pub(super) fn find(segment: &[u8], from: usize, id: u64, least: u64) -> Option<Record> {
        let places = (from..segment.len()).step_by(ALIGNMENT);
        places
            .filter(|at| number64(segment, at.saturating_add(8)).is_some_and(|sequence| sequence >= least))
            .find_map(|at| Record::decode(segment, at, id))
    }
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|number| u32::from_be_bytes(*number))
}

fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|number| u64::from_be_bytes(*number))
}

fn checksum(id: u64, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_be_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u64 = 0x0102_0304_0506_0708;

    #[test]
    fn bytes_are_frozen() {
        let header = Header { segment: 1, id: ID, first: 300 }.encode();
        assert_eq!(header.len(), HEADER_BYTES);
        let (used, rest) = header.split_at(HEADER_USED_BYTES);
        assert_eq!(
            used,
            b"pembajnl\0\0\0\x01\0\0\0\x01\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\0\x01\x2c\xea\x2f\x64\x14"
        );
        assert!(rest.iter().all(|byte| *byte == 0));
        let mut record = Vec::new();
        Record::encode(&mut record, ID, 300, b"twelve bytes");
        assert_eq!(
            record,
            b"\x44\xc1\xab\xa2\x5e\x8f\x26\x11\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\x0ctwelve bytes\0\0\0\0"
        );
    }

    proptest! {
        #[test]
        fn headers_and_records_round_trip(
            (id, sequence, segment) in any::<(u64, u64, u32)>(),
            payload in prop::collection::vec(any::<u8>(), 0..200),
            before in 0_usize..40,
        ) {
            let header = Header { segment, id, first: sequence };
            prop_assert_eq!(Header::decode(&header.encode()), Some(header));
            let mut record = Vec::new();
            Record::encode(&mut record, id, sequence, &payload);
            let at = before * 8;
            let bytes = [vec![0; at], record].concat();
            let decoded = Record::decode(&bytes, at, id).unwrap();
            prop_assert_eq!(&bytes[decoded.payload.clone()], &payload[..]);
            prop_assert_eq!((decoded.sequence, decoded.end), (sequence, bytes.len()));
            prop_assert_eq!(Record::find(&bytes, 0, id, sequence), Some(decoded));
            prop_assert_eq!(Record::find(&bytes, 0, id, sequence.saturating_add(1)).is_some(), sequence == u64::MAX);
            prop_assert_eq!(Record::decode(&bytes, at, id.wrapping_add(1)), None);
        }

        #[test]
        fn any_other_byte_is_noticed(
            payload in prop::collection::vec(any::<u8>(), 0..100),
            (place, change) in (any::<prop::sample::Index>(), 1_u8..),
        ) {
            let mut record = Vec::new();
            Record::encode(&mut record, ID, 7, &payload);
            let place = place.index(HEAD_BYTES + payload.len());
            record[place] ^= change;
            prop_assert_eq!(Record::decode(&record, 0, ID), None);
            let mut header = Header { segment: 0, id: ID, first: 1 }.encode();
            header[place % HEADER_USED_BYTES] ^= change;
            prop_assert_eq!(Header::decode(&header), None);
        }

        #[test]
        fn arbitrary_bytes_are_no_record(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Header::decode(&bytes), None);
            prop_assert_eq!(Record::find(&bytes, 0, ID, 0), None);
        }
    }
}
