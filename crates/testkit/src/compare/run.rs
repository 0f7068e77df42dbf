//! A case through the engine: one snapshot for each step, all of them kept, each beside the state it must show.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_engine::{Snapshot, Transaction};
use pemba_model::{ObjectRef, Operation, Revision, Timestamp, Update};

use super::{Difference, Scene};
use crate::generate::{Case, State, Step};

/// One revision.
#[derive(Debug, Clone)]
pub struct Version {
    /// What the engine has.
    pub snapshot: Snapshot,
    /// What it must show.
    pub state: State,
    /// Every object mentioned up to now, also by relationships that are gone.
    pub mentioned: BTreeSet<ObjectRef>,
}

/// All revisions of a case so far.
#[derive(Debug, Clone)]
pub struct History {
    /// In order; the first has the schema and no relationship.
    pub versions: Vec<Version>,
    objects: BTreeSet<ObjectRef>,
}

fn apply(transaction: &mut Transaction, update: &Update) {
    let relationship = &update.relationship;
    let key = transaction.edge_key(relationship);
    let there = key.is_some_and(|key| transaction.edge(key).is_some());
    match update.operation {
        Operation::Create if there => {}
        Operation::Create | Operation::Touch => {
            let put = transaction.put(relationship).expect("the schema allows it");
            assert_eq!(put.before.is_some(), there, "put of {relationship}");
        }
        Operation::Delete => {
            let removed = key.and_then(|key| transaction.remove(key));
            assert_eq!(removed.is_some(), there, "removal of {relationship}");
        }
    }
}

impl History {
    /// The empty database under a case's first schema.
    pub fn new(case: &Case) -> History {
        let mut transaction = Snapshot::empty().transaction();
        transaction.set_schema(Arc::new(case.schema.clone()));
        let state = State { schema: case.schema.clone(), ..State::default() };
        let snapshot = transaction.finish(Revision(1));
        let version = Version { snapshot, state, mentioned: BTreeSet::new() };
        History { versions: vec![version], objects: case.objects() }
    }

    /// The newest revision.
    pub fn head(&self) -> &Version {
        self.versions.last().expect("there is a first one")
    }

    /// Commits a step.
    pub fn commit(&mut self, step: &Step) {
        let mut next = self.head().clone();
        let mut transaction = next.snapshot.transaction();
        match step {
            Step::Schema(schema) => transaction.set_schema(Arc::new(schema.clone())),
            Step::Write(updates) => updates.iter().for_each(|update| apply(&mut transaction, update)),
        }
        next.snapshot = transaction.finish(next.snapshot.revision().next());
        next.state.apply(step);
        next.mentioned.extend(next.state.mentioned());
        let len = u64::try_from(next.state.relationships.len()).expect("small");
        assert_eq!(next.snapshot.len(), len, "number of relationships");
        self.versions.push(next);
    }

    /// A revision with every answer worked out.
    pub fn scene(&self, case: &Case, version: usize, now: Timestamp) -> Scene<'_> {
        let Version { snapshot, state, mentioned } = &self.versions[version];
        Scene::new(snapshot, state, mentioned, &self.objects, now, case.caveats(&state.schema))
    }
}

impl Scene<'_> {
    /// Every question of every sort.
    pub fn compare(&self) -> Result<(), Box<Difference>> {
        self.compare_checks()?;
        self.compare_unknown()?;
        self.compare_lookup_resources()?;
        self.compare_missing()?;
        self.compare_lookup_subjects()?;
        self.compare_expansions()?;
        self.compare_reads()
    }
}

/// All steps of a case.
pub fn replay(case: &Case) -> History {
    let mut history = History::new(case);
    case.steps.iter().for_each(|step| history.commit(step));
    history
}

/// The last revision of a case at one instant, each third subject only: for cases that are too wide for all of them.
pub fn compare_wide_case(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let mut scene = history.scene(case, history.versions.len() - 1, case.instants[0]);
    scene.compare_lookup_subjects()?;
    scene.keep_each(3);
    scene.compare_checks()?;
    scene.compare_lookup_resources()?;
    scene.compare_missing()?;
    scene.compare_reads()
}

/// Runs a case to its end, then asks everything: the last revision at every instant, and the first and the middle one,
/// which later writes must not have touched.
pub fn compare_case(case: &Case) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let last = history.versions.len() - 1;
    for now in &case.instants {
        history.scene(case, last, *now).compare()?;
    }
    let old: BTreeSet<usize> = BTreeSet::from([1, last / 2]);
    for version in old.into_iter().filter(|version| *version < last) {
        history.scene(case, version, case.instants[0]).compare()?;
    }
    Ok(())
}
