//! What the field's server said of expressions and values, and where this evaluator says something else on purpose.
#![allow(missing_docs, reason = "tests")]

mod support;

#[test]
fn answers_are_those_of_the_field() {
    support::check_rows(include_str!("rows/facts.rows"));
}

#[test]
fn differences_are_deliberate() {
    support::check_rows(include_str!("rows/differs.rows"));
}

#[test]
fn canonical_texts_are_those_of_the_field() {
    for (declared, source, expected) in [
        ("a int, b string", "a==1&&(b  ==  'x' || (a>2))  // why", "a == 1 && (b == \"x\" || a > 2)"),
        ("a int", "[1,2,3].exists(x,x==a)", "[1, 2, 3].exists(x, x == a)"),
        (
            "a map<any>",
            "has(a.x) ? a.?x.orValue(1.0) == 1.0 : !(a['y'] in [1,2,])",
            "has(a.x) ? (a.?x.orValue(1.0) == 1.0) : !(a[\"y\"] in [1, 2])",
        ),
        (
            "a int",
            "-a < - 1 && !!(a == 0x10) && (a+1)*2 == a - (1 - 2)",
            "-a < -1 && a == 16 && (a + 1) * 2 == a - (1 - 2)",
        ),
        (
            "a string",
            r"a == 'its' || a == 'a\tb\\c' || a.matches('^x') || a == 'é'",
            r#"a == "its" || a == "a\tb\\c" || a.matches("^x") || a == "é""#,
        ),
        ("a bytes", r"a == b'\xffa'", r#"a == b"\377\141""#),
        (
            "a double",
            "a == 1.0 || a == 1e10 || a == 0.1 || a > 100000.5",
            "a == 1.0 || a == 1e+10 || a == 0.1 || a > 100000.5",
        ),
        ("a bool", "a ? (a ? a : a) : (a || a)", "a ? (a ? a : a) : (a || a)"),
        (
            "a bool",
            "a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a",
            "a && a && a && a && a && a && a && a && a && a && a && a && a && a && a && a &&\n\
             a && a && a && a && a && a",
        ),
        (
            "a map<int>",
            "a == {'x': 1, \"y\": 2u == 2u ? 1 : 2} && a[?'x'].optMap(v, v + 1).hasValue() && {?'a': optional.of(1)} == a",
            "a == {\"x\": 1, \"y\": (2u == 2u) ? 1 : 2} && a[?\"x\"].optMap(v, v + 1).hasValue() &&\n\
             {?\"a\": optional.of(1)} == a",
        ),
        ("a int", "a in [1,2] == true && !(a in [3])", "a in [1, 2] == true && !(a in [3])"),
    ] {
        assert_eq!(support::program(declared, source).canonical(), expected);
    }
}
