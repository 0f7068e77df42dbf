//! The routes, read at start from the `google.api.http` options of the services' own descriptors.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use pemba_model::Limits;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MessageDescriptor, MethodDescriptor,
};
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use tokio_rustls::TlsAcceptor;

use super::openapi;
use super::render::Renderer;
use crate::options::{StartError, TlsOptions};
use crate::tls::acceptor;

/// JSON is longer than the protobuf it says; this is how much longer a message may be than `message-max-bytes`.
const JSON_GROWTH_MAX: usize = 4;

/// What the gateways of all workers share.
pub(crate) struct Table {
    /// By path.
    pub(super) routes: BTreeMap<String, Route>,
    pool: DescriptorPool,
    /// `google.rpc.Status`.
    pub(super) status: MessageDescriptor,
    /// The document that describes the routes.
    pub(super) openapi: Bytes,
    /// Longest JSON of one message.
    pub(super) json_max_bytes: usize,
    /// Longest wait for a client that sends or takes nothing.
    pub(super) stall_max: Duration,
    pub(super) tls: Option<TlsAcceptor>,
}

/// One RPC.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// Where it is called by gRPC.
    pub(super) grpc_path: String,
    pub(super) method: MethodDescriptor,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
}

impl Table {
    /// Reads the descriptors and the certificate.
    pub(crate) fn new(limits: &Limits, tls: Option<&TlsOptions>) -> Result<Table, StartError> {
        let pool = pool()?;
        let routes = routes(&pool)?;
        let status = pool.get_message_by_name("google.rpc.Status");
        let status = status.ok_or_else(|| unfit("`google.rpc.Status` is not among the descriptors"))?;
        let openapi = Bytes::from(openapi::document(&pool, &routes, &status).to_string());
        Ok(Table {
            routes,
            pool,
            status,
            openapi,
            json_max_bytes: limits.message_max_bytes.saturating_mul(JSON_GROWTH_MAX),
            stall_max: Duration::from_millis(limits.stream_stall_max_ms),
            tls: tls.map(|tls| acceptor(tls, b"http/1.1")).transpose()?,
        })
    }

    pub(super) fn renderer(&self) -> Renderer<'_> {
        Renderer { pool: &self.pool }
    }
}

fn unfit(reason: impl std::fmt::Display) -> StartError {
    StartError::Services(format!("REST gateway: {reason}"))
}

/// The descriptors of the services and of everything an error may carry.
fn pool() -> Result<DescriptorPool, StartError> {
    let mut pool = DescriptorPool::decode(pemba_proto::FILE_DESCRIPTOR_SET).map_err(unfit)?;
    let details = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).map_err(unfit)?;
    // The same file may have another name there, so it is known by what it defines.
    let is_known = |file: &FileDescriptorProto| {
        let message = |message: &DescriptorProto| format!("{}.{}", file.package(), message.name());
        file.message_type.iter().any(|defined| pool.get_message_by_name(&message(defined)).is_some())
    };
    let new: Vec<_> = details.file.into_iter().filter(|file| !is_known(file)).collect();
    pool.add_file_descriptor_protos(new).map_err(unfit)?;
    Ok(pool)
}

/// Every method with a `google.api.http` option, by path.
fn routes(pool: &DescriptorPool) -> Result<BTreeMap<String, Route>, StartError> {
    let http = pool.get_extension_by_name("google.api.http");
    let http = http.ok_or_else(|| unfit("`google.api.http` is not among the descriptors"))?;
    let mut routes = BTreeMap::new();
    let mut checked = HashSet::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let Some(path) = path(&method, &http)? else { continue };
        let route = Route {
            grpc_path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
            input: method.input(),
            output: method.output(),
            method,
        };
        readable(&route.input, &mut checked)?;
        if let Some(other) = routes.insert(path.clone(), route) {
            return Err(unfit(format!("`{path}` is also the path of `{}`", other.grpc_path)));
        }
    }
    Ok(routes)
}

/// The path of a method; an error for rules that are not `POST` with the whole message as body, for which the
/// gateway has no code.
fn path(method: &MethodDescriptor, http: &ExtensionDescriptor) -> Result<Option<String>, StartError> {
    let options = method.options();
    if !options.has_extension(http) {
        return Ok(None);
    }
    let rule = options.get_extension(http);
    let rule = rule.as_message().ok_or_else(|| unfit("`google.api.http` is no message"))?;
    let path = text(rule, "post").filter(|path| path.starts_with('/') && !path.contains(['{', '*']));
    let is_whole = text(rule, "body").as_deref() == Some("*") && text(rule, "response_body").is_none();
    let has_more = rule.get_field_by_name("additional_bindings");
    let has_more = has_more.is_some_and(|bindings| bindings.as_list().is_some_and(|list| !list.is_empty()));
    match path {
        Some(path) if is_whole && !has_more => Ok(Some(path)),
        _ => Err(unfit(format!(
            "the route of `{}` is not one POST to a fixed path with the whole message as body",
            method.full_name()
        ))),
    }
}

/// A field that holds text, unless it is empty.
fn text(message: &DynamicMessage, field: &str) -> Option<String> {
    let value = message.get_field_by_name(field)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether JSON can be read as this message: no maps, and of the well-known types only those with a reader.
fn readable(message: &MessageDescriptor, checked: &mut HashSet<String>) -> Result<(), StartError> {
    if !checked.insert(message.full_name().to_owned()) {
        return Ok(());
    }
    if message.package_name() == "google.protobuf" {
        return match message.name() {
            "Struct" | "Value" | "ListValue" | "Timestamp" => Ok(()),
            _ => Err(unfit(format!("requests with `{}` cannot be read", message.full_name()))),
        };
    }
    for field in message.fields() {
        if field.is_map() {
            return Err(unfit(format!("requests with the map `{}` cannot be read", field.full_name())));
        }
        if let Some(nested) = field.kind().as_message() {
            readable(nested, checked)?;
        }
    }
    Ok(())
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

/// A table with the default limits, for tests.
#[cfg(test)]
pub(super) fn table() -> Table {
    Table::new(&Limits::default(), None).unwrap()
}
