//! What is remembered and in which order.

pub mod records;
pub mod store;
