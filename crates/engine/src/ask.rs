//! The queries as methods of a snapshot.

use pemba_model::{ObjectRef, SubjectRef, Timestamp};
use smol_str::SmolStr;

use crate::check::check;
use crate::check_bulk::check_bulk;
use crate::expand::expand;
use crate::ids::Ordinal;
use crate::lookup_missing::lookup_missing;
use crate::lookup_resources::lookup_resources;
use crate::lookup_subjects::lookup_subjects;
use crate::query::{CheckAnswer, CheckItem, ExpandTree, QueryContext, QueryError, ResourceSet, SubjectSet};
use crate::snapshot::Snapshot;
use crate::table::EdgeTable;
use crate::trace::{Trace, trace};

impl<T: EdgeTable> Snapshot<T> {
    /// Whether the subject has the permission (or relation) on the resource.
    pub fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        context: &QueryContext<'_>,
    ) -> Result<CheckAnswer, QueryError> {
        check(self, self.program(), resource, permission, subject, context)
    }

    /// Many checks at one instant, answered in order, each within `steps_max` steps.
    pub fn check_bulk(
        &self,
        items: &[CheckItem<'_>],
        now: Timestamp,
        steps_max: u64,
    ) -> Vec<Result<CheckAnswer, QueryError>> {
        check_bulk(self, self.program(), items, now, steps_max)
    }

    /// Every resource of a type on which the subject has the permission.
    pub fn lookup_resources(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        context: &QueryContext<'_>,
    ) -> Result<ResourceSet, QueryError> {
        lookup_resources(self, self.program(), resource_type, permission, subject, context)
    }

    /// For each of these resources the parameters that decide whether the subject has the permission.
    pub fn lookup_missing(
        &self,
        resource_type: &str,
        permission: &str,
        subject: &SubjectRef,
        resources: &[Ordinal],
        context: &QueryContext<'_>,
    ) -> Result<Vec<Vec<SmolStr>>, QueryError> {
        lookup_missing(self, self.program(), resource_type, permission, subject, resources, context)
    }

    /// Every subject of a type, or userset of a type and relation, that has the permission.
    pub fn lookup_subjects(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject_type: &str,
        subject_relation: Option<&str>,
        context: &QueryContext<'_>,
    ) -> Result<SubjectSet, QueryError> {
        lookup_subjects(self, self.program(), resource, permission, subject_type, subject_relation, context)
    }

    /// How a check comes to its answer, in at most `nodes_max` nodes.
    pub fn trace(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        nodes_max: usize,
        context: &QueryContext<'_>,
    ) -> Result<Trace, QueryError> {
        trace(self, self.program(), resource, permission, subject, nodes_max, context)
    }

    /// What the permission is made of on one object.
    pub fn expand(
        &self,
        resource: &ObjectRef,
        permission: &str,
        context: &QueryContext<'_>,
    ) -> Result<ExpandTree, QueryError> {
        expand(self, self.program(), resource, permission, context)
    }
}
