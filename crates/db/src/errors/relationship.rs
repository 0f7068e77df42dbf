//! What can be wrong with one relationship that is to be written.

use pemba_model::{InvalidName, SmolStr};

/// A relationship that the schema, a grammar or a limit does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelationshipError {
    /// A name or id is outside its grammar or size.
    #[error("in `{relationship}`: {error}")]
    InvalidName {
        /// The relationship.
        relationship: String,
        /// What is wrong.
        error: InvalidName,
    },
    /// The resource is a wildcard.
    #[error("the resource of `{relationship}` must not be the wildcard `*`")]
    WildcardResource {
        /// The relationship.
        relationship: String,
    },
    /// A wildcard subject has a relation.
    #[error("the wildcard subject of `{relationship}` must not have a relation")]
    WildcardWithRelation {
        /// The relationship.
        relationship: String,
    },
    /// The schema has no such object type.
    #[error("object definition `{definition}` not found{}", did_you_mean(.suggestion))]
    UnknownDefinition {
        /// The type.
        definition: SmolStr,
        /// A near name.
        suggestion: Option<SmolStr>,
    },
    /// The type has no such relation or permission.
    #[error("relation or permission `{relation}` not found under definition `{definition}`{}", did_you_mean(.suggestion))]
    UnknownRelation {
        /// The type.
        definition: SmolStr,
        /// The name it lacks.
        relation: SmolStr,
        /// A near name.
        suggestion: Option<SmolStr>,
    },
    /// The name is a permission: permissions are computed, not written.
    #[error("`{permission}` is a permission of definition `{definition}`; only relations can be written")]
    CannotUpdatePermission {
        /// The type.
        definition: SmolStr,
        /// The permission.
        permission: SmolStr,
    },
    /// The relation does not take such a subject, or not with this caveat or expiry.
    #[error(
        "subjects of type `{subject_type}` are not allowed on relation `{definition}#{relation}`{}{}",
        only_with(.allowed_caveats), did_you_mean(.suggestion)
    )]
    InvalidSubjectType {
        /// The resource's type.
        definition: SmolStr,
        /// The relation.
        relation: SmolStr,
        /// The subject as the schema would write it: `user`, `group#member`, `user:* with somecaveat and expiration`.
        subject_type: String,
        /// When the subject's type and shape are allowed with other caveats: those, sorted, never empty.
        allowed_caveats: Option<Vec<SmolStr>>,
        /// An allowed subject with a near name.
        suggestion: Option<String>,
    },
    /// A value bound on the relationship is no parameter of its caveat.
    #[error("`{parameter}` is no parameter of caveat `{caveat}` in `{relationship}`")]
    UnknownCaveatParameter {
        /// The caveat.
        caveat: SmolStr,
        /// The name that is no parameter.
        parameter: SmolStr,
        /// The relationship.
        relationship: String,
    },
    /// A value bound on the relationship has the wrong type.
    #[error(
        "parameter `{parameter}` of caveat `{caveat}` must be `{expected}`, found {found} in `{relationship}`"
    )]
    CaveatParameterType {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        parameter: SmolStr,
        /// The declared type as the schema writes it.
        expected: Box<str>,
        /// What the value is, in words.
        found: Box<str>,
        /// The relationship.
        relationship: String,
    },
    /// The caveat context is larger than `relationship_context_max_bytes`.
    #[error("the caveat context of `{relationship}` is {size_bytes} bytes; at most {max_bytes} are allowed")]
    ContextTooLarge {
        /// The relationship without its context.
        relationship: String,
        /// Its size, as JSON text in bytes.
        size_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The caveat context nests too deep.
    #[error("the caveat context of `{relationship}` nests more than {max} levels deep")]
    ContextTooDeep {
        /// The relationship without its context.
        relationship: String,
        /// The limit, in levels.
        max: usize,
    },
}

fn did_you_mean(suggestion: &Option<impl std::fmt::Display>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn only_with(caveats: &Option<Vec<SmolStr>>) -> String {
    let Some(caveats) = caveats else { return String::new() };
    let shown: Vec<String> = caveats.iter().map(|name| format!("caveat `{name}`")).collect();
    format!(", only with {}", shown.join(" or "))
}
