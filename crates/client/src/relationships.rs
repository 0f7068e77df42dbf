//! Writing, deleting and reading relationships.

use std::future::Future;

use pemba_model::{Context, Operation, Precondition, Relationship, RelationshipFilter, Update};
use pemba_proto::authzed::api::v1;
use tonic::{Response, Status, Streaming};

use crate::{
    client::{Api, Client, Repeat},
    consistency::{Consistency, Token},
    context,
    error::Error,
    stream::{self, ResultStream, Source},
    wire,
};

/// The changes of one transaction.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is written before `Client::write`"]
pub struct Write {
    updates: Vec<Update>,
    preconditions: Vec<Precondition>,
    metadata: Context,
}

impl Write {
    /// No changes yet.
    pub fn new() -> Write {
        Write::default()
    }

    /// Adds a relationship; the whole write fails if it is there already.
    pub fn create(self, relationship: Relationship) -> Write {
        self.update(Update { operation: Operation::Create, relationship })
    }

    /// Adds a relationship, or replaces the caveat and expiry of the one that is there.
    pub fn touch(self, relationship: Relationship) -> Write {
        self.update(Update { operation: Operation::Touch, relationship })
    }

    /// Removes a relationship; no error if it is not there.
    pub fn delete(self, relationship: Relationship) -> Write {
        self.update(Update { operation: Operation::Delete, relationship })
    }

    /// Adds a change of any kind. One relationship may be changed once.
    pub fn update(mut self, update: Update) -> Write {
        self.updates.push(update);
        self
    }

    /// Adds a condition on the relationships before the write.
    pub fn precondition(mut self, precondition: Precondition) -> Write {
        self.preconditions.push(precondition);
        self
    }

    /// Data that travels with the change to those who watch.
    pub fn metadata(mut self, metadata: Context) -> Write {
        self.metadata = metadata;
        self
    }

    /// After a touch or a removal the same again changes nothing. A creation would find what it created itself, and a
    /// precondition what the write left behind.
    fn repeat(&self) -> Repeat {
        let creates = self.updates.iter().any(|update| update.operation == Operation::Create);
        if creates || !self.preconditions.is_empty() { Repeat::Unsafe } else { Repeat::Safe }
    }

    fn to_wire(&self) -> Result<v1::WriteRelationshipsRequest, Error> {
        Ok(v1::WriteRelationshipsRequest {
            updates: self.updates.iter().map(wire::update_to_wire).collect::<Result<_, _>>()?,
            optional_preconditions: self.preconditions.iter().map(wire::precondition_to_wire).collect(),
            optional_transaction_metadata: context::to_wire(&self.metadata)?,
        })
    }
}

/// What to delete.
#[derive(Debug, Clone)]
#[must_use = "nothing is deleted before `Client::delete`"]
pub struct Delete {
    filter: RelationshipFilter,
    preconditions: Vec<Precondition>,
    limit: Option<u32>,
    metadata: Context,
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The revision of the delete.
    pub deleted_at: Token,
    /// How many relationships are gone.
    pub count: u64,
    /// Whether nothing that matches is left; if not, the limit was reached: delete again.
    pub complete: bool,
}

impl Delete {
    /// Everything the filter matches, in one transaction.
    pub fn new(filter: RelationshipFilter) -> Delete {
        Delete { filter, preconditions: Vec::new(), limit: None, metadata: Context::new() }
    }

    /// At most this many, leaving the rest for further deletes; 0 means no limit.
    pub fn limit(mut self, limit: u32) -> Delete {
        self.limit = Some(limit).filter(|limit| *limit > 0);
        self
    }

    /// Adds a condition on the relationships before the delete.
    pub fn precondition(mut self, precondition: Precondition) -> Delete {
        self.preconditions.push(precondition);
        self
    }

    /// Data that travels with the change to those who watch.
    pub fn metadata(mut self, metadata: Context) -> Delete {
        self.metadata = metadata;
        self
    }
}

/// Which stored relationships to read, and as of when.
#[derive(Debug, Clone)]
#[must_use = "nothing is read before `Client::read`"]
pub struct Read {
    filter: RelationshipFilter,
    consistency: Consistency,
    page_size: u32,
    limit: Option<u64>,
}

impl Read {
    /// What the filter matches; it must set at least one field.
    pub fn new(filter: RelationshipFilter) -> Read {
        Read { filter, consistency: Consistency::default(), page_size: 1000, limit: None }
    }

    /// How fresh the result must be. All pages are of one revision.
    pub fn at(mut self, consistency: Consistency) -> Read {
        self.consistency = consistency;
        self
    }

    /// Results fetched per call, 1 to what the server allows; 1000 unless said.
    pub fn page_size(mut self, size: u32) -> Read {
        self.page_size = size.max(1);
        self
    }

