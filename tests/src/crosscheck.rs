//! One validation file over gRPC: each assertion by three calls, and every lookup against brute force, at the head and at
//! an earlier revision.

pub mod ask;

use std::collections::{BTreeMap, BTreeSet};

use pemba_proto::authzed::api::v1::ZedToken;

use crate::differential::answer::{Answer, CONDITIONAL, NO, Verdict};
use crate::differential::peer::Peer;
use crate::differential::step::{At, Context, Edge, Filter, Item, Object, Operation, Step, Subject};
use ask::How;

/// What is checked.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Its name, for messages.
    pub name: String,
    /// The schema's text.
    pub schema: String,
    /// Each type with the names of its relations and permissions.
    pub types: BTreeMap<String, Vec<String>>,
    /// The relationships.
    pub edges: Vec<Edge>,
    /// The assertions, each with the permissionship it demands, as CheckPermission numbers it.
    pub assertions: Vec<(Item, i32)>,
}

/// What was compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compared {
    /// Assertions that held by every call.
    pub assertions: usize,
    /// Lookups of resources that equal brute force, pages not counted.
    pub lookups_of_resources: usize,
    /// Lookups of subjects that agree with brute force, pages not counted.
    pub lookups_of_subjects: usize,
    /// Lookups of both kinds at exactly an earlier revision.
    pub lookups_before: usize,
    /// Single checks of the brute force.
    pub checks: usize,
}

impl Compared {
    /// Adds another's.
    pub fn add(&mut self, other: Compared) {
        self.assertions += other.assertions;
        self.lookups_of_resources += other.lookups_of_resources;
        self.lookups_of_subjects += other.lookups_of_subjects;
        self.lookups_before += other.lookups_before;
        self.checks += other.checks;
    }
}

/// An object that no relationship mentions.
const STRANGER: &str = "never-mentioned";
/// Most items of one bulk check.
const ITEMS_MAX: usize = 2000;

/// Loads a file into an empty server and checks everything; the first disagreement is the error.
pub async fn check(peer: &mut Peer, file: &File) -> Result<Compared, String> {
    let mut compared = Compared::default();
    done(peer.ask(&Step::Schema(file.schema.clone())).await, "the schema")?;
    for chunk in file.edges.chunks(500) {
        let updates = chunk.iter().map(|edge| (Operation::Touch, edge.clone())).collect();
        done(peer.ask(&Step::Write { updates, preconditions: Vec::new() }).await, "the relationships")?;
    }
    for (item, wanted) in &file.assertions {
        assertion(peer, item, *wanted).await?;
        compared.assertions += 1;
    }
    let asked = Asked::of(file);
    let mut verdicts = BTreeMap::new();
    for (kind, names) in &file.types {
        for name in names {
            let all = brute_force(peer, &asked, (kind, name), None, &mut compared).await?;
            verdicts.insert((kind.as_str(), name.as_str()), all);
        }
    }
    at_an_earlier_revision(peer, file, &asked, &verdicts, &mut compared).await?;
    Ok(compared)
}

fn done(answer: Answer, what: &str) -> Result<(), String> {
    if matches!(answer, Answer::Done) { Ok(()) } else { Err(format!("{what}: {answer}")) }
}

/// Check, CheckBulk and LookupResources give what an assertion demands.
async fn assertion(peer: &mut Peer, item: &Item, wanted: i32) -> Result<(), String> {
    let verdict = match peer.ask(&Step::Check(item.clone(), At::Head)).await {
        Answer::Check(verdict) if verdict.permissionship == wanted => verdict,
        other => return Err(format!("{item}: {other}, not number {wanted}")),
    };
    match peer.ask(&Step::Bulk(vec![item.clone()])).await {
        Answer::Bulk(items) if matches!(&items[..], [Ok(bulk)] if *bulk == verdict) => {}
        other => return Err(format!("{item}: CheckBulk says {other}")),
    }
    let found = resources(peer, item, &item.context).await?;
    let listed = found.get(&item.resource.id);
    let fits = match listed {
        Some(listed) => *listed == verdict,
        None => wanted == NO,
    };
    if !fits {
        return Err(format!("{item}: LookupResources says {listed:?}, Check {verdict}"));
    }
    // Without the context nothing is more certain than with it, and what is denied now is denied with it too.
    let without = resources(peer, item, &Context::new()).await?;
    let listed = without.get(&item.resource.id);
    match (listed, wanted) {
        (None, NO) => Ok(()),
        (None, _) => Err(format!("{item}: LookupResources without the context denies")),
        (Some(listed), _) if listed.permissionship == CONDITIONAL || *listed == verdict => Ok(()),
        (Some(listed), _) => Err(format!("{item}: LookupResources without the context says {listed}")),
    }
}

