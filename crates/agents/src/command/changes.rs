//! What a command changes, and what is checked alike everywhere.

use pemba_model::{ObjectRef, SmolStr, Timestamp, names};

use crate::error::{Reason, Refused};
use crate::limits::{FORGOTTEN_PER_COMMAND_MAX, LIST_MAX, NAME_MAX_BYTES, TEXT_MAX_BYTES};
use crate::moment::Moment;
use crate::records::{Record, encode};

/// Who gives a command, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The API client's name.
    pub client: SmolStr,
    /// Why, in their words.
    pub reason: String,
}

/// The documents a command puts and removes, the objects that get new incarnations, and the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes<T> {
    /// By key: what is there afterwards.
    pub documents: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Objects whose relationships so far count no more.
    pub reincarnate: Vec<ObjectRef>,
    /// The answer.
    pub reply: T,
}

impl<T> Changes<T> {
    /// No change yet.
    pub fn new(reply: T) -> Changes<T> {
        Changes { documents: Vec::new(), reincarnate: Vec::new(), reply }
    }

    /// Puts a record.
    pub(super) fn put<R: Record>(&mut self, record: &R) -> Result<(), Refused> {
        let value = encode(record).map_err(|error| Refused::new(Reason::NotRecorded, "record", error))?;
        self.set(record.key().0, Some(value));
        Ok(())
    }

    /// Removes a record.
    pub(super) fn remove<R: Record>(&mut self, record: &R) {
        self.set(record.key().0, None);
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.documents.retain(|(other, _)| *other != key);
        self.documents.push((key, value));
    }

    /// Forgets some of what has been over for long. What the command itself changes stays.
    pub(super) fn forget(&mut self, moment: &Moment<'_>) {
        let retention = i64::try_from(moment.limits.retention_ms).unwrap_or(i64::MAX);
        let before = moment.now().plus_millis(retention.saturating_neg());
        for key in moment.book.over_by(before).take(FORGOTTEN_PER_COMMAND_MAX) {
            if !self.documents.iter().any(|(other, _)| *other == key.0) {
                self.documents.push((key.0.clone(), None));
            }
        }
    }
}

/// Checks a free text.
pub(super) fn check_text(field: &str, text: &str) -> Result<(), Refused> {
    within(field, text.len(), TEXT_MAX_BYTES)
}

/// Checks a name given to something outside; it must not be empty.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Refused> {
    if name.is_empty() {
        return Err(Refused::new(Reason::MissingValue, field, "it must not be empty"));
    }
    if name.chars().any(char::is_control) {
        let message = "it must not have control characters";
        return Err(Refused::new(Reason::InvalidValue, field, message));
    }
    within(field, name.len(), NAME_MAX_BYTES)
}

fn within(field: &str, bytes: usize, max: usize) -> Result<(), Refused> {
    if bytes <= max {
        return Ok(());
    }
    Err(Refused::new(Reason::TooMuch, field, format!("it has {bytes} bytes; at most {max} are allowed")))
}

/// Checks the length of a list.
pub(super) fn check_list(field: &str, count: usize) -> Result<(), Refused> {
    crate::scope::check_count(field, count, LIST_MAX)
}

/// Checks the names of an object.
pub(super) fn check_object(field: &str, object: &ObjectRef) -> Result<(), Refused> {
    names::check_object_type(&object.object_type)
        .and_then(|()| names::check_object_id(&object.object_id))
        .map_err(|error| Refused::new(Reason::InvalidValue, field, error.to_string()))
}

/// Checks that an instant lies ahead.
pub(super) fn check_ahead(field: &str, instant: Timestamp, now: Timestamp) -> Result<(), Refused> {
    if instant > now {
        return Ok(());
    }
    let message = format!("{instant} is not after {now}, the server's time");
    Err(Refused::new(Reason::InvalidPeriod, field, message))
}

/// Milliseconds as the clock counts them.
pub(super) fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
