//! Reading relationships by filter: lazy, in key order, from any place on.

use std::iter::Peekable;
use std::sync::Arc;

use pemba_model::{RelationFilter, RelationshipFilter, Timestamp, WILDCARD_ID};
use pemba_schema::SubjectShape;

use crate::catalog::Kind;
use crate::epoch::EpochTrie;
use crate::graph::{Attributes, Members, MembersIter, QualifiedEdge};
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::snapshot::Snapshot;
use crate::table::{EdgeTable, QualifiedTable};
use crate::table_kind::KindTables;

/// The relationships of a snapshot that match a filter, ascending by key. Ends when there are no more, or at the bound
/// of `limit_steps`: `stopped` tells which.
pub struct Scan<'a, T: EdgeTable = EpochTrie> {
    snapshot: &'a Snapshot<T>,
    filter: &'a RelationshipFilter,
    now: Option<Timestamp>,
    /// Strictly after this one.
    after: Option<EdgeKey>,
    /// The kind to try when `walk` ends.
    next_kind: u32,
    walk: Option<Walk<'a, T>>,
    steps: u64,
    steps_max: u64,
    stopped: bool,
    types: Types,
}

/// The filter's types in numbers; `None` where it names none. A type that was never mentioned ends the scan at once.
#[derive(Default)]
struct Types {
    resource: Option<TypeId>,
    subject: Option<TypeId>,
    unknown: bool,
}

/// The way through one kind.
struct Walk<'a, T: EdgeTable + 'a> {
    kind: KindId,
    resource_type: TypeId,
    path: Path<'a, T>,
}

enum Path<'a, T: EdgeTable + 'a> {
    /// One resource's edges, up to and including a last subject.
    Resource { resource: Ordinal, subjects: Row<'a>, last: Ordinal },
    /// One subject's edges.
    Subject { subject: Ordinal, resources: Row<'a> },
    /// All edges, resource by resource.
    All { rows: Rows<'a, T>, row: Option<(Ordinal, Row<'a>)> },
}

impl<'a, T: EdgeTable> Scan<'a, T> {
    pub(crate) fn new(
        snapshot: &'a Snapshot<T>,
        filter: &'a RelationshipFilter,
        after: Option<EdgeKey>,
        now: Option<Timestamp>,
    ) -> Scan<'a, T> {
        let mut types = Types::default();
        let mut number = |name| {
            let id = snapshot.catalog.type_id(name);
            types.unknown |= id.is_none();
            id
        };
        let resource = filter.resource_type.as_deref().and_then(&mut number);
        let subject = filter.subject.as_ref().and_then(|subject| number(subject.subject_type.as_str()));
        (types.resource, types.subject) = (resource, subject);
        Scan {
            snapshot,
            filter,
            now,
            after,
            next_kind: after.map_or(0, |after| after.kind.0),
            walk: None,
            steps: 0,
            steps_max: u64::MAX,
            stopped: false,
            types,
        }
    }

