//! The built server as a child process.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The key every test server asks for.
pub const KEY: &str = "test-key";
/// Longest a server may take to come up or down before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The built `pemba` binary: `PEMBA_BINARY`, or beside the test's own executable, built by `cargo build -p pemba-cli`.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PEMBA_BINARY") {
        return PathBuf::from(path);
    }
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join("pemba");
    assert!(path.exists(), "{} is not built: run `cargo build -p pemba-cli` first", path.display());
    path
}

/// A running server; killed when dropped.
pub struct ServerProcess {
    child: Child,
    /// Where it serves, `127.0.0.1:port`.
    pub address: String,
}

impl ServerProcess {
    /// Starts a server on a free port over a data folder, or in memory, and waits until it accepts connections.
    pub fn start(data: Option<&Path>, extra: &[&str]) -> ServerProcess {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(binary());
        command.args([
            "serve",
            "--listen",
            &address,
            "--preshared-key",
            KEY,
            "--metrics-listen",
            "",
            "--log",
            "warn",
        ]);
        match data {
            Some(folder) => command.arg("--data").arg(folder),
            None => command.arg("--memory"),
        };
        command.args(extra).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = ServerProcess { child: command.spawn().unwrap(), address };
        server.wait_until_serving();
        server
    }

    fn wait_until_serving(&mut self) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut text = String::new();
                let _ = self.child.stderr.take().unwrap().read_to_string(&mut text);
                panic!("the server ended with {status}: {text}");
            }
            let ready = Command::new(binary())
                .args(["schema", "read", "--endpoint", &format!("http://{}", self.address), "--key", KEY])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&ready.stderr).to_lowercase();
            if ready.status.success() || text.contains("no schema") || text.contains("not found") {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the server did not come up: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its endpoint, as clients write it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes(self.child.id()).unwrap()
    }

    /// Ends it at once, as a power cut would end the process.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, as `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Asks it to stop and waits until it has; returns what it wrote to standard error.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "the server did not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        let lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        lines.map_while(Result::ok).collect::<Vec<_>>().join("\n")
    }
}

/// Resident memory of a process, in bytes; `None` when there is no such process any more.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free and that no other test of this process was given: servers share a port that two of them listen on,
/// so a port given twice would mix two tests.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
