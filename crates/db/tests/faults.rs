//! Guarantee 9, exhaustively: a random workload on a disk that fails at each of its writes in each of the ways a disk
//! fails. After the crash every acknowledged write is there, none half, tokens hold and the log tells the same story.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pemba_db::store::{Fault, FaultyStore, Store};
use pemba_db::{
    Clock, Consistency, Database, DecideError, Decided, Delete, DeleteError, ImportError, ManualClock,
    Options, Refusal, SchemaError, State, Storage, Token, View, ViewError, WatchRequest, Write, WriteError,
    verify_store,
};
use pemba_model::text::parse_relationship;
use pemba_model::{Limits, Operation, RelationshipFilter, Revision, Timestamp, Update};

use crate::ledger::Documents;

const SCHEMAS: [&str; 2] = [
    "use expiration\n\ncaveat limit(max int) {\n\tmax > 3\n}\n\ndefinition user {}\n\ndefinition group {\n\trelation \
     member: user | group#member\n}\n\ndefinition document {\n\trelation viewer: user | user:* | group#member | user \
     with limit | user with expiration\n\tpermission view = viewer\n}\n",
    "use expiration\n\ncaveat limit(max int) {\n\tmax > 3\n}\n\ndefinition user {}\n\ndefinition group {\n\trelation \
     member: user | group#member\n}\n\ndefinition document {\n\trelation viewer: user | user:* | group#member | user \
     with limit | user with expiration\n\trelation owner: user\n\tpermission view = viewer + owner\n}\n",
];

const WINDOW_MS: u64 = 1000;
const FAULTS: [Fault; 5] = [
    Fault::FailedWrite,
    Fault::FullDisk,
    Fault::FailedSync { survives: false },
    Fault::FailedSync { survives: true },
    Fault::IgnoredSync,
];

/// Everything there is at one revision.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    /// Identity of a relationship -> its whole text.
    relationships: Relationships,
    documents: BTreeMap<Vec<u8>, Vec<u8>>,
}

type Relationships = BTreeMap<String, String>;

/// What was acknowledged: a revision and everything that must be true at it.
#[derive(Clone)]
struct Point {
    revision: Revision,
    token: Token,
    model: Model,
    /// Which of `SCHEMAS`.
    schema: Option<usize>,
    time: Timestamp,
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(Operation, String)>),
    DeleteMatching(String),
    Schema(usize),
    Import(Vec<String>),
    /// Documents with their new values, and one relationship to be touched.
    Command(Vec<(Vec<u8>, Option<Vec<u8>>)>, String),
    /// Lets time pass and forgets what is older than the window.
    Collect(i64),
}

/// Numbers that look random and are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn relationship(&mut self) -> String {
        let document = self.below(3);
        let subject = match self.below(5) {
            0 => "user:*".to_owned(),
            1 => format!("group:g{}#member", self.below(2)),
            2 => format!("user:u{}[limit:{{\"max\":{}}}]", self.below(3), self.below(9)),
            3 => format!("user:u{}[expiration:2099-01-0{}T00:00:00Z]", self.below(3), self.below(9) + 1),
            _ => format!("user:u{}", self.below(3)),
        };
        format!("document:d{document}#viewer@{subject}")
    }

    fn step(&mut self, number: u64) -> Step {
        match self.below(13) {
            10..=12 => self.command(number),
            0 => Step::DeleteMatching(format!("d{}", self.below(3))),
            1 => Step::Schema(usize::try_from(self.below(2)).unwrap()),
            2 => Step::Import((0..3).map(|n| format!("document:i{number}-{n}#viewer@user:u{n}")).collect()),
            3 => Step::Collect(i64::try_from(self.below(900)).unwrap()),
            _ => {
                let mut updates = BTreeMap::new();
                for _ in 0..=self.below(4) {
                    let operation =
                        [Operation::Create, Operation::Touch, Operation::Touch, Operation::Delete]
                            [usize::try_from(self.below(4)).unwrap()];
                    let text = self.relationship();
                    updates.insert(identity(&text), (operation, text));
                }
                Step::Write(updates.into_values().collect())
            }
        }
    }
}

