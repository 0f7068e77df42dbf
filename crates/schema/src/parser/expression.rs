//! The right side of a permission. Arrows bind tightest, then `+`, then `&`; `-` binds weakest. All group to the
//! left.

use pemba_model::limits::SCHEMA_NESTING_MAX;
use pemba_model::{Diagnostic, Span};

use super::Parser;
use crate::lexer::TokenKind;
use crate::syntax::{ExpressionKind, ExpressionNode, Name};

impl Parser<'_> {
    /// Takes an expression; `None` when it could not be understood, which has been reported.
    pub(super) fn expression(&mut self) -> Option<ExpressionNode> {
        self.exclusion(0)
    }

    fn exclusion(&mut self, depth: usize) -> Option<ExpressionNode> {
        let mut left = self.intersection(depth)?;
        while self.operator(TokenKind::Minus) {
            let right = self.intersection(depth)?;
            let span = left.span.to(right.span);
            let height = left.height.max(right.height) + 1;
            self.check_nesting(height, span)?;
            left = ExpressionNode {
                kind: ExpressionKind::Exclusion(Box::new(left), Box::new(right)),
                span,
                height,
            };
        }
        Some(left)
    }

    fn intersection(&mut self, depth: usize) -> Option<ExpressionNode> {
        let first = self.union(depth)?;
        if self.peek_operator() != TokenKind::Ampersand {
            return Some(first);
        }
        let mut operands = vec![first];
        while self.operator(TokenKind::Ampersand) {
            operands.push(self.union(depth)?);
        }
        self.flat(operands, ExpressionKind::Intersection, |kind| match kind {
            ExpressionKind::Intersection(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn union(&mut self, depth: usize) -> Option<ExpressionNode> {
        let first = self.operand(depth)?;
        if self.peek_operator() != TokenKind::Plus {
            return Some(first);
        }
        let mut operands = vec![first];
        while self.operator(TokenKind::Plus) {
            operands.push(self.operand(depth)?);
        }
        self.flat(operands, ExpressionKind::Union, |kind| match kind {
            ExpressionKind::Union(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// The operator that comes next, on this line or at the start of the next.
    fn peek_operator(&self) -> TokenKind {
        if self.peek() == TokenKind::LineEnd { self.peek_second() } else { self.peek() }
    }

    /// One node of all operands; operands of the same kind give up their own operands to it.
    fn flat(
        &mut self,
        operands: Vec<ExpressionNode>,
        make: fn(Vec<ExpressionNode>) -> ExpressionKind,
        open: fn(ExpressionKind) -> Result<Vec<ExpressionNode>, ExpressionKind>,
    ) -> Option<ExpressionNode> {
        let span = operands.iter().map(|operand| operand.span).reduce(Span::to).unwrap_or_default();
        let mut flat = Vec::with_capacity(operands.len());
        for ExpressionNode { kind, span, height } in operands {
            match open(kind) {
                Ok(inner) => flat.extend(inner),
                Err(kind) => flat.push(ExpressionNode { kind, span, height }),
            }
        }
        let height = flat.iter().map(|operand| operand.height).max().unwrap_or(0) + 1;
        self.check_nesting(height, span)?;
        Some(ExpressionNode { kind: make(flat), span, height })
    }

    fn check_nesting(&mut self, height: usize, span: Span) -> Option<()> {
        if height <= SCHEMA_NESTING_MAX {
            return Some(());
        }
        let message = format!("the expression is nested deeper than {SCHEMA_NESTING_MAX} levels");
        let finding = Diagnostic::error("nesting-too-deep", span, message)
            .with_help("give parts of it a permission of their own");
        self.findings.add(finding);
        None
    }

    fn operand(&mut self, depth: usize) -> Option<ExpressionNode> {
        if self.peek() == TokenKind::OpenParenthesis {
            return self.parenthesised(depth);
        }
        if self.peek() != TokenKind::Word || self.at_member_word() || self.at_top_level_word() {
            self.expected("expected-expression", "a relation, a permission, `nil`, `self` or `(`");
            return None;
        }
        let span = self.span();
        let kind = match self.word() {
            "nil" => ExpressionKind::Nil,
            "self" if !matches!(self.peek_second(), TokenKind::Arrow | TokenKind::Dot) => {
                ExpressionKind::SelfObject
            }
            _ => return self.reference_or_arrow(),
        };
        self.bump();
        Some(ExpressionNode { kind, span, height: 1 })
    }

    fn parenthesised(&mut self, depth: usize) -> Option<ExpressionNode> {
        let open = self.bump();
        self.check_nesting(depth + 2, open)?;
        let inner = self.exclusion(depth + 1)?;
        if self.peek() == TokenKind::LineEnd && self.peek_second() == TokenKind::CloseParenthesis {
            self.expected("operator-on-new-line", "`)`");
            self.bump();
        }
        if self.take(TokenKind::CloseParenthesis).is_none() {
            self.expected("expected-token", "`)`");
            return None;
        }
        if matches!(self.peek(), TokenKind::Arrow | TokenKind::Dot) {
            let finding = Diagnostic::error(
                "arrow-over-expression",
                self.span(),
                "an arrow needs a relation on its left",
            )
            .with_help("only `relation->target` is possible");
            self.findings.add(finding);
            return None;
        }
        Some(inner)
    }

    fn reference_or_arrow(&mut self) -> Option<ExpressionNode> {
        let relation = self.name("a relation or permission")?;
        let Some((target, all)) = self.arrow()? else {
            let span = relation.span;
            return Some(ExpressionNode { kind: ExpressionKind::Reference(relation), span, height: 1 });
        };
        let span = Span::new(relation.span.start, self.last_end());
        if matches!(self.peek(), TokenKind::Arrow | TokenKind::Dot) {
            let finding = Diagnostic::error("chained-arrow", self.span(), "arrows cannot be chained").with_help(format!(
                "add a permission with the rest of the way to the type of `{}`, and let the arrow end there",
                relation.text
            ));
            self.findings.add(finding);
            while self.arrow()?.is_some() {}
        }
        Some(ExpressionNode { kind: ExpressionKind::Arrow { relation, target, all }, span, height: 1 })
    }

    /// Takes `->target`, `.any(target)` or `.all(target)`; the outer `None` says that it was wrong.
    fn arrow(&mut self) -> Option<Option<(Name, bool)>> {
        if self.take(TokenKind::Arrow).is_some() {
            return self.name("a relation or permission after `->`").map(|target| Some((target, false)));
        }
        if self.take(TokenKind::Dot).is_none() {
            return Some(None);
        }
        let all = match self.word() {
            "all" => true,
            "any" => false,
            _ => {
                self.expected("unknown-function", "`any` or `all` after `.`");
                return None;
            }
        };
        self.bump();
        if self.take(TokenKind::OpenParenthesis).is_none() {
            self.expected("expected-token", "`(` and a relation or permission");
            return None;
        }
        let target = self.name("a relation or permission")?;
        if self.take(TokenKind::CloseParenthesis).is_none() {
            self.expected("expected-token", "`)`");
            return None;
        }
        Some(Some((target, all)))
    }
}
