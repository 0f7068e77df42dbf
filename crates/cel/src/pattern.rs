//! Patterns of `matches`: RE2's syntax on an engine that is linear too.
//!
//! Digits, words, blanks and word borders are those of ASCII, as in RE2.

use regex::{Regex, RegexBuilder};

/// Largest compiled size of a pattern that stands in an expression, in bytes.
pub(crate) const CONSTANT_SIZE_MAX_BYTES: usize = 1 << 18;
/// Largest compiled size of a pattern that comes with a request, in bytes.
pub(crate) const DYNAMIC_SIZE_MAX_BYTES: usize = 1 << 16;
/// Longest pattern, in bytes.
const SOURCE_MAX_BYTES: usize = 4096;

/// A compiled pattern, and what searching one byte with it costs at worst: that grows with its compiled size.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) regex: Regex,
    pub(crate) steps_per_byte: u64,
}

/// Compiled sizes, in bytes, with the steps that a byte searched costs up to them.
const SIZES: [(usize, u64); 4] = [(1 << 12, 4), (1 << 14, 16), (1 << 16, 64), (1 << 18, 256)];

/// Compiles a pattern, or says what is wrong with it.
pub(crate) fn compile(source: &str, size_max_bytes: usize) -> Result<Pattern, String> {
    let shown = || source.chars().take(64).collect::<String>();
    if source.len() > SOURCE_MAX_BYTES {
        return Err(format!(
            "the pattern `{}` is {} bytes long; at most {SOURCE_MAX_BYTES} are allowed",
            shown(),
            source.len()
        ));
    }
    let translated = translate(source).ok_or_else(|| format!("`{}` is no pattern", shown()))?;
    for (size_bytes, steps_per_byte) in SIZES.into_iter().filter(|(size, _)| *size <= size_max_bytes) {
        let built = RegexBuilder::new(&translated)
            .size_limit(size_bytes)
            .dfa_size_limit(size_max_bytes)
            .nest_limit(64)
            .build();
        match built {
            Ok(regex) => return Ok(Pattern { regex, steps_per_byte }),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return Err(format!("`{}` is no pattern", shown())),
        }
    }
    Err(format!("the pattern `{}` needs more than {size_max_bytes} bytes", shown()))
}

/// Most repetitions that a pattern can ask for at one place.
const REPETITIONS_MAX: u32 = 1000;

/// Rewrites what the engine would read in another way; none for what RE2 refuses and the engine would take.
fn translate(source: &str) -> Option<String> {
    let mut out = String::with_capacity(source.len() + 16);
    let mut chars = source.chars().peekable();
    // How many operators of repetition stand directly before.
    let mut repeated = 0;
    while let Some(c) = chars.next() {
        let repeats = match c {
            '*' | '+' | '?' => true,
            '{' => is_repetition(&chars.clone().take(16).collect::<String>())?,
            _ => false,
        };
        // A question mark behind another one makes it lazy; everything else behind one is refused.
        if repeats && repeated > 0 && !(c == '?' && repeated == 1) {
            return None;
        }
        repeated = if repeats { repeated + 1 } else { 0 };
        if c == '(' && has_foreign_flag(chars.clone()) {
            return None;
        }
        match c {
            '\\' => escape(&mut chars, false, &mut out),
            '[' => class(&mut chars, &mut out),
            '{' if repeats => {
                out.push('{');
                out.extend(chars.by_ref().take_while(|c| *c != '}'));
                out.push('}');
            }
            '{' => out.push_str("\\{"),
            '}' => out.push_str("\\}"),
            other => out.push(other),
        }
    }
    Some(out)
}

/// Whether a group that begins here sets a flag that RE2 does not know.
fn has_foreign_flag(mut after: Chars<'_>) -> bool {
    after.next() == Some('?') && after.take_while(char::is_ascii_alphabetic).any(|flag| "xRu".contains(flag))
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Takes a class up to its closing bracket; the opening one is taken.
fn class(chars: &mut Chars<'_>, out: &mut String) {
    out.push('[');
    if chars.peek() == Some(&'^') {
        out.extend(chars.next());
    }
    // A bracket that comes first stands for itself.
    if chars.peek() == Some(&']') {
        chars.next();
        out.push_str("\\]");
    }
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(chars, true, out),
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                out.extend(chars.by_ref().take_while(|c| *c != ']'));
                out.push(']');
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '-' if chars.peek() == Some(&'-') => out.push_str("\\-"),
            ']' => {
                out.push(']');
                return;
            }
            other => out.push(other),
        }
    }
}

/// Takes what follows a backslash.
fn escape(chars: &mut Chars<'_>, in_class: bool, out: &mut String) {
    match chars.next() {
        Some('Q') if !in_class => quoted(chars, out),
        Some(named @ ('p' | 'P' | 'x')) => {
            out.push('\\');
            out.push(named);
            // The braces after these are no repetition.
            if chars.peek() == Some(&'{') {
                out.extend(chars.by_ref().take_while(|c| *c != '}'));
                out.push('}');
            }
        }
        Some(escaped) => push_escape(escaped, in_class, out),
        None => out.push('\\'),
    }
}

/// Takes text up to `\E` as it stands.
fn quoted(chars: &mut Chars<'_>, out: &mut String) {
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

/// Whether what follows an open brace makes it a repetition: `3}`, `3,}`, `3,5}`. None for one that is too large.
fn is_repetition(after: &str) -> Option<bool> {
    let Some((inside, _)) = after.split_once('}') else { return Some(false) };
    let (low, high) = inside.split_once(',').unwrap_or((inside, "0"));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if low.is_empty() || !number(low) || !number(high) {
        return Some(false);
    }
    let few = |text: &str| text.is_empty() || text.parse::<u32>().is_ok_and(|count| count <= REPETITIONS_MAX);
    (few(low) && few(high)).then_some(true)
}
