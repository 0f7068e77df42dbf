//! Asking for everything a subject can reach, and for everyone who can reach a resource.

use std::future::Future;

use pemba_model::{Context, ObjectRef, SmolStr, SubjectRef, WILDCARD_ID};
use pemba_proto::authzed::api::v1;
use tonic::{Response, Status, Streaming};

use crate::{
    check::Permissionship,
    client::{Api, Client},
    consistency::Consistency,
    context,
    error::Error,
    relationships::smaller,
    stream::{self, ResultStream, Source},
    wire,
};

/// On which resources of a type does the subject hold the permission?
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `Client::lookup_resources`"]
pub struct LookupResources {
    resource_type: SmolStr,
    permission: SmolStr,
    subject: SubjectRef,
    context: Context,
    consistency: Consistency,
    page_size: u32,
    limit: Option<u64>,
}

/// A resource on which the subject holds the permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundResource {
    /// Its id; the type is the one asked for.
    pub object_id: String,
    /// Yes or conditional, never no.
    pub permissionship: Permissionship,
}

impl LookupResources {
    /// On which resources of `resource_type` does `subject` hold `permission`?
    pub fn new(
        resource_type: impl Into<SmolStr>,
        permission: impl Into<SmolStr>,
        subject: SubjectRef,
    ) -> LookupResources {
        LookupResources {
            resource_type: resource_type.into(),
            permission: permission.into(),
            subject,
            context: Context::new(),
            consistency: Consistency::default(),
            page_size: 1000,
            limit: None,
        }
    }

    /// How fresh the result must be. All pages are of one revision.
    pub fn at(mut self, consistency: Consistency) -> LookupResources {
        self.consistency = consistency;
        self
    }

    /// Caveat parameters.
    pub fn context(mut self, context: Context) -> LookupResources {
        self.context = context;
        self
    }

    /// Results fetched per call, 1 to what the server allows; 1000 unless said.
    pub fn page_size(mut self, size: u32) -> LookupResources {
        self.page_size = size.max(1);
        self
    }

    /// At most this many results in all.
    pub fn limit(mut self, limit: u64) -> LookupResources {
        self.limit = Some(limit);
        self
    }
}

/// Which subjects of a type hold the permission on the resource?
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `Client::lookup_subjects`"]
pub struct LookupSubjects {
    resource: ObjectRef,
    permission: SmolStr,
    subject_type: SmolStr,
    subject_relation: Option<SmolStr>,
    context: Context,
    consistency: Consistency,
    wildcards: bool,
    page_size: Option<u32>,
}

/// A subject that holds the permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSubject {
    /// Its id, `*` for every subject of the type; the type is the one asked for.
    pub object_id: String,
    /// Yes or conditional, never no.
    pub permissionship: Permissionship,
    /// Only beside a wildcard: the subjects it does not cover. A conditional one is excluded on that condition.
    pub excluded: Vec<ExcludedSubject>,
}

/// A subject that a wildcard does not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedSubject {
    /// Its id.
    pub object_id: String,
    /// Whether the exclusion is certain.
    pub exclusion: Permissionship,
}

impl FoundSubject {
    /// Whether this stands for every subject of the type but the excluded ones.
    pub fn is_wildcard(&self) -> bool {
        self.object_id == WILDCARD_ID
    }
}

impl LookupSubjects {
    /// Which subjects of `subject_type` hold `permission` on `resource`?
    pub fn new(
        resource: ObjectRef,
        permission: impl Into<SmolStr>,
        subject_type: impl Into<SmolStr>,
    ) -> LookupSubjects {
        LookupSubjects {
            resource,
            permission: permission.into(),
            subject_type: subject_type.into(),
            subject_relation: None,
            context: Context::new(),
            consistency: Consistency::default(),
            wildcards: true,
            page_size: None,
        }
    }

    /// Looks for usersets of this relation instead of plain subjects.
    pub fn subject_relation(mut self, relation: impl Into<SmolStr>) -> LookupSubjects {
        self.subject_relation = Some(relation.into());
        self
    }

    /// How fresh the result must be.
    pub fn at(mut self, consistency: Consistency) -> LookupSubjects {
        self.consistency = consistency;
        self
    }

    /// Caveat parameters.
    pub fn context(mut self, context: Context) -> LookupSubjects {
        self.context = context;
        self
    }

    /// Leaves wildcards out of the result.
    pub fn without_wildcards(mut self) -> LookupSubjects {
        self.wildcards = false;
        self
    }

