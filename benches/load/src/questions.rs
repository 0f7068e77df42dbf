//! The requests that a workload gives.

use anyhow::Result;
use pemba_workloads::Workload;

use crate::request::{Asked, Call, Prepared};

/// Most different lookups: the truth about each takes time linear in the data.
const LOOKUPS_MAX: u64 = 16;

/// How a workload is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// Different requests; of lookups at most 16.
    pub distinct: u64,
    /// Questions in one bulk check.
    pub items: u64,
    /// Whether the newest revision is asked for.
    pub full: bool,
    /// Whether writes go on beside it: then nobody knows all subjects of a resource.
    pub changing: bool,
}

/// The requests of one call; none where the workload has no such question.
pub fn requests(workload: &dyn Workload, call: Call, asking: Asking) -> Result<Vec<Prepared>> {
    let asked = |number| Asked::from(workload.question(number));
    match call {
        Call::Check => {
            (0..asking.distinct).map(|number| Prepared::check(&asked(number), asking.full)).collect()
        }
        Call::Bulk => {
            let items = asking.items.max(1);
            let bulk = |number: u64| {
                let all: Vec<Asked> = (number * items..(number + 1) * items).map(asked).collect();
                Prepared::bulk(&all, asking.full)
            };
            (0..(asking.distinct / items).max(1)).map(bulk).collect()
        }
        Call::LookupResources => (0..asking.distinct.min(LOOKUPS_MAX))
            .map(|number| Prepared::resources(&workload.lookup_resources(number)))
            .collect(),
        Call::LookupSubjects => (0..asking.distinct.min(LOOKUPS_MAX))
            .filter_map(|number| workload.lookup_subjects(number))
            .map(|lookup| Prepared::subjects(&lookup, !asking.changing))
            .collect(),
        Call::Write => {
            (0..asking.distinct).map(|number| Prepared::write(&[workload.write(number)])).collect()
        }
    }
}

/// Questions about what the first `written` writes made true, at the newest revision, at most `most`.
pub fn afterwards(workload: &dyn Workload, written: u64, most: usize) -> Result<Vec<Prepared>> {
    (0..written)
        .filter_map(|number| workload.after(number))
        .take(most)
        .map(|question| Prepared::check(&question.into(), true))
        .collect()
}
