//! Tokens to tree, by recursive descent. It never gives up: what it cannot understand it reports, skips to where the
//! next statement or declaration begins, and goes on.

mod block;
mod caveat;
mod expression;

use pemba_model::limits::SCHEMA_MAX_BYTES;
use pemba_model::{Diagnostic, SmolStr, Span};

use crate::doc;
use crate::findings::{Findings, near, shown};
use crate::lexer::{Token, TokenKind, lex};
use crate::syntax::{Item, Name, Tree};

/// The flags that `use` knows.
pub const FLAGS: [&str; 5] = ["expiration", "typechecking", "self", "partial", "import"];

/// Words that cannot be names, because they begin a statement or an operand.
const RESERVED: [&str; 6] = ["definition", "caveat", "relation", "permission", "nil", "with"];

/// Words that begin a declaration at the top level.
const TOP_LEVEL: [&str; 5] = ["definition", "caveat", "partial", "use", "import"];

/// What a text says and what is wrong with how it is written.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The tree of all that could be understood.
    pub tree: Tree,
    /// Every syntax error, in the order of the text; at most [`crate::findings::ERRORS_MAX`] and one that counts the
    /// rest.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a schema text. Always gives a tree; a text above `SCHEMA_MAX_BYTES` is not looked at.
pub fn parse(text: &str) -> Parsed {
    if text.len() > SCHEMA_MAX_BYTES {
        let message =
            format!("the schema is {} bytes long; at most {SCHEMA_MAX_BYTES} are allowed", text.len());
        let too_large = Diagnostic::error("schema-too-large", Span::new(0, 0), message);
        return Parsed { tree: Tree { incomplete: true, ..Tree::default() }, diagnostics: vec![too_large] };
    }
    let lexed = lex(text);
    let mut findings = Findings::default();
    for diagnostic in lexed.diagnostics {
        findings.add(diagnostic);
    }
    let mut parser =
        Parser { text, tokens: &lexed.tokens, at: 0, findings, flags: Vec::new(), incomplete: false };
    parser.skip_comments();
    let items = parser.items();
    let (findings, incomplete) = (parser.findings, parser.incomplete);
    Parsed { tree: Tree { tokens: lexed.tokens, items, incomplete }, diagnostics: findings.finish() }
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// Never at a comment.
    at: usize,
    findings: Findings,
    /// The flags that are set up to here.
    flags: Vec<&'t str>,
    /// Whether something at the top level was skipped.
    incomplete: bool,
}

impl<'t> Parser<'t> {
    fn token_at(&self, at: usize) -> Option<Token> {
        self.tokens.get(at).or(self.tokens.last()).copied()
    }

    fn peek(&self) -> TokenKind {
        self.token_at(self.at).map_or(TokenKind::End, |token| token.kind)
    }

    fn span(&self) -> Span {
        self.token_at(self.at).map(|token| token.span()).unwrap_or_default()
    }

