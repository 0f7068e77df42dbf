//! Characters to tokens. Whatever is no token is one finding and is skipped.

use pemba_model::{Diagnostic, Span};

/// What a token is. Words and literals keep their text in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or keyword.
    Word,
    /// A number without fraction and exponent.
    Int,
    /// The same with `u` at its end, which the span includes.
    Uint,
    /// A number with fraction or exponent.
    Double,
    /// A quoted text with its prefix and quotes.
    Text,
    /// An operator or bracket.
    Mark(&'static str),
    /// After the last token.
    End,
}

/// A token and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) span: Span,
}

/// Longest first, so that `<=` is not read as `<` and `=`.
const MARKS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "!", "-", "+", "*",
    "/", "%", "<", ">", "=", ";",
];

/// Cuts a source into tokens; the last is always `End`.
pub(crate) fn lex(source: &str, findings: &mut Vec<Diagnostic>) -> Vec<Lexeme> {
    let mut lexer = Lexer { source, at: 0, lexemes: Vec::new(), findings };
    while lexer.next() {}
    lexer.lexemes
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    lexemes: Vec<Lexeme>,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, token: Token, length: usize) -> bool {
        let start = self.at;
        self.at += length;
        self.lexemes.push(Lexeme { token, span: Span::new(start, self.at) });
        token != Token::End
    }

    fn next(&mut self) -> bool {
        self.skip_blank();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return self.push(Token::End, 0) };
        if let Some(opening) = quotes(rest) {
            return self.text(&opening);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return self.push(Token::Word, word_length(rest));
        }
        if first.is_ascii_digit() || (first == '.' && digits(rest.get(1..).unwrap_or("")) > 0) {
            let (token, length) = number(rest);
            return self.push(token, length);
        }
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            return self.push(Token::Mark(mark), mark.len());
        }
        let span = Span::new(self.at, self.at + first.len_utf8());
        let message = format!("`{first}` has no meaning in an expression");
        self.findings.push(Diagnostic::error("caveat-unexpected-character", span, message));
        self.at = span.end;
        true
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn text(&mut self, opening: &Opening) -> bool {
        let mut end = None;
        let mut escaped = false;
        let body = self.rest().get(opening.length..).unwrap_or("");
        for (at, c) in body.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' && !opening.raw {
                escaped = true;
            } else if body.get(at..).is_some_and(|rest| rest.starts_with(opening.quote)) {
                end = Some(at + opening.quote.len());
                break;
            } else if (c == '\n' || c == '\r') && opening.quote.len() == 1 {
                break;
            }
        }
        if let Some(end) = end {
            return self.push(Token::Text, opening.length + end);
        }
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        let span = Span::new(self.at, self.at + line);
        let message = format!("the text that begins here is never closed by `{}`", opening.quote);
        self.findings.push(Diagnostic::error("caveat-unterminated-text", span, message));
        self.push(Token::Text, line)
    }
}

/// How a text literal begins.
pub(crate) struct Opening {
    /// Bytes of prefix and quote.
    pub(crate) length: usize,
    /// What closes it.
    pub(crate) quote: &'static str,
    /// Whether a backslash is a backslash.
    pub(crate) raw: bool,
    /// Whether it stands for bytes.
    pub(crate) bytes: bool,
}

/// The opening of a text literal, if the source begins with one.
pub(crate) fn quotes(source: &str) -> Option<Opening> {
    let mut rest = source;
    let (mut raw, mut bytes) = (false, false);
    if let Some(after) = rest.strip_prefix(['b', 'B']) {
        (rest, bytes) = (after, true);
    }
    if let Some(after) = rest.strip_prefix(['r', 'R']) {
        (rest, raw) = (after, true);
    }
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote))?;
    Some(Opening { length: source.len() - rest.len() + quote.len(), quote, raw, bytes })
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

/// The kind and length of the number that the text begins with.
fn number(text: &str) -> (Token, usize) {
    let at = |from: usize| text.get(from..).unwrap_or("");
    let hex = at(2).find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(at(2).len());
    let mut length = if text.starts_with("0x") && hex > 0 { 2 + hex } else { digits(text) };
    let mut double = false;
    if !text.starts_with("0x") || hex == 0 {
        let fraction = at(length).strip_prefix('.').map_or(0, digits);
        if fraction > 0 {
            double = true;
            length += 1 + fraction;
        }
        let exponent = at(length).strip_prefix(['e', 'E']).map(|rest| {
            let signed = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            (rest.len() - signed.len(), digits(signed))
        });
        if let Some((sign, count)) = exponent.filter(|(_, count)| *count > 0) {
            double = true;
            length += 1 + sign + count;
        }
    }
    if double {
        return (Token::Double, length);
    }
    if at(length).starts_with(['u', 'U']) { (Token::Uint, length + 1) } else { (Token::Int, length) }
}
