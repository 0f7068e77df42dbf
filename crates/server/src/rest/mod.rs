//! REST: every RPC as a POST with JSON, over HTTP/1.1, as grpc-gateway would serve it.
//!
//! A request walks `serve` (TLS, HTTP), `call` (which route, metadata, deadline), `request` and `read` (JSON to the
//! bytes of the message), the same service that gRPC calls, and back through `frames`, `render` and `body`. Nothing
//! here knows a route or a message: `table` reads them all from the descriptors.

mod body;
mod call;
mod frames;
mod headers;
mod health;
mod instant;
mod openapi;
mod read;
mod render;
mod request;
mod scalar;
mod serve;
mod split;
mod status;
mod struct_value;
mod table;

pub(crate) use serve::Gateway;
pub(crate) use table::Table;
