//! How conjuncts add up: until one says no, or all of them when somebody wants to know.

use pemba_engine::{CheckAnswer, Permissionship, QueryError};
use pemba_model::Timestamp;

use super::conjunct::{Limit, Part};
use crate::answer;

/// One conjunct with its answer, for explanations.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) part: Part,
    pub(super) answer: Result<CheckAnswer, QueryError>,
    pub(super) limit: Option<Limit>,
}

/// The conjunction so far.
#[derive(Debug)]
pub(super) struct Evaluation {
    answer: CheckAnswer,
    limit: Option<Limit>,
    /// The first failing caveat: it matters unless something says no.
    fault: Option<QueryError>,
    taken: Option<Vec<Taken>>,
}

/// What a conjunction came to.
#[derive(Debug)]
pub(super) struct Concluded {
    pub(super) answer: CheckAnswer,
    pub(super) limit: Option<Limit>,
    pub(super) taken: Vec<Taken>,
}

impl Evaluation {
    /// An empty conjunction; `whole` takes every conjunct and remembers it, else the first no ends it.
    pub(super) fn new(whole: bool) -> Evaluation {
        Evaluation { answer: answer::yes(), limit: None, fault: None, taken: whole.then(Vec::new) }
    }

    /// Whether nothing can change the answer any more.
    pub(super) fn is_decided(&self) -> bool {
        self.taken.is_none() && self.is_no()
    }

    /// Whether some conjunct said no.
    pub(super) fn is_no(&self) -> bool {
        self.answer.permissionship == Permissionship::No
    }

    /// Takes one conjunct that holds until an instant. What most conjuncts of most decisions do, so it costs little.
    pub(super) fn hold(&mut self, part: Part, until: Option<Timestamp>) {
        if self.is_decided() {
            return;
        }
        if !self.is_no() {
            self.answer.valid_until = answer::earlier(self.answer.valid_until, until);
        }
        if let Some(all) = &mut self.taken {
            let answer = Ok(CheckAnswer { valid_until: until, ..answer::yes() });
            all.push(Taken { part, answer, limit: None });
        }
    }

    /// Takes one conjunct. An error that is not a failing caveat ends the evaluation.
    pub(super) fn take(
        &mut self,
        part: Part,
        limit: impl FnOnce() -> Limit,
        evaluate: impl FnOnce() -> Result<CheckAnswer, QueryError>,
    ) -> Result<(), QueryError> {
        if self.is_decided() {
            return Ok(());
        }
        let taken = evaluate();
        let limit = match &taken {
            Ok(answer) if answer.permissionship == Permissionship::Yes => {
                self.hold(part, answer.valid_until);
                return Ok(());
            }
            _ => limit(),
        };
        match &taken {
            Ok(answer) => self.and(answer.clone(), limit.clone()),
            Err(error) if error.failed_caveat().is_some() => {
                self.fault.get_or_insert_with(|| error.clone());
            }
            Err(error) => return Err(error.clone()),
        }
        if let Some(all) = &mut self.taken {
            all.push(Taken { part, answer: taken, limit: Some(limit) });
        }
        Ok(())
    }

    fn and(&mut self, other: CheckAnswer, limit: Limit) {
        let turns_no = other.permissionship == Permissionship::No && !self.is_no();
        if turns_no || self.limit.is_none() {
            self.limit = Some(limit);
        }
        if self.is_no() {
            return;
        }
        let before = std::mem::take(&mut self.answer);
        self.answer = answer::and(before, other);
    }

    /// The whole answer; an error if a failing caveat is all that keeps it open.
    pub(super) fn conclude(self) -> Result<Concluded, QueryError> {
        if self.answer.permissionship != Permissionship::No
            && let Some(fault) = self.fault
        {
            return Err(fault);
        }
        Ok(Concluded { answer: self.answer, limit: self.limit, taken: self.taken.unwrap_or_default() })
    }
}
