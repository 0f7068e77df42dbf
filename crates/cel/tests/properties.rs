//! Any text is survived, what is printed reads the same, and no missing value can turn a definite answer.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use pemba_cel::{EvaluateError, EvaluationLimits, Outcome, Program, compile};
use pemba_model::Context;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::expressions::Maker;
use support::parameters;

const PARAMETERS: &str = "flag bool, other bool, count int, size uint, ratio double, name string, tags list<string>, \
                          numbers list<int>, attributes map<any>, anything any, since timestamp, ttl duration, \
                          address ipaddress, blob bytes";

/// What can stand where a kind of value is asked for.
const PIECES: [(char, &[&str]); 7] = [
    (
        'b',
        &[
            "flag",
            "other",
            "true",
            "false",
            "!$b",
            "($b && $b)",
            "($b || $b)",
            "($b ? $b : $b)",
            "$i == $i",
            "$i < $i",
            "$s == $s",
            "$s != $s",
            "$d <= $d",
            "$s in $t",
            "$i in $n",
            "$n.exists(x, x == $i)",
            "$n.all(x, x > $i)",
            "$t.exists_one(y, y == $s)",
            "has(attributes.a)",
            "has(attributes.a.b)",
            "anything == $i",
            "anything == $s",
            "$s.startsWith($s)",
            "$s.contains($s)",
            "$s.matches('^a.*b?')",
            "address.in_cidr('10.0.0.0/8')",
            "since < timestamp('2024-01-01T00:00:00Z')",
            "since + ttl > since",
            "ttl > duration('1h')",
            "blob == b'ab'",
            "$n == $n",
            "$t == $t",
            "attributes.isSubtreeOf(attributes)",
            "attributes.a == $s",
            "attributes.?a.hasValue()",
            "type(anything) == string",
            "dyn($i) == $d",
            "bool($s)",
            "address == address",
        ],
    ),
    (
        'i',
        &[
            "count",
            "0",
            "1",
            "-3",
            "9223372036854775807",
            "$i + $i",
            "$i - $i",
            "$i * $i",
            "$i / $i",
            "$i % $i",
            "($b ? $i : $i)",
            "size($s)",
            "$t.size()",
            "$n[$i]",
            "int($s)",
            "int($d)",
            "since.getHours()",
            "since.getDayOfWeek('Europe/Berlin')",
            "ttl.getMinutes()",
            "size(blob)",
            "size",
        ],
    ),
    ('d', &["ratio", "0.5", "-1e3", "$d + $d", "$d / $d", "double($i)", "($b ? $d : $d)", "double($s)"]),
    (
        's',
        &[
            "name",
            "'a'",
            "\"ab\"",
            "'é\\n'",
            "$s + $s",
            "($b ? $s : $s)",
            "string($i)",
            "$t[$i]",
            "string($d)",
        ],
    ),
    ('t', &["tags", "['a', $s]", "[]", "$t + $t", "$t.filter(y, y != $s)", "$n.map(x, string(x))"]),
    (
        'n',
        &[
            "numbers",
            "[1, 2, $i]",
            "$n + $n",
            "$n.filter(x, x > $i)",
            "$n.map(x, x + $i)",
            "$n.map(x, $b, $i)",
        ],
    ),
    ('o', &["attributes.?a", "optional.of($s)", "optional.none()"]),
];

fn expression(choices: &[u8]) -> String {
    Maker::new(&PIECES, choices).expression('b', 4)
}

/// Values that a parameter may have, to stand for all.
fn pool(name: &str) -> Vec<Value> {
    match name {
        "flag" | "other" => vec![json!(true), json!(false)],
        "count" => vec![json!(0), json!(1), json!("-9223372036854775808"), json!(7)],
        "size" => vec![json!(0), json!("18446744073709551615"), json!(2)],
        "ratio" => vec![json!(0.0), json!(0.5), json!(1e300)],
        "name" => vec![json!(""), json!("a"), json!("7"), json!("true")],
        "tags" => vec![json!([]), json!(["a"]), json!(["a", "b", "a"])],
        "numbers" => vec![json!([]), json!([1]), json!([0, 1, 2])],
        "attributes" => vec![json!({}), json!({"a": "a"}), json!({"a": {"b": 1}})],
        "anything" => vec![json!(null), json!("a"), json!(1), json!([1]), json!({"a": 1})],
        "since" => vec![json!("2020-02-29T12:00:00Z"), json!("9999-12-31T23:59:59Z")],
        "ttl" => vec![json!("0"), json!("90m"), json!("-1h")],
        "address" => vec![json!("10.1.2.3"), json!("::1")],
        _ => vec![json!(""), json!("YWI=")],
    }
}

