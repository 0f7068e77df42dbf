//! Who is one person behind several accounts.

use pemba_model::{ObjectRef, SmolStr};

use crate::book::Book;

/// The person behind an account, where one is known.
pub(crate) fn person_of(book: &Book, account: &ObjectRef) -> Option<SmolStr> {
    book.human(account).and_then(|human| human.person.clone())
}

/// Whether two accounts are the same, or of one person.
pub(crate) fn is_one_person(book: &Book, one: &ObjectRef, other: &ObjectRef) -> bool {
    was_by(book, (one, None), other)
}

/// Whether what an account did was done by whoever is behind another one. The person behind the first is the one that was
/// written down then, or the one that is known now.
pub(crate) fn was_by(
    book: &Book,
    (account, then): (&ObjectRef, Option<&SmolStr>),
    other: &ObjectRef,
) -> bool {
    account == other
        || person_of(book, other).is_some_and(|person| {
            then == Some(&person) || person_of(book, account).is_some_and(|now| now == person)
        })
}
