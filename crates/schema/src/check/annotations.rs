//! Type annotations of permissions: under `use typechecking` they must name every subject type that can be reached.

use std::collections::BTreeSet;

use pemba_model::{Diagnostic, SmolStr};

use super::{MemberNode, World, about};
use crate::findings::Findings;
use crate::plan::{Plans, Predicate, SubjectKind};
use crate::schema::Schema;
use crate::syntax::PermissionNode;

/// Most pairs of a type and a member of an annotation that are compared.
const ANNOTATION_STEPS_MAX: usize = 5_000_000;

pub(super) fn check(world: &World<'_>, schema: &Schema, findings: &mut Findings) {
    let annotated =
        |member: &MemberNode<'_>| matches!(member, MemberNode::Permission(p) if !p.types.is_empty());
    if !world.has_flag("typechecking") || !world.members().any(|(_, member)| annotated(member)) {
        return;
    }
    let plans = Plans::compile(schema);
    let mut budget = ANNOTATION_STEPS_MAX;
    for (definition, member) in world.members() {
        let MemberNode::Permission(permission) = member else { continue };
        if permission.types.is_empty() || findings.are_full() {
            continue;
        }
        let steps = schema.definitions.len().saturating_mul(permission.types.len());
        let Some(rest) = budget.checked_sub(steps) else {
            let message = format!("checking all annotations takes more than {ANNOTATION_STEPS_MAX} steps");
            findings.add(about(
                Diagnostic::error("too-many-annotations", permission.name.span, message),
                definition,
                member,
            ));
            return;
        };
        budget = rest;
        let missing = missing(schema, &plans, definition, permission);
        if missing.is_empty() {
            continue;
        }
        let list = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message =
            format!("the annotation of `{}` lacks {list}, which it can reach", permission.name.text);
        let finding = Diagnostic::error("annotation-incomplete", permission.name.span, message);
        findings.add(about(finding, definition, member));
    }
}

/// The subject types that the permission reaches and its annotation does not cover. A userset in the annotation
/// covers what it reaches itself.
fn missing(
    schema: &Schema,
    plans: &Plans,
    definition: &SmolStr,
    permission: &PermissionNode,
) -> BTreeSet<SmolStr> {
    let predicate = Predicate { object_type: definition.clone(), name: permission.name.text.clone() };
    let reached = schema.definitions.keys().filter(|name| plans.reaches(&predicate, &object(name)));
    reached
        .filter(|name| {
            !permission.types.iter().any(|annotation| match &annotation.relation {
                None => annotation.subject_type.text == **name,
                Some(relation) => plans.reaches(
                    &Predicate {
                        object_type: annotation.subject_type.text.clone(),
                        name: relation.text.clone(),
                    },
                    &object(name),
                ),
            })
        })
        .cloned()
        .collect()
}

fn object(subject_type: &SmolStr) -> SubjectKind {
    SubjectKind { subject_type: subject_type.clone(), relation: None }
}
