//! Draws without meaning; smaller numbers are simpler.

use proptest::collection::vec;
use proptest::prelude::*;

/// A schema: its types in order.
#[derive(Debug, Clone)]
pub(super) struct RawSchema {
    pub(super) definitions: Vec<RawDefinition>,
}

#[derive(Debug, Clone)]
pub(super) struct RawDefinition {
    /// What each relation allows.
    pub(super) relations: Vec<Vec<RawAllowed>>,
    /// Each permission's expression.
    pub(super) permissions: Vec<RawExpression>,
}

#[derive(Debug, Clone)]
pub(super) struct RawAllowed {
    /// Whether the subject's type is the resource's.
    pub(super) own: bool,
    pub(super) subject_type: u8,
    /// 0 to 9: direct below 5, wildcard at 5, userset above.
    pub(super) shape: u8,
    pub(super) name: u8,
    /// 0 to 9: none below 6.
    pub(super) caveat: u8,
    pub(super) expiration: bool,
}

#[derive(Debug, Clone)]
pub(super) enum RawExpression {
    Nil,
    SelfObject,
    Reference(u8),
    Arrow { relation: u8, target: u8, all: bool },
    Union(Vec<RawExpression>),
    Intersection(Vec<RawExpression>),
    Exclusion(Box<RawExpression>, Box<RawExpression>),
}

#[derive(Debug, Clone)]
pub(super) struct RawRelationship {
    pub(super) kind: u16,
    pub(super) resource: u8,
    pub(super) subject: u8,
    /// Which caveat parameters are bound, and to what.
    pub(super) bound: u8,
    pub(super) expiry: u8,
}

#[derive(Debug, Clone)]
pub(super) enum RawStep {
    /// 0 to 9: delete an existing one below 4, touch below 8, else create.
    Write(Vec<(u8, RawRelationship)>),
    Schema(RawSchema),
}

#[derive(Debug, Clone)]
pub(super) struct RawCase {
    pub(super) schema: RawSchema,
    pub(super) first: Vec<RawRelationship>,
    pub(super) steps: Vec<RawStep>,
    pub(super) instants: Vec<(u8, u8)>,
    /// For each parameter 1 and 2: true, 3 and 4: false, 5: a wrong type, else missing.
    pub(super) given: [u8; 3],
}

fn expression() -> impl Strategy<Value = RawExpression> {
    let leaf = prop_oneof![
        12 => any::<u8>().prop_map(RawExpression::Reference),
        8 => (any::<u8>(), any::<u8>(), prop::bool::weighted(0.35))
            .prop_map(|(relation, target, all)| RawExpression::Arrow { relation, target, all }),
        1 => Just(RawExpression::SelfObject),
        1 => Just(RawExpression::Nil),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 2..=3).prop_map(RawExpression::Union),
            2 => vec(inner.clone(), 2..=3).prop_map(RawExpression::Intersection),
            3 => (inner.clone(), inner)
                .prop_map(|(base, without)| RawExpression::Exclusion(Box::new(base), Box::new(without))),
        ]
    })
}

fn allowed() -> impl Strategy<Value = RawAllowed> {
    let draws =
        (prop::bool::weighted(0.4), any::<u8>(), 0u8..10, any::<u8>(), 0u8..10, prop::bool::weighted(0.2));
    draws.prop_map(|(own, subject_type, shape, name, caveat, expiration)| RawAllowed {
        own,
        subject_type,
        shape,
        name,
        caveat,
        expiration,
    })
}

fn definition() -> impl Strategy<Value = RawDefinition> {
    (vec(vec(allowed(), 1..=3), 1..=2), vec(expression(), 0..=3))
        .prop_map(|(relations, permissions)| RawDefinition { relations, permissions })
}

pub(super) fn schema() -> impl Strategy<Value = RawSchema> {
    vec(definition(), 1..=3).prop_map(|definitions| RawSchema { definitions })
}

fn relationship() -> impl Strategy<Value = RawRelationship> {
    (any::<u16>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
        |(kind, resource, subject, bound, expiry)| RawRelationship { kind, resource, subject, bound, expiry },
    )
}

fn step() -> impl Strategy<Value = RawStep> {
    prop_oneof![
        4 => vec((0u8..10, relationship()), 1..=4).prop_map(RawStep::Write),
        1 => schema().prop_map(RawStep::Schema),
    ]
}

pub(super) fn case(first: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = RawCase> {
    let given = [0u8..10, 0u8..10, 0u8..10];
    (schema(), vec(relationship(), first), vec(step(), 0..=4), vec((any::<u8>(), 0u8..4), 1..=2), given)
        .prop_map(|(schema, first, steps, instants, given)| RawCase { schema, first, steps, instants, given })
}
