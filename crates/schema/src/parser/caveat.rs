//! Caveats: typed parameters, and a condition that is kept as it is written.

use pemba_model::limits::SCHEMA_NESTING_MAX;
use pemba_model::{Diagnostic, SmolStr, Span};

use super::Parser;
use crate::findings::{near, shown};
use crate::lexer::TokenKind;
use crate::schema::ParameterType;
use crate::syntax::{CaveatNode, Name, ParameterNode};

/// Names of the types that a parameter may have.
const TYPES: [&str; 12] = [
    "any",
    "bool",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "duration",
    "timestamp",
    "ipaddress",
    "list",
    "map",
];

impl Parser<'_> {
    /// Takes `caveat name(...) { ... }`; the keyword is the current token.
    pub(super) fn caveat(&mut self, doc: Option<String>) -> Option<CaveatNode> {
        let start = self.bump();
        let Some(name) = self.path("the name of the caveat") else {
            self.skip_to_declaration();
            return None;
        };
        let mut caveat = CaveatNode {
            doc,
            name,
            parameters: Vec::new(),
            parameters_complete: true,
            body: None,
            expression: Span::default(),
            span: start,
        };
        if self.parameters(&mut caveat).is_none() {
            caveat.parameters_complete = false;
            while !matches!(self.peek(), TokenKind::OpenBrace | TokenKind::End) && !self.at_top_level_word() {
                self.bump();
            }
        }
        self.condition(&mut caveat);
        caveat.span = Span::new(start.start, self.last_end());
        Some(caveat)
    }

    fn skip_to_declaration(&mut self) {
        self.incomplete = true;
        while self.peek() != TokenKind::End && !self.at_top_level_word() {
            self.bump();
        }
    }

    /// Takes the parameter list; `None` when it could not be understood to its end.
    fn parameters(&mut self, caveat: &mut CaveatNode) -> Option<()> {
        if self.take(TokenKind::OpenParenthesis).is_none() {
            self.expected("expected-token", "`(` and the parameters of the caveat");
            return None;
        }
        loop {
            self.skip_new_lines();
            // A list without parameters is reported with the caveat.
            if caveat.parameters.is_empty() && self.take(TokenKind::CloseParenthesis).is_some() {
                return Some(());
            }
            let name = self.name("a parameter, as in `(name type)`")?;
            let parameter_type = self.parameter_type()?;
            caveat.parameters.push(ParameterNode { name, parameter_type });
            self.skip_new_lines();
            if self.take(TokenKind::CloseParenthesis).is_some() {
                return Some(());
            }
            if self.take(TokenKind::Comma).is_none() {
                self.expected("expected-token", "`,` or `)`");
                return None;
            }
        }
    }

    /// Skips ends of lines, which within parentheses end nothing; a `;` stays.
    fn skip_new_lines(&mut self) {
        while self.take(TokenKind::LineEnd).is_some() {}
    }

    /// Takes a type. The outer `None` says that there is none, the inner that it is unknown or nested too deep.
    fn parameter_type(&mut self) -> Option<Option<ParameterType>> {
        let name = self.name("the type of the parameter")?;
        let mut inner = None;
        let mut levels = 0_usize;
        let mut names = vec![name];
        while self.take(TokenKind::Less).is_some() {
            levels += 1;
            names.push(self.name("the type of the elements")?);
        }
        for _ in 0..levels {
            if self.take(TokenKind::Greater).is_none() {
                self.expected("expected-token", "`>`");
                return None;
            }
        }
        if names.len() > SCHEMA_NESTING_MAX {
            let span = names.iter().map(|name| name.span).reduce(Span::to).unwrap_or_default();
            let message = format!("the type is nested deeper than {SCHEMA_NESTING_MAX} levels");
            self.error("parameter-nesting", span, message);
            return Some(None);
        }
        for name in names.iter().rev() {
            inner = Some(self.type_of(name, inner.take())?);
        }
        Some(inner.flatten())
    }

    /// The type that a name stands for around an element type. `Some(None)` when it was reported.
    fn type_of(
        &mut self,
        name: &Name,
        element: Option<Option<ParameterType>>,
    ) -> Option<Option<ParameterType>> {
        let simple = match name.text.as_str() {
            "list" | "map" => {
                let Some(element) = element else {
                    let message = format!("`{0}` needs the type of its elements: `{0}<string>`", name.text);
                    self.error("missing-element-type", name.span, message);
                    return Some(None);
                };
                let wrap = if name.text == "list" { ParameterType::List } else { ParameterType::Map };
                return Some(element.map(|inner| wrap(Box::new(inner))));
            }
            "any" => ParameterType::Any,
            "bool" => ParameterType::Bool,
            "string" => ParameterType::String,
            "int" => ParameterType::Int,
            "uint" => ParameterType::Uint,
            "double" => ParameterType::Double,
            "bytes" => ParameterType::Bytes,
            "duration" => ParameterType::Duration,
            "timestamp" => ParameterType::Timestamp,
            "ipaddress" => ParameterType::IpAddress,
            other => {
                let message = format!("unknown parameter type `{}`", shown(other));
                let mut finding = Diagnostic::error("unknown-parameter-type", name.span, message);
                finding.help = near(other, &TYPES.map(SmolStr::new_static))
                    .or(Some(format!("the types are {}", TYPES.map(|name| format!("`{name}`")).join(", "))));
                self.findings.add(finding);
                return Some(None);
            }
        };
        if element.is_some() {
            self.error(
                "element-type",
                name.span,
                format!("`{}` has no elements; only `list` and `map` do", name.text),
            );
            return Some(None);
        }
        Some(Some(simple))
    }

    /// Takes the condition between balanced braces.
    fn condition(&mut self, caveat: &mut CaveatNode) {
        if self.peek() != TokenKind::OpenBrace {
            if caveat.parameters_complete {
                self.expected("expected-token", "`{` and the condition of the caveat");
            }
            self.skip_line_ends();
            self.skip_to_declaration();
            return;
        }
        let open = self.span();
        let mut expression: Option<Span> = None;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                TokenKind::End => break,
                TokenKind::OpenBrace => depth += 1,
                TokenKind::CloseBrace => depth -= 1,
                // Words that begin a declaration cannot follow one another in a condition.
                TokenKind::Word if self.at_top_level_word() => break,
                _ => {}
            }
            let kind = self.peek();
            let span = self.bump();
            if depth == 0 {
                caveat.body = Some(Span::new(open.end, span.start));
                caveat.expression = expression.unwrap_or(Span::new(open.end, open.end));
                return;
            }
            if span != open && kind != TokenKind::LineEnd {
                expression = Some(expression.map_or(span, |expression| expression.to(span)));
            }
        }
        let message = format!("the condition of `{}` is never closed by `}}`", caveat.name.text);
        let finding = Diagnostic::error("unclosed-caveat", caveat.name.span, message)
            .with("caveat_name", caveat.name.text.as_str());
        self.findings.add(finding);
    }
}
