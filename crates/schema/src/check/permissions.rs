//! Permissions: that what they name exists, and what arrows may start from.

use pemba_model::{Diagnostic, InvalidName, SmolStr, names};

use super::resolve::invalid;
use super::wildcards::{Admitted, Wildcards};
use super::{MemberNode, Resolved, World, about};
use crate::findings::{Findings, near, shown};
use crate::syntax::{ExpressionKind, ExpressionNode, Name, PermissionNode};

/// Most subjects that all arrows of a schema may start from, each arrow counting what its relation takes.
pub(super) const ARROW_SUBJECTS_MAX: usize = 1_000_000;

pub(super) fn check(world: &World<'_>, wildcards: &Wildcards, findings: &mut Findings) {
    let mut budget = ARROW_SUBJECTS_MAX;
    for (definition, resolved) in &world.definitions {
        for member in resolved.members.values() {
            let MemberNode::Permission(permission) = member else { continue };
            let budget = &mut budget;
            Checker { world, wildcards, budget, definition, resolved, member, findings }.check(permission);
        }
    }
}

struct Checker<'a, 't> {
    world: &'a World<'t>,
    wildcards: &'a Wildcards,
    /// Subjects that further arrows may start from.
    budget: &'a mut usize,
    definition: &'a SmolStr,
    resolved: &'a Resolved<'t>,
    member: &'a MemberNode<'t>,
    findings: &'a mut Findings,
}

impl Checker<'_, '_> {
    fn check(&mut self, permission: &PermissionNode) {
        if let Some(expression) = &permission.expression {
            self.expression(expression);
        }
    }

    fn add(&mut self, finding: Diagnostic) {
        self.findings.add(about(finding, self.definition, self.member));
    }

    fn expression(&mut self, expression: &ExpressionNode) {
        match &expression.kind {
            ExpressionKind::Nil => {}
            ExpressionKind::SelfObject => {
                if !self.world.has_flag("self") && !self.resolved.members.contains_key("self") {
                    self.unknown(&Name { text: SmolStr::new_static("self"), span: expression.span });
                }
            }
            ExpressionKind::Reference(name) => {
                if !self.resolved.members.contains_key(&name.text) && self.resolved.complete {
                    self.unknown(name);
                }
            }
            ExpressionKind::Arrow { relation, target, .. } => {
                self.arrow(relation, expression);
                // What it leads to need not be there in any type, but must be a name.
                if let Err(error) = names::check_relation(&target.text) {
                    self.invalid(target, &error);
                }
            }
            ExpressionKind::Union(operands) | ExpressionKind::Intersection(operands) => {
                for operand in operands {
                    self.expression(operand);
                }
            }
            ExpressionKind::Exclusion(left, right) => {
                self.expression(left);
                self.expression(right);
            }
        }
    }

    fn invalid(&mut self, name: &Name, error: &InvalidName) {
        self.add(invalid(name, error).with("relation_or_permission_name", shown(&name.text)));
    }

    fn unknown(&mut self, name: &Name) {
        if let Err(error) = names::check_relation(&name.text) {
            return self.invalid(name, &error);
        }
        let message =
            format!("`{}` has no relation or permission `{}`", shown(self.definition), shown(&name.text));
        let mut finding = Diagnostic::error("unknown-relation", name.span, message);
        if name.text == "self" {
            finding.help = Some("for the resource itself write `use self` as the first line".to_owned());
        } else if !self.findings.are_full() {
            finding.help = near(&name.text, self.resolved.members.keys());
        }
        self.add(finding.with("relation_or_permission_name", shown(&name.text)));
    }

    fn arrow(&mut self, relation: &Name, arrow: &ExpressionNode) {
        match self.resolved.members.get(&relation.text) {
            Some(MemberNode::Relation(node)) => {
                self.spend(node.allowed.len(), arrow);
                if let Some(Admitted { subject_type: subject, via }) =
                    self.wildcards.within(self.definition, &relation.text)
                {
                    let message = format!(
                        "the arrow starts from `{}`, which admits the wildcard `{subject}:*` by `{via}`",
                        relation.text
                    );
                    self.add(
                        Diagnostic::error("arrow-over-wildcard", arrow.span, message)
                            .with_help("a wildcard has no object to go on from; take it out of the relation")
                            .with("accessed_relation_name", relation.text.as_str()),
                    );
                }
            }
            Some(MemberNode::Permission(_)) => {
                let message = format!("the arrow starts from the permission `{}`", relation.text);
                self.add(
                    Diagnostic::error("arrow-from-permission", relation.span, message)
                        .with_help("an arrow must start from a relation of the same definition")
                        .with("used_permission_name", relation.text.as_str()),
                );
            }
            None if self.resolved.complete => self.unknown(relation),
            None => {}
        }
    }

    fn spend(&mut self, subjects: usize, arrow: &ExpressionNode) {
        if let Some(rest) = self.budget.checked_sub(subjects) {
            *self.budget = rest;
            return;
        }
        let message =
            format!("the arrows of the schema start from more than {ARROW_SUBJECTS_MAX} subjects together");
        self.add(Diagnostic::error("arrows-too-wide", arrow.span, message));
    }
}