    /// The word at the current place; empty when there is none.
    fn word(&self) -> &'t str {
        if self.peek() == TokenKind::Word { self.span().text(self.text) } else { "" }
    }

    /// The kind of the next token after the current one that is no comment.
    fn peek_second(&self) -> TokenKind {
        let rest = self.tokens.get(self.at + 1..).unwrap_or(&[]);
        rest.iter().find(|token| !token.kind.is_comment()).map_or(TokenKind::End, |token| token.kind)
    }

    fn skip_comments(&mut self) {
        while self.peek().is_comment() {
            self.at += 1;
        }
    }

    /// Takes the current token.
    fn bump(&mut self) -> Span {
        let span = self.span();
        if self.peek() != TokenKind::End {
            self.at += 1;
            self.skip_comments();
        }
        span
    }

    fn take(&mut self, kind: TokenKind) -> Option<Span> {
        (self.peek() == kind).then(|| self.bump())
    }

    fn skip_line_ends(&mut self) {
        while matches!(self.peek(), TokenKind::LineEnd | TokenKind::Semicolon) {
            self.bump();
        }
    }

    /// The last token that was taken.
    fn last(&self) -> Option<Token> {
        let before = self.tokens.get(..self.at).unwrap_or(&[]);
        before.iter().rev().find(|token| !token.kind.is_comment()).copied()
    }

    /// The end of the last token that was taken.
    fn last_end(&self) -> usize {
        self.last().map_or(0, |token| token.span().end)
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.findings.add(Diagnostic::error(code, span, message));
    }

    /// Reports that something else was expected at the current place.
    fn expected(&mut self, code: &'static str, what: &str) {
        let message = format!("expected {what}, found {}", self.found());
        self.error(code, self.span(), message);
    }

    /// What stands at the current place, for messages.
    fn found(&self) -> String {
        match self.peek() {
            TokenKind::End => "the end of the text".to_owned(),
            TokenKind::LineEnd => "the end of the line".to_owned(),
            _ => format!("`{}`", shown(self.span().text(self.text))),
        }
    }

    /// Whether the current token is the first of its line; line ends within comments do not count.
    fn at_line_start(&self) -> bool {
        let mut start = self.span().start;
        for token in self.tokens.get(..self.at).unwrap_or(&[]).iter().rev() {
            let gap = self.text.get(token.span().end..start);
            if token.kind == TokenKind::LineEnd || gap.is_none_or(|gap| gap.contains('\n')) {
                return true;
            }
            if !token.kind.is_comment() {
                return false;
            }
            start = token.span().start;
        }
        true
    }

    fn at_top_level_word(&self) -> bool {
        let word = self.word();
        let second = if word == "import" { TokenKind::Text } else { TokenKind::Word };
        TOP_LEVEL.contains(&word) && self.peek_second() == second && self.at_line_start()
    }

    fn at_member_word(&self) -> bool {
        matches!(self.word(), "relation" | "permission") && self.at_line_start()
    }

    /// The comments in front of the current token, back to the token or line end before them.
    fn doc(&self) -> Option<String> {
        let before = self.tokens.get(..self.at).unwrap_or(&[]);
        let count = before.iter().rev().take_while(|token| token.kind.is_comment()).count();
        let comments = before.get(before.len() - count..).unwrap_or(&[]);
        doc::join(comments.iter().map(|token| token.span().text(self.text)))
    }

    /// Takes a name; `what` says of what kind, for the message. A name without its statement is not taken.
    fn name(&mut self, what: &str) -> Option<Name> {
        if self.peek() != TokenKind::Word || self.at_member_word() || self.at_top_level_word() {
            self.expected("expected-name", what);
            return None;
        }
        let (word, span) = (self.word(), self.bump());
        if RESERVED.contains(&word) {
            self.error("reserved-word", span, format!("`{word}` is a keyword and cannot be {what}"));
        } else if let Some(flag) = self.reserving_flag(word) {
            let message = format!("`{word}` is a keyword under `use {flag}` and cannot be {what}");
            self.error("reserved-word", span, message);
        }
        Some(Name { text: SmolStr::new(word), span })
    }

    /// Whether a flag is set at this place of the text.
    fn has_flag(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// The flag under which a word is a keyword.
    fn reserving_flag(&self, word: &str) -> Option<&'t str> {
        let flag = if word == "and" { "expiration" } else { word };
        self.flags.iter().copied().find(|set| *set == flag)
    }

    /// Takes a name with its prefixes: `one/two/name`.
    fn path(&mut self, what: &str) -> Option<Name> {
        let mut name = self.name(what)?;
        while self.peek() == TokenKind::Slash {
            self.bump();
            let part = self.name("a name after `/`")?;
            name = Name {
                text: SmolStr::new(format!("{}/{}", name.text, part.text)),
                span: name.span.to(part.span),
            };
        }
        Some(name)
    }

    /// Skips to where the current statement ends or another begins.
    fn skip_statement(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                TokenKind::End => return,
                TokenKind::LineEnd | TokenKind::Semicolon if depth == 0 => return,
                TokenKind::CloseBrace if depth == 0 => return,
                TokenKind::CloseBrace => depth -= 1,
                TokenKind::OpenBrace => depth += 1,
                TokenKind::Word if self.at_member_word() || self.at_top_level_word() => return,
                _ => {}
            }
            self.bump();
        }
    }

    /// Skips to the next declaration at the top level.
    fn skip_item(&mut self) {
        self.incomplete = true;
        self.bump();
        while self.peek() != TokenKind::End && !self.at_top_level_word() {
            self.bump();
        }
    }

    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            self.skip_line_ends();
            if self.peek() == TokenKind::End {
                return items;
            }
            let doc = self.doc();
            match self.word() {
                "use" => items.extend(self.use_line(!items.iter().all(|item| matches!(item, Item::Use(_))))),
                "import" => items.extend(self.import_line()),
                "definition" => items.extend(self.block("definition", doc).map(Item::Definition)),
                "partial" => items.extend(self.block("partial", doc).map(Item::Partial)),
                "caveat" => items.extend(self.caveat(doc).map(Item::Caveat)),
                other => {
                    self.no_item(other);
                    // A stray brace hides no declaration.
                    if self.take(TokenKind::CloseBrace).is_none() {
                        self.skip_item();
                    }
                }
            }
        }
    }

    fn no_item(&mut self, word: &str) {
        let message = format!("expected `definition`, `caveat`, `partial` or `use`, found {}", self.found());
        let mut finding = Diagnostic::error("expected-declaration", self.span(), message);
        finding.help = near(word, &TOP_LEVEL.map(SmolStr::new_static));
        if matches!(word, "relation" | "permission") {
            finding.help =
                Some("relations and permissions stand inside a `definition name { ... }`".to_owned());
        }
        self.findings.add(finding);
    }

    fn use_line(&mut self, late: bool) -> Option<Item> {
        let keyword = self.bump();
        // A flag that is set already is a keyword, and may be set again.
        let flag = if self.has_flag(self.word()) {
            Name { text: SmolStr::new(self.word()), span: self.bump() }
        } else {
            self.name("the name of a flag")?
        };
        let span = keyword.to(flag.span);
        if late {
            let message = format!("`use {}` must stand before all declarations", shown(&flag.text));
            self.error("late-flag", span, message);
        }
        if !FLAGS.contains(&flag.text.as_str()) {
            let message = format!("unknown flag `{}`", shown(&flag.text));
            let mut finding = Diagnostic::error("unknown-flag", flag.span, message);
            let all = format!("the flags are {}", FLAGS.map(|name| format!("`{name}`")).join(", "));
            finding.help = near(&flag.text, &FLAGS.map(SmolStr::new_static)).or(Some(all));
            self.findings.add(finding);
        } else if !late {
            self.flags.push(flag.span.text(self.text));
        }
        self.end_of_statement();
        Some(Item::Use(flag))
    }

    fn import_line(&mut self) -> Option<Item> {
        let keyword = self.bump();
        let Some(file) = self.take(TokenKind::Text) else {
            self.expected("expected-token", "a quoted file name after `import`");
            self.skip_statement();
            return None;
        };
        self.end_of_statement();
        Some(Item::Import(keyword.to(file)))
    }

    /// Takes the end of a statement, or reports what stands in its place and skips it.
    fn end_of_statement(&mut self) {
        match self.peek() {
            TokenKind::LineEnd | TokenKind::Semicolon => self.skip_line_ends(),
            TokenKind::CloseBrace | TokenKind::End => {}
            _ if self.at_member_word() || self.at_top_level_word() => {}
            _ => {
                self.expected("expected-end", "the end of the statement (a line end or `;`)");
                self.skip_statement();
            }
        }
    }
}
