//! The differences that are meant: one narrow rule each, with its reason. Each is in `docs/differences.md` too.
//!
//! Where SpiceDB is wrong, a rule holds only if SpiceDB contradicts itself: if another of its calls says what Pemba says.

use tonic::Code;

use super::answer::{Answer, Fault, NO, Verdict};
use super::generate::Case;
use super::oracle::Kind;
use super::peer::Peer;
use super::step::{At, Context, Edge, Filter, Item, Object, Operation, PAST_S, Step, Subject, wire_struct};

/// A difference that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant {
    /// The rule's name.
    pub rule: &'static str,
    /// Whether the servers hold different relationships from here on, so that the case ends.
    pub ends: bool,
}

/// Most bytes that a request's context may have.
const CONTEXT_MAX_BYTES: usize = 4096;

/// The rule that a difference falls under; `None` when none does. `case` holds what was asked before.
pub async fn judge(
    case: &Case,
    step: &Step,
    (ours, theirs): (&Answer, &Answer),
    oracle: &mut Peer,
    kind: Kind,
) -> Option<Meant> {
    if let Some(meant) = plain(case, step, ours, theirs, kind) {
        return Some(meant);
    }
    let rule = match (step, ours, theirs) {
        (Step::Bulk(items), Answer::Bulk(ours), Answer::Bulk(theirs)) if ours.len() == theirs.len() => {
            let mut all = true;
            for ((item, ours), theirs) in items.iter().zip(ours).zip(theirs) {
                all &= bulk_item(case, item, (ours, theirs), oracle, kind).await.is_some();
            }
            all.then_some("items-of-a-bulk-check")
        }
        (Step::Check(item, _), Answer::Check(verdict), Answer::Check(_)) => {
            wildcard_and_userset(case, item, verdict, oracle).await
        }
        (Step::LookupSubjects { .. }, Answer::Subjects { .. }, Answer::Subjects { .. }) => {
            itself_of_another_type(case, step, ours, theirs, oracle).await
        }
        _ => None,
    };
    if let Some(rule) = rule {
        return Some(Meant { rule, ends: false });
    }
    expired(case, step, ours, oracle).await
}

/// The rules that need no second question.
fn plain(case: &Case, step: &Step, ours: &Answer, theirs: &Answer, kind: Kind) -> Option<Meant> {
    let meant = |rule| Some(Meant { rule, ends: false });
    match (ours, theirs) {
        (Answer::Fault(ours), Answer::Fault(theirs)) => {
            // The library gives the code of a unary call's error, and nothing else.
            if kind == Kind::Library && ours.code == theirs.code && theirs.reason.is_empty() {
                return meant("library-has-no-reasons");
            }
            // There it is an error without a code or reason.
            if theirs.code == Code::Unknown && ours.reason == "CAVEAT_PARAMETER_TYPE_ERROR" {
                return meant("caveat-values-on-relationships-have-a-code");
            }
            if two_faults(ours, theirs) { meant("of-two-faults-another-is-named") } else { None }
        }
        (_, Answer::Fault(theirs)) => only_theirs(case, step, theirs),
        (Answer::Fault(ours), _) => only_ours(step, ours),
        // A deletion there counts what had expired.
        (Answer::Deleted(ours, count), Answer::Deleted(theirs, more)) if ours == theirs && count < more => {
            let expired = u64::try_from(expired_edges(case).len()).unwrap();
            (more - count <= expired)
                .then_some(Meant { rule: "expired-relationships-are-not-counted-as-deleted", ends: false })
        }
        _ => None,
    }
}

/// Whether a request had two faults, of which each server names one.
fn two_faults(ours: &Fault, theirs: &Fault) -> bool {
    let unknown = |fault: &Fault| fault.reason.starts_with("UNKNOWN_");
    let field = |fault: &Fault| {
        fault.code == Code::InvalidArgument
            && matches!(&*fault.reason, "" | "WILDCARD_NOT_ALLOWED" | "INVALID_FILTER")
    };
    let write = |fault: &Fault| unknown(fault) || fault.reason == "INVALID_SUBJECT_TYPE";
    (field(ours) && unknown(theirs)) || (write(ours) && theirs.reason == "INVALID_FILTER")
}

