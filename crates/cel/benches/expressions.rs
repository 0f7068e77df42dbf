//! A check's worth of an expression, and expressions that try to take for ever.
#![allow(missing_docs, clippy::unwrap_used, reason = "benches")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pemba_cel::{EvaluationLimits, Program, Type, compile};
use pemba_model::{Context, SmolStr};

fn program(source: &str, parameters: &[(&str, Type)]) -> Program {
    let parameters: Vec<(SmolStr, Type)> =
        parameters.iter().map(|(name, declared)| (SmolStr::new(name), declared.clone())).collect();
    compile(source, &parameters).unwrap()
}

fn context(json: &str) -> Context {
    serde_json::from_str(json).unwrap()
}

fn typical(c: &mut Criterion) {
    let mut group = c.benchmark_group("evaluate");
    let none = Context::new();
    let limits = EvaluationLimits::default();
    let mut run = |name: &str, program: &Program, bound: &Context, request: &Context| {
        group.bench_function(name, |b| {
            b.iter(|| program.evaluate(black_box(bound), Some(black_box(request)), &limits));
        });
    };
    let weekday = program("day_of_week == \"tuesday\"", &[("day_of_week", Type::String)]);
    run("weekday", &weekday, &none, &context(r#"{"day_of_week": "tuesday"}"#));
    run("weekday_missing", &weekday, &none, &none);
    let network = program("user_ip.in_cidr(cidr)", &[("user_ip", Type::IpAddress), ("cidr", Type::String)]);
    let cidr = context(r#"{"cidr": "10.20.0.0/16"}"#);
    run("network", &network, &cidr, &context(r#"{"user_ip": "10.20.30.40"}"#));
    let hours = program(
        "now > timestamp('2024-01-01T00:00:00Z') && now.getHours('Europe/Berlin') >= 8 && level < 3",
        &[("now", Type::Timestamp), ("level", Type::Int)],
    );
    run("hours", &hours, &none, &context(r#"{"now": "2026-05-01T10:00:00Z", "level": 2}"#));
    let tags = program(
        "tags.exists(t, t in allowed)",
        &[("tags", Type::List(Box::new(Type::String))), ("allowed", Type::List(Box::new(Type::String)))],
    );
    let allowed = context(r#"{"allowed": ["red", "green", "blue"]}"#);
    run("tags", &tags, &allowed, &context(r#"{"tags": ["black", "white", "blue"]}"#));
    group.finish();
    c.bench_function("compile/weekday", |b| {
        b.iter(|| program(black_box("day_of_week == \"tuesday\""), &[("day_of_week", Type::String)]));
    });
}

fn hostile(c: &mut Criterion) {
    let mut group = c.benchmark_group("hostile");
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let request = context(&format!("{{\"a\": [{}], \"s\": \"{}\"}}", numbers.join(","), "ab".repeat(2000)));
    for (name, source) in [
        ("nested_all", "a.all(x, a.all(y, a.all(z, x + y + z >= 0))) && s != ''"),
        ("nested_map", "a.map(x, a.map(y, a)).size() > 0 && s != ''"),
        ("growing_text", "a.all(x, s + s + s + s != s)"),
        ("pattern", "a.all(x, !s.matches('(a|b)*(a|b){50}c')) && a == a"),
        ("pattern_of_many_states", "a.all(x, !s.matches('([ab]{1,100}){1,10}.?[^ab]')) && a == a"),
        ("pattern_of_request", "a.all(x, !s.matches(s + '(x+x+)+y')) || a.size() == 1"),
    ] {
        let program = program(source, &[("a", Type::List(Box::new(Type::Int))), ("s", Type::String)]);
        let limits = EvaluationLimits::default();
        assert!(program.evaluate(&request, None, &limits).is_err(), "{name} ends at its budget");
        group.bench_function(name, |b| b.iter(|| program.evaluate(black_box(&request), None, &limits)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = typical, hostile
}
criterion_main!(benches);
