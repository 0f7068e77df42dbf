//! `pemba completions` and `pemba man`: the command line described for shells and for `man`.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use crate::args::Cli;
use crate::output::Output;

/// Prints a shell's completions. They are a script, with `--json` too.
pub fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<bool> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pemba", &mut script);
    let script = String::from_utf8(script).context("the completions are no text")?;
    output.line(script.trim_end_matches('\n'))?;
    Ok(true)
}

/// Writes the manual pages of every command to a folder.
pub fn manual(folder: &Path, output: &mut Output) -> Result<bool> {
    let named = || folder.display().to_string();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", named()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write to {}", named()))?;
    output
        .either(&format!("manual pages written to {}", named()), &serde_json::json!({"folder": named()}))?;
    Ok(true)
}
