//! An explanation as a tree for people.

use std::fmt::Write as _;

use pemba_agents::authority::{Explanation, Outcome, Step};
use pemba_engine::{CheckAnswer, Cut, Permissionship, QueryError, Trace};
use pemba_model::{ObjectRef, SmolStr};

use super::explain::{id, principal};
use super::wire;
use crate::chains::Case;

/// Longest text. What comes after is left out, and said to be.
const TEXT_MAX_BYTES: usize = 256 * 1024;
/// Deepest level of the root's trace that is shown.
const DEPTH_MAX: usize = 64;

/// The whole tree: the decision, a line for each conjunct, and under the last how the root comes by the permission.
pub(super) fn text(case: &Case, explanation: &Explanation) -> String {
    let chain: Vec<String> = explanation.chain.principals().map(ObjectRef::to_string).collect();
    let outcome = match explanation.decision.outcome {
        Outcome::Deny => "DENY",
        Outcome::Conditional => "CONDITIONAL",
        Outcome::RequiresApproval => "REQUIRES_APPROVAL",
        Outcome::RequiresConsumption => "REQUIRES_CONSUMPTION",
        Outcome::Allow => "ALLOW",
    };
    let mut text = format!("{}: {} on {}: {outcome}\n", chain.join(" -> "), case.permission, case.resource);
    for step in &explanation.steps {
        line(&mut text, 1, &format!("{}{}", step_text(explanation, step), said(&step.answer)));
    }
    match &explanation.trace {
        Ok(trace) => trace_lines(&mut text, trace, 2),
        Err(error) => line(&mut text, 2, &format!("no trace: {error}")),
    }
    if let Some(limit) = explanation.decision.limit.as_ref().map(wire::limit) {
        let of =
            limit.principal.map(|who| format!(" {}:{}", who.object_type, who.object_id)).unwrap_or_default();
        let words = [limit.id, limit.detail].into_iter().filter(|word| !word.is_empty());
        let rest: String = words.map(|word| format!(" {word}")).collect();
        line(&mut text, 0, &format!("limited by {}{of}{rest}", limit.kind));
    }
    text
}

fn step_text(explanation: &Explanation, step: &Step) -> String {
    let chain = &explanation.chain;
    let mut text = wire::part(step.part).0.to_owned();
    if let Some(who) = principal(chain, step.part) {
        let _ = write!(text, " {who}");
    }
    let id = id(chain, step.part);
    if !id.is_empty() {
        let _ = write!(text, " {id}");
    }
    if let Some(clause) = step.clause {
        let _ = write!(text, " clause {clause}");
    }
    if let Some(ends_at) = step.ends_at {
        let _ = write!(text, " until {ends_at}");
    }
    let detail = step.limit.as_ref().map(|limit| wire::limit(limit).detail).unwrap_or_default();
    if !detail.is_empty() {
        let _ = write!(text, " {detail}");
    }
    text
}

/// An answer in a word or two.
fn said(answer: &Result<CheckAnswer, QueryError>) -> String {
    match answer {
        Ok(CheckAnswer { permissionship: Permissionship::No, .. }) => ": no".to_owned(),
        Ok(CheckAnswer { permissionship: Permissionship::Yes, .. }) => ": yes".to_owned(),
        Ok(CheckAnswer { permissionship: Permissionship::Conditional, missing, .. }) => {
            let missing: Vec<&str> = missing.iter().map(SmolStr::as_str).collect();
            format!(": depends on {}", missing.join(", "))
        }
        Err(error) => format!(": no answer: {error}"),
    }
}

fn trace_lines(text: &mut String, trace: &Trace, depth: usize) {
    let cut = match trace.cut {
        Some(Cut::Repeated) => " (shown above)",
        Some(Cut::Cycle) => " (a cycle)",
        Some(Cut::Limit) => " (not all is shown)",
        None => "",
    };
    line(text, depth, &format!("{} on {}{}{cut}", trace.permission, trace.resource, said(&trace.answer)));
    if depth >= DEPTH_MAX {
        return;
    }
    for child in &trace.children {
        trace_lines(text, child, depth + 1);
    }
}

/// A line, while there is room.
fn line(text: &mut String, depth: usize, words: &str) {
    const LEFT_OUT: &str = "(the rest is left out)\n";
    if text.len() >= TEXT_MAX_BYTES {
        if !text.ends_with(LEFT_OUT) {
            text.push_str(LEFT_OUT);
        }
        return;
    }
    for _ in 0..depth {
        text.push_str("  ");
    }
    text.push_str(words);
    text.push('\n');
}
