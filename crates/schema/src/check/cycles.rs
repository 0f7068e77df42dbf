//! Permissions that are defined by themselves on the same object: such a definition says nothing.

use std::collections::BTreeMap;

use pemba_model::{Diagnostic, SmolStr};

use super::{MemberNode, Resolved, World};
use crate::findings::Findings;
use crate::syntax::{ExpressionKind, ExpressionNode, PermissionNode};

pub(super) fn check(world: &World<'_>, findings: &mut Findings) {
    for (definition, resolved) in &world.definitions {
        check_definition(definition, resolved, findings);
    }
}

/// A walk through the references; what is on the way is `open`, what has been left is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
}

fn check_definition(definition: &SmolStr, resolved: &Resolved<'_>, findings: &mut Findings) {
    let mut states: BTreeMap<&str, State> = BTreeMap::new();
    for start in resolved.members.keys() {
        let mut way: Vec<(&PermissionNode, std::vec::IntoIter<&SmolStr>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(name) = next.take() {
                match (states.get(name.as_str()), resolved.members.get(name)) {
                    (None, Some(MemberNode::Permission(permission))) => {
                        states.insert(permission.name.text.as_str(), State::Open);
                        way.push((permission, references(permission).into_iter()));
                    }
                    (Some(State::Open), _) => report(definition, &way, name, findings),
                    _ => {}
                }
            }
            let Some((permission, rest)) = way.last_mut() else { break };
            next = rest.next();
            if next.is_none() {
                states.insert(permission.name.text.as_str(), State::Done);
                way.pop();
            }
        }
    }
}

/// The names that a permission refers to without an arrow.
fn references(permission: &PermissionNode) -> Vec<&SmolStr> {
    let mut found = Vec::new();
    let mut open: Vec<&ExpressionNode> = permission.expression.iter().collect();
    while let Some(expression) = open.pop() {
        match &expression.kind {
            ExpressionKind::Reference(name) => found.push(&name.text),
            ExpressionKind::Union(operands) | ExpressionKind::Intersection(operands) => open.extend(operands),
            ExpressionKind::Exclusion(left, right) => open.extend([left.as_ref(), right.as_ref()]),
            ExpressionKind::Nil | ExpressionKind::SelfObject | ExpressionKind::Arrow { .. } => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn report(
    definition: &SmolStr,
    way: &[(&PermissionNode, std::vec::IntoIter<&SmolStr>)],
    closes: &SmolStr,
    findings: &mut Findings,
) {
    /// Most names that the message lists.
    const SHOWN_MAX: usize = 10;
    let cycle: Vec<&PermissionNode> = way
        .iter()
        .map(|(permission, _)| *permission)
        .skip_while(|permission| permission.name.text != *closes)
        .collect();
    let Some(first) = cycle.first() else { return };
    let finding = if cycle.len() == 1 {
        let message = format!("the permission `{closes}` references itself");
        Diagnostic::error("permission-references-itself", first.name.span, message)
    } else {
        let mut names: Vec<String> =
            cycle.iter().take(SHOWN_MAX).map(|p| format!("`{}`", p.name.text)).collect();
        if cycle.len() > SHOWN_MAX {
            names.push("…".to_owned());
        }
        let message = format!("these permissions are defined by each other: {}", names.join(" -> "));
        Diagnostic::error("permission-cycle", first.name.span, message)
    };
    findings.add(
        finding
            .with_help("recursion is possible over an arrow or a userset only")
            .with("definition_name", definition.as_str())
            .with("permission_name", closes.as_str()),
    );
}
