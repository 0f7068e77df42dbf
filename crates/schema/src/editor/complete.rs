//! What could come next at a place.

use std::collections::BTreeSet;

use pemba_model::{SmolStr, Span};

use super::index::{self, MemberRef};
use super::{Document, Target, hover};
use crate::lexer::{Token, TokenKind};
use crate::parser::FLAGS;
use crate::syntax::Item;

/// Most proposals for one place.
pub const COMPLETIONS_MAX: usize = 1000;

/// The types that a parameter of a caveat may have.
const PARAMETER_TYPES: [&str; 12] = [
    "any",
    "bool",
    "bytes",
    "double",
    "duration",
    "int",
    "ipaddress",
    "list",
    "map",
    "string",
    "timestamp",
    "uint",
];

/// What a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// An object type.
    Type,
    /// A relation.
    Relation,
    /// A permission.
    Permission,
    /// A caveat.
    Caveat,
    /// A partial.
    Partial,
    /// A parameter of a caveat, or the type of one.
    Parameter,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text to write over `Completions::replaces`.
    pub label: SmolStr,
    /// What it is.
    pub kind: CompletionKind,
    /// Its declaration in one line; empty for a word of the language.
    pub detail: String,
    /// The comment in front of its declaration, without marks.
    pub doc: String,
}

/// What could come next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completions {
    /// The word that is being written, up to the place.
    pub replaces: Span,
    /// The proposals that begin with that word, by kind and name; at most [`COMPLETIONS_MAX`].
    pub items: Vec<Completion>,
    /// Whether there are more than that.
    pub is_cut: bool,
}

