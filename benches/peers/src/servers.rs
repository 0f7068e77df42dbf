//! Every server that is measured, started the same way: on one core, with a key.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use pemba_load::Target;
use pemba_load::process::{Process, free_address};

/// The key of every server.
const KEY: &str = "peers";

/// A running server and how to reach it.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) target: Target,
}

impl Server {
    fn start(program: &[String], core: usize, address: String) -> Result<Server> {
        Server::start_on(program, &[core], address)
    }

    fn start_on(program: &[String], cores: &[usize], address: String) -> Result<Server> {
        let process = Process::start(program, cores, &address)?;
        let target = Target { address, key: Some(KEY.to_owned()), process: Some(process.id()) };
        Ok(Server { process, target })
    }
}

fn words(program: &Path, rest: &[&str]) -> Vec<String> {
    std::iter::once(program.display().to_string()).chain(rest.iter().map(ToString::to_string)).collect()
}

/// A binary of this workspace, of the profile this one is of; built if there is a cargo to build it.
pub(crate) fn own(name: &str, package: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this binary")?;
    let path = own.with_file_name(name);
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", package]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !build.status().context("cannot run cargo")?.success() {
            bail!("{package} cannot be built");
        }
    }
    if !path.exists() {
        bail!("{} is not there: build {package} first, with the same profile", path.display());
    }
    Ok(path)
}

/// Pemba, with its data in a folder or in memory.
pub(crate) fn pemba(binary: &Path, data: Option<&Path>, core: usize) -> Result<Server> {
    let address = free_address()?;
    let mut program = words(binary, &["serve", "--metrics-listen", "", "--log", "error", "--threads", "1"]);
    program.extend(["--preshared-key", KEY, "--listen", &address].map(str::to_owned));
    match data {
        Some(folder) => program.extend(["--data".to_owned(), folder.display().to_string()]),
        None => program.push("--memory".to_owned()),
    }
    Server::start(&program, core, address)
}

/// Pemba with its data in memory and a thread for each of some cores.
pub(crate) fn pemba_on(binary: &Path, cores: &[usize]) -> Result<Server> {
    let address = free_address()?;
    let threads = cores.len().to_string();
    let mut program = words(binary, &["serve", "--metrics-listen", "", "--log", "error", "--memory"]);
    program.extend(["--threads", &threads, "--preshared-key", KEY, "--listen", &address].map(str::to_owned));
    Server::start_on(&program, cores, address)
}

/// The server that does nothing.
pub(crate) fn noop(binary: &Path, core: usize) -> Result<Server> {
    let address = free_address()?;
    Server::start(&words(binary, &[&address]), core, address)
}

/// The real SpiceDB, over memory or over a PostgreSQL.
pub(crate) fn spicedb(binary: &Path, database: Option<&Postgres>, core: usize) -> Result<Server> {
    let address = free_address()?;
    // One thread for one core, as the others have.
    let mut program = vec!["env".to_owned(), "GOMAXPROCS=1".to_owned()];
    let engine = if database.is_some() { "postgres" } else { "memory" };
    program.extend(words(binary, &["serve", "--grpc-preshared-key", KEY, "--grpc-addr", &address]));
    program.extend(
        ["--datastore-engine", engine, "--log-level", "error", "--skip-release-check"].map(str::to_owned),
    );
    program.extend(["--metrics-enabled=false", "--telemetry-endpoint="].map(str::to_owned));
    if let Some(database) = database {
        program.extend(["--datastore-conn-uri".to_owned(), database.uri.clone()]);
        let mut migrate = Command::new(binary);
        migrate.args(["datastore", "migrate", "head", "--datastore-engine", "postgres"]);
        migrate.args(["--datastore-conn-uri", &database.uri, "--log-level", "error", "--skip-release-check"]);
        if !migrate.stdout(Stdio::null()).status().context("cannot run SpiceDB")?.success() {
            bail!("SpiceDB cannot prepare the PostgreSQL");
        }
    }
    Server::start(&program, core, address)
}

/// The library of the Python package `spicedb-embedded`, behind the Python server that the tests compare with.
pub(crate) fn embedded(python: &Path, script: &Path, core: usize) -> Result<Server> {
    let address = free_address()?;
    let script = script.display().to_string();
    Server::start(&words(python, &[&script, &address]), core, address)
}

/// A PostgreSQL of its own in a folder of its own, which ends with it.
pub(crate) struct Postgres {
    _folder: tempfile::TempDir,
    _process: Process,
    uri: String,
}

impl Postgres {
    /// Starts the binaries of a folder, as the user `postgres` where this process is root's: PostgreSQL refuses root.
    pub(crate) fn start(binaries: &Path, core: usize) -> Result<Postgres> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data").display().to_string();
        let is_root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
        let mut prefix = Vec::new();
        if is_root {
            let owned = Command::new("chown").arg("postgres").arg(folder.path()).status()?.success();
            if !owned {
                bail!("there is no user `postgres`, and PostgreSQL refuses to run as root");
            }
            prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
                .map(str::to_owned)
                .to_vec();
        }
        let run = |name: &str, rest: &[&str]| -> Vec<String> {
            prefix.iter().cloned().chain(words(&binaries.join(name), rest)).collect()
        };
        let init = run("initdb", &["-D", &data, "-U", "spicedb", "--auth", "trust", "--encoding", "UTF8"]);
        let (first, rest) = init.split_first().context("no program is named")?;
        if !Command::new(first).args(rest).stdout(Stdio::null()).status()?.success() {
            bail!("initdb of {} failed", binaries.display());
        }
        let address = free_address()?;
        let port = address.rsplit(':').next().unwrap_or_default().to_owned();
        let sockets = folder.path().display().to_string();
        // SpiceDB's watch wants commit timestamps; without it the server only warns.
        let options =
            ["-D", &data, "-p", &port, "-h", "127.0.0.1", "-k", &sockets, "-c", "track_commit_timestamp=on"];
        let process = Process::start(&run("postgres", &options), &[core], &address)?;
        let uri = format!("postgres://spicedb@{address}/postgres?sslmode=disable");
        Ok(Postgres { _folder: folder, _process: process, uri })
    }
}
