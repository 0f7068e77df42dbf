//! Which name stands where and what it means.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{SmolStr, Span};

use crate::lexer::TokenKind;
use crate::syntax::{
    Block, CaveatNode, ExpressionKind, ExpressionNode, Item, Member, Name, PermissionNode, RelationNode,
    ShapeNode, Tree,
};

/// Most members that all definitions of one text are known to have, partials mixed in; what comes after is not known.
const MEMBERS_MAX: usize = 200_000;
/// Most meanings that one name is known to have.
const TARGETS_MAX: usize = 64;

/// What a name can mean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An object type.
    Type(SmolStr),
    /// A partial.
    Partial(SmolStr),
    /// A caveat.
    Caveat(SmolStr),
    /// A relation or permission of the definition or partial that declares it.
    Member {
        /// The definition or partial.
        owner: SmolStr,
        /// The member.
        name: SmolStr,
    },
    /// A parameter of a caveat.
    Parameter {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        name: SmolStr,
    },
}

/// A name in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Where.
    pub span: Span,
    /// What it means; more than one for the right side of an arrow that leads to several types. Never empty.
    pub targets: Vec<Target>,
    /// Whether it is declared here.
    pub is_declaration: bool,
}

/// A relation or permission in a tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum MemberRef<'t> {
    Relation(&'t RelationNode),
    Permission(&'t PermissionNode),
}

/// All names of a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// In the order of the text.
    occurrences: Vec<Occurrence>,
    declarations: BTreeMap<Target, Span>,
    /// Which members a definition or partial has, with the block that declares each.
    scopes: BTreeMap<SmolStr, BTreeMap<SmolStr, SmolStr>>,
    /// Which blocks mix in a partial, directly or through another.
    hosts: BTreeMap<SmolStr, BTreeSet<SmolStr>>,
}

impl Index {
    pub(super) fn new(tree: &Tree, text: &str) -> Index {
        let mut index = Index::default();
        let blocks = blocks(tree);
        index.scopes(&blocks);
        let mut indexer = Indexer { tree, text, blocks, index };
        indexer.declare();
        indexer.refer();
        let mut index = indexer.index;
        index.occurrences.sort_by_key(|occurrence| occurrence.span);
        index
    }

    pub(super) fn occurrences(&self) -> &[Occurrence] {
        &self.occurrences
    }

    pub(super) fn declaration(&self, target: &Target) -> Option<Span> {
        self.declarations.get(target).copied()
    }

    /// The occurrence that holds the place, or ends at it.
    pub(super) fn at(&self, offset: usize) -> Option<&Occurrence> {
        let after = self.occurrences.partition_point(|occurrence| occurrence.span.start <= offset);
        let before = self.occurrences.get(..after).and_then(<[Occurrence]>::last);
        before.filter(|occurrence| offset <= occurrence.span.end)
    }

    /// The members of a definition or partial, each with the block that declares it; for a partial those of the
    /// blocks that mix it in too.
    pub(super) fn members(&self, owner: &str) -> BTreeMap<&SmolStr, &SmolStr> {
        let hosts = self.hosts.get(owner).into_iter().flatten().map(SmolStr::as_str);
        let scopes = hosts.chain(std::iter::once(owner)).filter_map(|name| self.scopes.get(name));
        scopes.flatten().collect()
    }

    /// What a member's name means within a block.
    fn member(&self, owner: &str, name: &SmolStr) -> Vec<Target> {
        let declared_by = |block: &str| self.scopes.get(block).and_then(|scope| scope.get(name)).cloned();
        let found: BTreeSet<SmolStr> = match declared_by(owner) {
            Some(found) => BTreeSet::from([found]),
            None => {
                let hosts = self.hosts.get(owner).into_iter().flatten();
                hosts.filter_map(|host| declared_by(host)).take(TARGETS_MAX).collect()
            }
        };
        found.into_iter().map(|owner| Target::Member { owner, name: name.clone() }).collect()
    }

