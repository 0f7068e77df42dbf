//! What the evaluator says when everything is known, compared with another implementation of the language: the crate
//! `cel`, which has neither types nor missing values nor budgets.
//!
//! The common subset is in `pieces.rs`: every operator, literal, macro and function of the language but `in_cidr`,
//! `isSubtreeOf` and `optMap`, which the peer does not have. Where the two disagree on purpose is in `differences.rs`.
//!
//! `PEMBA_HOURS=1 cargo test --release -p pemba-cel --test peer` goes on for so long, with other choices each time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "tests; the long one looks at the clock to know when to end"
)]

mod differences;
mod pieces;
#[path = "../support/mod.rs"]
mod support;
mod values;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cel::{Context, Env};
use pemba_cel::{EvaluateError, EvaluationLimits, Outcome, compile};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};
use support::expressions::Maker;

/// How deep expressions are nested.
const DEPTH: usize = 3;
/// Expressions a run for each piece.
const CASES: u32 = 60;

/// What one evaluator makes of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    Value(T),
    Fault(String),
}

/// Both evaluators with the same values for the same parameters.
pub struct Pair<'a> {
    env: Arc<Env>,
    declared: &'a str,
    given: pemba_model::Context,
}

impl Pair<'_> {
    pub fn new(declared: &str, given: pemba_model::Context) -> Pair<'_> {
        static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
        Pair { env: Arc::clone(&ENV), declared, given }
    }

    /// What the peer makes of it.
    pub fn theirs(&self, source: &str) -> Answer<cel::Value> {
        let conversions = support::program(self.declared, "true");
        let mut context = Context::with_env(Arc::clone(&self.env));
        for (name, value) in &self.given {
            let value = conversions.convert_parameter(name, value).unwrap();
            context.add_variable_from_value(name.as_str(), values::to_peer(&self.env, &value));
        }
        match self.env.compile(source).unwrap_or_else(|error| panic!("{source}: {error}")).execute(&context) {
            Ok(value) => Answer::Value(value),
            Err(error) => Answer::Fault(error.to_string()),
        }
    }

    /// What this evaluator makes of it, which must be a bool.
    pub fn ours(&self, source: &str) -> Answer<bool> {
        let program = compile(source, &support::parameters(self.declared))
            .unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
        match program.evaluate(&self.given, None, &EvaluationLimits::default()) {
            Ok(Outcome::True) => Answer::Value(true),
            Ok(Outcome::False) => Answer::Value(false),
            Err(EvaluateError::Evaluation { message }) => Answer::Fault(message),
            other => panic!("{source}: {other:?}"),
        }
    }

    /// Compares value and type of an expression of any kind.
    pub fn compare(&self, source: &str) -> Comparison {
        let theirs = self.theirs(source);
        let question = match &theirs {
            Answer::Value(value) => match values::literal(value) {
                Some((kind, text)) => format!("dyn({source}) == dyn({text}) && type({source}) == {kind}"),
                // Only what is no number differs from itself.
                None => format!("dyn({source}) != dyn({source})"),
            },
            Answer::Fault(_) => format!("dyn({source}) == null"),
        };
        match (theirs, self.ours(&question)) {
            (Answer::Value(_), Answer::Value(true)) => Comparison::Value,
            (Answer::Fault(_), Answer::Fault(message)) => Comparison::Fault(message),
            (theirs, ours) => match differences::excused(&theirs, &ours) {
                Some(reason) => Comparison::Excused(reason),
                None => Comparison::Different(format!(
                    "{source}\n  {:?}\n  peer {theirs:?}\n  here {ours:?}",
                    self.given
                )),
            },
        }
    }
}

