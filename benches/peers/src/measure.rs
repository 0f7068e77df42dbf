//! One measurement, and what all of them come to.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pemba_load::{Flow, Pace, Plan, Prepared, Report, once, run};
use serde_json::{Value, json};

use crate::servers::Server;

/// Warm-up before each measurement.
const WARM_UP: Duration = Duration::from_secs(1);
/// Requests that are compared before a server is measured.
const SAMPLE: usize = 500;
/// Longest a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(600);
/// Bare syncs that are timed.
const SYNCS: usize = 300;

/// Rows for people, with their heading, and every report for programs.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<[String; 5]>,
    pub(crate) reports: Vec<(String, Report)>,
}

impl Outcome {
    pub(crate) fn row(&mut self, cells: [&str; 5]) {
        self.rows.push(cells.map(str::to_owned));
    }

    pub(crate) fn json(&self) -> Value {
        let reports =
            self.reports.iter().map(|(name, report)| json!({"name": name, "report": report.json()}));
        json!({"rows": self.rows, "reports": reports.collect::<Vec<_>>()})
    }
}

/// A load: requests on so many connections, so many in flight on each.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) name: &'a str,
    pub(crate) requests: &'a [Prepared],
    pub(crate) shape: (usize, usize),
    pub(crate) pace: Pace,
}

impl Load<'_> {
    fn flow(&self) -> Flow {
        Flow {
            name: self.name.to_owned(),
            requests: self.requests.to_vec(),
            connections: self.shape.0,
            in_flight: self.shape.1,
            pace: self.pace,
        }
    }
}

/// Runs loads together on a server. Errors when an answer failed or was refused or, where they are compared, was untrue.
pub(crate) fn measure(server: &Server, loads: &[Load<'_>], seconds: f64, compare: bool) -> Result<Report> {
    let report = overload(server, loads, seconds, compare)?;
    if report.refused() > 0 {
        bail!("{} calls were refused:\n{}", report.refused(), report.table());
    }
    Ok(report)
}

/// As `measure`, for loads of which the server may refuse what is too much.
pub(crate) fn overload(server: &Server, loads: &[Load<'_>], seconds: f64, compare: bool) -> Result<Report> {
    let measure = Duration::try_from_secs_f64(seconds).context("`--seconds` is no time")?;
    let flows = loads.iter().map(Load::flow).collect();
    let report = run(&Plan { target: server.target.clone(), flows, warm_up: WARM_UP, measure, compare })?;
    if report.errors() + report.wrong() > 0 {
        bail!("{} answers failed and {} are not true:\n{}", report.errors(), report.wrong(), report.table());
    }
    Ok(report)
}

/// Waits until a server answers the first request, then compares a sample. How long the first answer took, from the start of the
/// server on.
pub(crate) fn ready(server: &Server, requests: &[Prepared]) -> Result<Duration> {
    let started = Instant::now();
    let first = requests.get(..1).context("there is nothing to ask")?;
    while once(&server.target, first).map_or(true, |(errors, _)| errors > 0) {
        if started.elapsed() > PATIENCE {
            bail!("the server does not answer");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = server.process.took + started.elapsed();
    let (errors, wrong) = once(&server.target, requests.get(..SAMPLE).unwrap_or(requests))?;
    if errors + wrong > 0 {
        bail!("of a sample {errors} answers failed and {wrong} are not true");
    }
    Ok(took)
}

/// Half of all bare syncs of a small write to a file in a folder take no longer than this, in microseconds.
pub(crate) fn sync_us(folder: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.set_len(1 << 20)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(SYNCS);
    for number in 0..SYNCS {
        file.seek(SeekFrom::Start((number as u64 % 256) * 4096))?;
        let started = Instant::now();
        file.write_all(&[1; 128])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let middle = times.get(SYNCS / 2).context("nothing was timed")?;
    Ok(middle.as_secs_f64() * 1e6)
}
