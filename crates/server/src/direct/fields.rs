//! The parts that requests share.

use pemba_model::{ObjectRef, SmolStr, SubjectRef, names};
use prost::encoding::encoded_len_varint;

use crate::raw::{Fields, Raw};

/// An object whose names are within their grammars; never the wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its type.
    pub object_type: &'a str,
    /// Its id.
    pub object_id: &'a str,
}

/// A subject whose names are within their grammars; never the wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The object.
    pub object: Object<'a>,
    /// The relation of a userset.
    pub relation: Option<&'a str>,
}

/// Which revision a request asks for; tokens are not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted<'a> {
    /// Any that is quick to read; also when a request says nothing.
    #[default]
    MinimizeLatency,
    /// At least that of a token.
    AtLeastAsFresh(&'a str),
    /// Exactly that of a token.
    AtExactSnapshot(&'a str),
    /// The newest.
    FullyConsistent,
}

/// Sets a field that may come once.
pub(super) fn once<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    match place.replace(value?) {
        None => Some(()),
        Some(_) => None,
    }
}

/// Shows each field to `visit`; `None` when it says so, when this is no message, or when its fields are not in order.
pub(super) fn each<'a>(message: &'a [u8], mut visit: impl FnMut(u32, Raw<'a>) -> Option<()>) -> Option<()> {
    let mut last = 0;
    for field in Fields::new(message) {
        let (number, raw) = field.ok()?;
        if number < std::mem::replace(&mut last, number) {
            return None;
        }
        visit(number, raw)?;
    }
    Some(())
}

/// Bytes that a field with a number below 16 takes when it holds so many.
pub(super) fn field_len(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

pub(super) fn text(raw: Raw<'_>) -> Option<&str> {
    std::str::from_utf8(raw.bytes().ok()?).ok()
}

/// A text that is as it must be, or the same as one that is known to be.
fn name<'a>(raw: Raw<'a>, known: Option<&str>, is_fit: impl Fn(&str) -> bool) -> Option<&'a str> {
    let text = text(raw)?;
    (known == Some(text) || is_fit(text)).then_some(text)
}

/// A relation or permission that must be given.
pub(super) fn relation(raw: Raw<'_>) -> Option<&str> {
    relation_after(raw, None)
}

/// The same, where it is mostly one that was read before.
pub(super) fn relation_after<'a>(raw: Raw<'a>, known: Option<&str>) -> Option<&'a str> {
    name(raw, known, names::is_relation)
}

impl<'a> Object<'a> {
    pub(super) fn read(raw: Raw<'a>) -> Option<Object<'a>> {
        Object::read_after(raw, None)
    }

    /// The same, where much of it is mostly as in one that was read before.
    pub(super) fn read_after(raw: Raw<'a>, known: Option<Object<'a>>) -> Option<Object<'a>> {
        let (mut object_type, mut object_id) = (None, None);
        let (known_type, known_id) =
            (known.map(|known| known.object_type), known.map(|known| known.object_id));
        each(raw.bytes().ok()?, |number, raw| match number {
            1 => once(&mut object_type, name(raw, known_type, names::is_object_type)),
            2 => once(&mut object_id, name(raw, known_id, names::is_object_id)),
            _ => None,
        })?;
        Some(Object { object_type: object_type?, object_id: object_id? })
    }

    /// Bytes that its message takes in the shortest form.
    pub(super) fn encoded_len(self) -> usize {
        field_len(self.object_type.len()) + field_len(self.object_id.len())
    }

    pub(crate) fn to_model(self) -> ObjectRef {
        ObjectRef::new(self.object_type, self.object_id)
    }
}

impl<'a> Subject<'a> {
    pub(super) fn read(raw: Raw<'a>) -> Option<Subject<'a>> {
        Subject::read_after(raw, None)
    }

    /// The same, where its object is mostly one that was read before.
    pub(super) fn read_after(raw: Raw<'a>, known: Option<Object<'a>>) -> Option<Subject<'a>> {
        let (mut object, mut relation) = (None, None);
        each(raw.bytes().ok()?, |number, raw| match number {
            1 => once(&mut object, Object::read_after(raw, known)),
            2 => once(&mut relation, self::relation(raw)),
            _ => None,
        })?;
        Some(Subject { object: object?, relation })
    }

    /// Bytes that its message takes in the shortest form.
    pub(super) fn encoded_len(self) -> usize {
        field_len(self.object.encoded_len()) + self.relation.map_or(0, |relation| field_len(relation.len()))
    }

    pub(crate) fn to_model(self) -> SubjectRef {
        SubjectRef { object: self.object.to_model(), relation: self.relation.map(SmolStr::new) }
    }
}

impl<'a> Wanted<'a> {
    pub(super) fn read(raw: Raw<'a>) -> Option<Wanted<'a>> {
        let mut wanted = None;
        each(raw.bytes().ok()?, |number, raw| {
            let one = match (number, raw) {
                (1, Raw::Varint(1)) => Some(Wanted::MinimizeLatency),
                (2, raw) => token(raw).map(Wanted::AtLeastAsFresh),
                (3, raw) => token(raw).map(Wanted::AtExactSnapshot),
                (4, Raw::Varint(1)) => Some(Wanted::FullyConsistent),
                _ => None,
            };
            once(&mut wanted, one)
        })?;
        wanted
    }
}

/// The text of a token's message.
fn token(raw: Raw<'_>) -> Option<&str> {
    let mut token = None;
    each(raw.bytes().ok()?, |number, raw| match number {
        1 => once(&mut token, text(raw).filter(|text| !text.is_empty())),
        _ => None,
    })?;
    token
}
