//! `CheckPermission`.

use std::sync::Arc;

use pemba_engine::{CheckAnswer, Permissionship};
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship as WirePermissionship;
use pemba_proto::authzed::api::v1::{CheckPermissionRequest, CheckPermissionResponse};
use tonic::Status;

use super::request_context;
use crate::consistency::{consistency, encode};
use crate::convert::{object, partial_caveat_info, subject, timestamp_to_wire};
use crate::errors;
use crate::state::State;
use crate::validate::{self, Path};

/// The field that an error names when the wildcard asks.
pub(super) const SUBJECT_FIELD: &str = "subject.object_id";

pub(super) async fn answer(
    state: &Arc<State>,
    request: &CheckPermissionRequest,
) -> Result<CheckPermissionResponse, Status> {
    validate::check_permission(request)?;
    validate::no_wildcard_with_relation(Path::Root.field("subject"), request.subject.as_ref())?;
    if !validate::no_wildcard_subject(request.subject.as_ref()) {
        return Err(errors::wildcard_not_allowed(SUBJECT_FIELD));
    }
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let resource = object(request.resource.as_ref());
    let subject = subject(request.subject.as_ref());
    let answer = view
        .check(&resource, &request.permission, &subject, context.as_ref())
        .map_err(|error| errors::query(&error))?;
    Ok(CheckPermissionResponse {
        checked_at: Some(encode(view.token())),
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace: None,
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
