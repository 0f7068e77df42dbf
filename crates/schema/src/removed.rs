//! What a new schema takes away from an old one: what a server must look for in its data before it writes the new one.

use std::collections::BTreeSet;

use pemba_model::SmolStr;

use crate::schema::{AllowedSubject, Caveat, Definition, ParameterType, Relation, Schema};

/// One thing that the old schema has and the new one lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// An object type is gone. No relationship may have it as resource or subject.
    Definition {
        /// The type.
        object_type: SmolStr,
    },
    /// A relation is gone, or is a permission now. No relationship may be written on it.
    Relation {
        /// The type that had it.
        object_type: SmolStr,
        /// The relation.
        relation: SmolStr,
    },
    /// A relation or permission is gone that subjects may name. No relationship may have `object_type#relation` as
    /// its subject's type and relation.
    SubjectRelation {
        /// The type that had it.
        object_type: SmolStr,
        /// The relation or permission.
        relation: SmolStr,
    },
    /// A relation no longer takes a kind of subject. No relationship on it may have exactly this kind, caveat and
    /// expiry included.
    AllowedSubject {
        /// The type that has the relation.
        object_type: SmolStr,
        /// The relation.
        relation: SmolStr,
        /// What it took.
        allowed: AllowedSubject,
    },
    /// A caveat is gone. No relationship may name it.
    Caveat {
        /// The caveat.
        caveat: SmolStr,
    },
    /// A caveat lost a parameter: refused whatever the data.
    CaveatParameter {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        parameter: SmolStr,
    },
    /// A parameter of a caveat has another type: refused whatever the data.
    CaveatParameterType {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        parameter: SmolStr,
        /// Its old type.
        old: ParameterType,
        /// Its new type.
        new: ParameterType,
    },
}

impl Removal {
    /// The value of the key `operation` in the error of a refused write; `None` for a whole caveat, which has none.
    pub fn operation(&self) -> Option<&'static str> {
        match self {
            Removal::Definition { .. } => Some("delete_object_definition"),
            Removal::Relation { .. } => Some("delete_relation"),
            Removal::SubjectRelation { .. } => Some("delete_relation_reverse_check"),
            Removal::AllowedSubject { .. } => Some("remove_allowed_type"),
            Removal::CaveatParameter { .. } => Some("remove_parameter"),
            Removal::CaveatParameterType { .. } => Some("change_parameter_type"),
            Removal::Caveat { .. } => None,
        }
    }

    /// Whether it is refused whatever the data.
    pub fn is_always_refused(&self) -> bool {
        matches!(self, Removal::CaveatParameter { .. } | Removal::CaveatParameterType { .. })
    }
}

/// Everything that `old` has and `new` lacks: caveats first, then definitions, each in name order. What a removed
/// definition had is not listed again.
pub fn removed(old: &Schema, new: &Schema) -> Vec<Removal> {
    let mut removals = Vec::new();
    for (name, caveat) in &old.caveats {
        match new.caveats.get(name) {
            Some(kept) => removed_parameters(caveat, kept, &mut removals),
            None => removals.push(Removal::Caveat { caveat: name.clone() }),
        }
    }
    for (object_type, definition) in &old.definitions {
        match new.definitions.get(object_type) {
            Some(kept) => removed_members(definition, kept, &mut removals),
            None => removals.push(Removal::Definition { object_type: object_type.clone() }),
        }
    }
    removals
}

fn removed_parameters(old: &Caveat, new: &Caveat, removals: &mut Vec<Removal>) {
    for parameter in &old.parameters {
        let (caveat, name) = (old.name.clone(), parameter.name.clone());
        match new.parameters.iter().find(|kept| kept.name == name) {
            None => removals.push(Removal::CaveatParameter { caveat, parameter: name }),
            Some(kept) if kept.parameter_type != parameter.parameter_type => {
                removals.push(Removal::CaveatParameterType {
                    caveat,
                    parameter: name,
                    old: parameter.parameter_type.clone(),
                    new: kept.parameter_type.clone(),
                });
            }
            Some(_) => {}
        }
    }
}

fn removed_members(old: &Definition, new: &Definition, removals: &mut Vec<Removal>) {
    for (name, relation) in &old.relations {
        match new.relations.get(name) {
            Some(kept) => removed_subjects(old, relation, kept, removals),
            None => {
                removals.push(Removal::Relation { object_type: old.name.clone(), relation: name.clone() })
            }
        }
    }
    for name in old.names().filter(|name| !new.has(name)) {
        removals.push(Removal::SubjectRelation { object_type: old.name.clone(), relation: name.clone() });
    }
}

fn removed_subjects(definition: &Definition, old: &Relation, new: &Relation, removals: &mut Vec<Removal>) {
    let kept: BTreeSet<&AllowedSubject> = new.allowed.iter().collect();
    for allowed in old.allowed.iter().filter(|allowed| !kept.contains(allowed)) {
        removals.push(Removal::AllowedSubject {
            object_type: definition.name.clone(),
            relation: old.name.clone(),
            allowed: allowed.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;

    fn removals(old: &str, new: &str) -> Vec<Removal> {
        let schema = |text| compile(text).unwrap().schema;
        removed(&schema(old), &schema(new))
    }

    const OLD: &str = "
use expiration
caveat odd(number int, modulus uint) { number % modulus == 1 }
caveat unused(flag bool) { flag }
definition user {}
definition group {
    relation member: user
    permission all_members = member
}
definition doc {
    relation viewer: user | user:* | group#member | user with odd | user with odd and expiration
    relation owner: user
    permission view = viewer
}";

    #[test]
    fn nothing_is_removed_by_adding_or_by_nothing() {
        assert_eq!(removals(OLD, OLD), []);
        let more = OLD
            .replace("relation owner: user", "relation owner: user | group#all_members\nrelation rest: user");
        assert_eq!(removals(OLD, &more), []);
        assert_eq!(removals("", OLD), []);
    }

    #[test]
    fn everything_that_goes_is_listed() {
        let new = "
caveat odd(number uint) { number == 1 }
definition user {}
definition doc {
    relation viewer: user | user with odd
    permission owner = viewer
}";
        let operations: Vec<String> = removals(OLD, new)
            .iter()
            .map(|removal| {
                format!("{} {}", removal.operation().unwrap_or("caveat"), removal.is_always_refused())
            })
            .collect();
        assert_eq!(
            operations,
            [
                "change_parameter_type true",
                "remove_parameter true",
                "caveat false",
                "delete_relation false",
                "remove_allowed_type false",
                "remove_allowed_type false",
                "remove_allowed_type false",
                "delete_relation_reverse_check false",
                "delete_object_definition false",
            ]
        );
    }

    #[test]
    fn traits_are_part_of_an_allowed_subject() {
        let old =
            "use expiration\ndefinition user {}\ndefinition doc {\nrelation viewer: user with expiration\n}";
        let new = old.replace("user with expiration", "user");
        let found = removals(old, &new);
        assert!(
            matches!(found.as_slice(), [Removal::AllowedSubject { allowed, .. }] if allowed.expiration),
            "{found:?}"
        );
    }
}
