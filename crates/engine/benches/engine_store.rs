//! Commits, point reads, scans and loading on support-desk data.
//!
//! `cargo bench -p pemba-engine --bench engine_store` runs on a million relationships, or on as many as `RELATIONSHIPS`
//! says; as a test it runs once on few. Both edge tables run in one process; memory, and the ratios of commits and cold
//! reads measured in turn, are printed first.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]
#![cfg(not(loom))]

mod counting;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput};
use pemba_engine::{
    ArcTrie, Attributes, EdgeKey, EdgeTable, EpochTrie, Graph, Loader, Names, Ordinal, Snapshot,
};
use pemba_model::{ObjectRef, Relationship, RelationshipFilter, Revision, SubjectRef};
use pemba_schema::{AllowedSubject, Definition, Relation, Schema, SubjectShape};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// A stream of numbers that is the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn schema() -> Arc<Schema> {
    let member = || SubjectShape::Userset("member".into());
    let relations = [
        ("team", "member", "user", SubjectShape::Direct),
        ("team", "member", "agent", SubjectShape::Direct),
        ("team", "member", "team", member()),
        ("customer", "viewer", "user", SubjectShape::Direct),
        ("customer", "viewer", "team", member()),
        ("customer", "account_team", "team", SubjectShape::Direct),
        ("customer", "blocked", "user", SubjectShape::Direct),
        ("ticket", "customer", "customer", SubjectShape::Direct),
        ("ticket", "assignee", "agent", SubjectShape::Direct),
    ];
    let mut schema = Schema::default();
    for name in ["user", "agent", "team", "customer", "ticket"] {
        let definition = Definition {
            name: name.into(),
            doc: None,
            relations: BTreeMap::new(),
            permissions: BTreeMap::new(),
            order: Vec::new(),
        };
        schema.definitions.insert(name.into(), definition);
    }
    for (resource_type, name, subject_type, shape) in relations {
        let relations = &mut schema.definitions.get_mut(resource_type).unwrap().relations;
        let relation = Relation { name: name.into(), doc: None, allowed: Vec::new() };
        let subject =
            AllowedSubject { subject_type: subject_type.into(), shape, caveat: None, expiration: false };
        relations.entry(name.into()).or_insert(relation).allowed.push(subject);
    }
    Arc::new(schema)
}

/// About `size` relationships: four of ten join a ticket to its customer, four a ticket to an agent.
fn relationship(numbers: &mut Numbers, size: u64) -> Relationship {
    let (users, agents, teams, customers, tickets) =
        (size / 20, size / 100, size / 500 + 1, size / 20, size * 4 / 10);
    let object =
        |kind: &str, n: u64| ObjectRef::new(kind, format!("{kind}-{n:09}-{:x}", n * 2_654_435_761 % 65_521));
    let direct = |object| SubjectRef { object, relation: None };
    let (resource, relation, subject) = match numbers.below(100) {
        0..40 => {
            let (ticket, customer) = (numbers.below(tickets), numbers.below(customers));
            (object("ticket", ticket), "customer", direct(object("customer", customer)))
        }
        40..80 => (
            object("ticket", numbers.below(tickets)),
            "assignee",
            direct(object("agent", numbers.below(agents))),
        ),
        80..88 => (
            object("customer", numbers.below(customers)),
            "viewer",
            direct(object("user", numbers.below(users))),
        ),
        88..92 => {
            let team =
                SubjectRef { object: object("team", numbers.below(teams)), relation: Some("member".into()) };
            (object("customer", numbers.below(customers)), "viewer", team)
        }
        92..95 => {
            let (customer, team) = (numbers.below(customers), numbers.below(teams));
            (object("customer", customer), "account_team", direct(object("team", team)))
        }
        95..96 => (
            object("customer", numbers.below(customers)),
            "blocked",
            direct(object("user", numbers.below(users))),
        ),
        96..98 => {
            (object("team", numbers.below(teams)), "member", direct(object("user", numbers.below(users))))
        }
        _ => (object("team", numbers.below(teams)), "member", direct(object("agent", numbers.below(agents)))),
    };
    Relationship::new(resource, relation, subject)
}

/// Rows as a store would return them.
struct Rows<T: EdgeTable> {
    snapshot: Snapshot<T>,
    objects: Vec<(pemba_engine::TypeId, Ordinal, String)>,
    edges: Vec<(EdgeKey, Attributes)>,
}

