//! `pemba bench`: asks a server, or this binary serving from memory, as hard or as often as wanted, and says how fast it
//! answered, what that cost, and whether the answers were true.

pub mod args;
mod source;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pemba_load::process::{self, Process};
use pemba_load::questions::Asking;
use pemba_load::{Call, Flow, Pace, Plan, Report, Target, plot, setup};
use serde_json::json;

use self::args::{BenchArgs, BenchCall};
use self::source::Source;
use crate::output::Output;

/// The key of a server that this binary becomes.
const OWN_KEY: &str = "bench";
/// Requests that are asked one by one, and compared, before anything is timed; and after writes.
const SAMPLE: usize = 500;

/// Measures each call in turn. Whether every answer came and was true.
pub fn bench(args: &BenchArgs, output: &mut Output) -> Result<bool> {
    let source = match &args.file {
        Some(file) => Source::file(file)?,
        None => Source::workload(&args.workload, args.scale, args.seed)?,
    };
    let (warm_up, measure) = (seconds("--warm-up", args.warm_up)?, seconds("--seconds", args.seconds)?);
    let (server, target) = server(args)?;
    if let Some(core) = args.client_core {
        process::pin_this(core)?;
    }
    if server.is_some() || args.load {
        let loaded = setup::load(&target, source.schema(), source.relationships())?;
        let text =
            format!("{} relationships loaded in {:.2} s", loaded.relationships, loaded.took.as_secs_f64());
        say(output, &text)?;
    }
    let mut runs = Vec::new();
    for call in &args.calls {
        let asking = Asking {
            distinct: args.distinct,
            items: args.items,
            full: args.full,
            changing: args.write_rate.is_some() || args.calls.contains(&BenchCall::Write),
        };
        let requests = source.requests(call.wire(), asking)?;
        if requests.is_empty() {
            say(output, &format!("{}: there is nothing to ask", call.word()))?;
            continue;
        }
        if call.wire() != Call::Write {
            compare(&target, requests.get(..SAMPLE).unwrap_or(&requests), call.word())?;
        }
        let mut flows = vec![flow(args, *call, requests)];
        if let Some(rate) = args.write_rate {
            let requests = source.requests(Call::Write, asking)?;
            let pace = Pace::Open(rate);
            flows.push(Flow { name: "writes".into(), requests, connections: 1, in_flight: 64, pace });
        }
        let plan = Plan { target: target.clone(), flows, warm_up, measure, compare: true };
        let report = pemba_load::run(&plan)?;
        let writes = report.flows.last().filter(|_| args.write_rate.is_some() || *call == BenchCall::Write);
        let written = writes.map_or(0, |writes| writes.begun.min(args.distinct));
        let afterwards = source.afterwards(written, SAMPLE)?;
        compare(&target, &afterwards, "what the writes made true")?;
        output.either(report.table().trim_end(), &report.json())?;
        runs.push(report);
    }
    keep(args, &runs)?;
    Ok(runs.iter().all(|report| report.errors() == 0 && report.wrong() == 0))
}

fn say(output: &mut Output, text: &str) -> Result<()> {
    if !output.is_json() {
        output.line(text)?;
    }
    Ok(())
}

fn seconds(flag: &str, seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| *time <= Duration::from_secs(86_400))
        .with_context(|| format!("`{flag} {seconds}` is no time between 0 and 86400 seconds"))
}

fn flow(args: &BenchArgs, call: BenchCall, requests: Vec<pemba_load::Prepared>) -> Flow {
    Flow {
        name: call.word().to_owned(),
        requests,
        connections: args.connections.into(),
        in_flight: args.in_flight.into(),
        pace: args.rate.map_or(Pace::Closed, Pace::Open),
    }
}

/// The server to ask, started if none is named.
fn server(args: &BenchArgs) -> Result<(Option<Process>, Target)> {
    if let Some(endpoint) = &args.endpoint {
        if endpoint.starts_with("https://") {
            bail!("`--endpoint {endpoint}`: TLS is not measured; name an address that serves without it");
        }
        let address = endpoint.strip_prefix("http://").unwrap_or(endpoint).to_owned();
        return Ok((None, Target { address, key: args.key.clone(), process: args.process }));
    }
    let address = process::free_address()?;
    let own = std::env::current_exe().context("cannot find this binary")?;
    let threads = args.threads.to_string();
    let mut program = vec![own.display().to_string()];
    let flags = ["serve", "--memory", "--metrics-listen", "", "--log", "error", "--preshared-key", OWN_KEY];
    program.extend(flags.map(str::to_owned));
    program.extend(["--threads", &threads, "--listen", &address].map(str::to_owned));
    let process = Process::start(&program, args.server_core.as_slice(), &address)?;
    let target = Target { address, key: Some(OWN_KEY.to_owned()), process: Some(process.id()) };
    Ok((Some(process), target))
}

/// Asks a sample one by one: what is false there is false at any speed.
fn compare(target: &Target, sample: &[pemba_load::Prepared], what: &str) -> Result<()> {
    let (errors, wrong) = pemba_load::once(target, sample)?;
    if errors + wrong > 0 {
        bail!("{what}: of {} requests {errors} answers are errors and {wrong} are not true", sample.len());
    }
    Ok(())
}

/// Writes the files that were asked for.
fn keep(args: &BenchArgs, runs: &[Report]) -> Result<()> {
    let write = |path: &std::path::Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &args.report {
        let runs: Vec<_> = runs.iter().map(Report::json).collect();
        let data = match &args.file {
            Some(file) => json!({"file": file.display().to_string()}),
            None => json!({"workload": args.workload, "scale": args.scale, "seed": args.seed}),
        };
        write(path, format!("{:#}\n", json!({"data": data, "runs": runs})))?;
    }
    if let Some(path) = &args.plot {
        let flows: Vec<_> = runs.iter().flat_map(|report| &report.flows).collect();
        let title = args.file.as_ref().map_or_else(
            || format!("{}, {} relationships", args.workload, args.scale),
            |file| file.display().to_string(),
        );
        write(path, plot::svg(&title, &flows))?;
    }
    Ok(())
}
