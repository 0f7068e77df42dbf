//! Type annotations of permissions: under `use typechecking` they must name every subject type that can be reached.

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{Diagnostic, SmolStr};

use super::{MemberNode, World, about};
use crate::findings::Findings;
use crate::syntax::{ExpressionKind, ExpressionNode, PermissionNode, ShapeNode};

/// Most steps that carry a subject type from one member to another.
pub(super) const ANNOTATION_STEPS_MAX: usize = 5_000_000;
/// Most missing types that a message lists.
const SHOWN_MAX: usize = 10;

pub(super) fn check(world: &World<'_>, findings: &mut Findings) {
    let annotated =
        |member: &MemberNode<'_>| matches!(member, MemberNode::Permission(p) if !p.types.is_empty());
    let Some((definition, first)) = world.members().find(|(_, member)| annotated(member)) else { return };
    if !world.has_flag("typechecking") {
        return;
    }
    let Some(reached) = Reached::find(world) else {
        let message = format!("checking all annotations takes more than {ANNOTATION_STEPS_MAX} steps");
        let finding = Diagnostic::error("too-many-annotations", first.name().span, message);
        return findings.add(about(finding, definition, first));
    };
    for (definition, member) in world.members() {
        let MemberNode::Permission(permission) = member else { continue };
        if permission.types.is_empty() || findings.are_full() {
            continue;
        }
        let missing = missing(&reached, definition, permission);
        if missing.is_empty() {
            continue;
        }
        let mut names: Vec<String> = missing.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect();
        if missing.len() > SHOWN_MAX {
            names.push("…".to_owned());
        }
        let message = format!(
            "the annotation of `{}` lacks {}, which it can reach",
            permission.name.text,
            names.join(", ")
        );
        let finding = Diagnostic::error("annotation-incomplete", permission.name.span, message);
        findings.add(about(finding, definition, member));
    }
}

/// The subject types that the permission reaches and its annotation does not name.
fn missing<'t>(reached: &'t Reached<'t>, definition: &str, permission: &PermissionNode) -> Vec<&'t str> {
    let named: BTreeSet<&str> = permission.types.iter().map(|name| name.text.as_str()).collect();
    let types = reached.types_of(definition, &permission.name.text);
    types.filter(|name| !named.contains(name)).collect()
}

/// The number of a relation or permission.
type Member = u32;
/// The number of a definition.
type Type = u32;

/// The subject types whose objects each member can hold. Every operand counts, that of an intersection and the right
/// one of an exclusion too: an annotation speaks of what is written, not of what is left of it.
struct Reached<'t> {
    sources: Sources<'t>,
    pairs: BTreeSet<(Member, Type)>,
}

impl<'t> Reached<'t> {
    /// Carries every type from where it is taken to all that hold it; `None` when that takes too many steps.
    fn find(world: &'t World<'t>) -> Option<Reached<'t>> {
        let mut sources = Sources::new(world);
        for (definition, member) in world.members() {
            sources.add(definition, member);
        }
        for holders in &mut sources.holders {
            holders.sort_unstable();
            holders.dedup();
        }
        let mut open = std::mem::take(&mut sources.taken);
        let mut pairs = BTreeSet::new();
        let mut steps = 0_usize;
        while let Some((member, subject_type)) = open.pop() {
            steps += 1;
            if steps > ANNOTATION_STEPS_MAX {
                return None;
            }
            if pairs.insert((member, subject_type)) {
                let holders = sources.holders.get(member as usize).into_iter().flatten();
                open.extend(holders.map(|holder| (*holder, subject_type)));
            }
        }
        Some(Reached { sources, pairs })
    }

    fn types_of(&'t self, definition: &str, name: &str) -> impl Iterator<Item = &'t str> {
        let member = self.sources.member(definition, name);
        let pairs = member.into_iter().flat_map(|member| self.pairs.range((member, 0)..=(member, Type::MAX)));
        pairs.filter_map(|(_, number)| self.sources.type_names.get(*number as usize).copied())
    }
}

/// Where members have their subjects from.
struct Sources<'t> {
    world: &'t World<'t>,
    has_self: bool,
    type_names: Vec<&'t str>,
    types: BTreeMap<&'t str, Type>,
    members: BTreeMap<&'t str, BTreeMap<&'t str, Member>>,
    /// By member, those that hold all of its subjects.
    holders: Vec<Vec<Member>>,
    /// A member and a type that it takes.
    taken: Vec<(Member, Type)>,
}

impl<'t> Sources<'t> {
    fn new(world: &'t World<'t>) -> Sources<'t> {
        let type_names: Vec<&str> = world.definitions.keys().map(SmolStr::as_str).collect();
        let types = type_names.iter().copied().zip(0..).collect();
        let mut members: BTreeMap<&str, BTreeMap<&str, Member>> = BTreeMap::new();
        for (number, (definition, member)) in (0..).zip(world.members()) {
            members.entry(definition).or_default().insert(member.name().text.as_str(), number);
        }
        let holders = vec![Vec::new(); members.values().map(BTreeMap::len).sum()];
        let has_self = world.has_flag("self");
        Sources { world, has_self, type_names, types, members, holders, taken: Vec::new() }
    }

    fn member(&self, definition: &str, name: &str) -> Option<Member> {
        self.members.get(definition)?.get(name).copied()
    }

    fn add(&mut self, definition: &'t str, member: &'t MemberNode<'t>) {
        let Some(own) = self.member(definition, &member.name().text) else { return };
        match member {
            MemberNode::Relation(relation) => {
                for allowed in &relation.allowed {
                    let subject_type = allowed.subject_type.text.as_str();
                    match &allowed.shape {
                        ShapeNode::Direct | ShapeNode::Wildcard => self.take(own, subject_type),
                        ShapeNode::Userset(name) => self.hold(own, subject_type, &name.text),
                    }
                }
            }
            MemberNode::Permission(permission) => {
                if let Some(expression) = &permission.expression {
                    self.expression(own, definition, expression);
                }
            }
        }
    }

    fn take(&mut self, own: Member, subject_type: &str) {
        if let Some(number) = self.types.get(subject_type) {
            self.taken.push((own, *number));
        }
    }

    /// What a type lacks is skipped, as an arrow skips it.
    fn hold(&mut self, own: Member, definition: &str, name: &str) {
        let held = self.member(definition, name);
        if let Some(holders) = held.and_then(|held| self.holders.get_mut(held as usize)) {
            holders.push(own);
        }
    }

    fn expression(&mut self, own: Member, definition: &str, expression: &ExpressionNode) {
        let mut open = vec![expression];
        while let Some(expression) = open.pop() {
            match &expression.kind {
                ExpressionKind::Nil => {}
                // The resource itself need not be named: existing schemas rely on it.
                ExpressionKind::SelfObject if self.has_self => {}
                ExpressionKind::SelfObject => self.hold(own, definition, "self"),
                ExpressionKind::Reference(name) => self.hold(own, definition, &name.text),
                ExpressionKind::Arrow { relation, target, .. } => {
                    let resolved = self.world.definitions.get(definition);
                    let node = resolved.and_then(|resolved| resolved.relation(&relation.text));
                    for allowed in node.into_iter().flat_map(|node| &node.allowed) {
                        self.hold(own, &allowed.subject_type.text, &target.text);
                    }
                }
                ExpressionKind::Union(operands) | ExpressionKind::Intersection(operands) => {
                    open.extend(operands)
                }
                ExpressionKind::Exclusion(left, right) => open.extend([left.as_ref(), right.as_ref()]),
            }
        }
    }
}