async fn resources(
    peer: &mut Peer,
    like: &Item,
    context: &Context,
) -> Result<BTreeMap<String, Verdict>, String> {
    let like = Item { context: context.clone(), ..like.clone() };
    let all = How { exact: None, page: 0 };
    let lookup = ask::resources(peer, &like, all)
        .await
        .map_err(|reason| format!("LookupResources {like}: {reason}"))?;
    Ok(lookup.found)
}

/// All objects that relationships mention, and one stranger of each type.
fn mentioned(file: &File) -> BTreeSet<Object> {
    let mut all: BTreeSet<Object> = file.types.keys().map(|kind| Object::new(kind, STRANGER)).collect();
    for edge in &file.edges {
        all.insert(edge.resource.clone());
        all.insert(edge.subject.object.clone());
    }
    all.retain(|object| object.id != "*");
    all
}

/// What is asked about.
struct Asked {
    objects: BTreeSet<Object>,
    /// Each object, and each userset that a relationship has.
    subjects: BTreeSet<Subject>,
    /// The types and relations of the subjects.
    forms: BTreeSet<(String, String)>,
}

impl Asked {
    fn of(file: &File) -> Asked {
        let objects = mentioned(file);
        let plain = |object: &Object| Subject { object: object.clone(), relation: String::new() };
        let usersets = file.edges.iter().map(|edge| edge.subject.clone()).filter(|s| !s.relation.is_empty());
        let subjects: BTreeSet<Subject> = objects.iter().map(plain).chain(usersets).collect();
        let forms = subjects.iter().map(|s| (s.object.kind.clone(), s.relation.clone())).collect();
        Asked { objects, subjects, forms }
    }
}

type Verdicts = BTreeMap<(Object, Subject), Verdict>;

/// Every check of one permission, against both lookups, at the head or at exactly an earlier revision. Gives what the
/// checks said.
async fn brute_force(
    peer: &mut Peer,
    asked: &Asked,
    (kind, name): (&str, &str),
    exact: Option<&ZedToken>,
    compared: &mut Compared,
) -> Result<Verdicts, String> {
    let resources: Vec<&Object> = asked.objects.iter().filter(|object| object.kind == kind).collect();
    let mut verdicts = Verdicts::new();
    let mut items = Vec::new();
    for subject in &asked.subjects {
        for resource in &resources {
            items.push(Item {
                resource: (*resource).clone(),
                permission: name.to_owned(),
                subject: subject.clone(),
                context: Context::new(),
            });
        }
    }
    for chunk in items.chunks(ITEMS_MAX) {
        let answers = ask::bulk(peer, chunk, How { exact, page: 0 }).await?;
        for (item, verdict) in chunk.iter().zip(answers) {
            verdicts.insert((item.resource.clone(), item.subject.clone()), verdict);
        }
    }
    compared.checks += items.len();
    for subject in &asked.subjects {
        resources_agree(peer, (kind, name), subject, exact, &verdicts).await?;
    }
    for resource in &resources {
        for form in &asked.forms {
            subjects_agree(peer, (resource, name), form, exact, &verdicts).await?;
        }
    }
    let (of_resources, of_subjects) = (asked.subjects.len(), resources.len() * asked.forms.len());
    if exact.is_some() {
        compared.lookups_before += of_resources + of_subjects;
    } else {
        compared.lookups_of_resources += of_resources;
        compared.lookups_of_subjects += of_subjects;
    }
    Ok(verdicts)
}

