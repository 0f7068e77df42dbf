//! Flags of `pemba bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pemba_load::Call;

/// Flags of `pemba bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// The server to ask, `host:port` without TLS. Not given, this binary serves from memory while it is measured.
    #[arg(long, value_name = "HOST:PORT")]
    pub endpoint: Option<String>,
    /// The preshared key to present.
    #[arg(long, env = "PEMBA_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Write the schema and the relationships to the server first. Replaces its schema: not for a server in use.
    #[arg(long, requires = "endpoint")]
    pub load: bool,
    /// The server's process on this machine, for its processor time.
    #[arg(long, value_name = "PID", requires = "endpoint")]
    pub process: Option<u32>,
    /// A validation file to ask about instead of a workload: its relationships and its assertions.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workload", "scale", "seed", "write_rate"])]
    pub file: Option<PathBuf>,
    /// The made-up data to ask about.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "support-desk",
        value_parser = clap::builder::PossibleValuesParser::new(pemba_workloads::NAMES)
    )]
    pub workload: String,
    /// About how many relationships the workload has; the nine shapes at the list's end have a size of their own.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub scale: u64,
    /// What makes the workload differ from another of its size.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What to call, one after the other; may be repeated or separated by commas.
    #[arg(long = "call", value_name = "CALL", value_delimiter = ',', default_value = "check")]
    pub calls: Vec<BenchCall>,
    /// Questions in one bulk check.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub items: u64,
    /// Most different questions.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub distinct: u64,
    /// Ask for the newest revision instead of the fastest answer.
    #[arg(long)]
    pub full: bool,
    /// Connections.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// Requests in flight on each connection.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub in_flight: u16,
    /// Requests a second, sent when they are due whatever became of those before. Not given, each follows an answer.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Writes a second beside each call, on a connection of their own.
    #[arg(long, value_name = "N")]
    pub write_rate: Option<f64>,
    /// How long to measure each call, in seconds.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    pub seconds: f64,
    /// How long to ask before that, in seconds.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub warm_up: f64,
    /// Threads of the server that this binary becomes; 0 means one a core.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "endpoint")]
    pub threads: usize,
    /// The core that server is kept on; needs `taskset`.
    #[arg(long, value_name = "CORE", conflicts_with = "endpoint")]
    pub server_core: Option<usize>,
    /// The core that asking is kept on; needs `taskset`.
    #[arg(long, value_name = "CORE")]
    pub client_core: Option<usize>,
    /// Write everything that was measured to this JSON file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Draw latency and throughput into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// What `pemba bench` can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchCall {
    /// CheckPermission.
    Check,
    /// CheckBulkPermissions.
    Bulk,
    /// LookupResources.
    LookupResources,
    /// LookupSubjects.
    LookupSubjects,
    /// WriteRelationships.
    Write,
}

impl BenchCall {
    /// The call on the wire.
    pub fn wire(self) -> Call {
        match self {
            BenchCall::Check => Call::Check,
            BenchCall::Bulk => Call::Bulk,
            BenchCall::LookupResources => Call::LookupResources,
            BenchCall::LookupSubjects => Call::LookupSubjects,
            BenchCall::Write => Call::Write,
        }
    }

    /// The word that names it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            BenchCall::Check => "check",
            BenchCall::Bulk => "bulk",
            BenchCall::LookupResources => "lookup-resources",
            BenchCall::LookupSubjects => "lookup-subjects",
            BenchCall::Write => "write",
        }
    }
}
