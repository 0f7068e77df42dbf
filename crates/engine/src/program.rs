//! A schema's plans bound to the numbers of a catalog, ready to run.

use pemba_schema::Schema;

use crate::catalog::Catalog;

/// Everything a query needs of a schema, compiled once per schema revision.
#[derive(Debug, Clone, Default)]
pub struct Program {}

impl Program {
    /// Compiles a checked schema whose types and kinds are all in the catalog.
    pub fn compile(schema: &Schema, catalog: &Catalog) -> Program {
        let _ = (schema, catalog);
        Program {}
    }
}
