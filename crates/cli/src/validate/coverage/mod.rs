//! Coverage: on which parts of a schema the answers that a validation file demands depend.
//!
//! A part is covered when, were it not there, some assertion or expected permission of the file would come out
//! otherwise. It is found out by trying: each part is taken away in turn, and every question is asked again.

mod measure;
mod parts;
mod without;

pub use parts::{Part, PartKind};

use pemba_model::{LineIndex, SmolStr};
use serde_json::{Value, json};

use super::file::ValidationFile;

/// How much of one schema is covered, by one validation file or by several that share it.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// The file that the schema is from; with ` (schema)` behind it when that is the validation file itself.
    pub name: String,
    schema: String,
    parts: Vec<Part>,
    covered: Vec<bool>,
}

impl Coverage {
    /// Measures a file. Fails when its schema or relationships are refused, or when it would take too many checks.
    pub fn measure(file: &ValidationFile) -> Result<Coverage, String> {
        let parts = parts::parts(&file.schema)?;
        let covered = measure::covered(file, &parts)?;
        let name = match &file.schema_path {
            Some(path) => path.display().to_string(),
            None => format!("{} (schema)", file.path.display()),
        };
        Ok(Coverage { name, schema: file.schema.clone(), parts, covered })
    }

    /// Adds what another file covers of the same schema; gives it back when its schema is another.
    pub fn merge(&mut self, other: Coverage) -> Option<Coverage> {
        if self.schema != other.schema {
            return Some(other);
        }
        for (mine, others) in self.covered.iter_mut().zip(other.covered) {
            *mine |= others;
        }
        None
    }

    /// How many parts are covered.
    pub fn covered(&self) -> usize {
        self.covered.iter().filter(|covered| **covered).count()
    }

    /// How many parts there are.
    pub fn total(&self) -> usize {
        self.parts.len()
    }

    /// Whether at least this share is covered, in percent. A schema without parts is covered.
    pub fn reaches(&self, percent: u8) -> bool {
        self.covered() * 100 >= self.total() * usize::from(percent)
    }

    /// The covered share in percent, rounded down; 100 only when all is covered.
    pub fn percent(&self) -> usize {
        (self.covered() * 100).checked_div(self.total()).unwrap_or(100)
    }

    /// Definitions and caveats in the order of their parts, each with its parts and whether they are covered.
    fn owners(&self) -> Vec<(&SmolStr, Vec<(&Part, bool)>)> {
        let mut owners: Vec<(&SmolStr, Vec<(&Part, bool)>)> = Vec::new();
        for (part, covered) in self.parts.iter().zip(&self.covered) {
            match owners.last_mut() {
                Some((name, parts)) if **name == part.owner => parts.push((part, *covered)),
                _ => owners.push((&part.owner, vec![(part, *covered)])),
            }
        }
        owners
    }

    /// The summary, and below it what is not covered, for people.
    pub fn lines(&self) -> Vec<String> {
        let index = LineIndex::new(&self.schema);
        let (covered, total) = (self.covered(), self.total());
        let mut lines =
            vec![format!("coverage of {}: {covered} of {total} ({} %)", self.name, self.percent())];
        for (name, parts) in self.owners() {
            let covered = parts.iter().filter(|(_, covered)| *covered).count();
            lines.push(format!("     {name}: {covered} of {}", parts.len()));
            for (part, _) in parts.iter().filter(|(_, covered)| !covered) {
                lines.push(format!("       {} no answer depends on {part}", index.place(part.span.start)));
            }
        }
        lines
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let index = LineIndex::new(&self.schema);
        let owners = self.owners().into_iter().map(|(name, parts)| {
            let covered = parts.iter().filter(|(_, covered)| *covered).count();
            let uncovered = parts.iter().filter(|(_, covered)| !covered).map(|(part, _)| {
                let place = index.place(part.span.start);
                json!({
                    "kind": part.kind.word(), "member": part.member, "text": part.text,
                    "line": place.line, "column": place.column,
                })
            });
            let uncovered: Vec<Value> = uncovered.collect();
            json!({"name": name, "covered": covered, "total": parts.len(), "uncovered": uncovered})
        });
        let owners: Vec<Value> = owners.collect();
        json!({
            "schema": self.name, "covered": self.covered(), "total": self.total(), "percent": self.percent(),
            "definitions": owners,
        })
    }
}
