//! Patterns of `matches`: RE2's syntax on an engine that is linear too.
//!
//! Digits, words, blanks and word borders are those of ASCII, as in RE2.

use regex::{Regex, RegexBuilder};

/// Largest compiled size of a pattern that stands in an expression, in bytes.
pub(crate) const CONSTANT_SIZE_MAX_BYTES: usize = 1 << 20;
/// Largest compiled size of a pattern that comes with a request, in bytes.
pub(crate) const DYNAMIC_SIZE_MAX_BYTES: usize = 1 << 16;
/// Longest pattern, in bytes.
const SOURCE_MAX_BYTES: usize = 4096;

/// Compiles a pattern, or says what is wrong with it.
pub(crate) fn compile(source: &str, size_max_bytes: usize) -> Result<Regex, String> {
    let shown = || source.chars().take(64).collect::<String>();
    if source.len() > SOURCE_MAX_BYTES {
        return Err(format!(
            "the pattern `{}` is {} bytes long; at most {SOURCE_MAX_BYTES} are allowed",
            shown(),
            source.len()
        ));
    }
    RegexBuilder::new(&translate(source))
        .size_limit(size_max_bytes)
        .dfa_size_limit(size_max_bytes)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("the pattern `{}` needs more than {limit} bytes", shown())
            }
            _ => format!("`{}` is no pattern", shown()),
        })
}

/// Rewrites what the engine would read in another way.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut chars = source.chars().peekable();
    let mut in_class = false;
    let mut in_named_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Q') if !in_class => quoted(&mut chars, &mut out),
                Some(named @ ('p' | 'P' | 'x')) => {
                    out.push('\\');
                    out.push(named);
                    // The braces after these are no repetition.
                    if chars.peek() == Some(&'{') {
                        let braces = chars.by_ref().take_while(|c| *c != '}');
                        out.extend(braces);
                        out.push('}');
                    }
                }
                Some(escaped) => push_escape(escaped, in_class, &mut out),
                None => out.push('\\'),
            },
            '[' if in_class => {
                if chars.peek() == Some(&':') {
                    in_named_class = true;
                    out.push('[');
                } else {
                    out.push_str("\\[");
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                // A bracket that comes first stands for itself.
                if chars.peek() == Some(&']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = in_named_class;
                in_named_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(&chars.clone().take(16).collect::<String>()) => {
                out.push_str("\\{")
            }
            '}' if !in_class && !closes_repetition(&out) => out.push_str("\\}"),
            other => out.push(other),
        }
    }
    out
}

/// Takes text up to `\E` as it stands.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let mut text = String::new();
    for c in chars.by_ref() {
        text.push(c);
        if text.ends_with("\\E") {
            text.truncate(text.len() - 2);
            break;
        }
    }
    out.push_str(&regex::escape(&text));
}

fn push_escape(escaped: char, in_class: bool, out: &mut String) {
    match escaped {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'B' if !in_class => out.push_str("(?-u:\\B)"),
        '<' | '>' | '_' => out.push(escaped),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
}

/// Whether what follows an open brace makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, "0"));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && number(low) && number(high)
}

/// Whether a closing brace ends the repetition or the named class that the text so far has open.
fn closes_repetition(before: &str) -> bool {
    let Some(open) = before.rfind('{') else { return false };
    let (head, inside) = before.split_at(open);
    !head.ends_with('\\') && !inside.contains('}')
}
