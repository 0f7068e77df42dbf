//! The one binary, `pemba`.

use std::process::ExitCode;

use clap::Parser as _;
use pemba_cli::args::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pemba_cli::run(Cli::parse())
}
