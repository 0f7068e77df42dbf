//! The command line's commands and flags. `docs/cli.md` is generated from them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::agents::AgentsCommand;
use crate::agents::chain::ChainFlags;
use crate::bench::args::BenchArgs;
use crate::tool_args::{CompletionsArgs, DiffArgs, LspArgs, ManArgs, ValidateArgs};

/// Pemba: relationship-graph authorization for AI agents and the services that govern them.
#[derive(Debug, Parser)]
#[command(name = "pemba", version, about, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    /// Print JSON, one value a line, instead of text.
    #[arg(long, global = true, env = "PEMBA_JSON")]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve authzed.api.v1 over gRPC.
    Serve(Box<ServeArgs>),
    /// Serve tests of clients: a database in memory for each bearer token, and an address that only reads.
    ServeTesting(Box<ServeTestingArgs>),
    /// Show Pemba at work on the support-desk example, then serve it.
    Demo(DemoArgs),
    /// Write, read, check, lint, compare or format a schema.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Write, delete or read relationships.
    #[command(subcommand)]
    Relationship(RelationshipCommand),
    /// Ask whether a subject has a permission on a resource, or may use it through others.
    Check(Box<CheckArgs>),
    /// About agents.
    #[command(flatten)]
    Agents(Box<AgentsCommand>),
    /// Show what a permission on a resource is made of.
    Expand(ExpandArgs),
    /// List the resources on which a subject has a permission.
    LookupResources(LookupResourcesArgs),
    /// List the subjects that have a permission on a resource.
    LookupSubjects(LookupSubjectsArgs),
    /// Follow changes as they are committed.
    Watch(WatchArgs),
    /// Load relationships from a file, one a line, in one transaction.
    Import(ImportArgs),
    /// Write all relationships to a file, one a line.
    Export(ExportArgs),
    /// Copy the data folder of a server that is not running.
    Backup(BackupArgs),
    /// Check that a data folder or a backup is whole.
    Verify(VerifyArgs),
    /// Measure a server, or this binary itself, under load, and compare every answer with the truth.
    Bench(Box<BenchArgs>),
    /// Run validation files on an embedded in-memory engine.
    Validate(ValidateArgs),
    /// Serve editors the language server protocol over standard input and output.
    Lsp(LspArgs),
    /// Print a shell's completions of this command line.
    Completions(CompletionsArgs),
    /// Write manual pages, one a command.
    Man(ManArgs),
}

/// How to reach a server.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The server, as `host:port`, `http://host:port` or `https://host:port`.
    #[arg(long, env = "PEMBA_ENDPOINT", default_value = "http://127.0.0.1:50051")]
    pub endpoint: String,
    /// The preshared key to present.
    #[arg(long, env = "PEMBA_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// A PEM file with the certificate authority to trust, for https.
    #[arg(long, env = "PEMBA_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A PEM file with the certificate chain to show instead of a key, for https.
    #[arg(long, env = "PEMBA_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the private key of that certificate.
    #[arg(long, env = "PEMBA_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
}

/// How fresh an answer must be.
#[derive(Debug, Clone, Args)]
pub struct Freshness {
    /// Answer from at least the revision of this token.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["at_exact", "full"])]
    pub at_least: Option<String>,
    /// Answer from exactly the revision of this token.
    #[arg(long, value_name = "TOKEN", conflicts_with = "full")]
    pub at_exact: Option<String>,
    /// Answer from the newest revision.
    #[arg(long)]
    pub full: bool,
}

