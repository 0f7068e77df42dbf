//! What an editor asks about a schema text while it is being written: findings, what a name means and where it is
//! used, what could come next, what the text declares. Every answer is given as far as the text can be understood.
//!
//! **Invariant: offsets are bytes of the text that was given, and no answer takes more than that text.**

mod complete;
mod hover;
mod index;
mod lines;
mod rename;
mod symbols;
#[cfg(test)]
mod tests;

use pemba_model::{Diagnostic, SmolStr, Span};

pub use complete::{COMPLETIONS_MAX, Completion, CompletionKind, Completions};
pub use hover::Hover;
pub use index::{Occurrence, Target};
pub use lines::{Lines, Position};
pub use rename::RenameError;
pub use symbols::{Symbol, SymbolKind};

use crate::compile;
use crate::parser::parse;
use crate::syntax::{Item, Tree};
use index::Index;

/// A schema text with what is known of it.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    index: Index,
}

impl Document {
    /// Analyses a text. One above `SCHEMA_MAX_BYTES` is not looked at: it has one error, that it is too long, and no
    /// names. Takes time linear in the text, but for logarithms.
    pub fn new(text: String) -> Document {
        let tree = parse(&text).tree;
        let diagnostics = match compile::compile(&text) {
            Ok(compiled) => compiled.warnings,
            Err(rejected) => rejected.diagnostics,
        };
        let index = Index::new(&tree, &text);
        Document { text, tree, diagnostics, index }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Errors, or warnings when there is no error, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The name at a place, with all that it may mean. A place right after a name counts as in it.
    pub fn occurrence(&self, offset: usize) -> Option<&Occurrence> {
        self.index.at(offset)
    }

    /// Where the name at a place is declared; more than one place when an arrow leads to several types.
    pub fn definitions(&self, offset: usize) -> Vec<Span> {
        let targets = self.occurrence(offset).map_or(&[][..], |occurrence| &occurrence.targets);
        targets.iter().filter_map(|target| self.index.declaration(target)).collect()
    }

    /// Every place that may mean what the name at a place means, in the order of the text; with or without where it
    /// is declared.
    pub fn references(&self, offset: usize, with_declaration: bool) -> Vec<Span> {
        let Some(asked) = self.occurrence(offset) else { return Vec::new() };
        let meant = |found: &&Occurrence| {
            (with_declaration || !found.is_declaration)
                && found.targets.iter().any(|target| asked.targets.contains(target))
        };
        self.index.occurrences().iter().filter(meant).map(|found| found.span).collect()
    }

    /// Whether a `use` line sets the flag.
    fn has_flag(&self, flag: &str) -> bool {
        self.tree.items.iter().any(|item| matches!(item, Item::Use(name) if name.text == flag))
    }

    /// Names of all definitions, in the order of the text.
    fn type_names(&self) -> impl Iterator<Item = &SmolStr> {
        self.tree.items.iter().filter_map(|item| match item {
            Item::Definition(block) => Some(&block.name.text),
            _ => None,
        })
    }
}
