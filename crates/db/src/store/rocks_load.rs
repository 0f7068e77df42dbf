//! Many sorted rows at once, past the journal: they go into table files, and one record in the journal decides.
//!
//! **Invariant: before the record is durable nothing of a load is there; from then on all of it is, because whoever opens
//! the directory next adds the files that the record names.**
//!
//! The steps: the files are written and synced beside RocksDB's own; the batch goes into the journal together with the
//! record; what the tables lack of the journal is moved there, since a replay would lay it over the rows; RocksDB takes the
//! files over; the record is removed; the files' own names are removed. A crash before the record leaves files that nobody
//! asked for, which the next open removes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter, WriteBatch};

use super::rocks::{error_of, family_options_uncached};
use super::{Family, PutRow, Rows, StoreError};

/// The record's key in RocksDB's unnamed family.
const RECORD: &[u8] = b"load";
/// What the names of files end with that RocksDB takes: it removes the name it was given.
const LINK: &str = "link";

/// The place of the files.
pub(super) struct Loads {
    folder: PathBuf,
}

/// Files that are written and synced, and what the record says of them.
pub(super) struct Staged {
    files: Vec<(Family, u64)>,
}

impl Loads {
    pub(super) fn new(folder: PathBuf) -> Loads {
        Loads { folder }
    }

    /// Writes rows into files, one for each family, and syncs them.
    pub(super) fn stage(&self, rows: Rows<'_>) -> Result<Staged, StoreError> {
        self.remove_files()?;
        fs::create_dir_all(&self.folder).map_err(|error| self.failed(&error))?;
        let mut files = Vec::new();
        let options = family_options_uncached();
        let mut open: Option<(Family, SstFileWriter<'_>)> = None;
        let put: PutRow<'_> = &mut |family, key, value| {
            if open.as_ref().is_none_or(|(current, _)| *current != family) {
                files.extend(open.take().map(finish).transpose()?);
                open = Some((family, self.begin(family, &options)?));
            }
            match &mut open {
                Some((_, writer)) => writer.put(key, value).map_err(|error| error_of("write", &error)),
                None => Ok(()),
            }
        };
        rows(put)?;
        files.extend(open.take().map(finish).transpose()?);
        self.sync().map_err(|error| self.failed(&error))?;
        Ok(Staged { files })
    }

    /// Adds the record to a batch.
    pub(super) fn record(staged: &Staged, batch: &mut WriteBatch) {
        let lines = staged.files.iter().map(|(family, size)| format!("{} {size}\n", family.name()));
        batch.put(RECORD, lines.collect::<String>());
    }

    /// What a record asks for; `None` when there is none.
    pub(super) fn recorded(db: &DB) -> Result<Option<Staged>, StoreError> {
        let Some(text) = db.get(RECORD).map_err(|error| error_of("read", &error))? else { return Ok(None) };
        let damaged = || StoreError::Damaged { cause: "the record of a load is not one".to_owned() };
        let text = String::from_utf8(text).map_err(|_| damaged())?;
        let mut files = Vec::new();
        for line in text.lines() {
            let (name, size) = line.split_once(' ').ok_or_else(damaged)?;
            let family = Family::ALL.into_iter().find(|family| family.name() == name).ok_or_else(damaged)?;
            files.push((family, size.parse().map_err(|_| damaged())?));
        }
        Ok(Some(Staged { files }))
    }

    /// Has RocksDB take the files. Doing it again changes nothing, as long as nothing was written since.
    pub(super) fn ingest(&self, db: &DB, staged: &Staged) -> Result<(), StoreError> {
        for (family, size) in &staged.files {
            let path = self.path(*family);
            let found = fs::metadata(&path).map(|metadata| metadata.len());
            if found.as_ref().ok() != Some(size) {
                let cause = format!("`{}` of a load is missing or not of {size} bytes", path.display());
                return Err(StoreError::Damaged { cause });
            }
            let handle = db.cf_handle(family.name()).ok_or_else(|| StoreError::Failed {
                operation: "write",
                cause: format!("family `{}` is not open", family.name()),
            })?;
            let link = path.with_extension(LINK);
            remove_if_there(&link).map_err(|error| self.failed(&error))?;
            // Where there are no hard links RocksDB copies the file.
            let linked = fs::hard_link(&path, &link).is_ok();
            let mut options = IngestExternalFileOptions::default();
            options.set_move_files(linked);
            let from = if linked { &link } else { &path };
            db.ingest_external_file_cf_opts(handle, &options, vec![from])
                .map_err(|error| error_of("write", &error))?;
        }
        Ok(())
    }

    /// Adds the removal of the record to a batch: from there on the rows are like any others.
    pub(super) fn forget(batch: &mut WriteBatch) {
        batch.delete(RECORD);
    }

    /// Removes whatever files there are.
    pub(super) fn remove_files(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    fn begin<'o>(&self, family: Family, options: &'o Options) -> Result<SstFileWriter<'o>, StoreError> {
        let writer = SstFileWriter::create(options);
        writer.open(self.path(family)).map_err(|error| error_of("write", &error))?;
        Ok(writer)
    }

    fn path(&self, family: Family) -> PathBuf {
        self.folder.join(family.name()).with_extension("sst")
    }

    /// Makes the names of the files durable.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()?;
        match self.folder.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::Failed { operation: "write", cause: format!("`{}`: {error}", self.folder.display()) }
    }
}

/// Finishing a file syncs it.
fn finish((family, mut writer): (Family, SstFileWriter<'_>)) -> Result<(Family, u64), StoreError> {
    writer.finish().map_err(|error| error_of("write", &error))?;
    Ok((family, writer.file_size()))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
