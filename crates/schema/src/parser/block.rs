//! Definitions, partials and what stands in them.

use pemba_model::{Diagnostic, SmolStr, Span};

use super::Parser;
use crate::findings::near;
use crate::lexer::TokenKind;
use crate::syntax::{AllowedNode, Block, Member, Name, PermissionNode, RelationNode, ShapeNode};

impl Parser<'_> {
    /// Takes `definition name { ... }`; the keyword is the current token.
    pub(super) fn block(&mut self, keyword: &str, doc: Option<String>) -> Option<Block> {
        let start = self.bump();
        let Some(name) = self.path(&format!("the name of the {keyword}")) else {
            self.skip_item_unless_declared();
            return None;
        };
        let mut block = Block { doc, name, members: Vec::new(), span: start, incomplete: false };
        if self.take(TokenKind::OpenBrace).is_none() {
            self.expected("expected-token", &format!("`{{` after the name of the {keyword}"));
            block.incomplete = true;
            if self.peek() != TokenKind::LineEnd || self.peek_second() != TokenKind::OpenBrace {
                self.skip_item_unless_declared();
                return Some(block);
            }
            self.bump();
            self.bump();
        }
        self.members(&mut block);
        block.span = Span::new(start.start, self.last_end());
        Some(block)
    }

    fn skip_item_unless_declared(&mut self) {
        self.skip_line_ends();
        self.incomplete = true;
        if !self.at_top_level_word() {
            self.skip_item();
        }
    }

    fn members(&mut self, block: &mut Block) {
        loop {
            self.skip_line_ends();
            if self.take(TokenKind::CloseBrace).is_some() {
                return;
            }
            if self.peek() == TokenKind::End || self.at_top_level_word() {
                let finding = Diagnostic::error(
                    "unclosed-block",
                    block.name.span,
                    format!("`{}` is never closed by `}}`", block.name.text),
                )
                .with("definition_name", block.name.text.as_str());
                self.findings.add(finding);
                return;
            }
            match self.member() {
                Some(member) => block.members.push(member),
                None => {
                    block.incomplete = true;
                    self.skip_statement();
                }
            }
        }
    }

    fn member(&mut self) -> Option<Member> {
        let doc = self.doc();
        match (self.peek(), self.word()) {
            (_, "relation") => self.relation(doc).map(Member::Relation),
            (_, "permission") => self.permission(doc).map(Member::Permission),
            (TokenKind::Ellipsis, _) => {
                self.bump();
                let name = self.path("the name of a partial after `...`")?;
                self.end_of_statement();
                Some(Member::Mix(name))
            }
            (_, word) => {
                let message = format!("expected `relation`, `permission` or `}}`, found {}", self.found());
                let mut finding = Diagnostic::error("expected-member", self.span(), message);
                finding.help = near(word, &["relation", "permission"].map(SmolStr::new_static));
                self.findings.add(finding);
                None
            }
        }
    }

    fn relation(&mut self, doc: Option<String>) -> Option<RelationNode> {
        self.bump();
        let name = self.name("the name of a relation")?;
        let mut relation = RelationNode { doc, name, allowed: Vec::new() };
        if self.take(TokenKind::Colon).is_none() {
            self.expected("expected-token", "`:` and the subjects that the relation takes");
            self.skip_statement();
            return Some(relation);
        }
        loop {
            let Some(allowed) = self.allowed() else {
                relation.allowed.clear();
                self.skip_statement();
                return Some(relation);
            };
            relation.allowed.push(allowed);
            if !self.operator(TokenKind::Pipe) {
                break;
            }
        }
        self.end_of_statement();
        Some(relation)
    }

    /// Takes one allowed subject with its traits.
    fn allowed(&mut self) -> Option<AllowedNode> {
        let subject_type = self.path("a subject type")?;
        let shape = self.shape()?;
        let mut allowed = AllowedNode {
            span: Span::new(subject_type.span.start, self.last_end()),
            subject_type,
            shape,
            caveat: None,
            expiration: None,
        };
        if self.word() == "with" {
            self.bump();
            self.traits(&mut allowed)?;
            allowed.span.end = self.last_end();
        }
        Some(allowed)
    }

    fn shape(&mut self) -> Option<ShapeNode> {
        if self.take(TokenKind::Hash).is_some() {
            if self.take(TokenKind::Ellipsis).is_some() {
                return Some(ShapeNode::Direct);
            }
            return self.name("a relation after `#`").map(ShapeNode::Userset);
        }
        if self.take(TokenKind::Colon).is_some() {
            if self.take(TokenKind::Star).is_none() {
                self.expected("expected-token", "`*` after `:`");
                return None;
            }
            return Some(ShapeNode::Wildcard);
        }
        Some(ShapeNode::Direct)
    }

    /// Takes what follows `with`: a caveat, `expiration`, or a caveat `and expiration`.
    fn traits(&mut self, allowed: &mut AllowedNode) -> Option<()> {
        let first_is_expiration = self.at_expiration();
        if first_is_expiration {
            allowed.expiration = Some(self.bump());
        } else {
            allowed.caveat = Some(self.path("a caveat or `expiration` after `with`")?);
        }
        if self.word() != "and" {
            return Some(());
        }
        let and = self.bump();
        if !self.has_flag("expiration") {
            let finding = Diagnostic::error("missing-flag", and, "`and` needs the flag `expiration`")
                .with_help("write `use expiration` as the first line");
            self.findings.add(finding);
            return None;
        }
        if self.at_expiration() && !first_is_expiration {
            allowed.expiration = Some(self.bump());
            return Some(());
        }
        let second = self.second_trait()?;
        if first_is_expiration {
            let finding =
                Diagnostic::error("trait-order", second.span, "`expiration` must be the last trait")
                    .with_help(format!("write `with {} and expiration`", second.text));
            self.findings.add(finding);
        } else {
            let message =
                format!("a subject takes one caveat; only `expiration` may follow it, not `{}`", second.text);
            self.error("second-caveat", second.span, message);
        }
        Some(())
    }

    /// Whether the current token is the trait `expiration`. Without its flag the word names a caveat.
    fn at_expiration(&self) -> bool {
        self.word() == "expiration" && self.has_flag("expiration")
    }

    fn second_trait(&mut self) -> Option<Name> {
        if self.at_expiration() {
            return Some(Name { text: SmolStr::new_static("expiration"), span: self.bump() });
        }
        self.path("`expiration` after `and`")
    }

    fn permission(&mut self, doc: Option<String>) -> Option<PermissionNode> {
        self.bump();
        let name = self.name("the name of a permission")?;
        let mut permission = PermissionNode { doc, name, types: Vec::new(), expression: None };
        if self.take(TokenKind::Colon).is_some() {
            match self.annotation() {
                Some(types) => permission.types = types,
                None => {
                    self.skip_statement();
                    return Some(permission);
                }
            }
        }
        if self.take(TokenKind::Equals).is_none() {
            self.expected("expected-token", "`=` and an expression");
            self.skip_statement();
            return Some(permission);
        }
        permission.expression = self.expression();
        if permission.expression.is_some() {
            self.end_of_statement();
        } else {
            self.skip_statement();
        }
        Some(permission)
    }

    fn annotation(&mut self) -> Option<Vec<Name>> {
        let mut types = Vec::new();
        loop {
            types.push(self.path("a subject type")?);
            if !self.operator(TokenKind::Pipe) {
                return Some(types);
            }
        }
    }

    /// Takes an operator. One at the start of the next line is taken too, but reported.
    pub(super) fn operator(&mut self, kind: TokenKind) -> bool {
        if self.take(kind).is_some() {
            return true;
        }
        if self.peek() != TokenKind::LineEnd || self.peek_second() != kind {
            return false;
        }
        self.bump();
        let sign = self.span().text(self.text);
        let message = format!("the statement ended on the line before `{sign}`");
        let finding = Diagnostic::error("operator-on-new-line", self.span(), message)
            .with_help(format!("move `{sign}` to the end of the line before"));
        self.findings.add(finding);
        self.bump();
        true
    }
}
