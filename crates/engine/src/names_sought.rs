//! A name that is being looked for: each step asks for the memory that the next one reads, so that whoever has something
//! else to do between the steps waits for none.

use crate::ids::Ordinal;
use crate::names::{NameHash, TypeNames};
use crate::names_arena::Unread;
use crate::names_table::Begun;

/// How far the search for an object's number has come.
#[derive(Clone, Copy)]
pub struct Sought<'a>(Stage<'a>);

#[derive(Clone, Copy)]
enum Stage<'a> {
    Known(Option<Ordinal>),
    /// The table's line is asked for.
    Line {
        name: &'a str,
        names: &'a TypeNames,
        hash: NameHash,
        begun: Begun<'a>,
    },
    /// The record that the table leads to is asked for.
    Record {
        name: &'a str,
        names: &'a TypeNames,
        hash: NameHash,
        record: Unread<'a>,
    },
}

impl<'a> Sought<'a> {
    /// A search that has ended.
    pub fn known(ordinal: Option<Ordinal>) -> Sought<'a> {
        Sought(Stage::Known(ordinal))
    }

    pub(crate) fn in_line(
        name: &'a str,
        names: &'a TypeNames,
        hash: NameHash,
        begun: Begun<'a>,
    ) -> Sought<'a> {
        Sought(Stage::Line { name, names, hash, begun })
    }

    /// Takes a step; the number, if this step has found it.
    #[inline]
    pub(crate) fn advance(&mut self) -> Option<Ordinal> {
        match self.0 {
            Stage::Known(_) => None,
            Stage::Line { name, names, hash, begun } => {
                let record = names.candidate(hash, begun);
                self.0 =
                    record.map_or(Stage::Known(None), |record| Stage::Record { name, names, hash, record });
                None
            }
            Stage::Record { name, names, hash, record } => {
                let found = names.settle(hash, record, name);
                self.0 = Stage::Known(found);
                found
            }
        }
    }

    /// The number, whatever steps it takes.
    #[inline]
    pub(crate) fn ordinal(mut self) -> Option<Ordinal> {
        loop {
            if let Stage::Known(ordinal) = self.0 {
                return ordinal;
            }
            self.advance();
        }
    }
}
