//! The parts of a schema, as far as filters ask for them.

use pemba_model::SmolStr;

use super::filter::{FilterError, Filters, SchemaFilter};
use crate::schema::{AllowedSubject, Caveat, CaveatParameter, Definition, Permission, Relation, Schema};

/// The parts of a schema: definitions and caveats by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reflected {
    /// Definitions, by name.
    pub definitions: Vec<ReflectedDefinition>,
    /// Caveats, by name.
    pub caveats: Vec<ReflectedCaveat>,
}

/// A definition; its members in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReflectedDefinition {
    /// Its name, prefix included.
    pub name: SmolStr,
    /// The comments in front of it, comment marks included, every line without the blanks around it, lines joined by
    /// `\n`; empty without any. The same holds for every other comment here.
    pub comment: String,
    /// Its relations.
    pub relations: Vec<ReflectedRelation>,
    /// Its permissions.
    pub permissions: Vec<ReflectedPermission>,
}

/// A relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReflectedRelation {
    /// The definition that it belongs to.
    pub definition: SmolStr,
    /// Its name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub comment: String,
    /// The subjects that it takes, in the order of the text.
    pub subjects: Vec<AllowedSubject>,
}

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReflectedPermission {
    /// The definition that it belongs to.
    pub definition: SmolStr,
    /// Its name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub comment: String,
}

/// A caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReflectedCaveat {
    /// Its name.
    pub name: SmolStr,
    /// The comments in front of it.
    pub comment: String,
    /// Its parameters, by name.
    pub parameters: Vec<CaveatParameter>,
    /// Its condition in canonical form: without comments and needless blanks.
    pub expression: String,
}

/// The parts of a schema that filters ask for; of no filter, all. A part comes once even when several filters ask for
/// it. Fails on the first filter that contradicts itself.
pub fn reflect(schema: &Schema, filters: &[SchemaFilter]) -> Result<Reflected, FilterError> {
    let filters = Filters::new(filters)?;
    let definitions = schema.definitions.values().filter(|found| filters.ask_for_definition(&found.name));
    let caveats = schema.caveats.values().filter(|found| filters.ask_for_caveat(&found.name));
    Ok(Reflected {
        definitions: definitions.map(|found| filtered(found, &filters)).collect(),
        caveats: caveats.map(caveat).collect(),
    })
}

fn filtered(definition: &Definition, filters: &Filters<'_>) -> ReflectedDefinition {
    let owner = definition;
    let relations = owner.relations_in_order().filter(|found| filters.ask_for_relation(owner, &found.name));
    let permissions =
        owner.permissions_in_order().filter(|found| filters.ask_for_permission(owner, &found.name));
    ReflectedDefinition {
        name: owner.name.clone(),
        comment: comment(owner.doc.as_deref()),
        relations: relations.map(|found| relation(owner, found)).collect(),
        permissions: permissions.map(|found| permission(owner, found)).collect(),
    }
}

/// A definition with all its members.
pub(super) fn definition(definition: &Definition) -> ReflectedDefinition {
    ReflectedDefinition {
        name: definition.name.clone(),
        comment: comment(definition.doc.as_deref()),
        relations: definition.relations_in_order().map(|found| relation(definition, found)).collect(),
        permissions: definition.permissions_in_order().map(|found| permission(definition, found)).collect(),
    }
}

pub(super) fn relation(owner: &Definition, relation: &Relation) -> ReflectedRelation {
    ReflectedRelation {
        definition: owner.name.clone(),
        name: relation.name.clone(),
        comment: comment(relation.doc.as_deref()),
        subjects: relation.allowed.clone(),
    }
}

pub(super) fn permission(owner: &Definition, permission: &Permission) -> ReflectedPermission {
    ReflectedPermission {
        definition: owner.name.clone(),
        name: permission.name.clone(),
        comment: comment(permission.doc.as_deref()),
    }
}

pub(super) fn caveat(caveat: &Caveat) -> ReflectedCaveat {
    ReflectedCaveat {
        name: caveat.name.clone(),
        comment: comment(caveat.doc.as_deref()),
        parameters: caveat.parameters_by_name().into_iter().cloned().collect(),
        expression: caveat.program.canonical().to_owned(),
    }
}

/// A comment without the blanks around its lines: two that differ by indentation alone are the same.
pub(super) fn comment(doc: Option<&str>) -> String {
    let lines: Vec<&str> = doc.unwrap_or("").lines().map(str::trim).collect();
    lines.join("\n")
}