impl Numbers {
    fn command(&mut self, number: u64) -> Step {
        let mut documents = BTreeMap::new();
        for _ in 0..=self.below(3) {
            let value = (self.below(4) > 0).then(|| format!("{number}").into_bytes());
            documents.insert(format!("agent/{}", self.below(4)).into_bytes(), value);
        }
        // Two of a kind, so that a refused half would show.
        documents.insert(b"last".to_vec(), Some(format!("{number}").into_bytes()));
        Step::Command(documents.into_iter().collect(), self.relationship())
    }
}

fn workload(seed: u64) -> Vec<Step> {
    let mut numbers = Numbers(seed);
    let steps = (0..24).map(|number| numbers.step(number));
    [Step::Schema(0)].into_iter().chain(steps).collect()
}

fn identity(text: &str) -> String {
    text.split('[').next().unwrap().to_owned()
}

fn everything(view: &View) -> Model {
    let filter = RelationshipFilter::default();
    let all = view.read(&filter, None).map(|(_, relationship)| relationship.to_string());
    let relationships = all.map(|text| (identity(&text), text)).collect();
    Model { relationships, documents: Documents::at(view).clone() }
}

fn open(store: &Arc<FaultyStore>, clock: &Arc<ManualClock>) -> Result<Database, pemba_db::OpenError> {
    let store: Arc<dyn Store> = store.clone();
    Database::open(Storage::Store(store), options(clock))
}

fn options(clock: &Arc<ManualClock>) -> Options {
    let clock: Arc<dyn Clock> = clock.clone();
    // Few snapshots are kept, so that most exact reads must be rebuilt from the log.
    let limits = Limits { history_window_ms: WINDOW_MS, snapshots_retained_max: 3, ..Limits::default() };
    Options { limits, clock, ledger: Documents::none() }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()))
}

/// Which of `SCHEMAS` holds.
fn schema_of(database: &Database) -> Option<usize> {
    database.read_schema().map(|schema| usize::from(schema.text.contains("relation owner")))
}

/// A database with the record of what it acknowledged.
struct Run {
    database: Database,
    clock: Arc<ManualClock>,
    points: Vec<Point>,
}

/// How a step ended.
enum Ended {
    /// It was acknowledged, or refused for a reason of its own.
    Answered,
    /// The store failed; had it been stored, the model would be this.
    Poisoned(Box<Model>),
}

impl Run {
    fn new(database: Database, clock: &Arc<ManualClock>) -> Run {
        let token = database.token(Revision::ZERO);
        let point = Point {
            revision: Revision::ZERO,
            token,
            model: Model::default(),
            schema: None,
            time: clock.now(),
        };
        Run { database, clock: Arc::clone(clock), points: vec![point] }
    }

    fn last(&self) -> &Point {
        self.points.last().unwrap()
    }

    fn step(&mut self, step: &Step) -> Ended {
        let mut model = self.last().model.clone();
        let answer = match step {
            Step::Write(updates) => self.write(updates, &mut model.relationships),
            Step::Command(documents, text) => self.command(documents, text, &mut model),
            Step::DeleteMatching(document) => self.delete_matching(document, &mut model.relationships),
            Step::Schema(number) => self.write_schema(SCHEMAS[*number]),
            Step::Import(texts) => self.import(texts, &mut model.relationships),
            Step::Collect(ms) => {
                self.clock.advance_ms(*ms);
                self.database.collect_garbage();
                None
            }
        };
        match answer {
            Some(Ok((revision, token))) => {
                assert_eq!(revision, self.last().revision.next(), "{step:?}");
                if let Step::Schema(number) = step {
                    assert_eq!(schema_of(&self.database), Some(*number));
                }
                let schema = schema_of(&self.database);
                self.points.push(Point { revision, token, model, schema, time: self.clock.now() });
            }
            Some(Err(())) => return Ended::Poisoned(Box::new(model)),
            None if self.database.state() != State::Serving => return Ended::Poisoned(Box::new(model)),
            None => {}
        }
        Ended::Answered
    }