    /// Fetches this many results per call, at least 1. Unless said, one call fetches all: servers other than Pemba know
    /// no pages here.
    pub fn page_size(mut self, size: u32) -> LookupSubjects {
        self.page_size = Some(size.max(1));
        self
    }
}

impl Client {
    /// Streams the resources, page after page.
    pub fn lookup_resources(&self, lookup: LookupResources) -> ResultStream<FoundResource> {
        let context = match context::to_wire(&lookup.context) {
            Ok(context) => context,
            Err(error) => return stream::failed(error),
        };
        let request = v1::LookupResourcesRequest {
            consistency: lookup.consistency.to_wire(),
            resource_object_type: lookup.resource_type.to_string(),
            permission: lookup.permission.to_string(),
            subject: Some(wire::subject_to_wire(&lookup.subject)),
            context,
            optional_limit: smaller(lookup.page_size, lookup.limit),
            optional_cursor: None,
            with_debug: false,
        };
        stream::run(self, ResourceSource(request), None, lookup.limit)
    }

    /// Streams the subjects.
    pub fn lookup_subjects(&self, lookup: LookupSubjects) -> ResultStream<FoundSubject> {
        use v1::lookup_subjects_request::WildcardOption;

        let context = match context::to_wire(&lookup.context) {
            Ok(context) => context,
            Err(error) => return stream::failed(error),
        };
        let wildcards = if lookup.wildcards {
            WildcardOption::IncludeWildcards
        } else {
            WildcardOption::ExcludeWildcards
        };
        let request = v1::LookupSubjectsRequest {
            consistency: lookup.consistency.to_wire(),
            resource: Some(wire::object_to_wire(&lookup.resource)),
            permission: lookup.permission.to_string(),
            subject_object_type: lookup.subject_type.to_string(),
            optional_subject_relation: lookup
                .subject_relation
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            context,
            optional_concrete_limit: lookup.page_size.unwrap_or(0),
            optional_cursor: None,
            wildcard_option: wildcards.into(),
        };
        stream::run(self, SubjectSource(request), None, None)
    }
}

struct ResourceSource(v1::LookupResourcesRequest);

impl Source for ResourceSource {
    type Cursor = v1::Cursor;
    type Message = v1::LookupResourcesResponse;
    type Item = FoundResource;

    fn page_size(&self) -> Option<u32> {
        Some(self.0.optional_limit)
    }

    fn open(
        &self,
        mut api: Api,
        after: Option<v1::Cursor>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send {
        let request = v1::LookupResourcesRequest { optional_cursor: after, ..self.0.clone() };
        async move { api.permissions.lookup_resources(request).await }
    }

    fn read(message: Self::Message) -> Result<(Vec<FoundResource>, Option<v1::Cursor>), Error> {
        let permissionship =
            Permissionship::from_lookup(message.permissionship(), message.partial_caveat_info)?;
        let found = FoundResource { object_id: message.resource_object_id, permissionship };
        Ok((vec![found], message.after_result_cursor))
    }
}

struct SubjectSource(v1::LookupSubjectsRequest);

impl Source for SubjectSource {
    type Cursor = v1::Cursor;
    type Message = v1::LookupSubjectsResponse;
    type Item = FoundSubject;

    fn page_size(&self) -> Option<u32> {
        Some(self.0.optional_concrete_limit).filter(|size| *size > 0)
    }

    fn open(
        &self,
        mut api: Api,
        after: Option<v1::Cursor>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send {
        let request = v1::LookupSubjectsRequest { optional_cursor: after, ..self.0.clone() };
        async move { api.permissions.lookup_subjects(request).await }
    }

    fn read(message: Self::Message) -> Result<(Vec<FoundSubject>, Option<v1::Cursor>), Error> {
        let subject = wire::present(message.subject, "subject")?;
        let excluded = message
            .excluded_subjects
            .into_iter()
            .map(|subject| {
                let (object_id, exclusion) = resolved(subject)?;
                Ok(ExcludedSubject { object_id, exclusion })
            })
            .collect::<Result<_, Error>>()?;
        let (object_id, permissionship) = resolved(subject)?;
        Ok((vec![FoundSubject { object_id, permissionship, excluded }], message.after_result_cursor))
    }
}

fn resolved(subject: v1::ResolvedSubject) -> Result<(String, Permissionship), Error> {
    let permissionship = Permissionship::from_lookup(subject.permissionship(), subject.partial_caveat_info)?;
    Ok((subject.subject_object_id, permissionship))
}
