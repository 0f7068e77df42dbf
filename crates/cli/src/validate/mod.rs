//! `pemba validate`: runs validation files on an embedded in-memory database.

pub mod file;
