//! The data directory around RocksDB's files: by one small text file it is known whether a directory is a store, of
//! which format, and whether it was ever written to, before RocksDB touches anything.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::records::meta::{FORMAT_DOCUMENTS, FORMAT_JOURNAL, FORMAT_VERSION, FORMAT_VERSION_MIN};

/// The file that makes a directory a store.
const MARKER: &str = "pemba.format";
const MARKER_UNFINISHED: &str = "pemba.format.tmp";
const MARKER_TEXT: &str = "pemba data directory, format ";
const MARKER_NEW: &str = ", new";
/// Entries of a directory that still counts as empty: a file system's own, and a marker never finished.
const IGNORED: [&str; 2] = ["lost+found", MARKER_UNFINISHED];
/// RocksDB's files.
const ROCKS: &str = "rocks";
/// The journal's files.
const JOURNAL: &str = "journal";
/// Files on their way to RocksDB; on the same file system, so that it can take them over.
const LOADS: &str = "incoming";
/// The marker is read no further than this; a foreign file of that name may be large.
const MARKER_MAX_BYTES: u64 = 256;

/// A data directory that may be opened.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether RocksDB's files may have to be made: nothing was ever written to the store.
    pub(super) new: bool,
    /// The version its marker names.
    format: u64,
}

impl Folder {
    /// Looks at a directory to be opened for writing; an absent or empty one is made a store's.
    pub(super) fn open(path: &Path) -> Result<Folder, StoreError> {
        if let Some(folder) = Folder::existing(path)? {
            return Ok(folder);
        }
        let folder = Folder { path: path.to_owned(), new: true, format: FORMAT_VERSION };
        fs::create_dir_all(path)
            .and_then(|()| sync_parent(path))
            .map_err(|error| failed("open", path, &error))?;
        folder.begin()?;
        Ok(folder)
    }

    /// Looks at a directory that must be a store already.
    pub(super) fn open_existing(path: &Path) -> Result<Folder, StoreError> {
        match Folder::existing(path)? {
            Some(folder) if !folder.new => Ok(folder),
            _ => Err(StoreError::Failed {
                operation: "open",
                cause: format!("`{}` holds no store", path.display()),
            }),
        }
    }

    /// Prepares a directory for a copy. It becomes a store only by `finish`.
    pub(super) fn for_copy(path: &Path) -> Result<Folder, StoreError> {
        if let Some(found) = first_entry(path)? {
            let cause = format!("`{}` must be absent or empty, but holds `{found}`", path.display());
            return Err(StoreError::Failed { operation: "checkpoint", cause });
        }
        fs::create_dir_all(path).map_err(|error| failed("checkpoint", path, &error))?;
        Ok(Folder { path: path.to_owned(), new: true, format: FORMAT_VERSION })
    }

    /// Where RocksDB's files are.
    pub(super) fn rocks(&self) -> PathBuf {
        self.path.join(ROCKS)
    }

    /// Where files wait that RocksDB is to take over.
    pub(super) fn loads(&self) -> PathBuf {
        self.path.join(LOADS)
    }

    /// Where the journal is.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is of an older format, which opening it for writing raises.
    pub(super) fn is_outdated(&self) -> bool {
        self.format < FORMAT_VERSION
    }

    /// Whether RocksDB's files must have a family for documents.
    pub(super) fn has_documents(&self) -> bool {
        self.format >= FORMAT_DOCUMENTS
    }

    /// Whether there must be a journal.
    pub(super) fn has_journal(&self) -> bool {
        !self.new && self.format >= FORMAT_JOURNAL
    }

    /// Notes that the folder is of this build's format. From then on no older build opens it.
    pub(super) fn upgrade(&self) -> Result<(), StoreError> {
        if self.new { self.begin() } else { self.finish() }
    }

    /// Notes that RocksDB's files may be missing or empty.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        self.mark(MARKER_NEW).map_err(|error| failed("open", &self.path, &error))
    }

    /// Notes that the store holds something: from now on, a file that is missing is damage.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        self.mark("")
            .and_then(|()| sync_parent(&self.path))
            .map_err(|error| failed("write", &self.path, &error))
    }

    /// Sizes of all files, in bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        let folders = [self.rocks(), self.journal()];
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len());
        sizes.fold(0, u64::saturating_add)
    }

    /// What the directory is by its marker; `None` if it is absent or empty.
    fn existing(path: &Path) -> Result<Option<Folder>, StoreError> {
        let found = match first_entry(path)? {
            None => return Ok(None),
            Some(found) => found,
        };
        let foreign = || StoreError::Foreign { path: path.to_owned(), found, marker: MARKER };
        let text = match read_marker(&path.join(MARKER)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(foreign()),
            Err(error) => return Err(failed("open", path, &error)),
        };
        let Some((version, new)) = parse_marker(&text) else { return Err(foreign()) };
        if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&version) {
            return Err(StoreError::UnknownFormat { found: version, supported: FORMAT_VERSION });
        }
        Ok(Some(Folder { path: path.to_owned(), new, format: version }))
    }

    /// Replaces the marker, so that a crash leaves the old or the new one.
    fn mark(&self, state: &str) -> io::Result<()> {
        let unfinished = self.path.join(MARKER_UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(format!("{MARKER_TEXT}{FORMAT_VERSION}{state}\n").as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&unfinished, self.path.join(MARKER))?;
        File::open(&self.path)?.sync_all()
    }
}

/// An entry of the directory that makes it not empty.
fn first_entry(path: &Path) -> Result<Option<String>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path, &error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| failed("open", path, &error))?.file_name();
        if !IGNORED.iter().any(|ignored| name == *ignored) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

fn read_marker(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(path)?, MARKER_MAX_BYTES), &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The format version, and whether the directory was never whole.
fn parse_marker(text: &str) -> Option<(u64, bool)> {
    let state = text.strip_prefix(MARKER_TEXT)?.strip_suffix('\n')?;
    let (version, new) = match state.strip_suffix(MARKER_NEW) {
        Some(version) => (version, true),
        None => (state, false),
    };
    Some((version.parse().ok()?, new))
}

/// Makes the directory's own entry durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn failed(operation: &'static str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed { operation, cause: format!("`{}`: {error}", path.display()) }
}
