//! `CheckBulkPermissionsRequest`.

use super::fields::{Object, Subject, Wanted, each, field_len, once, relation_after};

/// A bulk check without contexts and traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk<'a> {
    /// At which revision.
    pub wanted: Wanted<'a>,
    /// In the order of the request.
    pub items: Vec<Item<'a>>,
}

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// The whole item as it came.
    pub message: &'a [u8],
    /// On what.
    pub resource: Object<'a>,
    /// What for.
    pub permission: &'a str,
    /// Who.
    pub subject: Subject<'a>,
}

impl<'a> Bulk<'a> {
    /// The request, if it is a common one with at most `items_max` items.
    pub fn read(message: &'a [u8], items_max: usize) -> Option<Bulk<'a>> {
        let (mut wanted, mut items) = (None, Vec::new());
        each(message, |number, raw| match number {
            1 => once(&mut wanted, Wanted::read(raw)),
            2 if items.len() < items_max => {
                let item = Item::read(raw.bytes().ok()?, items.last())?;
                items.push(item);
                Some(())
            }
            _ => None,
        })?;
        Some(Bulk { wanted: wanted.unwrap_or_default(), items })
    }
}

impl<'a> Item<'a> {
    /// What is the same as in the item before was looked at there.
    fn read(message: &'a [u8], before: Option<&Item<'a>>) -> Option<Item<'a>> {
        let (mut resource, mut permission, mut subject) = (None, None, None);
        let known = before.map(|before| (before.resource, before.permission, before.subject.object));
        each(message, |number, raw| match number {
            1 => once(&mut resource, Object::read_after(raw, known.map(|(resource, ..)| resource))),
            2 => once(&mut permission, relation_after(raw, known.map(|(_, permission, _)| permission))),
            3 => once(&mut subject, Subject::read_after(raw, known.map(|(.., subject)| subject))),
            _ => None,
        })?;
        let item = Item { message, resource: resource?, permission: permission?, subject: subject? };
        // The answer repeats it as it came, so it must be as the generated code would write it.
        let shortest = field_len(item.resource.encoded_len())
            + field_len(item.permission.len())
            + field_len(item.subject.encoded_len());
        (message.len() == shortest).then_some(item)
    }
}
