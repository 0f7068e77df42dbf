//! Bootstrap files: validation files whose schema and relationships a database begins with.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use pemba_db::{Database, Write};
use pemba_model::{Operation, Relationship, Update};

use crate::validate::file::ValidationFile;

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
    /// as it is; with it the schema is replaced, the relationships are added or replaced, and others stay. Two or more
    /// revisions: a failure in between leaves the schema without all its relationships.
    pub fn apply(&self, database: &Database, overwrite: bool) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let is_new = database.read_schema().is_none() && database.statistics().relationships == 0;
        if !is_new && !overwrite {
            bail!(
                "the database has a schema or relationships already: leave the bootstrap files away, or replace the \
                 schema and add the relationships with `--bootstrap-overwrite`"
            );
        }
        database.write_schema(self.schema.clone()).wait().context("bootstrapping the schema")?;
        if self.relationships.is_empty() {
            return Ok(());
        }
        if is_new {
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
        bootstrap.apply(&database, false).unwrap();
        assert_eq!(database.statistics().relationships, 2);
        let head = database.head();
        let refused = bootstrap.apply(&database, false).unwrap_err().to_string();
        assert!(refused.contains("--bootstrap-overwrite"), "{refused}");
        assert_eq!(database.head(), head);
        let more = "schema: |\n  definition user {}\n  definition document {\n    relation viewer: user | user with expiration\n    relation owner: user\n  }\nrelationships: |\n  document:a#owner@user:x\n";
        let more = more.replace("  definition user", "  use expiration\n  definition user");
        let more = Bootstrap::read(&files(&folder, &[&more])).unwrap();
        more.apply(&database, true).unwrap();
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
        assert!(bootstrap.apply(&open(), false).is_err());
        Bootstrap::read(&[]).unwrap().apply(&open(), false).unwrap();
    }
}
