//! The journal: every write goes here first, and is durable from then on. The tables follow without syncing anything.
//!
//! **Invariant: a record is durable before `append` returns, and is overwritten only once the tables hold it durably.**
//!
//! Two files take turns. A file is filled with zeros before records are written there, so that a sync has only data to
//! write: where a file grows with every write, each sync writes its size too. Nothing is ever written twice after a failed
//! sync: what the disk then holds shows at the next start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::journal_reading::{self, Tail};
use super::journal_record::{HEADER_BYTES, Header, Record};

const SEGMENTS: u32 = 2;
/// A segment takes no further record beyond this, in bytes. A start reads no more than two segments and one record.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Zeros are written ahead in pieces of this many bytes; a sync that carries them takes a little longer.
const ZEROS_BYTES: u64 = 256 * 1024;
/// A buffer that was longer, for one large record, is not kept.
const BUFFER_KEPT_BYTES: usize = 1024 * 1024;

/// A journal that is written to.
pub(super) struct Journal {
    folder: PathBuf,
    id: u64,
    files: Vec<SegmentFile>,
    /// The one that is written to.
    current: usize,
    /// The next record's.
    sequence: u64,
    buffer: Vec<u8>,
}

struct SegmentFile {
    file: File,
    /// Bytes that are there, zeros included.
    len: u64,
    /// Where the next record goes.
    at: u64,
    /// The last record's sequence; 0 without any.
    last: u64,
}

/// A journal as it was found: what the tables lack has to be written there before it is used again.
pub(super) struct Found {
    id: u64,
    segments: Vec<Vec<u8>>,
    tail: Tail,
}

impl Found {
    /// Reads a journal; `applied` is the last record that the tables hold. Nothing is written.
    pub(super) fn read(folder: &Path, id: u64, applied: u64) -> Result<Found, StoreError> {
        let damaged =
            |cause: String| StoreError::Damaged { cause: format!("`{}`: {cause}", folder.display()) };
        let mut segments = Vec::new();
        for number in 0..SEGMENTS {
            segments.push(fs::read(segment_path(folder, number)).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => damaged(format!("segment {number} is missing")),
                _ => failed("open", folder, &error),
            })?);
        }
        let tail = journal_reading::read(&segments, id, applied).map_err(damaged)?;
        Ok(Found { id, segments, tail })
    }

    /// The payloads that the tables lack, with their sequences, in order.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.tail.records.iter().filter_map(|(sequence, segment, payload)| {
            Some((*sequence, self.segments.get(*segment)?.get(payload.clone())?))
        })
    }

    /// Goes on with the segment that has not the newest records. The tables must hold every record durably.
    pub(super) fn resume(self, folder: &Path) -> Result<Journal, StoreError> {
        let Found { id, tail: Tail { next, last, .. }, segments } = self;
        drop(segments);
        Journal::begin(folder, id, next, last).map_err(|error| failed("open", folder, &error))
    }
}

impl Journal {
    /// Makes an empty journal, in place of whatever is there.
    pub(super) fn create(folder: &Path, id: u64) -> Result<(), StoreError> {
        let create = || {
            fs::create_dir_all(folder)?;
            for segment in 0..SEGMENTS {
                let file = File::create(segment_path(folder, segment))?;
                file.write_all_at(&Header { segment, id, first: 0 }.encode(), 0)?;
                file.sync_all()?;
            }
            File::open(folder)?.sync_all()?;
            folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        create().map_err(|error| failed("open", folder, &error))
    }

    /// Opens the files to write behind record `last`, in segment `current`, which is overwritten.
    fn begin(folder: &Path, id: u64, current: usize, last: u64) -> io::Result<Journal> {
        let mut files = Vec::new();
        for number in 0..SEGMENTS {
            let file = OpenOptions::new().write(true).open(segment_path(folder, number))?;
            let len = file.metadata()?.len();
            files.push(SegmentFile { file, len, at: 0, last: 0 });
        }
        let sequence = last.saturating_add(1);
        let mut journal =
            Journal { folder: folder.to_owned(), id, files, current, sequence, buffer: Vec::new() };
        journal.use_segment(current)?;
        Ok(journal)
    }

    /// The journal's, at random.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The sequence that the next record will have.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the segment in use takes no further record.
    pub(super) fn is_full(&self) -> bool {
        self.files.get(self.current).is_none_or(|file| file.at >= SEGMENT_BYTES)
    }

    /// The last record that `turn` would give up; 0 if there is none.
    pub(super) fn overwritten_next(&self) -> u64 {
        self.files.get(self.other()).map_or(0, |file| file.last)
    }

    /// Goes on with the other segment, whose records the tables must hold durably.
    pub(super) fn turn(&mut self) -> Result<(), StoreError> {
        let other = self.other();
        self.use_segment(other).map_err(|error| failed("write", &self.folder, &error))
    }

    /// Writes one record; it is durable on return. After an error nothing may be written any more.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        Record::encode(&mut self.buffer, self.id, self.sequence, payload);
        let written = match self.files.get_mut(self.current) {
            Some(file) => file.append(&self.buffer, self.sequence),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        written.map_err(|error| failed("write", &self.folder, &error))?;
        self.sequence = self.sequence.saturating_add(1);
        Ok(())
    }

    fn other(&self) -> usize {
        usize::from(self.current == 0)
    }

    /// Begins a segment anew. Its header is durable before any record: what an older header names is still there as long as
    /// that one is.
    fn use_segment(&mut self, number: usize) -> io::Result<()> {
        let Some(file) = self.files.get_mut(number) else { return Err(io::ErrorKind::NotFound.into()) };
        let segment = u32::try_from(number).unwrap_or(u32::MAX);
        file.begin(Header { segment, id: self.id, first: self.sequence })?;
        self.current = number;
        Ok(())
    }
}

impl SegmentFile {
    fn begin(&mut self, header: Header) -> io::Result<()> {
        let start = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
        if self.len > SEGMENT_BYTES.saturating_add(ZEROS_BYTES) {
            // A record that was longer than a segment made it longer.
            self.file.set_len(SEGMENT_BYTES)?;
            self.len = SEGMENT_BYTES;
        }
        self.file.write_all_at(&header.encode(), 0)?;
        (self.at, self.last) = (start, 0);
        self.fill(start)?;
        self.file.sync_all()
    }

    fn append(&mut self, record: &[u8], sequence: u64) -> io::Result<()> {
        let end = self.at.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
        self.fill(end)?;
        self.file.write_all_at(record, self.at)?;
        self.file.sync_data()?;
        (self.at, self.last) = (end, sequence);
        Ok(())
    }

    /// Has zeros written behind a place, unless something was ever written there.
    fn fill(&mut self, end: u64) -> io::Result<()> {
        if end < self.len {
            return Ok(());
        }
        let len = end.saturating_add(1).next_multiple_of(ZEROS_BYTES);
        // A record that reaches beyond the end fills everything up to its own.
        let from = self.len.max(end);
        let zeros = usize::try_from(len.saturating_sub(from)).unwrap_or(usize::MAX);
        self.file.write_all_at(&vec![0; zeros], from)?;
        self.len = len;
        Ok(())
    }
}

fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(number.to_string()).with_extension("journal")
}

fn failed(operation: &'static str, folder: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed { operation, cause: format!("`{}`: {error}", folder.display()) }
}
