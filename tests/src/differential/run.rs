//! Runs cases on both servers and counts what was asked.

use super::answer::{Answer, CONDITIONAL, HAS, NO, Verdict};
use super::generate::{Case, TYPES};
use super::naive;
use super::oracle::Kind;
use super::peer::Peer;
use super::schema::Schema;
use super::second::Second;
use super::step::{Operation, Step};
use super::tolerate::{self, Asked, Meant};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Both servers.
pub struct Pair {
    /// Pemba, with this client's own server.
    pub pemba: Peer,
    /// The oracle, with this client's own store.
    pub oracle: Peer,
    /// The oracle's second opinion, in another store.
    pub second: Second,
    /// Which oracle it is.
    pub kind: Kind,
    /// How many cases were run.
    pub runs: u64,
    /// Whether the oracle has stopped answering: some questions about tangled data never end there.
    pub stuck: bool,
}

/// A difference that no rule covers.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The case, up to the step that differs.
    pub case: Case,
    /// What was asked.
    pub step: Step,
    /// Pemba's answer.
    pub pemba: Answer,
    /// The oracle's answer.
    pub oracle: Answer,
}

/// What was asked and answered.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Cases run.
    pub cases: usize,
    /// Requests sent to each.
    pub requests: usize,
    /// Single answers compared: checks, bulk items, lookup results.
    pub answers: usize,
    /// By call and kind of answer.
    pub kinds: BTreeMap<String, usize>,
    /// By operator in the permission and verdict.
    pub operators: BTreeMap<(&'static str, i32), usize>,
    /// By rule: the differences that are meant.
    pub tolerated: BTreeMap<&'static str, usize>,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        self.cases += other.cases;
        self.requests += other.requests;
        self.answers += other.answers;
        for (kind, count) in &other.kinds {
            *self.kinds.entry(kind.clone()).or_default() += count;
        }
        for (key, count) in &other.operators {
            *self.operators.entry(*key).or_default() += count;
        }
        for (rule, count) in &other.tolerated {
            *self.tolerated.entry(rule).or_default() += count;
        }
    }

    fn count(&mut self, schema: &Schema, step: &Step, answer: &Answer) {
        self.requests += 1;
        let verdicts: Vec<i32> = match answer {
            Answer::Check(verdict) => vec![verdict.permissionship],
            Answer::Bulk(items) => {
                items.iter().filter_map(|i| i.as_ref().ok()).map(|v| v.permissionship).collect()
            }
            Answer::Resources { found, .. } => found.values().map(|v| v.permissionship).collect(),
            Answer::Subjects { found, .. } => found.values().map(|(v, _)| v.permissionship).collect(),
            _ => Vec::new(),
        };
        self.answers += verdicts.len().max(1);
        *self.kinds.entry(format!("{} {}", step.call(), kind(answer))).or_default() += 1;
        let asked = match step {
            Step::Check(item, _) => Some((item.resource.kind.as_str(), item.permission.as_str())),
            Step::LookupResources { resource_type, permission, .. } => {
                Some((&**resource_type, &**permission))
            }
            Step::LookupSubjects { resource, permission, .. } => Some((&*resource.kind, &**permission)),
            _ => None,
        };
        let Some((kind, permission)) = asked else { return };
        let mut operators = BTreeSet::new();
        for one in schema.definition(kind).into_iter().flat_map(|definition| &definition.permissions) {
            if one.name == permission {
                one.expression.operators(&mut operators);
            }
        }
        for operator in operators {
            for verdict in &verdicts {
                *self.operators.entry((operator, *verdict)).or_default() += 1;
            }
        }
    }
}

/// The kind of an answer, in a few words.
pub fn kind(answer: &Answer) -> String {
    match answer {
        Answer::Fault(fault) => format!("{:?} {}", fault.code, fault.reason),
        Answer::Check(verdict) => match verdict.permissionship {
            NO => "NO".to_owned(),
            HAS => "HAS".to_owned(),
            CONDITIONAL => "CONDITIONAL".to_owned(),
            other => format!("number {other}"),
        },
        Answer::Bulk(_) => "items".to_owned(),
        Answer::Resources { .. } => "resources".to_owned(),
        Answer::Subjects { .. } => "subjects".to_owned(),
        Answer::Tree(_) => "tree".to_owned(),
        Answer::Relationships(_) => "relationships".to_owned(),
        Answer::Done | Answer::Deleted(..) => "done".to_owned(),
    }
}

