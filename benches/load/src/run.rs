//! Runs a plan: all its flows at once on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use h2::client::SendRequest;
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::connection::{self, Answer, Heads};
use crate::cpu;
use crate::pace::Schedule;
use crate::report::{FlowReport, Report};
use crate::request::Prepared;

/// Longest latency that is told apart, in nanoseconds.
const LATENCY_MAX_NS: u64 = 600_000_000_000;
/// One answer in so many has its ids compared, not only counted.
const DIGEST_ONE_IN: u64 = 8;
/// How long after the end requests may still take before the run fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server without TLS.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// The key to present.
    pub key: Option<String>,
    /// The server's process, for its processor time.
    pub process: Option<u32>,
}

/// When a flow's next request goes out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as an answer came.
    Closed,
    /// So many a second, whatever became of those before.
    Open(f64),
}

/// Requests of one kind.
#[derive(Debug, Clone)]
pub struct Flow {
    /// What the report calls it.
    pub name: String,
    /// The requests, asked round and round in their order.
    pub requests: Vec<Prepared>,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each connection, at most.
    pub in_flight: usize,
    /// When they go out.
    pub pace: Pace,
}

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whom to ask.
    pub target: Target,
    /// What to ask, all at once.
    pub flows: Vec<Flow>,
    /// How long to ask before measuring.
    pub warm_up: Duration,
    /// How long to measure.
    pub measure: Duration,
    /// Whether answers are compared with the truth.
    pub compare: bool,
}

/// What a flow's workers share.
struct Shared {
    flow: Flow,
    heads: Heads,
    uris: Vec<http::Uri>,
    claimed: Cell<u64>,
    permits: Semaphore,
    schedule: Option<Schedule>,
    measured_from: Instant,
    end: Instant,
    tally: RefCell<Tally>,
}

struct Tally {
    latency: Histogram<u64>,
    requests: u64,
    answer: Answer,
}

/// Runs a plan to its end. Errors when the target cannot be reached or a flow has no requests; failed calls are counted.
pub fn run(plan: &Plan) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run_here(plan))
}

/// Asks each request once, one after the other, and compares every answer; gives the failed and the untrue ones.
pub fn once(target: &Target, requests: &[Prepared]) -> Result<(u64, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let heads = Heads::new(target)?;
        let mut send = connection::open(&target.address).await?;
        let (mut errors, mut wrong) = (0, 0);
        for request in requests {
            let uri = heads.uri(request.call)?;
            let answer = connection::call(&mut send, (&heads, &uri), request, true).await;
            errors += answer.errors;
            wrong += answer.wrong;
        }
        Ok((errors, wrong))
    })
}

async fn run_here(plan: &Plan) -> Result<Report> {
    let heads = Heads::new(&plan.target)?;
    let mut connections = Vec::new();
    for flow in &plan.flows {
        if flow.requests.is_empty() || flow.connections == 0 || flow.in_flight == 0 {
            bail!("`{}` has no requests, no connections or none in flight", flow.name);
        }
        if matches!(flow.pace, Pace::Open(rate) if !rate.is_finite() || rate <= 0.0) {
            bail!("`{}` has no rate above 0", flow.name);
        }
        let mut opened = Vec::new();
        for _ in 0..flow.connections {
            opened.push(connection::open(&plan.target.address).await?);
        }
        connections.push(opened);
    }
    let begin = Instant::now();
    let (measured_from, end) = (begin + plan.warm_up, begin + plan.warm_up + plan.measure);
    let mut flows = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for (flow, opened) in plan.flows.iter().zip(connections) {
        let shared = Rc::new(Shared::new(flow, &heads, begin, (measured_from, end))?);
        for send in opened {
            for _ in 0..flow.in_flight {
                tasks.spawn_local(work(Rc::clone(&shared), send.clone()));
            }
        }
        if shared.schedule.is_some() {
            tasks.spawn_local(release(Rc::clone(&shared)));
        }
        flows.push(shared);
    }
    let times = || (plan.target.process.and_then(cpu::taken), cpu::taken(std::process::id()));
    tokio::time::sleep_until(measured_from.into()).await;
    let before = times();
    tokio::time::sleep_until(end.into()).await;
    let after = times();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(PATIENCE, ended).await.is_err() {
        bail!("requests were still unanswered {PATIENCE:?} after the end");
    }
    let cpu = |from: Option<Duration>, to: Option<Duration>| Some(to?.saturating_sub(from?));
    let (server, client) = (cpu(before.0, after.0), cpu(before.1, after.1));
    let reports = flows.iter().map(|shared| shared.report(plan)).collect();
    Ok(Report::new(reports, plan.measure, server, client))
}