/// Where in the text a place is.
struct Context<'t> {
    /// What stands in front of the `{` or place at the top level: `definition`, its name.
    head: Vec<(TokenKind, &'t str)>,
    /// Braces that are open.
    depth: usize,
    /// What stands in front of the place in the same statement.
    statement: Vec<(TokenKind, &'t str)>,
}

impl Document {
    /// What could come next at a place. Nothing within a comment or quoted text, or where a new name is due.
    pub fn completions(&self, offset: usize) -> Completions {
        let offset = offset.min(self.text().len());
        let before = self.text().get(..offset).unwrap_or("");
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/');
        let word = before.rsplit(|c| !is_name(c)).next().unwrap_or("");
        let start = offset - word.len();
        let mut completions = Completions { replaces: Span::new(start, offset), ..Completions::default() };
        let Some(context) = self.context(start, offset) else { return completions };
        let mut items = self.propose(&context);
        items.retain(|item| item.label.starts_with(word));
        items.sort_by(|left, right| (left.kind, &left.label).cmp(&(right.kind, &right.label)));
        // What an arrow leads to in several types is proposed once.
        items.dedup_by(|next, kept| {
            let is_same = next.label == kept.label && next.kind == kept.kind;
            if is_same && !kept.detail.contains(&next.detail) {
                kept.detail.push_str(&format!("; {}", next.detail));
            }
            is_same
        });
        completions.is_cut = items.len() > COMPLETIONS_MAX;
        items.truncate(COMPLETIONS_MAX);
        completions.items = items;
        completions
    }

    /// Where a place is; nothing within a comment or quoted text.
    fn context(&self, start: usize, offset: usize) -> Option<Context<'_>> {
        let mut context = Context { head: Vec::new(), depth: 0, statement: Vec::new() };
        let mut last_end = 0;
        for token in &self.tree.tokens {
            let span = token.span();
            // A line comment goes on to the end of its line, the blanks at its end included.
            let in_line = token.kind == TokenKind::LineComment
                && !Span::new(span.start, offset).text(self.text()).contains('\n');
            if span.start < offset && (offset < span.end || in_line) && is_opaque(token) {
                return None;
            }
            if span.end > start {
                break;
            }
            if token.kind.is_comment() || token.kind == TokenKind::End {
                continue;
            }
            let on_new_line = Span::new(last_end, span.start).text(self.text()).contains('\n');
            context.take(token.kind, span.text(self.text()), on_new_line);
            last_end = span.end;
        }
        Some(context)
    }

    fn propose(&self, context: &Context<'_>) -> Vec<Completion> {
        let head = context.head.first().map_or("", |(_, word)| *word);
        match (head, context.depth) {
            ("", 0) => keywords(&["definition", "caveat", "use", "partial"]),
            ("use", 0) => keywords(&FLAGS),
            ("caveat", 0) => parameter_list(&context.head),
            ("caveat", _) => self.condition(context),
            ("definition" | "partial", 1) => {
                let owner = path(context.head.get(1..).unwrap_or(&[]));
                self.member(&owner, &context.statement)
            }
            _ => Vec::new(),
        }
    }

    fn condition(&self, context: &Context<'_>) -> Vec<Completion> {
        let follows_dot = context.statement.last().is_some_and(|(kind, _)| *kind == TokenKind::Dot);
        let Some((_, name)) = context.head.get(1).filter(|_| !follows_dot) else { return Vec::new() };
        let caveat = self.caveat_named(name);
        let parameters = caveat.map_or(&[][..], |caveat| &caveat.parameters).iter();
        parameters
            .map(|parameter| Completion {
                label: parameter.name.text.clone(),
                kind: CompletionKind::Parameter,
                detail: parameter.parameter_type.as_ref().map(ToString::to_string).unwrap_or_default(),
                doc: String::new(),
            })
            .collect()
    }

    fn member(&self, owner: &str, statement: &[(TokenKind, &str)]) -> Vec<Completion> {
        match statement.first() {
            None => keywords(&["relation", "permission"]),
            Some((TokenKind::Ellipsis, _)) if statement.len() == 1 => self.partials(),
            Some((_, "relation")) => self.relation(statement),
            Some((_, "permission")) => self.permission(owner, statement),
            Some(_) => Vec::new(),
        }
    }

    fn relation(&self, statement: &[(TokenKind, &str)]) -> Vec<Completion> {
        let Some((kind, word)) = statement.last() else { return Vec::new() };
        match kind {
            TokenKind::Pipe => self.types(),
            TokenKind::Colon if statement.len() == 3 => self.types(),
            TokenKind::Hash => {
                let before = statement.get(..statement.len() - 1).unwrap_or(&[]);
                self.members_of(&SmolStr::new(path_before(before)))
            }
            TokenKind::Word if *word == "with" => {
                let mut items = self.caveats();
                if self.has_flag("expiration") {
                    items.extend(keywords(&["expiration"]));
                }
                items
            }
            TokenKind::Word if *word == "and" => keywords(&["expiration"]),
            TokenKind::Word | TokenKind::Star if statement.len() > 3 => {
                let traits = statement.iter().rev().take_while(|(kind, _)| *kind != TokenKind::Pipe);
                let mut traits = traits.filter(|(_, word)| matches!(*word, "with" | "and"));
                match traits.next() {
                    None => keywords(&["with"]),
                    Some((_, "with")) if *word != "expiration" => keywords(&["and"]),
                    Some(_) => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn permission(&self, owner: &str, statement: &[(TokenKind, &str)]) -> Vec<Completion> {
        let Some((kind, _)) = statement.last() else { return Vec::new() };
        let is_expression = statement.iter().any(|(kind, _)| *kind == TokenKind::Equals);
        if !is_expression {
            let wants_type = matches!(kind, TokenKind::Colon | TokenKind::Pipe);
            return if wants_type { self.types() } else { Vec::new() };
        }
        let word = |back: usize| statement.iter().rev().nth(back).map_or("", |(_, word)| *word);
        match kind {
            TokenKind::Arrow => self.arrow_targets(owner, word(1)),
            TokenKind::Dot => keywords(&["any", "all"]),
            TokenKind::OpenParenthesis if matches!(word(1), "any" | "all") && word(2) == "." => {
                self.arrow_targets(owner, word(3))
            }
            TokenKind::Equals
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Ampersand
            | TokenKind::OpenParenthesis => {
                let mut items = self.members_of(owner);
                items.extend(keywords(if self.has_flag("self") { &["nil", "self"] } else { &["nil"] }));
                items
            }
            _ => Vec::new(),
        }
    }

    fn arrow_targets(&self, owner: &str, relation: &str) -> Vec<Completion> {
        let blocks = index::blocks(&self.tree);
        let members = self.index.members(owner);
        let Some((name, declared_by)) = members.get_key_value(&SmolStr::new(relation)) else {
            return Vec::new();
        };
        let target = Target::Member { owner: (*declared_by).clone(), name: (*name).clone() };
        let types = index::arrow_types(&blocks, &target);
        types.into_iter().flat_map(|subject_type| self.members_of(subject_type)).collect()
    }

    fn members_of(&self, owner: &str) -> Vec<Completion> {
        let members = self.index.members(owner);
        let items = members.into_iter().filter_map(|(name, declared_by)| {
            let member = index::declared(self.block_named(declared_by)?, name)?;
            let (kind, doc) = match member {
                MemberRef::Relation(found) => (CompletionKind::Relation, &found.doc),
                MemberRef::Permission(found) => (CompletionKind::Permission, &found.doc),
            };
            let detail = self.member_line(member);
            Some(Completion { label: name.clone(), kind, detail, doc: shown_doc(doc.as_deref()) })
        });
        items.take(COMPLETIONS_MAX + 1).collect()
    }

    fn types(&self) -> Vec<Completion> {
        let names: BTreeSet<&SmolStr> = self.type_names().collect();
        let items = names.into_iter().map(|name| Completion {
            label: name.clone(),
            kind: CompletionKind::Type,
            detail: format!("definition {name}"),
            doc: shown_doc(self.block_named(name).and_then(|block| block.doc.as_deref())),
        });
        items.take(COMPLETIONS_MAX + 1).collect()
    }

    fn caveats(&self) -> Vec<Completion> {
        let caveats = self.tree.items.iter().filter_map(|item| match item {
            Item::Caveat(caveat) => Some(caveat),
            _ => None,
        });
        caveats
            .map(|caveat| Completion {
                label: caveat.name.text.clone(),
                kind: CompletionKind::Caveat,
                detail: format!("caveat {}", caveat.name.text),
                doc: shown_doc(caveat.doc.as_deref()),
            })
            .collect()
    }

    fn partials(&self) -> Vec<Completion> {
        let partials = self.tree.items.iter().filter_map(|item| match item {
            Item::Partial(block) => Some(block),
            _ => None,
        });
        partials
            .map(|block| Completion {
                label: block.name.text.clone(),
                kind: CompletionKind::Partial,
                detail: format!("partial {}", block.name.text),
                doc: shown_doc(block.doc.as_deref()),
            })
            .collect()
    }
}

impl<'t> Context<'t> {
    /// Goes on over one token.
    fn take(&mut self, kind: TokenKind, word: &'t str, on_new_line: bool) {
        let is_word = kind == TokenKind::Word;
        let in_condition = self.depth > 0 && self.head.first().is_some_and(|(_, head)| *head == "caveat");
        // A declaration or member at the start of a line ends whatever was left open above it.
        if on_new_line && is_word && !in_condition {
            match word {
                "definition" | "caveat" => {
                    *self = Context { head: Vec::new(), depth: 0, statement: Vec::new() }
                }
                "relation" | "permission" if self.depth > 0 => self.statement.clear(),
                _ => {}
            }
        }
        match kind {
            TokenKind::OpenBrace => {
                self.depth += 1;
                self.statement.clear();
            }
            TokenKind::CloseBrace => {
                self.depth = self.depth.saturating_sub(1);
                self.statement.clear();
                if self.depth == 0 {
                    self.head.clear();
                }
            }
            TokenKind::LineEnd | TokenKind::Semicolon => {
                self.statement.clear();
                let is_use = self.head.first().is_some_and(|(_, head)| *head == "use" || *head == "import");
                if self.depth == 0 && is_use {
                    self.head.clear();
                }
            }
            _ if self.depth == 0 => self.head.push((kind, word)),
            _ => self.statement.push((kind, word)),
        }
    }
}

/// Whether nothing can be proposed within the token.
fn is_opaque(token: &Token) -> bool {
    token.kind.is_comment() || token.kind == TokenKind::Text
}

/// What could come next in the parameter list of a caveat.
fn parameter_list(head: &[(TokenKind, &str)]) -> Vec<Completion> {
    let mut back = head.iter().rev().map(|(kind, _)| *kind);
    let wants_type = matches!(
        (back.next(), back.next()),
        (Some(TokenKind::Less), _)
            | (Some(TokenKind::Word), Some(TokenKind::OpenParenthesis | TokenKind::Comma))
    );
    if !wants_type {
        return Vec::new();
    }
    let items = PARAMETER_TYPES.iter().map(|name| Completion {
        label: SmolStr::new_static(name),
        kind: CompletionKind::Parameter,
        detail: String::new(),
        doc: String::new(),
    });
    items.collect()
}

fn keywords(words: &[&'static str]) -> Vec<Completion> {
    let items = words.iter().map(|word| Completion {
        label: SmolStr::new_static(word),
        kind: CompletionKind::Keyword,
        detail: String::new(),
        doc: String::new(),
    });
    items.collect()
}

fn shown_doc(doc: Option<&str>) -> String {
    doc.map(hover::plain_doc).unwrap_or_default()
}

/// The name that tokens begin with, prefixes included.
fn path(tokens: &[(TokenKind, &str)]) -> String {
    let is_part = |kind: &TokenKind| matches!(kind, TokenKind::Word | TokenKind::Slash);
    tokens.iter().take_while(|(kind, _)| is_part(kind)).map(|(_, word)| *word).collect()
}

/// The name that tokens end with, prefixes included.
fn path_before(tokens: &[(TokenKind, &str)]) -> String {
    let is_part = |kind: &TokenKind| matches!(kind, TokenKind::Word | TokenKind::Slash);
    let mut parts: Vec<&str> =
        tokens.iter().rev().take_while(|(kind, _)| is_part(kind)).map(|(_, word)| *word).collect();
    parts.reverse();
    parts.concat()
}
