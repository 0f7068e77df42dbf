//! The differences that are meant: one narrow rule each, with its reason. Each is in `docs/differences.md` too.

use tonic::Code;

use super::answer::{Answer, Fault};
use super::oracle::Kind;
use super::step::Step;

/// The name of the rule that a difference falls under; `None` when none does.
pub fn rule(step: &Step, pemba: &Answer, oracle: &Answer, kind: Kind) -> Option<&'static str> {
    if let (Answer::Fault(ours), Answer::Fault(theirs)) = (pemba, oracle) {
        return faults(step, ours, theirs, kind);
    }
    if let Answer::Fault(theirs) = oracle {
        return only_theirs(theirs);
    }
    None
}

/// Both refuse, in different words.
fn faults(_step: &Step, ours: &Fault, theirs: &Fault, kind: Kind) -> Option<&'static str> {
    // The library gives the code of a unary call's error, and nothing else.
    if kind == Kind::Library && ours.code == theirs.code && theirs.reason.is_empty() {
        return Some("library-has-no-reasons");
    }
    // An error without a proper code is a gap, named in the table.
    if theirs.code == Code::Unknown && ours.reason == "CAVEAT_PARAMETER_TYPE_ERROR" {
        return Some("caveat-values-on-relationships-have-a-code");
    }
    None
}

/// SpiceDB refuses, Pemba answers.
fn only_theirs(theirs: &Fault) -> Option<&'static str> {
    if theirs.reason == "MAXIMUM_DEPTH_EXCEEDED" {
        return Some("cycles-are-answered");
    }
    None
}
