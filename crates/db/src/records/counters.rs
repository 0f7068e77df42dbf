//! Registered counters: name -> the filter of the relationships it counts.

use std::borrow::Cow;
use std::ops::ControlFlow;

use pemba_model::{RelationFilter, RelationshipFilter, SmolStr, SubjectFilter};

use super::codec::{self, BorrowDecode, Encode};
use super::{RecordError, key, scan};
use crate::store::{Batch, Family, Store};

/// Counters share the family of what the store says about itself: they are few, and there from the first version on.
const FAMILY: Family = Family::Meta;
const VERSION: u8 = 1;
const KIND: &[u8] = b"counter/";
/// The first key behind those of counters.
const KIND_END: &[u8] = b"counter0";

/// A counter that was registered or, without a filter, unregistered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterChange {
    /// Its name.
    pub name: SmolStr,
    /// What it counts from then on.
    pub filter: Option<RelationshipFilter>,
}

#[derive(Debug, Clone, Encode, BorrowDecode)]
pub(super) struct StoredChange<'a> {
    name: Cow<'a, str>,
    filter: Option<StoredFilter<'a>>,
}

#[derive(Debug, Clone, Encode, BorrowDecode)]
struct StoredFilter<'a> {
    resource_type: Option<Cow<'a, str>>,
    resource_id: Option<Cow<'a, str>>,
    resource_id_prefix: Option<Cow<'a, str>>,
    relation: Option<Cow<'a, str>>,
    subject: Option<StoredSubject<'a>>,
}

#[derive(Debug, Clone, Encode, BorrowDecode)]
struct StoredSubject<'a> {
    subject_type: Cow<'a, str>,
    subject_id: Option<Cow<'a, str>>,
    relation: StoredRelation<'a>,
}

#[derive(Debug, Clone, Encode, BorrowDecode)]
enum StoredRelation<'a> {
    Any,
    None,
    Is(Cow<'a, str>),
}

/// The key of a counter; keys sort by name.
pub fn key(name: &str) -> Vec<u8> {
    [key::PREFIX.as_slice(), KIND, name.as_bytes()].concat()
}

/// Records what a counter is from now on.
pub fn put(batch: &mut Batch, change: &CounterChange) -> Result<(), RecordError> {
    match &change.filter {
        Some(filter) => {
            let value = codec::encode(VERSION, &StoredFilter::of(filter))
                .map_err(|reason| RecordError::Unencodable { family: FAMILY, reason })?;
            batch.put(FAMILY, key(&change.name), value);
        }
        None => {
            batch.delete(FAMILY, key(&change.name));
        }
    }
    Ok(())
}

/// Visits every counter by name; the visitor's first error ends it.
pub fn each<E: From<RecordError>>(
    store: &dyn Store,
    mut visit: impl FnMut(SmolStr, RelationshipFilter) -> Result<(), E>,
) -> Result<(), E> {
    let end = [key::PREFIX.as_slice(), KIND_END].concat();
    scan(store, FAMILY, &key(""), &end, |key, value| {
        let name = decode_key(key)?;
        let filter = codec::decode::<StoredFilter<'_>>(VERSION, value)
            .map_err(|reason| RecordError::damaged(FAMILY, key, reason))?;
        visit(name, filter.read())?;
        Ok(ControlFlow::Continue(()))
    })
}

fn decode_key(bytes: &[u8]) -> Result<SmolStr, RecordError> {
    let name = bytes.strip_prefix(key("").as_slice()).and_then(|name| std::str::from_utf8(name).ok());
    match name {
        Some(name) if !name.is_empty() => Ok(SmolStr::new(name)),
        _ => Err(RecordError::damaged(FAMILY, bytes, "key is not that of a counter")),
    }
}

