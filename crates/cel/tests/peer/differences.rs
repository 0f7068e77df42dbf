//! Where the peer says something else than this evaluator, which follows the field's server.

use crate::{Answer, Pair, support};

struct Difference {
    reason: &'static str,
    declared: &'static str,
    source: &'static str,
    given: &'static str,
    here: Option<bool>,
    peer: Option<bool>,
}

/// One example of each; none is a fault.
const DIFFERENCES: [Difference; 11] = [
    Difference {
        reason: "what has no fields has no field",
        declared: "a map<any>",
        source: "has(a.x.y)",
        given: r#"{"a": {"x": "text"}}"#,
        here: Some(false),
        peer: None,
    },
    Difference {
        reason: "behind an optional field every field is optional",
        declared: "a map<any>",
        source: "a.?x.y == optional.none()",
        given: r#"{"a": {"x": 3}}"#,
        here: Some(true),
        peer: None,
    },
    Difference {
        reason: "`orValue` looks at its argument only when it needs it",
        declared: "a int",
        source: "optional.of(1).orValue(1 / a) == 1",
        given: r#"{"a": 0}"#,
        here: Some(true),
        peer: None,
    },
    Difference {
        reason: "`or` looks at its argument only when it needs it",
        declared: "a int",
        source: "optional.of(1).or(optional.of(1 / a)).hasValue()",
        given: r#"{"a": 0}"#,
        here: Some(true),
        peer: None,
    },
    Difference {
        reason: "the last of equal keys counts",
        declared: "a int",
        source: "{1: 1, 1: 2}[a] == 2",
        given: r#"{"a": 1}"#,
        here: Some(true),
        peer: None,
    },
    Difference {
        reason: "an instant has no offset of its own",
        declared: "a timestamp",
        source: "timestamp('2024-06-01T08:00:00+02:00').getHours() == 6 && a == a",
        given: r#"{"a": "2024-06-01T08:00:00Z"}"#,
        here: Some(true),
        peer: Some(false),
    },
    Difference {
        reason: "summer time does not end with the tables",
        declared: "a timestamp",
        source: "a.getHours('Europe/Berlin') == 14",
        given: r#"{"a": "2316-06-10T12:00:00Z"}"#,
        here: Some(true),
        peer: Some(false),
    },
    Difference {
        reason: "doubles and null are keys",
        declared: "a double",
        source: "{a: 1}.size() == 1",
        given: r#"{"a": 0.5}"#,
        here: Some(true),
        peer: None,
    },
    Difference {
        reason: "what is no number is neither less nor more",
        declared: "a double",
        source: "a / a < 1.0 || a / a >= 1.0",
        given: r#"{"a": 0.0}"#,
        here: Some(false),
        peer: None,
    },
    Difference {
        reason: "what cannot be a key is in no map",
        declared: "a map<any>, b any",
        source: "b in a",
        given: r#"{"a": {"x": 1}, "b": [1]}"#,
        here: Some(false),
        peer: None,
    },
    Difference {
        reason: "large doubles print with an exponent",
        declared: "a double",
        source: "string(a) == '1e+21'",
        given: r#"{"a": 1e21}"#,
        here: Some(true),
        peer: Some(false),
    },
];

/// Why these answers differ, if that is one of the differences that expressions cannot be kept from by their form: the
/// peer finds something wrong where this evaluator does not.
pub fn excused(theirs: &Answer<cel::Value>, ours: &Answer<bool>) -> Option<&'static str> {
    let (Answer::Fault(message), Answer::Value(_)) = (theirs, ours) else { return None };
    let unordered = ["<", "<=", ">", ">="].into_iter().any(|operator| {
        let start = format!("found no matching overload for '_{operator}_' applied to '(");
        message.strip_prefix(&start).is_some_and(|types| types.contains("double"))
    });
    if unordered {
        return Some("what is no number is neither less nor more");
    }
    if ["Float(", "Null'"].iter().any(|kind| message.starts_with(&format!("Unable to use value '{kind}"))) {
        return Some("doubles and null are keys");
    }
    message.starts_with("found no matching overload for '@in'").then_some("what cannot be a key is in no map")
}

#[test]
fn differences_are_these() {
    for difference in DIFFERENCES {
        let pair = Pair::new(difference.declared, support::context(difference.given));
        let here = match pair.ours(difference.source) {
            Answer::Value(value) => Some(value),
            Answer::Fault(_) => None,
        };
        let peer = match pair.theirs(difference.source) {
            Answer::Value(value) => Some(value == cel::Value::Bool(true)),
            Answer::Fault(_) => None,
        };
        assert_eq!((here, peer), (difference.here, difference.peer), "{}", difference.reason);
    }
}
