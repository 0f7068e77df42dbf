//! One validation file over gRPC: each assertion by three calls, and every lookup against brute force.

use std::collections::{BTreeMap, BTreeSet};

use crate::differential::answer::{Answer, CONDITIONAL, NO, Verdict};
use crate::differential::peer::Peer;
use crate::differential::step::{At, Context, Edge, Filter, Item, Object, Operation, Step, Subject};

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
    /// Lookups of subjects that agree with brute force.
    pub lookups_of_subjects: usize,
    /// Single checks of the brute force.
    pub checks: usize,
}

impl Compared {
    /// Adds another's.
    pub fn add(&mut self, other: Compared) {
        self.assertions += other.assertions;
        self.lookups_of_resources += other.lookups_of_resources;
        self.lookups_of_subjects += other.lookups_of_subjects;
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
    let objects = mentioned(file);
    for (kind, names) in &file.types {
        for name in names {
            brute_force(peer, file, &objects, (kind, name), &mut compared).await?;
        }
    }
    at_an_earlier_revision(peer, file).await?;
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
    let found = resources(peer, item, &item.context, 0).await?;
    let listed = found.get(&item.resource.id);
    let fits = match listed {
        Some(listed) => *listed == verdict,
        None => wanted == NO,
    };
    if !fits {
        return Err(format!("{item}: LookupResources says {listed:?}, Check {verdict}"));
    }
    // Without the context nothing is more certain than with it, and what is denied now is denied with it too.
    let without = resources(peer, item, &Context::new(), 0).await?;
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
    page: u32,
) -> Result<BTreeMap<String, Verdict>, String> {
    let step = Step::LookupResources {
        resource_type: like.resource.kind.clone(),
        permission: like.permission.clone(),
        subject: like.subject.clone(),
        context: context.clone(),
        page,
    };
    match peer.ask(&step).await {
        Answer::Resources { found, repeated: 0 } => Ok(found),
        other => Err(format!("{step}: {other}")),
    }
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

/// The subjects that are asked about: each object, and each userset that a relationship has.
fn subjects(file: &File, objects: &BTreeSet<Object>) -> BTreeSet<Subject> {
    let plain = |object: &Object| Subject { object: object.clone(), relation: String::new() };
    let usersets = file.edges.iter().map(|edge| edge.subject.clone()).filter(|s| !s.relation.is_empty());
    objects.iter().map(plain).chain(usersets).collect()
}

/// Every check of one permission, against both lookups.
async fn brute_force(
    peer: &mut Peer,
    file: &File,
    objects: &BTreeSet<Object>,
    (kind, name): (&str, &str),
    compared: &mut Compared,
) -> Result<(), String> {
    let resources_of: Vec<&Object> = objects.iter().filter(|object| object.kind == kind).collect();
    let subjects = subjects(file, objects);
    let mut verdicts: BTreeMap<(Object, Subject), Verdict> = BTreeMap::new();
    let mut items = Vec::new();
    for subject in &subjects {
        for resource in &resources_of {
            items.push(Item {
                resource: (*resource).clone(),
                permission: name.to_owned(),
                subject: subject.clone(),
                context: Context::new(),
            });
        }
    }
    for chunk in items.chunks(ITEMS_MAX) {
        let Answer::Bulk(answers) = peer.ask(&Step::Bulk(chunk.to_vec())).await else {
            return Err(format!("no bulk answer for {kind}#{name}"));
        };
        for (item, answer) in chunk.iter().zip(answers) {
            let verdict = answer.map_err(|fault| format!("{item}: {fault}"))?;
            verdicts.insert((item.resource.clone(), item.subject.clone()), verdict);
        }
    }
    compared.checks += items.len();
    for subject in &subjects {
        resources_agree(peer, (kind, name), subject, &verdicts).await?;
        compared.lookups_of_resources += 1;
    }
    let forms: BTreeSet<(String, String)> =
        subjects.iter().map(|s| (s.object.kind.clone(), s.relation.clone())).collect();
    for resource in resources_of {
        for form in &forms {
            subjects_agree(peer, (resource, name), form, &verdicts).await?;
            compared.lookups_of_subjects += 1;
        }
    }
    Ok(())
}

/// LookupResources, whole and in pages of 1, 2 and 7, finds what checks true, and nothing else.
async fn resources_agree(
    peer: &mut Peer,
    (kind, name): (&str, &str),
    subject: &Subject,
    verdicts: &BTreeMap<(Object, Subject), Verdict>,
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
    for page in [0, 1, 2, 7] {
        let found = resources(peer, &like, &Context::new(), page).await?;
        if found != expected {
            return Err(format!(
                "LookupResources {kind}#{name}@{subject} in pages of {page}: {found:?}, brute force {expected:?}"
            ));
        }
    }
    Ok(())
}

/// LookupSubjects says of each subject what Check says, the wildcard and its exclusions counted.
async fn subjects_agree(
    peer: &mut Peer,
    (resource, name): (&Object, &str),
    (kind, relation): &(String, String),
    verdicts: &BTreeMap<(Object, Subject), Verdict>,
) -> Result<(), String> {
    let step = Step::LookupSubjects {
        resource: resource.clone(),
        permission: name.to_owned(),
        subject_type: kind.clone(),
        subject_relation: relation.clone(),
        context: Context::new(),
    };
    let Answer::Subjects { found, repeated: 0 } = peer.ask(&step).await else {
        return Err(format!("{step}: no answer, or one subject twice"));
    };
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
            return Err(format!("{step}: {subject} is number {said}, Check says {verdict}; found {found:?}"));
        }
    }
    Ok(())
}

/// After everything is deleted, the assertions hold at the revision before.
async fn at_an_earlier_revision(peer: &mut Peer, file: &File) -> Result<(), String> {
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
    Ok(())
}
