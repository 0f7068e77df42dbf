//! What an operator sees: metrics over HTTP.

mod http;
mod memory;
mod methods;
mod metrics;

pub(crate) use http::serve;
pub(crate) use methods::Method;
pub(crate) use metrics::Metrics;