async fn release(shared: Rc<Shared>) {
    if let Some(schedule) = &shared.schedule {
        schedule.release(&shared.permits, shared.end).await;
        // Whoever waits for a request that will not come ends.
        shared.permits.close();
    }
}

impl Shared {
    fn new(flow: &Flow, heads: &Heads, begin: Instant, window: (Instant, Instant)) -> Result<Shared> {
        let schedule = match flow.pace {
            Pace::Closed => None,
            Pace::Open(per_second) => Some(Schedule::new(begin, per_second)),
        };
        let uris = flow.requests.iter().map(|request| heads.uri(request.call));
        // A flow is of one call as a rule; then all share one text.
        let mut uris = uris.collect::<Result<Vec<_>>>()?;
        if let Some((first, rest)) = uris.split_first_mut() {
            rest.iter_mut().filter(|uri| *uri == first).for_each(|uri| *uri = first.clone());
        }
        Ok(Shared {
            flow: flow.clone(),
            heads: heads.clone(),
            uris,
            claimed: Cell::new(0),
            permits: Semaphore::new(0),
            schedule,
            measured_from: window.0,
            end: window.1,
            tally: RefCell::new(Tally {
                latency: Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)?,
                requests: 0,
                answer: Answer::default(),
            }),
        })
    }

    /// The number of the next request and when it is due; none at the end.
    async fn next(&self) -> Option<(u64, Instant)> {
        if self.schedule.is_some() {
            self.permits.acquire().await.ok()?.forget();
        }
        let now = Instant::now();
        if now >= self.end {
            return None;
        }
        let number = self.claimed.get();
        self.claimed.set(number + 1);
        Some((number, self.schedule.as_ref().map_or(now, |schedule| schedule.due(number))))
    }

    fn record(&self, due: Instant, answer: Answer) {
        let mut tally = self.tally.borrow_mut();
        // A wrong or failed answer counts whenever it came.
        tally.answer.errors += answer.errors;
        tally.answer.wrong += answer.wrong;
        let now = Instant::now();
        let counts = if self.schedule.is_some() {
            due >= self.measured_from
        } else {
            now >= self.measured_from && now < self.end
        };
        if counts && answer.refused > 0 {
            tally.answer.refused += answer.refused;
        } else if counts {
            let ns = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
            tally.latency.saturating_record(ns);
            tally.requests += 1;
            tally.answer.allowed += answer.allowed;
            tally.answer.denied += answer.denied;
            tally.answer.conditional += answer.conditional;
            tally.answer.ids += answer.ids;
        }
    }

    fn report(&self, plan: &Plan) -> FlowReport {
        let tally = self.tally.borrow();
        let due = self.schedule.as_ref().map(|schedule| {
            (plan.warm_up + plan.measure).as_secs_f64()
                * (schedule.due(1) - schedule.due(0)).as_secs_f64().recip()
        });
        FlowReport {
            name: self.flow.name.clone(),
            connections: self.flow.connections,
            in_flight: self.flow.in_flight,
            pace: self.flow.pace,
            seconds: plan.measure.as_secs_f64(),
            requests: tally.requests,
            begun: self.claimed.get(),
            not_begun: due.map_or(0, |due| (due as u64).saturating_sub(self.claimed.get())),
            allowed: tally.answer.allowed,
            denied: tally.answer.denied,
            conditional: tally.answer.conditional,
            ids: tally.answer.ids,
            errors: tally.answer.errors,
            refused: tally.answer.refused,
            wrong: if plan.compare { tally.answer.wrong } else { 0 },
            latency: tally.latency.clone(),
        }
    }
}

async fn work(shared: Rc<Shared>, mut send: SendRequest<Bytes>) {
    let count = shared.flow.requests.len() as u64;
    while let Some((number, due)) = shared.next().await {
        let place = usize::try_from(number % count).unwrap_or(0);
        let (Some(request), Some(uri)) = (shared.flow.requests.get(place), shared.uris.get(place)) else {
            return;
        };
        let digesting = number.is_multiple_of(DIGEST_ONE_IN);
        let answer = connection::call(&mut send, (&shared.heads, uri), request, digesting).await;
        shared.record(due, answer);
        // A dead connection fails at once, every time, as a busy server refuses: let the others have their turn.
        if answer.errors + answer.refused > 0 {
            tokio::task::yield_now().await;
        }
    }
}
