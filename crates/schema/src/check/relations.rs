//! Relations: that the subjects they take exist and may be taken.

use std::collections::BTreeSet;

use pemba_model::{Diagnostic, SmolStr, names};

use super::resolve::invalid;
use super::wildcards::{Admitted, Wildcards};
use super::{MemberNode, World, about, build};
use crate::findings::{Findings, near, shown};
use crate::print::allowed_text;
use crate::syntax::{AllowedNode, Name, RelationNode, ShapeNode};

pub(super) fn check(world: &World<'_>, wildcards: &Wildcards, findings: &mut Findings) {
    for (definition, member) in world.members() {
        let MemberNode::Relation(relation) = member else { continue };
        check_duplicates(definition, member, relation, findings);
        for allowed in &relation.allowed {
            let about = |finding| about(finding, definition, member);
            check_subject(world, wildcards, definition, allowed, findings, &about);
            check_traits(world, allowed, findings, &about);
        }
    }
}

fn check_duplicates(
    definition: &SmolStr,
    member: &MemberNode<'_>,
    relation: &RelationNode,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for allowed in &relation.allowed {
        let shape = match &allowed.shape {
            ShapeNode::Direct => "",
            ShapeNode::Wildcard => "*",
            ShapeNode::Userset(name) => name.text.as_str(),
        };
        let caveat = allowed.caveat.as_ref().map(|name| name.text.as_str());
        if !seen.insert((allowed.subject_type.text.as_str(), shape, caveat, allowed.expiration.is_some())) {
            let message = format!("the relation `{}` already takes this subject", shown(&relation.name.text));
            let text = allowed_text(&build::allowed(allowed));
            let finding = Diagnostic::error("duplicate-subject", allowed.span, message);
            findings.add(about(finding, definition, member).with("allowed_relation", text));
        }
    }
}

fn check_subject(
    world: &World<'_>,
    wildcards: &Wildcards,
    definition: &SmolStr,
    allowed: &AllowedNode,
    findings: &mut Findings,
    about: &dyn Fn(Diagnostic) -> Diagnostic,
) {
    let subject_type = &allowed.subject_type;
    let relation = match &allowed.shape {
        ShapeNode::Userset(relation) => Some(relation),
        _ => None,
    };
    if !check_type(world, subject_type, relation, findings, about) {
        return;
    }
    let Some(relation) = relation else { return };
    // Usersets of the same definition may hold a wildcard: `authzed.api.v1` schemas with such groups exist.
    if subject_type.text == *definition {
        return;
    }
    if let Some(Admitted { subject_type: subject, via }) =
        wildcards.within(&subject_type.text, &relation.text)
    {
        let message = format!(
            "`{}#{}` includes the wildcard `{subject}:*` by `{via}`; a wildcard may only be taken directly",
            subject_type.text, relation.text
        );
        findings.add(about(Diagnostic::error("wildcard-in-userset", allowed.span, message)));
    }
}

/// Checks that a type, and the relation or permission of it, exist. False when that is wrong or not known.
fn check_type(
    world: &World<'_>,
    subject_type: &Name,
    relation: Option<&Name>,
    findings: &mut Findings,
    about: &dyn Fn(Diagnostic) -> Diagnostic,
) -> bool {
    let resolved = world.definitions.get(&subject_type.text);
    if let Some(relation) = relation
        && !resolved.is_some_and(|resolved| resolved.members.contains_key(&relation.text))
        && let Err(error) = names::check_relation(&relation.text)
    {
        findings.add(about(invalid(relation, &error)));
        return false;
    }
    let Some(resolved) = resolved else {
        if world.complete {
            let mut finding = unknown_type(subject_type);
            if !findings.are_full() {
                finding.help = near(&subject_type.text, world.definitions.keys());
            }
            findings.add(looked_up(about(finding), &subject_type.text));
        }
        return false;
    };
    let Some(relation) = relation else { return true };
    if resolved.members.contains_key(&relation.text) {
        return true;
    }
    if resolved.complete {
        let message = format!(
            "`{}` has no relation or permission `{}`",
            shown(&subject_type.text),
            shown(&relation.text)
        );
        let mut finding = Diagnostic::error("unknown-relation", relation.span, message);
        if !findings.are_full() {
            finding.help = near(&relation.text, resolved.members.keys());
        }
        let finding = looked_up(about(finding), &subject_type.text);
        findings.add(finding.with("relation_or_permission_name", shown(&relation.text)));
    }
    false
}

/// That there is no such type, or that nothing can have that name.
fn unknown_type(subject_type: &Name) -> Diagnostic {
    match names::check_object_type(&subject_type.text) {
        Ok(()) => {
            let message = format!("unknown type `{}`", shown(&subject_type.text));
            Diagnostic::error("unknown-type", subject_type.span, message)
        }
        Err(error) => invalid(subject_type, &error),
    }
}

/// The same finding, where `definition_name` is the type that was looked up and not the one that names it.
fn looked_up(mut finding: Diagnostic, subject_type: &str) -> Diagnostic {
    finding.metadata.retain(|(key, _)| *key != "definition_name");
    finding.with("definition_name", shown(subject_type))
}

fn check_traits(
    world: &World<'_>,
    allowed: &AllowedNode,
    findings: &mut Findings,
    about: &dyn Fn(Diagnostic) -> Diagnostic,
) {
    let Some(caveat) = &allowed.caveat else { return };
    if world.complete && !world.caveats.contains_key(&caveat.text) {
        let message = format!("unknown caveat `{}`", shown(&caveat.text));
        let mut finding = Diagnostic::error("unknown-caveat", caveat.span, message)
            .with("caveat_name", shown(&caveat.text));
        if caveat.text == "expiration" {
            finding.help =
                Some("for expiring relationships write `use expiration` as the first line".to_owned());
        } else if !findings.are_full() {
            finding.help = near(&caveat.text, world.caveats.keys());
        }
        findings.add(about(finding));
    }
}
