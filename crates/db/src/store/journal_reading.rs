//! What a journal's segments hold: the records that the tables lack, or what is wrong with them.
//!
//! **Invariant: every record was durable before the next one was written, so only the last one can be torn. A record
//! that is not whole although a later one is there is damage, never a shorter history.**

use std::ops::Range;

use super::journal_record::{HEADER_BYTES, Header, Record};

/// The records beyond what the tables hold, in order, and what the journal goes on with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Sequence, segment and payload's place in it.
    pub(super) records: Vec<(u64, usize, Range<usize>)>,
    /// The segment to go on with, which is overwritten: the other one has the newest records.
    pub(super) next: usize,
    /// The last sequence that the journal or the tables have.
    pub(super) last: u64,
}

/// One segment as it was read.
struct Segment {
    number: usize,
    first: u64,
    records: Vec<Record>,
    /// The sequence of a whole record behind a place where none is.
    stray: Option<u64>,
}

/// Reads the segments of the journal with this id, given the last sequence that the tables hold. The error says what is
/// damaged.
pub(super) fn read(segments: &[Vec<u8>], id: u64, applied: u64) -> Result<Tail, String> {
    let mut used = Vec::new();
    for (number, bytes) in segments.iter().enumerate() {
        let header = Header::decode(bytes).ok_or_else(|| format!("segment {number} has no valid header"))?;
        if header.id != id {
            return Err(format!("segment {number} is of the journal of another store"));
        }
        if usize::try_from(header.segment) != Ok(number) {
            return Err(format!("segment {} is in the place of segment {number}", header.segment));
        }
        if header.first > 0 {
            used.push(walk(number, header.first, bytes, id));
        }
    }
    used.sort_by_key(|segment| segment.first);
    let next = match used.last() {
        Some(newest) if newest.records.is_empty() => newest.number,
        Some(newest) => usize::from(newest.number == 0),
        None => 0,
    };
    chain(&used, applied, next)
}

/// The records from the header on, as far as they follow one another.
fn walk(number: usize, first: u64, bytes: &[u8], id: u64) -> Segment {
    let (mut at, mut next, mut records) = (HEADER_BYTES, first, Vec::new());
    while let Some(record) = Record::decode(bytes, at, id).filter(|record| record.sequence == next) {
        at = record.end;
        next = next.saturating_add(1);
        records.push(record);
    }
    let stray = Record::find(bytes, at, id, next).map(|record| record.sequence);
    Segment { number, first, records, stray }
}

