//! `CheckPermissionRequest`.

use super::fields::{Object, Subject, Wanted, each, once, relation};

/// A check without a context and a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check<'a> {
    /// At which revision.
    pub wanted: Wanted<'a>,
    /// On what.
    pub resource: Object<'a>,
    /// What for.
    pub permission: &'a str,
    /// Who.
    pub subject: Subject<'a>,
}

impl<'a> Check<'a> {
    /// The request, if it is a common one.
    pub fn read(message: &'a [u8]) -> Option<Check<'a>> {
        let (mut wanted, mut resource, mut permission, mut subject) = (None, None, None, None);
        each(message, |number, raw| match number {
            1 => once(&mut wanted, Wanted::read(raw)),
            2 => once(&mut resource, Object::read(raw)),
            3 => once(&mut permission, relation(raw)),
            4 => once(&mut subject, Subject::read(raw)),
            _ => None,
        })?;
        Some(Check {
            wanted: wanted.unwrap_or_default(),
            resource: resource?,
            permission: permission?,
            subject: subject?,
        })
    }
}
