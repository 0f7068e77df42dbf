//! What a text declares, as an outline.

use pemba_model::{SmolStr, Span};

use super::Document;
use crate::syntax::{Block, CaveatNode, Item, Member};

/// What a declaration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// A definition.
    Definition,
    /// A partial.
    Partial,
    /// A relation.
    Relation,
    /// A permission.
    Permission,
    /// A caveat.
    Caveat,
    /// A parameter of a caveat.
    Parameter,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: SmolStr,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub span: Span,
    /// Its name, within `span`.
    pub name_span: Span,
    /// What it declares in turn, in the order of the text.
    pub children: Vec<Symbol>,
}

impl Document {
    /// All declarations in the order of the text.
    pub fn symbols(&self) -> Vec<Symbol> {
        let items = self.tree.items.iter();
        items
            .filter_map(|item| match item {
                Item::Definition(found) => Some(self.block(found, SymbolKind::Definition)),
                Item::Partial(found) => Some(self.block(found, SymbolKind::Partial)),
                Item::Caveat(found) => Some(caveat(found)),
                Item::Use(_) | Item::Import(_) => None,
            })
            .collect()
    }

    fn block(&self, block: &Block, kind: SymbolKind) -> Symbol {
        let children = block.members.iter().filter_map(|member| {
            let (name, kind, end) = match member {
                Member::Relation(relation) => {
                    let end = relation.allowed.last().map_or(relation.name.span, |last| last.span);
                    (&relation.name, SymbolKind::Relation, end.end)
                }
                Member::Permission(permission) => {
                    let end = permission.expression.as_ref().map_or(permission.name.span, |found| found.span);
                    (&permission.name, SymbolKind::Permission, end.end)
                }
                Member::Mix(_) => return None,
            };
            let span = Span::new(self.keyword(name.span.start), end.max(name.span.end));
            Some(Symbol { name: name.text.clone(), kind, span, name_span: name.span, children: Vec::new() })
        });
        Symbol {
            name: block.name.text.clone(),
            kind,
            span: block.span.to(block.name.span),
            name_span: block.name.span,
            children: children.collect(),
        }
    }

    /// Where the token in front of a name begins: the keyword of its statement.
    fn keyword(&self, name_start: usize) -> usize {
        let tokens = &self.tree.tokens;
        let before = tokens.partition_point(|token| token.span().start < name_start);
        let keyword = tokens.get(..before).unwrap_or(&[]).iter().rev().find(|token| !token.kind.is_comment());
        keyword.map_or(name_start, |token| token.span().start)
    }
}

fn caveat(caveat: &CaveatNode) -> Symbol {
    let children = caveat.parameters.iter().map(|parameter| Symbol {
        name: parameter.name.text.clone(),
        kind: SymbolKind::Parameter,
        span: parameter.name.span,
        name_span: parameter.name.span,
        children: Vec::new(),
    });
    Symbol {
        name: caveat.name.text.clone(),
        kind: SymbolKind::Caveat,
        span: caveat.span.to(caveat.name.span),
        name_span: caveat.name.span,
        children: children.collect(),
    }
}
