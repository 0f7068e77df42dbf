//! Pages of records: bounded results, and bounded work to find them.

use pemba_agents::{Reason, Refused};
use pemba_model::Revision;
use pemba_model::limits::CURSOR_MAX_BYTES;
use prost::Message;
use tonic::Status;

use crate::cursor::{Call, Cursor, Position, Scope};
use crate::errors;
use crate::state::State;

/// Results of a page when the request says nothing, and most it may ask for.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
/// Most records looked at for one page: with a filter that few records pass, a page may have fewer results than asked
/// for, or none, and still a cursor.
const LOOKED_AT_MAX: usize = 10_000;

/// A page that is asked for.
pub(crate) struct Asked<P> {
    /// Most results.
    limit: usize,
    /// Where the page before ended.
    pub(crate) after: Option<P>,
    scope: Scope,
}

/// A page.
pub(crate) struct Page<T> {
    /// The results.
    pub(crate) items: Vec<T>,
    /// Where to go on; empty on the last page.
    pub(crate) cursor: String,
}

impl<P: Position + Clone> Asked<P> {
    /// Reads what a list request says. `same` is the request without limit and cursor: a cursor goes with it alone.
    pub(crate) fn read(
        state: &State,
        call: Call,
        same: &impl Message,
        limit: u32,
        cursor: &str,
    ) -> Result<Asked<P>, Status> {
        let scope = Scope::new(call, state.database()?.database_id(), &same.encode_to_vec());
        Asked::of(scope, limit, cursor).map_err(|refused| errors::agents(&refused))
    }

    /// Reads what a request says; `scope` is that of the call without limit and cursor.
    fn of(scope: Scope, limit: u32, cursor: &str) -> Result<Asked<P>, Refused> {
        if limit > LIMIT_MAX {
            let message = format!("{limit} is given; at most {LIMIT_MAX} is allowed");
            return Err(Refused::new(Reason::InvalidValue, "limit", message));
        }
        let wrong = |message: String| Refused::new(Reason::InvalidValue, "cursor", message);
        if cursor.len() > CURSOR_MAX_BYTES {
            return Err(wrong(format!(
                "it has {} bytes; at most {CURSOR_MAX_BYTES} are allowed",
                cursor.len()
            )));
        }
        let after = match cursor {
            "" => None,
            text => Some(scope.decode(text).map_err(|error| wrong(error.to_string()))?.position),
        };
        let limit = if limit == 0 { LIMIT_DEFAULT } else { limit };
        Ok(Asked { limit: usize::try_from(limit).unwrap_or(usize::MAX), after, scope })
    }

    /// Takes from records, which begin after `after` and are in order, those that `keep` makes a result of. `keep` also
    /// says for how many a record counts that took more work to look at than others.
    pub(crate) fn take<R, T, E>(
        &self,
        revision: Revision,
        records: impl Iterator<Item = (P, R)>,
        mut keep: impl FnMut(R) -> Result<(Option<T>, usize), E>,
    ) -> Result<Page<T>, E> {
        let mut items = Vec::new();
        let mut last = None;
        let mut looked_at = 0_usize;
        for (position, record) in records {
            if items.len() >= self.limit || looked_at >= LOOKED_AT_MAX {
                let cursor = last.map(|position| self.scope.encode(Cursor { revision, position }));
                return Ok(Page { items, cursor: cursor.unwrap_or_default() });
            }
            let (item, work) = keep(record)?;
            items.extend(item);
            looked_at = looked_at.saturating_add(work);
            last = Some(position);
        }
        Ok(Page { items, cursor: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(limit: u32, cursor: &str) -> Result<Asked<u128>, Refused> {
        Asked::of(Scope::new(Call::ListSessions, 7, b""), limit, cursor)
    }

    fn page(limit: u32, cursor: &str, count: u128, each: u128) -> Page<u128> {
        let asked = asked(limit, cursor).unwrap();
        let records = (asked.after.map_or(0, |after| after + 1)..count).map(|id| (id, id));
        let keep = |id: u128| Ok::<_, Refused>((id.is_multiple_of(each).then_some(id), 1));
        asked.take(Revision(1), records, keep).unwrap()
    }

    #[test]
    fn pages_follow_one_another_without_gaps() {
        let (mut all, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let next = page(3, &cursor, 10, 1);
            all.extend(next.items);
            pages += 1;
            cursor = next.cursor;
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!((all, pages), ((0..10).collect(), 4));
        assert_eq!(page(0, "", 250, 1).items.len(), 100);
    }

    #[test]
    fn a_page_that_looked_at_much_ends_with_a_cursor() {
        let first = page(3, "", 25_000, 24_000);
        assert_eq!((first.items.as_slice(), first.cursor.is_empty()), (&[0][..], false));
        let second = page(3, &first.cursor, 25_000, 24_000);
        assert_eq!((second.items.len(), second.cursor.is_empty()), (0, false));
        let third = page(3, &second.cursor, 25_000, 24_000);
        assert_eq!((third.items.as_slice(), third.cursor.as_str()), (&[24_000][..], ""));
    }

    #[test]
    fn a_limit_above_the_greatest_is_refused() {
        let refused = asked(1001, "").err().unwrap();
        assert_eq!((refused.field.as_str(), refused.reason), ("limit", Reason::InvalidValue));
        assert!(refused.message.contains("1000"), "{}", refused.message);
        assert_eq!(asked(1, "nonsense").err().unwrap().field, "cursor");
    }
}
