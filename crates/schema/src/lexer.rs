//! Text to tokens. Nothing is lost but blanks: comments are tokens, and a line end is one wherever it ends a
//! statement.

use pemba_model::{Diagnostic, Span};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Letters, digits and `_`: a name, a keyword or, inside a caveat, a number.
    Word,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `:`
    Colon,
    /// `;`
    Semicolon,
    /// `=`
    Equals,
    /// `|`
    Pipe,
    /// `+`
    Plus,
    /// `&`
    Ampersand,
    /// `-`
    Minus,
    /// `->`
    Arrow,
    /// `.`
    Dot,
    /// `...`
    Ellipsis,
    /// `,`
    Comma,
    /// `#`
    Hash,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// Quoted text, quotes and any `r` or `b` in front included.
    Text,
    /// `//` up to the end of its line, without it.
    LineComment,
    /// `/*` up to and with `*/`.
    BlockComment,
    /// A line end after a token that can end a statement.
    LineEnd,
    /// Any other character. Only a caveat's condition may hold it.
    Other,
    /// The end of the text, always the last token.
    End,
}

impl TokenKind {
    /// Whether it is a comment.
    pub fn is_comment(self) -> bool {
        matches!(self, TokenKind::LineComment | TokenKind::BlockComment)
    }

    /// Whether a statement ends at a line end that follows it.
    fn may_end_statement(self) -> bool {
        matches!(
            self,
            TokenKind::Word
                | TokenKind::CloseBrace
                | TokenKind::CloseParenthesis
                | TokenKind::Star
                | TokenKind::Ellipsis
                | TokenKind::Text
        )
    }
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    start: u32,
    end: u32,
}

impl Token {
    /// Where it is, in bytes.
    pub fn span(&self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }
}

/// The tokens of a text, with what is wrong with single tokens.
#[derive(Debug, Clone, Default)]
pub struct Lexed {
    /// In the order of the text; the last is `End`.
    pub tokens: Vec<Token>,
    /// Comments and quoted texts that do not end.
    pub diagnostics: Vec<Diagnostic>,
}

