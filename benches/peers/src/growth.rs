//! The same questions on more and more data: what grows, and what does not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pemba_load::questions::{Asking, requests};
use pemba_load::{Call, FlowReport, Pace, Prepared, Report, setup};
use pemba_model::Timestamp;
use pemba_workloads::named;

use crate::Measuring;
use crate::measure::{Load, Outcome, measure, ready};
use crate::servers::{self, Server};

/// Connections and requests in flight on each, of checks.
const SHAPE: (usize, usize) = (4, 16);
/// Different questions at every size: far more than any cache holds.
const DISTINCT: u64 = 300_000;

/// One size on its way.
struct Size<'a> {
    measuring: &'a Measuring,
    scale: u64,
    count: f64,
    outcome: &'a mut Outcome,
}

/// Measures every size in a folder of its own, one after the other, each with a server of its own.
pub(crate) fn run(measuring: &Measuring, sizes: &[u64], data: Option<&Path>) -> Result<Outcome> {
    let pemba = servers::own("pemba", "pemba-cli")?;
    let mut outcome = Outcome::default();
    outcome.row(["relationships", "measure", "found", "p50 / p99 us", "CPU us"]);
    for scale in sizes {
        let folder = match data {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        one_size(measuring, *scale, (&pemba, &folder.path().join("data")), &mut outcome)
            .with_context(|| format!("{scale} relationships"))?;
    }
    Ok(outcome)
}

fn one_size(
    measuring: &Measuring,
    scale: u64,
    (binary, data): (&PathBuf, &Path),
    outcome: &mut Outcome,
) -> Result<()> {
    let workload = named("support-desk", scale, 1, Timestamp::UNIX_EPOCH).context("no such workload")?;
    let ask = |call| {
        requests(
            workload.as_ref(),
            call,
            Asking { distinct: DISTINCT, items: 100, full: false, changing: true },
        )
    };
    let checks = ask(Call::Check)?;
    let server = servers::pemba(binary, Some(data), measuring.server_core)?;
    let empty = resident(&server)?;
    let loaded = setup::load(&server.target, workload.schema(), workload.relationships())?;
    let count = loaded.relationships as f64;
    let mut size = Size { measuring, scale: loaded.relationships, count, outcome };
    ready(&server, &checks)?;
    size.row("bulk import", &format!("{:.0}/s", count / loaded.took.as_secs_f64()));
    let bytes = resident(&server)?.saturating_sub(empty) as f64 / count;
    size.row("resident a relationship, after the import", &format!("{bytes:.0} B"));
    size.row("still busy after the import", &format!("{:.1} s", server.process.idle().as_secs_f64()));
    size.flow("check, uniform cold", &server, (&checks, SHAPE), FlowReport::per_second, "/s")?;
    size.flow(
        "bulk of 100, 4 x 4",
        &server,
        (&ask(Call::Bulk)?, (4, 4)),
        FlowReport::verdicts_per_second,
        " items/s",
    )?;
    let lookups = ask(Call::LookupResources)?;
    size.flow(
        "lookup of resources, 1 x 4",
        &server,
        (&lookups, (1, 4)),
        FlowReport::ids_per_second,
        " ids/s",
    )?;
    let writes = ask(Call::Write)?;
    size.flow("durable write, 1 in flight", &server, (&writes, (1, 1)), FlowReport::per_second, "/s")?;
    server.process.stop()?;
    let bytes = folder_bytes(data)? as f64 / count;
    size.row("on disk a relationship", &format!("{bytes:.0} B"));
    size.restarted(binary, data, &checks)
}

impl Size<'_> {
    fn row(&mut self, measure: &str, found: &str) {
        self.outcome.row([&self.scale.to_string(), measure, found, "", ""]);
    }

    fn flow(
        &mut self,
        name: &'static str,
        server: &Server,
        (requests, shape): (&[Prepared], (usize, usize)),
        rate: impl Fn(&FlowReport) -> f64,
        unit: &str,
    ) -> Result<()> {
        let load = Load { name, requests, shape, pace: Pace::Closed };
        let mut report: Report = measure(server, &[load], self.measuring.seconds, true)?;
        let flow = report.flows.first_mut().context("no flow")?;
        flow.name = format!("{name}, {:.1} M", self.count / 1e6);
        let found = format!("{:.0}{unit}", rate(flow));
        let latency = format!("{:.0} / {:.0}", flow.latency_us(50.0), flow.latency_us(99.0));
        let cpu = report.server_us_per_request().map(|us| format!("{us:.2}")).unwrap_or_default();
        self.outcome.row([&self.scale.to_string(), name, &found, &latency, &cpu]);
        self.outcome.reports.push((format!("{name}, {}", self.scale), report));
        Ok(())
    }

    fn restarted(&mut self, binary: &Path, data: &Path, checks: &[Prepared]) -> Result<()> {
        let server = servers::pemba(binary, Some(data), self.measuring.server_core)?;
        let took = ready(&server, checks)?;
        let per_million = took.as_secs_f64() / self.count * 1e6;
        self.row("restart", &format!("{:.2} s, {per_million:.2} s a million", took.as_secs_f64()));
        let bytes = resident(&server)? as f64 / self.count;
        self.row("resident a relationship, after the restart", &format!("{bytes:.0} B"));
        Ok(())
    }
}

fn resident(server: &Server) -> Result<u64> {
    server.process.resident_bytes().context("no resident memory")
}

/// The bytes of all files in a folder and in those inside it.
fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
