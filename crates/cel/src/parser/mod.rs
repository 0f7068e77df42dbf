//! Tokens to tree. A fault is reported once, and parsing goes on behind it.

mod members;
mod primary;

use pemba_model::limits::CAVEAT_NESTING_MAX;
use pemba_model::{Diagnostic, Span};

use crate::ast::{Binary, Expr, Kind};
use crate::lexer::{Lexeme, Token, lex};

/// Most findings that are kept for one expression.
pub(crate) const FINDINGS_MAX: usize = 20;

/// Parses a source; findings are added, and what they are about becomes `Kind::Fault`.
pub(crate) fn parse(source: &str, findings: &mut Vec<Diagnostic>) -> Expr {
    let lexemes = lex(source, findings);
    let mut parser =
        Parser { source, lexemes, at: 0, depth: 0, expected_at: None, findings, too_deep: false };
    let parsed = parser.expression();
    if parser.peek() != Token::End && !parser.too_deep {
        parser.expected("an operator or the end of the expression");
    }
    parsed
}

pub(super) struct Parser<'a, 'f> {
    source: &'a str,
    lexemes: Vec<Lexeme>,
    at: usize,
    depth: usize,
    /// The token at which something else was expected last.
    expected_at: Option<usize>,
    findings: &'f mut Vec<Diagnostic>,
    /// Once nesting was too deep, all that follows is in disorder and not worth a word.
    too_deep: bool,
}

impl Parser<'_, '_> {
    fn lexeme(&self) -> Lexeme {
        let end = Span::new(self.source.len(), self.source.len());
        self.lexemes.get(self.at).copied().unwrap_or(Lexeme { token: Token::End, span: end })
    }

    fn peek(&self) -> Token {
        self.lexeme().token
    }

    fn span(&self) -> Span {
        self.lexeme().span
    }

    fn text(&self) -> &str {
        self.span().text(self.source)
    }

    fn bump(&mut self) -> Span {
        let span = self.span();
        if self.peek() != Token::End {
            self.at += 1;
        }
        span
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(found) if found == mark)
    }

    fn take(&mut self, mark: &str) -> Option<Span> {
        self.is(mark).then(|| self.bump())
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek() == Token::Word && self.text() == word
    }

    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.lexemes.get(at)).map_or(0, |lexeme| lexeme.span.end)
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX && !self.too_deep {
            self.findings.push(Diagnostic::error(code, span, message));
        }
    }

    /// Reports that something else stands here.
    fn expected(&mut self, what: &str) {
        // What goes wrong at the same place again is a consequence.
        if self.expected_at.replace(self.at) == Some(self.at) {
            return;
        }
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            _ => format!("`{}`", self.text().chars().take(40).collect::<String>()),
        };
        self.error("caveat-syntax", self.span(), format!("expected {what}, found {found}"));
    }

    fn fault(span: Span) -> Expr {
        Expr { kind: Kind::Fault, span, height: 0 }
    }

    /// A node above others; one that is too high is a fault.
    fn node(&mut self, kind: Kind, span: Span, below: usize) -> Expr {
        if below >= CAVEAT_NESTING_MAX {
            return self.nested_too_deep(span);
        }
        Expr { kind, span, height: below + 1 }
    }

    fn nested_too_deep(&mut self, span: Span) -> Expr {
        self.error(
            "caveat-nesting",
            span,
            format!("the expression nests deeper than {CAVEAT_NESTING_MAX} levels"),
        );
        self.too_deep = true;
        self.at = self.lexemes.len().saturating_sub(1);
        Self::fault(span)
    }

    /// An expression: a condition with `?` and `:`, or what binds stronger.
    pub(super) fn expression(&mut self) -> Expr {
        self.depth += 1;
        if self.depth > CAVEAT_NESTING_MAX {
            let span = self.span();
            self.depth -= 1;
            return self.nested_too_deep(span);
        }
        let parsed = self.conditional();
        self.depth -= 1;
        parsed
    }

    fn conditional(&mut self) -> Expr {
        let condition = self.or();
        if self.take("?").is_none() {
            return condition;
        }
        let yes = self.or();
        if self.take(":").is_none() {
            self.expected("`:` and what holds otherwise");
            return Self::fault(condition.span.to(yes.span));
        }
        let no = self.expression();
        let span = condition.span.to(no.span);
        let below = condition.height.max(yes.height).max(no.height);
        self.node(Kind::Conditional(Box::new([condition, yes, no])), span, below)
    }

    fn or(&mut self) -> Expr {
        self.chain("||", Kind::Or, Self::and)
    }

    fn and(&mut self) -> Expr {
        self.chain("&&", Kind::And, |parser| parser.relation())
    }

    /// Operands between the same operator, as one node with all of them.
    fn chain(&mut self, mark: &str, wrap: fn(Vec<Expr>) -> Kind, operand: fn(&mut Self) -> Expr) -> Expr {
        let first = operand(self);
        if !self.is(mark) {
            return first;
        }
        let mut operands = vec![first];
        while self.take(mark).is_some() {
            operands.push(operand(self));
        }
        let span = operands.iter().map(|operand| operand.span).reduce(Span::to).unwrap_or_default();
        let below = operands.iter().map(|operand| operand.height).max().unwrap_or(0);
        self.node(wrap(operands), span, below)
    }

    fn relation(&mut self) -> Expr {
        self.binary(&RELATIONS, |parser| parser.binary(&SUMS, |parser| parser.binary(&PRODUCTS, Self::unary)))
    }

    /// Operands between operators of one strength, from left to right.
    fn binary(&mut self, operators: &[(&str, Binary)], operand: fn(&mut Self) -> Expr) -> Expr {
        let mut left = operand(self);
        while let Some((_, operator)) =
            operators.iter().find(|(mark, _)| self.is(mark) || (*mark == "in" && self.is_word("in")))
        {
            self.bump();
            let right = operand(self);
            let span = left.span.to(right.span);
            let below = left.height.max(right.height);
            left = self.node(Kind::Binary(*operator, Box::new(left), Box::new(right)), span, below);
        }
        left
    }

    /// `!` or `-`, any number of one of them, before a member. Two of the same cancel each other.
    fn unary(&mut self) -> Expr {
        let start = self.span();
        let mark = if self.is("!") {
            "!"
        } else if self.is("-") && !self.is_negative_number() {
            "-"
        } else {
            return self.member();
        };
        let mut odd = false;
        while self.is(mark) && !(mark == "-" && self.is_negative_number()) {
            self.bump();
            odd = !odd;
        }
        let operand = self.member();
        if !odd {
            return operand;
        }
        let span = start.to(operand.span);
        let below = operand.height;
        let wrap = if mark == "!" { Kind::Not } else { Kind::Negate };
        self.node(wrap(Box::new(operand)), span, below)
    }

    /// Whether a minus stands here that belongs to the number behind it.
    fn is_negative_number(&self) -> bool {
        let next = self.lexemes.get(self.at + 1).map(|lexeme| lexeme.token);
        self.is("-") && matches!(next, Some(Token::Int | Token::Double))
    }
}

const RELATIONS: [(&str, Binary); 7] = [
    ("==", Binary::Equal),
    ("!=", Binary::NotEqual),
    ("<", Binary::Less),
    ("<=", Binary::LessEqual),
    (">", Binary::Greater),
    (">=", Binary::GreaterEqual),
    ("in", Binary::In),
];

const SUMS: [(&str, Binary); 2] = [("+", Binary::Add), ("-", Binary::Subtract)];

const PRODUCTS: [(&str, Binary); 3] = [("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Modulo)];
