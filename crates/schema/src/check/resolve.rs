//! What is declared under which name, with partials mixed in.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{Diagnostic, InvalidName, SmolStr, names};

use crate::findings::{Findings, near, shown};
use crate::syntax::{Block, CaveatNode, Item, Member, Name, PermissionNode, RelationNode, Tree};

/// Most members of one text once partials are mixed in.
pub(super) const MEMBERS_MAX: usize = 500_000;

/// All declarations of a text by name.
#[derive(Debug, Default)]
pub(crate) struct World<'t> {
    pub(crate) text: &'t str,
    pub(crate) flags: BTreeSet<SmolStr>,
    pub(crate) definitions: BTreeMap<SmolStr, Resolved<'t>>,
    pub(crate) caveats: BTreeMap<SmolStr, &'t CaveatNode>,
    /// Whether every declaration could be understood: an unknown name is then certainly wrong.
    pub(crate) complete: bool,
}

/// A definition with all its members.
#[derive(Debug)]
pub(crate) struct Resolved<'t> {
    pub(crate) block: &'t Block,
    pub(crate) members: BTreeMap<SmolStr, MemberNode<'t>>,
    /// Names in the order of the text, partials in place.
    pub(crate) order: Vec<SmolStr>,
    /// Whether every member could be understood.
    pub(crate) complete: bool,
}

/// A relation or permission.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MemberNode<'t> {
    Relation(&'t RelationNode),
    Permission(&'t PermissionNode),
}

impl<'t> MemberNode<'t> {
    pub(crate) fn name(&self) -> &'t Name {
        match self {
            MemberNode::Relation(relation) => &relation.name,
            MemberNode::Permission(permission) => &permission.name,
        }
    }

    pub(crate) fn doc(&self) -> Option<&'t str> {
        match self {
            MemberNode::Relation(relation) => relation.doc.as_deref(),
            MemberNode::Permission(permission) => permission.doc.as_deref(),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            MemberNode::Relation(relation) => !relation.allowed.is_empty(),
            MemberNode::Permission(permission) => permission.expression.is_some(),
        }
    }
}

impl<'t> Resolved<'t> {
    /// The relation of that name.
    pub(crate) fn relation(&self, name: &str) -> Option<&'t RelationNode> {
        match self.members.get(name) {
            Some(MemberNode::Relation(relation)) => Some(relation),
            _ => None,
        }
    }
}

impl World<'_> {
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// All members with the name of their definition.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&SmolStr, &MemberNode<'_>)> {
        self.definitions.iter().flat_map(|(name, resolved)| resolved.members.values().map(move |m| (name, m)))
    }
}

/// Collects all declarations and reports names that are wrong or given twice.
pub(crate) fn resolve<'t>(tree: &'t Tree, text: &'t str, findings: &mut Findings) -> World<'t> {
    let mut world = World { text, complete: !tree.incomplete, ..World::default() };
    let mut partials: BTreeMap<SmolStr, &Block> = BTreeMap::new();
    let mut blocks: Vec<&Block> = Vec::new();
    let mut taken: BTreeSet<&SmolStr> = BTreeSet::new();
    for item in &tree.items {
        let name = match item {
            Item::Use(flag) => {
                world.flags.insert(flag.text.clone());
                continue;
            }
            Item::Import(span) => {
                let finding = Diagnostic::error(
                    "import-unsupported",
                    *span,
                    "`import` needs a client that joins the files",
                )
                .with_help("join them first; `zed schema compile` does so");
                findings.add(finding);
                world.complete = false;
                continue;
            }
            Item::Definition(block) | Item::Partial(block) => &block.name,
            Item::Caveat(caveat) => &caveat.name,
        };
        check_name(item, name, findings);
        if !taken.insert(&name.text) {
            let message = format!("the name `{}` is already taken", shown(&name.text));
            let finding = Diagnostic::error("duplicate-name", name.span, message)
                .with_help("definitions, caveats and partials share their names; each needs its own")
                .with(name_key(item), name.text.as_str());
            findings.add(finding);
            continue;
        }
        match item {
            Item::Definition(block) => blocks.push(block),
            Item::Partial(block) => drop(partials.insert(block.name.text.clone(), block)),
            Item::Caveat(caveat) => drop(world.caveats.insert(caveat.name.text.clone(), caveat)),
            Item::Use(_) | Item::Import(_) => {}
        }
    }
    partials_need_flag(tree, &world, findings);
    let mut mixer = Mixer { partials: &partials, findings, budget: MEMBERS_MAX, all_known: world.complete };
    for block in partials.values() {
        mixer.members_of(block, "partial_name");
    }
    for block in blocks {
        let resolved = mixer.members_of(block, "definition_name");
        world.definitions.insert(block.name.text.clone(), resolved);
    }
    world
}

fn name_key(item: &Item) -> &'static str {
    match item {
        Item::Caveat(_) => "caveat_name",
        _ => "definition_name",
    }
}

