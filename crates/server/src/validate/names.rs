//! Opaque texts against their sizes, and names and ids against their grammars.

use pemba_model::limits::CURSOR_MAX_BYTES;

use super::rule::{Grammar, Rule};
use super::{Found, Path};

/// A text of this grammar.
pub(super) fn text(found: &mut Found, path: Path<'_>, grammar: &Grammar, text: &str) {
    if let Some((rules, error)) = grammar.broken(text) {
        rules.for_each(|rule| found.breaks(path, rule, error.to_string()));
    }
}

pub(super) fn token(found: &mut Found, path: Path<'_>, text: &str) {
    if text.is_empty() {
        found.breaks(path, Rule::MinBytes(1), "the token must be at least 1 byte long, it is empty");
    }
}

pub(super) fn cursor(found: &mut Found, path: Path<'_>, text: &str) {
    let rule = match text.len() {
        0 => Rule::MinBytes(1),
        size if size > CURSOR_MAX_BYTES => Rule::MaxBytes(CURSOR_MAX_BYTES),
        _ => return,
    };
    let message = format!("the cursor must be 1 to {CURSOR_MAX_BYTES} bytes long, it has {}", text.len());
    found.breaks(path, rule, message);
}
