//! Tree to checked schema: every name is known to exist, every rule about them holds, or all that breaks one is told.

mod annotations;
mod build;
mod caveats;
mod cycles;
mod permissions;
mod relations;
mod resolve;
mod wildcards;

use pemba_model::{Diagnostic, SmolStr};

use crate::codes;
use crate::findings::Findings;
use crate::lint;
use crate::schema::Schema;
use crate::syntax::Tree;

pub(crate) use resolve::{MemberNode, Resolved, World};
use wildcards::Wildcards;

/// What a tree means.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The schema, when nothing is wrong.
    pub schema: Option<Schema>,
    /// Errors, or warnings when there is no error, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks a tree that was parsed from `text`. A tree with parts that could not be understood is checked as far as
/// that does not blame names for what is missing.
pub fn check(tree: &Tree, text: &str) -> Checked {
    let mut findings = Findings::default();
    let world = resolve::resolve(tree, text, &mut findings);
    caveats::check(&world, &mut findings);
    let wildcards = Wildcards::find(&world);
    relations::check(&world, &wildcards, &mut findings);
    permissions::check(&world, &wildcards, &mut findings);
    cycles::check(&world, &mut findings);
    if findings.have_errors() || tree.incomplete {
        return Checked { diagnostics: findings.finish(), ..Checked::default() };
    }
    annotations::check(&world, &mut findings);
    if findings.have_errors() {
        return Checked { diagnostics: findings.finish(), ..Checked::default() };
    }
    lint::lint(&world, &mut findings);
    Checked { schema: Some(build::schema(&world)), diagnostics: findings.finish() }
}

/// What a tree declares, with only the errors that make a text not well-formed.
pub(crate) fn declared(tree: &Tree, text: &str) -> Checked {
    let mut findings = Findings::only(&codes::PARSE);
    let world = resolve::resolve(tree, text, &mut findings);
    caveats::check(&world, &mut findings);
    let whole = !findings.have_errors() && !tree.incomplete;
    Checked { schema: whole.then(|| build::schema(&world)), diagnostics: findings.finish() }
}

/// Adds whose member a finding is about.
fn about(finding: Diagnostic, definition: &SmolStr, member: &MemberNode<'_>) -> Diagnostic {
    let key = match member {
        MemberNode::Relation(_) => "relation_name",
        MemberNode::Permission(_) => "permission_name",
    };
    finding.with("definition_name", definition.as_str()).with(key, member.name().text.as_str())
}