fn check_name(item: &Item, name: &Name, findings: &mut Findings) {
    let checked = match item {
        Item::Caveat(_) => names::check_caveat_name(&name.text),
        _ => names::check_object_type(&name.text),
    };
    if let Err(error) = checked {
        findings.add(invalid(name, &error).with(name_key(item), shown(&name.text)));
    }
}

pub(super) fn invalid(name: &Name, error: &InvalidName) -> Diagnostic {
    Diagnostic::error("invalid-name", name.span, error.to_string())
}

fn partials_need_flag(tree: &Tree, world: &World<'_>, findings: &mut Findings) {
    if world.has_flag("partial") {
        return;
    }
    for item in &tree.items {
        let (Item::Definition(block) | Item::Partial(block)) = item else { continue };
        if matches!(item, Item::Partial(_)) {
            findings.add(needs_flag("partial", "`partial`", &block.name));
        }
        for member in &block.members {
            if let Member::Mix(name) = member {
                findings.add(needs_flag("partial", "mixing in a partial", name));
            }
        }
    }
}

/// The finding that something stands in a text that lacks its flag.
fn needs_flag(flag: &str, what: &str, at: &Name) -> Diagnostic {
    Diagnostic::error("missing-flag", at.span, format!("{what} needs the flag `{flag}`"))
        .with_help(format!("write `use {flag}` as the first line"))
}

struct Mixer<'a, 't> {
    partials: &'a BTreeMap<SmolStr, &'t Block>,
    findings: &'a mut Findings,
    /// Members that may still be added.
    budget: usize,
    all_known: bool,
}

impl<'t> Mixer<'_, 't> {
    /// The members of a block, with those of the partials it names in their place.
    fn members_of(&mut self, block: &'t Block, key: &'static str) -> Resolved<'t> {
        let mut resolved =
            Resolved { block, members: BTreeMap::new(), order: Vec::new(), complete: !block.incomplete };
        let mut open: Vec<(&SmolStr, std::slice::Iter<'t, Member>)> =
            vec![(&block.name.text, block.members.iter())];
        while let Some((_, members)) = open.last_mut() {
            let node = match members.next() {
                None => {
                    open.pop();
                    continue;
                }
                Some(Member::Relation(relation)) => MemberNode::Relation(relation),
                Some(Member::Permission(permission)) => MemberNode::Permission(permission),
                Some(Member::Mix(name)) => {
                    // Counted too, so that empty partials cannot multiply without end.
                    if !self.spend(&mut resolved) {
                        break;
                    }
                    if let Some(partial) = self.partial(name, &open, &mut resolved) {
                        open.push((&partial.name.text, partial.members.iter()));
                    }
                    continue;
                }
            };
            if !self.spend(&mut resolved) {
                break;
            }
            self.add(&mut resolved, node, key);
        }
        resolved
    }

    /// Counts one more member; false when there are too many, which is reported.
    fn spend(&mut self, resolved: &mut Resolved<'t>) -> bool {
        if let Some(rest) = self.budget.checked_sub(1) {
            self.budget = rest;
            return true;
        }
        let message =
            format!("the schema has more than {MEMBERS_MAX} relations, permissions and uses of partials");
        self.findings.add(Diagnostic::error("too-many-members", resolved.block.name.span, message));
        resolved.complete = false;
        false
    }

    fn partial(
        &mut self,
        name: &Name,
        open: &[(&SmolStr, std::slice::Iter<'t, Member>)],
        resolved: &mut Resolved<'t>,
    ) -> Option<&'t Block> {
        if open.iter().any(|(opened, _)| **opened == name.text) {
            let message = format!("the partial `{}` mixes in itself", shown(&name.text));
            self.findings.add(Diagnostic::error("partial-cycle", name.span, message));
            return None;
        }
        let Some(partial) = self.partials.get(&name.text) else {
            resolved.complete = false;
            if self.all_known {
                let message = format!("unknown partial `{}`", shown(&name.text));
                let mut finding = Diagnostic::error("unknown-partial", name.span, message);
                if !self.findings.are_full() {
                    finding.help = near(&name.text, self.partials.keys());
                }
                self.findings.add(finding);
            }
            return None;
        };
        resolved.complete &= !partial.incomplete;
        Some(partial)
    }

    fn add(&mut self, resolved: &mut Resolved<'t>, node: MemberNode<'t>, key: &'static str) {
        let name = node.name();
        let owner = resolved.block.name.text.as_str();
        if let Err(error) = names::check_relation(&name.text) {
            self.findings.add(invalid(name, &error).with(key, owner));
        }
        if resolved.members.contains_key(&name.text) {
            let message =
                format!("`{}` already has a relation or permission `{}`", shown(owner), shown(&name.text));
            let finding = Diagnostic::error("duplicate-member", name.span, message)
                .with(key, owner)
                .with("relation_or_permission_name", shown(&name.text));
            self.findings.add(finding);
            return;
        }
        resolved.complete &= node.is_complete();
        resolved.members.insert(name.text.clone(), node);
        resolved.order.push(name.text.clone());
    }
}
