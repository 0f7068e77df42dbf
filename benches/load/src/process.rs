//! Servers as child processes, each on a core of its own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::cpu;

/// Longest a server may take to come up, with what it loads.
const PATIENCE: Duration = Duration::from_secs(600);

/// Longest wait for a server that is still busy with what it was given.
const IDLE_PATIENCE: Duration = Duration::from_secs(120);
/// A server that has worked for less than a twentieth of this time is idle.
const IDLE_SPAN: Duration = Duration::from_millis(500);

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// How long it took until it accepted connections.
    pub took: Duration,
}

impl Process {
    /// Starts a program, on some cores only where any are named, and waits until something accepts connections at `address`.
    /// What it has to say goes to this process's standard error.
    pub fn start(program: &[String], cores: &[usize], address: &str) -> Result<Process> {
        let mut words = Vec::new();
        if !cores.is_empty() {
            let list: Vec<String> = cores.iter().map(ToString::to_string).collect();
            words.extend(["taskset".to_owned(), "-c".to_owned(), list.join(",")]);
        }
        words.extend_from_slice(program);
        let (first, rest) = words.split_first().context("no program is named")?;
        let started = Instant::now();
        let child = Command::new(first)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {first}"))?;
        let mut process = Process { child, took: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended with {status}", program.join(" "));
            }
            if started.elapsed() > PATIENCE {
                bail!("{} does not accept connections at {address}", program.join(" "));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        process.took = started.elapsed();
        Ok(process)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in bytes; none where there is no `/proc`.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    }

    /// Waits until it has nothing more to do, as tables to merge after an import, and says how long that took. At once where
    /// there is no `/proc`.
    pub fn idle(&self) -> Duration {
        let started = Instant::now();
        while let Some(before) = cpu::taken(self.id()) {
            if started.elapsed() > IDLE_PATIENCE {
                break;
            }
            std::thread::sleep(IDLE_SPAN);
            let used = cpu::taken(self.id()).map_or(Duration::ZERO, |after| after.saturating_sub(before));
            if used < IDLE_SPAN / 20 {
                break;
            }
        }
        started.elapsed().saturating_sub(IDLE_SPAN)
    }

    /// Asks it to stop, as SIGTERM does, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.id().to_string()).status().context("cannot run kill")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Keeps this process, and what it starts without a core of its own, on one core.
pub fn pin_this(core: usize) -> Result<()> {
    let own = std::process::id().to_string();
    let done = Command::new("taskset")
        .args(["-a", "-p", "-c", &core.to_string(), &own])
        .stdout(Stdio::null())
        .status()
        .context("cannot run taskset")?;
    if done.success() { Ok(()) } else { bail!("taskset cannot put this process on core {core}") }
}

/// An address on this machine that nobody listens on.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
