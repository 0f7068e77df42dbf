//! Where the data and the questions come from: a made-up workload, or a validation file.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use pemba_load::questions::{self, Asking};
use pemba_load::{Asked, Call, Prepared, Verdict};
use pemba_model::{Context, Operation, Relationship, Timestamp, Update};
use pemba_workloads::Workload;

use crate::validate::file::{ValidationFile, Wanted};

/// What is asked about.
pub(super) enum Source {
    Workload(Box<dyn Workload>),
    File(Box<File>),
}

/// A validation file as data and questions.
pub(super) struct File {
    schema: String,
    relationships: Vec<Relationship>,
    asked: Vec<Asked>,
}

impl Source {
    pub(super) fn workload(name: &str, scale: u64, seed: u64) -> Result<Source> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let now = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        let workload = pemba_workloads::named(name, scale, seed, now);
        Ok(Source::Workload(workload.with_context(|| format!("`{name}` is no workload"))?))
    }

    pub(super) fn file(path: &Path) -> Result<Source> {
        let file = ValidationFile::read(path)?;
        let mut asked: Vec<Asked> = file
            .assertions
            .iter()
            .map(|assertion| Asked {
                resource: assertion.resource.clone(),
                permission: assertion.permission.clone(),
                subject: assertion.subject.clone(),
                context: assertion.context.clone().unwrap_or_default(),
                expected: Some(match assertion.wanted {
                    Wanted::True => Verdict::Allowed,
                    Wanted::Caveated => Verdict::Conditional,
                    Wanted::False => Verdict::Denied,
                }),
            })
            .collect();
        asked.extend(file.relationships.iter().filter_map(about));
        if asked.is_empty() {
            bail!("{}: no assertion and no relationship to ask about", path.display());
        }
        Ok(Source::File(Box::new(File { schema: file.schema, relationships: file.relationships, asked })))
    }

    pub(super) fn schema(&self) -> &str {
        match self {
            Source::Workload(workload) => workload.schema(),
            Source::File(file) => &file.schema,
        }
    }

    pub(super) fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        match self {
            Source::Workload(workload) => workload.relationships(),
            Source::File(file) => Box::new(file.relationships.clone().into_iter()),
        }
    }

    /// The requests of one call; none where there is no such question.
    pub(super) fn requests(&self, call: Call, asking: Asking) -> Result<Vec<Prepared>> {
        match self {
            Source::Workload(workload) => questions::requests(workload.as_ref(), call, asking),
            Source::File(file) => file.requests(call, asking),
        }
    }

    /// Questions about what the first writes made true.
    pub(super) fn afterwards(&self, written: u64, most: usize) -> Result<Vec<Prepared>> {
        match self {
            Source::Workload(workload) => questions::afterwards(workload.as_ref(), written, most),
            Source::File(_) => Ok(Vec::new()),
        }
    }
}

/// Whether a relationship's subject has its relation, which holds unless a caveat or the time is against it.
fn about(relationship: &Relationship) -> Option<Asked> {
    let Relationship { resource, relation, subject, caveat, expires_at } = relationship;
    if subject.object.is_wildcard() {
        return None;
    }
    let is_certain = caveat.is_none() && expires_at.is_none();
    Some(Asked {
        resource: resource.clone(),
        permission: relation.clone(),
        subject: subject.clone(),
        context: Context::new(),
        expected: is_certain.then_some(Verdict::Allowed),
    })
}

impl File {
    fn requests(&self, call: Call, asking: Asking) -> Result<Vec<Prepared>> {
        match call {
            Call::Check => self.asked.iter().map(|asked| Prepared::check(asked, asking.full)).collect(),
            Call::Bulk => {
                let items = usize::try_from(asking.items)?.max(1);
                let cycle = || self.asked.iter().cycle();
                let bulk = |first: usize| {
                    let items: Vec<Asked> = cycle().skip(first).take(items).cloned().collect();
                    Prepared::bulk(&items, asking.full)
                };
                (0..self.asked.len()).step_by(items).map(bulk).collect()
            }
            Call::LookupResources => {
                let mut seen = BTreeSet::new();
                let new = self.asked.iter().filter(|asked| {
                    seen.insert((&asked.resource.object_type, &asked.permission, &asked.subject))
                });
                new.map(|asked| {
                    let wanted = (asked.resource.object_type.as_str(), asked.permission.as_str());
                    Prepared::lookup_resources((&asked.subject, &asked.context), wanted, None)
                })
                .collect()
            }
            Call::LookupSubjects => {
                let mut seen = BTreeSet::new();
                let new =
                    self.asked.iter().filter(|asked| asked.subject.relation.is_none()).filter(|asked| {
                        seen.insert((&asked.resource, &asked.permission, &asked.subject.object.object_type))
                    });
                new.map(|asked| {
                    let resource = (&asked.resource, asked.permission.as_str());
                    let subject_type = asked.subject.object.object_type.as_str();
                    Prepared::lookup_subjects(resource, subject_type, &asked.context, None)
                })
                .collect()
            }
            Call::Write => {
                let touch = |relationship: &Relationship| {
                    let relationship = relationship.clone();
                    Prepared::write(&[Update { operation: Operation::Touch, relationship }])
                };
                self.relationships.iter().map(touch).collect()
            }
        }
    }
}
