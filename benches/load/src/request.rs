//! Requests, encoded before the clock runs, with what is expected of their answers.

use anyhow::{Context as _, Result};
use bytes::{BufMut as _, Bytes, BytesMut};
use pemba_client::wire::{context_to_wire, object_to_wire, relationship_to_wire, subject_to_wire};
use pemba_model::{Context, ObjectRef, Operation, SmolStr, SubjectRef, Update};
use pemba_proto::authzed::api::v1 as wire;
use pemba_workloads::{Lookup, Question};
use prost::Message;

/// Which method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// CheckPermission.
    Check,
    /// CheckBulkPermissions.
    Bulk,
    /// LookupResources.
    LookupResources,
    /// LookupSubjects.
    LookupSubjects,
    /// WriteRelationships.
    Write,
}

impl Call {
    /// The path of the method.
    pub fn path(self) -> &'static str {
        match self {
            Call::Check => "/authzed.api.v1.PermissionsService/CheckPermission",
            Call::Bulk => "/authzed.api.v1.PermissionsService/CheckBulkPermissions",
            Call::LookupResources => "/authzed.api.v1.PermissionsService/LookupResources",
            Call::LookupSubjects => "/authzed.api.v1.PermissionsService/LookupSubjects",
            Call::Write => "/authzed.api.v1.PermissionsService/WriteRelationships",
        }
    }
}

/// An answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The permission does not hold.
    Denied,
    /// It holds.
    Allowed,
    /// It depends on what the request did not say.
    Conditional,
}

impl Verdict {
    /// From the number on the wire; none for a number that is no verdict.
    pub(crate) fn from_wire(number: u64) -> Option<Verdict> {
        match number {
            1 => Some(Verdict::Denied),
            2 => Some(Verdict::Allowed),
            3 => Some(Verdict::Conditional),
            _ => None,
        }
    }
}

/// A question as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What is accessed.
    pub resource: ObjectRef,
    /// The permission or relation.
    pub permission: SmolStr,
    /// Who asks.
    pub subject: SubjectRef,
    /// The caveat context; empty for none.
    pub context: Context,
    /// The true answer, where it is known.
    pub expected: Option<Verdict>,
}

impl From<Question> for Asked {
    fn from(question: Question) -> Asked {
        Asked {
            resource: question.resource,
            permission: question.permission,
            subject: question.subject,
            context: Context::new(),
            expected: Some(if question.expected { Verdict::Allowed } else { Verdict::Denied }),
        }
    }
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// These verdicts, each where it is known.
    Verdicts(Vec<Option<Verdict>>),
    /// So many ids, with this digest.
    Ids { count: u64, digest: u64 },
    /// Anything that is no error.
    Success,
}

/// One encoded request.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) call: Call,
    pub(crate) body: Bytes,
    pub(crate) expected: Expected,
}

fn frame(message: &impl Message) -> Result<Bytes> {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(length + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).context("a request above 4 GiB")?);
    message.encode(&mut frame)?;
    Ok(frame.freeze())
}

fn consistency(full: bool) -> Option<wire::Consistency> {
    use wire::consistency::Requirement;
    let requirement =
        if full { Requirement::FullyConsistent(true) } else { Requirement::MinimizeLatency(true) };
    Some(wire::Consistency { requirement: Some(requirement) })
}