    /// Ends the scan after this many steps, all told.
    #[must_use]
    pub fn limit_steps(mut self, steps_max: u64) -> Scan<'a, T> {
        self.steps_max = steps_max;
        self
    }

    /// Steps taken so far: kinds, resources and edges looked at, whether or not they matched.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the scan ended at the bound of `limit_steps`, so that there may be more.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Counts one step; false at the bound.
    fn step(&mut self) -> bool {
        if self.steps >= self.steps_max {
            self.stopped = true;
            return false;
        }
        self.steps += 1;
        true
    }

    fn wants_kind(&self, kind: &Kind) -> bool {
        let filter = self.filter;
        self.types.resource.is_none_or(|wanted| wanted == kind.resource_type)
            && self.types.subject.is_none_or(|wanted| wanted == kind.subject_type)
            && filter.relation.as_ref().is_none_or(|wanted| *wanted == kind.relation)
            && filter.subject.as_ref().is_none_or(|subject| {
                let relation_fits = match (&subject.relation, &kind.shape) {
                    (RelationFilter::Any, _) => true,
                    (RelationFilter::NoRelation, SubjectShape::Userset(_)) => false,
                    (RelationFilter::NoRelation, _) => true,
                    (RelationFilter::Is(wanted), SubjectShape::Userset(relation)) => wanted == relation,
                    (RelationFilter::Is(_), _) => false,
                };
                let id_fits = subject
                    .subject_id
                    .as_ref()
                    .is_none_or(|id| (id == WILDCARD_ID) == (kind.shape == SubjectShape::Wildcard));
                relation_fits && id_fits
            })
    }

    fn wants_resource(&self, resource_type: TypeId, resource: Ordinal) -> bool {
        let name = || self.snapshot.names.object_id(resource_type, resource).unwrap_or("");
        self.filter.resource_id_prefix.as_ref().is_none_or(|prefix| name().starts_with(prefix.as_str()))
    }

    /// The way through a kind, from behind `after`; `None` when nothing of it can match.
    fn open(&self, kind_id: KindId) -> Option<Walk<'a, T>> {
        let kind = self.snapshot.catalog.kind(kind_id)?;
        if !self.wants_kind(kind) {
            return None;
        }
        let tables = self.snapshot.tables.get(kind_id)?;
        let names = &self.snapshot.names;
        let subject = match self.filter.subject.as_ref().and_then(|subject| subject.subject_id.as_ref()) {
            None => None,
            Some(id) if id == WILDCARD_ID => Some(Ordinal::WILDCARD),
            Some(id) => Some(names.ordinal(kind.subject_type, id)?),
        };
        let after = self.after.filter(|after| after.kind == kind_id);
        let path = match (&self.filter.resource_id, subject) {
            (Some(id), subject) => {
                let resource = names.ordinal(kind.resource_type, id)?;
                if !self.wants_resource(kind.resource_type, resource) {
                    return None;
                }
                let first = match after.map(|after| (after.resource.cmp(&resource), after.subject.0)) {
                    None | Some((std::cmp::Ordering::Less, _)) => 0,
                    Some((std::cmp::Ordering::Equal, subject)) => subject.checked_add(1)?,
                    Some((std::cmp::Ordering::Greater, _)) => return None,
                };
                let first = subject.map_or(first, |subject| first.max(subject.0));
                let subjects = Row::forward(tables, resource, first);
                Path::Resource { resource, subjects, last: subject.unwrap_or(Ordinal::MAX) }
            }
            (None, Some(subject)) => {
                let first = match after {
                    None => 0,
                    Some(after) if after.subject < subject => after.resource.0,
                    Some(after) => after.resource.0.checked_add(1)?,
                };
                Path::Subject { subject, resources: Row::reverse(tables, subject, first) }
            }
            (None, None) => {
                let first = after.map_or(0, |after| after.resource.0);
                let row = after.and_then(|after| {
                    let rest = Row::forward(tables, after.resource, after.subject.0.checked_add(1)?);
                    self.wants_resource(kind.resource_type, after.resource).then_some((after.resource, rest))
                });
                let mut rows = Rows::new(tables, first);
                if after.is_some() {
                    rows.skip(first);
                }
                Path::All { rows, row }
            }
        };
        Some(Walk { kind: kind_id, resource_type: kind.resource_type, path })
    }

    /// The next edge of the open kind that is not expired; `Err` at the bound of steps.
    fn advance(&mut self, walk: &mut Walk<'a, T>) -> Result<Option<(EdgeKey, Attributes)>, Stopped> {
        loop {
            if !self.step() {
                return Err(Stopped);
            }
            let (resource, subject, attributes) = match &mut walk.path {
                Path::Resource { resource, subjects, last } => match subjects.next() {
                    Some((subject, attributes)) if subject <= *last => (*resource, subject, attributes),
                    _ => return Ok(None),
                },
                Path::Subject { subject, resources } => match resources.next() {
                    Some((resource, _)) if !self.wants_resource(walk.resource_type, resource) => continue,
                    Some((resource, attributes)) => (resource, *subject, attributes),
                    None => return Ok(None),
                },
                Path::All { rows, row } => {
                    let Some((resource, subjects)) = row else {
                        let Some((resource, subjects)) = rows.next() else { return Ok(None) };
                        *row =
                            self.wants_resource(walk.resource_type, resource).then_some((resource, subjects));
                        continue;
                    };
                    let Some((subject, attributes)) = subjects.next() else {
                        *row = None;
                        continue;
                    };
                    (*resource, subject, attributes)
                }
            };
            let expires_at = attributes.and_then(|edge| edge.qualifier.expires_at);
            if self.now.is_some_and(|now| expires_at.is_some_and(|expires_at| expires_at <= now)) {
                continue;
            }
            let key = EdgeKey { kind: walk.kind, resource, subject };
            return Ok(Some((key, attributes.map(|edge| Arc::clone(&edge.qualifier)))));
        }
    }
}

