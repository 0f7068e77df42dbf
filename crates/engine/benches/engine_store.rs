//! Commits, point reads, scans and loading on support-desk data.
//!
//! `cargo bench -p pemba-engine --bench engine_store` runs on a million relationships; as a test it runs once on few.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]
#![cfg(not(loom))]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use pemba_engine::{Attributes, EdgeKey, Graph, Loader, Ordinal, Snapshot};
use pemba_model::{ObjectRef, Relationship, RelationshipFilter, Revision, SubjectRef};
use pemba_schema::{AllowedSubject, Definition, Relation, Schema, SubjectShape};

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
struct Rows {
    snapshot: Snapshot,
    objects: Vec<(pemba_engine::TypeId, Ordinal, String)>,
    edges: Vec<(EdgeKey, Attributes)>,
}

fn rows(size: u64) -> Rows {
    let mut transaction = Snapshot::empty().transaction();
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

fn load(rows: &Rows) -> Snapshot {
    let mut loader = Loader::new();
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
fn toggle(transaction: &mut pemba_engine::Transaction, relationship: &Relationship) {
    match transaction.edge_key(relationship).filter(|key| transaction.edge(*key).is_some()) {
        Some(key) => {
            transaction.remove(key);
        }
        None => {
            transaction.put(relationship).unwrap();
        }
    }
}

fn commits(criterion: &mut Criterion, rows: &Rows, size: u64) {
    let mut group = criterion.benchmark_group("commit");
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

fn reads(criterion: &mut Criterion, rows: &Rows) {
    let mut group = criterion.benchmark_group("read");
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

fn loads(criterion: &mut Criterion, rows: &Rows) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).throughput(Throughput::Elements(rows.edges.len() as u64));
    group.bench_function("all", |bencher| {
        bencher.iter_batched(|| (), |()| load(rows), BatchSize::PerIteration)
    });
    group.finish();
}

/// Resident memory of this process, in bytes, where the system tells.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") { 1_000_000 } else { 5_000 };
    let rows = rows(size);
    let before = resident_bytes();
    let loaded = load(&rows);
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        eprintln!(
            "{} relationships, {} objects: {} resident bytes a relationship, names included",
            loaded.len(),
            rows.objects.len(),
            after.saturating_sub(before) / loaded.len()
        );
    }
    drop(loaded);
    let mut criterion = Criterion::default().configure_from_args();
    commits(&mut criterion, &rows, size);
    reads(&mut criterion, &rows);
    loads(&mut criterion, &rows);
    criterion.final_summary();
}
