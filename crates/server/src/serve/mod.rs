//! Listeners, threads and their runtimes: starting, dealing out connections, and stopping in order.

mod connection;
mod desk;
mod health;
mod per_token;
mod routes;
mod running;
mod worker;

pub use per_token::TokenDatabases;
pub use running::{RunningServer, Server};
