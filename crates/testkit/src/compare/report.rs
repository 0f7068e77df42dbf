//! A difference between engine and oracle, printed so that it can be run again.

use std::fmt;

use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};

use crate::caveats::CaveatTable;
use crate::generate::{State, schema_text};

/// One question with the answer it must have and the one it got.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The schema and the relationships asked about.
    pub state: State,
    /// The instant of the question.
    pub now: Timestamp,
    /// What the request said of caveats.
    pub caveats: CaveatTable,
    /// The question, in words.
    pub question: String,
    /// For a check: its parts, from which the report makes an assertion.
    pub check: Option<(ObjectRef, SmolStr, SubjectRef)>,
    /// What the oracle says.
    pub expected: String,
    /// What the engine says.
    pub got: String,
}

fn indented(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "  {line}"))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.question)?;
        writeln!(f, "# expected: {}", self.expected)?;
        writeln!(f, "# got:      {}", self.got)?;
        writeln!(f, "# now: {}  given: {:?}", self.now, self.caveats.given)?;
        writeln!(f, "schema: |-")?;
        indented(&schema_text(&self.state.schema), f)?;
        writeln!(f, "relationships: |-")?;
        for relationship in self.state.relationships.values() {
            writeln!(f, "  {relationship}")?;
        }
        let Some((object, name, subject)) = &self.check else { return Ok(()) };
        let list = match self.expected.as_str() {
            expected if expected.starts_with("Value(Yes") => "assertTrue",
            expected if expected.starts_with("Value(No") => "assertFalse",
            _ => "assertCaveated",
        };
        writeln!(f, "assertions:\n  {list}:\n    - \"{object}#{name}@{subject}\"")
    }
}