/// Cuts a text into tokens. Takes time and memory linear in the text; the caller bounds its size (offsets are
/// 32 bits).
pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, at: 0, ends_statement: false, lexed: Lexed::default() };
    while lexer.step() {}
    let end = text.len();
    lexer.push(TokenKind::End, end, end);
    lexer.lexed
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether the last token that is no comment may end a statement.
    ends_statement: bool,
    lexed: Lexed,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: TokenKind, start: usize, end: usize) {
        if !kind.is_comment() {
            self.ends_statement = kind.may_end_statement();
        }
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        self.lexed.tokens.push(Token { kind, start: narrow(start), end: narrow(end) });
        self.at = end;
    }

    fn wrong(&mut self, code: &'static str, start: usize, message: &str) {
        let span = Span::new(start, self.at);
        self.lexed.diagnostics.push(Diagnostic::error(code, span, message));
    }

    /// Takes one token or blank; false at the end of the text.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest().chars().next() else { return false };
        let start = self.at;
        match first {
            '\n' if self.ends_statement => self.push(TokenKind::LineEnd, start, start + 1),
            _ if first.is_whitespace() => self.at += first.len_utf8(),
            '/' if self.rest().starts_with("//") => {
                let line = self.rest().split('\n').next().map_or(0, |line| line.trim_end().len());
                self.push(TokenKind::LineComment, start, start + line);
            }
            '/' if self.rest().starts_with("/*") => self.block_comment(),
            '"' | '\'' => self.quoted(start, false),
            '_' => self.word(),
            _ if first.is_alphanumeric() => self.word(),
            _ => self.symbol(first),
        }
        true
    }

    fn word(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let prefixes_text =
            matches!(word, "r" | "R" | "b" | "B" | "rb" | "Rb" | "rB" | "RB" | "br" | "Br" | "bR" | "BR");
        if prefixes_text && after.starts_with(['"', '\'']) {
            let raw = word.contains(['r', 'R']);
            self.at += length;
            self.quoted(start, raw);
        } else {
            self.push(TokenKind::Word, start, start + length);
        }
    }

    fn symbol(&mut self, first: char) {
        let start = self.at;
        let (kind, length) = match first {
            '.' if self.rest().starts_with("...") => (TokenKind::Ellipsis, 3),
            '-' if self.rest().starts_with("->") => (TokenKind::Arrow, 2),
            '{' => (TokenKind::OpenBrace, 1),
            '}' => (TokenKind::CloseBrace, 1),
            '(' => (TokenKind::OpenParenthesis, 1),
            ')' => (TokenKind::CloseParenthesis, 1),
            '<' => (TokenKind::Less, 1),
            '>' => (TokenKind::Greater, 1),
            ':' => (TokenKind::Colon, 1),
            ';' => (TokenKind::Semicolon, 1),
            '=' => (TokenKind::Equals, 1),
            '|' => (TokenKind::Pipe, 1),
            '+' => (TokenKind::Plus, 1),
            '&' => (TokenKind::Ampersand, 1),
            '-' => (TokenKind::Minus, 1),
            '.' => (TokenKind::Dot, 1),
            ',' => (TokenKind::Comma, 1),
            '#' => (TokenKind::Hash, 1),
            '*' => (TokenKind::Star, 1),
            '/' => (TokenKind::Slash, 1),
            other => (TokenKind::Other, other.len_utf8()),
        };
        self.push(kind, start, start + length);
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let body = self.text.get(start + 2..).unwrap_or("");
        match body.find("*/") {
            Some(length) => self.push(TokenKind::BlockComment, start, start + 2 + length + 2),
            None => {
                self.push(TokenKind::BlockComment, start, self.text.len());
                self.wrong("unterminated-comment", start, "the comment is never closed by `*/`");
            }
        }
    }

    /// Takes quoted text whose opening quote is at the current place. One that does not close ends with its line.
    fn quoted(&mut self, start: usize, raw: bool) {
        let rest = self.rest();
        let quote = if rest.starts_with('"') { "\"" } else { "'" };
        let triple = quote.repeat(3);
        let long = rest.starts_with(&triple);
        let closing = if long { triple.as_str() } else { quote };
        let body_start = self.at + closing.len();
        let body = self.text.get(body_start..).unwrap_or("");
        let mut escaped = false;
        let mut length = body.len();
        let mut closed = false;
        for (at, c) in body.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' && !raw {
                escaped = true;
            } else if !long && c == '\n' {
                length = at;
                break;
            } else if body.get(at..).is_some_and(|tail| tail.starts_with(closing)) {
                length = at + closing.len();
                closed = true;
                break;
            }
        }
        self.push(TokenKind::Text, start, body_start + length);
        if !closed {
            self.wrong("unterminated-text", start, "the quoted text is never closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        lex(text).tokens.iter().map(|token| (token.kind, token.span().text(text))).collect()
    }

    #[test]
    fn line_ends_count_only_after_what_can_end_a_statement() {
        use TokenKind::*;
        assert_eq!(
            kinds("a +\n b // c\n{\n"),
            [
                (Word, "a"),
                (Plus, "+"),
                (Word, "b"),
                (LineComment, "// c"),
                (LineEnd, "\n"),
                (OpenBrace, "{"),
                (End, "")
            ]
        );
    }

    #[test]
    fn quoted_text_hides_braces_quotes_and_comments() {
        use TokenKind::*;
        for text in [r#""a } // \" b""#, r"'}'", "\"\"\"a \" \n } \"\"\"", r#"r"\""#, r"b'x'"] {
            assert_eq!(kinds(text), [(Text, text), (End, "")]);
            assert_eq!(lex(text).diagnostics, []);
        }
    }

    #[test]
    fn what_does_not_close_is_reported_and_ends() {
        let lexed = lex("/* a");
        assert_eq!(lexed.diagnostics[0].code, "unterminated-comment");
        let text = "\"a\nb";
        assert_eq!(lex(text).diagnostics[0].code, "unterminated-text");
        assert_eq!(kinds(text)[2].1, "b", "the next line is read on");
    }

    #[test]
    fn arrows_and_ellipses_are_longest_first() {
        use TokenKind::*;
        let found: Vec<TokenKind> = kinds("a->b - c.d ...e/f").into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, [Word, Arrow, Word, Minus, Word, Dot, Word, Ellipsis, Word, Slash, Word, End]);
    }
}
