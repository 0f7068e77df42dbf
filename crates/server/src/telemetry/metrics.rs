//! All metrics of a server, held as handles.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use parking_lot::Mutex;
use pemba_db::{COMMIT_MICROS_BOUNDS, Database, State, Statistics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::memory::resident_bytes;
use super::methods::Methods;

/// A value that is set when metrics are read.
type Reading = Gauge<i64, AtomicI64>;
/// Where such a value comes from.
type Source = fn(&Statistics) -> i64;

/// Every metric, with the registry that writes them out.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    pub(crate) methods: Methods,
    pub(crate) connections: Gauge,
    pub(crate) watches: Gauge,
    /// Pages of lookups that began where the page before ended.
    pub(crate) lookups_resumed: Counter,
    readings: Vec<(Reading, Source)>,
    memory: Reading,
    up: Reading,
    commits: CommitTimes,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::default();
        let methods = Methods::new(&mut registry);
        let lookups_resumed = Counter::default();
        let help = "Pages of lookups of resources that found nothing anew";
        registry.register("pemba_lookups_resumed", help, lookups_resumed.clone());
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
        let commits = CommitTimes::default();
        registry.register_collector(Box::new(CommitCollector(Arc::clone(&commits))));
        Metrics {
            registry: Mutex::new(registry),
            methods,
            connections,
            watches,
            lookups_resumed,
            readings,
            memory,
            up,
            commits,
        }
    }

    /// The Prometheus text of everything, as it is now.
    pub(crate) fn text(&self, database: Option<&Database>) -> Result<String, std::fmt::Error> {
        self.memory.set(resident_bytes().unwrap_or(0));
        self.up.set(i64::from(database.is_some_and(|database| matches!(database.state(), State::Serving))));
        if let Some(database) = database {
            let statistics = database.statistics();
            for (gauge, read) in &self.readings {
                gauge.set(read(&statistics));
            }
            *self.commits.lock() = Some((statistics.commit_micros, statistics.commit_micros_total));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

/// Name, help and source of a value that is read when metrics are.
type ReadingSource = (&'static str, &'static str, Source);

/// What is read from the database.
const READINGS: [ReadingSource; 11] = [
    ("pemba_head_revision", "Revision of the last committed write", |statistics| signed(statistics.head.0)),
    ("pemba_horizon_revision", "Oldest revision that can still be read", |statistics| {
        signed(statistics.horizon.0)
    }),
    (
        "pemba_relationships",
        "Stored relationships, expired ones included until they are collected",
        |statistics| signed(statistics.relationships),
    ),
    ("pemba_objects", "Objects ever mentioned", |statistics| signed(statistics.objects)),
    ("pemba_documents", "Stored documents", |statistics| signed(statistics.documents)),
    ("pemba_write_queue_depth", "Writes that wait for the sequencer", |statistics| {
        signed(statistics.queue_depth as u64)
    }),
    ("pemba_commit_groups", "Commit groups since the start, one fsync each", |statistics| {
        signed(statistics.groups)
    }),
    ("pemba_writes", "Committed writes since the start", |statistics| signed(statistics.writes)),
    ("pemba_snapshots_retained", "Snapshots kept in memory for exact reads", |statistics| {
        signed(statistics.snapshots_retained as u64)
    }),
    (
        "pemba_snapshots_retained_bytes",
        "Memory of those snapshots besides what the newest needs, about",
        |statistics| signed(statistics.snapshots_retained_bytes),
    ),
    ("pemba_history_bytes", "Log of old revisions, as of the last collection", |statistics| {
        signed(statistics.history_bytes)
    }),
];

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Counts by bucket, then the sum of the times in microseconds, as last read from the database.
type CommitTimes = Arc<Mutex<Option<([u64; COMMIT_MICROS_BOUNDS.len() + 1], u64)>>>;

/// Writes the histogram that the database keeps.
#[derive(Debug)]
struct CommitCollector(CommitTimes);

impl Collector for CommitCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some((counts, total_micros)) = *self.0.lock() else { return Ok(()) };
        let bounds = COMMIT_MICROS_BOUNDS.iter().map(|micros| seconds(*micros)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let help = "Time from taking a commit group to acknowledging it";
        encoder
            .encode_descriptor("pemba_commit_duration_seconds", help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(seconds(total_micros), counts.iter().sum(), &buckets, None)
    }
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
