//! One revision at one instant, to ask questions of.

use std::sync::Arc;

use pemba_engine::{
    CheckAnswer, CheckItem, EdgeKey, ExpandTree, Ordinal, QueryContext, QueryError, ResourceSet,
    SchemaCaveats, Snapshot, SubjectSet, Trace, TypeId,
};
use pemba_model::{
    Context, Ledger, ObjectRef, Relationship, RelationshipFilter, Revision, SmolStr, SubjectRef, Timestamp,
};

use crate::errors::FilterError;
use crate::filters::check_filter;
use crate::history::Version;
use crate::token::Token;

/// One revision at one instant. It stays as it is however long it is held; every answer it gives is of that revision
/// and instant. A clone is cheap.
#[derive(Clone)]
pub struct View {
    version: Version,
    now: Timestamp,
    token: Token,
    steps_max: u64,
}

/// One question of a bulk check.
#[derive(Debug, Clone, Copy)]
pub struct CheckRequest<'a> {
    /// What is accessed.
    pub resource: &'a ObjectRef,
    /// The relation or permission.
    pub permission: &'a str,
    /// Who accesses.
    pub subject: &'a SubjectRef,
    /// Values for caveat parameters.
    pub context: Option<&'a Context>,
}

impl View {
    pub(crate) fn new(version: Version, now: Timestamp, token: Token, steps_max: u64) -> View {
        View { version, now, token, steps_max }
    }

    /// The same view with a lower bound on the steps of a query; a higher one changes nothing.
    #[must_use]
    pub fn bounded(&self, steps_max: u64) -> View {
        View { steps_max: self.steps_max.min(steps_max), ..self.clone() }
    }

    /// Most steps of one query.
    pub fn steps_max(&self) -> u64 {
        self.steps_max
    }

    /// The revision.
    pub fn revision(&self) -> Revision {
        self.version.revision()
    }

    /// The revision as a token.
    pub fn token(&self) -> Token {
        self.token
    }

    /// The instant: what expires at it or before does not count.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the answers rest on.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.version.snapshot
    }

    /// What is derived from the documents, as they are at this revision.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.version.ledger
    }

    /// The id of an object that an answer names by number.
    pub fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.version.snapshot.names().object_id(object_type, ordinal)
    }

    /// Asks the processor for where the id of an object is, a while before `prefetch_object_id`.
    pub fn prefetch_object_place(&self, object_type: TypeId, ordinal: Ordinal) {
        self.version.snapshot.names().prefetch_place(object_type, ordinal);
    }

    /// Asks the processor for the id of an object that will be asked for soon.
    pub fn prefetch_object_id(&self, object_type: TypeId, ordinal: Ordinal) {
        self.version.snapshot.names().prefetch(object_type, ordinal);
    }

    /// Whether the subject has the relation or permission on the resource.
    pub fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        request_context: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        self.ask(request_context, |context| {
            pemba_engine::check(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource,
                permission,
                subject,
                context,
            )
        })
    }

    /// How a check comes to its answer: a tree of at most `nodes_max` nodes, where those with parts left out say so. The
    /// caveats in it are as the schema of this view has them.
    pub fn trace(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        request_context: Option<&Context>,
        nodes_max: usize,
    ) -> Result<Trace, QueryError> {
        self.ask(request_context, |context| {
            pemba_engine::trace(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource,
                permission,
                subject,
                nodes_max,
                context,
            )
        })
    }

    /// What `trace` would show of a check that takes too many steps to be answered: the same tree, whose answers say
    /// nothing.
    pub fn trace_unanswered(
        &self,
        request: &CheckRequest<'_>,
        nodes_max: usize,
    ) -> Result<Trace, QueryError> {
        self.ask(request.context, |context| {
            pemba_engine::trace_unanswered(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                request.resource,
                request.permission,
                request.subject,
                nodes_max,
                context,
            )
        })
    }

    /// The answers to many questions, in their order; each has the bound of one query.
    pub fn check_bulk(&self, requests: &[CheckRequest<'_>]) -> Vec<Result<CheckAnswer, QueryError>> {
        let schema = self.version.snapshot.schema();
        let evaluators: Vec<SchemaCaveats<'_>> =
            requests.iter().map(|request| SchemaCaveats { schema, request: request.context }).collect();
        let items: Vec<CheckItem<'_>> = requests
            .iter()
            .zip(&evaluators)
            .map(|(request, caveats)| CheckItem {
                resource: request.resource,
                permission: request.permission,
                subject: request.subject,
                caveats,
            })
            .collect();
        pemba_engine::check_bulk(
            &*self.version.snapshot,
            self.version.snapshot.program(),
            &items,
            self.now,
            self.steps_max,
        )
    }

    /// All resources of a type on which the subject has the relation or permission.
    pub fn lookup_resources(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        request_context: Option<&Context>,
    ) -> Result<ResourceSet, QueryError> {
        self.ask(request_context, |context| {
            pemba_engine::lookup_resources(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource_type,
                permission,
                subject,
                context,
            )
        })
    }

    /// For each of these resources of one type, in their order, the parameters that decide whether the subject has the
    /// relation or permission; empty for one where nothing is open.
    pub fn lookup_missing(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        resources: &[Ordinal],
        request_context: Option<&Context>,
    ) -> Result<Vec<Vec<SmolStr>>, QueryError> {
        self.ask(request_context, |context| {
            pemba_engine::lookup_missing(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource_type,
                permission,
                subject,
                resources,
                context,
            )
        })
    }

    /// All subjects of a type, or usersets of a relation of it, that have the relation or permission on the resource.
    pub fn lookup_subjects(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject_type: &str,
        subject_relation: Option<&str>,
        request_context: Option<&Context>,
    ) -> Result<SubjectSet, QueryError> {
        self.ask(request_context, |context| {
            pemba_engine::lookup_subjects(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource,
                permission,
                subject_type,
                subject_relation,
                context,
            )
        })
    }

    /// What the relation or permission is made of on the resource, one level deep.
    pub fn expand(&self, resource: &ObjectRef, permission: &str) -> Result<ExpandTree, QueryError> {
        self.ask(None, |context| {
            pemba_engine::expand(
                &*self.version.snapshot,
                self.version.snapshot.program(),
                resource,
                permission,
                context,
            )
        })
    }

    /// The relationships that match a filter and have not expired, ascending by key, strictly after `after`. Lazy.
    pub fn read<'a>(
        &'a self,
        filter: &'a RelationshipFilter,
        after: Option<EdgeKey>,
    ) -> impl Iterator<Item = (EdgeKey, Relationship)> + 'a {
        self.version.snapshot.scan(filter, after, Some(self.now)).filter_map(|(key, attributes)| {
            self.version.snapshot.relationship(key, &attributes).map(|relationship| (key, relationship))
        })
    }

    /// Checks that the schema has every name of a question; the error is about the first that it lacks.
    pub fn validate_names(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
    ) -> Result<(), QueryError> {
        self.snapshot().program().check_names(resource_type, permission, subject)
    }

    /// Checks that a filter selects something, does not contradict itself, and names only what the schema has.
    pub fn validate_filter(&self, filter: &RelationshipFilter) -> Result<(), FilterError> {
        check_filter(self.version.snapshot.schema(), filter)
    }

    /// Runs a query with what every query gets.
    fn ask<T>(
        &self,
        request: Option<&Context>,
        query: impl FnOnce(&QueryContext<'_>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let caveats = SchemaCaveats { schema: self.version.snapshot.schema(), request };
        query(&QueryContext { now: self.now, steps_max: self.steps_max, caveats: &caveats })
    }
}
