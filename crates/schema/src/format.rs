//! A text in the one style: tabs, one blank line between declarations, single blanks between words, and the author's
//! comments, order, line breaks after operators and single blank lines.

use pemba_model::{Diagnostic, Span};

use crate::doc;
use crate::lexer::{Token, TokenKind};
use crate::parser::parse;
use crate::syntax::{Item, Tree};

/// Formats a text. Only a text without syntax errors is formatted; names in it need not exist. Formatting the result
/// again changes nothing; its meaning is that of the text.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(text);
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics);
    }
    let mut formatter = Formatter {
        text,
        tree: &parsed.tree,
        at: 0,
        out: String::with_capacity(text.len()),
        depth: 0,
        parentheses: 0,
        begins: true,
        before: None,
        declaration: Declaration::None,
    };
    formatter.run();
    Ok(formatter.out)
}

/// What was declared last at the top level, when nothing has been written since.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declaration {
    None,
    Line,
    Block,
}

struct Formatter<'t> {
    text: &'t str,
    tree: &'t Tree,
    at: usize,
    out: String,
    /// Open braces.
    depth: usize,
    /// Open parentheses.
    parentheses: usize,
    /// Whether the next token begins a statement.
    begins: bool,
    /// The token before, line ends left out.
    before: Option<Token>,
    declaration: Declaration,
}

impl Formatter<'_> {
    fn run(&mut self) {
        let mut bodies = self.tree.items.iter().filter_map(|item| match item {
            Item::Caveat(caveat) => caveat.body,
            _ => None,
        });
        let mut body = bodies.next();
        while let Some(token) = self.tree.tokens.get(self.at).copied() {
            self.at += 1;
            match token.kind {
                TokenKind::End => break,
                TokenKind::LineEnd if self.parentheses > 0 => {}
                TokenKind::LineEnd => self.end_statement(),
                TokenKind::Semicolon => {
                    self.before = Some(token);
                    self.end_statement();
                }
                TokenKind::OpenBrace if body.is_some_and(|body| body.start == token.span().end) => {
                    self.body(body.unwrap_or_default());
                    body = bodies.next();
                }
                kind if kind.is_comment() => self.comment(token),
                _ => self.token(token),
            }
        }
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// The kind of the next token that is no comment.
    fn next_kind(&self) -> TokenKind {
        let rest = self.tree.tokens.get(self.at..).unwrap_or(&[]);
        rest.iter().find(|token| !token.kind.is_comment()).map_or(TokenKind::End, |token| token.kind)
    }

    /// The next word, after comments and line ends.
    fn next_word(&self, from: usize) -> &str {
        let rest = self.tree.tokens.get(from..).unwrap_or(&[]);
        let skipped = |token: &&Token| !token.kind.is_comment() && token.kind != TokenKind::LineEnd;
        rest.iter().find(skipped).map_or("", |token| token.span().text(self.text))
    }

    /// How many lines below the token before this one stands.
    fn lines_below(&self, token: Token) -> usize {
        let start = self.before.map_or(0, |before| before.span().end);
        Span::new(start, token.span().start).text(self.text).matches('\n').count()
    }

    fn end_statement(&mut self) {
        if !self.begins && self.depth == 0 {
            self.declaration = Declaration::Line;
        }
        self.begins = true;
    }

    /// Starts a line at an indentation; a blank line before it when `blank`.
    fn new_line(&mut self, indent: usize, blank: bool) {
        if !self.out.is_empty() {
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            if blank {
                self.out.push('\n');
            }
        }
        self.out.extend(std::iter::repeat_n('\t', indent));
    }

    /// Starts the line of a statement or of a comment that stands alone, with a blank line where there was one or
    /// must be one.
    fn new_statement(&mut self, token: Token) {
        let after_opening = self.before.is_some_and(|before| before.kind == TokenKind::OpenBrace);
        let had_blank = self.lines_below(token) > 1;
        let must_have_blank = match self.declaration {
            Declaration::None => false,
            Declaration::Block => true,
            Declaration::Line => !matches!(self.next_word(self.at - 1), "use" | "import"),
        };
        self.declaration = Declaration::None;
        self.new_line(self.depth, (had_blank && !after_opening) || must_have_blank);
    }

    fn comment(&mut self, token: Token) {
        let kind = self.before.map(|before| before.kind);
        let same_line = self.lines_below(token) == 0 && kind.is_some();
        let is_line = token.kind == TokenKind::LineComment;
        let trails = same_line
            && match kind {
                Some(TokenKind::OpenBrace) => is_line,
                // A comment that the next declaration follows on the same line belongs to that.
                Some(TokenKind::CloseBrace) => {
                    matches!(self.next_kind(), TokenKind::LineEnd | TokenKind::End)
                }
                _ => !self.begins,
            };
        if trails {
            self.out.push(' ');
        } else if self.begins && self.parentheses == 0 {
            self.new_statement(token);
        } else if same_line {
            self.out.push(' ');
        } else {
            self.new_line(self.depth + 1, false);
        }
        self.comment_text(token);
        self.before = Some(token);
    }

    /// Writes a comment; later lines of it get the indentation of the statement.
    fn comment_text(&mut self, token: Token) {
        let comment = token.span().text(self.text);
        let joined = doc::join([comment]).unwrap_or_default();
        let indent = "\t".repeat(self.depth);
        for (number, line) in joined.split('\n').enumerate() {
            if number > 0 {
                self.out.push('\n');
                if !line.is_empty() {
                    self.out.push_str(&indent);
                }
            }
            self.out.push_str(line);
        }
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            TokenKind::CloseBrace => return self.close(token),
            TokenKind::CloseParenthesis => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        let after_line_comment = self.before.is_some_and(|before| before.kind == TokenKind::LineComment);
        if self.begins {
            let after_comment = self.before.is_some_and(|before| before.kind == TokenKind::BlockComment);
            if after_comment && self.lines_below(token) == 0 {
                self.out.push(' ');
            } else {
                self.new_statement(token);
            }
        } else if after_line_comment || self.lines_below(token) > 0 {
            let closes = token.kind == TokenKind::CloseParenthesis;
            self.new_line(if closes { self.depth } else { self.depth + 1 }, false);
        } else if self.before.is_some_and(|before| blank_between(before.kind, token.kind)) {
            self.out.push(' ');
        }
        self.begins = false;
        self.out.push_str(token.span().text(self.text));
        self.before = Some(token);
        match token.kind {
            TokenKind::OpenParenthesis => self.parentheses += 1,
            TokenKind::OpenBrace => {
                self.depth += 1;
                self.begins = true;
            }
            _ => {}
        }
    }

    fn close(&mut self, token: Token) {
        self.depth = self.depth.saturating_sub(1);
        if self.before.is_none_or(|before| before.kind != TokenKind::OpenBrace) {
            self.new_line(self.depth, false);
        }
        self.out.push('}');
        self.before = Some(token);
        self.begins = true;
        self.declaration = Declaration::Block;
    }

    /// Writes a caveat's condition with its braces and goes on after it.
    fn body(&mut self, body: Span) {
        let after_line_comment = self.before.is_some_and(|before| before.kind == TokenKind::LineComment);
        if after_line_comment {
            self.new_line(self.depth, false);
        } else {
            self.out.push(' ');
        }
        let tokens = self.tree.tokens.get(self.at..).unwrap_or(&[]);
        let inside = tokens.iter().take_while(|token| token.span().start < body.end).count();
        let source = body.text(self.text);
        let spans_lines =
            |token: &Token| token.kind == TokenKind::Text && token.span().text(self.text).contains('\n');
        let text = if tokens.iter().take(inside).any(spans_lines) {
            // Blanks inside quoted text count, so no line is touched.
            format!("\t{}", source.trim())
        } else {
            indented(source)
        };
        if text.trim().is_empty() {
            self.out.push_str("{}");
        } else {
            self.out.push_str("{\n");
            self.out.push_str(&text);
            self.out.push_str("\n}");
        }
        self.at += inside;
        self.before = self.tree.tokens.get(self.at).copied();
        self.at += 1;
        self.begins = true;
        self.declaration = Declaration::Block;
    }
}