/// LookupResources, whole and in pages, at an earlier revision in pages alone, finds what checks true, and nothing else, in one order.
async fn resources_agree(
    peer: &mut Peer,
    (kind, name): (&str, &str),
    subject: &Subject,
    exact: Option<&ZedToken>,
    verdicts: &Verdicts,
) -> Result<(), String> {
    let expected: BTreeMap<String, Verdict> = verdicts
        .iter()
        .filter(|((_, of), verdict)| of == subject && verdict.permissionship != NO)
        .map(|((resource, _), verdict)| (resource.id.clone(), verdict.clone()))
        .collect();
    let like = Item {
        resource: Object::new(kind, ""),
        permission: name.to_owned(),
        subject: subject.clone(),
        context: Context::new(),
    };
    let mut order = None;
    let pages: &[u32] = if exact.is_some() { &[2] } else { &[0, 1, 2, 7] };
    for page in pages.iter().copied() {
        let what = || format!("LookupResources {kind}#{name}@{subject} in pages of {page}");
        let lookup = ask::resources(peer, &like, How { exact, page });
        let lookup = lookup.await.map_err(|reason| format!("{}: {reason}", what()))?;
        if lookup.found != expected {
            return Err(format!("{}: {:?}, brute force {expected:?}", what(), lookup.found));
        }
        if order.get_or_insert(lookup.order.clone()) != &lookup.order {
            return Err(format!("{}: {:?}, the whole {order:?}", what(), lookup.order));
        }
    }
    Ok(())
}

/// LookupSubjects, whole and in pages, at an earlier revision in pages alone, says of each subject what Check says, the wildcard and its exclusions counted.
async fn subjects_agree(
    peer: &mut Peer,
    (resource, name): (&Object, &str),
    (kind, relation): &(String, String),
    exact: Option<&ZedToken>,
    verdicts: &Verdicts,
) -> Result<(), String> {
    let mut whole = None;
    let pages: &[u32] = if exact.is_some() { &[2] } else { &[0, 2] };
    for page in pages.iter().copied() {
        let what = || format!("LookupSubjects {resource}#{name}@{kind}#{relation} in pages of {page}");
        let lookup = ask::subjects(peer, (resource, name), (kind, relation), How { exact, page });
        let lookup = lookup.await.map_err(|reason| format!("{}: {reason}", what()))?;
        let first = whole.get_or_insert(lookup.clone());
        if first != &lookup {
            return Err(format!("{}: {lookup:?}, the whole {first:?}", what()));
        }
    }
    let found = whole.map(|whole| whole.found).unwrap_or_default();
    for ((of, subject), verdict) in verdicts {
        if of != resource || subject.object.kind != *kind || subject.relation != *relation {
            continue;
        }
        let id = &subject.object.id;
        let said = match (found.get(id), found.get("*")) {
            (Some((direct, _)), _) => direct.permissionship,
            (None, Some((wildcard, excluded))) => match excluded.get(id) {
                Some(out) if out.permissionship == CONDITIONAL => CONDITIONAL,
                Some(_) => NO,
                None => wildcard.permissionship,
            },
            (None, None) => NO,
        };
        if said != verdict.permissionship {
            return Err(format!(
                "LookupSubjects {resource}#{name}: {subject} is number {said}, Check says {verdict}; found {found:?}"
            ));
        }
    }
    Ok(())
}

/// After everything is deleted, assertions and brute force hold at exactly the revision before.
async fn at_an_earlier_revision(
    peer: &mut Peer,
    file: &File,
    asked: &Asked,
    verdicts: &BTreeMap<(&str, &str), Verdicts>,
    compared: &mut Compared,
) -> Result<(), String> {
    let before = peer.tokens.len() - 1;
    for kind in file.types.keys() {
        let filter = Filter { resource_type: kind.clone(), ..Filter::default() };
        peer.ask(&Step::Delete { filter, preconditions: Vec::new(), limit: 0, partial: false }).await;
    }
    for (item, wanted) in &file.assertions {
        match peer.ask(&Step::Check(item.clone(), At::Exact(before))).await {
            Answer::Check(verdict) if verdict.permissionship == *wanted => {}
            other => return Err(format!("{item} at an earlier revision: {other}")),
        }
    }
    let exact = peer.tokens.get(before).cloned();
    for ((kind, name), then) in verdicts {
        let again = brute_force(peer, asked, (kind, name), exact.as_ref(), compared).await;
        let again = again.map_err(|reason| format!("at an earlier revision: {reason}"))?;
        if let Some((asked, verdict)) =
            then.iter().find(|(asked, verdict)| again.get(asked) != Some(*verdict))
        {
            return Err(format!(
                "{name} of {asked:?} was {verdict}, and at that revision is {:?}",
                again.get(asked)
            ));
        }
    }
    Ok(())
}
