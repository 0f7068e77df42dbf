//! How Pemba is asked over the network: gRPC services, authentication, limits, telemetry.
//!
//! A call walks `front` (authentication, request id, counting), `services` (one file a call), `validate` and `convert`
//! (the wire's messages to the model's nouns), `access` (what its client may do), the database, and back through `convert`
//! and `errors`.
//!
//! **Invariant: translation only. No authorization logic lives here: every answer is the database's, and every error
//! gets its gRPC code in `errors` and nowhere else.**

mod accepting;
mod access;
mod chains;
mod consistency;
mod convert;
mod cursor;
mod deadline;
mod descriptors;
pub mod direct;
mod errors;
mod found;
mod front;
mod options;
mod pemba;
mod queries;
mod raw;
mod rest;
mod serve;
mod services;
mod state;
mod status;
mod stream;
mod telemetry;
mod tls;
mod validate;

pub use front::{Credential, InvalidKeyDigest, InvalidSpiffeId, KeyDigest, SpiffeId};
pub use options::{ClientKey, ServerOptions, StartError, TlsOptions};
pub use serve::{RunningServer, Server, TokenDatabases};