    /// `None` is a refusal that has nothing to do with the store, `Err` a failed store.
    fn write(
        &self,
        updates: &[(Operation, String)],
        model: &mut Relationships,
    ) -> Option<Result<(Revision, Token), ()>> {
        let exists = updates
            .iter()
            .any(|(operation, text)| *operation == Operation::Create && model.contains_key(&identity(text)));
        for (operation, text) in updates {
            match operation {
                Operation::Delete => drop(model.remove(&identity(text))),
                Operation::Create | Operation::Touch => drop(model.insert(identity(text), text.clone())),
            }
        }
        let updates = updates.iter().map(|(operation, text)| Update {
            operation: *operation,
            relationship: parse_relationship(text).unwrap(),
        });
        match self.database.write(Write { updates: updates.collect(), ..Write::default() }).wait() {
            Ok(committed) => {
                assert!(!exists);
                Some(Ok((committed.revision, committed.token)))
            }
            Err(WriteError::AlreadyExists { .. }) => {
                assert!(exists);
                None
            }
            Err(WriteError::Refused(Refusal::Poisoned { .. })) => Some(Err(())),
            Err(error) => panic!("{error}"),
        }
    }

    fn delete_matching(
        &self,
        document: &str,
        model: &mut Relationships,
    ) -> Option<Result<(Revision, Token), ()>> {
        let filter = RelationshipFilter {
            resource_type: Some("document".into()),
            resource_id: Some(document.into()),
            ..RelationshipFilter::default()
        };
        let before = model.len();
        model.retain(|identity, _| !identity.starts_with(&format!("document:{document}#")));
        match self.database.delete(Delete { filter, ..Delete::default() }).wait() {
            Ok(deleted) => {
                assert_eq!(deleted.count, u64::try_from(before - model.len()).unwrap());
                Some(Ok((deleted.revision, deleted.token)))
            }
            Err(DeleteError::Refused(Refusal::Poisoned { .. })) => Some(Err(())),
            Err(error) => panic!("{error}"),
        }
    }

    fn write_schema(&self, text: &str) -> Option<Result<(Revision, Token), ()>> {
        match self.database.write_schema(text.to_owned()).wait() {
            Ok(committed) => Some(Ok((committed.revision, committed.token))),
            Err(SchemaError::Refused(Refusal::Poisoned { .. })) => Some(Err(())),
            Err(error) => panic!("{error}"),
        }
    }

    fn import(&self, texts: &[String], model: &mut Relationships) -> Option<Result<(Revision, Token), ()>> {
        let mut import = self.database.import();
        import.push(texts.iter().map(|text| parse_relationship(text).unwrap()).collect()).unwrap();
        model.extend(texts.iter().map(|text| (identity(text), text.clone())));
        match import.finish().wait() {
            Ok(imported) => Some(Ok((imported.revision, imported.token))),
            Err(ImportError::Write(WriteError::Refused(Refusal::Poisoned { .. }))) => Some(Err(())),
            Err(error) => panic!("{error}"),
        }
    }

