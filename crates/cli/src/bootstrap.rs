//! Bootstrap files: validation files whose schema and relationships a database begins with.
//!
//! Schema and relationships are several revisions. So that a crash between them leaves no half of it to be served, a file
//! in the data folder stands for as long as they are written; while it stands, only a start with bootstrap files is
//! possible, and that start writes everything.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pemba_db::{Database, Write};
use pemba_model::{Operation, Relationship, Update};

use crate::validate::file::ValidationFile;

/// The file that stands in a data folder while bootstrap files are written to it.
const UNFINISHED: &str = "pemba.bootstrap";

/// What bootstrap files say together.
#[derive(Debug, Clone, Default)]
pub struct Bootstrap {
    schema: String,
    relationships: Vec<Relationship>,
}

impl Bootstrap {
    /// Reads the files. Their schemas are put one behind the other, so that no two may define the same name; an
    /// identical `use` line may stand in each.
    pub fn read(files: &[PathBuf]) -> Result<Bootstrap> {
        let mut bootstrap = Bootstrap::default();
        let (mut uses, mut bodies) = (Vec::new(), Vec::new());
        for path in files {
            let file = ValidationFile::read(path)?;
            for line in file.schema.lines() {
                // `use` lines must come before everything else, each once.
                if !line.trim_start().starts_with("use ") {
                    bodies.push(line.to_owned());
                } else if !uses.contains(&line.trim().to_owned()) {
                    uses.push(line.trim().to_owned());
                }
            }
            bootstrap.relationships.extend(file.relationships);
        }
        uses.extend(bodies);
        bootstrap.schema = uses.join("\n");
        if let Err(rejected) = pemba_schema::compile(&bootstrap.schema) {
            let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            bail!("the schema of {} is invalid: {}", names.join(", "), rejected.message(&bootstrap.schema));
        }
        Ok(bootstrap)
    }

    /// Whether there is nothing to begin with.
    pub fn is_empty(&self) -> bool {
        self.schema.trim().is_empty() && self.relationships.is_empty()
    }

    /// Writes the schema and the relationships. Without `overwrite` a database that has a schema is refused and left
    /// as it is; with it the schema is replaced, the relationships are added or replaced, and others stay. `data` is the
    /// folder of a database that is kept: what an earlier start began there and did not finish is finished, whether
    /// `overwrite` or not, and refused when there is nothing to finish it with.
    pub fn apply(&self, database: &Database, overwrite: bool, data: Option<&Path>) -> Result<()> {
        if self.is_empty() {
            return data.map_or(Ok(()), check_finished);
        }
        let is_begun = data.is_some_and(|folder| folder.join(UNFINISHED).exists());
        let is_new = database.read_schema().is_none() && database.statistics().relationships == 0;
        if !is_new && !overwrite && !is_begun {
            bail!(
                "the database has a schema or relationships already: leave the bootstrap files away, or replace the \
                 schema and add the relationships with `--bootstrap-overwrite`"
            );
        }
        let note = |change: fn(&Path) -> io::Result<()>| match data {
            Some(folder) => change(folder).with_context(|| {
                format!("noting how far the bootstrap is in {}", folder.join(UNFINISHED).display())
            }),
            None => Ok(()),
        };
        note(begin)?;
        if let Err(refused) = database.write_schema(self.schema.clone()).wait() {
            if !is_begun {
                note(finish)?;
            }
            return Err(refused).context("bootstrapping the schema");
        }
        self.write_relationships(database)?;
        note(finish)
    }

    /// Adds or replaces the relationships: in one revision if there are none yet, or else in as many as writes are
    /// bounded to.
    fn write_relationships(&self, database: &Database) -> Result<()> {
        if self.relationships.is_empty() {
            return Ok(());
        }
        if database.statistics().relationships == 0 {
            let mut import = database.import();
            import.push(self.relationships.clone()).context("bootstrapping relationships")?;
            import.finish().wait().context("bootstrapping relationships")?;
            return Ok(());
        }
        for chunk in self.relationships.chunks(database.limits().write_updates_max.max(1)) {
            let touch = |relationship: &Relationship| Update {
                operation: Operation::Touch,
                relationship: relationship.clone(),
            };
            let write = Write { updates: chunk.iter().map(touch).collect(), ..Write::default() };
            database.write(write).wait().context("bootstrapping relationships")?;
        }
        Ok(())
    }
}

/// Refuses a data folder that has only a part of its bootstrap files.
pub fn check_finished(data: &Path) -> Result<()> {
    let unfinished = data.join(UNFINISHED);
    if unfinished.exists() {
        bail!(
            "{} has only a part of its bootstrap files: serve it with `--bootstrap` and the same files once more, or \
             remove {} to keep the part",
            data.display(),
            unfinished.display()
        );
    }
    Ok(())
}

/// Notes in a data folder that its bootstrap has begun.
fn begin(data: &Path) -> io::Result<()> {
    File::create(data.join(UNFINISHED))?.sync_all()?;
    File::open(data)?.sync_all()
}