/// The digest of an id; those of a set are added, in any order.
pub(crate) fn digest(id: &[u8]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn ids(expected: &[SmolStr]) -> Expected {
    let digest = expected.iter().fold(0_u64, |sum, id| sum.wrapping_add(digest(id.as_bytes())));
    Expected::Ids { count: expected.len() as u64, digest }
}

impl Prepared {
    /// Which method it calls.
    pub fn call(&self) -> Call {
        self.call
    }

    /// One question; `full` asks for the newest revision instead of the fastest answer.
    pub fn check(asked: &Asked, full: bool) -> Result<Prepared> {
        let request = wire::CheckPermissionRequest {
            consistency: consistency(full),
            resource: Some(object_to_wire(&asked.resource)),
            permission: asked.permission.to_string(),
            subject: Some(subject_to_wire(&asked.subject)),
            context: context_to_wire(&asked.context)?,
            ..Default::default()
        };
        let expected = Expected::Verdicts(vec![asked.expected]);
        Ok(Prepared { call: Call::Check, body: frame(&request)?, expected })
    }

    /// Several questions in one request.
    pub fn bulk(asked: &[Asked], full: bool) -> Result<Prepared> {
        let item = |asked: &Asked| {
            Ok(wire::CheckBulkPermissionsRequestItem {
                resource: Some(object_to_wire(&asked.resource)),
                permission: asked.permission.to_string(),
                subject: Some(subject_to_wire(&asked.subject)),
                context: context_to_wire(&asked.context)?,
            })
        };
        let items = asked.iter().map(item).collect::<Result<Vec<_>>>()?;
        let request =
            wire::CheckBulkPermissionsRequest { consistency: consistency(full), items, ..Default::default() };
        let expected = Expected::Verdicts(asked.iter().map(|asked| asked.expected).collect());
        Ok(Prepared { call: Call::Bulk, body: frame(&request)?, expected })
    }

    /// A lookup of all resources of a subject; what is expected of it, where that is known.
    pub fn lookup_resources(
        (subject, context): (&SubjectRef, &Context),
        (object_type, permission): (&str, &str),
        expected: Option<&[SmolStr]>,
    ) -> Result<Prepared> {
        let request = wire::LookupResourcesRequest {
            consistency: consistency(false),
            resource_object_type: object_type.to_owned(),
            permission: permission.to_owned(),
            subject: Some(subject_to_wire(subject)),
            context: context_to_wire(context)?,
            ..Default::default()
        };
        let expected = expected.map_or(Expected::Success, ids);
        Ok(Prepared { call: Call::LookupResources, body: frame(&request)?, expected })
    }

    /// A workload's lookup of resources.
    pub fn resources(lookup: &Lookup) -> Result<Prepared> {
        let subject = SubjectRef { object: lookup.given.clone(), relation: None };
        let wanted = (lookup.object_type.as_str(), lookup.permission.as_str());
        Prepared::lookup_resources((&subject, &Context::new()), wanted, Some(&lookup.expected))
    }

    /// A lookup of all subjects of a resource; what is expected of it, where that is known.
    pub fn lookup_subjects(
        (resource, permission): (&ObjectRef, &str),
        subject_type: &str,
        context: &Context,
        expected: Option<&[SmolStr]>,
    ) -> Result<Prepared> {
        let request = wire::LookupSubjectsRequest {
            consistency: consistency(false),
            resource: Some(object_to_wire(resource)),
            permission: permission.to_owned(),
            subject_object_type: subject_type.to_owned(),
            context: context_to_wire(context)?,
            ..Default::default()
        };
        let expected = expected.map_or(Expected::Success, ids);
        Ok(Prepared { call: Call::LookupSubjects, body: frame(&request)?, expected })
    }

    /// A workload's lookup of subjects, with the truth where it is `known`.
    pub fn subjects(lookup: &Lookup, known: bool) -> Result<Prepared> {
        let resource = (&lookup.given, lookup.permission.as_str());
        let expected = known.then_some(&lookup.expected[..]);
        Prepared::lookup_subjects(resource, &lookup.object_type, &Context::new(), expected)
    }

    /// A write of a few updates.
    pub fn write(updates: &[Update]) -> Result<Prepared> {
        use wire::relationship_update::Operation as Wire;
        let update = |update: &Update| {
            let operation = match update.operation {
                Operation::Create => Wire::Create,
                Operation::Touch => Wire::Touch,
                Operation::Delete => Wire::Delete,
            };
            Ok(wire::RelationshipUpdate {
                operation: operation.into(),
                relationship: Some(relationship_to_wire(&update.relationship)?),
            })
        };
        let updates = updates.iter().map(update).collect::<Result<Vec<_>>>()?;
        let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
        Ok(Prepared { call: Call::Write, body: frame(&request)?, expected: Expected::Success })
    }
}
