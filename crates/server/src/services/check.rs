//! `CheckPermission`.

use std::sync::Arc;

use pemba_db::{CheckRequest, View};
use pemba_engine::{CheckAnswer, Permissionship, QueryError};
use pemba_model::{Context, ObjectRef, SubjectRef};
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship as WirePermissionship;
use pemba_proto::authzed::api::v1::{CheckPermissionRequest, CheckPermissionResponse, DebugInformation};
use tonic::Status;

use super::{no_wildcard_subject, request_context};
use crate::consistency::{consistency, encode};
use crate::convert::{Tracing, object, partial_caveat_info, subject, timestamp_to_wire};
use crate::errors;
use crate::state::State;
use crate::validate::{self, Path};

/// The field that an error names when the wildcard asks.
pub(super) const SUBJECT_FIELD: &str = "subject.object_id";

/// Steps that a check takes on the thread of its connection, well below a millisecond; a longer one starts again on
/// a query thread.
const INLINE_STEPS_MAX: u64 = 10_000;

struct Question {
    resource: ObjectRef,
    permission: String,
    subject: SubjectRef,
    context: Option<Context>,
}

impl Question {
    fn ask(&self, view: &View) -> Result<CheckAnswer, QueryError> {
        view.check(&self.resource, &self.permission, &self.subject, self.context.as_ref())
    }

    fn trace(&self, view: &View) -> Result<DebugInformation, Status> {
        let request = CheckRequest {
            resource: &self.resource,
            permission: &self.permission,
            subject: &self.subject,
            context: self.context.as_ref(),
        };
        Tracing::new(view, 1).trace(&request).map_err(|error| errors::query(&error))
    }
}

/// `is_traced` asks for the trace whatever the request says.
pub(super) async fn answer(
    state: &Arc<State>,
    request: &CheckPermissionRequest,
    is_traced: bool,
) -> Result<CheckPermissionResponse, Status> {
    validate::check_permission(request)?;
    validate::no_wildcard_with_relation(Path::Root.field("subject"), request.subject.as_ref())?;
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let question = Arc::new(Question {
        resource: object(request.resource.as_ref()),
        permission: request.permission.clone(),
        subject: subject(request.subject.as_ref()),
        context,
    });
    let asked = (question.resource.object_type.as_str(), question.permission.as_str());
    no_wildcard_subject(&view, asked, &question.subject, SUBJECT_FIELD)?;
    let checked_at = Some(encode(view.token()));
    let answer = match question.ask(&view.bounded(INLINE_STEPS_MAX)) {
        Err(QueryError::TooManySteps { .. }) => {
            let (question, view) = (Arc::clone(&question), view.clone());
            state.queries.run(move || question.ask(&view).map_err(|error| errors::query(&error))).await?
        }
        answer => answer.map_err(|error| errors::query(&error))?,
    };
    let debug_trace = if is_traced || request.with_tracing {
        Some(state.queries.run(move || question.trace(&view)).await?)
    } else {
        None
    };
    Ok(CheckPermissionResponse {
        checked_at,
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace,
        optional_expires_at: expires_at(&answer),
    })
}

/// The instant up to which a grant certainly holds. A denial expires too, when a relationship that excludes does, but
/// clients read this field as the end of a grant.
fn expires_at(answer: &CheckAnswer) -> Option<prost_types::Timestamp> {
    match answer.permissionship {
        Permissionship::No => None,
        Permissionship::Conditional | Permissionship::Yes => answer.valid_until.map(timestamp_to_wire),
    }
}

pub(super) fn permissionship(permissionship: Permissionship) -> WirePermissionship {
    match permissionship {
        Permissionship::No => WirePermissionship::NoPermission,
        Permissionship::Conditional => WirePermissionship::ConditionalPermission,
        Permissionship::Yes => WirePermissionship::HasPermission,
    }
}