    /// At most this many results in all.
    pub fn limit(mut self, limit: u64) -> Read {
        self.limit = Some(limit);
        self
    }
}

impl Client {
    /// Makes all changes of the write, or none of them. The token lets a later question see them.
    ///
    /// # Errors
    /// `AlreadyExists` for a creation of what exists, `FailedPrecondition` when a precondition does not hold or the
    /// schema lacks a type or relation. `Unavailable` from a write with creations or preconditions leaves open whether
    /// it took effect; other writes are repeated.
    pub async fn write(&self, write: Write) -> Result<Token, Error> {
        let answer = self
            .unary(write.to_wire()?, write.repeat(), |mut api, request| async move {
                api.permissions.write_relationships(request).await
            })
            .await?;
        Ok(Token::from_wire(answer.written_at))
    }

    /// Deletes what the filter matches.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty filter, `FailedPrecondition` when a precondition does not hold.
    pub async fn delete(&self, delete: Delete) -> Result<Deleted, Error> {
        use v1::delete_relationships_response::DeletionProgress;

        // A limited delete made twice may delete twice as much, and a precondition may not hold after the first.
        let once = delete.limit.is_some() || !delete.preconditions.is_empty();
        let request = v1::DeleteRelationshipsRequest {
            relationship_filter: Some(wire::filter_to_wire(&delete.filter)),
            optional_preconditions: delete.preconditions.iter().map(wire::precondition_to_wire).collect(),
            optional_limit: delete.limit.unwrap_or(0),
            optional_allow_partial_deletions: delete.limit.is_some(),
            optional_transaction_metadata: context::to_wire(&delete.metadata)?,
        };
        let repeat = if once { Repeat::Unsafe } else { Repeat::Safe };
        let answer = self
            .unary(request, repeat, |mut api, request| async move {
                api.permissions.delete_relationships(request).await
            })
            .await?;
        Ok(Deleted {
            count: answer.relationships_deleted_count,
            complete: answer.deletion_progress() == DeletionProgress::Complete,
            deleted_at: Token::from_wire(answer.deleted_at),
        })
    }

    /// Streams stored relationships, page after page.
    pub fn read(&self, read: Read) -> ResultStream<Relationship> {
        let page_size = smaller(read.page_size, read.limit);
        let request = v1::ReadRelationshipsRequest {
            consistency: read.consistency.to_wire(),
            relationship_filter: Some(wire::filter_to_wire(&read.filter)),
            optional_limit: page_size,
            optional_cursor: None,
        };
        stream::run(self, ReadSource(request), None, read.limit)
    }
}

/// A page is never larger than all that is wanted. It stays the same for all pages: cursors insist on it.
pub(crate) fn smaller(page_size: u32, limit: Option<u64>) -> u32 {
    limit.and_then(|limit| u32::try_from(limit).ok()).map_or(page_size, |limit| page_size.min(limit.max(1)))
}

struct ReadSource(v1::ReadRelationshipsRequest);

impl Source for ReadSource {
    type Cursor = v1::Cursor;
    type Message = v1::ReadRelationshipsResponse;
    type Item = Relationship;

    fn page_size(&self) -> Option<u32> {
        Some(self.0.optional_limit)
    }

    fn open(
        &self,
        mut api: Api,
        after: Option<v1::Cursor>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send {
        let request = v1::ReadRelationshipsRequest { optional_cursor: after, ..self.0.clone() };
        async move { api.permissions.read_relationships(request).await }
    }

    fn read(message: Self::Message) -> Result<(Vec<Relationship>, Option<v1::Cursor>), Error> {
        let relationship = wire::present(message.relationship, "relationship")?;
        Ok((vec![wire::relationship_from_wire(relationship)?], message.after_result_cursor))
    }
}

#[cfg(test)]
mod tests {
    use pemba_model::text::parse_relationship;

    use super::*;

    #[test]
    fn only_writes_that_change_nothing_twice_are_repeated() {
        let relationship = parse_relationship("document:a#viewer@user:u").unwrap();
        let steady = Write::new().touch(relationship.clone()).delete(relationship.clone());
        assert_eq!(steady.repeat(), Repeat::Safe);
        assert_eq!(steady.clone().create(relationship).repeat(), Repeat::Unsafe);
        let condition = Precondition::MustMatch(RelationshipFilter::default());
        assert_eq!(steady.precondition(condition).repeat(), Repeat::Unsafe);
    }

    #[test]
    fn a_page_is_no_larger_than_the_limit() {
        assert_eq!(smaller(1000, None), 1000);
        assert_eq!(smaller(1000, Some(7)), 7);
        assert_eq!(smaller(5, Some(u64::MAX)), 5);
        assert_eq!(smaller(5, Some(0)), 1);
    }
}
