//! Reads rows of expression, values and outcome.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "tests share it"
)]

pub mod expressions;

use pemba_cel::{EvaluateError, EvaluationLimits, Outcome, Program, Type, compile};
use pemba_model::{Context, SmolStr};

pub fn parameter_type(text: &str) -> Type {
    let inner = |prefix: &str| {
        text.strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix('>'))
            .map(|inner| Box::new(parameter_type(inner)))
    };
    if let Some(element) = inner("list<") {
        return Type::List(element);
    }
    if let Some(element) = inner("map<") {
        return Type::Map(element);
    }
    match text {
        "any" => Type::Any,
        "bool" => Type::Bool,
        "string" => Type::String,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "ipaddress" => Type::IpAddress,
        other => panic!("no type `{other}`"),
    }
}

/// Reads `a int, b list<string>`.
pub fn parameters(text: &str) -> Vec<(SmolStr, Type)> {
    text.split(", ")
        .map(|parameter| {
            let (name, declared) = parameter.split_once(' ').unwrap();
            (SmolStr::new(name), parameter_type(declared))
        })
        .collect()
}

pub fn context(json: &str) -> Context {
    if json.is_empty() { Context::new() } else { serde_json::from_str(json).unwrap() }
}

pub fn program(declared: &str, source: &str) -> Program {
    compile(source, &parameters(declared)).unwrap_or_else(|findings| panic!("{source}: {findings:?}"))
}

/// The outcome as a word: `true`, `false`, `missing a b`, `refused`, `type a`, `fault`, `steps`, `large`.
pub fn outcome(declared: &str, source: &str, json: &str) -> String {
    let Ok(program) = compile(source, &parameters(declared)) else { return "refused".to_owned() };
    let answer = program.evaluate(&Context::new(), Some(&context(json)), &EvaluationLimits::default());
    match answer {
        Ok(Outcome::True) => "true".to_owned(),
        Ok(Outcome::False) => "false".to_owned(),
        Ok(Outcome::Missing(names)) => format!("missing {}", names.join(" ")),
        Err(EvaluateError::ParameterType { parameter, .. }) => format!("type {parameter}"),
        Err(EvaluateError::Evaluation { .. }) => "fault".to_owned(),
        Err(EvaluateError::TooManySteps { .. }) => "steps".to_owned(),
        Err(EvaluateError::TooLarge { .. }) => "large".to_owned(),
    }
}

/// Checks the rows of a file: parameters, expression, values and outcome between ` ;; `.
pub fn check_rows(rows: &str) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let parts: Vec<&str> = row.split(" ;; ").map(str::trim).collect();
        let [declared, source, json, expected] = parts[..] else { panic!("not four parts: {row}") };
        count += 1;
        let found = outcome(declared, source, json);
        if found != expected {
            wrong.push(format!("{row}\n    found {found}"));
        }
    }
    assert!(count > 0);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
