//! One change, told: what it is, and whether a server may refuse it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pemba_model::SmolStr;
use pemba_schema::reflection::Diff;
use pemba_schema::{AllowedSubject, Definition, Permission, Schema, SubjectShape};

/// One change.
pub(super) struct Change {
    /// What happened: `+` something came, `-` went, `~` became another.
    pub(super) sign: char,
    /// The kind of change, for programs.
    pub(super) kind: &'static str,
    /// The definition it is in.
    pub(super) definition: Option<SmolStr>,
    /// The relation or permission it is in.
    pub(super) member: Option<SmolStr>,
    /// The caveat it is in.
    pub(super) caveat: Option<SmolStr>,
    /// What changed, for people.
    pub(super) what: String,
    /// When a server refuses to write the new schema over the old one because of it.
    pub(super) refusal: Option<Refusal>,
}

/// When a change is refused.
pub(super) enum Refusal {
    /// Always.
    Always,
    /// While there are such relationships.
    While(&'static str),
}

impl Refusal {
    /// Its name for programs.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Refusal::Always => "always",
            Refusal::While(_) => "while_used",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Always => f.write_str("whatever the data"),
            Refusal::While(relationships) => write!(f, "while relationships {relationships}"),
        }
    }
}

impl Change {
    pub(super) fn new(diff: &Diff, old: &Schema, new: &Schema) -> Change {
        match diff {
            Diff::DefinitionAdded(found) => of_definition('+', "definition_added", &found.name, ""),
            Diff::DefinitionRemoved(found) => {
                let refusal = Refusal::While("have it as the type of their resource or subject");
                of_definition('-', "definition_removed", &found.name, "").refused(refusal)
            }
            Diff::DefinitionDocCommentChanged(found) => {
                of_definition('~', "definition_comment_changed", &found.name, "comment of ")
            }
            Diff::CaveatAdded(found) => of_caveat('+', "caveat_added", &found.name, ""),
            Diff::CaveatRemoved(found) => {
                of_caveat('-', "caveat_removed", &found.name, "").refused(Refusal::While("have it"))
            }
            Diff::CaveatDocCommentChanged(found) => {
                of_caveat('~', "caveat_comment_changed", &found.name, "comment of ")
            }
            Diff::CaveatExprChanged(found) => {
                of_caveat('~', "caveat_condition_changed", &found.name, "condition of ")
            }
            Diff::CaveatParameterAdded { caveat, parameter } => {
                let what = format!("parameter `{}` of ", parameter.name);
                of_caveat('+', "caveat_parameter_added", caveat, &what)
            }
            Diff::CaveatParameterRemoved { caveat, parameter } => {
                let what = format!("parameter `{}` of ", parameter.name);
                of_caveat('-', "caveat_parameter_removed", caveat, &what).refused(Refusal::Always)
            }
            Diff::CaveatParameterTypeChanged { caveat, parameter, previous_type } => {
                let what = format!("parameter `{}` of ", parameter.name);
                let mut change = of_caveat('~', "caveat_parameter_type_changed", caveat, &what);
                change.what.push_str(&format!(": `{previous_type}` becomes `{}`", parameter.parameter_type));
                change.refused(Refusal::Always)
            }
            _ => member(diff, old, new),
        }
    }

    fn refused(self, refusal: Refusal) -> Change {
        Change { refusal: Some(refusal), ..self }
    }
}

fn of_definition(sign: char, kind: &'static str, name: &SmolStr, what: &str) -> Change {
    let what = format!("{what}definition {name}");
    Change { sign, kind, definition: Some(name.clone()), member: None, caveat: None, what, refusal: None }
}

fn of_caveat(sign: char, kind: &'static str, name: &SmolStr, what: &str) -> Change {
    let what = format!("{what}caveat {name}");
    Change { sign, kind, definition: None, member: None, caveat: Some(name.clone()), what, refusal: None }
}

fn of_member(sign: char, kind: &'static str, of: (&SmolStr, &SmolStr), what: String) -> Change {
    let (definition, member) = (Some(of.0.clone()), Some(of.1.clone()));
    Change { sign, kind, definition, member, caveat: None, what, refusal: None }
}

