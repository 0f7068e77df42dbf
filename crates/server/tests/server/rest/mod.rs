//! The REST gateway over real TCP connections, at the level of `curl`.

mod abuse;
mod calls;
mod chains;
mod golden;
mod http;
mod requests;
mod routes;
mod streams;
mod transport;