/// The bound of steps was met.
struct Stopped;

impl<T: EdgeTable> Iterator for Scan<'_, T> {
    type Item = (EdgeKey, Attributes);

    fn next(&mut self) -> Option<(EdgeKey, Attributes)> {
        if self.types.unknown {
            return None;
        }
        loop {
            if let Some(mut walk) = self.walk.take() {
                let advanced = self.advance(&mut walk);
                match advanced {
                    Ok(Some(edge)) => {
                        self.walk = Some(walk);
                        return Some(edge);
                    }
                    Ok(None) => {}
                    Err(Stopped) => {
                        self.walk = Some(walk);
                        return None;
                    }
                }
            }
            let kind = KindId(self.next_kind);
            self.snapshot.catalog.kind(kind)?;
            if !self.step() {
                return None;
            }
            self.next_kind += 1;
            self.walk = self.open(kind);
        }
    }
}

/// One row of a kind, plain and qualified edges merged; ascending by the other end.
struct Row<'a> {
    plain: Peekable<MembersIter<'a>>,
    qualified: &'a [QualifiedEdge],
}

impl<'a> Row<'a> {
    fn new(plain: Members<'a>, qualified: &'a [QualifiedEdge], first: u32) -> Row<'a> {
        let skipped = qualified.partition_point(|edge| edge.other.0 < first);
        Row {
            plain: plain.iter_from(Ordinal(first)).peekable(),
            qualified: qualified.get(skipped..).unwrap_or(&[]),
        }
    }

    fn forward<T: EdgeTable>(tables: &'a KindTables<T>, resource: Ordinal, first: u32) -> Row<'a> {
        Row::new(tables.forward.get(resource.0), tables.qualified_forward.row(resource.0), first)
    }

    fn reverse<T: EdgeTable>(tables: &'a KindTables<T>, subject: Ordinal, first: u32) -> Row<'a> {
        Row::new(tables.reverse.get(subject.0), tables.qualified_reverse.row(subject.0), first)
    }

    fn next(&mut self) -> Option<(Ordinal, Option<&'a QualifiedEdge>)> {
        match (self.plain.peek(), self.qualified.split_first()) {
            (plain, Some((edge, rest))) if plain.is_none_or(|plain| edge.other < *plain) => {
                self.qualified = rest;
                Some((edge.other, Some(edge)))
            }
            _ => self.plain.next().map(|other| (other, None)),
        }
    }
}

/// The rows of a kind by resource, plain and qualified merged; ascending.
struct Rows<'a, T: EdgeTable + 'a> {
    plain: Peekable<T::Entries<'a>>,
    qualified: Peekable<<T::Qualified as QualifiedTable>::Entries<'a>>,
}

impl<'a, T: EdgeTable> Rows<'a, T> {
    fn new(tables: &'a KindTables<T>, first: u32) -> Rows<'a, T> {
        Rows {
            plain: tables.forward.iter_from(first).peekable(),
            qualified: tables.qualified_forward.iter_from(first).peekable(),
        }
    }

    /// Passes over a resource's row, if it is the next.
    fn skip(&mut self, resource: u32) {
        self.plain.next_if(|(key, _)| *key == resource);
        self.qualified.next_if(|(key, _)| *key == resource);
    }

    fn next(&mut self) -> Option<(Ordinal, Row<'a>)> {
        let plain = self.plain.peek().map(|(key, _)| *key);
        let qualified = self.qualified.peek().map(|(key, _)| *key);
        let resource = [plain, qualified].into_iter().flatten().min()?;
        let members =
            self.plain.next_if(|(key, _)| *key == resource).map_or(Members::Empty, |(_, members)| members);
        let edges = self.qualified.next_if(|(key, _)| *key == resource).map_or(&[][..], |(_, edges)| edges);
        Some((Ordinal(resource), Row::new(members, edges, 0)))
    }
}
