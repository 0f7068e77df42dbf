//! The same loads on Pemba, the server that does nothing, and SpiceDB in its forms.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use pemba_load::questions::{Asking, requests};
use pemba_load::{Call, Pace, Prepared, setup};
use pemba_model::Timestamp;
use pemba_workloads::{Workload, named};

use crate::CompareArgs;
use crate::measure::{Load, Outcome, measure, ready};
use crate::servers::{self, Postgres, Server};

/// Questions of the hot case: few enough for any cache.
const HOT: usize = 200;
/// Different questions of the cold case.
const COLD: u64 = 300_000;

/// Longest that SpiceDB's answers lag by default.
const QUANTUM: Duration = Duration::from_secs(6);

/// One load of the comparison, in requests and in what is counted.
struct Case {
    name: &'static str,
    requests: Vec<Prepared>,
    shape: (usize, usize),
    counts_ids: bool,
}

/// Measures every server that is there on every case.
pub(crate) fn run(args: &CompareArgs) -> Result<Outcome> {
    let (core, now) = (args.measuring.server_core, SystemTime::now().duration_since(UNIX_EPOCH)?);
    let now = Timestamp::from_millis(i64::try_from(now.as_millis())?);
    let workload = named(&args.workload, args.measuring.scale, 1, now).context("no such workload")?;
    let cases = cases(workload.as_ref())?;
    let mut outcome = Outcome::default();
    outcome.row(["case", "server", "rate", "p50 / p99 us", "Pemba / it"]);
    let mut best = Vec::new();
    {
        let server = servers::pemba(&servers::own("pemba", "pemba-cli")?, None, core)?;
        loaded(&server, workload.as_ref(), &cases)?;
        measured("Pemba", &server, &cases, (args, true), (&mut best, &mut outcome))?;
    }
    {
        let server = servers::noop(&servers::own("pemba-noop", "pemba-noop")?, core)?;
        measured("no-op", &server, &cases, (args, false), (&mut best, &mut outcome))?;
    }
    if let Some(binary) = &args.spicedb {
        let server = servers::spicedb(binary, None, core)?;
        loaded(&server, workload.as_ref(), &cases)?;
        measured("SpiceDB, memory", &server, &cases, (args, true), (&mut best, &mut outcome))?;
    }
    if let (Some(binary), Some(binaries)) = (&args.spicedb, &args.postgres) {
        let postgres = Postgres::start(binaries, core)?;
        let server = servers::spicedb(binary, Some(&postgres), core)?;
        loaded(&server, workload.as_ref(), &cases)?;
        measured("SpiceDB, PostgreSQL", &server, &cases, (args, true), (&mut best, &mut outcome))?;
    }
    if let Some(python) = &args.embedded {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/serve.py");
        let server = servers::embedded(python, &script, core)?;
        written(&server, workload.as_ref(), &cases)?;
        measured("spicedb-embedded, Python", &server, &cases, (args, true), (&mut best, &mut outcome))?;
    }
    Ok(outcome)
}

fn cases(workload: &dyn Workload) -> Result<Vec<Case>> {
    let asking = |full| Asking { distinct: COLD, items: 100, full, changing: false };
    let cold = requests(workload, Call::Check, asking(false))?;
    let hot = cold.get(..HOT).unwrap_or(&cold).to_vec();
    let full = requests(workload, Call::Check, asking(true))?;
    let case = |name, requests, shape, counts_ids| Case { name, requests, shape, counts_ids };
    Ok(vec![
        case("check, uniform cold", cold, (4, 16), false),
        case("check, 200 hot", hot, (4, 16), false),
        case("check, newest revision", full, (4, 16), false),
        case("bulk of 100", requests(workload, Call::Bulk, asking(false))?, (4, 4), false),
        case("lookup of resources", requests(workload, Call::LookupResources, asking(false))?, (1, 4), true),
    ])
}

fn loaded(server: &Server, workload: &dyn Workload, cases: &[Case]) -> Result<()> {
    setup::load(&server.target, workload.schema(), workload.relationships())?;
    sample(server, cases)
}

/// As [`loaded`], by writes: the library behind the Python server takes no import.
fn written(server: &Server, workload: &dyn Workload, cases: &[Case]) -> Result<()> {
    setup::write(&server.target, workload.schema(), workload.relationships())?;
    sample(server, cases)
}

fn sample(server: &Server, cases: &[Case]) -> Result<()> {
    // Newest revision: nothing but the truth is right there, whatever a server's quantum.
    let newest = cases.iter().find(|case| case.name.contains("newest")).context("no such case")?;
    ready(server, &newest.requests)?;
    // SpiceDB's fastest answer may be a quantum old, and was then about no data at all.
    std::thread::sleep(QUANTUM);
    Ok(())
}

fn measured(
    name: &str,
    server: &Server,
    cases: &[Case],
    (args, compare): (&CompareArgs, bool),
    (best, outcome): (&mut Vec<f64>, &mut Outcome),
) -> Result<()> {
    for (place, case) in cases.iter().enumerate() {
        let load = Load { name: case.name, requests: &case.requests, shape: case.shape, pace: Pace::Closed };
        let report = measure(server, &[load], args.measuring.seconds, compare)
            .with_context(|| format!("{name}: {}", case.name))?;
        let flow = report.flows.first().context("no flow")?;
        let (rate, unit) = if case.counts_ids {
            (flow.ids_per_second(), "ids/s")
        } else {
            (flow.verdicts_per_second(), "checks/s")
        };
        if best.len() == place {
            best.push(rate);
        }
        let ratio = best.get(place).map_or(0.0, |own| own / rate);
        let latency = format!("{:.0} / {:.0}", flow.latency_us(50.0), flow.latency_us(99.0));
        outcome.row([case.name, name, &format!("{rate:.0} {unit}"), &latency, &format!("{ratio:.2}")]);
        outcome.reports.push((format!("{name}: {}", case.name), report));
    }
    Ok(())
}
