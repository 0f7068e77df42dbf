//! The command line of Pemba, as a library so that tests can run its parts.
//!
//! **Invariant: no authorization logic lives here; every command is a translation between text and the database or a
//! server.**

pub mod agents;
pub mod args;
pub mod bench;
pub mod bootstrap;
pub mod clients_file;
pub mod demo;
pub mod diagnostics;
pub mod language_server;
pub mod limit_flags;
pub mod output;
pub mod reference;
pub mod remote;
pub mod schema_diff;
pub mod schema_files;
pub mod serve;
pub mod serve_testing;
pub mod shell;
pub mod storage;
pub mod tool_args;
pub mod tree;
pub mod validate;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use args::{Cli, Command};
use output::Output;

/// Exit code of a question answered with no, of a file that is not as it should be, of a failed validation.
pub const EXIT_NEGATIVE: u8 = 1;
/// Exit code of a command that could not be carried out. Clap uses it for bad flags too.
pub const EXIT_FAILED: u8 = 2;

/// Runs one command. Exit code 0: done, or yes; 1: no; 2: could not be done, with the reason on standard error.
pub fn run(cli: Cli) -> ExitCode {
    let mut output = Output::stdout(cli.json);
    match dispatch(cli.command, &mut output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_NEGATIVE),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed too; there is nowhere left to say so.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Whoever read our output has seen enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn dispatch(command: Command, output: &mut Output) -> Result<bool> {
    match command {
        Command::Serve(args) => serve::serve(&args),
        Command::ServeTesting(args) => serve_testing::serve_testing(&args),
        Command::Demo(args) => demo::demo(&args, output),
        Command::Validate(args) => validate::validate(&args, output),
        Command::Bench(args) => bench::bench(&args, output),
        Command::Lsp(_) => language_server::serve(),
        Command::Completions(args) => shell::completions(args.shell, output),
        Command::Man(args) => shell::manual(&args.folder, output),
        Command::Backup(args) => storage::backup(&args, output),
        Command::Verify(args) => storage::verify(&args, output),
        Command::Schema(args::SchemaCommand::Check { files }) => schema_files::check(&files, false, output),
        Command::Schema(args::SchemaCommand::Lint { files, deny_warnings }) => {
            schema_files::check(&files, deny_warnings, output)
        }
        Command::Schema(args::SchemaCommand::Diff(args)) => schema_diff::run(&args, output),
        Command::Schema(args::SchemaCommand::Fmt { files, check }) => {
            schema_files::format(&files, check, output)
        }
        remote => remote::run(remote, output),
    }
}
