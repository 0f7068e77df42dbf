//! Which parts of a schema a reflection is asked for.

use std::fmt;

use pemba_model::SmolStr;

use crate::schema::Definition;

/// One filter: beginnings of names. A part is reflected when any filter asks for it; a filter without any beginning
/// asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemaFilter {
    /// Definitions whose names begin so.
    pub definition: Option<SmolStr>,
    /// Caveats whose names begin so.
    pub caveat: Option<SmolStr>,
    /// Of those definitions, only relations whose names begin so. It hides every relation that no filter asks for, of
    /// all definitions.
    pub relation: Option<SmolStr>,
    /// The same for permissions.
    pub permission: Option<SmolStr>,
}

/// Most filters of one reflection: each is compared with every name of the schema.
pub const FILTERS_MAX: usize = 1000;

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterFault {
    /// It names definitions and caveats.
    DefinitionAndCaveat,
    /// It names relations or permissions without definitions.
    MemberWithoutDefinition,
    /// It names relations and permissions.
    RelationAndPermission,
    /// It is one more than may be given.
    TooMany,
}

/// A filter that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid `optional_filters[{position}]`: {fault}")]
pub struct FilterError {
    /// The place of the filter in the list, from 0.
    pub position: usize,
    /// What is wrong with it.
    pub fault: FilterFault,
}

impl fmt::Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FilterFault::DefinitionAndCaveat => {
                "`optional_definition_name_filter` and `optional_caveat_name_filter` exclude each other; use two filters"
            }
            FilterFault::MemberWithoutDefinition => {
                "a filter for relations or permissions needs `optional_definition_name_filter`"
            }
            FilterFault::RelationAndPermission => {
                "`optional_relation_name_filter` and `optional_permission_name_filter` exclude each other; use two filters"
            }
            FilterFault::TooMany => return write!(f, "at most {FILTERS_MAX} filters are allowed"),
        })
    }
}

impl SchemaFilter {
    fn check(&self) -> Result<(), FilterFault> {
        if self.definition.is_some() && self.caveat.is_some() {
            return Err(FilterFault::DefinitionAndCaveat);
        }
        if self.definition.is_none() && (self.relation.is_some() || self.permission.is_some()) {
            return Err(FilterFault::MemberWithoutDefinition);
        }
        if self.relation.is_some() && self.permission.is_some() {
            return Err(FilterFault::RelationAndPermission);
        }
        Ok(())
    }
}

/// All filters of a request; none at all asks for everything.
pub(super) struct Filters<'f>(&'f [SchemaFilter]);

impl<'f> Filters<'f> {
    pub(super) fn new(filters: &'f [SchemaFilter]) -> Result<Filters<'f>, FilterError> {
        if filters.len() > FILTERS_MAX {
            return Err(FilterError { position: FILTERS_MAX, fault: FilterFault::TooMany });
        }
        for (position, filter) in filters.iter().enumerate() {
            filter.check().map_err(|fault| FilterError { position, fault })?;
        }
        Ok(Filters(filters))
    }

    pub(super) fn ask_for_definition(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| begins(name, &filter.definition))
    }

    pub(super) fn ask_for_caveat(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| begins(name, &filter.caveat))
    }

    pub(super) fn ask_for_relation(&self, definition: &Definition, name: &str) -> bool {
        self.ask_for_member(definition, name, |filter| &filter.relation)
    }

    pub(super) fn ask_for_permission(&self, definition: &Definition, name: &str) -> bool {
        self.ask_for_member(definition, name, |filter| &filter.permission)
    }

    fn ask_for_member(
        &self,
        definition: &Definition,
        name: &str,
        of: impl Fn(&SchemaFilter) -> &Option<SmolStr>,
    ) -> bool {
        let mut some_for_members = false;
        for filter in self.0.iter().filter(|filter| of(filter).is_some()) {
            some_for_members = true;
            if begins(&definition.name, &filter.definition) && begins(name, of(filter)) {
                return true;
            }
        }
        !some_for_members
    }
}

fn begins(name: &str, beginning: &Option<SmolStr>) -> bool {
    beginning.as_ref().is_some_and(|beginning| name.starts_with(beginning.as_str()))
}