fn chain(used: &[Segment], applied: u64, go_on_with: usize) -> Result<Tail, String> {
    let mut last = applied;
    let mut wanted = Vec::new();
    let mut end = None;
    for Segment { number, first, records, stray } in used {
        if end.is_some_and(|end| *first < end) {
            return Err(format!(
                "segment {number} begins with record {first}, which another segment has too"
            ));
        }
        let next = last.saturating_add(1);
        if *first > next {
            return Err(format!("records {next} to {} are missing", first.saturating_sub(1)));
        }
        for record in records.iter().filter(|record| record.sequence > applied) {
            last = record.sequence;
            wanted.push((last, *number, record.payload.clone()));
        }
        let next = last.saturating_add(1);
        if let Some(stray) = stray.filter(|stray| *stray >= next) {
            return Err(format!("record {next} in segment {number} is not whole, but record {stray} is"));
        }
        end = Some(first.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX)));
    }
    Ok(Tail { records: wanted, next: go_on_with, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u64 = 77;

    fn segment(number: u32, first: u64, count: u64) -> Vec<u8> {
        let mut bytes = Header { segment: number, id: ID, first }.encode();
        for sequence in first..first + count {
            let mut record = Vec::new();
            Record::encode(&mut record, ID, sequence, &[b'x'; 40]);
            bytes.extend(record);
        }
        bytes
    }

    /// The place of a record in a segment: each is of 64 bytes.
    fn place(number: usize) -> usize {
        HEADER_BYTES + 64 * number
    }

    fn sequences(segments: &[Vec<u8>], applied: u64) -> Result<Vec<u64>, String> {
        read(segments, ID, applied)
            .map(|tail| tail.records.into_iter().map(|(sequence, ..)| sequence).collect())
    }

    #[test]
    fn records_beyond_the_tables_come_in_order_whichever_segment_is_newer() {
        assert_eq!(sequences(&[segment(0, 0, 0), segment(1, 0, 0)], 9).unwrap(), [0; 0]);
        assert_eq!(sequences(&[segment(0, 1, 5), segment(1, 0, 0)], 0).unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(sequences(&[segment(0, 1, 5), segment(1, 6, 3)], 3).unwrap(), [4, 5, 6, 7, 8]);
        assert_eq!(sequences(&[segment(0, 9, 2), segment(1, 6, 3)], 6).unwrap(), [7, 8, 9, 10]);
        assert_eq!(sequences(&[segment(0, 9, 0), segment(1, 6, 3)], 6).unwrap(), [7, 8]);
        // The tables may be ahead of a journal whose end never reached the disk.
        assert_eq!(sequences(&[segment(0, 9, 2), segment(1, 6, 3)], 12).unwrap(), [0; 0]);
        assert_eq!(sequences(&[segment(0, 12, 2), segment(1, 6, 3)], 11).unwrap(), [12, 13]);
        let tail = read(&[segment(0, 9, 2), segment(1, 6, 3)], ID, 6).unwrap();
        assert_eq!((tail.next, tail.last), (1, 10));
        // One without a whole record has nothing to keep.
        let tail = read(&[segment(0, 1, 2), segment(1, 3, 0)], ID, 2).unwrap();
        assert_eq!((tail.next, tail.last), (1, 2));
        let tail = read(&[segment(0, 3, 2), segment(1, 0, 0)], ID, 6).unwrap();
        assert_eq!((tail.next, tail.last), (1, 6));
    }

    #[test]
    fn old_records_of_a_segment_in_use_again_are_nothing() {
        let mut newer = segment(0, 20, 2);
        newer.extend_from_slice(&segment(0, 3, 8)[place(2)..]);
        assert_eq!(sequences(&[newer, segment(1, 15, 5)], 17).unwrap(), [18, 19, 20, 21]);
    }

    #[test]
    fn a_torn_end_is_no_damage() {
        let whole = segment(0, 1, 5);
        for cut in place(4)..whole.len() {
            let torn = [whole[..cut].to_vec(), segment(1, 0, 0)];
            assert_eq!(sequences(&torn, 0).unwrap(), [1, 2, 3, 4], "cut at {cut}");
            // The disk may as well keep the end and lose the beginning.
            let mut torn = whole.clone();
            torn[place(4)..=cut].fill(0);
            assert_eq!(sequences(&[torn, segment(1, 0, 0)], 0).unwrap(), [1, 2, 3, 4], "zeros to {cut}");
        }
        // What recovery went on with behind a torn record.
        let torn = whole[..place(4) + 30].to_vec();
        assert_eq!(sequences(&[torn, segment(1, 5, 2)], 2).unwrap(), [3, 4, 5, 6]);
    }

    #[test]
    fn anything_wrong_before_the_end_is_damage() {
        for number in 0..4 {
            for (at, byte) in [(0, 1), (4, 1), (12, 1), (20, 1), (30, 1)] {
                let mut spoilt = segment(0, 1, 5);
                spoilt[place(number) + at] ^= byte;
                let error = sequences(&[spoilt, segment(1, 0, 0)], 0).unwrap_err();
                assert!(error.contains("is not whole"), "{error}");
            }
            let mut spoilt = segment(0, 1, 5);
            spoilt[place(number)..place(number + 1)].fill(0);
            let segments = [spoilt, segment(1, 0, 0)];
            assert!(sequences(&segments, 0).is_err());
            // It does not matter what the tables hold already.
            assert_eq!(sequences(&segments, 5).unwrap(), [0; 0]);
        }
        // An earlier segment that ends too soon.
        let error = sequences(&[segment(0, 1, 3), segment(1, 5, 3)], 0).unwrap_err();
        assert_eq!(error, "records 4 to 4 are missing");
        assert_eq!(sequences(&[segment(0, 1, 3), segment(1, 5, 3)], 4).unwrap(), [5, 6, 7]);
        let error = sequences(&[segment(0, 1, 3), segment(1, 3, 3)], 0).unwrap_err();
        assert!(error.contains("which another segment has too"), "{error}");
    }

    #[test]
    fn foreign_and_exchanged_segments_are_damage() {
        let segments = [segment(1, 6, 3), segment(0, 1, 5)];
        assert!(sequences(&segments, 0).unwrap_err().contains("is in the place of segment 0"));
        assert!(
            read(&[segment(0, 1, 5), segment(1, 6, 3)], ID + 1, 0).unwrap_err().contains("another store")
        );
        for len in [0, 10, HEADER_BYTES - 1] {
            let mut short = segment(1, 6, 3);
            short.truncate(len);
            short.resize(HEADER_BYTES, 0);
            let read = sequences(&[segment(0, 1, 5), short], 0);
            assert_eq!(read.is_err(), len < 36, "{len} bytes");
        }
    }
}
