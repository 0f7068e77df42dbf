//! Listeners, threads and their runtimes: starting, dealing out connections, and stopping in order.

mod connection;
mod desk;
mod routes;
mod running;
mod worker;

pub use running::{RunningServer, Server};
