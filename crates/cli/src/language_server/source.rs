//! A file in an editor: a schema, or a validation file with a schema in it.

use lsp_types::{Position, Range, TextDocumentContentChangeEvent};
use pemba_model::Span;
use pemba_schema::editor::{Document, Lines, Position as Place};

/// Longest file that is kept, in bytes. A schema has its own limit below it, which is a finding and no fault.
pub(super) const SOURCE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// A file as the editor has it.
pub(super) struct Source {
    text: String,
    lines: Lines,
    is_yaml: bool,
    /// The schema in it; a validation file may have none of its own.
    schema: Option<Embedded>,
}

/// A schema within a file.
struct Embedded {
    document: Document,
    lines: Lines,
    /// The line of the file that its first line is on.
    first_line: u32,
    /// The blanks in front of each of its lines.
    indent: u32,
}

impl Source {
    pub(super) fn new(text: String, is_yaml: bool) -> Source {
        let lines = Lines::new(&text);
        let schema = match is_yaml {
            true => block_of(&text).map(|(text, first_line, indent)| Embedded::new(text, first_line, indent)),
            false => Some(Embedded::new(text.clone(), 0, 0)),
        };
        Source { text, lines, is_yaml, schema }
    }

    /// The schema.
    pub(super) fn document(&self) -> Option<&Document> {
        self.schema.as_ref().map(|schema| &schema.document)
    }

    /// The whole text, when all of it is the schema.
    pub(super) fn whole(&self) -> Option<&str> {
        (!self.is_yaml).then_some(&self.text)
    }

    /// The range of the whole text.
    pub(super) fn whole_range(&self) -> Range {
        let end = self.lines.position(&self.text, self.text.len());
        Range::new(Position::default(), Position::new(end.line, end.character))
    }

    /// The text after an editor's changes, in their order; nothing when it would be too long.
    pub(super) fn changed(&self, changes: Vec<TextDocumentContentChangeEvent>) -> Option<Source> {
        let mut text = self.text.clone();
        for change in changes {
            match change.range {
                None => text = change.text,
                Some(range) => {
                    let lines = Lines::new(&text);
                    let start = lines.offset(&text, place(range.start));
                    let end = lines.offset(&text, place(range.end)).max(start);
                    text.replace_range(start..end, &change.text);
                }
            }
            if text.len() > SOURCE_MAX_BYTES {
                return None;
            }
        }
        Some(Source::new(text, self.is_yaml))
    }

    /// The schema, and the offset in it of a place of the file; nothing for a place outside of it.
    pub(super) fn at(&self, position: Position) -> Option<(&Document, usize)> {
        let schema = self.schema.as_ref()?;
        let line = position.line.checked_sub(schema.first_line)?;
        let character = position.character.checked_sub(schema.indent)?;
        let text = schema.document.text();
        if self.is_yaml && line > schema.lines.position(text, text.len()).line {
            return None;
        }
        let offset = schema.lines.offset(text, Place { line, character });
        Some((&schema.document, offset))
    }

    /// The range in the file of a part of the schema.
    pub(super) fn range(&self, span: Span) -> Range {
        let Some(schema) = &self.schema else { return Range::default() };
        let position = |offset| {
            let place = schema.lines.position(schema.document.text(), offset);
            Position::new(place.line + schema.first_line, place.character + schema.indent)
        };
        Range::new(position(span.start), position(span.end))
    }
}

impl Embedded {
    fn new(text: String, first_line: u32, indent: u32) -> Embedded {
        let lines = Lines::new(&text);
        Embedded { document: Document::new(text), lines, first_line, indent }
    }
}

fn place(position: Position) -> Place {
    Place { line: position.line, character: position.character }
}

/// The block under the key `schema` at the top of a YAML text that is written with `|`: its text, the line that it begins
/// on and the blanks in front of its lines. Other ways to write it are not understood.
fn block_of(text: &str) -> Option<(String, u32, u32)> {
    let mut lines = text.lines().enumerate();
    let (head, _) = lines.find(|(_, line)| {
        let value = line.strip_prefix("schema:").map(|value| value.split(" #").next().unwrap_or("").trim());
        matches!(value, Some("|" | "|-" | "|+"))
    })?;
    let block = || text.lines().skip(head + 1);
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let indent = block().find(|line| !line.trim().is_empty()).map(blanks).filter(|indent| *indent > 0)?;
    let inside = block().take_while(|line| line.trim().is_empty() || blanks(line) >= indent);
    let schema: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or("")).collect();
    Some((schema.join("\n"), u32::try_from(head + 1).ok()?, u32::try_from(indent).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_a_validation_file_has_its_places_in_the_file() {
        let text = "# a file\nschema: |-  # here\n\n  definition user {}\n  definition doc {\n    relation viewer: usr\n  }\nrelationships: \"\"\n";
        let source = Source::new(text.to_owned(), true);
        let document = source.document().unwrap();
        assert_eq!(document.text(), "\ndefinition user {}\ndefinition doc {\n  relation viewer: usr\n}");
        let range = source.range(document.diagnostics()[0].span);
        assert_eq!((range.start.line, range.start.character), (5, 21));
        let (document, offset) = source.at(range.start).unwrap();
        assert!(document.text().split_at(offset).1.starts_with("usr"));
        assert!(source.at(Position::new(7, 3)).is_none() && source.at(Position::new(0, 4)).is_none());
        assert!(Source::new("schemaFile: a.zed\n".to_owned(), true).document().is_none());
        assert!(Source::new("schema: |\nrelationships: x\n".to_owned(), true).document().is_none());
    }

    #[test]
    fn changes_are_applied_in_their_order() {
        let change = |range: Option<(u32, u32, u32, u32)>, text: &str| TextDocumentContentChangeEvent {
            range: range.map(|(a, b, c, d)| Range::new(Position::new(a, b), Position::new(c, d))),
            range_length: None,
            text: text.to_owned(),
        };
        let source = Source::new("// ä𝒳b\nx".to_owned(), false);
        let changed =
            source.changed(vec![change(Some((0, 6, 0, 7)), "c"), change(Some((1, 0, 9, 9)), "y\n")]).unwrap();
        assert_eq!(changed.whole(), Some("// ä𝒳c\ny\n"));
        assert_eq!(changed.changed(vec![change(None, "z")]).unwrap().whole(), Some("z"));
        assert!(source.changed(vec![change(None, &"x".repeat(SOURCE_MAX_BYTES + 1))]).is_none());
    }
}
