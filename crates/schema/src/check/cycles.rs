//! Permissions that are only other names for each other: such a definition says nothing. Recursion through an operator is
//! allowed: it has a least solution, though it is seldom meant.

use std::collections::BTreeSet;

use pemba_model::{Diagnostic, SmolStr};

use super::{MemberNode, Resolved, World};
use crate::findings::Findings;
use crate::syntax::{ExpressionKind, PermissionNode};

pub(super) fn check(world: &World<'_>, findings: &mut Findings) {
    for (definition, resolved) in &world.definitions {
        check_definition(definition, resolved, findings);
    }
}

fn check_definition(definition: &SmolStr, resolved: &Resolved<'_>, findings: &mut Findings) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for start in resolved.members.keys() {
        let mut way: Vec<&PermissionNode> = Vec::new();
        let mut next = Some(start);
        while let Some(name) = next {
            let Some(MemberNode::Permission(permission)) = resolved.members.get(name) else { break };
            if !seen.insert(permission.name.text.as_str()) {
                if way.iter().any(|passed| passed.name.text == *name) {
                    report(definition, &way, name, findings);
                }
                break;
            }
            way.push(permission);
            next = alias(permission);
        }
    }
}

/// The name that a permission is only another name for.
fn alias(permission: &PermissionNode) -> Option<&SmolStr> {
    match &permission.expression.as_ref()?.kind {
        ExpressionKind::Reference(name) => Some(&name.text),
        _ => None,
    }
}

fn report(definition: &SmolStr, way: &[&PermissionNode], closes: &SmolStr, findings: &mut Findings) {
    /// Most names that the message lists.
    const SHOWN_MAX: usize = 10;
    let cycle: Vec<&PermissionNode> =
        way.iter().copied().skip_while(|permission| permission.name.text != *closes).collect();
    let Some(first) = cycle.first() else { return };
    let message = if cycle.len() == 1 {
        format!("the permission `{closes}` is only another name for itself")
    } else {
        let mut names: Vec<String> =
            cycle.iter().take(SHOWN_MAX).map(|p| format!("`{}`", p.name.text)).collect();
        if cycle.len() > SHOWN_MAX {
            names.push("…".to_owned());
        }
        format!("these permissions are only names for each other: {}", names.join(" -> "))
    };
    let finding = Diagnostic::error("permission-cycle", first.name.span, message);
    findings.add(
        finding
            .with_help("one of them must say who has it")
            .with("definition_name", definition.as_str())
            .with("permission_name", closes.as_str()),
    );
}