    fn command(
        &self,
        documents: &[(Vec<u8>, Option<Vec<u8>>)],
        text: &str,
        model: &mut Model,
    ) -> Option<Result<(Revision, Token), ()>> {
        let before = model.documents.clone();
        for (key, value) in documents {
            match value {
                Some(value) => model.documents.insert(key.clone(), value.clone()),
                None => model.documents.remove(key),
            };
        }
        model.relationships.insert(identity(text), text.to_owned());
        let relationship = parse_relationship(text).unwrap();
        let updates = vec![Update { operation: Operation::Touch, relationship }];
        let documents = documents.to_vec();
        let answer = self.database.decide(move |command| {
            assert_eq!(*Documents::at(command.view), before);
            Ok(Decided { documents, updates, ..Decided::unchanged(()) })
        });
        match answer.wait() {
            Ok((committed, ())) => Some(Ok((committed.revision, committed.token))),
            Err(DecideError::Refused(Refusal::Poisoned { .. })) => Some(Err(())),
            Err(error) => panic!("{error}"),
        }
    }

    /// A database whose store failed: it says so, refuses writes for the same reason, and reads go on.
    fn assert_poisoned(&self) {
        let State::Poisoned(reason) = self.database.state() else { panic!("{:?}", self.database.state()) };
        assert!(reason.contains("scripted"), "{reason}");
        let refused = self.database.write(Write::default()).wait();
        assert_eq!(refused, Err(WriteError::Refused(Refusal::Poisoned { reason })));
        let view = self.database.view(&Consistency::FullyConsistent).unwrap();
        assert_eq!((view.revision(), everything(&view)), (self.last().revision, self.last().model.clone()));
    }
}

