//! A bounded collection of diagnostics.

use std::collections::BTreeSet;

use pemba_model::{Diagnostic, Severity, SmolStr, Span, suggest};

/// Most errors that one text is told; the rest is counted.
pub const ERRORS_MAX: usize = 100;
/// Most warnings that one text is told; the rest is counted.
pub const WARNINGS_MAX: usize = 200;
/// Most names that are compared to find a near one.
const NEAR_CANDIDATES_MAX: usize = 2000;
/// Longest name that is compared, in bytes.
const NEAR_NAME_MAX_BYTES: usize = 128;

/// Findings about one text. The same code at the same place is told once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    /// The codes that are taken; `None` takes all.
    taken: Option<&'static [&'static str]>,
    told: BTreeSet<(&'static str, Span)>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// Findings that ignore every code but these.
    pub(crate) fn only(codes: &'static [&'static str]) -> Findings {
        Findings { taken: Some(codes), ..Findings::default() }
    }

    /// Adds one finding, or only counts it when there are too many.
    pub(crate) fn add(&mut self, finding: Diagnostic) {
        if self.taken.is_some_and(|codes| !codes.contains(&finding.code)) {
            return;
        }
        if !self.told.insert((finding.code, finding.span)) {
            return;
        }
        let (count, most) = match finding.severity {
            Severity::Error => (&mut self.errors, ERRORS_MAX),
            Severity::Warning => (&mut self.warnings, WARNINGS_MAX),
        };
        *count += 1;
        if *count <= most {
            self.list.push(finding);
        }
    }

    /// Whether another error would only be counted: what goes into its text need not be worked out.
    pub(crate) fn are_full(&self) -> bool {
        self.errors >= ERRORS_MAX
    }

    /// Whether there is an error.
    pub(crate) fn have_errors(&self) -> bool {
        self.errors > 0
    }

    /// All of them in the order of the text, errors first at one place; the last says how many were left out.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| (finding.span, std::cmp::Reverse(finding.severity), finding.code));
        let end = self.list.last().map_or(Span::default(), |last| Span::new(last.span.end, last.span.end));
        let left_out = self.errors.saturating_sub(ERRORS_MAX);
        if left_out > 0 {
            let message = format!("{left_out} more errors are not shown; at most {ERRORS_MAX} are");
            self.list.push(Diagnostic::error("too-many-errors", end, message));
        }
        let left_out = self.warnings.saturating_sub(WARNINGS_MAX);
        if left_out > 0 {
            let message = format!("{left_out} more warnings are not shown; at most {WARNINGS_MAX} are");
            self.list.push(Diagnostic::warning("too-many-warnings", end, message));
        }
        self.list
    }
}

/// The help text that proposes the name nearest to `name`, if one is near.
pub(crate) fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a SmolStr>) -> Option<String> {
    if name.len() > NEAR_NAME_MAX_BYTES {
        return None;
    }
    let candidates = candidates.into_iter().take(NEAR_CANDIDATES_MAX).map(SmolStr::as_str);
    suggest::nearest(name, candidates).map(|found| format!("did you mean `{found}`?"))
}

/// A name as messages show it: cut when it is very long.
pub(crate) fn shown(name: &str) -> String {
    if name.len() <= NEAR_NAME_MAX_BYTES {
        return name.to_owned();
    }
    let mut cut: String = name.chars().take(64).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_finding_is_told_once_and_too_many_are_counted() {
        let mut findings = Findings::default();
        for at in 0..ERRORS_MAX + 7 {
            for _ in 0..2 {
                findings.add(Diagnostic::error("code", Span::new(at, at + 1), "wrong"));
            }
        }
        for at in 0..WARNINGS_MAX + 1 {
            findings.add(Diagnostic::warning("code-w", Span::new(at, at + 1), "odd"));
        }
        assert!(findings.are_full() && findings.have_errors());
        let all = findings.finish();
        assert_eq!(all.len(), ERRORS_MAX + WARNINGS_MAX + 2);
        assert!(all.iter().any(|d| d.code == "too-many-errors" && d.message.contains("7 more")));
        assert!(all.iter().any(|d| d.code == "too-many-warnings" && d.message.contains("1 more")));
    }
}
