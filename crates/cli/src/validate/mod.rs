//! `pemba validate`: runs validation files on an embedded in-memory database.

pub mod file;
pub mod run;

use std::path::PathBuf;

use anyhow::Result;

use crate::output::Output;
use file::ValidationFile;
use run::Outcome;

/// Runs every file, shows each failure and ends with `N passed, N failed`. Returns whether nothing failed; a file that
/// cannot be read is one failure.
pub fn validate(paths: &[PathBuf], output: &mut Output) -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    let mut reports = Vec::new();
    for path in paths {
        let outcome = match ValidationFile::read(path) {
            Ok(file) => run::run(&file),
            Err(error) => Outcome { passed: 0, failures: vec![format!("{error:#}")] },
        };
        passed += outcome.passed;
        failed += outcome.failures.len();
        let path = path.display().to_string();
        if !output.is_json() {
            let mark = if outcome.failures.is_empty() { "ok  " } else { "FAIL" };
            output.line(&format!(
                "{mark} {path} ({} passed, {} failed)",
                outcome.passed,
                outcome.failures.len()
            ))?;
            for failure in &outcome.failures {
                output.line(&format!("     {}", failure.replace('\n', "\n     ")))?;
            }
        }
        reports
            .push(serde_json::json!({"file": path, "passed": outcome.passed, "failures": outcome.failures}));
    }
    if output.is_json() {
        output.json(&serde_json::json!({"files": reports, "passed": passed, "failed": failed}))?;
    } else {
        output.line(&format!("{passed} passed, {failed} failed"))?;
    }
    Ok(failed == 0)
}