/// What came of comparing.
#[derive(Debug)]
pub enum Comparison {
    /// Both give the same value of the same type.
    Value,
    /// Both find it wrong; this evaluator's message.
    Fault(String),
    /// They differ on purpose, and why.
    Excused(&'static str),
    /// They differ.
    Different(String),
}

/// Values that a parameter may have, to stand for all.
fn pool(name: &str) -> Vec<Value> {
    match name {
        "flag" | "other" => vec![json!(true), json!(false)],
        "count" | "number" => vec![
            json!(0),
            json!(1),
            json!(-1),
            json!(2),
            json!(1_709_210_096),
            json!("9223372036854775807"),
            json!("-9223372036854775808"),
            json!("9007199254740993"),
        ],
        "size" => vec![json!(0), json!(1), json!("18446744073709551615"), json!("9223372036854775808")],
        "ratio" | "rate" => {
            vec![json!(0.0), json!(0.5), json!(-2.0), json!(1e300), json!(9.3e18), json!("Inf"), json!(-0.0)]
        }
        "name" | "text" => vec![json!(""), json!("a"), json!("b"), json!("ab12"), json!("é😀"), json!("7")],
        "tags" => vec![json!([]), json!(["a"]), json!(["a", "b", "a"]), json!(["é", "7", ""])],
        "numbers" => vec![json!([]), json!([1]), json!([0, 1, 2]), json!([-5, "9223372036854775807"])],
        "attributes" => {
            vec![json!({}), json!({"a": "a", "b": 2}), json!({"a": {"b": "b"}}), json!({"a": null, "b": [1]})]
        }
        "scores" => vec![json!({}), json!({"a": 1}), json!({"a": 0, "b": -3, "": 7})],
        "anything" => vec![
            json!(null),
            json!("a"),
            json!(1),
            json!(1.5),
            json!(true),
            json!([1, "a"]),
            json!({"a": 1}),
            json!({}),
        ],
        "since" | "until" => vec![
            json!("2020-02-29T12:00:00Z"),
            json!("9999-12-31T23:59:59.999999999Z"),
            json!("0001-01-01T00:00:00Z"),
            json!("2024-10-27T00:30:00.5Z"),
            json!("1969-12-31T23:59:59.25Z"),
        ],
        "ttl" => vec![json!("0"), json!("90m"), json!("-1h0.000000001s"), json!("2562047h"), json!("1.5ms")],
        "blob" => vec![json!(""), json!("YWI="), json!("/w==")],
        other => panic!("no values for {other}"),
    }
}

fn given(choices: &[u8]) -> pemba_model::Context {
    let declared = support::parameters(pieces::PARAMETERS);
    declared
        .iter()
        .zip(choices)
        .map(|((name, _), choice)| {
            let pool = pool(name);
            (name.to_string(), pool[usize::from(*choice) % pool.len()].clone())
        })
        .collect()
}

/// What a run met: how often each piece stood at the outside where both gave the same value, or both found it wrong.
#[derive(Default)]
struct Met {
    values: BTreeMap<&'static str, u32>,
    faults: BTreeMap<&'static str, u32>,
    excused: BTreeMap<&'static str, u32>,
    messages: BTreeSet<String>,
}

impl Met {
    fn count(&mut self, piece: &'static str, comparison: Comparison) -> Result<(), TestCaseError> {
        match comparison {
            Comparison::Value => *self.values.entry(piece).or_default() += 1,
            Comparison::Fault(message) => {
                *self.faults.entry(piece).or_default() += 1;
                self.messages.insert(message);
            }
            Comparison::Excused(reason) => *self.excused.entry(reason).or_default() += 1,
            Comparison::Different(text) => return Err(TestCaseError::fail(text)),
        }
        Ok(())
    }
}

/// Compares so many expressions with each piece at the outside; gives the differences, made small.
fn run(seed: u64, cases: u32, met: &mut Met) -> Vec<String> {
    let choices = (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 19));
    let met = RefCell::new(met);
    let mut differences = Vec::new();
    for (number, piece) in pieces::all().enumerate() {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &key));
        let outcome = runner.run(&choices, |(bytes, values)| {
            let source = Maker::new(&pieces::PIECES, &bytes).fill(piece, DEPTH);
            let comparison = Pair::new(pieces::PARAMETERS, given(&values)).compare(&source);
            met.borrow_mut().count(piece, comparison)
        });
        differences.extend(outcome.err().map(|error| error.to_string()));
    }
    differences
}

/// Every way in which an evaluation can go wrong within the common subset, as the messages begin.
const FAULTS: [&str; 20] = [
    "`(` is no pattern",
    "a value of type ",
    "division by zero",
    "index out of bounds",
    "integer overflow",
    "invalid UTF-8",
    "modulus by zero",
    "no such key",
    "no such overload",
    "optional.none() dereference",
    "timestamp overflow",
    "type conversion error from 'string' to 'bool'",
    "type conversion error from 'string' to 'double'",
    "type conversion error from 'string' to 'google.protobuf.Duration'",
    "type conversion error from 'string' to 'google.protobuf.Timestamp'",
    "type conversion error from 'string' to 'int'",
    "type conversion error from 'string' to 'uint'",
    "unknown time zone",
    "unsigned integer overflow",
    "unsupported index",
];

#[test]
fn both_say_the_same() {
    let mut met = Met::default();
    let hours = std::env::var("PEMBA_HOURS").ok().map(|text| text.parse::<f64>().expect("a number of hours"));
    let differences = match hours {
        None => run(0, CASES, &mut met),
        Some(hours) => {
            let end = Instant::now() + Duration::from_secs_f64(hours * 3600.0);
            let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let mut found = Vec::new();
            for seed in (first..).take_while(|_| Instant::now() < end) {
                println!("seed {seed}");
                found.extend(run(seed, CASES, &mut met));
            }
            found
        }
    };
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    let sum = |counts: &BTreeMap<_, u32>| counts.values().sum::<u32>();
    let (values, faults, excused) = (sum(&met.values), sum(&met.faults), sum(&met.excused));
    println!(
        "{values} values and {faults} faults are the same, {excused} differ on purpose: {:?}",
        met.excused
    );
    for piece in pieces::all() {
        let (values, faults) = (met.values.get(piece), met.faults.get(piece));
        assert!(values.is_some_and(|count| *count >= 3), "`{piece}`: {values:?} values, {faults:?} faults");
    }
    for fault in FAULTS {
        assert!(
            met.messages.iter().any(|message| message.starts_with(fault)),
            "nothing failed with `{fault}`"
        );
    }
    let other = met.messages.iter().find(|message| !FAULTS.iter().any(|fault| message.starts_with(fault)));
    assert_eq!(other, None, "a fault that the list lacks");
    assert!(excused * 20 < values, "{excused} of {values} are no comparison");
}

#[test]
fn a_zone_has_an_offset_up_to_the_last_instant() {
    let given = support::context(r#"{"a": "9999-12-31T23:59:59.999999999Z"}"#);
    let pair = Pair::new("a timestamp", given);
    for (source, expected) in [
        ("a.getFullYear('Europe/Berlin')", 10_000),
        ("a.getHours('Europe/Berlin')", 0),
        ("a.getHours('America/New_York')", 18),
    ] {
        assert_eq!(pair.theirs(source), Answer::Value(cel::Value::Int(expected)));
        assert_eq!(pair.ours(&format!("{source} == {expected}")), Answer::Value(true));
    }
}
