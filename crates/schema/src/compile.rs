//! Text to checked schema in one step, as a server takes it.

use pemba_model::{Diagnostic, LineIndex};

use crate::check::{check, declared};
use crate::codes;
use crate::findings::Findings;
use crate::parser::parse;
use crate::print::print;
use crate::schema::Schema;

/// A text that is accepted.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// What it means.
    pub schema: Schema,
    /// The text in canonical form, as [`crate::print()`] gives it. What a reader of the schema should be shown.
    pub text: String,
    /// What in it is probably not meant, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectedKind {
    /// It is not well-formed: INVALID_ARGUMENT.
    Parse,
    /// It is well-formed and breaks a rule about the types in it: FAILED_PRECONDITION.
    Type,
}

/// A text that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Which kind; `Parse` when there are errors of both.
    pub kind: RejectedKind,
    /// All errors in the order of the text; at least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.first().map_or("the schema is refused", |first| first.message.as_str()))?;
        match self.diagnostics.len() {
            0 | 1 => Ok(()),
            all => write!(f, "; and {} more", all - 1),
        }
    }
}

impl std::error::Error for Rejected {}

impl Rejected {
    /// Refuses a text for these errors.
    fn new(diagnostics: Vec<Diagnostic>) -> Rejected {
        let is_type = diagnostics.iter().all(|diagnostic| !codes::PARSE.contains(&diagnostic.code));
        let kind = if is_type { RejectedKind::Type } else { RejectedKind::Parse };
        Rejected { kind, diagnostics }
    }

    /// The error to name when only one can be: the first of the kind.
    pub fn first(&self) -> Option<&Diagnostic> {
        let of_kind = |diagnostic: &&Diagnostic| {
            self.kind == RejectedKind::Type || codes::PARSE.contains(&diagnostic.code)
        };
        self.diagnostics.iter().find(of_kind).or(self.diagnostics.first())
    }

    /// All errors as one text, each with line and column: what a client shows that knows only a message.
    pub fn message(&self, text: &str) -> String {
        let index = LineIndex::new(text);
        let line = |diagnostic: &Diagnostic| {
            let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{}: {}{help}", index.place(diagnostic.span.start), diagnostic.message)
        };
        self.diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Compiles a text. The empty text is an empty schema. Errors of every stage come together.
pub fn compile(text: &str) -> Result<Compiled, Rejected> {
    let parsed = parse(text);
    let checked = check(&parsed.tree, text);
    match checked.schema {
        Some(schema) if parsed.diagnostics.is_empty() => {
            let text = print(&schema);
            Ok(Compiled { schema, text, warnings: checked.diagnostics })
        }
        _ => Err(refuse(parsed.diagnostics.into_iter().chain(checked.diagnostics))),
    }
}

/// What a text declares, when it is well-formed: names need not exist, members and subjects may be there twice (the first
/// counts), and no other rule about types is checked. For comparing a schema with another, not for answering questions.
/// The errors are those of `RejectedKind::Parse`.
pub fn outline(text: &str) -> Result<Schema, Rejected> {
    let parsed = parse(text);
    let declared = declared(&parsed.tree, text);
    match declared.schema {
        Some(schema) if parsed.diagnostics.is_empty() => Ok(schema),
        _ => Err(refuse(parsed.diagnostics.into_iter().chain(declared.diagnostics))),
    }
}

fn refuse(diagnostics: impl Iterator<Item = Diagnostic>) -> Rejected {
    let mut findings = Findings::default();
    diagnostics.filter(Diagnostic::is_error).for_each(|diagnostic| findings.add(diagnostic));
    Rejected::new(findings.finish())
}