/// Everything that must hold of a recovered database that acknowledged these points.
fn assert_recovered(database: &Database, points: &[Point], now: Timestamp) {
    let last = points.last().unwrap();
    assert_eq!(database.state(), State::Serving);
    assert_eq!(database.head(), last.revision);
    let head = database.view(&Consistency::MinimizeLatency).unwrap();
    assert_eq!(everything(&head), last.model);
    assert_eq!(schema_of(database), last.schema);
    let mut oldest = None;
    for point in points {
        let token = database.decode_token(&point.token.to_string()).unwrap();
        assert!(!database.is_foreign(&token), "tokens hold");
        let fresh = database.view(&Consistency::AtLeastAsFresh(token)).unwrap();
        assert!(fresh.revision() >= point.revision);
        match database.view(&Consistency::AtExactSnapshot(token)) {
            Ok(view) => {
                assert_eq!((view.revision(), everything(&view)), (point.revision, point.model.clone()));
                oldest.get_or_insert(point);
            }
            Err(ViewError::Expired { .. }) => {
                assert!(oldest.is_none(), "a newer snapshot expired before an older one");
                let age_ms = now.as_millis() - point.time.as_millis();
                assert!(age_ms >= i64::try_from(WINDOW_MS).unwrap(), "expired after {age_ms} ms");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_watch_tells(database, oldest.unwrap(), last);
}

/// The changes after one point lead to the other.
fn assert_watch_tells(database: &Database, from: &Point, to: &Point) {
    let after = Some(from.revision);
    let mut watch = database.watch(WatchRequest { after, ..WatchRequest::default() }).unwrap();
    let mut model = from.model.relationships.clone();
    let mut revision = from.revision;
    while let Some(event) = watch.next_blocking(Duration::ZERO).unwrap() {
        assert!(event.revision >= revision && event.revision <= to.revision);
        revision = event.revision;
        for update in event.updates {
            let text = update.relationship.to_string();
            match update.operation {
                Operation::Delete => model.remove(&identity(&text)),
                Operation::Create | Operation::Touch => model.insert(identity(&text), text),
            };
        }
    }
    assert_eq!(model, to.model.relationships);
}

/// Opens what a crash left, checks it, checks the store below it, writes on and opens once more.
fn check_crashed(store: FaultyStore, points: &[Point], clock: &Arc<ManualClock>) {
    let store = Arc::new(store);
    let database = open(&store, clock).unwrap();
    assert_recovered(&database, points, clock.now());
    if points.len() > 1 {
        let report = verify_store(&*store, Documents::none()).unwrap();
        let model = &points.last().unwrap().model;
        let counts = (model.relationships.len() as u64, model.documents.len() as u64);
        assert_eq!((report.relationships, report.documents), counts);
        let mut run = Run { database, clock: Arc::clone(clock), points: points.to_vec() };
        let step = Step::Write(vec![(Operation::Touch, "document:after#viewer@user:crash".to_owned())]);
        assert!(matches!(run.step(&step), Ended::Answered));
        run.database.close();
        let again = open(&Arc::new(store.crash()), clock).unwrap();
        assert_recovered(&again, &run.points, clock.now());
    }
}

/// How many writes the workload makes on a store that never fails.
fn store_writes(steps: &[Step]) -> u64 {
    let (store, clock) = (Arc::new(FaultyStore::new()), clock());
    let mut run = Run::new(open(&store, &clock).unwrap(), &clock);
    for step in steps {
        assert!(matches!(run.step(step), Ended::Answered));
    }
    assert_recovered(&run.database, &run.points, clock.now());
    check_crashed(store.crash(), &run.points, &clock);
    store.writes()
}

/// The workload on a store whose write of this number goes wrong, and the crash after it.
fn fail_at(steps: &[Step], number: u64, fault: Fault) {
    let (store, clock) = (Arc::new(FaultyStore::new()), clock());
    store.fail_write(number, fault);
    let Ok(database) = open(&store, &clock) else {
        // The very first write, which makes the database, failed: there is none, or an empty one.
        assert_eq!(number, 0);
        let store = Arc::new(store.crash());
        let run = Run::new(open(&store, &clock).unwrap(), &clock);
        assert_recovered(&run.database, &run.points, clock.now());
        return;
    };
    let mut run = Run::new(database, &clock);
    for step in steps {
        let before = (store.unsynced(), run.points.len());
        match run.step(step) {
            Ended::Poisoned(model) => {
                run.assert_poisoned();
                if fault == (Fault::FailedSync { survives: true }) && !matches!(step, Step::Collect(_)) {
                    // Not acknowledged and there all the same: allowed, if as a whole. Its token is the next one.
                    let revision = run.last().revision.next();
                    let schema = match step {
                        Step::Schema(number) => Some(*number),
                        _ => run.last().schema,
                    };
                    let token = run.database.token(revision);
                    run.points.push(Point { revision, token, model: *model, schema, time: clock.now() });
                }
                return check_crashed(store.crash(), &run.points, &clock);
            }
            Ended::Answered if store.unsynced() > before.0 => {
                // The disk lied: what it lost is lost, the rest is as it was before.
                if number > 0 {
                    check_crashed(store.crash(), &run.points[..before.1], &clock);
                }
                check_crashed(store.crash_keeping(1), &run.points, &clock);
            }
            Ended::Answered => {}
        }
    }
    assert_eq!(fault, Fault::IgnoredSync, "write {number} never came");
    check_crashed(store.crash_keeping(1), &run.points, &clock);
}

#[test]
fn every_failure_at_every_write_loses_nothing_acknowledged_and_halves_nothing() {
    for seed in 0..6 {
        let steps = workload(seed);
        let writes = store_writes(&steps);
        assert!(writes > 12, "seed {seed} writes {writes} times");
        for number in 0..writes {
            for fault in FAULTS {
                fail_at(&steps, number, fault);
            }
        }
    }
}

/// An import so large that the store gets it as sorted rows, between small writes and once more.
#[test]
fn a_large_import_that_fails_at_any_write_is_whole_or_absent() {
    let import = |name: &str| {
        let text = |n: u32| format!("document:{name}{n}#viewer@user:u{}", n % 7);
        Step::Import((0..6000).map(text).collect())
    };
    let touch = |text: &str| Step::Write(vec![(Operation::Touch, text.to_owned())]);
    let steps = [
        Step::Schema(0),
        touch("document:d0#viewer@user:u0"),
        import("i"),
        touch("document:i5#viewer@user:other"),
    ];
    let writes = store_writes(&steps);
    for number in 1..writes {
        for fault in FAULTS {
            fail_at(&steps, number, fault);
        }
    }
}

/// Writers at once, so that groups of several fail together: each write is of three relationships, all or none there.
#[test]
fn failing_groups_keep_every_acknowledged_write_whole() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let fault = FAULTS[usize::try_from(numbers.below(4)).unwrap()];
        let (store, clock) = (Arc::new(FaultyStore::new()), clock());
        let database = open(&store, &clock).unwrap();
        database.write_schema(SCHEMAS[0].to_owned()).wait().unwrap();
        store.fail_write(store.writes() + numbers.below(6), fault);
        let acknowledged: BTreeMap<u64, Token> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    scope.spawn({
                        let database = &database;
                        move || write_triples(database, writer)
                    })
                })
                .collect();
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        let failed = matches!(database.state(), State::Poisoned(_));
        let recovered = open(&Arc::new(store.crash()), &clock).unwrap();
        let view = recovered.view(&Consistency::FullyConsistent).unwrap();
        let found = triples(&view);
        for (number, token) in &acknowledged {
            assert!(found.contains(number), "seed {seed}: acknowledged write {number} is lost");
            let exact = recovered.view(&Consistency::AtExactSnapshot(*token)).unwrap();
            assert!(triples(&exact).contains(number), "seed {seed}: the token of {number} does not hold");
        }
        let unacknowledged = found.len() - acknowledged.len();
        if fault != (Fault::FailedSync { survives: true }) {
            assert_eq!(unacknowledged, 0, "seed {seed}: a failed group is there");
        }
        assert_eq!(view.revision().0, 1 + u64::try_from(found.len()).unwrap());
        assert_eq!(failed, acknowledged.len() < 80, "seed {seed}");
    }
}

