//! Answers in three values, joined.

use pemba_engine::{CaveatOutcome, CheckAnswer, Permissionship, QueryError};
use pemba_model::{SmolStr, Timestamp};

/// Yes, whatever the instant.
pub(crate) fn yes() -> CheckAnswer {
    CheckAnswer { permissionship: Permissionship::Yes, ..CheckAnswer::default() }
}

/// No, whatever the instant.
pub(crate) fn no() -> CheckAnswer {
    CheckAnswer::default()
}

/// Yes or no, whatever the instant.
pub(crate) fn either(holds: bool) -> CheckAnswer {
    if holds { yes() } else { no() }
}

/// The earlier of two ends.
pub(crate) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What a caveat's outcome means for what it guards.
pub(crate) fn of_caveat(outcome: CaveatOutcome) -> CheckAnswer {
    match outcome {
        CaveatOutcome::True => yes(),
        CaveatOutcome::False => no(),
        CaveatOutcome::Missing(missing) => {
            CheckAnswer { permissionship: Permissionship::Conditional, missing, valid_until: None }
        }
    }
}

/// Both.
pub(crate) fn and(one: CheckAnswer, other: CheckAnswer) -> CheckAnswer {
    let valid_until = earlier(one.valid_until, other.valid_until);
    let permissionship = one.permissionship.min(other.permissionship);
    let missing = if permissionship == Permissionship::Conditional {
        united(one.missing, other.missing)
    } else {
        Vec::new()
    };
    CheckAnswer { permissionship, missing, valid_until }
}

/// At least one.
pub(crate) fn or(one: CheckAnswer, other: CheckAnswer) -> CheckAnswer {
    let valid_until = earlier(one.valid_until, other.valid_until);
    let permissionship = one.permissionship.max(other.permissionship);
    let missing = if permissionship == Permissionship::Conditional {
        united(one.missing, other.missing)
    } else {
        Vec::new()
    };
    CheckAnswer { permissionship, missing, valid_until }
}

fn united(mut one: Vec<SmolStr>, other: Vec<SmolStr>) -> Vec<SmolStr> {
    one.extend(other);
    one.sort_unstable();
    one.dedup();
    one
}

/// A result that a failing caveat leaves open, together with why: it matters only if nothing else decides.
#[derive(Debug, Default)]
pub(crate) struct Open {
    fault: Option<QueryError>,
}

impl Open {
    /// The answer; a failing caveat is remembered and leaves the answer open, any other error is passed on.
    pub(crate) fn take(
        &mut self,
        answer: Result<CheckAnswer, QueryError>,
    ) -> Result<Option<CheckAnswer>, QueryError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.failed_caveat().is_some() => {
                self.fault.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The first fault remembered.
    pub(crate) fn fault(self) -> Option<QueryError> {
        self.fault
    }
}
