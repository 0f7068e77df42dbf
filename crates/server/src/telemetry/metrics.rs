//! All metrics of a server, held as handles.

use std::sync::atomic::AtomicI64;

use parking_lot::Mutex;
use pemba_db::{Database, State};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::memory::resident_bytes;
use super::methods::Methods;

/// A value that is set when metrics are read.
type Reading = Gauge<i64, AtomicI64>;

/// Every metric, with the registry that writes them out.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    pub(crate) methods: Methods,
    pub(crate) connections: Gauge,
    pub(crate) watches: Gauge,
    readings: Vec<(Reading, fn(&Database) -> i64)>,
    memory: Reading,
    up: Reading,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::default();
        let methods = Methods::new(&mut registry);
        let mut gauge = |name: &str, help: &str| {
            let gauge = Reading::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("pemba_connections", "Open gRPC connections");
        let watches = gauge("pemba_watch_streams", "Open watch streams");
        let memory = gauge("pemba_resident_memory_bytes", "Resident memory of the process");
        let up = gauge("pemba_serving", "1 while the database takes reads and writes, else 0");
        let readings = READINGS.iter().map(|(name, help, read)| (gauge(name, help), *read)).collect();
        Metrics { registry: Mutex::new(registry), methods, connections, watches, readings, memory, up }
    }

    /// The Prometheus text of everything, as it is now.
    pub(crate) fn text(&self, database: Option<&Database>) -> Result<String, std::fmt::Error> {
        self.memory.set(resident_bytes().unwrap_or(0));
        self.up.set(i64::from(database.is_some_and(|database| matches!(database.state(), State::Serving))));
        if let Some(database) = database {
            for (gauge, read) in &self.readings {
                gauge.set(read(database));
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

/// Name, help and source of a value that is read when metrics are.
type ReadingSource = (&'static str, &'static str, fn(&Database) -> i64);

/// What is read from the database.
const READINGS: [ReadingSource; 8] = [
    ("pemba_head_revision", "Revision of the last committed write", |database| {
        signed(database.statistics().head.0)
    }),
    ("pemba_horizon_revision", "Oldest revision that can still be read", |database| {
        signed(database.statistics().horizon.0)
    }),
    (
        "pemba_relationships",
        "Stored relationships, expired ones included until they are collected",
        |database| signed(database.statistics().relationships),
    ),
    ("pemba_objects", "Objects ever mentioned", |database| signed(database.statistics().objects)),
    ("pemba_write_queue_depth", "Writes that wait for the sequencer", |database| {
        signed(database.statistics().queue_depth as u64)
    }),
    ("pemba_commit_groups", "Commit groups since the start, one fsync each", |database| {
        signed(database.statistics().groups)
    }),
    ("pemba_writes", "Committed writes since the start", |database| signed(database.statistics().writes)),
    ("pemba_snapshots_retained", "Snapshots kept in memory for exact reads", |database| {
        signed(database.statistics().snapshots_retained as u64)
    }),
];

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
