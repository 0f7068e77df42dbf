//! What a run measured: for programs as JSON, for people as a table.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::run::Pace;

/// A client that takes this much of one core may be what was measured.
const CLIENT_LIMITS_ABOVE: f64 = 0.9;

/// What one flow measured.
#[derive(Debug, Clone)]
pub struct FlowReport {
    /// The flow's name.
    pub name: String,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each connection, at most.
    pub in_flight: usize,
    /// Closed loop, or open at a rate.
    pub pace: Pace,
    /// How long was measured, in seconds.
    pub seconds: f64,
    /// Requests that were answered while it was measured; in an open loop, that were due then.
    pub requests: u64,
    /// Requests begun in all, those of the warm-up counted.
    pub begun: u64,
    /// Requests of an open loop that were due and never begun, for all that could be in flight were.
    pub not_begun: u64,
    /// Verdicts that allow.
    pub allowed: u64,
    /// Verdicts that deny.
    pub denied: u64,
    /// Verdicts that depend.
    pub conditional: u64,
    /// Ids found by lookups.
    pub ids: u64,
    /// Calls or items that failed, from the very first.
    pub errors: u64,
    /// Calls that the server refused with RESOURCE_EXHAUSTED while it was measured; they are among no other number.
    pub refused: u64,
    /// Answers that are not the truth, from the very first.
    pub wrong: u64,
    /// Latencies, in nanoseconds; in an open loop from when the request was due.
    pub latency: Histogram<u64>,
}

/// What a plan measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each flow, in the plan's order.
    pub flows: Vec<FlowReport>,
    /// Processor time the server took while it was measured.
    pub server_cpu: Option<Duration>,
    /// Processor time this process took.
    pub client_cpu: Option<Duration>,
    seconds: f64,
}

/// The percentiles that are shown.
pub(crate) const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 100.0];

impl FlowReport {
    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Verdicts a second.
    pub fn verdicts_per_second(&self) -> f64 {
        (self.allowed + self.denied + self.conditional) as f64 / self.seconds
    }

    /// Ids a second.
    pub fn ids_per_second(&self) -> f64 {
        self.ids as f64 / self.seconds
    }

    /// A percentile of latency, in microseconds.
    pub fn latency_us(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// The load's shape: connections x in flight, closed or at a rate.
    pub fn load(&self) -> String {
        match self.pace {
            Pace::Closed => format!("{} x {} closed", self.connections, self.in_flight),
            Pace::Open(rate) => format!("{} x {} open {rate:.0}/s", self.connections, self.in_flight),
        }
    }

    fn json(&self) -> Value {
        let rate = if let Pace::Open(rate) = self.pace { Some(rate) } else { None };
        let percentiles: serde_json::Map<String, Value> = PERCENTILES
            .iter()
            .map(|percentile| (format!("p{percentile}"), json!(self.latency_us(*percentile))))
            .collect();
        json!({
            "flow": self.name, "connections": self.connections, "in_flight_per_connection": self.in_flight,
            "open_loop_per_second": rate, "seconds": self.seconds, "requests": self.requests, "begun": self.begun,
            "not_begun": self.not_begun, "requests_per_second": self.per_second(),
            "verdicts_per_second": self.verdicts_per_second(), "ids_per_second": self.ids_per_second(),
            "allowed": self.allowed, "denied": self.denied, "conditional": self.conditional, "ids": self.ids,
            "errors": self.errors, "refused": self.refused, "wrong": self.wrong, "latency_us": percentiles,
        })
    }
}

impl Report {
    pub(crate) fn new(
        flows: Vec<FlowReport>,
        measured: Duration,
        server_cpu: Option<Duration>,
        client_cpu: Option<Duration>,
    ) -> Report {
        Report { flows, server_cpu, client_cpu, seconds: measured.as_secs_f64() }
    }

