//! `PermissionsService` with the calls whose requests are read where they lie; the generated code does the rest.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use pemba_proto::authzed::api::v1::permissions_service_server::{
    PermissionsService as _, PermissionsServiceServer,
};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::check::{Asking, ask};
use super::permissions::REQUEST_DEBUG_INFORMATION;
use super::{Permissions, asked, bulk_check};
use crate::chains::Presented;
use crate::direct::Check;
use crate::state::State;

const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";
const BULK_CHECK: &str = "/authzed.api.v1.PermissionsService/CheckBulkPermissions";

type Answer = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

/// The service.
#[derive(Clone)]
pub(crate) struct DirectPermissions {
    state: Arc<State>,
    generated: Arc<Permissions>,
    server: PermissionsServiceServer<Permissions>,
}

impl DirectPermissions {
    pub(crate) fn new(state: Arc<State>) -> DirectPermissions {
        let generated = Arc::new(Permissions::new(Arc::clone(&state)));
        let server = PermissionsServiceServer::from_arc(Arc::clone(&generated))
            .max_decoding_message_size(state.limits.message_max_bytes);
        DirectPermissions { state, generated, server }
    }
}

impl NamedService for DirectPermissions {
    const NAME: &'static str = <PermissionsServiceServer<Permissions> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for DirectPermissions {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = match request.uri().path() {
            CHECK => check,
            BULK_CHECK => bulk,
            _ => return self.server.call(request),
        };
        let service = Unary { state: Arc::clone(&self.state), generated: Arc::clone(&self.generated), call };
        let bytes_max = self.state.limits.message_max_bytes;
        Box::pin(async move {
            let mut grpc = Grpc::new(Uncoded).max_decoding_message_size(bytes_max);
            Ok(grpc.unary(service, request).await)
        })
    }
}

/// One call, from the bytes of its request to those of its answer.
struct Unary {
    state: Arc<State>,
    generated: Arc<Permissions>,
    call: fn(Arc<State>, Arc<Permissions>, Request<Bytes>) -> Answer,
}

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        (self.call)(Arc::clone(&self.state), Arc::clone(&self.generated), request)
    }
}

/// Whether metadata asks for more than the message says.
fn is_plain(request: &Request<Bytes>) -> bool {
    request.extensions().get::<Presented>().is_none()
        && !request.metadata().contains_key(REQUEST_DEBUG_INFORMATION)
}

fn check(state: Arc<State>, generated: Arc<Permissions>, request: Request<Bytes>) -> Answer {
    Box::pin(async move {
        if is_plain(&request)
            && let Some(client) = request.extensions().get().map(Arc::clone)
            && let Some(common) = Check::read(request.get_ref())
        {
            let asking = Asking {
                resource: common.resource.to_model(),
                permission: common.permission,
                subject: common.subject.to_model(),
                context: None,
                wanted: common.wanted,
                is_traced: false,
            };
            let (answer, told) = ask(&state, &client, asking, None).await?;
            return Ok(told.beside(asked(Bytes::from(answer.encode_to_vec()), 1)));
        }
        encoded(generated.check_permission(decoded(request)?).await?)
    })
}

fn bulk(state: Arc<State>, generated: Arc<Permissions>, request: Request<Bytes>) -> Answer {
    Box::pin(async move {
        if is_plain(&request)
            && let Some(client) = request.extensions().get().map(Arc::clone)
            && let Some(answer) = bulk_check::direct(&state, &client, request.get_ref()).await
        {
            let (answer, count) = answer?;
            return Ok(asked(answer, count));
        }
        encoded(generated.check_bulk_permissions(decoded(request)?).await?)
    })
}

/// The message as the generated code reads it; the same error when it is none.
fn decoded<M: Message + Default>(request: Request<Bytes>) -> Result<Request<M>, Status> {
    let (metadata, extensions, bytes) = request.into_parts();
    let message = M::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Request::from_parts(metadata, extensions, message))
}

fn encoded<M: Message>(response: Response<M>) -> Result<Response<Bytes>, Status> {
    Ok(response.map(|message| Bytes::from(message.encode_to_vec())))
}

/// Messages as their bytes.
#[derive(Debug, Clone, Copy)]
struct Uncoded;

impl Codec for Uncoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Uncoded;
    type Decoder = Uncoded;

    fn encoder(&mut self) -> Uncoded {
        Uncoded
    }

    fn decoder(&mut self) -> Uncoded {
        Uncoded
    }
}

impl Encoder for Uncoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(message.len());
        out.put(message);
        Ok(())
    }
}

impl Decoder for Uncoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
