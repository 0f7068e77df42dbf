//! Caveats: how many parameters, which names, and that each is used.

use std::collections::BTreeSet;

use pemba_model::limits::{CAVEAT_PARAMETERS_MAX, CAVEAT_SOURCE_MAX_CHARS};
use pemba_model::{Diagnostic, SmolStr, Span};

use super::World;
use crate::findings::{Findings, shown};
use crate::schema::ParameterType;
use crate::syntax::CaveatNode;

pub(super) fn check(world: &World<'_>, findings: &mut Findings) {
    for (name, caveat) in &world.caveats {
        check_parameters(name, caveat, findings);
        check_condition(world, name, caveat, findings);
    }
}

fn check_parameters(name: &SmolStr, caveat: &CaveatNode, findings: &mut Findings) {
    let count = caveat.parameters.len();
    let about = |finding: Diagnostic| finding.with("caveat_name", name.as_str());
    if caveat.parameters_complete && !(1..=CAVEAT_PARAMETERS_MAX).contains(&count) {
        let message =
            format!("the caveat `{name}` has {count} parameters; it needs 1 to {CAVEAT_PARAMETERS_MAX}");
        findings.add(about(Diagnostic::error("parameter-count", caveat.name.span, message)));
    }
    let mut seen = BTreeSet::new();
    for parameter in &caveat.parameters {
        let text = parameter.name.text.as_str();
        if !seen.insert(text) {
            let message = format!("the parameter `{}` is declared twice", shown(text));
            findings.add(
                about(Diagnostic::error("duplicate-parameter", parameter.name.span, message))
                    .with("parameter_name", text),
            );
        }
        if !is_identifier(text) {
            let message = format!(
                "the parameter name `{}` must be of `a-z`, `A-Z`, `0-9`, `_` and not begin with a digit",
                shown(text)
            );
            findings.add(about(Diagnostic::error("invalid-name", parameter.name.span, message)));
        }
    }
}

fn is_identifier(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_condition(world: &World<'_>, name: &SmolStr, caveat: &CaveatNode, findings: &mut Findings) {
    if caveat.body.is_none() {
        return;
    }
    let source = caveat.expression.text(world.text);
    let about = |finding: Diagnostic| finding.with("caveat_name", name.as_str());
    let chars = source.chars().count();
    if chars > CAVEAT_SOURCE_MAX_CHARS {
        let message = format!(
            "the condition of `{name}` is {chars} characters long; at most {CAVEAT_SOURCE_MAX_CHARS} are allowed"
        );
        findings.add(about(Diagnostic::error("caveat-too-long", caveat.name.span, message)));
        return;
    }
    if source.is_empty() {
        let message = format!("the caveat `{name}` has no condition");
        findings.add(about(Diagnostic::error("empty-caveat", caveat.name.span, message)));
        return;
    }
    // A parameter whose type is not known was reported; it must not make its uses faults too.
    let parameters: Vec<(SmolStr, ParameterType)> = caveat
        .parameters
        .iter()
        .map(|parameter| {
            let declared = parameter.parameter_type.clone().unwrap_or(ParameterType::Any);
            (parameter.name.text.clone(), declared)
        })
        .collect();
    if parameters.len() > CAVEAT_PARAMETERS_MAX || !caveat.parameters_complete {
        return;
    }
    let start = caveat.expression.start;
    match pemba_cel::compile(source, &parameters) {
        Ok(program) => check_use(name, caveat, &program.referenced(), findings),
        Err(faults) => {
            for mut fault in faults {
                fault.span = Span::new(start + fault.span.start, start + fault.span.end);
                findings.add(about(fault));
            }
        }
    }
}

/// Each parameter must be used.
fn check_use(name: &SmolStr, caveat: &CaveatNode, used: &[SmolStr], findings: &mut Findings) {
    for parameter in &caveat.parameters {
        let text = parameter.name.text.as_str();
        if !used.iter().any(|used| used == text) {
            let message = format!("the parameter `{}` of `{name}` is not used in its condition", shown(text));
            findings.add(
                Diagnostic::error("unused-parameter", parameter.name.span, message)
                    .with("caveat_name", name.as_str())
                    .with("parameter_name", text),
            );
        }
    }
}