fn rows<T: EdgeTable>(size: u64) -> Rows<T> {
    let mut transaction = Snapshot::<T>::with_names(Names::new()).transaction();
    transaction.set_schema(schema());
    let mut numbers = Numbers(7);
    while transaction.state().len() < size {
        transaction.put(&relationship(&mut numbers, size)).unwrap();
    }
    let snapshot = transaction.finish(Revision(1));
    let mut objects = Vec::new();
    for (object_type, _) in snapshot.catalog().types() {
        for ordinal in (0..snapshot.names().len(object_type)).map(Ordinal) {
            objects.push((
                object_type,
                ordinal,
                snapshot.object_id(object_type, ordinal).unwrap().to_owned(),
            ));
        }
    }
    let edges = snapshot.scan(&RelationshipFilter::default(), None, None).collect();
    Rows { snapshot, objects, edges }
}

fn load<T: EdgeTable>(rows: &Rows<T>) -> Snapshot<T> {
    let mut loader = Loader::with_names(Names::new());
    for (id, name) in rows.snapshot.catalog().types() {
        loader.restore_type(id, name).unwrap();
    }
    for (id, kind) in rows.snapshot.catalog().kinds() {
        loader.restore_kind(id, kind.clone()).unwrap();
    }
    for (object_type, ordinal, name) in &rows.objects {
        loader.restore_object(*object_type, *ordinal, name).unwrap();
    }
    loader.restore_schema(Arc::clone(rows.snapshot.schema()));
    for (key, attributes) in &rows.edges {
        loader.edge(*key, attributes.clone()).unwrap();
    }
    loader.finish(Revision(1)).unwrap()
}

/// Adds the relationship, or removes it if it is there.
fn toggle<T: EdgeTable>(transaction: &mut pemba_engine::Transaction<T>, relationship: &Relationship) {
    match transaction.edge_key(relationship).filter(|key| transaction.edge(*key).is_some()) {
        Some(key) => {
            transaction.remove(key);
        }
        None => {
            transaction.put(relationship).unwrap();
        }
    }
}

fn commits<T: EdgeTable>(criterion: &mut Criterion, name: &str, rows: &Rows<T>, size: u64) {
    let mut group = criterion.benchmark_group(format!("{name} commit"));
    let mut numbers = Numbers(11);
    let changes: Vec<Relationship> =
        (0..size.min(200_000)).map(|_| relationship(&mut numbers, size)).collect();
    for count in [1usize, 64, 1000] {
        let mut head = rows.snapshot.clone();
        let mut changes = changes.iter().cycle();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                let mut transaction = head.transaction();
                changes.by_ref().take(count).for_each(|change| toggle(&mut transaction, change));
                head = transaction.finish(head.revision().next());
            });
        });
    }
    group.finish();
}

fn reads<T: EdgeTable>(criterion: &mut Criterion, name: &str, rows: &Rows<T>) {
    let mut group = criterion.benchmark_group(format!("{name} read"));
    let snapshot = &rows.snapshot;
    let mut numbers = Numbers(13);
    let picked: Vec<EdgeKey> =
        (0..100_000).map(|_| rows.edges[numbers.below(rows.edges.len() as u64) as usize].0).collect();
    let named: Vec<Relationship> =
        picked.iter().map(|key| snapshot.relationship(*key, &None).unwrap()).collect();
    let mut keys = picked.iter().cycle();
    group.bench_function("forward contains, cold", |bencher| {
        bencher.iter(|| {
            let key = keys.next().unwrap();
            black_box(snapshot.subjects(key.kind, key.resource).contains(key.subject))
        });
    });
    group.bench_function("forward contains, hot", |bencher| {
        let key = picked[0];
        bencher
            .iter(|| black_box(snapshot.subjects(key.kind, black_box(key.resource)).contains(key.subject)));
    });
    let mut relationships = named.iter().cycle();
    group.bench_function("edge by names, cold", |bencher| {
        bencher.iter(|| black_box(snapshot.edge_key(relationships.next().unwrap())));
    });
    group.bench_function("edge by names, hot", |bencher| {
        bencher.iter(|| black_box(snapshot.edge_key(black_box(&named[0]))));
    });
    let filters: Vec<RelationshipFilter> = named
        .iter()
        .take(1000)
        .map(|relationship| RelationshipFilter {
            resource_type: Some(relationship.resource.object_type.clone()),
            resource_id: Some(relationship.resource.object_id.clone()),
            ..Default::default()
        })
        .collect();
    let mut filters = filters.iter().cycle();
    group.bench_function("scan one resource", |bencher| {
        bencher.iter(|| black_box(snapshot.scan(filters.next().unwrap(), None, None).count()));
    });
    group.throughput(Throughput::Elements(snapshot.len()));
    group.sample_size(10);
    let everything = RelationshipFilter::default();
    group.bench_function("scan all", |bencher| {
        bencher.iter(|| black_box(snapshot.scan(&everything, None, None).count()));
    });
    group.finish();
}

