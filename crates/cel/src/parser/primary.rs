//! Literals, names, brackets: what other expressions are made of.

use pemba_model::Span;
use smol_str::SmolStr;

use super::Parser;
use crate::ast::{Expr, Kind};
use crate::lexer::Token;
use crate::literal;
use crate::value::Value;

/// Words that stand for something else than a name.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

/// Words that the language keeps for itself; they may be fields.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

impl Parser<'_, '_> {
    pub(super) fn primary(&mut self) -> Expr {
        let span = self.span();
        match self.peek() {
            Token::Int | Token::Uint | Token::Double | Token::Text => self.literal(None),
            Token::Mark("-") if self.is_negative_number() => {
                let minus = self.bump();
                self.literal(Some(minus))
            }
            Token::Mark("(") => self.parenthesis(),
            Token::Mark("[") => self.list(),
            Token::Mark("{") => self.map(),
            Token::Mark(".") => {
                self.bump();
                self.name(true, span)
            }
            Token::Word => self.name(false, span),
            _ => {
                self.expected("a value");
                // An operator is passed over, so that what follows it is looked at; a closing bracket is not.
                if !matches!(self.peek(), Token::Mark(")" | "]" | "}" | "," | ":") | Token::End) {
                    self.bump();
                }
                Self::fault(span)
            }
        }
    }

    /// A literal, behind the minus that belongs to it if there is one.
    fn literal(&mut self, minus: Option<Span>) -> Expr {
        let token = self.peek();
        let span = self.bump();
        let negative = minus.is_some();
        let source = span.text(self.source);
        let value = match token {
            Token::Int => literal::int(source, negative).ok_or("exceeds 64 bits, signed".to_owned()),
            Token::Uint => literal::uint(source).ok_or("exceeds 64 bits".to_owned()),
            Token::Double => literal::double(source, negative).ok_or("exceeds every double".to_owned()),
            _ => {
                let unclosed = self.findings.iter().any(|finding| finding.span.start == span.start);
                if unclosed {
                    return Self::fault(span);
                }
                literal::text(source)
            }
        };
        match value {
            Ok(value) => {
                let whole = minus.map_or(span, |minus| minus.to(span));
                Expr { kind: Kind::Literal(value), span: whole, height: 0 }
            }
            Err(trouble) => {
                let shown: String = source.chars().take(40).collect();
                self.error("caveat-literal", span, format!("the literal `{shown}`: {trouble}"));
                Self::fault(span)
            }
        }
    }

    fn parenthesis(&mut self) -> Expr {
        let open = self.bump();
        let mut inner = self.expression();
        self.close(")", open);
        inner.span = Span::new(open.start, self.last_end());
        inner
    }

    /// Takes the bracket that closes the one at `open`, passing over what cannot stand before it.
    pub(super) fn close(&mut self, mark: &'static str, open: Span) {
        if self.take(mark).is_some() {
            return;
        }
        self.expected(&format!("`{mark}` for the `{}` before", open.text(self.source)));
        self.skip_to(mark);
    }

    /// Passes over everything up to and with a closing bracket; those that open meanwhile must close too.
    pub(super) fn skip_to(&mut self, mark: &'static str) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Mark("(" | "[" | "{") => depth += 1,
                Token::Mark(found @ (")" | "]" | "}")) => {
                    if depth == 0 {
                        if found == mark {
                            self.bump();
                        }
                        return;
                    }
                    depth -= 1;
                }
                _ => {}
            }
            self.bump();
        }
    }

    fn list(&mut self) -> Expr {
        let open = self.bump();
        let mut elements = Vec::new();
        while !self.is("]") && self.peek() != Token::End {
            if elements.is_empty() && self.take(",").is_some() {
                break;
            }
            let optional = self.take("?").is_some();
            elements.push((self.expression(), optional));
            if self.take(",").is_none() {
                break;
            }
        }
        self.close("]", open);
        let below = elements.iter().map(|(element, _)| element.height).max().unwrap_or(0);
        self.node(Kind::List(elements), Span::new(open.start, self.last_end()), below)
    }

    fn map(&mut self) -> Expr {
        let open = self.bump();
        let mut entries = Vec::new();
        while !self.is("}") && self.peek() != Token::End {
            if entries.is_empty() && self.take(",").is_some() {
                break;
            }
            let optional = self.take("?").is_some();
            let key = self.expression();
            if self.take(":").is_none() {
                self.expected("`:` and the value of the entry");
                break;
            }
            entries.push((key, self.expression(), optional));
            if self.take(",").is_none() {
                break;
            }
        }
        self.close("}", open);
        let below = entries.iter().map(|(key, value, _)| key.height.max(value.height)).max().unwrap_or(0);
        self.node(Kind::Map(entries), Span::new(open.start, self.last_end()), below)
    }

    fn name(&mut self, rooted: bool, start: Span) -> Expr {
        if self.peek() != Token::Word {
            self.expected("a name");
            return Self::fault(start);
        }
        let text = SmolStr::new(self.text());
        let word = self.bump();
        let span = start.to(word);
        if KEYWORDS.contains(&text.as_str()) {
            let value = match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => {
                    self.error("caveat-syntax", word, "`in` stands between two values");
                    return Self::fault(span);
                }
            };
            return Expr { kind: Kind::Literal(value), span, height: 0 };
        }
        if RESERVED.contains(&text.as_str()) {
            self.error("caveat-reserved-word", word, format!("`{text}` is reserved and names nothing here"));
            return Self::fault(span);
        }
        if self.is("(") {
            return self.global_call(text, span);
        }
        Expr { kind: Kind::Name { name: text, rooted }, span, height: 0 }
    }

    fn global_call(&mut self, function: SmolStr, span: Span) -> Expr {
        let arguments = self.arguments();
        let whole = Span::new(span.start, self.last_end());
        if function == "has" {
            return self.has(arguments, whole);
        }
        let below = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
        self.node(Kind::Call { function, target: None, arguments }, whole, below)
    }

    /// Takes the arguments of a call; the open parenthesis is the current token.
    pub(super) fn arguments(&mut self) -> Vec<Expr> {
        let open = self.bump();
        let mut arguments = Vec::new();
        while !self.is(")") && self.peek() != Token::End {
            arguments.push(self.expression());
            if self.take(",").is_none() {
                break;
            }
            if self.is(")") {
                self.expected("another argument after the comma");
            }
        }
        self.close(")", open);
        arguments
    }

    fn has(&mut self, mut arguments: Vec<Expr>, span: Span) -> Expr {
        let argument = if arguments.len() == 1 { arguments.pop() } else { None };
        match argument {
            Some(Expr { kind: Kind::Select { operand, field, optional: false }, height, .. }) => {
                self.node(Kind::Has { operand, field }, span, height)
            }
            Some(Expr { kind: Kind::Fault, .. }) => Self::fault(span),
            _ => {
                self.error("caveat-macro", span, "`has` takes one field of a map: `has(request.field)`");
                Self::fault(span)
            }
        }
    }
}