/// SpiceDB refuses, Pemba answers.
fn only_theirs(case: &Case, step: &Step, theirs: &Fault) -> Option<Meant> {
    if theirs.reason == "MAXIMUM_DEPTH_EXCEEDED" {
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
    if theirs.message.contains("does not have type information") {
        let ends = !matches!(step, Step::Read { .. });
        return Some(Meant { rule: "a-filter-for-a-permission-finds-nothing", ends });
    }
    let brace = "Expected end of statement or definition, found: TokenTypeRightBrace";
    match step {
        Step::Schema(_) if theirs.message.contains(brace) => {
            Some(Meant { rule: "a-brace-may-end-a-statement", ends: true })
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

/// One item of a bulk check that may differ: alike, or meant to differ as a check of its own would be; or the oracle
/// puts on it the fault of another item, which it has not when asked alone.
async fn bulk_item(
    case: &Case,
    item: &Item,
    (ours, theirs): (&Result<Verdict, Fault>, &Result<Verdict, Fault>),
    oracle: &mut Peer,
    kind: Kind,
) -> Option<()> {
    let as_answer = |one: &Result<Verdict, Fault>| match one {
        Ok(verdict) => Answer::Check(verdict.clone()),
        Err(fault) => Answer::Fault(fault.clone()),
    };
    let (ours, theirs) = (as_answer(ours), as_answer(theirs));
    if ours.same(&theirs) {
        return Some(());
    }
    let step = Step::Check(item.clone(), At::Head);
    let alone = oracle.ask(&step).await;
    if alone.same(&ours) || plain(case, &step, &ours, &theirs, kind).is_some() {
        return Some(());
    }
    let Answer::Check(verdict) = &ours else { return None };
    wildcard_and_userset(case, item, verdict, oracle).await.map(drop)
}

/// A wildcard covers objects, not usersets. SpiceDB's check says otherwise, its lookup does not.
async fn wildcard_and_userset(
    case: &Case,
    item: &Item,
    ours: &Verdict,
    oracle: &mut Peer,
) -> Option<&'static str> {
    let wildcard = format!("{}:*", item.subject.object.kind);
    if item.subject.relation.is_empty() || !case.schema.text().contains(&wildcard) {
        return None;
    }
    let lookup = Step::LookupResources {
        resource_type: item.resource.kind.clone(),
        permission: item.permission.clone(),
        subject: item.subject.clone(),
        context: item.context.clone(),
        page: 0,
    };
    let Answer::Resources { found, .. } = oracle.ask(&lookup).await else { return None };
    let same = match found.get(&item.resource.id) {
        Some(verdict) => verdict == ours,
        None => ours.permissionship == NO,
    };
    same.then_some("wildcards-cover-objects-only")
}

/// `self` is the resource, a subject of its own type. SpiceDB's lookup of subjects gives the resource's id whatever type
/// is asked for, and its check denies those.
async fn itself_of_another_type(
    case: &Case,
    step: &Step,
    ours: &Answer,
    theirs: &Answer,
    oracle: &mut Peer,
) -> Option<&'static str> {
    let (Answer::Subjects { found: ours, .. }, Answer::Subjects { found: theirs, .. }) = (ours, theirs)
    else {
        return None;
    };
    let Step::LookupSubjects { resource, permission, subject_type, subject_relation, context } = step else {
        return None;
    };
    if !case.schema.text().contains("use self") || ours.keys().any(|id| !theirs.contains_key(id)) {
        return None;
    }
    for (id, verdict) in theirs {
        if ours.get(id) == Some(verdict) {
            continue;
        }
        let subject = Subject { object: Object::new(subject_type, id), relation: subject_relation.clone() };
        let item = Item {
            resource: resource.clone(),
            permission: permission.clone(),
            subject,
            context: context.clone(),
        };
        match oracle.ask(&Step::Check(item, At::Head)).await {
            Answer::Check(verdict) if verdict.permissionship == NO && !ours.contains_key(id) => {}
            _ => return None,
        }
    }
    Some("self-is-found-as-its-own-type-only")
}

/// An expired relationship counts no more. SpiceDB 1.56 still counts some: without them it says what Pemba says.
async fn expired(case: &Case, step: &Step, ours: &Answer, oracle: &mut Peer) -> Option<Meant> {
    let edges = expired_edges(case);
    let at_head = !matches!(step, Step::Check(_, At::Exact(_)) | Step::Read { at: At::Exact(_), .. });
    if edges.is_empty() || !at_head {
        return None;
    }
    for edge in edges {
        let filter = Filter::of(&edge);
        oracle.ask(&Step::Delete { filter, preconditions: Vec::new(), limit: 0, partial: false }).await;
    }
    let without = oracle.ask(step).await;
    // The removal was asked of the oracle alone, so the tokens of the two are no longer of the same writes.
    without.same(ours).then_some(Meant { rule: "expired-relationships-count-no-more", ends: true })
}

/// The relationships that were written with an expiry long past.
fn expired_edges(case: &Case) -> Vec<Edge> {
    let written = case.steps.iter().flat_map(|step| match step {
        Step::Write { updates, .. } => updates.iter().map(|(_, edge)| edge).collect(),
        _ => Vec::new(),
    });
    case.edges.iter().chain(written).filter(|edge| edge.expires_at_s == Some(PAST_S)).cloned().collect()
}
