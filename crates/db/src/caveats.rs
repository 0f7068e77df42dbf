//! The values bound on a relationship's caveat, checked when it is written.

use pemba_cel::ConversionError;
use pemba_model::{CaveatRef, Relationship};
use pemba_schema::Schema;

use crate::errors::RelationshipError;
use crate::validation::identity;

/// Checks that the bound values are parameters of the caveat and of their types.
pub(crate) fn check_bound_values(
    schema: &Schema,
    caveat: &CaveatRef,
    relationship: &Relationship,
) -> Result<(), RelationshipError> {
    // An allowed subject names only caveats that the schema has.
    let Some(declared) = schema.caveats.get(&caveat.name) else { return Ok(()) };
    for (name, value) in &caveat.context {
        match declared.program.convert_parameter(name, value) {
            Ok(_) => {}
            Err(ConversionError::UnknownParameter { parameter }) => {
                return Err(RelationshipError::UnknownCaveatParameter {
                    caveat: caveat.name.clone(),
                    parameter,
                    relationship: identity(relationship),
                });
            }
            Err(ConversionError::WrongType { parameter, expected, found, .. }) => {
                return Err(RelationshipError::CaveatParameterType {
                    caveat: caveat.name.clone(),
                    parameter,
                    expected: expected.into(),
                    found: found.into(),
                    relationship: identity(relationship),
                });
            }
        }
    }
    Ok(())
}
