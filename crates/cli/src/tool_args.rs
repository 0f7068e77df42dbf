//! Flags of the developer tools: validation, comparison, the language server, completions and manual pages.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::Connection;

/// Flags of `pemba validate`.
#[derive(Debug, Clone, Args)]
pub struct ValidateArgs {
    /// Validation files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Run again whenever a file changes, or the schema file that it names, until interrupted.
    #[arg(long)]
    pub watch: bool,
    /// Say which relations, caveats and operands of permissions no assertion depends on.
    #[arg(long)]
    pub coverage: bool,
    /// Fail when less than this share of a schema is covered, in percent; turns `--coverage` on.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub coverage_min: Option<u8>,
}

/// Flags of `pemba schema diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The old and the new schema file, `-` for standard input. With one file only, it is the new schema and the server's is the
    /// old one; with two no server is asked.
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Fail when there is such a change; may be repeated or separated by commas.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub fail_on: Vec<FailOn>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which changes make `pemba schema diff` fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any change.
    Any,
    /// A change that a server refuses, or refuses while relationships depend on it.
    Refusal,
    /// A change that may give somebody access.
    Widening,
}

/// Flags of `pemba lsp`.
#[derive(Debug, Clone, Args)]
pub struct LspArgs {
    /// Speak over standard input and output, as it does anyway; editors pass it.
    #[arg(long)]
    pub stdio: bool,
}

/// Flags of `pemba completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Flags of `pemba man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// The folder to write the pages to; it is made if it does not exist.
    pub folder: PathBuf,
}
