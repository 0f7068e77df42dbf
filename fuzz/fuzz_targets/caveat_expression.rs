//! Any expression is survived, what compiles prints to a text that means the same, and evaluation ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pemba_cel::{EvaluationLimits, Type, compile};
use pemba_model::{Context, SmolStr};

fuzz_target!(|input: (&str, &str)| {
    let (source, json) = input;
    let text = || Box::new(Type::String);
    let parameters = [
        ("a", Type::Any),
        ("n", Type::Int),
        ("s", Type::String),
        ("l", Type::List(text())),
        ("m", Type::Map(Box::new(Type::Any))),
        ("t", Type::Timestamp),
        ("d", Type::Duration),
        ("i", Type::IpAddress),
    ]
    .map(|(name, declared)| (SmolStr::new(name), declared));
    let limits = EvaluationLimits::default();
    match compile(source, &parameters) {
        Ok(program) => {
            let printed = compile(program.canonical(), &parameters).expect("the canonical text compiles");
            assert_eq!(printed.canonical(), program.canonical());
            let context: Context = serde_json::from_str(json).unwrap_or_default();
            let answer = program.evaluate(&context, None, &limits);
            assert_eq!(printed.evaluate(&context, None, &limits), answer);
        }
        Err(findings) => {
            assert!(!findings.is_empty());
            for finding in findings {
                assert!(source.get(finding.span.start..finding.span.end).is_some());
            }
        }
    }
});