    /// Server processor time by request of all flows, in microseconds.
    pub fn server_us_per_request(&self) -> Option<f64> {
        let requests: u64 = self.flows.iter().map(|flow| flow.requests).sum();
        (requests > 0).then(|| self.server_cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / requests as f64))?
    }

    /// The share of one core that the server took.
    pub fn server_share(&self) -> Option<f64> {
        self.server_cpu.map(|cpu| cpu.as_secs_f64() / self.seconds)
    }

    /// The share of one core that this process took. An open loop's includes its waiting, which polls.
    pub fn client_share(&self) -> Option<f64> {
        self.client_cpu.map(|cpu| cpu.as_secs_f64() / self.seconds)
    }

    /// Whether the client may be what was measured: it runs on one thread, and that was busy.
    pub fn client_limits(&self) -> bool {
        let closed = self.flows.iter().all(|flow| flow.pace == Pace::Closed);
        closed && self.client_share().is_some_and(|share| share > CLIENT_LIMITS_ABOVE)
    }

    /// Failed calls and items of all flows.
    pub fn errors(&self) -> u64 {
        self.flows.iter().map(|flow| flow.errors).sum()
    }

    /// Calls of all flows that the server refused for all that it had to do.
    pub fn refused(&self) -> u64 {
        self.flows.iter().map(|flow| flow.refused).sum()
    }

    /// Answers that are not the truth, of all flows.
    pub fn wrong(&self) -> u64 {
        self.flows.iter().map(|flow| flow.wrong).sum()
    }

    /// All of it.
    pub fn json(&self) -> Value {
        json!({
            "flows": self.flows.iter().map(FlowReport::json).collect::<Vec<_>>(),
            "server_cpu_us_per_request": self.server_us_per_request(),
            "server_share_of_a_core": self.server_share(), "client_share_of_a_core": self.client_share(),
            "client_may_limit": self.client_limits(),
        })
    }

    /// A table, and below it whose processor time it took.
    pub fn table(&self) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.flows.iter().map(row));
        let mut text = aligned(&rows);
        let percent =
            |share: Option<f64>| share.map_or("unknown".into(), |share| format!("{:.0} %", share * 100.0));
        text.push_str(&format!(
            "server: {} of a core, {} a request; client: {} of a core{}\n",
            percent(self.server_share()),
            self.server_us_per_request().map_or("unknown".into(), |us| format!("{us:.2} us")),
            percent(self.client_share()),
            if self.client_limits() { ": THE CLIENT MAY BE THE LIMIT" } else { "" },
        ));
        text
    }
}

const HEADINGS: [&str; 14] = [
    "flow",
    "connections x in flight",
    "requests/s",
    "verdicts/s",
    "ids/s",
    "p50 us",
    "p90 us",
    "p99 us",
    "p99.9 us",
    "max us",
    "allowed",
    "denied",
    "errors",
    "wrong",
];

fn row(flow: &FlowReport) -> [String; 14] {
    let rate = |rate: f64| if rate == 0.0 { "-".into() } else { format!("{rate:.0}") };
    let us = |percentile| format!("{:.0}", flow.latency_us(percentile));
    let mut errors = flow.errors.to_string();
    if flow.refused > 0 {
        errors.push_str(&format!(" (+{} refused)", flow.refused));
    }
    if flow.not_begun > 0 {
        errors.push_str(&format!(" (+{} never begun)", flow.not_begun));
    }
    let mut allowed = flow.allowed.to_string();
    if flow.conditional > 0 {
        allowed.push_str(&format!(" (+{} conditional)", flow.conditional));
    }
    [
        flow.name.clone(),
        flow.load(),
        rate(flow.per_second()),
        rate(flow.verdicts_per_second()),
        rate(flow.ids_per_second()),
        us(50.0),
        us(90.0),
        us(99.0),
        us(99.9),
        us(100.0),
        allowed,
        flow.denied.to_string(),
        errors,
        flow.wrong.to_string(),
    ]
}

/// Rows as lines with columns of one width.
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
