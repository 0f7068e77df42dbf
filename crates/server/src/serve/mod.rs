//! Listeners, threads and their runtimes: starting, dealing out connections, and stopping in order.

mod admission;
mod answering;
mod body;
mod call;
mod connection;
mod desk;
mod grpc;
mod health;
mod heard;
mod http2;
mod keepalive;
mod per_token;
mod request;
mod routes;
mod running;
mod worker;

pub use per_token::TokenDatabases;
pub use running::{RunningServer, Server};
