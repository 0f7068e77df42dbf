//! What the tests of the database share.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_db::store::{MemoryStore, Store};
use pemba_db::{Clock, Consistency, Database, ManualClock, Options, Storage, View, Write};
use pemba_model::text::parse_relationship;
use pemba_model::{Limits, Operation, Relationship, RelationshipFilter, Timestamp, Update};

use crate::ledger::Documents;

pub(crate) const SCHEMA: &str = r#"use expiration

caveat limit(max int, tag string) {
	max > 3 && tag == "x"
}

caveat other(flag bool) {
	flag
}

definition user {}

definition group {
	relation member: user | group#member
}

definition document {
	relation owner: user
	relation viewer: user | user:* | group#member | user with limit | user with expiration | user with limit and expiration
	permission view = viewer + owner
}
"#;

pub(crate) fn rel(text: &str) -> Relationship {
    parse_relationship(text).unwrap()
}

pub(crate) fn create(text: &str) -> Update {
    Update { operation: Operation::Create, relationship: rel(text) }
}

pub(crate) fn touch(text: &str) -> Update {
    Update { operation: Operation::Touch, relationship: rel(text) }
}

pub(crate) fn delete(text: &str) -> Update {
    Update { operation: Operation::Delete, relationship: rel(text) }
}

pub(crate) fn write(updates: impl IntoIterator<Item = Update>) -> Write {
    Write { updates: updates.into_iter().collect(), ..Write::default() }
}

pub(crate) fn start() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start()))
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

pub(crate) fn open_with(store: &Arc<dyn Store>, limits: Limits, clock: &Arc<ManualClock>) -> Database {
    let clock: Arc<dyn Clock> = clock.clone();
    Database::open(Storage::Store(Arc::clone(store)), Options { limits, clock, ledger: Documents::none() })
        .unwrap()
}

/// A database in memory with the schema.
pub(crate) fn open() -> Database {
    let database = Database::open(Storage::Memory, Options::default()).unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database
}

pub(crate) fn head(database: &Database) -> View {
    database.view(&Consistency::FullyConsistent).unwrap()
}

/// All live relationships of a view, as text.
pub(crate) fn everything(view: &View) -> BTreeSet<String> {
    let filter = RelationshipFilter::default();
    let all: Vec<String> =
        view.read(&filter, None).map(|(_, relationship)| relationship.to_string()).collect();
    let set: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "no relationship is read twice");
    set
}

pub(crate) fn texts(all: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    all.into_iter().map(str::to_owned).collect()
}

/// Numbers that look random and are the same on every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
