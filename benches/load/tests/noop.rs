//! The load generator against the server that does nothing: every call is made, counted and compared.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::net::TcpListener;
use std::time::Duration;

use pemba_load::{Asked, Flow, Pace, Plan, Prepared, Report, Target, plot, run};
use pemba_model::{Context, SubjectRef, Timestamp};
use pemba_workloads::named;

/// A server in a thread of its own, which ends with the test.
fn noop() -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(|| pemba_noop::serve(listener, std::future::pending()).unwrap());
    Target { address, key: Some("key".into()), process: Some(std::process::id()) }
}

fn measured(requests: Vec<Prepared>, pace: Pace) -> Report {
    let flow = Flow { name: "flow".into(), requests, connections: 2, in_flight: 3, pace };
    let plan = Plan {
        target: noop(),
        flows: vec![flow],
        warm_up: Duration::from_millis(50),
        measure: Duration::from_millis(300),
        compare: true,
    };
    run(&plan).unwrap()
}

fn asked(count: u64) -> Vec<Asked> {
    let workload = named("support-desk", 1000, 1, Timestamp::UNIX_EPOCH).unwrap();
    (0..count).map(|number| workload.question(number).into()).collect()
}

#[test]
fn checks_are_counted_and_untrue_ones_told() {
    let asked = asked(50);
    let yes = asked.iter().filter(|a| a.expected == Some(pemba_load::Verdict::Allowed)).cloned();
    let yes: Vec<Prepared> = yes.map(|a| Prepared::check(&a, false).unwrap()).collect();
    let report = measured(yes, Pace::Closed);
    let flow = &report.flows[0];
    assert!(flow.requests > 10 && flow.allowed == flow.requests && flow.denied == 0, "{flow:?}");
    assert_eq!((report.errors(), report.wrong()), (0, 0));
    assert!(report.table().contains("2 x 3 closed") && report.server_share().is_some());
    assert!(plot::svg("t < u", &[flow]).contains("t &lt; u"));
    // The constants are all yes, so half of the truth is missed.
    let all = asked.iter().map(|a| Prepared::check(a, true).unwrap()).collect();
    assert!(measured(all, Pace::Closed).wrong() > 0);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let checks = asked(5).iter().map(|a| Prepared::check(a, false).unwrap()).collect();
    let report = measured(checks, Pace::Open(200.0));
    let flow = &report.flows[0];
    assert!((55..=61).contains(&(flow.requests + flow.not_begun)), "{flow:?}");
}

#[test]
fn items_and_ids_are_counted() {
    let report = measured(vec![Prepared::bulk(&asked(7), false).unwrap()], Pace::Closed);
    assert_eq!(report.flows[0].allowed, 7 * report.flows[0].requests);
    assert!(report.wrong() > 0 && report.errors() == 0);
    let (subject, context) = (SubjectRef::direct("user", "a"), Context::new());
    let ids: Vec<_> = (0..pemba_noop::LOOKUP_IDS).map(|n| format!("desk/2026/{n:010}").into()).collect();
    let lookup = Prepared::lookup_resources((&subject, &context), ("ticket", "view"), Some(&ids)).unwrap();
    let report = measured(vec![lookup], Pace::Closed);
    assert!(report.flows[0].requests > 0 && report.wrong() == 0 && report.errors() == 0, "{report:?}");
    assert_eq!(report.flows[0].ids, u64::from(pemba_noop::LOOKUP_IDS) * report.flows[0].requests);
    let lookup = Prepared::lookup_subjects((&subject.object, "view"), "user", &context, Some(&[])).unwrap();
    assert!(measured(vec![lookup], Pace::Closed).wrong() > 0);
}

#[test]
fn what_is_not_there_is_an_error() {
    let flow =
        Flow { name: "flow".into(), requests: Vec::new(), connections: 1, in_flight: 1, pace: Pace::Closed };
    let mut plan = Plan {
        target: Target { address: "127.0.0.1:1".into(), key: None, process: None },
        flows: vec![flow],
        warm_up: Duration::ZERO,
        measure: Duration::from_millis(10),
        compare: true,
    };
    assert!(run(&plan).unwrap_err().to_string().contains("no requests"));
    plan.flows[0].requests = vec![Prepared::bulk(&asked(1), false).unwrap()];
    assert!(run(&plan).unwrap_err().to_string().contains("127.0.0.1:1"));
}