    fn scopes(&mut self, blocks: &BTreeMap<&SmolStr, &Block>) {
        let mut budget = MEMBERS_MAX;
        for (name, block) in blocks {
            let mut scope = BTreeMap::new();
            let mut seen: BTreeSet<&SmolStr> = BTreeSet::from([*name]);
            let mut open = vec![*block];
            while let Some(block) = open.pop() {
                for member in &block.members {
                    let Some(rest) = budget.checked_sub(1) else { break };
                    budget = rest;
                    let declared = match member {
                        Member::Relation(relation) => &relation.name.text,
                        Member::Permission(permission) => &permission.name.text,
                        Member::Mix(mixed) => {
                            if let Some((partial, mixed)) = blocks.get_key_value(&mixed.text)
                                && seen.insert(partial)
                            {
                                self.hosts.entry((*partial).clone()).or_default().insert((*name).clone());
                                open.push(mixed);
                            }
                            continue;
                        }
                    };
                    scope.entry(declared.clone()).or_insert_with(|| block.name.text.clone());
                }
            }
            self.scopes.insert((*name).clone(), scope);
        }
    }
}

/// Definitions and partials by name; of two with one name the first.
pub(super) fn blocks(tree: &Tree) -> BTreeMap<&SmolStr, &Block> {
    let mut blocks = BTreeMap::new();
    for item in &tree.items {
        if let Item::Definition(block) | Item::Partial(block) = item {
            blocks.entry(&block.name.text).or_insert(block);
        }
    }
    blocks
}

/// The member of that name which a block itself declares.
pub(super) fn declared<'t>(block: &'t Block, name: &str) -> Option<MemberRef<'t>> {
    block.members.iter().find_map(|member| match member {
        Member::Relation(relation) if relation.name.text == name => Some(MemberRef::Relation(relation)),
        Member::Permission(permission) if permission.name.text == name => {
            Some(MemberRef::Permission(permission))
        }
        _ => None,
    })
}

struct Indexer<'t> {
    tree: &'t Tree,
    text: &'t str,
    blocks: BTreeMap<&'t SmolStr, &'t Block>,
    index: Index,
}

impl<'t> Indexer<'t> {
    fn declare(&mut self) {
        let tree = self.tree;
        for item in &tree.items {
            match item {
                Item::Definition(block) => {
                    self.declaration(&block.name, Target::Type(block.name.text.clone()));
                    self.members(block);
                }
                Item::Partial(block) => {
                    self.declaration(&block.name, Target::Partial(block.name.text.clone()));
                    self.members(block);
                }
                Item::Caveat(caveat) => {
                    self.declaration(&caveat.name, Target::Caveat(caveat.name.text.clone()));
                    for parameter in &caveat.parameters {
                        let caveat = caveat.name.text.clone();
                        let target = Target::Parameter { caveat, name: parameter.name.text.clone() };
                        self.declaration(&parameter.name, target);
                    }
                }
                Item::Use(_) | Item::Import(_) => {}
            }
        }
    }

    fn members(&mut self, block: &'t Block) {
        for member in &block.members {
            let name = match member {
                Member::Relation(relation) => &relation.name,
                Member::Permission(permission) => &permission.name,
                Member::Mix(_) => continue,
            };
            let target = Target::Member { owner: block.name.text.clone(), name: name.text.clone() };
            self.declaration(name, target);
        }
    }

    fn declaration(&mut self, name: &Name, target: Target) {
        self.index.declarations.entry(target.clone()).or_insert(name.span);
        self.index.occurrences.push(Occurrence {
            span: name.span,
            targets: vec![target],
            is_declaration: true,
        });
    }

    /// Notes a use, if what it means is declared.
    fn use_of(&mut self, name: &Name, mut targets: Vec<Target>) {
        targets.retain(|target| self.index.declarations.contains_key(target));
        targets.truncate(TARGETS_MAX);
        if !targets.is_empty() {
            self.index.occurrences.push(Occurrence { span: name.span, targets, is_declaration: false });
        }
    }

