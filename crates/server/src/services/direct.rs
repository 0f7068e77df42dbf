//! Calls answered from the bytes of their request to those of their answer; the generated code does the rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use pemba_agents::client::Client;
use prost::Message;
use tonic::body::Body;
use tonic::{Response, Status};

use super::check::{self, Asking};
use super::permissions::REQUEST_DEBUG_INFORMATION;
use super::{asked, bulk_check, lookup_resources, lookup_subjects, read};
use crate::direct::{self, Check, Chunks};
use crate::state::State;

const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";
const BULK_CHECK: &str = "/authzed.api.v1.PermissionsService/CheckBulkPermissions";
const LOOKUP_RESOURCES: &str = "/authzed.api.v1.PermissionsService/LookupResources";
const LOOKUP_SUBJECTS: &str = "/authzed.api.v1.PermissionsService/LookupSubjects";
const READ: &str = "/authzed.api.v1.PermissionsService/ReadRelationships";

/// An answer with all that its service says of it, before the front has seen it.
pub(crate) type Answered = Result<http::Response<Body>, Status>;

/// A call that may be answered directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectCall {
    /// `CheckPermission`.
    Check,
    /// `CheckBulkPermissions`.
    Bulk,
    /// `LookupResources`.
    LookupResources,
    /// `LookupSubjects`.
    LookupSubjects,
    /// `ReadRelationships`.
    Read,
}

/// How a call is answered.
pub(crate) enum Answering {
    /// With this, which took so many questions.
    Whole(Bytes, usize),
    /// With an error.
    Refused(Status),
    /// By waiting.
    Later(Pin<Box<dyn Future<Output = Answered> + Send>>),
    /// By the generated code.
    Generated,
}

/// The calls over one database.
#[derive(Clone)]
pub(crate) struct Direct {
    state: Arc<State>,
}

impl DirectCall {
    /// The call with this path and these headers, if they ask for no more than its message says.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Option<DirectCall> {
        let call = match path {
            CHECK => DirectCall::Check,
            BULK_CHECK => DirectCall::Bulk,
            LOOKUP_RESOURCES => DirectCall::LookupResources,
            LOOKUP_SUBJECTS => DirectCall::LookupSubjects,
            READ => DirectCall::Read,
            _ => return None,
        };
        let is_traced = headers.keys().any(|name| name.as_str() == REQUEST_DEBUG_INFORMATION);
        (!is_traced).then_some(call)
    }
}

impl Direct {
    pub(crate) fn new(state: Arc<State>) -> Direct {
        Direct { state }
    }

    /// Longest message of a request, in bytes.
    pub(crate) fn message_max_bytes(&self) -> usize {
        self.state.limits.message_max_bytes
    }

    /// Places for what takes longer.
    pub(crate) fn places_max(&self) -> usize {
        self.state.queries.places_max()
    }

    /// Answers a request, which presents nothing: a frame with one message.
    pub(crate) fn answer(&self, call: DirectCall, client: &Arc<Client>, framed: &Bytes) -> Answering {
        match call {
            DirectCall::Check => self.check(client, framed),
            DirectCall::Bulk => self.bulk(client, framed),
            DirectCall::LookupResources | DirectCall::LookupSubjects | DirectCall::Read => {
                let (state, client, framed) = (Arc::clone(&self.state), Arc::clone(client), framed.clone());
                Answering::Later(Box::pin(async move { streamed(&state, &client, call, &framed).await }))
            }
        }
    }

    fn check(&self, client: &Arc<Client>, framed: &Bytes) -> Answering {
        let Some(common) = direct::message(framed).and_then(Check::read) else {
            return Answering::Generated;
        };
        match check::now(&self.state, client, &common) {
            Some(Ok(answer)) => Answering::Whole(answer, 1),
            Some(Err(status)) => Answering::Refused(status),
            None => {
                let (state, client, framed) = (Arc::clone(&self.state), Arc::clone(client), framed.clone());
                Answering::Later(Box::pin(async move {
                    // Reading it again is cheaper than to own what it says.
                    let common = direct::message(&framed).and_then(Check::read);
                    let common = common.ok_or_else(direct::read_differently)?;
                    let (answer, told) = check::ask(&state, &client, asking(&common), None).await?;
                    let frames = tokio_stream::once(Ok(direct::framed(&answer)));
                    Ok(direct::answer(told.beside(asked(frames, 1))))
                }))
            }
        }
    }

    fn bulk(&self, client: &Arc<Client>, framed: &Bytes) -> Answering {
        match bulk_check::now(&self.state, client, framed) {
            bulk_check::Now::Answer(answer, count) => Answering::Whole(answer, count),
            bulk_check::Now::Later(work, count) => {
                let queries = self.state.queries.clone();
                Answering::Later(Box::pin(async move {
                    let frames = tokio_stream::once(Ok(queries.run(work).await?));
                    Ok(direct::answer(asked(frames, count)))
                }))
            }
            bulk_check::Now::Generated => Answering::Generated,
        }
    }
}

/// A stream: one request for thousands of messages, so that only they are worth the pains.
async fn streamed(state: &Arc<State>, client: &Arc<Client>, call: DirectCall, framed: &Bytes) -> Answered {
    Ok(direct::answer(match call {
        DirectCall::LookupSubjects => {
            let request = decoded(framed)?;
            let (chunks, told) = lookup_subjects::answer::<Chunks>(state, client, request, None).await?;
            told.beside(asked(chunks, 1))
        }
        DirectCall::Read => Response::new(read::answer::<Chunks>(state, client, decoded(framed)?).await?),
        _ => {
            let request = decoded(framed)?;
            let (chunks, told) = lookup_resources::answer::<Chunks>(state, client, request, None).await?;
            told.beside(asked(chunks, 1))
        }
    }))
}

/// The message as the generated code reads it; the same error when it is none.
fn decoded<M: Message + Default>(framed: &[u8]) -> Result<M, Status> {
    let message = direct::message(framed).unwrap_or_default();
    M::decode(message).map_err(|error| Status::internal(error.to_string()))
}

fn asking<'a>(common: &Check<'a>) -> Asking<'a> {
    Asking {
        resource: common.resource.to_model(),
        permission: common.permission,
        subject: common.subject.to_model(),
        context: None,
        wanted: common.wanted,
        is_traced: false,
    }
}
