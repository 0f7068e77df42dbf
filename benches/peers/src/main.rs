//! Pemba, a server that does nothing and SpiceDB under the same loads from one run, each on one core, as ratios.
//!
//! **Invariant: what is compared is measured in turn in one run, by the same client on the same core, with the same
//! requests, and every answer that has a truth is compared with it.**

mod compare;
mod cores;
mod growth;
mod measure;
mod numbers;
mod servers;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use pemba_load::process;
use pemba_load::report::aligned;

/// Measures Pemba beside a server that does nothing and beside SpiceDB.
#[derive(Debug, Parser)]
#[command(name = "pemba-peers")]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every figure that needs the wire, each with its ratio.
    Numbers(NumbersArgs),
    /// The same loads on Pemba and on the peers whose programs are given.
    Compare(CompareArgs),
    /// Pemba alone on more and more data.
    Growth(GrowthArgs),
}

/// How all of it is measured.
#[derive(Debug, Clone, Args)]
struct Measuring {
    /// About how many relationships.
    #[arg(long, default_value_t = 1_000_000)]
    scale: u64,
    /// How long to measure each figure, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The core of the server that is measured, its database on it too.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the client.
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Write everything that was measured to this JSON file.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Draw latency and throughput into this SVG file.
    #[arg(long)]
    plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct NumbersArgs {
    #[command(flatten)]
    measuring: Measuring,
    /// The folder in which a folder for the data is made; its disk is the one that is measured.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct GrowthArgs {
    #[command(flatten)]
    measuring: Measuring,
    /// About how many relationships, each size with a server of its own; `--scale` is not used.
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    sizes: Vec<u64>,
    /// The folder in which folders for the data are made.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CompareArgs {
    #[command(flatten)]
    measuring: Measuring,
    /// The workload.
    #[arg(long, default_value = "support-desk", value_parser = clap::builder::PossibleValuesParser::new(pemba_workloads::NAMES))]
    workload: String,
    /// SpiceDB's binary: measured with its data in memory.
    #[arg(long)]
    spicedb: Option<PathBuf>,
    /// The folder of PostgreSQL's binaries: SpiceDB is measured over one as well.
    #[arg(long, requires = "spicedb")]
    postgres: Option<PathBuf>,
    /// A Python that has the package `spicedb-embedded`: measured behind `tests/oracle/serve.py`.
    #[arg(long)]
    embedded: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let (measuring, outcome) = match cli.command {
        What::Numbers(args) => {
            process::pin_this(args.measuring.client_core)?;
            let outcome = numbers::run(&args.measuring, args.data.as_deref())?;
            (args.measuring, outcome)
        }
        What::Compare(args) => {
            process::pin_this(args.measuring.client_core)?;
            let outcome = compare::run(&args)?;
            (args.measuring, outcome)
        }
        What::Growth(args) => {
            process::pin_this(args.measuring.client_core)?;
            let outcome = growth::run(&args.measuring, &args.sizes, args.data.as_deref())?;
            (args.measuring, outcome)
        }
    };
    let table = aligned(&outcome.rows);
    write!(std::io::stdout(), "{table}")?;
    let write = |path: &PathBuf, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &measuring.report {
        write(path, format!("{:#}\n", outcome.json()))?;
    }
    if let Some(path) = &measuring.plot {
        let flows: Vec<_> = outcome.reports.iter().flat_map(|(_, report)| &report.flows).collect();
        write(path, pemba_load::plot::svg("Pemba and others, one core each", &flows))?;
    }
    Ok(())
}
