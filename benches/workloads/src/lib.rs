//! Data and questions of benches, each at any scale and with the truth.
//!
//! A workload is a schema, relationships that follow from their place and a seed, and for every resource and subject
//! whether the permission holds, computed without a database.
//!
//! **Invariant: nothing is stored and nothing is random; a workload of one size and seed is always the same.**

mod agent_tools;
mod blocked_feed;
mod deep_folders;
mod fan_in;
mod nine;
mod rag;
mod revoke_storm;
pub mod support_desk;

use pemba_model::{ObjectRef, Operation, Relationship, SmolStr, SubjectRef, Timestamp, Update};

/// A question and the true answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is accessed.
    pub resource: ObjectRef,
    /// The permission.
    pub permission: SmolStr,
    /// Who asks.
    pub subject: SubjectRef,
    /// Whether the subject has the permission.
    pub expected: bool,
}

/// A question for all objects on one side, and the true answer: their ids, in no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The object that is given: the subject of a lookup of resources, the resource of a lookup of subjects.
    pub given: ObjectRef,
    /// The type of what is looked for.
    pub object_type: SmolStr,
    /// The permission.
    pub permission: SmolStr,
    /// Every id that is to be found.
    pub expected: Vec<SmolStr>,
}

/// Data of one size and seed, with the truth.
pub trait Workload: Send + Sync {
    /// The name that [`named`] knows.
    fn name(&self) -> &'static str;
    /// The schema's text.
    fn schema(&self) -> &'static str;
    /// All relationships, each once, in a fixed order.
    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send>;
    /// The permission that is asked about.
    fn permission(&self) -> &'static str;
    /// Resources, numbered from 0; all are of one type.
    fn resources(&self) -> u64;
    /// A resource by number.
    fn resource(&self, number: u64) -> ObjectRef;
    /// Subjects, numbered from 0.
    fn subjects(&self) -> u64;
    /// A subject by number.
    fn subject(&self, number: u64) -> ObjectRef;
    /// Whether a subject has the permission on a resource.
    fn holds(&self, resource: u64, subject: u64) -> bool;

    /// The resource and the subject of a question by its number; both uniform unless the workload says otherwise.
    fn pair(&self, number: u64) -> (u64, u64) {
        (draw(21, 1, number) % self.resources(), draw(21, 2, number) % self.subjects())
    }

    /// A question by its number.
    fn question(&self, number: u64) -> Question {
        let (resource, subject) = self.pair(number);
        Question {
            resource: self.resource(resource),
            permission: self.permission().into(),
            subject: SubjectRef { object: self.subject(subject), relation: None },
            expected: self.holds(resource, subject),
        }
    }

    /// Whether everybody has the permission on a resource, the unknown too.
    fn is_public(&self, _resource: u64) -> bool {
        false
    }

    /// A lookup of resources by its number. Takes time linear in the resources.
    fn lookup_resources(&self, number: u64) -> Lookup {
        let (_, subject) = self.pair(number);
        let held = (0..self.resources()).filter(|resource| self.holds(*resource, subject));
        Lookup {
            given: self.subject(subject),
            object_type: self.resource(0).object_type,
            permission: self.permission().into(),
            expected: held.map(|resource| self.resource(resource).object_id).collect(),
        }
    }

    /// A lookup of subjects by its number, of the first subject's type; none for a public resource, whose answer is not
    /// a list. Takes time linear in the subjects.
    fn lookup_subjects(&self, number: u64) -> Option<Lookup> {
        let (resource, _) = self.pair(number);
        if self.is_public(resource) {
            return None;
        }
        let object_type = self.subject(0).object_type;
        let holding = (0..self.subjects()).filter(|subject| self.holds(resource, *subject));
        let found = holding.map(|subject| self.subject(subject)).filter(|s| s.object_type == object_type);
        Some(Lookup {
            given: self.resource(resource),
            permission: self.permission().into(),
            expected: found.map(|subject| subject.object_id).collect(),
            object_type,
        })
    }

    /// A relationship that changes no answer to the questions, by number: what [`write`](Workload::write) adds and removes.
    fn churn(&self, number: u64) -> Relationship;

    /// A write by its number; no write changes what the questions, asked before or after, have as the truth.
    fn write(&self, number: u64) -> Update {
        let operation = if number.is_multiple_of(2) { Operation::Touch } else { Operation::Delete };
        Update { operation, relationship: self.churn(number / 2) }
    }

    /// What the write of that number made true, in a workload whose writes are about something.
    fn after(&self, _number: u64) -> Option<Question> {
        None
    }
}

/// The names that [`named`] knows, the nine shapes of SpiceDB's own benchmarks last.
pub const NAMES: [&str; 16] = [
    "support-desk",
    "deep-folders",
    "fan-in",
    "blocked-feed",
    "agent-tools",
    "rag",
    "revoke-storm",
    "check-wide-direct",
    "check-wide-groups",
    "deep-arrow",
    "double-wide-arrow",
    "lookup-intersection",
    "lookup-same-types",
    "share-with",
    "wide-arrow",
    "wide-groups",
];

/// A workload by name, with about that many relationships (the nine shapes have a size of their own); none for an unknown
/// name. `now` is when sessions that last begin.
pub fn named(name: &str, relationships: u64, seed: u64, now: Timestamp) -> Option<Box<dyn Workload>> {
    Some(match name {
        "support-desk" => Box::new(support_desk::SupportDesk::new(relationships, seed)),
        "deep-folders" => Box::new(deep_folders::DeepFolders::new(relationships, seed)),
        "fan-in" => Box::new(fan_in::FanIn::new(relationships, seed)),
        "blocked-feed" => Box::new(blocked_feed::BlockedFeed::new(relationships, seed)),
        "agent-tools" => Box::new(agent_tools::AgentTools::new(relationships, seed, now)),
        "rag" => Box::new(rag::Rag::new(relationships, seed)),
        "revoke-storm" => Box::new(revoke_storm::RevokeStorm::new(relationships, seed)),
        shape => Box::new(nine::shape(shape)?),
    })
}

/// A well-mixed number: splitmix64's output function, a bijection.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number that follows from a seed, a purpose (below 256) and a place.
fn draw(seed: u64, purpose: u64, place: u64) -> u64 {
    mix(mix(seed ^ (purpose << 56)) ^ place)
}

fn object(kind: &str, number: u64) -> ObjectRef {
    ObjectRef::new(kind, format!("{kind}-{number:08}"))
}

fn edge(resource: ObjectRef, relation: &str, subject: ObjectRef) -> Relationship {
    Relationship::new(resource, relation, SubjectRef { object: subject, relation: None })
}

fn nested(resource: ObjectRef, relation: &str, subject: ObjectRef, through: &str) -> Relationship {
    Relationship::new(resource, relation, SubjectRef { object: subject, relation: Some(through.into()) })
}
