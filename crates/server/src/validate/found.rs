//! What is wrong with a request: every rule it breaks, as far as an error may carry them.

use pemba_proto::buf::validate::Violation;

use super::rule::Rule;
use super::{Checked, Path};

/// Faults that an error names; the rest are counted.
const FAULTS_MAX: usize = 32;

/// A value outside its grammar or limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// The path of the field, as `updates[3].relationship.relation`.
    pub(crate) field: String,
    /// What is wrong, with the value and the bound.
    pub(crate) description: String,
    /// The rule as clients of the interface know it, if it is one of those.
    pub(crate) violation: Option<Violation>,
}

/// Values outside their grammar or limit, in the order of the request's fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Invalid {
    /// The first of them.
    pub(crate) first: Box<Fault>,
    /// The next, not all where there are many.
    pub(crate) others: Vec<Fault>,
    /// How many more there are.
    pub(crate) unnamed: usize,
}

impl Invalid {
    /// The value at `path` is wrong, by a rule that is no rule of one field.
    pub(crate) fn at(path: Path<'_>, description: impl Into<String>) -> Invalid {
        let first = Fault { field: path.to_string(), description: description.into(), violation: None };
        Invalid { first: Box::new(first), others: Vec::new(), unnamed: 0 }
    }
}

/// Gathers the rules that one request breaks.
#[derive(Debug)]
pub(crate) struct Found {
    /// The full name of the request's message, where clients know the rules of its fields.
    message: Option<&'static str>,
    faults: Vec<Fault>,
    unnamed: usize,
}

impl Found {
    /// Nothing yet, in a request of `authzed.api.v1` whose message has this full name.
    pub(super) fn in_message(message: &'static str) -> Found {
        Found { message: Some(message), faults: Vec::new(), unnamed: 0 }
    }

    /// Nothing yet, in a request that only Pemba has.
    pub(super) fn in_own_message() -> Found {
        Found { message: None, faults: Vec::new(), unnamed: 0 }
    }

    /// The value at `path` breaks a rule.
    pub(super) fn breaks(&mut self, path: Path<'_>, rule: Rule, description: impl Into<String>) {
        if self.faults.len() == FAULTS_MAX {
            self.unnamed += 1;
            return;
        }
        let violation = self.message.map(|message| rule.violation(message, &path.steps()));
        self.faults.push(Fault { field: path.to_string(), description: description.into(), violation });
    }

    /// Everything that was found, if anything.
    pub(super) fn checked(self) -> Checked {
        let mut faults = self.faults.into_iter();
        match faults.next() {
            None => Ok(()),
            Some(first) => {
                Err(Invalid { first: Box::new(first), others: faults.collect(), unnamed: self.unnamed })
            }
        }
    }
}
