//! Which relationships a read, a delete or a precondition means.

use smol_str::SmolStr;

use crate::relationship::Relationship;

/// Selects relationships; every field that is set must match, and at least one must be set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelationshipFilter {
    /// The resource's type.
    pub resource_type: Option<SmolStr>,
    /// The resource's id; excludes `resource_id_prefix`.
    pub resource_id: Option<SmolStr>,
    /// How the resource's id begins; excludes `resource_id`.
    pub resource_id_prefix: Option<SmolStr>,
    /// The relation.
    pub relation: Option<SmolStr>,
    /// The subject.
    pub subject: Option<SubjectFilter>,
}

/// Selects subjects of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFilter {
    /// The subject's type.
    pub subject_type: SmolStr,
    /// The subject's id; `*` means the wildcard itself.
    pub subject_id: Option<SmolStr>,
    /// The subject's relation.
    pub relation: RelationFilter,
}

/// Which subject relations a filter means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RelationFilter {
    /// All of them, and none.
    #[default]
    Any,
    /// Only subjects without a relation.
    NoRelation,
    /// Only usersets of this relation.
    Is(SmolStr),
}

/// A filter that selects nothing in particular or contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// No field is set.
    #[error("the relationship filter is empty: at least one field must be set")]
    Empty,
    /// Both an id and an id prefix are set.
    #[error("the relationship filter sets both a resource id and a resource id prefix: only one is allowed")]
    IdAndPrefix,
}

impl RelationFilter {
    /// Whether a subject with this relation is meant.
    pub fn matches(&self, relation: Option<&str>) -> bool {
        match self {
            RelationFilter::Any => true,
            RelationFilter::NoRelation => relation.is_none(),
            RelationFilter::Is(wanted) => relation == Some(wanted.as_str()),
        }
    }
}

impl RelationshipFilter {
    /// Checks that the filter selects something and does not contradict itself.
    pub fn check(&self) -> Result<(), InvalidFilter> {
        if *self == RelationshipFilter::default() {
            return Err(InvalidFilter::Empty);
        }
        if self.resource_id.is_some() && self.resource_id_prefix.is_some() {
            return Err(InvalidFilter::IdAndPrefix);
        }
        Ok(())
    }

    /// Whether the relationship is meant. Expiry is not looked at.
    pub fn matches(&self, relationship: &Relationship) -> bool {
        let resource = &relationship.resource;
        let is = |wanted: &Option<SmolStr>, value: &SmolStr| wanted.as_ref().is_none_or(|w| w == value);
        is(&self.resource_type, &resource.object_type)
            && is(&self.resource_id, &resource.object_id)
            && is(&self.relation, &relationship.relation)
            && self.resource_id_prefix.as_ref().is_none_or(|p| resource.object_id.starts_with(p.as_str()))
            && self.subject.as_ref().is_none_or(|filter| {
                let subject = &relationship.subject;
                filter.subject_type == subject.object.object_type
                    && is(&filter.subject_id, &subject.object.object_id)
                    && filter.relation.matches(subject.relation.as_deref())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_relationship;

    #[test]
    fn each_field_narrows() {
        let relationship = parse_relationship("doc:abc#viewer@group:g#member").unwrap();
        let subject = |relation| {
            Some(SubjectFilter { subject_type: "group".into(), subject_id: Some("g".into()), relation })
        };
        let yes = [
            RelationshipFilter { resource_type: Some("doc".into()), ..Default::default() },
            RelationshipFilter { resource_id_prefix: Some("ab".into()), ..Default::default() },
            RelationshipFilter { subject: subject(RelationFilter::Any), ..Default::default() },
            RelationshipFilter {
                subject: subject(RelationFilter::Is("member".into())),
                ..Default::default()
            },
        ];
        let no = [
            RelationshipFilter { resource_type: Some("docs".into()), ..Default::default() },
            RelationshipFilter { resource_id: Some("ab".into()), ..Default::default() },
            RelationshipFilter { relation: Some("editor".into()), ..Default::default() },
            RelationshipFilter { subject: subject(RelationFilter::NoRelation), ..Default::default() },
        ];
        assert!(yes.iter().all(|filter| filter.matches(&relationship)));
        assert!(!no.iter().any(|filter| filter.matches(&relationship)));
    }

    #[test]
    fn empty_and_contradictory_filters_are_refused() {
        assert_eq!(RelationshipFilter::default().check(), Err(InvalidFilter::Empty));
        let both = RelationshipFilter {
            resource_id: Some("a".into()),
            resource_id_prefix: Some("a".into()),
            ..Default::default()
        };
        assert_eq!(both.check(), Err(InvalidFilter::IdAndPrefix));
    }
}
