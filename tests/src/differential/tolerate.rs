//! The differences that are meant: one narrow rule each, with its reason. Each is in `docs/differences.md` too.
//!
//! Where SpiceDB is wrong, a rule holds only if SpiceDB contradicts itself: if another of its calls says what Pemba says, or
//! the same call in another store.

use tonic::Code;

use super::agree::{as_second_opinion, bulk_item, resources_as_checked, subjects_as_checked};
use super::answer::{Answer, Fault};
use super::cycles::{has_cycle, names_itself};
use super::generate::Case;
use super::oracle::Kind;
use super::peer::Peer;
use super::second::Second;
use super::step::{Context, Edge, Operation, PAST_S, Step, wire_struct};

/// A difference that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant {
    /// The rule's name.
    pub rule: &'static str,
    /// Whether the servers hold different relationships from here on, so that the case ends.
    pub ends: bool,
}

/// Bytes that an error of Pemba's may spend on broken rules.
const VIOLATIONS_MAX_BYTES: usize = 2560;
/// Most bytes that a request's context may have.
const CONTEXT_MAX_BYTES: usize = 4096;

/// A question on which the servers differ.
pub struct Asked<'a> {
    /// The case.
    pub case: &'a Case,
    /// The number of the run.
    pub run: u64,
    /// The changes that were made before, the case's schema and relationships first.
    pub before: &'a [Step],
    /// What is asked.
    pub step: &'a Step,
    /// Which oracle it is.
    pub kind: Kind,
}

impl Asked<'_> {
    /// Whether an answer of the oracle says the same, as far as this oracle says it: the library may name only some of the
    /// missing parameters, and gives no reasons of errors.
    pub(super) fn agree(&self, ours: &Answer, theirs: &Answer) -> bool {
        match self.kind {
            Kind::Binary => ours.same(theirs),
            Kind::Library => ours.same_in_short(theirs),
        }
    }
}

