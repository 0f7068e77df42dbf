//! What programs tell of themselves, what they refuse, and what they may cost.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use pemba_cel::{ConversionError, EvaluateError, EvaluationLimits, Outcome, Type, Value, compile};
use pemba_model::{Context, SmolStr};
use serde_json::json;
use support::{context, parameters, program};

/// Codes with the text they are about.
fn findings(declared: &str, source: &str) -> Vec<(String, String)> {
    let Err(found) = compile(source, &parameters(declared)) else { return Vec::new() };
    found
        .iter()
        .map(|finding| {
            assert!(!finding.message.ends_with('.') && !finding.message.is_empty());
            (finding.code.to_owned(), finding.span.text(source).to_owned())
        })
        .collect()
}

fn one(code: &str, text: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), text.to_owned())]
}

#[test]
fn programs_can_be_shared() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let compiled = program("a int, b int, c int", "a == 1 && c == 2 && a != 3");
    shared(&compiled);
    assert_eq!(compiled.source(), "a == 1 && c == 2 && a != 3");
    assert_eq!(compiled.referenced(), ["a", "c"]);
    assert_eq!(compiled.parameters().len(), 3);
    assert_eq!(compiled, compiled.clone());
}

#[test]
fn every_fault_is_told_with_its_place() {
    assert_eq!(findings("a int", "a == 1"), []);
    assert_eq!(findings("a int", "a == ;"), one("caveat-syntax", ";"));
    assert_eq!(findings("a int", "a == 1 b"), one("caveat-syntax", "b"));
    assert_eq!(
        findings("a int", "a == 1 # b"),
        [one("caveat-unexpected-character", "#"), one("caveat-syntax", "b")].concat()
    );
    assert_eq!(findings("a int", "(a == 1"), one("caveat-syntax", ""));
    assert_eq!(findings("a int", "a == \"x"), one("caveat-unterminated-text", "\"x"));
    assert_eq!(findings("a int", "a == 99999999999999999999"), one("caveat-literal", "99999999999999999999"));
    assert_eq!(findings("a int", "a"), one("caveat-result-type", "a"));
    assert_eq!(findings("a any", "a"), one("caveat-result-type", "a"));
    assert_eq!(findings("a int", "a == 'x'"), one("caveat-no-overload", "a == 'x'"));
    assert_eq!(findings("a int", "aa == 1"), one("caveat-unknown-name", "aa"));
    assert_eq!(findings("a string", "a.startWith('x')"), one("caveat-unknown-function", "a.startWith('x')"));
    assert_eq!(findings("a int", "if == 1"), one("caveat-reserved-word", "if"));
    assert_eq!(findings("a int", "has(a)"), one("caveat-macro", "has(a)"));
    assert_eq!(findings("a int", "[a].all(x.y, true)"), one("caveat-macro", "x.y"));
    assert_eq!(findings("a int", "a.x == 1"), one("caveat-type", "a"));
    assert_eq!(findings("a int", "Message{a: 1} == a"), one("caveat-message", "Message{"));
    let several = findings("a int, b string", "aa == 1 && b.foo() && a == b && (a == ])");
    let codes: Vec<&str> = several.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        ["caveat-unknown-name", "caveat-unknown-function", "caveat-no-overload", "caveat-syntax"]
    );
}

#[test]
fn a_number_begins_with_its_minus_wherever_that_stands() {
    // What is no token may stand between the two, and be longer than a byte.
    for text in ["-7", "-  7", "-\u{1cf30}7"] {
        assert!(
            findings("a int", text).contains(&("caveat-result-type".to_owned(), text.to_owned())),
            "{text}"
        );
    }
}

#[test]
fn near_names_are_proposed() {
    let help = |declared: &str, source: &str| {
        compile(source, &parameters(declared)).unwrap_err()[0].help.clone().unwrap_or_default()
    };
    assert!(help("weekday string", "weekdy == 'x'").contains("`weekday`"));
    assert!(help("a string", "a.startWith('x')").contains("`startsWith`"));
    assert!(help("a string", "contains(a, 'x')").contains("`value.contains(...)`"));
}

#[test]
fn nesting_size_and_number_of_findings_are_bounded() {
    let deep = |count: usize| format!("{}a{} == 1", "(".repeat(count), ")".repeat(count));
    assert_eq!(findings("a int", &deep(100)), []);
    assert_eq!(findings("a int", &deep(10_000))[0].0, "caveat-nesting");
    assert_eq!(findings("a int", &format!("{}a == 1", "!".repeat(50_000))), []);
    assert_eq!(findings("a int", &format!("a == 1{}", " + 1".repeat(20_000)))[0].0, "caveat-nesting");
    assert_eq!(findings("a int", &format!("{} == a", "[".repeat(20_000)))[0].0, "caveat-nesting");
    assert_eq!(findings("a int", &format!("a == 1 // {}", "x".repeat(100_000)))[0].0, "caveat-too-long");
    let long = format!("a in [{}]", "1, ".repeat(30_000));
    assert_eq!(findings("a int", &long), []);
    let wide = vec!["a == 1"; 10_000].join(" || ");
    assert_eq!(findings("a int", &wide), []);
    let faulty = vec!["b == 1"; 10_000].join(" || ");
    assert_eq!(findings("a int", &faulty).len(), 20);
    let doubling = format!("[[]]{}.size() == a", ".map(x, {x: x})".repeat(40));
    assert_eq!(findings("a int", &doubling)[0].0, "caveat-type-too-large");
}