/// The lines of a condition, indented by one tab more than they are among themselves.
fn indented(source: &str) -> String {
    let starts_on_opening_line = source.split('\n').next().is_some_and(|line| !line.trim().is_empty());
    let lines: Vec<&str> = source.split('\n').map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or(0);
    let lines = lines.get(first..=last).unwrap_or(&[]);
    let counted = lines.iter().skip(usize::from(starts_on_opening_line)).filter(|line| !line.is_empty());
    let shared = counted.map(|line| doc::blanks_of(line)).reduce(doc::shared_start).unwrap_or("");
    let write = |(number, line): (usize, &&str)| match line {
        &"" => String::new(),
        line if number == 0 && starts_on_opening_line => format!("\t{}", line.trim_start()),
        line => format!("\t{}", line.strip_prefix(shared).unwrap_or(line)),
    };
    lines.iter().enumerate().map(write).collect::<Vec<_>>().join("\n")
}

/// Whether two tokens on one line have a blank between them.
fn blank_between(left: TokenKind, right: TokenKind) -> bool {
    use TokenKind::{
        Arrow, CloseParenthesis, Colon, Comma, Dot, Ellipsis, Greater, Hash, Less, OpenParenthesis, Slash,
        Star, Word,
    };
    match (left, right) {
        (left, _) if left.is_comment() => true,
        (OpenParenthesis | Hash | Dot | Arrow | Less | Ellipsis | Slash, _) => false,
        (_, CloseParenthesis | Colon | Comma | Hash | Dot | Arrow | Less | Greater | Slash) => false,
        (Colon, Star) => false,
        (Word, OpenParenthesis) => false,
        _ => true,
    }
}