fn loads<T: EdgeTable>(criterion: &mut Criterion, name: &str, rows: &Rows<T>) {
    let mut group = criterion.benchmark_group(format!("{name} load"));
    group.sample_size(10).throughput(Throughput::Elements(rows.edges.len() as u64));
    group.bench_function("all", |bencher| {
        bencher.iter_batched(|| (), |()| load(rows), BatchSize::PerIteration)
    });
    group.finish();
}

/// Bytes a relationship, by the allocator: of loaded tables and names together, and of names alone.
fn weigh<T: EdgeTable>(name: &str, rows: &Rows<T>) {
    let before = counting::live();
    let names = Names::new();
    for (object_type, ordinal, object_id) in &rows.objects {
        names.restore(*object_type, *ordinal, object_id).unwrap();
    }
    let of_names = counting::live() - before;
    drop(names);
    let before = counting::live();
    let loaded = load(rows);
    let all = counting::live() - before;
    let each = |bytes: usize| bytes as f64 / loaded.len() as f64;
    eprintln!(
        "{name}: {} relationships, {} objects: {:.1} bytes a relationship in tables, {:.1} in names",
        loaded.len(),
        rows.objects.len(),
        each(all - of_names),
        each(of_names)
    );
}

/// Commits of 1, 64 and 1000 changes, the two tables in turn on the same changes; the median of the ratios.
fn ratios(arc: &Rows<ArcTrie>, epoch: &Rows<EpochTrie>, size: u64) {
    let mut numbers = Numbers(17);
    for (count, rounds) in [(1, 2001), (64, 201), (1000, 31)] {
        let (mut arc, mut epoch) = (arc.snapshot.clone(), epoch.snapshot.clone());
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let changes: Vec<Relationship> = (0..count).map(|_| relationship(&mut numbers, size)).collect();
            pairs.push((commit(&mut arc, &changes), commit(&mut epoch, &changes)));
        }
        let middle = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = pairs.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        eprintln!(
            "commit of {count}: arc {:.1} us, epoch {:.1} us, epoch / arc {:.2}",
            middle(&|pair| pair.0),
            middle(&|pair| pair.1),
            middle(&|pair| pair.1 / pair.0)
        );
    }
}

/// Microseconds of one commit, by the numbers of its edges; the names are looked up before.
fn commit<T: EdgeTable>(head: &mut Snapshot<T>, changes: &[Relationship]) -> f64 {
    let mut transaction = head.transaction();
    let keys: Vec<EdgeKey> = changes
        .iter()
        .map(|change| {
            let kind = head.kind_of(change).unwrap();
            transaction.key(kind, &change.resource.object_id, &change.subject.object.object_id).unwrap()
        })
        .collect();
    let before = Instant::now();
    for key in keys {
        if transaction.remove(key).is_none() {
            transaction.put_edge(key, None);
        }
    }
    *head = transaction.finish(head.revision().next());
    before.elapsed().as_secs_f64() * 1e6
}

/// Cold reads by number, the two tables in turn.
fn read_ratio(arc: &Rows<ArcTrie>, epoch: &Rows<EpochTrie>) {
    fn read<T: EdgeTable>(snapshot: &Snapshot<T>, keys: &[EdgeKey]) -> f64 {
        let before = Instant::now();
        let found = keys.iter().filter(|key| snapshot.subjects(key.kind, key.resource).contains(key.subject));
        assert_eq!(black_box(found.count()), keys.len());
        before.elapsed().as_secs_f64() * 1e9 / keys.len() as f64
    }
    let mut numbers = Numbers(19);
    let pick = |_| arc.edges[numbers.below(arc.edges.len() as u64) as usize].0;
    let keys: Vec<EdgeKey> = (0..400_000.min(arc.edges.len())).map(pick).collect();
    let mut pairs: Vec<(f64, f64)> =
        (0..9).map(|_| (read(&arc.snapshot, &keys), read(&epoch.snapshot, &keys))).collect();
    pairs.sort_by(|(a, b), (c, d)| (b / a).total_cmp(&(d / c)));
    let (arc, epoch) = pairs[4];
    eprintln!("cold read: arc {arc:.1} ns, epoch {epoch:.1} ns, epoch / arc {:.2}", epoch / arc);
}

fn bench<T: EdgeTable>(criterion: &mut Criterion, name: &str, rows: &Rows<T>, size: u64) {
    commits(criterion, name, rows, size);
    reads(criterion, name, rows);
    loads(criterion, name, rows);
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") {
        std::env::var("RELATIONSHIPS").map_or(1_000_000, |size| size.parse().unwrap())
    } else {
        5_000
    };
    let (arc, epoch) = (rows::<ArcTrie>(size), rows::<EpochTrie>(size));
    weigh("arc", &arc);
    weigh("epoch", &epoch);
    read_ratio(&arc, &epoch);
    ratios(&arc, &epoch, size);
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion, "arc", &arc, size);
    bench(&mut criterion, "epoch", &epoch, size);
    criterion.final_summary();
}