/// Notes in a data folder that its bootstrap is whole.
fn finish(data: &Path) -> io::Result<()> {
    fs::remove_file(data.join(UNFINISHED))?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pemba_db::{Options, Storage};

    fn files(folder: &tempfile::TempDir, texts: &[&str]) -> Vec<PathBuf> {
        let write = |(index, text): (usize, &&str)| {
            let path = folder.path().join(format!("{index}.yaml"));
            std::fs::write(&path, text).unwrap();
            path
        };
        texts.iter().enumerate().map(write).collect()
    }

    fn open() -> Database {
        Database::open(Storage::Memory, Options::default()).unwrap()
    }

    const USERS: &str = "schema: |\n  use expiration\n  definition user {}\n";
    const DOCUMENTS: &str = "schema: |\n  use expiration\n  definition document {\n    relation viewer: user with expiration | user\n  }\nrelationships: |\n  document:a#viewer@user:x\n  document:b#viewer@user:x[expiration:2100-01-01T00:00:00Z]\n";

    #[test]
    fn files_add_up_and_an_existing_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = Bootstrap::read(&files(&folder, &[USERS, DOCUMENTS])).unwrap();
        let database = open();
        bootstrap.apply(&database, false, None).unwrap();
        assert_eq!(database.statistics().relationships, 2);
        let head = database.head();
        let refused = bootstrap.apply(&database, false, None).unwrap_err().to_string();
        assert!(refused.contains("--bootstrap-overwrite"), "{refused}");
        assert_eq!(database.head(), head);
        let more = "schema: |\n  definition user {}\n  definition document {\n    relation viewer: user | user with expiration\n    relation owner: user\n  }\nrelationships: |\n  document:a#owner@user:x\n";
        let more = more.replace("  definition user", "  use expiration\n  definition user");
        let more = Bootstrap::read(&files(&folder, &[&more])).unwrap();
        more.apply(&database, true, None).unwrap();
        assert_eq!(database.statistics().relationships, 3);
        assert!(database.read_schema().unwrap().text.contains("owner"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let twice = Bootstrap::read(&files(&folder, &[USERS, USERS])).unwrap_err().to_string();
        assert!(twice.contains("0.yaml, ") && twice.contains("user"), "{twice}");
        assert!(Bootstrap::read(&[folder.path().join("none.yaml")]).is_err());
        let stranger = "schema: definition user {}\nrelationships: document:a#viewer@user:x\n";
        let bootstrap = Bootstrap::read(&files(&folder, &[stranger])).unwrap();
        assert!(bootstrap.apply(&open(), false, None).is_err());
        Bootstrap::read(&[]).unwrap().apply(&open(), false, None).unwrap();
    }

    fn open_in(data: &Path) -> Database {
        Database::open(Storage::Directory(data.to_owned()), Options::default()).unwrap()
    }

    #[test]
    fn what_a_crash_left_half_done_is_finished_or_not_served() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let bootstrap = Bootstrap::read(&files(&folder, &[USERS, DOCUMENTS])).unwrap();
        // As a crash between the schema and the relationships leaves it.
        let database = open_in(&data);
        begin(&data).unwrap();
        database.write_schema(bootstrap.schema.clone()).wait().unwrap();
        database.close();
        let database = open_in(&data);
        let refused = Bootstrap::default().apply(&database, false, Some(&data)).unwrap_err().to_string();
        assert!(refused.contains("once more") && refused.contains("pemba.bootstrap"), "{refused}");
        bootstrap.apply(&database, false, Some(&data)).unwrap();
        assert_eq!(database.statistics().relationships, 2);
        Bootstrap::default().apply(&database, false, Some(&data)).unwrap();
        let again = bootstrap.apply(&database, false, Some(&data)).unwrap_err().to_string();
        assert!(again.contains("--bootstrap-overwrite"), "{again}");
        // As a crash after all was written leaves it.
        begin(&data).unwrap();
        bootstrap.apply(&database, false, Some(&data)).unwrap();
        assert_eq!(database.statistics().relationships, 2);
        check_finished(&data).unwrap();
    }

    #[test]
    fn files_that_do_not_fit_can_be_mended_and_a_refused_schema_leaves_nothing_begun() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let database = open_in(&data);
        let wrong = DOCUMENTS.replace("document:a#viewer", "document:a#owner");
        let wrong = Bootstrap::read(&files(&folder, &[USERS, &wrong])).unwrap();
        assert!(wrong.apply(&database, false, Some(&data)).is_err());
        assert!(check_finished(&data).is_err(), "the schema is there");
        let mended = Bootstrap::read(&files(&folder, &[USERS, DOCUMENTS])).unwrap();
        mended.apply(&database, false, Some(&data)).unwrap();
        // A schema that does not allow what is there.
        let other = Bootstrap::read(&files(&folder, &[USERS])).unwrap();
        assert!(other.apply(&database, true, Some(&data)).is_err());
        check_finished(&data).unwrap();
        assert!(database.read_schema().unwrap().text.contains("viewer"));
    }
}
