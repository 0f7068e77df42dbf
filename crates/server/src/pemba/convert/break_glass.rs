//! Breaking the glass on the wire.

use pemba_agents::ApprovalId;
use pemba_agents::command::{BreakGlass, ReviewGlass};
use pemba_agents::records::{BreakGlassPolicy, BrokenGlass, Review};
use pemba_model::Timestamp;
use pemba_proto::pemba::v1 as wire;

use super::{Read, approval_id, claim, context, millis, millis_to_wire, missing, name, object};
use crate::convert::{object_to_wire, timestamp_to_wire};
use crate::validate::Path;

/// A policy to set; version, time and client are filled in by the command.
pub(crate) fn break_glass_policy(
    path: Path<'_>,
    policy: Option<wire::BreakGlassPolicy>,
) -> Read<BreakGlassPolicy> {
    let policy = policy.ok_or_else(|| missing(path))?;
    let required_ms = |name, duration: Option<&prost_types::Duration>| {
        let path = path.field(name);
        millis(path, duration.ok_or_else(|| missing(path))?)
    };
    Ok(BreakGlassPolicy {
        life_ms: required_ms("life", policy.life.as_ref())?,
        review_ms: required_ms("review", policy.review.as_ref())?,
        resource_type: policy.resource_type.into(),
        permission: policy.permission.into(),
        user_permission: policy.user_permission.into(),
        reviewer_permission: policy.reviewer_permission.into(),
        version: 0,
        set_at: Timestamp::UNIX_EPOCH,
        set_by: "".into(),
    })
}

/// The wire form of a policy.
pub(crate) fn break_glass_policy_to_wire(policy: &BreakGlassPolicy) -> wire::BreakGlassPolicy {
    wire::BreakGlassPolicy {
        resource_type: policy.resource_type.to_string(),
        permission: policy.permission.to_string(),
        user_permission: policy.user_permission.to_string(),
        reviewer_permission: policy.reviewer_permission.to_string(),
        life: Some(millis_to_wire(policy.life_ms)),
        review: Some(millis_to_wire(policy.review_ms)),
        version: policy.version,
        set_at: Some(timestamp_to_wire(policy.set_at)),
        set_by: policy.set_by.to_string(),
    }
}

/// Breaking the glass, under an id that was drawn.
pub(crate) fn break_glass(id: ApprovalId, request: &wire::BreakGlassRequest) -> Read<BreakGlass> {
    let root = Path::Root;
    let chain = root.field("chain");
    let claim = claim(chain, request.chain.as_ref())?;
    if claim.approval.is_some() {
        let message = "breaking the glass gives an approval: none can be presented";
        return Err(super::invalid(chain.field("approval_id"), message));
    }
    Ok(BreakGlass {
        id,
        claim,
        permission: name(root.field("permission"), &request.permission)?,
        resource: object(root.field("resource"), request.resource.as_ref())?,
        values: context(root.field("context"), request.context.as_ref())?,
        user: object(root.field("user"), request.user.as_ref())?,
    })
}

/// A review.
pub(crate) fn review_glass(request: wire::ReviewBrokenGlassRequest) -> Read<ReviewGlass> {
    let root = Path::Root;
    Ok(ReviewGlass {
        id: approval_id(root.field("id"), &request.id)?,
        reviewer: object(root.field("reviewer"), request.reviewer.as_ref())?,
        is_justified: request.justified,
        comment: request.comment,
    })
}

/// The wire form of what was broken, as it stands at an instant.
pub(crate) fn broken_glass_to_wire(broken: &BrokenGlass, now: Timestamp) -> wire::BrokenGlass {
    let chain = wire::Chain {
        root: Some(object_to_wire(&broken.root)),
        actors: broken.actors.iter().map(object_to_wire).collect(),
        delegation_id: broken.delegation.map(|id| id.to_string()).unwrap_or_default(),
        session_id: broken.session.map(|id| id.to_string()).unwrap_or_default(),
        approval_id: String::new(),
    };
    wire::BrokenGlass {
        id: broken.id.to_string(),
        user: Some(object_to_wire(&broken.user)),
        chain: Some(chain),
        resource: Some(object_to_wire(&broken.resource)),
        permission: broken.permission.to_string(),
        reason: broken.reason.clone(),
        at: Some(timestamp_to_wire(broken.at)),
        by: broken.by.to_string(),
        use_before: Some(timestamp_to_wire(broken.use_before)),
        review_before: Some(timestamp_to_wire(broken.review_before)),
        review: broken.review.as_ref().map(review_to_wire),
        overdue: broken.is_overdue(now),
    }
}

fn review_to_wire(review: &Review) -> wire::GlassReview {
    wire::GlassReview {
        reviewer: Some(object_to_wire(&review.reviewer)),
        justified: review.is_justified,
        comment: review.comment.clone(),
        at: Some(timestamp_to_wire(review.at)),
        by: review.by.to_string(),
    }
}