/// How the single results of two answers differ, each way once.
fn contrast(ours: &Answer, theirs: &Answer) -> String {
    let word = |verdict: Option<&Verdict>| match verdict {
        None => "nothing".to_owned(),
        Some(verdict) if verdict.permissionship == CONDITIONAL => "CONDITIONAL".to_owned(),
        Some(verdict) => verdict.to_string(),
    };
    let mut ways = BTreeSet::new();
    let mut add = |ours: Option<&Verdict>, theirs: Option<&Verdict>| {
        if ours != theirs {
            ways.insert(format!("{}-{}", word(ours), word(theirs)));
        }
    };
    match (ours, theirs) {
        (Answer::Bulk(ours), Answer::Bulk(theirs)) => {
            ours.iter().zip(theirs).for_each(|(ours, theirs)| add(ours.as_ref().ok(), theirs.as_ref().ok()));
        }
        (Answer::Resources { found: ours, .. }, Answer::Resources { found: theirs, .. }) => {
            let ids: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
            ids.into_iter().for_each(|id| add(ours.get(id), theirs.get(id)));
        }
        (Answer::Subjects { found: ours, .. }, Answer::Subjects { found: theirs, .. }) => {
            let ids: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
            let verdict =
                |one: Option<&(Verdict, BTreeMap<String, Verdict>)>| one.map(|(one, _)| one.clone());
            ids.into_iter().for_each(|id| {
                add(verdict(ours.get(id)).as_ref(), verdict(theirs.get(id)).as_ref());
            });
        }
        _ => {}
    }
    ways.into_iter().map(|way| format!(" {way}")).collect()
}

/// The rule for questions that the oracle does not come to the end of in time.
pub const UNANSWERED: &str = "tangled-data-has-an-answer";

/// How a comparison ended.
enum Compared {
    /// Alike, or meant to differ.
    Fine(Answer),
    /// Meant to differ, and the relationships differ from here on.
    Ends,
    /// Different.
    Differ(Answer, Answer),
}

/// Asks both the same and compares; a difference that is meant is counted.
async fn both(
    pair: &mut Pair,
    case: &Case,
    (before, step): (&[Step], &Step),
    counts: &mut Counts,
) -> Compared {
    let (ours, theirs) = tokio::join!(pair.pemba.ask(step), pair.oracle.ask(step));
    // The library names only some of the missing parameters, so the naive evaluator says which there are.
    if pair.kind == Kind::Library {
        let naive = naive::corrected(before, step, &ours, &mut pair.pemba).await;
        if !ours.same(&naive) {
            return Compared::Differ(ours, naive);
        }
    }
    let own_order = match &ours {
        Answer::Resources { repeated, .. } | Answer::Subjects { repeated, .. } => *repeated == 0,
        _ => true,
    };
    if own_order && ours.same(&theirs) {
        return Compared::Fine(ours);
    }
    if tolerate::is_late(&theirs) && !tolerate::is_late(&ours) {
        pair.stuck = true;
        *counts.tolerated.entry(UNANSWERED).or_default() += 1;
        return Compared::Ends;
    }
    let asked = Asked { case, run: pair.runs, before, step, kind: pair.kind };
    let meant = tolerate::judge(&asked, (&ours, &theirs), &mut pair.oracle, &mut pair.second).await;
    match meant.filter(|_| own_order) {
        None => Compared::Differ(ours, theirs),
        Some(Meant { rule, ends }) => {
            *counts.tolerated.entry(rule).or_default() += 1;
            if ends { Compared::Ends } else { Compared::Fine(ours) }
        }
    }
}

/// Runs one case from nothing, until its end or its first difference.
pub async fn run(pair: &mut Pair, case: &Case, counts: &mut Counts) -> Option<Box<Difference>> {
    let (ours, theirs) = tokio::join!(pair.pemba.clear(&TYPES), pair.oracle.clear(&TYPES));
    assert!(ours, "Pemba's schema cannot be removed");
    if !theirs {
        pair.stuck = true;
        return None;
    }
    let first = [
        Step::Schema(case.schema.text()),
        Step::Write {
            updates: case.edges.iter().map(|edge| (Operation::Touch, edge.clone())).collect(),
            preconditions: Vec::new(),
        },
    ];
    counts.cases += 1;
    pair.runs += 1;
    // The changes that both have taken.
    let mut before = Vec::new();
    for (place, step) in first.iter().chain(&case.steps).enumerate() {
        match both(pair, case, (&before, step), counts).await {
            Compared::Fine(answer) => {
                counts.count(&case.schema, step, &answer);
                if step.is_change() && !matches!(answer, Answer::Fault(_)) {
                    before.push(step.clone());
                }
                if place == 0 && matches!(answer, Answer::Fault(_)) {
                    return None;
                }
            }
            Compared::Ends => return None,
            Compared::Differ(pemba, oracle) => {
                let mut case = case.clone();
                case.steps.truncate((place + 1).saturating_sub(2));
                return Some(Box::new(Difference { case, step: step.clone(), pemba, oracle }));
            }
        }
    }
    None
}

impl Difference {
    /// What makes it the same difference as another.
    pub fn signature(&self) -> String {
        let parts = contrast(&self.pemba, &self.oracle);
        format!("{}: {} / {}{parts}", self.step.call(), kind(&self.pemba), kind(&self.oracle))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}; seed {}", self.signature(), self.case.seed)?;
        writeln!(f, "schema: |")?;
        self.case.schema.text().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "relationships: |")?;
        self.case.edges.iter().try_for_each(|edge| writeln!(f, "  {edge}"))?;
        writeln!(f, "# asked:")?;
        for step in &self.case.steps {
            step.to_string().lines().try_for_each(|line| writeln!(f, "#   {line}"))?;
        }
        writeln!(f, "# pemba:  {}", self.pemba.to_string().replace('\n', "\n#     "))?;
        writeln!(f, "# oracle: {}", self.oracle.to_string().replace('\n', "\n#     "))
    }
}
