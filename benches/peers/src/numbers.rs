//! Every figure that needs the wire, each beside what it is compared with.

use std::path::Path;

use anyhow::{Context as _, Result};
use pemba_load::questions::{Asking, requests};
use pemba_load::{Call, Pace, Prepared, Report, setup};
use pemba_model::Timestamp;
use pemba_workloads::{Workload, named};

use crate::measure::{Load, Outcome, measure, overload, ready, sync_us};
use crate::servers::{self, Server};
use crate::{Measuring, cores};

/// Connections and requests in flight on each.
const SHAPE: (usize, usize) = (4, 16);
/// The same where more comes than can be answered: far more than wait for their turn in a server that keeps up.
const WIDE: (usize, usize) = (16, 128);
/// Different questions: far more than any cache holds.
const DISTINCT: u64 = 300_000;
/// Turns in which what is compared is measured.
const TURNS: usize = 2;

struct Bench<'a> {
    measuring: &'a Measuring,
    workload: Box<dyn Workload>,
    checks: Vec<Prepared>,
    outcome: Outcome,
}

/// Measures all of them on support-desk data in a folder of its own.
pub(crate) fn run(measuring: &Measuring, data: Option<&Path>) -> Result<Outcome> {
    let (pemba, noop) = (servers::own("pemba", "pemba-cli")?, servers::own("pemba-noop", "pemba-noop")?);
    let folder = match data {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let data = folder.path().join("data");
    let workload =
        named("support-desk", measuring.scale, 1, Timestamp::UNIX_EPOCH).context("no such workload")?;
    let checks = requests(workload.as_ref(), Call::Check, asking(DISTINCT))?;
    let mut bench = Bench { measuring, workload, checks, outcome: Outcome::default() };
    bench.outcome.row(["measure", "Pemba", "compared with", "that", "ratio"]);
    let server = servers::pemba(&pemba, Some(&data), measuring.server_core)?;
    bench.import(&server)?;
    {
        let nothing = servers::noop(&noop, measuring.server_core)?;
        bench.unary(&server, &nothing)?;
    }
    bench.bulk(&server)?;
    bench.lookups(&server)?;
    bench.beside_writes(&server)?;
    bench.writes(&server, folder.path())?;
    server.process.stop()?;
    let server = servers::pemba(&pemba, Some(&data), measuring.server_core)?;
    bench.restart(&server)?;
    server.process.stop()?;
    cores::run(measuring, (bench.workload.as_ref(), &bench.checks), &mut bench.outcome)?;
    Ok(bench.outcome)
}

fn asking(distinct: u64) -> Asking {
    Asking { distinct, items: 100, full: false, changing: true }
}

fn ratio(one: f64, other: f64) -> String {
    format!("{:.2}", one / other)
}

impl Bench<'_> {
    fn seconds(&self) -> f64 {
        self.measuring.seconds
    }

    fn checks(&self, name: &'static str, pace: Pace) -> Load<'_> {
        Load { name, requests: &self.checks, shape: SHAPE, pace }
    }

    fn keep(&mut self, name: &str, report: Report) {
        self.outcome.reports.push((name.to_owned(), report));
    }

    fn import(&mut self, server: &Server) -> Result<()> {
        let before = server.process.resident_bytes().context("no resident memory")?;
        let loaded = setup::load(&server.target, self.workload.schema(), self.workload.relationships())?;
        ready(server, &self.checks)?;
        let after = server.process.resident_bytes().context("no resident memory")?;
        let count = loaded.relationships as f64;
        let rate = format!("{:.0}/s", count / loaded.took.as_secs_f64());
        self.outcome.row(["bulk import over gRPC", &rate, "", "", ""]);
        let bytes = format!("{:.0} B", after.saturating_sub(before) as f64 / count);
        self.outcome.row(["resident a relationship, after the import", &bytes, "", "", ""]);
        let busy = format!("{:.1} s", server.process.idle().as_secs_f64());
        self.outcome.row(["still busy after the import", &busy, "", "", ""]);
        Ok(())
    }

    fn unary(&mut self, server: &Server, nothing: &Server) -> Result<()> {
        let mut rates = [0.0; 2];
        for _ in 0..TURNS {
            let closed = self.checks("check", Pace::Closed);
            let own = measure(server, &[closed], self.seconds(), true)?;
            let ceiling = measure(nothing, &[Load { name: "no-op", ..closed }], self.seconds(), false)?;
            let rate = |report: &Report| report.flows.first().map_or(0.0, |flow| flow.per_second());
            rates = [rates[0] + rate(&own), rates[1] + rate(&ceiling)];
            self.keep("unary check", own);
            self.keep("unary check, no-op", ceiling);
        }
        let [own, ceiling] = rates.map(|sum| sum / TURNS as f64);
        let cells = [own, ceiling].map(|rate| format!("{rate:.0}/s"));
        let [own_text, ceiling_text] = &cells;
        let name = "unary check, 4 connections x 16, uniform cold";
        self.outcome.row([name, own_text, "no-op", ceiling_text, &ratio(own, ceiling)]);
        let mut p99 = [0.0; 2];
        for _ in 0..TURNS {
            let at = |name, rate| Load { name, ..self.checks(name, Pace::Open(rate)) };
            let half = measure(server, &[at("check at half", own / 2.0)], self.seconds(), true)?;
            let half_noop = measure(nothing, &[at("no-op at half", ceiling / 2.0)], self.seconds(), false)?;
            let us = |report: &Report| report.flows.first().map_or(0.0, |flow| flow.latency_us(99.0));
            p99 = [p99[0] + us(&half), p99[1] + us(&half_noop)];
            self.keep("check at half the maximal load", half);
            self.keep("no-op at half its maximal load", half_noop);
        }
        let [own, ceiling] = p99.map(|sum| sum / TURNS as f64);
        let cells = [own, ceiling].map(|us| format!("{us:.0} us"));
        let [own_text, ceiling_text] = &cells;
        let name = "p99 at half the maximal load";
        self.outcome.row([name, own_text, "no-op", ceiling_text, &ratio(own, ceiling)]);
        Ok(())
    }

    fn bulk(&mut self, server: &Server) -> Result<()> {
        let bulk = requests(self.workload.as_ref(), Call::Bulk, asking(DISTINCT))?;
        let load = Load { name: "bulk of 100", requests: &bulk, shape: (4, 4), pace: Pace::Closed };
        let report = measure(server, &[load], self.seconds(), true)?;
        let items = report.flows.first().map_or(0.0, |flow| flow.verdicts_per_second());
        let calls = report.flows.first().map_or(0.0, |flow| flow.per_second());
        self.outcome.row(["CheckBulk of 100, 4 x 4", &format!("{items:.0} items/s"), "", "", ""]);
        self.keep("CheckBulk", report);
        self.overloaded(server, &bulk, calls)
    }

    /// What twice the load that the server can answer does to what it answers. Calls that cost the client far less than the
    /// server: of others it could not send twice as many.
    fn overloaded(&mut self, server: &Server, bulk: &[Prepared], most: f64) -> Result<()> {
        let at = |name, rate| Load { name, requests: bulk, shape: WIDE, pace: Pace::Open(rate) };
        let half = measure(server, &[at("bulk at half", most / 2.0)], self.seconds(), true)?;
        let twice = overload(server, &[at("bulk at twice", most * 2.0)], self.seconds(), true)?;
        let p99 = |report: &Report| report.flows.first().map_or(0.0, |flow| flow.latency_us(99.0));
        let cells = [p99(&twice), p99(&half)].map(|us| format!("{us:.0} us"));
        let [twice_text, half_text] = &cells;
        let name = "p99 of admitted CheckBulk at twice the maximal load";
        self.outcome.row([name, twice_text, "at half of it", half_text, &ratio(p99(&twice), p99(&half))]);
        let answered = twice.flows.first().map_or(0.0, |flow| flow.per_second());
        let cells = [answered, most].map(|rate| format!("{rate:.0}/s"));
        let [answered_text, most_text] = &cells;
        let name = "CheckBulk answered at twice the maximal load";
        self.outcome.row([name, answered_text, "at most", most_text, &ratio(answered, most)]);
        self.keep("CheckBulk at half the maximal load", half);
        self.keep("CheckBulk at twice the maximal load", twice);
        Ok(())
    }

    fn lookups(&mut self, server: &Server) -> Result<()> {
        let lookups = requests(self.workload.as_ref(), Call::LookupResources, asking(DISTINCT))?;
        let load =
            Load { name: "lookup of resources", requests: &lookups, shape: (1, 4), pace: Pace::Closed };
        let report = measure(server, &[load], self.seconds(), true)?;
        let flow = report.flows.first().context("no flow")?;
        let rate = format!("{:.0} ids/s", flow.ids_per_second());
        let name = format!("LookupResources, 1 x 4, {} ids a call", flow.ids / flow.requests.max(1));
        self.outcome.row([&name, &rate, "", "", ""]);
        self.keep("LookupResources", report);
        Ok(())
    }

    fn beside_writes(&mut self, server: &Server) -> Result<()> {
        let writes = requests(self.workload.as_ref(), Call::Write, asking(20_000))?;
        let mut rates = [0.0; 2];
        for _ in 0..TURNS {
            let alone = measure(server, &[self.checks("check", Pace::Closed)], self.seconds(), true)?;
            let beside =
                Load { name: "1,000 writes/s", requests: &writes, shape: (1, 256), pace: Pace::Open(1000.0) };
            let loads = [self.checks("check beside writes", Pace::Closed), beside];
            let both = measure(server, &loads, self.seconds(), true)?;
            let rate = |report: &Report| report.flows.first().map_or(0.0, |flow| flow.per_second());
            rates = [rates[0] + rate(&both), rates[1] + rate(&alone)];
            self.keep("check beside 1,000 writes a second", both);
        }
        let [both, alone] = rates.map(|sum| sum / TURNS as f64);
        let cells = [both, alone].map(|rate| format!("{rate:.0}/s"));
        let [both_text, alone_text] = &cells;
        let name = "unary check beside 1,000 writes/s";
        self.outcome.row([name, both_text, "without", alone_text, &ratio(both, alone)]);
        Ok(())
    }

    fn writes(&mut self, server: &Server, folder: &Path) -> Result<()> {
        let writes = requests(self.workload.as_ref(), Call::Write, asking(100_000))?;
        let load =
            |in_flight| Load { name: "write", requests: &writes, shape: (1, in_flight), pace: Pace::Closed };
        let before = sync_us(folder)?;
        let one = measure(server, &[load(1)], self.seconds(), true)?;
        let many = measure(server, &[load(64)], self.seconds(), true)?;
        let sync = before.midpoint(sync_us(folder)?);
        let (p50, rate) =
            one.flows.first().map(|flow| (flow.latency_us(50.0), flow.per_second())).context("no flow")?;
        let many_rate = many.flows.first().map_or(0.0, |flow| flow.per_second());
        let cells = [format!("{p50:.0} us"), format!("{sync:.0} us")];
        let [p50_text, sync_text] = &cells;
        self.outcome.row([
            "durable write, p50",
            p50_text,
            "bare fdatasync, p50",
            sync_text,
            &ratio(p50, sync),
        ]);
        let cells = [format!("{many_rate:.0}/s"), format!("{rate:.0}/s")];
        let [many_text, one_text] = &cells;
        let name = "durable writes, 64 in flight";
        self.outcome.row([name, many_text, "1 in flight", one_text, &ratio(many_rate, rate)]);
        self.keep("write, 1 in flight", one);
        self.keep("write, 64 in flight", many);
        Ok(())
    }

    fn restart(&mut self, server: &Server) -> Result<()> {
        let took = ready(server, &self.checks)?;
        let count = self.workload.relationships().count() as f64;
        let per_million = format!("{:.2} s", took.as_secs_f64() / count * 1e6);
        self.outcome.row(["restart until it answers, a million relationships", &per_million, "", "", ""]);
        let resident = server.process.resident_bytes().context("no resident memory")?;
        let bytes = format!("{:.0} B", resident as f64 / count);
        self.outcome.row(["resident a relationship, after the restart", &bytes, "", "", ""]);
        Ok(())
    }
}