/// Flags of `pemba serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Keep the data in this folder; it is made if it does not exist.
    #[arg(
        long,
        env = "PEMBA_DATA",
        value_name = "DIR",
        required_unless_present = "memory",
        conflicts_with = "memory"
    )]
    pub data: Option<PathBuf>,
    /// Keep the data in memory only; it is gone when the server stops.
    #[arg(long, env = "PEMBA_MEMORY")]
    pub memory: bool,
    /// The address to serve gRPC on; may be repeated. The environment twin separates addresses by commas.
    #[arg(
        long,
        env = "PEMBA_LISTEN",
        value_name = "ADDR",
        value_delimiter = ',',
        default_value = "127.0.0.1:50051"
    )]
    pub listen: Vec<String>,
    /// A key whose holders may do everything; may be repeated. The environment twin separates keys by commas.
    #[arg(
        long = "preshared-key",
        env = "PEMBA_PRESHARED_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub preshared_keys: Vec<String>,
    /// A YAML file of the clients that may call, with their keys and rights. SIGHUP reads it again.
    #[arg(long, env = "PEMBA_CLIENTS", value_name = "FILE")]
    pub clients: Option<PathBuf>,
    /// Serve clients that present no key. Refused on an address other machines can reach unless given.
    #[arg(long, env = "PEMBA_INSECURE_NO_KEY")]
    pub insecure_no_key: bool,
    /// A PEM file with the server's certificate chain; turns TLS on.
    #[arg(long, env = "PEMBA_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with the private key of the certificate.
    #[arg(long, env = "PEMBA_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A PEM file with the authorities whose certificates clients may show instead of a key; see `docs/clients.md`.
    #[arg(long, env = "PEMBA_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// The address for Prometheus metrics and the HTTP health check; empty for none.
    #[arg(long, env = "PEMBA_METRICS_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9090")]
    pub metrics_listen: String,
    /// The address to serve REST on, JSON over HTTP/1.1 (HTTPS with a certificate); none unless given.
    #[arg(long, env = "PEMBA_REST_LISTEN", value_name = "ADDR")]
    pub rest_listen: Option<String>,
    /// Threads that serve requests; 0 means one a core.
    #[arg(long, env = "PEMBA_THREADS", default_value_t = 0)]
    pub threads: usize,
    /// Most open connections; one more is closed at once.
    #[arg(long, env = "PEMBA_CONNECTIONS_MAX", value_name = "N", default_value_t = 10_000)]
    pub connections_max: usize,
    /// Most streaming answers in progress; one more is refused.
    #[arg(long, env = "PEMBA_STREAMS_MAX", value_name = "N", default_value_t = 4096)]
    pub streams_max: usize,
    /// Longest that a call may wait in a burst until its thread begins it, in milliseconds; a tenth of it where a thread does
    /// not keep up. A call that has waited longer is refused with a retry hint.
    #[arg(long, env = "PEMBA_WAIT_MAX_MS", value_name = "MS", default_value_t = 100)]
    pub wait_max_ms: u64,
    /// A validation file whose schema and relationships the database begins with; may be repeated. Refused when the
    /// database has a schema already.
    #[arg(long, env = "PEMBA_BOOTSTRAP", value_name = "FILE", value_delimiter = ',')]
    pub bootstrap: Vec<PathBuf>,
    /// Replace the schema by that of the bootstrap files and add their relationships to those that are there.
    #[arg(long, env = "PEMBA_BOOTSTRAP_OVERWRITE", requires = "bootstrap")]
    pub bootstrap_overwrite: bool,
    /// Longest wait for running requests on shutdown, in milliseconds.
    #[arg(long, env = "PEMBA_SHUTDOWN_GRACE_MS", default_value_t = 5000)]
    pub shutdown_grace_ms: u64,
    /// What to log: `error`, `warn`, `info`, `debug`, or a filter such as `pemba_db=debug`.
    #[arg(long, env = "PEMBA_LOG", default_value = "info")]
    pub log: String,
    /// Log one JSON object a line.
    #[arg(long, env = "PEMBA_LOG_JSON")]
    pub log_json: bool,
    /// The bounds.
    #[command(flatten)]
    pub limits: crate::limit_flags::LimitFlags,
}

/// Flags of `pemba serve-testing`.
#[derive(Debug, Clone, Args)]
pub struct ServeTestingArgs {
    /// The address to serve gRPC on.
    #[arg(long, env = "PEMBA_TESTING_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub listen: String,
    /// The address that serves the same databases and refuses writes; empty for none.
    #[arg(
        long,
        env = "PEMBA_TESTING_READONLY_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:50052"
    )]
    pub readonly_listen: String,
    /// A validation file whose schema and relationships every database begins with; may be repeated.
    #[arg(long, env = "PEMBA_TESTING_LOAD_CONFIGS", value_name = "FILE", value_delimiter = ',')]
    pub load_configs: Vec<PathBuf>,
    /// Most databases at once; the one asked longest ago makes room for another.
    #[arg(long, env = "PEMBA_TESTING_DATABASES_MAX", value_name = "N", default_value_t = 256)]
    pub databases_max: usize,
    /// What to log: `error`, `warn`, `info`, `debug`, or a filter such as `pemba_db=debug`.
    #[arg(long, env = "PEMBA_LOG", default_value = "warn")]
    pub log: String,
    /// The bounds.
    #[command(flatten)]
    pub limits: crate::limit_flags::LimitFlags,
}

/// Flags of `pemba demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// The address to serve on after the show.
    #[arg(long, env = "PEMBA_DEMO_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub listen: String,
    /// End after the show instead of serving on.
    #[arg(long)]
    pub exit: bool,
}

