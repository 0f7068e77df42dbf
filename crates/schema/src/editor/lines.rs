//! Places as editors count them: lines from 0, and within a line UTF-16 code units from 0.

/// A place in a text as editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The line, from 0. A line ends with `\n`, `\r\n` or `\r`.
    pub line: u32,
    /// UTF-16 code units in front of the place within its line.
    pub character: u32,
}

/// Where the lines of one text begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Finds the lines of a text.
    pub fn new(text: &str) -> Lines {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                starts.push(at + 1);
            }
        }
        Lines { starts }
    }

    /// The place of a byte offset of the same text; an offset past the end is taken as the end, one within a
    /// character as its begin.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let offset = offset.min(text.len());
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let units = text.get(start..).unwrap_or("").char_indices();
        let units = units.take_while(|(at, c)| start + at + c.len_utf8() <= offset);
        let character: usize = units.map(|(_, c)| c.len_utf16()).sum();
        Position { line: narrow(line), character: narrow(character) }
    }

    /// The byte offset of a place of the same text. A place past the end of its line is taken as the end of the line,
    /// one past the last line as the end of the text, one within a character as its begin.
    pub fn offset(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else { return text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let content = text.get(start..end).unwrap_or("").trim_end_matches(['\r', '\n']);
        let mut left = position.character as usize;
        for (at, c) in content.char_indices() {
            let Some(rest) = left.checked_sub(c.len_utf16()) else { return start + at };
            if left == 0 {
                return start + at;
            }
            left = rest;
        }
        start + content.len()
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn characters_are_utf_16_code_units() {
        let text = "aß𝒳b\r\nc\rd\n";
        let lines = Lines::new(text);
        for (offset, position) in [
            (0, at(0, 0)),
            (1, at(0, 1)),
            (3, at(0, 2)),
            (7, at(0, 4)),
            (8, at(0, 5)),
            (10, at(1, 0)),
            (12, at(2, 0)),
            (14, at(3, 0)),
        ] {
            assert_eq!(lines.position(text, offset), position, "{offset}");
            assert_eq!(lines.offset(text, position), offset, "{position:?}");
        }
        assert_eq!(lines.offset(text, at(0, 3)), 3, "within a pair is before it");
        assert_eq!(lines.offset(text, at(0, 99)), 8, "the line's end");
        assert_eq!(lines.offset(text, at(9, 0)), text.len());
    }

    proptest! {
        #[test]
        fn places_lead_back(text in "[a\u{e9}\u{1d4b3}\r\n]{0,20}", at in 0usize..40) {
            let lines = Lines::new(&text);
            let offset = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let back = lines.offset(&text, lines.position(&text, offset));
            // The place between `\r` and `\n` is no place of its own.
            let (before, after) = text.split_at(offset);
            let within = before.ends_with('\r') && after.starts_with('\n');
            prop_assert_eq!(back, if within { offset - 1 } else { offset });
        }
    }
}