/// A change in a relation or permission.
fn member(diff: &Diff, old: &Schema, new: &Schema) -> Change {
    match diff {
        Diff::RelationAdded(found) => {
            let of = (&found.definition, &found.name);
            of_member('+', "relation_added", of, format!("relation {}#{}", of.0, of.1))
        }
        Diff::RelationRemoved(found) => {
            let of = (&found.definition, &found.name);
            let change = of_member('-', "relation_removed", of, format!("relation {}#{}", of.0, of.1));
            change.refused(Refusal::While("are on it, or name it as the relation of their subject"))
        }
        Diff::RelationDocCommentChanged(found) => {
            let of = (&found.definition, &found.name);
            let what = format!("comment of relation {}#{}", of.0, of.1);
            of_member('~', "relation_comment_changed", of, what)
        }
        Diff::RelationSubjectTypeAdded { relation, changed } => {
            let of = (&relation.definition, &relation.name);
            let what = format!("{}#{} takes `{}`", of.0, of.1, allowed_text(changed));
            of_member('+', "relation_subject_added", of, what)
        }
        Diff::RelationSubjectTypeRemoved { relation, changed } => {
            let of = (&relation.definition, &relation.name);
            let what = format!("{}#{} takes `{}`", of.0, of.1, allowed_text(changed));
            let change = of_member('-', "relation_subject_removed", of, what);
            change.refused(Refusal::While("are of this kind"))
        }
        Diff::PermissionAdded(found) => {
            let of = (&found.definition, &found.name);
            of_member('+', "permission_added", of, format!("permission {}#{}", of.0, of.1))
        }
        Diff::PermissionRemoved(found) => {
            let of = (&found.definition, &found.name);
            let change = of_member('-', "permission_removed", of, format!("permission {}#{}", of.0, of.1));
            let stays = new.definition(of.0).is_some_and(|definition| definition.has(of.1));
            if stays || !is_named_by_subjects(old, of) {
                return change;
            }
            change.refused(Refusal::While("name it as the relation of their subject"))
        }
        Diff::PermissionDocCommentChanged(found) => {
            let of = (&found.definition, &found.name);
            let what = format!("comment of permission {}#{}", of.0, of.1);
            of_member('~', "permission_comment_changed", of, what)
        }
        Diff::PermissionExprChanged(found) => {
            let of = (&found.definition, &found.name);
            let (before, after) = (expression_text(old, of), expression_text(new, of));
            let what = format!("permission {}#{}: `{before}` becomes `{after}`", of.0, of.1);
            of_member('~', "permission_expression_changed", of, what)
        }
        // Definitions and caveats are told above; a kind that is not known here is told by its name.
        other => of_member('~', "other", (&SmolStr::default(), &SmolStr::default()), format!("{other:?}")),
    }
}

/// Whether a relation takes usersets of this relation or permission.
fn is_named_by_subjects(schema: &Schema, of: (&SmolStr, &SmolStr)) -> bool {
    let relations = schema.definitions.values().flat_map(|definition| definition.relations.values());
    relations.flat_map(|relation| &relation.allowed).any(|allowed| {
        allowed.subject_type == *of.0
            && matches!(&allowed.shape, SubjectShape::Userset(relation) if relation == of.1)
    })
}

/// How a schema writes a permission's expression.
fn expression_text(schema: &Schema, of: (&SmolStr, &SmolStr)) -> String {
    let found = schema.definition(of.0).and_then(|definition| definition.permissions.get(of.1));
    let Some(found) = found else { return String::new() };
    let alone = Permission { doc: None, types: Vec::new(), ..found.clone() };
    let definition = Definition {
        name: of.0.clone(),
        doc: None,
        relations: BTreeMap::new(),
        permissions: BTreeMap::from([(of.1.clone(), alone)]),
        order: vec![of.1.clone()],
    };
    let definitions = BTreeMap::from([(of.0.clone(), definition)]);
    let text = pemba_schema::print(&Schema { definitions, caveats: BTreeMap::new(), flags: BTreeSet::new() });
    let start = format!("permission {} = ", of.1);
    text.lines().find_map(|line| line.trim().strip_prefix(&start)).unwrap_or_default().to_owned()
}

/// A kind of subject as a schema writes it.
pub(super) fn allowed_text(allowed: &AllowedSubject) -> String {
    let mut text = allowed.subject_type.to_string();
    match &allowed.shape {
        SubjectShape::Direct => {}
        SubjectShape::Userset(relation) => text.push_str(&format!("#{relation}")),
        SubjectShape::Wildcard => text.push_str(":*"),
    }
    let caveat = allowed.caveat.as_ref().map(SmolStr::as_str);
    let traits: Vec<&str> = caveat.into_iter().chain(allowed.expiration.then_some("expiration")).collect();
    if !traits.is_empty() {
        text.push_str(&format!(" with {}", traits.join(" and ")));
    }
    text
}