impl<'a> StoredChange<'a> {
    pub(super) fn of(change: &'a CounterChange) -> StoredChange<'a> {
        let filter = change.filter.as_ref().map(StoredFilter::of);
        StoredChange { name: Cow::Borrowed(&change.name), filter }
    }

    pub(super) fn read(&self) -> CounterChange {
        CounterChange { name: SmolStr::new(&self.name), filter: self.filter.as_ref().map(StoredFilter::read) }
    }
}

impl<'a> StoredFilter<'a> {
    fn of(filter: &'a RelationshipFilter) -> StoredFilter<'a> {
        StoredFilter {
            resource_type: borrowed(filter.resource_type.as_ref()),
            resource_id: borrowed(filter.resource_id.as_ref()),
            resource_id_prefix: borrowed(filter.resource_id_prefix.as_ref()),
            relation: borrowed(filter.relation.as_ref()),
            subject: filter.subject.as_ref().map(|subject| StoredSubject {
                subject_type: Cow::Borrowed(&subject.subject_type),
                subject_id: borrowed(subject.subject_id.as_ref()),
                relation: match &subject.relation {
                    RelationFilter::Any => StoredRelation::Any,
                    RelationFilter::NoRelation => StoredRelation::None,
                    RelationFilter::Is(relation) => StoredRelation::Is(Cow::Borrowed(relation)),
                },
            }),
        }
    }

    fn read(&self) -> RelationshipFilter {
        RelationshipFilter {
            resource_type: owned(self.resource_type.as_ref()),
            resource_id: owned(self.resource_id.as_ref()),
            resource_id_prefix: owned(self.resource_id_prefix.as_ref()),
            relation: owned(self.relation.as_ref()),
            subject: self.subject.as_ref().map(|subject| SubjectFilter {
                subject_type: SmolStr::new(&subject.subject_type),
                subject_id: owned(subject.subject_id.as_ref()),
                relation: match &subject.relation {
                    StoredRelation::Any => RelationFilter::Any,
                    StoredRelation::None => RelationFilter::NoRelation,
                    StoredRelation::Is(relation) => RelationFilter::Is(SmolStr::new(relation)),
                },
            }),
        }
    }
}

fn borrowed(text: Option<&SmolStr>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(text.as_str()))
}

fn owned(text: Option<&Cow<'_, str>>) -> Option<SmolStr> {
    text.map(SmolStr::new)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::generate;
    use super::*;
    use crate::store::{BatchOp, MemoryStore};

    fn filter() -> impl Strategy<Value = RelationshipFilter> {
        let text = || prop::option::of(generate::name());
        let relation = prop_oneof![
            Just(RelationFilter::Any),
            Just(RelationFilter::NoRelation),
            generate::name().prop_map(RelationFilter::Is),
        ];
        let subject =
            (generate::name(), text(), relation).prop_map(|(subject_type, subject_id, relation)| {
                SubjectFilter { subject_type, subject_id, relation }
            });
        (text(), text(), text(), text(), prop::option::of(subject)).prop_map(
            |(resource_type, resource_id, resource_id_prefix, relation, subject)| RelationshipFilter {
                resource_type,
                resource_id,
                resource_id_prefix,
                relation,
                subject,
            },
        )
    }

    pub(in crate::records) fn change() -> impl Strategy<Value = CounterChange> {
        (generate::name(), prop::option::of(filter()))
            .prop_map(|(name, filter)| CounterChange { name, filter })
    }

    /// A change with everything in it, for golden bytes.
    pub(in crate::records) fn full_change() -> CounterChange {
        let subject = SubjectFilter {
            subject_type: "group".into(),
            subject_id: Some("eng".into()),
            relation: RelationFilter::Is("member".into()),
        };
        CounterChange {
            name: "docs".into(),
            filter: Some(RelationshipFilter {
                resource_type: Some("doc".into()),
                resource_id: None,
                resource_id_prefix: Some("a".into()),
                relation: Some("viewer".into()),
                subject: Some(subject),
            }),
        }
    }

    /// The filter of `full_change` as it is stored.
    pub(in crate::records) const FULL_FILTER: &[u8] =
        b"\x01\x03doc\x00\x01\x01a\x01\x06viewer\x01\x05group\x01\x03eng\x02\x06member";

    fn stored(changes: &[CounterChange]) -> MemoryStore {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for change in changes {
            put(&mut batch, change).unwrap();
        }
        store.write(batch).unwrap();
        store
    }

    fn all(store: &MemoryStore) -> Result<Vec<CounterChange>, RecordError> {
        let mut found = Vec::new();
        each(store, |name, filter| {
            found.push(CounterChange { name, filter: Some(filter) });
            Ok::<_, RecordError>(())
        })
        .map(|()| found)
    }

    proptest! {
        #[test]
        fn filters_round_trip(filter in filter()) {
            let change = CounterChange { name: "docs".into(), filter: Some(filter) };
            prop_assert_eq!(all(&stored(std::slice::from_ref(&change))).unwrap(), [change]);
        }

        #[test]
        fn damaged_filters_never_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
            let store = MemoryStore::new();
            let mut batch = Batch::new();
            batch.put(FAMILY, key("docs"), value);
            store.write(batch).unwrap();
            let _ = all(&store);
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut batch = Batch::new();
        put(&mut batch, &full_change()).unwrap();
        let value = [&[1], FULL_FILTER].concat();
        let expected =
            BatchOp::Put { family: Family::Meta, key: b"\0\0\0\0counter/docs", value: value.as_slice() };
        assert_eq!(batch.ops().next(), Some(expected));
    }

    #[test]
    fn what_is_unregistered_is_gone_and_names_sort() {
        let counter = |name: &str| CounterChange { name: name.into(), ..full_change() };
        let gone = CounterChange { name: "b_b".into(), filter: None };
        let store = stored(&[counter("zz0"), counter("b_b"), counter("aaa"), gone]);
        let names: Vec<SmolStr> = all(&store).unwrap().into_iter().map(|change| change.name).collect();
        assert_eq!(names, ["aaa", "zz0"]);
    }
}
