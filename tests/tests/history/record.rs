//! Registers in a server, written and read by tasks of their own, and what came of each call.
//!
//! Register `r` holds `v` while `slot:r-v` has a holder. A write takes the holder from the value before and gives it to
//! the next in one transaction, so every read of all slots must show at most one value a register.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pemba_model::{Operation, Relationship, text::parse_relationship};
use pemba_proto::authzed::api::v1 as wire;
use pemba_testkit::history::{History, Read, Tick, Written};
use pemba_tests::wire::{Wire, at_exact, at_least, fully_consistent, minimize_latency};
use tokio_stream::StreamExt as _;
use tonic::{Status, Streaming};

pub const SCHEMA: &str = "definition user {}
definition group { relation member: user }
definition slot {
    relation holder: group#member
    permission shown = holder
}";

/// Two writers fill two registers each, in turn, and one fills the last.
pub const REGISTERS: usize = 5;
const WRITERS: [&[usize]; 3] = [&[0, 1], &[2, 3], &[4]];
const READERS: usize = 4;

type Values = Vec<u64>;

/// What is recorded; shared by all tasks.
pub struct Recording {
    clock: AtomicU64,
    writes: Mutex<Vec<Written>>,
    reads: Mutex<Vec<Read>>,
    /// The newest token of a write or read, and which register was given which value with it.
    tokens: Mutex<Vec<(String, usize, u64)>>,
    /// The last value that each writer tried, by register.
    tried: [AtomicU64; REGISTERS],
}

fn slot(register: usize, value: u64) -> Relationship {
    parse_relationship(&format!("slot:{register}-{value}#holder@group:readers#member")).unwrap()
}

/// The newest values in the ids of slots; two values of one register are half a write.
fn values(ids: impl Iterator<Item = String>) -> Values {
    let mut values = vec![0; REGISTERS];
    for id in ids {
        let (register, value) = id.split_once('-').unwrap();
        let register: usize = register.parse().unwrap();
        assert_eq!(values[register], 0, "register {register} has two values in one snapshot");
        values[register] = value.parse().unwrap();
    }
    values
}

async fn each<T, V>(mut stream: Streaming<T>, mut take: impl FnMut(T) -> V) -> Result<Vec<V>, Status> {
    let mut taken = Vec::new();
    while let Some(message) = stream.next().await {
        taken.push(take(message?));
    }
    Ok(taken)
}

