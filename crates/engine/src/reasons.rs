//! Why a value is conditional: parameters that nobody gave, and caveats that could not be evaluated.
//!
//! A caveat that fails is an unknown value like any other. Only when the final value is still open because of it is
//! there no answer, so no order of walking decides which error comes back.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::query::QueryError;

/// One thing a conditional value depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A parameter that nobody gave.
    Missing(SmolStr),
    /// A caveat that could not be evaluated.
    Fault(Arc<QueryError>),
}

/// The reasons of one or more conditional values, put in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// The missing parameters, sorted, each once.
    pub(crate) missing: Vec<SmolStr>,
    /// The first of the faults by caveat name, then by text.
    pub(crate) fault: Option<Arc<QueryError>>,
}

impl Summary {
    /// Puts reasons in order.
    pub(crate) fn of(reasons: Vec<Reason>) -> Summary {
        let mut summary = Summary::default();
        if reasons.is_empty() {
            return summary;
        }
        for reason in reasons {
            match reason {
                Reason::Missing(name) => summary.missing.push(name),
                Reason::Fault(fault) => summary.add_fault(fault),
            }
        }
        summary.missing.sort_unstable();
        summary.missing.dedup();
        summary
    }

    fn add_fault(&mut self, fault: Arc<QueryError>) {
        let rank = |fault: &QueryError| (fault.failed_caveat().cloned(), fault.to_string());
        match &self.fault {
            Some(first) if Arc::ptr_eq(first, &fault) || rank(first) <= rank(&fault) => {}
            _ => self.fault = Some(fault),
        }
    }

    /// Takes in another summary.
    pub(crate) fn merge(&mut self, other: &Summary) {
        for name in &other.missing {
            if let Err(at) = self.missing.binary_search(name) {
                self.missing.insert(at, name.clone());
            }
        }
        self.merge_fault(other);
    }

    /// Takes in the fault of another summary.
    pub(crate) fn merge_fault(&mut self, other: &Summary) {
        if let Some(fault) = &other.fault {
            self.add_fault(Arc::clone(fault));
        }
    }

    /// The missing parameters, or the fault for which there is no answer.
    pub(crate) fn into_missing(self) -> Result<Vec<SmolStr>, QueryError> {
        match self.fault {
            Some(fault) => Err(Arc::unwrap_or_clone(fault)),
            None => Ok(self.missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(caveat: &str, message: &str) -> Reason {
        Reason::Fault(Arc::new(QueryError::CaveatEvaluation {
            caveat: caveat.into(),
            message: message.into(),
        }))
    }

    #[test]
    fn the_first_fault_does_not_depend_on_order() {
        let reasons = [
            fault("two", "a"),
            Reason::Missing("pb".into()),
            fault("one", "z"),
            Reason::Missing("pa".into()),
            fault("one", "b"),
            Reason::Missing("pb".into()),
        ];
        let mut turned = reasons.to_vec();
        turned.reverse();
        let summary = Summary::of(reasons.to_vec());
        assert_eq!(summary, Summary::of(turned));
        assert_eq!(summary.missing, ["pa", "pb"]);
        let first = QueryError::CaveatEvaluation { caveat: "one".into(), message: "b".into() };
        assert_eq!(summary.into_missing(), Err(first));
    }
}
