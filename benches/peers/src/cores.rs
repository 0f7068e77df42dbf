//! What a second core is worth.

use anyhow::{Context as _, Result};
use pemba_load::{Pace, Prepared, Report, setup};
use pemba_workloads::Workload;

use crate::Measuring;
use crate::measure::{Load, Outcome, measure, ready};
use crate::servers::{self, Server};

/// Enough connections that both threads have their share.
const SHAPE: (usize, usize) = (16, 16);
/// Turns in which both are measured.
const TURNS: usize = 2;

/// Checks on one thread on one core beside checks on two threads on two, by processor time a request: the client needs
/// a core too, so that on a machine of two the rates say nothing. Twice the ratio is what two cores do beside one.
pub(crate) fn run(
    measuring: &Measuring,
    (workload, checks): (&dyn Workload, &[Prepared]),
    outcome: &mut Outcome,
) -> Result<()> {
    let binary = servers::own("pemba", "pemba-cli")?;
    let one = servers::pemba_on(&binary, &[measuring.server_core])?;
    let two = servers::pemba_on(&binary, &[measuring.server_core, measuring.client_core])?;
    for server in [&one, &two] {
        setup::load(&server.target, workload.schema(), workload.relationships())?;
        ready(server, checks)?;
    }
    let mut us = [0.0; 2];
    for _ in 0..TURNS {
        for (sum, (server, name)) in us.iter_mut().zip([(&one, "one core"), (&two, "two cores")]) {
            let report = checked(server, name, checks, measuring.seconds)?;
            *sum += report.server_us_per_request().context("no processor time")?;
            outcome.reports.push((format!("check, {name}"), report));
        }
    }
    let [one, two] = us.map(|sum| sum / TURNS as f64);
    let cells = [format!("{two:.2} us CPU"), format!("{one:.2} us CPU"), format!("{:.2}", 2.0 * one / two)];
    let [two_text, one_text, ratio] = &cells;
    outcome.row(["unary check, 16 x 16, two cores", two_text, "one core", one_text, ratio]);
    Ok(())
}

fn checked(server: &Server, name: &'static str, checks: &[Prepared], seconds: f64) -> Result<Report> {
    measure(server, &[Load { name, requests: checks, shape: SHAPE, pace: Pace::Closed }], seconds, true)
}