/// Queues twenty writes before it waits for the first; those acknowledged, with their tokens.
fn write_triples(database: &Database, writer: u64) -> Vec<(u64, Token)> {
    let pending: Vec<_> = (0..20)
        .map(|n| {
            let number = writer * 100 + n;
            let updates = (0..3).map(|part| Update {
                operation: Operation::Create,
                relationship: parse_relationship(&format!("document:w{number}#viewer@user:p{part}")).unwrap(),
            });
            (number, database.write(Write { updates: updates.collect(), ..Write::default() }))
        })
        .collect();
    let answers = pending.into_iter().filter_map(|(number, pending)| match pending.wait() {
        Ok(committed) => Some((number, committed.token)),
        Err(WriteError::Refused(Refusal::Poisoned { .. })) => None,
        Err(error) => panic!("{error}"),
    });
    answers.collect()
}

/// The numbers of the writes that are there; each must be there whole.
fn triples(view: &View) -> BTreeSet<u64> {
    let mut parts: BTreeMap<u64, u64> = BTreeMap::new();
    for identity in everything(view).relationships.keys() {
        let number = identity.strip_prefix("document:w").unwrap().split('#').next().unwrap();
        *parts.entry(number.parse().unwrap()).or_default() += 1;
    }
    assert!(parts.values().all(|parts| *parts == 3), "half a write: {parts:?}");
    parts.into_keys().collect()
}

/// The same on a real disk: the directory as it is after each step is what a power loss leaves, and with the end of
/// the journal torn off, as if the last step had not been acknowledged.
#[cfg(feature = "rocks")]
#[test]
fn directory_copied_after_any_step_recovers() {
    let (directory, clock) = (tempfile::TempDir::new().unwrap(), clock());
    let data = directory.path().join("data");
    let mut run =
        Run::new(Database::open(Storage::Directory(data.clone()), options(&clock)).unwrap(), &clock);
    for (number, step) in workload(1).iter().enumerate() {
        let before = run.points.len();
        assert!(matches!(run.step(step), Ended::Answered));
        let copied = directory.path().join(format!("copy-{number}"));
        copy(&data, &copied);
        let database = Database::open(Storage::Directory(copied.clone()), options(&clock)).unwrap();
        assert_recovered(&database, &run.points, clock.now());
        database.close();
        if run.points.len() > before {
            let torn = directory.path().join(format!("torn-{number}"));
            copy(&data, &torn);
            tear_log(&torn, number % 30 + 1);
            let database = Database::open(Storage::Directory(torn.clone()), options(&clock)).unwrap();
            assert_recovered(&database, &run.points[..before], clock.now());
        }
    }
}

