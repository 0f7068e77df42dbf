//! Warnings: schemas that are accepted and probably not meant.
//!
//! A comment `spicedb-ignore-warning: <rule>` in front of a member, or of its definition, silences a rule there.

use pemba_model::{Diagnostic, SmolStr};

use crate::check::{MemberNode, Resolved, World};
use crate::findings::{Findings, shown};
use crate::syntax::{ExpressionKind, ExpressionNode, Name, RelationNode, ShapeNode};

/// The rules that give warnings; a rule's name is the code of its finding.
pub const RULES: [&str; 6] = [
    "relation-name-references-parent",
    "permission-references-itself",
    "annotation-names-unknown-type",
    "arrow-references-unreachable-relation",
    "arrow-walks-subject-relation",
    "arrow-references-relation",
];

/// What a comment says before the name of the rule that it silences.
const IGNORE: &str = "spicedb-ignore-warning:";

pub(crate) fn lint(world: &World<'_>, findings: &mut Findings) {
    for (definition, resolved) in &world.definitions {
        for member in resolved.members.values() {
            Linter { world, definition, resolved, member, findings }.lint();
        }
    }
}

struct Linter<'a, 't> {
    world: &'a World<'t>,
    definition: &'a SmolStr,
    resolved: &'a Resolved<'t>,
    member: &'a MemberNode<'t>,
    findings: &'a mut Findings,
}

impl Linter<'_, '_> {
    fn lint(&mut self) {
        let name = self.member.name();
        let type_name = self.definition.rsplit('/').next().unwrap_or(self.definition);
        if name.text.ends_with(type_name) {
            let message = format!("`{}` repeats the name of its type `{}`", name.text, self.definition);
            self.warn(
                "relation-name-references-parent",
                name,
                message,
                "the type is known where it is used; drop it",
            );
        }
        if let MemberNode::Permission(permission) = self.member
            && let Some(expression) = &permission.expression
        {
            self.annotation(&permission.types);
            self.expression(expression);
        }
    }

    fn annotation(&mut self, types: &[Name]) {
        for name in types.iter().filter(|name| !self.world.definitions.contains_key(&name.text)) {
            let message = format!("the annotation names the unknown type `{}`", shown(&name.text));
            self.warn("annotation-names-unknown-type", name, message, "it can never be reached; drop it");
        }
    }

    fn warn(&mut self, rule: &'static str, at: &Name, message: String, help: &str) {
        if is_ignored(self.resolved.block.doc.as_deref(), rule) || is_ignored(self.member.doc(), rule) {
            return;
        }
        let key = match self.member {
            MemberNode::Relation(_) => "relation_name",
            MemberNode::Permission(_) => "permission_name",
        };
        let finding = Diagnostic::warning(rule, at.span, message)
            .with_help(help)
            .with("definition_name", self.definition.as_str())
            .with(key, self.member.name().text.as_str());
        self.findings.add(finding);
    }

    fn expression(&mut self, expression: &ExpressionNode) {
        match &expression.kind {
            ExpressionKind::Arrow { relation, target, .. } => {
                if let Some(node) = self.resolved.relation(&relation.text) {
                    self.arrow(node, relation, target);
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
            ExpressionKind::Reference(name) if name.text == self.member.name().text => {
                let message = format!("the permission `{}` references itself", name.text);
                let help = "nobody gets it by that; recursion is meant to go over an arrow or a userset";
                self.warn("permission-references-itself", name, message, help);
            }
            ExpressionKind::Nil | ExpressionKind::SelfObject | ExpressionKind::Reference(_) => {}
        }
    }

    fn arrow(&mut self, node: &RelationNode, relation: &Name, target: &Name) {
        let mut found = false;
        let mut found_relation = None;
        let mut userset = None;
        for allowed in &node.allowed {
            let subject_type = &allowed.subject_type.text;
            match self
                .world
                .definitions
                .get(subject_type)
                .and_then(|resolved| resolved.members.get(&target.text))
            {
                Some(MemberNode::Relation(_)) => {
                    found = true;
                    // Recursion over a relation of the same definition (`parent->parent`) is usual.
                    if subject_type != self.definition {
                        found_relation = Some(subject_type);
                    }
                }
                Some(MemberNode::Permission(_)) => found = true,
                None => {}
            }
            if let ShapeNode::Userset(subject_relation) = &allowed.shape {
                userset = Some(format!("{subject_type}#{}", subject_relation.text));
            }
        }
        if !found {
            let message =
                format!("no subject of `{}` has a relation or permission `{}`", relation.text, target.text);
            self.warn(
                "arrow-references-unreachable-relation",
                target,
                message,
                "the arrow never leads to anyone",
            );
        }
        if let Some(userset) = userset {
            let message = format!("`{}` takes `{userset}`, whose relation the arrow ignores", relation.text);
            let help = "the arrow goes on from the object, not from the members of the userset";
            self.warn("arrow-walks-subject-relation", relation, message, help);
        }
        if let Some(subject_type) = found_relation {
            let message = format!("the arrow leads to the relation `{}` of `{subject_type}`", target.text);
            self.warn(
                "arrow-references-relation",
                target,
                message,
                "let arrows lead to permissions, which can change",
            );
        }
    }
}

/// Whether a comment silences the rule.
fn is_ignored(doc: Option<&str>, rule: &str) -> bool {
    doc.unwrap_or("").lines().any(|line| {
        let Some((_, after)) = line.split_once(IGNORE) else { return false };
        after.trim_start().split([' ', '\t', ',', '*']).next() == Some(rule)
    })
}