impl Recording {
    pub fn new() -> Recording {
        Recording {
            clock: AtomicU64::new(1),
            writes: Mutex::default(),
            reads: Mutex::default(),
            tokens: Mutex::default(),
            tried: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn tick(&self) -> Tick {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Writes and reads for so long, or until the server is gone.
    pub async fn run(&self, endpoint: &str, length: Duration) {
        let end = Instant::now() + length;
        let mut wire = Wire::connect(endpoint).await;
        let member = parse_relationship("group:readers#member@user:all").unwrap();
        wire.write(vec![(Operation::Touch, member)]).await.unwrap();
        let writers = WRITERS.map(|registers| self.write(endpoint, registers, end));
        let readers: [_; READERS] = std::array::from_fn(|reader| self.read(endpoint, reader, end));
        let [first, second, third] = writers;
        let [a, b, c, d] = readers;
        tokio::join!(first, second, third, a, b, c, d);
    }

    async fn write(&self, endpoint: &str, registers: &[usize], end: Instant) {
        let mut wire = Wire::connect(endpoint).await;
        while Instant::now() < end {
            for register in registers.iter().copied() {
                let value = self.tried[register].fetch_add(1, Ordering::SeqCst) + 1;
                // The one before may never have been taken, and then the one before that is there.
                let mut updates = vec![(Operation::Touch, slot(register, value))];
                updates.extend(
                    (value.saturating_sub(2).max(1)..value)
                        .map(|old| (Operation::Delete, slot(register, old))),
                );
                let began = self.tick();
                // Recorded before it is answered, since it may be seen before.
                let at = {
                    let mut writes = self.writes.lock().unwrap();
                    writes.push(Written { register, value, began, ended: Tick::MAX });
                    writes.len() - 1
                };
                let Ok(token) = wire.write(updates).await else { return };
                let ended = self.tick();
                self.writes.lock().unwrap()[at].ended = ended;
                self.tokens.lock().unwrap().push((token, register, value));
            }
        }
    }

    async fn read(&self, endpoint: &str, reader: usize, end: Instant) {
        let mut wire = Wire::connect(endpoint).await;
        let mut at_token = BTreeMap::new();
        for round in 0_usize.. {
            if Instant::now() >= end {
                return;
            }
            let newest = self.tokens.lock().unwrap().last().cloned();
            let began = self.tick();
            let consistency = match ((round + reader) % 5, &newest) {
                (0, _) => None,
                (1, _) => minimize_latency(),
                (2, _) | (_, None) => fully_consistent(),
                (3, Some((token, ..))) => at_least(token),
                (_, Some(newest)) => {
                    let Ok(()) = exact(&mut wire, newest, round, &mut at_token).await else { return };
                    continue;
                }
            };
            let Ok(values) = ask(&mut wire, consistency, round / 5).await else { return };
            let ended = self.tick();
            self.reads.lock().unwrap().push(Read { values, began, ended });
        }
    }

    /// Ends what a killed server left without an answer: those writes stay unacknowledged, and their tokens unknown.
    pub fn forget_unanswered(&self) {
        self.tokens.lock().unwrap().clear();
    }

    pub fn finish(self) -> History {
        History {
            writes: self.writes.into_inner().unwrap(),
            reads: self.reads.into_inner().unwrap(),
            ordered: vec![(0, 1), (2, 3)],
        }
    }
}

/// A read at exactly a write's revision shows that write, and the same whenever it is asked.
async fn exact(
    wire: &mut Wire,
    (token, register, value): &(String, usize, u64),
    round: usize,
    at_token: &mut BTreeMap<String, Values>,
) -> Result<(), Status> {
    let values = ask(wire, at_exact(token), round).await?;
    assert_eq!(values[*register], *value, "the token of a write shows another");
    at_token.insert(token.clone(), values);
    if at_token.len() > 20 {
        at_token.pop_first();
    }
    let Some((token, before)) = at_token.iter().nth(round % at_token.len()) else { return Ok(()) };
    assert_eq!(&ask(wire, at_exact(token), round + 1).await?, before, "a revision changed");
    Ok(())
}

/// All registers at one snapshot, by one of three calls.
async fn ask(wire: &mut Wire, consistency: Option<wire::Consistency>, call: usize) -> Result<Values, Status> {
    let ids: Vec<String> = match call % 3 {
        0 => {
            let subject = parse_relationship("slot:0-0#holder@user:all").unwrap().subject;
            let request = wire::LookupResourcesRequest {
                consistency,
                resource_object_type: "slot".to_owned(),
                permission: "shown".to_owned(),
                subject: Some(pemba_tests::wire::subject(&subject)),
                ..Default::default()
            };
            let stream = wire.permissions.lookup_resources(request).await?.into_inner();
            each(stream, |message| message.resource_object_id).await?
        }
        1 => {
            let filter = wire::RelationshipFilter { resource_type: "slot".to_owned(), ..Default::default() };
            let request = wire::ReadRelationshipsRequest {
                consistency,
                relationship_filter: Some(filter),
                ..Default::default()
            };
            let stream = wire.permissions.read_relationships(request).await?.into_inner();
            each(stream, |message| message.relationship.unwrap().resource.unwrap().object_id).await?
        }
        _ => {
            let request = wire::ExportBulkRelationshipsRequest { consistency, ..Default::default() };
            let stream = wire.permissions.export_bulk_relationships(request).await?.into_inner();
            let pages = each(stream, |message| message.relationships).await?;
            let resources = pages.into_iter().flatten().map(|one| one.resource.unwrap());
            resources.filter(|one| one.object_type == "slot").map(|one| one.object_id).collect()
        }
    };
    Ok(values(ids.into_iter()))
}
