//! Filling a database, and copying one out.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use futures_util::stream as streams;
use pemba_model::{Relationship, RelationshipFilter};
use pemba_proto::authzed::api::v1;
use prost::Message as _;
use tonic::{Response, Status, Streaming};

use crate::{
    client::{Api, Client},
    consistency::Consistency,
    error::Error,
    stream::{self, ResultStream, Source},
    wire,
};

/// Relationships per message of an import.
const IMPORT_BATCH_MAX: usize = 1000;
/// Bytes per message of an import, well below what any server accepts.
const IMPORT_BATCH_MAX_BYTES: usize = 1024 * 1024;

/// Which relationships to copy out, and as of when.
#[derive(Debug, Clone)]
#[must_use = "nothing is read before `Client::export`"]
pub struct Export {
    filter: Option<RelationshipFilter>,
    consistency: Consistency,
    batch_size: u32,
}

impl Default for Export {
    fn default() -> Export {
        Export { filter: None, consistency: Consistency::FullyConsistent, batch_size: 1000 }
    }
}

impl Export {
    /// All relationships, of everything committed so far.
    pub fn new() -> Export {
        Export::default()
    }

    /// Only what the filter matches.
    pub fn filter(mut self, filter: RelationshipFilter) -> Export {
        self.filter = Some(filter);
        self
    }

    /// The revision to copy; [`Consistency::FullyConsistent`] unless said.
    pub fn at(mut self, consistency: Consistency) -> Export {
        self.consistency = consistency;
        self
    }

    /// Relationships per message, 1 to what the server allows; 1000 unless said.
    pub fn batch_size(mut self, size: u32) -> Export {
        self.batch_size = size.max(1);
        self
    }
}

impl Client {
    /// Creates all the relationships in one transaction and returns how many. They are taken from the iterator as fast
    /// as the server takes them, so it may be longer than memory. Never repeated.
    ///
    /// # Errors
    /// `AlreadyExists` when one exists already; then, as with every error of the server, none was created.
    pub async fn import<I>(&self, relationships: I) -> Result<u64, Error>
    where
        I: IntoIterator<Item = Relationship>,
        I::IntoIter: Send + 'static,
    {
        let failure = Arc::new(OnceLock::new());
        let batches = Batches { source: relationships.into_iter(), held: None };
        let state = (batches, Arc::clone(&failure));
        let messages = streams::unfold(state, |(mut batches, failure)| async move {
            if failure.get().is_some() {
                return None;
            }
            let message = match batches.next() {
                Ok(message) => message?,
                Err(error) => {
                    let _ = failure.set(error);
                    refused_everywhere()
                }
            };
            Some((message, (batches, failure)))
        });
        let mut permissions = self.api.permissions.clone();
        let answer = permissions.import_bulk_relationships(messages).await;
        match (failure.get(), answer) {
            (None, answer) => Ok(answer?.into_inner().num_loaded),
            (Some(error), Err(_)) => Err(error.clone()),
            (Some(error), Ok(_)) => {
                Err(Error::malformed_answer(format!("an invalid import was accepted ({error})")))
            }
        }
    }

    /// Streams all relationships of one revision.
    pub fn export(&self, export: Export) -> ResultStream<Relationship> {
        let request = v1::ExportBulkRelationshipsRequest {
            consistency: export.consistency.to_wire(),
            optional_limit: export.batch_size,
            optional_cursor: None,
            optional_relationship_filter: export.filter.as_ref().map(wire::filter_to_wire),
        };
        stream::run(self, ExportSource(request), None, None)
    }
}

/// A message no server accepts. Whether an import that merely stops is rolled back depends on how its server takes a
/// cancelled stream; one that is invalid is rolled back by all.
fn refused_everywhere() -> v1::ImportBulkRelationshipsRequest {
    v1::ImportBulkRelationshipsRequest { relationships: vec![v1::Relationship::default()] }
}

/// Cuts relationships into messages.
struct Batches<I> {
    source: I,
    /// Did not fit into the message before.
    held: Option<v1::Relationship>,
}

impl<I: Iterator<Item = Relationship>> Batches<I> {
    fn next(&mut self) -> Result<Option<v1::ImportBulkRelationshipsRequest>, Error> {
        let mut relationships = Vec::new();
        let mut size_bytes = 0_usize;
        while relationships.len() < IMPORT_BATCH_MAX {
            let next = match self.held.take() {
                Some(held) => held,
                None => match self.source.next() {
                    Some(relationship) => wire::relationship_to_wire(&relationship)?,
                    None => break,
                },
            };
            size_bytes = size_bytes.saturating_add(next.encoded_len());
            if size_bytes > IMPORT_BATCH_MAX_BYTES && !relationships.is_empty() {
                self.held = Some(next);
                break;
            }
            relationships.push(next);
        }
        if relationships.is_empty() {
            return Ok(None);
        }
        Ok(Some(v1::ImportBulkRelationshipsRequest { relationships }))
    }
}

struct ExportSource(v1::ExportBulkRelationshipsRequest);

impl Source for ExportSource {
    type Cursor = v1::Cursor;
    type Message = v1::ExportBulkRelationshipsResponse;
    type Item = Relationship;

    fn open(
        &self,
        mut api: Api,
        after: Option<v1::Cursor>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send {
        let request = v1::ExportBulkRelationshipsRequest { optional_cursor: after, ..self.0.clone() };
        async move { api.permissions.export_bulk_relationships(request).await }
    }

    fn read(message: Self::Message) -> Result<(Vec<Relationship>, Option<v1::Cursor>), Error> {
        let relationships = message.relationships.into_iter().map(wire::relationship_from_wire);
        Ok((relationships.collect::<Result<_, _>>()?, message.after_result_cursor))
    }
}

#[cfg(test)]
mod tests {
    use pemba_model::{ObjectRef, SubjectRef};

    use super::*;

    fn batches(count: usize, id_bytes: usize) -> Vec<usize> {
        let source = (0..count).map(move |number| {
            let resource = ObjectRef::new("document", format!("{number:0>id_bytes$}"));
            Relationship::new(resource, "viewer", SubjectRef::direct("user", "u"))
        });
        let mut batches = Batches { source, held: None };
        std::iter::from_fn(|| batches.next().unwrap()).map(|message| message.relationships.len()).collect()
    }

    #[test]
    fn every_relationship_is_in_one_batch_and_no_batch_is_too_large() {
        assert_eq!(batches(0, 4), Vec::<usize>::new());
        assert_eq!(batches(2500, 4), [1000, 1000, 500]);
        let long = batches(2100, 2000);
        assert_eq!(long.iter().sum::<usize>(), 2100);
        assert!(long.len() > 3 && long.iter().all(|count| count * 2000 < IMPORT_BATCH_MAX_BYTES), "{long:?}");
    }
}
