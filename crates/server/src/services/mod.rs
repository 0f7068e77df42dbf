//! The gRPC services: each call checks its request, asks the database and answers.

mod authority;
mod bulk_check;
mod bulk_check_as;
mod check;
mod counters;
mod delete;
mod direct;
mod expand;
mod experimental;
mod export;
mod import;
mod lookup_resources;
mod lookup_subjects;
mod lookup_subjects_as;
mod permissions;
mod read;
mod reflection;
mod schemas;
mod watches;
mod write;

pub(crate) use authority::Authority;
pub(crate) use direct::{Answering, Direct, DirectCall};
pub(crate) use experimental::Experimental;
pub(crate) use permissions::Permissions;
pub(crate) use schemas::Schemas;
pub(crate) use watches::Watches;

use pemba_db::View;
use pemba_engine::EdgeKey;
use pemba_model::{Context, Limits, Relationship, RelationshipFilter, SubjectRef};
use prost::Message as _;
use prost_types::Struct;
use tonic::{Response, Status};

use crate::convert::optional_context;
use crate::errors;
use crate::front::Asked;
use crate::validate::Path;

/// Results made in one go for a streaming answer.
const PAGE_MESSAGES: usize = 256;

/// A limit of the client, where 0 means none, against its cap.
fn optional_limit(given: u32, max: u32) -> Result<Option<u32>, Status> {
    match given {
        0 => Ok(None),
        _ if given > max => Err(errors::limit_exceeded(given, max)),
        _ => Ok(Some(given)),
    }
}

/// Refuses the wildcard as the subject of a question about a type and a permission, where the schema has every name in
/// the question: what it lacks is the first fault.
fn no_wildcard_subject(
    view: &View,
    (resource_type, permission): (&str, &str),
    subject: &SubjectRef,
    field: &'static str,
) -> Result<(), Status> {
    if !subject.object.is_wildcard() {
        return Ok(());
    }
    view.validate_names(resource_type, permission, subject).map_err(|error| errors::query(&error))?;
    Err(errors::wildcard_not_allowed(field))
}

/// An answer to this many questions.
fn asked<T>(answer: T, count: usize) -> Response<T> {
    let mut response = Response::new(answer);
    response.extensions_mut().insert(Asked(u64::try_from(count).unwrap_or(u64::MAX)));
    response
}

/// The next relationships of a read, at most `wanted`, within the steps of one query.
fn read_page(
    view: &View,
    filter: &RelationshipFilter,
    after: Option<EdgeKey>,
    wanted: usize,
    steps_max: u64,
    is_told: impl Fn(EdgeKey) -> bool,
) -> Result<Vec<(EdgeKey, Relationship)>, Status> {
    let snapshot = view.snapshot();
    let mut scan = snapshot.scan(filter, after, Some(view.now())).limit_steps(steps_max);
    let told = scan.by_ref().filter(|(key, _)| is_told(*key));
    let found = told.take(wanted).filter_map(|(key, attributes)| {
        snapshot.relationship(key, &attributes).map(|relationship| (key, relationship))
    });
    let found: Vec<_> = found.collect();
    if scan.stopped() { Err(errors::read_too_long(steps_max)) } else { Ok(found) }
}

/// The context of a question, at `path`.
fn request_context(
    path: Path<'_>,
    context: Option<&Struct>,
    limits: &Limits,
) -> Result<Option<Context>, Status> {
    if let Some(context) = context {
        let (size, max) = (context.encoded_len(), limits.request_context_max_bytes);
        if size > max {
            return Err(errors::context_too_large(size, max));
        }
    }
    Ok(optional_context(path, context)?)
}

/// The metadata of a write.
fn transaction_metadata(metadata: Option<&Struct>, limits: &Limits) -> Result<Option<Context>, Status> {
    if let Some(metadata) = metadata {
        let (size, max) = (metadata.encoded_len(), limits.transaction_metadata_max_bytes);
        if size > max {
            return Err(errors::metadata_too_large(size, max));
        }
    }
    Ok(optional_context(Path::Root.field("optional_transaction_metadata"), metadata)?)
}
