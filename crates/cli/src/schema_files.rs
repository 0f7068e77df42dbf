//! `pemba schema check`, `pemba schema lint` and `pemba schema fmt`: what can be said of a schema text without a server.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pemba_model::{Diagnostic, limits};

use crate::diagnostics::render;
use crate::output::Output;

/// The file name that means standard input or output.
pub const STANDARD: &str = "-";

/// Reads a text file, or standard input for `-`; at most 4 MiB, the limit of a schema, are read.
pub fn read_schema(path: &Path) -> Result<String> {
    let bound = limits::SCHEMA_MAX_BYTES as u64 + 1;
    let mut text = String::new();
    let read = if path == Path::new(STANDARD) {
        std::io::stdin().lock().take(bound).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(bound).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(
        text.len() <= limits::SCHEMA_MAX_BYTES,
        "{} is longer than {} bytes, the limit of a schema",
        path.display(),
        limits::SCHEMA_MAX_BYTES
    );
    Ok(text)
}

/// Says what is wrong with each file. Returns whether all would be accepted; warnings are shown, and accepted unless they
/// are denied.
pub fn check(files: &[PathBuf], deny_warnings: bool, output: &mut Output) -> Result<bool> {
    let mut accepted = true;
    for path in files {
        let text = read_schema(path)?;
        let (ok, diagnostics) = match pemba_schema::compile(&text) {
            Ok(compiled) => (!deny_warnings || compiled.warnings.is_empty(), compiled.warnings),
            Err(rejected) => (false, rejected.diagnostics),
        };
        accepted &= ok;
        show(path, &text, ok, &diagnostics, output)?;
    }
    Ok(accepted)
}

fn show(path: &Path, text: &str, ok: bool, diagnostics: &[Diagnostic], output: &mut Output) -> Result<()> {
    let name = path.display().to_string();
    if output.is_json() {
        let index = pemba_model::LineIndex::new(text);
        let items: Vec<_> = diagnostics
            .iter()
            .map(|diagnostic| {
                let (start, end) = (index.place(diagnostic.span.start), index.place(diagnostic.span.end));
                serde_json::json!({
                    "severity": if diagnostic.is_error() { "error" } else { "warning" },
                    "code": diagnostic.code, "message": diagnostic.message, "help": diagnostic.help,
                    "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column,
                })
            })
            .collect();
        output.json(&serde_json::json!({"file": name, "accepted": ok, "diagnostics": items}))?;
        return Ok(());
    }
    if !diagnostics.is_empty() {
        output.line(&render(&name, text, diagnostics))?;
    }
    output.line(&format!("{} {name}", if ok { "ok  " } else { "FAIL" }))?;
    Ok(())
}

/// Formats each file in place, or with `check_only` says which would change. Standard input is printed formatted.
/// Returns whether nothing is left to change.
pub fn format(files: &[PathBuf], check_only: bool, output: &mut Output) -> Result<bool> {
    let mut settled = true;
    for path in files {
        let text = read_schema(path)?;
        let formatted = match pemba_schema::format(&text) {
            Ok(formatted) => formatted,
            Err(diagnostics) => {
                output.line(&render(&path.display().to_string(), &text, &diagnostics))?;
                settled = false;
                continue;
            }
        };
        if path == Path::new(STANDARD) {
            output.line(formatted.trim_end_matches('\n'))?;
        } else if formatted == text {
            output.line(&format!("unchanged {}", path.display()))?;
        } else if check_only {
            output.line(&format!("would change {}", path.display()))?;
            settled = false;
        } else {
            std::fs::write(path, formatted).with_context(|| format!("cannot write {}", path.display()))?;
            output.line(&format!("formatted {}", path.display()))?;
        }
    }
    Ok(settled)
}
