//! What is wrong with a text and where: plain data, rendered by whoever shows it.

use std::fmt;

/// A range of bytes in a text, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The text it covers; empty when it lies outside.
    pub fn text(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or("")
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; the text is accepted.
    Warning,
    /// The text is refused.
    Error,
}

/// One finding about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the text is refused for it.
    pub severity: Severity,
    /// A stable name for the kind of finding, `unknown-type`.
    pub code: &'static str,
    /// What is wrong, in lower case without full stop, names in backticks.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
    /// Facts for programs, as key and value, such as `definition_name`.
    pub metadata: Vec<(&'static str, String)>,
}

impl Diagnostic {
    /// An error without help and metadata.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            help: None,
            metadata: Vec::new(),
        }
    }

    /// A warning without help and metadata.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// The same with a help text.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same with one more fact for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Diagnostic {
        self.metadata.push((key, value.into()));
        self
    }

    /// Whether the text is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A place in a text, both numbers from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Turns byte offsets of one text into lines and columns.
#[derive(Debug, Clone)]
pub struct LineIndex<'a> {
    source: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Indexes the text; takes time linear in it.
    pub fn new(source: &'a str) -> LineIndex<'a> {
        let after_breaks =
            source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        LineIndex { source, line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of a byte offset; an offset past the end is taken as the end.
    pub fn place(&self, offset: usize) -> LineColumn {
        let offset = offset.min(self.source.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|at| self.line_starts.get(at)).copied().unwrap_or(0);
        let column = match self.source.get(start..offset) {
            Some(before) => before.chars().count() + 1,
            None => offset.saturating_sub(start) + 1,
        };
        LineColumn { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let index = LineIndex::new("ab\nçd\n");
        assert_eq!(index.place(0), LineColumn { line: 1, column: 1 });
        assert_eq!(index.place(2), LineColumn { line: 1, column: 3 });
        assert_eq!(index.place(5), LineColumn { line: 2, column: 2 });
        assert_eq!(index.place(999), LineColumn { line: 3, column: 1 });
    }
}
