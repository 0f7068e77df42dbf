//! `pemba bench` on every workload at a tiny scale: every answer is the truth.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::process::{Command, Output};

use pemba_tests::checkout::{examples, root};
use pemba_tests::process::{KEY, ServerProcess, binary};
use serde_json::Value;

const CALLS: &str = "check,bulk,lookup-resources,lookup-subjects,write";

fn bench(arguments: &[&str]) -> Output {
    let quick = ["bench", "--seconds", "0.2", "--warm-up", "0.05", "--distinct", "200", "--items", "20"];
    Command::new(binary()).args(quick).args(arguments).output().unwrap()
}

/// The runs of a bench that succeeded.
#[track_caller]
fn runs(arguments: &[&str]) -> Vec<Value> {
    let output = bench(&[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}{printed}");
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_workload_is_answered_with_the_truth() {
    let server = ServerProcess::start(None, &[]);
    for workload in pemba_workloads::NAMES {
        let at = ["--endpoint", &server.address, "--key", KEY, "--load"];
        // One server has them all, one after the other: what is left of one is in the way of the next one's schema.
        let own = ["--workload", workload, "--scale", "600", "--call", CALLS];
        let found = if workload == pemba_workloads::NAMES[0] {
            runs(&[&at[..], &own[..]].concat())
        } else {
            runs(&own)
        };
        assert!(found.len() >= 4, "{workload}: {} calls", found.len());
        for run in found {
            let flow = &run["flows"][0];
            assert!(flow["requests"].as_u64().unwrap() > 0, "{workload}: {run}");
            assert!(flow["errors"] == 0 && flow["wrong"] == 0, "{workload}: {run}");
            assert!(flow["connections"] == 4 && flow["in_flight_per_connection"] == 16, "{run}");
        }
    }
}

#[test]
fn an_open_loop_with_writes_beside_it_leaves_a_report_and_a_plot() {
    let folder = tempfile::tempdir().unwrap();
    let (report, plot) = (folder.path().join("report.json"), folder.path().join("plot.svg"));
    let (report, plot) = (report.to_str().unwrap(), plot.to_str().unwrap());
    for workload in ["agent-tools", "revoke-storm"] {
        let found = runs(&[
            "--workload",
            workload,
            "--scale",
            "2000",
            "--rate",
            "300",
            "--write-rate",
            "100",
            "--report",
            report,
            "--plot",
            plot,
        ]);
        assert_eq!(found[0]["flows"][1]["flow"], "writes");
        assert_eq!(found[0]["flows"][0]["open_loop_per_second"], 300.0);
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
        assert_eq!(kept["runs"][0], found[0]);
        assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
    }
}

#[test]
fn validation_files_are_asked_about() {
    assert!(!examples().is_empty(), "the examples are there");
    for file in examples() {
        let path = root().join(file);
        let found = runs(&["--file", path.to_str().unwrap(), "--call", CALLS]);
        assert_eq!(found.len(), 5, "{}", path.display());
    }
}

#[test]
fn what_is_not_true_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("untrue.yaml");
    let text = "schema: |\n  definition user {}\n  definition doc {\n    relation viewer: user\n  }\nassertions:\n  assertTrue:\n    - doc:a#viewer@user:b\n";
    std::fs::write(&path, text).unwrap();
    let output = bench(&["--file", path.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("not true"), "{error}");
    let tls = bench(&["--endpoint", "https://127.0.0.1:1"]);
    assert!(String::from_utf8_lossy(&tls.stderr).contains("TLS"));
}
