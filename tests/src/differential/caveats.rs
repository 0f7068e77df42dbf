//! The caveats that generated schemas use: each parameter type, and the shapes of expression that can be decided by a
//! part of their parameters. Parameter names repeat, once with another type.

use serde_json::{Value, json};

use super::random::Random;

/// A caveat.
#[derive(Debug)]
pub struct Caveat {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, each with its type.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Its expression.
    pub expression: &'static str,
}

const fn caveat(
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    expression: &'static str,
) -> Caveat {
    Caveat { name, parameters, expression }
}

/// All caveats.
pub static CAVEATS: [Caveat; 26] = [
    caveat("flagged", &[("flag", "bool")], "flag"),
    caveat("unflagged", &[("flag", "bool")], "!flag"),
    caveat("both_flags", &[("flag", "bool"), ("other", "bool")], "flag && other"),
    caveat("either_flag", &[("flag", "bool"), ("other", "bool")], "flag || other"),
    caveat("big_number", &[("num", "int")], "num > 3"),
    caveat("natural", &[("nat", "uint")], "nat >= 2"),
    caveat("half", &[("ratio", "double")], "ratio < 1.5"),
    caveat("named", &[("word", "string")], "word == 'x' || word.startsWith('ab')"),
    caveat("raw_bytes", &[("data", "bytes")], "data == b'abc'"),
    caveat("long_enough", &[("span", "duration")], "span > duration('1h30m')"),
    caveat("before", &[("when", "timestamp")], "when < timestamp('2030-01-01T00:00:00Z')"),
    caveat("at_hour", &[("when", "timestamp"), ("num", "int")], "when.getHours() == num"),
    caveat("inside", &[("addr", "ipaddress")], "addr.in_cidr('10.0.0.0/8')"),
    caveat("in_list", &[("words", "list<string>"), ("word", "string")], "word in words"),
    caveat("all_big", &[("nums", "list<int>")], "nums.all(n, n > 0)"),
    caveat("some_big", &[("nums", "list<int>"), ("num", "int")], "nums.exists(n, n > num)"),
    caveat("in_map", &[("table", "map<int>")], "table['k'] > 1"),
    caveat("has_key", &[("table", "map<int>")], "'k' in table && has(table.k)"),
    caveat("anything", &[("thing", "any")], "thing == 'x'"),
    caveat("subtree", &[("small", "map<any>"), ("large", "map<any>")], "small.isSubtreeOf(large)"),
    caveat(
        "either_or",
        &[("flag", "bool"), ("num", "int"), ("ratio", "double")],
        "flag ? num > 1 : ratio > 0.5",
    ),
    caveat("divided", &[("num", "int"), ("div", "int")], "num / div > 1"),
    caveat("guarded", &[("num", "int"), ("div", "int")], "div != 0 && num / div > 1"),
    caveat("number_is_text", &[("num", "string")], "num == '4'"),
    caveat("sized", &[("words", "list<string>"), ("word", "string")], "size(words) + size(word) > 2"),
    caveat("matching", &[("word", "string"), ("flag", "bool")], "word.matches('^a.*') != flag"),
];

/// The caveat with a name.
pub fn named(name: &str) -> Option<&'static Caveat> {
    CAVEATS.iter().find(|caveat| caveat.name == name)
}

/// A value of a parameter type as a request gives it.
pub fn value(random: &mut Random, parameter_type: &str) -> Value {
    let pool = match parameter_type {
        "bool" => vec![json!(true), json!(false), json!(true), json!(false), json!("true")],
        "int" => vec![json!(4), json!(0), json!(-3), json!("5"), json!(1), json!(3.0), json!("3")],
        "uint" => vec![json!(2), json!(1), json!("7"), json!(0)],
        "double" => vec![json!(1), json!(1.25), json!(2.5), json!("0.25"), json!(-0.5)],
        "string" => vec![json!("x"), json!("abc"), json!(""), json!("4"), json!("é")],
        "bytes" => vec![json!("YWJj"), json!("YWJkZWY="), json!("")],
        "duration" => vec![json!("2h"), json!("1h30m"), json!("90m1s"), json!("-1.5s"), json!("300ms")],
        "timestamp" => vec![
            json!("2025-03-04T05:06:07Z"),
            json!("2031-01-01T00:00:00Z"),
            json!("2029-12-31T23:59:59.999999999+01:00"),
        ],
        "ipaddress" => vec![json!("10.1.2.3"), json!("192.168.0.1"), json!("2001:db8::1")],
        "list<string>" => vec![json!([]), json!(["x"]), json!(["ab", "x", "y"]), json!(["y"])],
        "list<int>" => vec![json!([]), json!([1, 2]), json!([0, 5]), json!(["3"]), json!([-1])],
        "map<int>" => vec![json!({}), json!({"k": 2}), json!({"k": 1, "l": 9}), json!({"l": 3})],
        "any" => vec![json!("x"), json!(1), json!(null), json!(["x"]), json!({"x": 1}), json!(true)],
        _ => vec![
            json!({}),
            json!({"a": 1}),
            json!({"a": 1, "b": {"c": true}}),
            json!({"b": {"c": true}}),
            json!({"a": 2}),
        ],
    };
    random.pick(&pool).clone()
}

/// A value that is of no parameter's type, or of few.
pub fn wrong_value(random: &mut Random) -> Value {
    let pool =
        [json!("nonsense"), json!(1.5), json!([1, "x"]), json!({"z": null}), json!(true), json!("1e99999")];
    random.pick(&pool).clone()
}
