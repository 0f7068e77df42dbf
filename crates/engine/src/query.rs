//! Questions and answers.

use pemba_model::{Context, ObjectRef, SubjectRef, Timestamp};
use roaring::RoaringBitmap;
use smol_str::SmolStr;

use crate::ids::{Ordinal, TypeId};

/// Whether a subject has a permission. Ordered: the more, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Permissionship {
    /// It does not.
    #[default]
    No,
    /// It depends on caveat parameters that nobody gave.
    Conditional,
    /// It does.
    Yes,
}

/// What a caveat says about one edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaveatOutcome {
    /// The edge counts.
    True,
    /// The edge does not count.
    False,
    /// These parameters decide and are missing; never empty.
    Missing(Vec<SmolStr>),
}

/// Evaluates caveats for a query; holds the request's context and the schema's caveats.
pub trait CaveatEvaluator {
    /// The outcome for an edge with this caveat and these bound values, which win over the request's. Must be a pure
    /// function of its arguments for the life of the query. An error that says that this caveat failed
    /// (`QueryError::failed_caveat`) leaves the edge open, and matters only if the answer depends on it; any other
    /// error ends the query.
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError>;
}

/// What every query is given besides its question.
#[derive(Clone, Copy)]
pub struct QueryContext<'a> {
    /// The instant of the query: edges that expire at it or before do not count.
    pub now: Timestamp,
    /// Most steps (edges walked, plan nodes run, set members built) before the query is refused.
    pub steps_max: u64,
    /// How caveats are decided.
    pub caveats: &'a dyn CaveatEvaluator,
}

/// Why a query has no answer. Never a denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The schema has no such object type.
    #[error("object definition `{0}` not found")]
    UnknownDefinition(SmolStr),
    /// The type has no such relation or permission.
    #[error("relation or permission `{relation}` not found under definition `{definition}`")]
    UnknownRelation {
        /// The object type.
        definition: SmolStr,
        /// The name it lacks.
        relation: SmolStr,
    },
    /// A relationship names a caveat the schema lacks.
    #[error("caveat `{0}` not found")]
    UnknownCaveat(SmolStr),
    /// A caveat's expression failed on the values it was given.
    #[error("caveat `{caveat}` cannot be evaluated: {message}")]
    CaveatEvaluation {
        /// The caveat.
        caveat: SmolStr,
        /// What went wrong.
        message: String,
    },
    /// A value given for a caveat's parameter is not of the parameter's type.
    #[error("parameter `{parameter}` of caveat `{caveat}` cannot take the value given: {message}")]
    CaveatParameterType {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        parameter: SmolStr,
        /// What is wrong with the value.
        message: String,
    },
    /// A caveat's expression would take more work than allowed.
    #[error(
        "evaluating caveat `{caveat}` takes more than {steps_max} steps; simplify its expression or its values"
    )]
    CaveatTooManySteps {
        /// The caveat.
        caveat: SmolStr,
        /// The limit, in steps.
        steps_max: u64,
    },
    /// The query would take more work than allowed.
    #[error("the query needs more than {steps_max} steps; narrow it, or raise the limit `query-steps-max`")]
    TooManySteps {
        /// The limit, in steps.
        steps_max: u64,
    },
    /// The tree of an expansion would nest deeper than a client can decode.
    #[error("the expansion nests deeper than {depth_max} levels; expand an object nearer to the subjects")]
    TooDeep {
        /// The limit, in levels.
        depth_max: u32,
    },
    /// The data makes a permission depend on its own absence, so that neither answer follows: an object whose
    /// exclusion leads back to itself.
    #[error("`{at}` depends on its own absence through a cycle in the data, so neither answer follows")]
    Contradiction {
        /// One object and permission on the cycle, `type:id#permission`.
        at: String,
    },
}

impl QueryError {
    /// The caveat whose failing this is; `None` for any other error.
    pub fn failed_caveat(&self) -> Option<&SmolStr> {
        match self {
            QueryError::UnknownCaveat(caveat)
            | QueryError::CaveatEvaluation { caveat, .. }
            | QueryError::CaveatParameterType { caveat, .. }
            | QueryError::CaveatTooManySteps { caveat, .. } => Some(caveat),
            QueryError::UnknownDefinition(_)
            | QueryError::UnknownRelation { .. }
            | QueryError::TooManySteps { .. }
            | QueryError::TooDeep { .. }
            | QueryError::Contradiction { .. } => None,
        }
    }
}

/// One question of a bulk check.
#[derive(Clone, Copy)]
pub struct CheckItem<'a> {
    /// The object.
    pub resource: &'a ObjectRef,
    /// Its relation or permission.
    pub permission: &'a str,
    /// The subject.
    pub subject: &'a SubjectRef,
    /// How caveats are decided, with this item's context.
    pub caveats: &'a dyn CaveatEvaluator,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckAnswer {
    /// The answer.
    pub permissionship: Permissionship,
    /// For `Conditional` the missing parameters of every branch that still matters, sorted, each once, never empty;
    /// else empty.
    pub missing: Vec<SmolStr>,
    /// The first instant at which the answer could change by the clock alone; it may be earlier than the true one,
    /// never later. `None` when no expiring edge was looked at.
    pub valid_until: Option<Timestamp>,
}

/// The answer of a lookup of resources: ordinals of one type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceSet {
    /// The resources' type; `None` when it was never mentioned and both sets are empty.
    pub resource_type: Option<TypeId>,
    /// Resources the subject has the permission on.
    pub definite: RoaringBitmap,
    /// Resources it has it on conditionally; disjoint from `definite`.
    pub conditional: RoaringBitmap,
    /// As in `CheckAnswer`, for the whole set.
    pub valid_until: Option<Timestamp>,
}

/// One subject of a lookup of subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSubject {
    /// The subject.
    pub ordinal: Ordinal,
    /// `Yes` or `Conditional`.
    pub permissionship: Permissionship,
    /// For `Conditional` the missing parameters, sorted.
    pub missing: Vec<SmolStr>,
}

/// The answer of a lookup of subjects: ordinals of one type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectSet {
    /// The subjects' type; `None` when it was never mentioned and the set is empty.
    pub subject_type: Option<TypeId>,
    /// What every subject of the type has that is not named in `excluded` or `concrete`; with its missing parameters.
    /// `No` when there is no wildcard grant.
    pub wildcard: (Permissionship, Vec<SmolStr>),
    /// Subjects that have less than the wildcard gives. `Yes`: certainly excluded, so they have nothing.
    /// `Conditional`: excluded if the named parameters say so. Ascending. Empty without a wildcard.
    pub excluded: Vec<FoundSubject>,
    /// Subjects granted by name, whether or not the wildcard covers them too. Ascending.
    pub concrete: Vec<FoundSubject>,
    /// As in `CheckAnswer`, for the whole set.
    pub valid_until: Option<Timestamp>,
}

/// One level of a permission's structure on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandTree {
    /// The object expanded.
    pub object: ObjectRef,
    /// The relation or permission expanded.
    pub relation: SmolStr,
    /// What it is made of.
    pub node: ExpandNode,
}

/// What a tree node is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpandNode {
    /// Direct subjects, usersets and wildcards included, sorted; empty for `nil`.
    Leaf(Vec<SubjectRef>),
    /// Any child.
    Union(Vec<ExpandTree>),
    /// Every child.
    Intersection(Vec<ExpandTree>),
    /// The first child without the others.
    Exclusion(Vec<ExpandTree>),
}