/// The rule that a difference falls under; `None` when none does.
pub async fn judge(
    asked: &Asked<'_>,
    (ours, theirs): (&Answer, &Answer),
    oracle: &mut Peer,
    second: &mut Second,
) -> Option<Meant> {
    if let Some(meant) = plain(asked, asked.step, ours, theirs) {
        return Some(meant);
    }
    let meant = |rule| Some(Meant { rule, ends: false });
    match (asked.step, ours, theirs) {
        (Step::Bulk(items), Answer::Bulk(ours), Answer::Bulk(theirs)) if ours.len() == theirs.len() => {
            for ((item, ours), theirs) in items.iter().zip(ours).zip(theirs) {
                bulk_item(asked, item, (ours, theirs), oracle, second).await?;
            }
            return meant("items-of-a-bulk-check");
        }
        (Step::Schema(_), ..) => return None,
        _ => {}
    }
    if let Some(meant) = as_second_opinion(asked, asked.step, ours, second).await {
        return Some(meant);
    }
    match (ours, theirs) {
        (Answer::Subjects { .. }, Answer::Subjects { .. }) => {
            meant(subjects_as_checked(asked, ours, theirs, second).await?)
        }
        (Answer::Resources { found, .. }, _) => {
            resources_as_checked(asked, found, second).await.then_some(())?;
            match theirs {
                Answer::Resources { .. } => meant("lookups-of-resources-answer-as-checks"),
                Answer::Fault(fault) if fault.reason.starts_with("CAVEAT_") => {
                    meant("a-caveat-that-fails-matters-where-it-decides")
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The rules that need no second question.
pub(super) fn plain(asked: &Asked<'_>, step: &Step, ours: &Answer, theirs: &Answer) -> Option<Meant> {
    let meant = |rule| Some(Meant { rule, ends: false });
    // What Pemba names is held against the naive evaluator for every answer.
    if !matches!(ours, Answer::Fault(_)) && asked.agree(ours, theirs) {
        return meant("library-names-some-parameters");
    }
    match (ours, theirs) {
        (Answer::Fault(ours), Answer::Fault(theirs)) => {
            // The library gives the code of a unary call's error, and nothing else.
            if asked.kind == Kind::Library && ours.code == theirs.code && theirs.reason.is_empty() {
                return meant("library-has-no-reasons");
            }
            // There it is an error without a code or reason.
            if theirs.code == Code::Unknown && ours.reason == "CAVEAT_PARAMETER_TYPE_ERROR" {
                return meant("caveat-values-on-relationships-have-a-code");
            }
            if theirs.code == Code::Unknown
                && theirs.message.contains("there exists a cycle in permissions")
                && ours.reason == "SCHEMA_TYPE_ERROR"
            {
                return meant("permissions-that-only-name-each-other-have-a-code");
            }
            if tells_the_first(ours, theirs) {
                return meant("many-broken-rules-are-told-as-far-as-headers-take-them");
            }
            whole_number(step, ours).or_else(|| refused_by_field(step, ours))
        }
        (_, Answer::Fault(theirs)) => only_theirs(asked, step, theirs),
        (Answer::Fault(ours), _) => only_ours(step, ours),
        // A deletion there counts what had expired.
        (Answer::Deleted(ours, count), Answer::Deleted(theirs, more)) if ours == theirs && count < more => {
            let expired = u64::try_from(expired_edges(asked.case).len()).unwrap();
            (more - count <= expired)
                .then_some(Meant { rule: "expired-relationships-are-not-counted-as-deleted", ends: false })
        }
        _ => None,
    }
}

/// Whether Pemba tells as many of the broken rules as it has room for, the first ones, and counts the rest.
fn tells_the_first(ours: &Fault, theirs: &Fault) -> bool {
    let (told, all) = (&ours.violations, &theirs.violations);
    let Some(next) = all.get(told.len()).filter(|_| all.starts_with(told)) else { return false };
    let taken: usize = told.iter().chain([next]).map(prost::Message::encoded_len).sum();
    let counted = || {
        let (named, left) = ours.message.rsplit_once("; and ")?;
        let left: usize = left.strip_suffix(" more")?.parse().ok()?;
        Some(named.matches("; `").count() + 1 + left)
    };
    ours.code == theirs.code && taken > VIOLATIONS_MAX_BYTES && counted() == Some(all.len())
}

/// Whether a schema that was refused for a relationship with a wildcard allows that wildcard: only the type without it
/// is removed from the relation.
fn keeps_wildcard(schema: &str, theirs: &Fault) -> bool {
    let told = || {
        let rest = theirs.message.split_once("cannot remove allowed type `")?.1;
        let (kind, rest) = rest.split_once("` from relation `")?;
        let (relation, rest) = rest.split_once("` in object definition `")?;
        let (definition, rest) = rest.split_once("`, as a relationship exists with it: ")?;
        Some((kind, relation, definition, rest))
    };
    let Some((kind, relation, definition, relationship)) = told() else { return false };
    let wildcard = format!("{kind}:*");
    let (definition, relation) = (format!("{definition} {{"), format!("relation {relation}:"));
    let definition = schema.split("definition ").find(|text| text.starts_with(&definition));
    let allowed = definition
        .and_then(|text| text.lines().find_map(|line| line.trim_start().strip_prefix(relation.as_str())));
    relationship.ends_with(&format!("@{wildcard}"))
        && allowed.is_some_and(|allowed| allowed.split('|').any(|kind| kind.trim() == wildcard))
}

/// Whether a schema was refused for the end of a line, where a list of a caveat's parameters is open.
fn ends_line_in_parameters(schema: &str, theirs: &Fault) -> bool {
    let line =
        || theirs.message.split_once("parse error in `schema`, line ")?.1.split_once(',')?.0.parse().ok();
    let Some(line) = line() else { return false };
    let before: Vec<&str> = schema.lines().take(line).collect();
    let before = before.join("\n");
    let is_open = |from: &str| from.contains('(') && !from.contains(')');
    theirs.message.contains("TokenTypeSyntheticSemicolon")
        && before.rsplit_once("caveat ").is_some_and(|(_, from)| is_open(from))
}

/// SpiceDB refuses, Pemba answers.
fn only_theirs(asked: &Asked<'_>, step: &Step, theirs: &Fault) -> Option<Meant> {
    let case = asked.case;
    let is_too_deep = theirs.reason == "MAXIMUM_DEPTH_EXCEEDED"
        || (theirs.reason.is_empty() && theirs.message.starts_with("max depth exceeded"));
    if is_too_deep && (has_cycle(case) || names_itself(asked.before)) {
        return Some(Meant { rule: "cycles-are-answered", ends: false });
    }
    // An assertion inside SpiceDB fails where an arrow leads to `self`.
    if theirs.code == Code::Unknown
        && theirs.message.contains("cannot call HintForEntrypoint for kind SELF_ENTRYPOINT")
    {
        return Some(Meant { rule: "lookup-through-self-is-answered", ends: false });
    }
    let over_expired = |(operation, edge): &(Operation, Edge)| {
        *operation == Operation::Create && expired_edges(case).iter().any(|old| old.same(edge))
    };
    // A filter that names a permission and a subject finds nothing here.
    if matches!(step, Step::Read { .. } | Step::Write { .. } | Step::Delete { .. })
        && theirs.message.contains("does not have type information")
    {
        let ends = !matches!(step, Step::Read { .. });
        return Some(Meant { rule: "a-filter-for-a-permission-finds-nothing", ends });
    }
    if theirs.message.contains("wildcard relations cannot be used on the left side of arrows")
        || theirs.message.contains("wildcard relations cannot be transitively included")
    {
        return Some(Meant { rule: "wildcards-are-looked-for-by-type", ends: true });
    }
    let brace = "Expected end of statement or definition, found: TokenTypeRightBrace";
    match step {
        Step::Schema(_) if theirs.message.contains(brace) => {
            Some(Meant { rule: "a-brace-may-end-a-statement", ends: true })
        }
        Step::Schema(text) if ends_line_in_parameters(text, theirs) => {
            Some(Meant { rule: "lines-may-end-between-parameters", ends: true })
        }
        Step::Schema(text) if keeps_wildcard(text, theirs) => {
            Some(Meant { rule: "a-wildcard-is-no-relationship-of-its-type", ends: true })
        }
        Step::Write { updates, .. }
            if theirs.code == Code::AlreadyExists && updates.iter().any(over_expired) =>
        {
            Some(Meant { rule: "create-over-an-expired-relationship", ends: true })
        }
        _ => None,
    }
}

/// Pemba refuses, SpiceDB answers.
fn only_ours(step: &Step, ours: &Fault) -> Option<Meant> {
    match step {
        Step::Schema(_)
            if ours.message.contains("which admits the wildcard")
                || ours.message.contains("includes the wildcard") =>
        {
            Some(Meant { rule: "wildcards-are-looked-for-by-type", ends: true })
        }
        // SpiceDB looks for relationships that a schema would leave behind, and overlooks those with a caveat.
        Step::Schema(_)
            if ours.reason == "SCHEMA_TYPE_ERROR"
                && ours
                    .metadata
                    .get("operation")
                    .is_some_and(|operation| operation.starts_with("delete_"))
                && ours.metadata.get("relationship").is_some_and(|text| text.contains('[')) =>
        {
            Some(Meant { rule: "a-schema-leaves-no-conditional-relationship-behind", ends: true })
        }
        _ => whole_number(step, ours).or_else(|| refused_by_field(step, ours)),
    }
}

/// A whole number of more than 64 bits is refused. SpiceDB takes the nearest that fits.
fn whole_number(step: &Step, ours: &Fault) -> Option<Meant> {
    let wanted = ["must be `int`", "must be `uint`", "a whole number of 64 bits"];
    let is_one = ours.reason == "CAVEAT_PARAMETER_TYPE_ERROR"
        && wanted.iter().any(|wanted| ours.message.contains(wanted))
        && ours.message.contains("the text `1e99999`");
    let ends = matches!(step, Step::Write { .. });
    is_one.then_some(Meant { rule: "whole-numbers-have-64-bits", ends })
}

/// Pemba refuses a field that SpiceDB takes, or that it looks at after others.
fn refused_by_field(step: &Step, ours: &Fault) -> Option<Meant> {
    let large = |context: &Context| prost::Message::encoded_len(&wire_struct(context)) > CONTEXT_MAX_BYTES;
    match step {
        Step::LookupResources { context, .. } if ours.code == Code::InvalidArgument && large(context) => {
            Some(Meant { rule: "large-contexts-are-refused-by-every-call", ends: false })
        }
        Step::LookupSubjects { resource, .. } if ours.code == Code::InvalidArgument && resource.id == "*" => {
            Some(Meant { rule: "a-wildcard-is-no-resource", ends: false })
        }
        _ => None,
    }
}

/// Whether a server did not answer in time.
pub fn is_late(answer: &Answer) -> bool {
    matches!(answer, Answer::Fault(fault) if matches!(fault.code, Code::DeadlineExceeded | Code::Cancelled))
}

/// Every relationship that the case wrote or tried to write.
pub(super) fn written_edges(case: &Case) -> impl Iterator<Item = &Edge> {
    let written = case.steps.iter().flat_map(|step| match step {
        Step::Write { updates, .. } => updates.as_slice(),
        _ => &[],
    });
    case.edges.iter().chain(written.map(|(_, edge)| edge))
}

/// The relationships that were written with an expiry long past.
pub(super) fn expired_edges(case: &Case) -> Vec<Edge> {
    written_edges(case).filter(|edge| edge.expires_at_s == Some(PAST_S)).cloned().collect()
}