#[cfg(feature = "rocks")]
const IMPORTING: &str = "PEMBA_TEST_IMPORTING_DIRECTORY";
#[cfg(feature = "rocks")]
const IMPORT_ROWS: usize = 6000;

/// Processes that import and are killed at any instant: each import is there as a whole or not at all, each acknowledged
/// one is there.
#[cfg(feature = "rocks")]
#[test]
fn an_importing_process_killed_at_any_instant_halves_nothing() {
    if let Some(path) = std::env::var_os(IMPORTING) {
        return import_until_killed(std::path::Path::new(&path));
    }
    let (directory, clock) = (tempfile::TempDir::new().unwrap(), clock());
    let data = directory.path().join("data");
    let mut numbers = Numbers(5);
    let mut imports = 0;
    for _ in 0..8 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "an_importing_process_killed_at_any_instant_halves_nothing", "--nocapture"])
            .env(IMPORTING, directory.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + numbers.below(500)));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = std::fs::read(directory.path().join("acknowledged")).unwrap_or_default().len();
        let database = Database::open(Storage::Directory(data.clone()), options(&clock)).unwrap();
        let found = usize::try_from(database.statistics().relationships).unwrap();
        assert_eq!(found % IMPORT_ROWS, 0, "half an import");
        imports = found / IMPORT_ROWS;
        assert!(imports >= acknowledged, "{imports} of {acknowledged} imports");
        assert!(!data.join("incoming").exists(), "leftovers");
        database.close();
        if imports > 0 {
            let report = pemba_db::verify(&data, Documents::none()).unwrap();
            assert_eq!(report.log_mutations, u64::try_from(found).unwrap());
        }
    }
    assert!(imports > 0, "no import was ever finished");
}

#[cfg(feature = "rocks")]
fn import_until_killed(directory: &std::path::Path) {
    use std::io::Write as _;
    // Nothing is collected, so that the log tells of every import.
    let storage = Storage::Directory(directory.join("data"));
    let database =
        Database::open(storage, Options { ledger: Documents::none(), ..Options::default() }).unwrap();
    if database.read_schema().is_none() {
        database.write_schema(SCHEMAS[0].to_owned()).wait().unwrap();
    }
    let path = directory.join("acknowledged");
    let mut acknowledged = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    loop {
        let number = database.head().0;
        let mut import = database.import();
        let text = |n: usize| format!("document:i{number}-{n}#viewer@user:u{}", n % 7);
        import.push((0..IMPORT_ROWS).map(|n| parse_relationship(&text(n)).unwrap()).collect()).unwrap();
        import.finish().wait().unwrap();
        acknowledged.write_all(b"i").unwrap();
    }
}

#[cfg(feature = "rocks")]
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Takes the last bytes from the journal's newest record.
#[cfg(feature = "rocks")]
fn tear_log(directory: &std::path::Path, bytes: usize) {
    let files = std::fs::read_dir(directory.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let read = files.map(|path| (std::fs::read(&path).unwrap(), path));
    // Behind other numbers a segment begins with that of its first record.
    let (mut segment, path) = read.max_by_key(|(segment, _)| segment[24..32].to_vec()).unwrap();
    let end = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    segment[end - bytes..end].fill(0);
    std::fs::write(path, segment).unwrap();
}
