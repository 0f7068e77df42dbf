//! What follows a value: fields, indexes, methods and macros.

use pemba_model::Span;
use smol_str::SmolStr;

use super::Parser;
use crate::ast::{Expr, Fold, Kind};
use crate::lexer::Token;

impl Parser<'_, '_> {
    pub(super) fn member(&mut self) -> Expr {
        let mut operand = self.primary();
        loop {
            let start = operand.span.start;
            if self.take(".").is_some() {
                let optional = self.take("?").is_some();
                operand = self.field_or_method(operand, optional);
            } else if self.is("[") {
                operand = self.index(operand);
            } else if self.is("{") && matches!(operand.kind, Kind::Name { .. } | Kind::Select { .. }) {
                let span = Span::new(start, self.span().end);
                self.error("caveat-message", span, "messages cannot be built in an expression");
                self.bump();
                self.skip_to("}");
                return Self::fault(span);
            } else {
                return operand;
            }
            if self.too_deep {
                return operand;
            }
        }
    }

    fn index(&mut self, operand: Expr) -> Expr {
        let open = self.bump();
        let optional = self.take("?").is_some();
        let index = self.expression();
        self.close("]", open);
        let span = Span::new(operand.span.start, self.last_end());
        let below = operand.height.max(index.height);
        let kind = Kind::Index { operand: Box::new(operand), index: Box::new(index), optional };
        self.node(kind, span, below)
    }

    fn field_or_method(&mut self, operand: Expr, optional: bool) -> Expr {
        let keyword = ["true", "false", "null", "in"].iter().any(|word| self.is_word(word));
        if self.peek() != Token::Word || keyword {
            self.expected("the name of a field or method");
            return Self::fault(operand.span);
        }
        let name = SmolStr::new(self.text());
        self.bump();
        if !self.is("(") || optional {
            let span = Span::new(operand.span.start, self.last_end());
            let below = operand.height;
            return self.node(
                Kind::Select { operand: Box::new(operand), field: name, optional },
                span,
                below,
            );
        }
        let arguments = self.arguments();
        let span = Span::new(operand.span.start, self.last_end());
        match (name.as_str(), arguments.len()) {
            ("all", 2) => self.fold(Fold::All, operand, arguments, span),
            ("exists", 2) => self.fold(Fold::Exists, operand, arguments, span),
            ("exists_one", 2) => self.fold(Fold::ExistsOne, operand, arguments, span),
            ("filter", 2) => self.fold(Fold::Filter, operand, arguments, span),
            ("map", 2 | 3) => self.fold(Fold::Map, operand, arguments, span),
            ("optMap", 2) => self.optional_map(operand, arguments, span),
            _ => {
                let below = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
                let below = below.max(operand.height);
                let kind = Kind::Call { function: name, target: Some(Box::new(operand)), arguments };
                self.node(kind, span, below)
            }
        }
    }

    /// The variable that a macro introduces; none when something else stands there.
    fn variable(&mut self, argument: Option<Expr>, span: Span) -> Option<SmolStr> {
        match argument {
            Some(Expr { kind: Kind::Name { name, rooted: false }, .. }) => Some(name),
            Some(Expr { kind: Kind::Fault, .. }) => None,
            other => {
                let span = other.map_or(span, |other| other.span);
                self.error("caveat-macro", span, "the first argument of a macro is a plain name");
                None
            }
        }
    }

    fn fold(&mut self, fold: Fold, range: Expr, arguments: Vec<Expr>, span: Span) -> Expr {
        let mut arguments = arguments.into_iter();
        let variable = self.variable(arguments.next(), span);
        let (second, third) = (arguments.next(), arguments.next());
        let (filter, body) = match third {
            Some(body) => (second, Some(body)),
            None => (None, second),
        };
        let (Some(variable), Some(body)) = (variable, body) else { return Self::fault(span) };
        let below = range.height.max(body.height).max(filter.as_ref().map_or(0, |filter| filter.height));
        let kind = Kind::Fold {
            fold,
            range: Box::new(range),
            variable,
            filter: filter.map(Box::new),
            body: Box::new(body),
        };
        self.node(kind, span, below)
    }

    fn optional_map(&mut self, target: Expr, arguments: Vec<Expr>, span: Span) -> Expr {
        let mut arguments = arguments.into_iter();
        let variable = self.variable(arguments.next(), span);
        let (Some(variable), Some(body)) = (variable, arguments.next()) else { return Self::fault(span) };
        let below = target.height.max(body.height);
        let kind = Kind::OptionalMap { target: Box::new(target), variable, body: Box::new(body) };
        self.node(kind, span, below)
    }
}
