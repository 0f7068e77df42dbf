//! `pemba validate`: runs validation files on an embedded in-memory database.

pub mod coverage;
pub mod file;
pub mod run;
mod watch;

use anyhow::Result;
use serde_json::json;

use crate::output::Output;
use crate::tool_args::ValidateArgs;
use coverage::Coverage;
use file::ValidationFile;
use run::Outcome;

/// Runs every file, shows each failure and ends with `N passed, N failed`. Returns whether nothing failed; a file that
/// cannot be read is one failure, and so is coverage that cannot be measured or is less than demanded. With `--watch` it
/// does so again on every change, until interrupted.
pub fn validate(args: &ValidateArgs, output: &mut Output) -> Result<bool> {
    if args.watch { watch::watch(args, output) } else { report(args).show(output) }
}

/// What came of all files.
#[derive(Debug, Clone, Default)]
struct Report {
    /// By file as it was given.
    outcomes: Vec<(String, Outcome)>,
    /// One for each schema, when it was asked for.
    coverage: Option<Vec<Coverage>>,
    coverage_min: Option<u8>,
}

/// Runs every file.
fn report(args: &ValidateArgs) -> Report {
    let wants_coverage = args.coverage || args.coverage_min.is_some();
    let mut report = Report {
        coverage: wants_coverage.then(Vec::new),
        coverage_min: args.coverage_min,
        ..Report::default()
    };
    for path in &args.files {
        let outcome = match ValidationFile::read(path) {
            Ok(file) => {
                let mut outcome = run::run(&file);
                if let Some(all) = &mut report.coverage {
                    match Coverage::measure(&file) {
                        Ok(found) => add(all, found),
                        Err(reason) => outcome.failures.push(reason),
                    }
                }
                outcome
            }
            Err(error) => Outcome { passed: 0, failures: vec![format!("{error:#}")] },
        };
        report.outcomes.push((path.display().to_string(), outcome));
    }
    report
}

/// Files that share a schema cover it together.
fn add(all: &mut Vec<Coverage>, found: Coverage) {
    let mut found = Some(found);
    for known in all.iter_mut() {
        let Some(unknown) = found.take() else { return };
        found = known.merge(unknown);
    }
    all.extend(found);
}

impl Report {
    /// Prints it. Returns whether nothing failed.
    fn show(&self, output: &mut Output) -> Result<bool> {
        let passed: usize = self.outcomes.iter().map(|(_, outcome)| outcome.passed).sum();
        let failed: usize = self.outcomes.iter().map(|(_, outcome)| outcome.failures.len()).sum();
        let is_low = |found: &&Coverage| self.coverage_min.is_some_and(|min| !found.reaches(min));
        let low: Vec<&Coverage> = self.coverage.iter().flatten().filter(is_low).collect();
        if output.is_json() {
            let files = self.outcomes.iter().map(|(path, outcome)| {
                json!({"file": path, "passed": outcome.passed, "failures": outcome.failures})
            });
            let files: Vec<_> = files.collect();
            let mut value = json!({"files": files, "passed": passed, "failed": failed});
            if let (Some(all), Some(object)) = (&self.coverage, value.as_object_mut()) {
                let all: Vec<_> = all.iter().map(Coverage::json).collect();
                object.insert("coverage".to_owned(), all.into());
                object.insert("coverage_below_min".to_owned(), (!low.is_empty()).into());
            }
            output.json(&value)?;
            return Ok(failed == 0 && low.is_empty());
        }
        for (path, Outcome { passed, failures }) in &self.outcomes {
            let mark = if failures.is_empty() { "ok  " } else { "FAIL" };
            output.line(&format!("{mark} {path} ({passed} passed, {} failed)", failures.len()))?;
            for failure in failures {
                output.line(&format!("     {}", failure.replace('\n', "\n     ")))?;
            }
        }
        for line in self.coverage.iter().flatten().flat_map(Coverage::lines) {
            output.line(&line)?;
        }
        for found in &low {
            let min = self.coverage_min.unwrap_or_default();
            output.line(&format!("FAIL coverage of {} is below {min} %", found.name))?;
        }
        output.line(&format!("{passed} passed, {failed} failed"))?;
        Ok(failed == 0 && low.is_empty())
    }
}