    fn refer(&mut self) {
        let tree = self.tree;
        for item in &tree.items {
            match item {
                Item::Definition(block) | Item::Partial(block) => {
                    block.members.iter().for_each(|member| self.refer_in(block, member));
                }
                Item::Caveat(caveat) => self.condition(caveat),
                Item::Use(_) | Item::Import(_) => {}
            }
        }
    }

    fn refer_in(&mut self, block: &'t Block, member: &'t Member) {
        match member {
            Member::Relation(relation) => {
                for allowed in &relation.allowed {
                    let subject_type = &allowed.subject_type;
                    self.use_of(subject_type, vec![Target::Type(subject_type.text.clone())]);
                    if let ShapeNode::Userset(name) = &allowed.shape {
                        self.use_of(name, self.index.member(&subject_type.text, &name.text));
                    }
                    if let Some(caveat) = &allowed.caveat {
                        self.use_of(caveat, vec![Target::Caveat(caveat.text.clone())]);
                    }
                }
            }
            Member::Permission(permission) => {
                for name in &permission.types {
                    self.use_of(name, vec![Target::Type(name.text.clone())]);
                }
                if let Some(expression) = &permission.expression {
                    self.expression(block, expression);
                }
            }
            Member::Mix(name) => self.use_of(name, vec![Target::Partial(name.text.clone())]),
        }
    }

    fn expression(&mut self, block: &'t Block, expression: &'t ExpressionNode) {
        match &expression.kind {
            ExpressionKind::Nil | ExpressionKind::SelfObject => {}
            ExpressionKind::Reference(name) => {
                self.use_of(name, self.index.member(&block.name.text, &name.text));
            }
            ExpressionKind::Arrow { relation, target, .. } => {
                let relations = self.index.member(&block.name.text, &relation.text);
                let targets = self.arrow_targets(&relations, &target.text);
                self.use_of(relation, relations);
                self.use_of(target, targets);
            }
            ExpressionKind::Union(operands) | ExpressionKind::Intersection(operands) => {
                operands.iter().for_each(|operand| self.expression(block, operand));
            }
            ExpressionKind::Exclusion(left, right) => {
                self.expression(block, left);
                self.expression(block, right);
            }
        }
    }

    fn arrow_targets(&self, relations: &[Target], target: &SmolStr) -> Vec<Target> {
        let mut found = BTreeSet::new();
        for relation in relations {
            for subject_type in arrow_types(&self.blocks, relation) {
                found.extend(self.index.member(subject_type, target));
            }
        }
        found.into_iter().collect()
    }

    /// Parameters within the condition of a caveat: its words, but for what follows a dot.
    fn condition(&mut self, caveat: &'t CaveatNode) {
        let Some(body) = caveat.body else { return };
        let names: BTreeSet<&str> =
            caveat.parameters.iter().map(|parameter| parameter.name.text.as_str()).collect();
        let tokens = &self.tree.tokens;
        let first = tokens.partition_point(|token| token.span().start < body.start);
        let mut after_dot = false;
        for token in tokens.iter().skip(first).take_while(|token| token.span().end <= body.end) {
            let word = token.span().text(self.text);
            if token.kind == TokenKind::Word && !after_dot && names.contains(word) {
                let name = Name { text: SmolStr::new(word), span: token.span() };
                let target = Target::Parameter { caveat: caveat.name.text.clone(), name: name.text.clone() };
                self.use_of(&name, vec![target]);
            }
            after_dot = token.kind == TokenKind::Dot;
        }
    }
}

/// The object types that an arrow over a relation leads to, each once.
pub(super) fn arrow_types<'t>(
    blocks: &BTreeMap<&'t SmolStr, &'t Block>,
    relation: &Target,
) -> BTreeSet<&'t SmolStr> {
    let Target::Member { owner, name } = relation else { return BTreeSet::new() };
    match blocks.get(owner).and_then(|block| declared(block, name)) {
        Some(MemberRef::Relation(node)) => {
            node.allowed.iter().map(|allowed| &allowed.subject_type.text).collect()
        }
        _ => BTreeSet::new(),
    }
}