/// `pemba schema ...`.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Replace the server's schema by a file's.
    Write {
        /// The schema file; `-` for standard input.
        file: PathBuf,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Print the server's schema.
    Read {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Say what is wrong with schema files, without a server.
    Check {
        /// The schema files; `-` for standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Say what is wrong or probably not meant in schema files, without a server.
    Lint {
        /// The schema files; `-` for standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Fail on warnings too.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Say what changes from one schema to another, and what that does to data and access.
    Diff(DiffArgs),
    /// Bring schema files into the usual form, in place.
    Fmt {
        /// The schema files; `-` reads standard input and prints.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing; fail if a file would change.
        #[arg(long)]
        check: bool,
    },
}

/// `pemba relationship ...`.
#[derive(Debug, Subcommand)]
pub enum RelationshipCommand {
    /// Write relationships, replacing caveat and expiry of those that exist.
    Write {
        /// Relationships, `type:id#relation@type:id`, each one argument.
        #[arg(required = true)]
        relationships: Vec<String>,
        /// Fail if one exists already.
        #[arg(long)]
        create: bool,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete relationships by name or by filter.
    Delete {
        /// Relationships, each one argument.
        #[arg(required_unless_present = "resource_type", conflicts_with = "resource_type")]
        relationships: Vec<String>,
        /// Which.
        #[command(flatten)]
        filter: FilterArgs,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Print relationships that match a filter.
    Read {
        /// Which.
        #[command(flatten)]
        filter: FilterArgs,
        /// How fresh.
        #[command(flatten)]
        freshness: Freshness,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// Which relationships are meant.
#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// The resource's type.
    #[arg(long = "type", value_name = "TYPE")]
    pub resource_type: Option<String>,
    /// The resource's id.
    #[arg(long, value_name = "ID", conflicts_with = "id_prefix")]
    pub id: Option<String>,
    /// How the resource's id begins.
    #[arg(long, value_name = "PREFIX")]
    pub id_prefix: Option<String>,
    /// The relation.
    #[arg(long)]
    pub relation: Option<String>,
    /// The subject: `type`, `type:id` or `type:id#relation`.
    #[arg(long)]
    pub subject: Option<String>,
}

/// Flags of `pemba check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The resource, `type:id`.
    pub resource: String,
    /// The permission or relation.
    pub permission: String,
    /// The subject, `type:id` or `type:id#relation`; with one of the flags about who acts, the root whose authority is
    /// used, which may be left out.
    #[arg(required_unless_present_any = ["actors", "delegation", "session"])]
    pub subject: Option<String>,
    /// Who acts on the subject's authority.
    #[command(flatten)]
    pub chain: ChainFlags,
    /// Use up what the decision counts, once for this key: the same key gives the same answer and uses nothing again.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["at_least", "at_exact", "full"])]
    pub consume: Option<String>,
    /// Caveat context, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// How fresh.
    #[command(flatten)]
    pub freshness: Freshness,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba expand`.
#[derive(Debug, Clone, Args)]
pub struct ExpandArgs {
    /// The resource, `type:id`.
    pub resource: String,
    /// The permission or relation.
    pub permission: String,
    /// How fresh.
    #[command(flatten)]
    pub freshness: Freshness,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba lookup-resources`.
#[derive(Debug, Clone, Args)]
pub struct LookupResourcesArgs {
    /// The resources' type.
    pub resource_type: String,
    /// The permission or relation.
    pub permission: String,
    /// The subject, `type:id` or `type:id#relation`.
    pub subject: String,
    /// Caveat context, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// How fresh.
    #[command(flatten)]
    pub freshness: Freshness,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba lookup-subjects`.
#[derive(Debug, Clone, Args)]
pub struct LookupSubjectsArgs {
    /// The resource, `type:id`.
    pub resource: String,
    /// The permission or relation.
    pub permission: String,
    /// The subjects' type, `type` or `type#relation`.
    pub subject_type: String,
    /// Caveat context, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// How fresh.
    #[command(flatten)]
    pub freshness: Freshness,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Only changes of resources of these types.
    pub types: Vec<String>,
    /// Start after the revision of this token instead of now.
    #[arg(long, value_name = "TOKEN")]
    pub after: Option<String>,
    /// Report schema changes too.
    #[arg(long)]
    pub schema: bool,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The file: relationships, one a line; `//` starts a comment line; `-` for standard input.
    pub file: PathBuf,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The file to write; `-` for standard output.
    pub file: PathBuf,
    /// How fresh.
    #[command(flatten)]
    pub freshness: Freshness,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Flags of `pemba backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The data folder.
    #[arg(long, env = "PEMBA_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// The folder to make; it must not exist.
    pub target: PathBuf,
}

/// Flags of `pemba verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The data folder or backup. It is only read; while a server writes to it the result is of a moment.
    pub folder: PathBuf,
}
