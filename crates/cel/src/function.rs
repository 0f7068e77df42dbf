//! The functions and methods of the language, and the types they take.

use crate::check::ty::{Substitution, Ty};

/// A function or method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Bool,
    Bytes,
    Contains,
    Double,
    Duration,
    Dyn,
    EndsWith,
    Get(Part, Unit),
    HasValue,
    InCidr,
    Int,
    IsSubtreeOf,
    Matches,
    OptionalNone,
    OptionalOf,
    OptionalOfNonZero,
    Or,
    OrValue,
    Size,
    StartsWith,
    String,
    Timestamp,
    Type,
    Uint,
    Value,
}

/// What a getter takes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Only instants have it.
    Calendar,
    /// Instants and lengths of time have it.
    Clock,
}

/// Which part of an instant or length of time a getter gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Global,
    Method,
    Either,
    /// With `optional.` before it.
    Optional,
}

/// Names of everything that can be called, for proposals.
pub(crate) const NAMES: [&str; 47] = [
    "all",
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "hasValue",
    "in_cidr",
    "int",
    "isSubtreeOf",
    "map",
    "matches",
    "none",
    "of",
    "ofNonZeroValue",
    "optMap",
    "optional",
    "or",
    "orValue",
    "size",
    "startsWith",
    "string",
    "true",
    "false",
    "null",
    "timestamp",
    "type",
    "uint",
    "value",
    "list",
    "null_type",
];

fn named(name: &str) -> Option<(Function, Style)> {
    use Function as F;
    use Style::{Either, Global, Method, Optional};
    let get = |unit| {
        let clock = matches!(unit, Unit::Hours | Unit::Minutes | Unit::Seconds | Unit::Milliseconds);
        (F::Get(if clock { Part::Clock } else { Part::Calendar }, unit), Method)
    };
    Some(match name {
        "bool" => (F::Bool, Global),
        "bytes" => (F::Bytes, Global),
        "contains" => (F::Contains, Method),
        "double" => (F::Double, Global),
        "duration" => (F::Duration, Global),
        "dyn" => (F::Dyn, Global),
        "endsWith" => (F::EndsWith, Method),
        "getFullYear" => get(Unit::FullYear),
        "getMonth" => get(Unit::Month),
        "getDayOfYear" => get(Unit::DayOfYear),
        "getDayOfMonth" => get(Unit::DayOfMonth),
        "getDate" => get(Unit::Date),
        "getDayOfWeek" => get(Unit::DayOfWeek),
        "getHours" => get(Unit::Hours),
        "getMinutes" => get(Unit::Minutes),
        "getSeconds" => get(Unit::Seconds),
        "getMilliseconds" => get(Unit::Milliseconds),
        "hasValue" => (F::HasValue, Method),
        "in_cidr" => (F::InCidr, Method),
        "int" => (F::Int, Global),
        "isSubtreeOf" => (F::IsSubtreeOf, Method),
        "matches" => (F::Matches, Either),
        "none" => (F::OptionalNone, Optional),
        "of" => (F::OptionalOf, Optional),
        "ofNonZeroValue" => (F::OptionalOfNonZero, Optional),
        "or" => (F::Or, Method),
        "orValue" => (F::OrValue, Method),
        "size" => (F::Size, Either),
        "startsWith" => (F::StartsWith, Method),
        "string" => (F::String, Global),
        "timestamp" => (F::Timestamp, Global),
        "type" => (F::Type, Global),
        "uint" => (F::Uint, Global),
        "value" => (F::Value, Method),
        _ => return None,
    })
}

/// The function called by a plain name.
pub(crate) fn global(name: &str) -> Option<Function> {
    named(name)
        .filter(|(_, style)| matches!(style, Style::Global | Style::Either))
        .map(|(function, _)| function)
}

/// The function called by a name behind a value and a dot.
pub(crate) fn method(name: &str) -> Option<Function> {
    named(name)
        .filter(|(_, style)| matches!(style, Style::Method | Style::Either))
        .map(|(function, _)| function)
}

/// The function called by a name behind `optional.`.
pub(crate) fn optional(name: &str) -> Option<Function> {
    named(name).filter(|(_, style)| *style == Style::Optional).map(|(function, _)| function)
}

/// One way to call a function: the types it takes, with the receiver first, and the type it gives.
pub(crate) type Signature = (Vec<Ty>, Ty);

fn unary(result: &Ty, arguments: &[Ty]) -> Vec<Signature> {
    arguments.iter().map(|argument| (vec![argument.clone()], result.clone())).collect()
}

/// All ways to call a function.
pub(crate) fn signatures(function: Function, substitution: &mut Substitution) -> Vec<Signature> {
    use Function as F;
    use Ty::{Bool, Bytes, Double, Duration, Int, String, Timestamp, Uint};
    let list = |element: &Ty| Ty::List(Box::new(element.clone()));
    let optional = |inner: &Ty| Ty::Optional(Box::new(inner.clone()));
    let any_map = || Ty::Map(Box::new(String), Box::new(Ty::Dyn));
    match function {
        F::Bool => unary(&Bool, &[Bool, String]),
        F::Bytes => unary(&Bytes, &[Bytes, String]),
        F::Contains | F::EndsWith | F::StartsWith | F::Matches => vec![(vec![String, String], Bool)],
        F::Double => unary(&Double, &[Double, Int, String, Uint]),
        F::Duration => unary(&Duration, &[Duration, String]),
        F::Dyn => vec![(vec![substitution.fresh()], Ty::Dyn)],
        F::Get(part, _) => {
            let mut all = vec![(vec![Timestamp], Int), (vec![Timestamp, String], Int)];
            if part == Part::Clock {
                all.push((vec![Duration], Int));
            }
            all
        }
        F::InCidr => vec![(vec![Ty::IpAddress, String], Bool)],
        F::Int => unary(&Int, &[Int, Double, Duration, String, Timestamp, Uint]),
        F::IsSubtreeOf => vec![(vec![any_map(), any_map()], Bool)],
        F::Size => {
            let (element, key) = (substitution.fresh(), substitution.fresh());
            let map = Ty::Map(Box::new(key), Box::new(element.clone()));
            unary(&Int, &[Bytes, list(&element), map, String])
        }
        F::String => unary(&String, &[String, Bool, Bytes, Double, Duration, Int, Timestamp, Uint]),
        F::Timestamp => unary(&Timestamp, &[Timestamp, Int, String]),
        F::Uint => unary(&Uint, &[Uint, Double, Int, String]),
        F::Type => {
            let inner = substitution.fresh();
            vec![(vec![inner.clone()], Ty::Type(Box::new(inner)))]
        }
        F::OptionalNone => vec![(vec![], optional(&substitution.fresh()))],
        F::OptionalOf | F::OptionalOfNonZero => {
            let inner = substitution.fresh();
            vec![(vec![inner.clone()], optional(&inner))]
        }
        F::HasValue => vec![(vec![optional(&substitution.fresh())], Bool)],
        F::Value => {
            let inner = substitution.fresh();
            vec![(vec![optional(&inner)], inner)]
        }
        F::Or => {
            let inner = optional(&substitution.fresh());
            vec![(vec![inner.clone(), inner.clone()], inner)]
        }
        F::OrValue => {
            let inner = substitution.fresh();
            vec![(vec![optional(&inner), inner.clone()], inner)]
        }
    }
}
