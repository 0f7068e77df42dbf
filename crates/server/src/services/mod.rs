//! The gRPC services: each call checks its request, asks the database and answers.

mod bulk_check;
mod check;
mod counters;
mod delete;
mod expand;
mod experimental;
mod export;
mod import;
mod lookup_resources;
mod lookup_subjects;
mod permissions;
mod read;
mod reflection;
mod schemas;
mod watches;
mod write;

pub(crate) use experimental::Experimental;
pub(crate) use permissions::Permissions;
pub(crate) use schemas::Schemas;
pub(crate) use watches::Watches;

use pemba_model::{Context, Limits};
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

/// An answer to this many questions.
fn asked<T>(answer: T, count: usize) -> Response<T> {
    let mut response = Response::new(answer);
    response.extensions_mut().insert(Asked(u64::try_from(count).unwrap_or(u64::MAX)));
    response
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
