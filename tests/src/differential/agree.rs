//! Whether the oracle, asked in another way, says what Pemba says.

use std::collections::BTreeMap;

use super::answer::{Answer, Fault, Found, HAS, NO, Verdict};
use super::ask::STRANGER;
use super::generate::IDS;
use super::peer::Peer;
use super::second::{Second, Without};
use super::step::{At, Item, Object, Step, Subject};
use super::tolerate::{Asked, Meant, expired_edges, plain};

/// The type of the subject that a question is about, if it is a userset.
fn userset_type(step: &Step) -> &str {
    let of = |subject: &'_ Subject| !subject.relation.is_empty();
    match step {
        Step::Check(item, _) if of(&item.subject) => &item.subject.object.kind,
        Step::LookupResources { subject, .. } if of(subject) => &subject.object.kind,
        Step::LookupSubjects { subject_type, subject_relation, .. } if !subject_relation.is_empty() => {
            subject_type
        }
        _ => "",
    }
}

/// The oracle in another store says what Pemba says.
pub(super) async fn as_second_opinion(
    asked: &Asked<'_>,
    step: &Step,
    ours: &Answer,
    second: &mut Second,
) -> Option<Meant> {
    let kind = userset_type(step);
    let ends = step.is_change();
    for without in Without::ALL {
        let has_expired = !expired_edges(asked.case).is_empty();
        if (without == Without::Expired && !has_expired) || (without == Without::Wildcards && kind.is_empty())
        {
            continue;
        }
        let answer = second.ask((asked.run, asked.before), without, kind, step).await?;
        if asked.agree(ours, &answer) {
            return Some(Meant { rule: without.rule(), ends });
        }
    }
    None
}

/// What the oracle's check says, where it is right.
async fn checked(asked: &Asked<'_>, item: Item, second: &mut Second) -> Option<Answer> {
    let step = Step::Check(item, At::Head);
    let kind = userset_type(&step);
    let without = if kind.is_empty() { Without::Expired } else { Without::Wildcards };
    let answer = second.ask((asked.run, asked.before), without, kind, &step).await?;
    matches!(answer, Answer::Check(_)).then_some(answer)
}

/// The ids that a case uses.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    IDS.into_iter().chain([STRANGER])
}

/// Whether the oracle's checks say of every resource what Pemba's lookup says.
pub(super) async fn resources_as_checked(
    asked: &Asked<'_>,
    ours: &BTreeMap<String, Verdict>,
    second: &mut Second,
) -> bool {
    let Step::LookupResources { resource_type, permission, subject, context, .. } = asked.step else {
        return false;
    };
    let denied = Verdict { permissionship: NO, missing: Vec::new() };
    for id in ids() {
        let item = Item {
            resource: Object::new(resource_type, id),
            permission: permission.clone(),
            subject: subject.clone(),
            context: context.clone(),
        };
        let ours = Answer::Check(ours.get(id).unwrap_or(&denied).clone());
        match checked(asked, item, second).await {
            Some(checked) if asked.agree(&ours, &checked) => {}
            _ => return false,
        }
    }
    true
}

/// The rule if the oracle's checks say of every subject what Pemba's lookup says. SpiceDB's lookup gives, beside a
/// wildcard, only what a subject's own grants say, and leaves out some under exclusions; and for `self` it gives an object's id
/// whatever type is asked for.
pub(super) async fn subjects_as_checked(
    asked: &Asked<'_>,
    ours: &Answer,
    theirs: &Answer,
    second: &mut Second,
) -> Option<&'static str> {
    let (Answer::Subjects { found: ours, .. }, Answer::Subjects { found: theirs, .. }) = (ours, theirs)
    else {
        return None;
    };
    let Step::LookupSubjects { resource, permission, subject_type, subject_relation, context } = asked.step
    else {
        return None;
    };
    let has_self = asked.case.schema.text().contains("use self");
    let mut is_itself = false;
    for id in ids() {
        let item = Item {
            resource: resource.clone(),
            permission: permission.clone(),
            subject: Subject { object: Object::new(subject_type, id), relation: subject_relation.clone() },
            context: context.clone(),
        };
        let checked = checked(asked, item, second).await?;
        if !asked.agree(&Answer::Check(implied(ours, id)), &checked) {
            return None;
        }
        let is_listed_alike = ours.contains_key(id) == theirs.contains_key(id);
        if is_listed_alike
            || !asked.agree(&Answer::Check(implied(ours, id)), &Answer::Check(implied(theirs, id)))
        {
            continue;
        }
        // Both say the same of it, but only one lists it.
        if !has_self || ours.contains_key(id) {
            return None;
        }
        is_itself = true;
    }
    Some(if is_itself {
        "self-is-found-as-its-own-type-only"
    } else {
        "lookups-of-subjects-answer-as-checks"
    })
}

/// What a lookup says of a subject, listed or not.
pub(super) fn implied(found: &BTreeMap<String, Found>, id: &str) -> Verdict {
    let denied = || Verdict { permissionship: NO, missing: Vec::new() };
    if let Some((verdict, _)) = found.get(id) {
        return verdict.clone();
    }
    match found.get("*") {
        None => denied(),
        Some((everybody, excluded)) => match excluded.get(id) {
            None => everybody.clone(),
            Some(excluded) if excluded.permissionship == HAS => denied(),
            Some(excluded) => excluded.clone(),
        },
    }
}

/// One item of a bulk check that may differ: alike, or meant to differ as a check of its own would be; or the oracle
/// puts on it the fault of another item, which it has not when asked alone.
pub(super) async fn bulk_item(
    asked: &Asked<'_>,
    item: &Item,
    (ours, theirs): (&Result<Verdict, Fault>, &Result<Verdict, Fault>),
    oracle: &mut Peer,
    second: &mut Second,
) -> Option<()> {
    let as_answer = |one: &Result<Verdict, Fault>| match one {
        Ok(verdict) => Answer::Check(verdict.clone()),
        Err(fault) => Answer::Fault(fault.clone()),
    };
    let (ours, theirs) = (as_answer(ours), as_answer(theirs));
    let step = Step::Check(item.clone(), At::Head);
    if asked.agree(&ours, &theirs)
        || asked.agree(&ours, &oracle.ask(&step).await)
        || plain(asked, &step, &ours, &theirs).is_some()
    {
        return Some(());
    }
    as_second_opinion(asked, &step, &ours, second).await.map(drop)
}
