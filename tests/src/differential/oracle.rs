//! The real SpiceDB as a child process: each key has a store of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest it may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which SpiceDB it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The binary, 1.56: everything over gRPC.
    Binary,
    /// The library in a Python process, 1.54: the errors of unary calls have no details.
    Library,
}

/// A running SpiceDB; ended when dropped.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    /// Its endpoint.
    pub endpoint: String,
    /// Which one it is.
    pub kind: Kind,
}

impl Oracle {
    /// Starts the oracle that `.ci/oracle` put in place, the binary rather than the library unless `PEMBA_ORACLE` is
    /// `library`. `None` only when `PEMBA_ORACLE` is `skip`.
    ///
    /// # Panics
    ///
    /// When neither is there, or it does not start: a comparison that is left out must not look like one that passed.
    pub fn start() -> Option<Oracle> {
        let wish = std::env::var("PEMBA_ORACLE").unwrap_or_default();
        if wish == "skip" {
            return None;
        }
        let folder = folder();
        let binary = folder.join("spicedb");
        if binary.is_file() && wish != "library" {
            return Some(Oracle::start_binary(&binary));
        }
        let python = folder.join("venv/bin/python");
        let library = folder.join("libspicedb.so");
        assert!(
            python.exists() && library.is_file(),
            "there is no SpiceDB in {}: run `.ci/oracle`, or set PEMBA_ORACLE=skip to leave the comparison out",
            folder.display()
        );
        Some(Oracle::start_library(&python, &library))
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn start_binary(binary: &Path) -> Oracle {
        let address = free_address();
        let mut command = Command::new(binary);
        command
            .args(["serve-testing", "--skip-release-check", "--log-level", "fatal", "--grpc-addr", &address])
            .args(["--readonly-grpc-enabled=false", "--grpc-max-conn-age", "24h"]);
        Oracle::wait(command, address, Kind::Binary)
    }

    fn start_library(python: &Path, library: &Path) -> Oracle {
        let address = free_address();
        let mut command = Command::new(python);
        command
            .arg(crate::checkout::root().join("tests/oracle/serve.py"))
            .arg(&address)
            .env("SPICEDB_LIBRARY_PATH", library)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Oracle::wait(command, address, Kind::Library)
    }

    fn wait(mut command: Command, address: String, kind: Kind) -> Oracle {
        // It keeps a store for each key and never lets one go.
        command.env("GOMEMLIMIT", "1GiB");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let mut oracle = Oracle { child, endpoint: format!("http://{address}"), kind };
        let started = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            let ended = oracle.child.try_wait().unwrap();
            assert!(ended.is_none(), "the oracle ended with {ended:?}");
            assert!(started.elapsed() < PATIENCE, "the oracle did not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        oracle
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `.ci/oracle` puts it: `PEMBA_ORACLE_DIR`, or `oracle` beside the target folder.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("PEMBA_ORACLE_DIR") {
        return PathBuf::from(folder);
    }
    let target = crate::process::binary();
    target.ancestors().nth(3).unwrap().join("oracle")
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