#[test]
fn bound_values_win_and_unknown_names_are_ignored() {
    let compiled = program("a int, b int", "a == 1 && b == 2");
    let limits = EvaluationLimits::default();
    let bound = context(r#"{"a": 1}"#);
    let request = context(r#"{"a": "wrong", "b": 2, "c": 3}"#);
    assert_eq!(compiled.evaluate(&bound, Some(&request), &limits), Ok(Outcome::True));
    assert_eq!(compiled.evaluate(&bound, None, &limits), Ok(Outcome::Missing(vec![SmolStr::new("b")])));
}

#[test]
fn every_value_given_must_have_its_type_needed_or_not() {
    let compiled = program("a bool, b int", "a || b == 1");
    let request = context(r#"{"a": true, "b": "x"}"#);
    let error = compiled.evaluate(&Context::new(), Some(&request), &EvaluationLimits::default()).unwrap_err();
    let EvaluateError::ParameterType { parameter, expected, found, message } = error else {
        panic!("{error}")
    };
    assert_eq!((parameter.as_str(), expected.as_str()), ("b", "int"));
    assert_eq!(found, "the text `x`");
    assert!(message.contains("a whole number"), "{message}");
}

#[test]
fn values_are_converted_as_for_an_evaluation() {
    let compiled = program("a uint, b list<int>", "a in b");
    let huge = compiled.convert_parameter("a", &json!("18446744073709551615")).unwrap();
    assert!(matches!(huge, Value::Uint(u64::MAX)));
    assert!(compiled.convert_parameter("a", &json!(-1)).is_err());
    assert_eq!(
        compiled.convert_parameter("c", &json!(1)).unwrap_err(),
        ConversionError::UnknownParameter { parameter: SmolStr::new("c") }
    );
    let ConversionError::WrongType { message, .. } =
        compiled.convert_parameter("b", &json!([1, 2.5])).unwrap_err()
    else {
        panic!("a fraction is no int")
    };
    assert!(message.contains("`[1]`") && message.contains("2.5"), "{message}");
}

#[test]
fn types_print_as_the_schema_writes_them() {
    for text in ["any", "list<string>", "map<any>", "ipaddress", "list<map<int>>"] {
        assert_eq!(support::parameter_type(text).to_string(), text);
    }
    assert_eq!(Type::List(Box::new(Type::Uint)).to_string(), "list<uint>");
}

/// How long that takes is for the bench.
#[test]
fn hostile_expressions_end_at_their_budget() {
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let json = format!("{{\"a\": [{}], \"s\": \"{}\"}}", numbers.join(","), "ab".repeat(2000));
    for source in [
        "a.all(x, a.all(y, a.all(z, x + y + z >= 0))) && s != ''",
        "a.map(x, a).size() > 0 && a.map(x, a.map(y, a)).size() > 0 && s != ''",
        "a.exists(x, a.map(y, y + x + 1) == a) && s != ''",
        "a.all(x, !s.matches('(a|b)*c')) && a == a",
        "a.all(x, s.matches(s + '(x+x+)+y')) || a.size() == 1",
        "a.all(x, s + s + s + s != s)",
        "[s, s, s, s].map(x, s + s + s + s + s + s).map(x, x + x + x + x + x).map(x, x + x + x + x + x + x + x + x + x + x) == [''] || a == []",
        "a.map(x, a.map(y, a + a)).size() > 0 && s != ''",
    ] {
        let found = support::outcome("a list<int>, s string", source, &json);
        assert!(found == "steps" || found == "large", "{source}: {found}");
    }
}

#[test]
fn limits_are_reported_with_their_value() {
    let compiled = program("a list<int>", "a.all(x, x > 0)");
    let limits = EvaluationLimits { steps_max: 10, ..EvaluationLimits::default() };
    let request = context(r#"{"a": [1, 2, 3, 4, 5, 6, 7, 8]}"#);
    let error = compiled.evaluate(&Context::new(), Some(&request), &limits).unwrap_err();
    assert_eq!(error, EvaluateError::TooManySteps { steps_max: 10 });
    assert!(error.to_string().contains("10 steps"));
}

#[test]
fn deep_values_are_refused() {
    let compiled = program("a any", "a == 1");
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let value: serde_json::Value = serde_json::from_str(&deep).unwrap();
    assert!(compiled.convert_parameter("a", &value).is_ok());
    let deeper = (0..20).fold(value, |inner, _| json!([inner]));
    assert!(compiled.convert_parameter("a", &deeper).is_err());
}