/// A context with those parameters whose bit is set, values taken from the pool by seed.
fn some(program: &Program, given: u32, seed: u64) -> Context {
    let mut context = Context::new();
    for (slot, (name, _)) in program.parameters().iter().enumerate() {
        if given >> slot & 1 == 1 {
            let pool = pool(name);
            let choice = usize::try_from(seed >> (slot * 4) & 15).unwrap() % pool.len();
            context.insert(name.to_string(), pool[choice].clone());
        }
    }
    context
}

fn answer(program: &Program, context: &Context) -> Result<Outcome, EvaluateError> {
    program.evaluate(context, None, &EvaluationLimits::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,80}") {
        if let Err(findings) = compile(&text, &parameters(PARAMETERS)) {
            for finding in findings {
                prop_assert!(finding.span.start <= finding.span.end && finding.span.end <= text.len());
                prop_assert!(text.get(finding.span.start..finding.span.end).is_some(), "{finding:?}");
            }
        }
    }

    #[test]
    fn any_tokens_are_survived(picks in prop::collection::vec(0..40_usize, 0..60)) {
        const TOKENS: [&str; 40] = [
            "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "!", "-", "+", "*", "/", "%", "<", "==", "&&", "||",
            "in", "count", "flag", "name", "tags", "1", "2u", "0.5", "'a'", "b'a'", "has", "all", "map", "optional",
            "true", "null", ".?", "[?", "size", "x",
        ];
        let text: Vec<&str> = picks.iter().map(|pick| TOKENS[*pick]).collect();
        let text = text.join(" ");
        if let Ok(program) = compile(&text, &parameters(PARAMETERS)) {
            let _ = answer(&program, &Context::new());
            let _ = answer(&program, &some(&program, u32::MAX, 0));
        }
    }

    #[test]
    fn generated_expressions_compile_print_and_mean_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..60), given in any::<u32>(), seed in any::<u64>()
    ) {
        let source = expression(&bytes);
        let program = compile(&source, &parameters(PARAMETERS));
        prop_assert!(program.is_ok(), "{source}: {program:?}");
        let program = program.unwrap();
        let printed = compile(program.canonical(), &parameters(PARAMETERS));
        prop_assert!(printed.is_ok(), "{source}: {}: {printed:?}", program.canonical());
        let printed = printed.unwrap();
        prop_assert_eq!(printed.canonical(), program.canonical());
        let context = some(&program, given, seed);
        prop_assert_eq!(answer(&program, &context), answer(&printed, &context), "{}", source);
    }

    #[test]
    fn definite_answers_do_not_depend_on_what_is_missing(
        bytes in prop::collection::vec(any::<u8>(), 0..60), given in any::<u32>(), seed in any::<u64>(), others in any::<[u64; 8]>()
    ) {
        let program = compile(&expression(&bytes), &parameters(PARAMETERS)).unwrap();
        let partial = some(&program, given, seed);
        match answer(&program, &partial) {
            Ok(Outcome::Missing(names)) => {
                prop_assert!(!names.is_empty() && names.is_sorted());
                let mut more = partial;
                for name in &names {
                    prop_assert!(!more.contains_key(name.as_str()), "{name} is given");
                    more.insert(name.to_string(), pool(name)[0].clone());
                }
                if let Ok(Outcome::Missing(next)) = answer(&program, &more) {
                    prop_assert!(next.iter().all(|name| !names.contains(name)), "{next:?} after {names:?}");
                }
            }
            definite @ Ok(_) => {
                for other in others {
                    let mut whole = some(&program, u32::MAX, other);
                    whole.extend(partial.clone());
                    prop_assert_eq!(answer(&program, &whole), definite.clone(), "{}", program.source());
                }
            }
            Err(_) => {}
        }
    }
}
