//! Approvals and their policies on the wire.

use std::collections::BTreeSet;

use pemba_agents::command::{AskApproval, AskGrantApproval, CastVote};
use pemba_agents::records::{Applies, Approval, ApprovalPolicy, ApprovalState, ApprovalUses, Distinct, Vote};
use pemba_agents::standing::is_expired;
use pemba_agents::{ApprovalId, Refused};
use pemba_model::Timestamp;
use pemba_proto::pemba::v1 as wire;

use super::{
    Read, approval_id, binding_to_wire, claim, context, defined, millis, millis_to_wire, missing, name,
    names_of, object, optional_millis, optional_object, optional_timestamp, relationship, session_id, texts,
};
use crate::convert::{self, object_to_wire, relationship_to_wire, timestamp_to_wire};
use crate::validate::Path;

/// Most approvals that wait for one actor where a policy says nothing.
const PENDING_PER_ACTOR_DEFAULT: u32 = 16;

/// A policy to set; version, time and client are filled in by the command.
pub(crate) fn approval_policy(path: Path<'_>, policy: Option<wire::ApprovalPolicy>) -> Read<ApprovalPolicy> {
    let policy = policy.ok_or_else(|| missing(path))?;
    let applies = match defined(path.field("applies"), policy.applies)? {
        wire::Applies::Unspecified => return Err(missing(path.field("applies"))),
        wire::Applies::AgentChains => Applies::AgentChains,
        wire::Applies::All => Applies::All,
    };
    let distinct_from = policy.distinct_from.iter().enumerate();
    let distinct_from = distinct_from.map(|(at, number)| distinct(path.item("distinct_from", at), *number));
    let required_ms = |name, duration: Option<&prost_types::Duration>| {
        let path = path.field(name);
        millis(path, duration.ok_or_else(|| missing(path))?)
    };
    let uses = match policy.uses {
        Some(wire::approval_policy::Uses::Counted(uses)) => ApprovalUses::Counted(uses),
        Some(wire::approval_policy::Uses::TimeBoxed(true)) => ApprovalUses::TimeBoxed,
        Some(wire::approval_policy::Uses::TimeBoxed(false)) | None => {
            return Err(missing(path.field("uses")));
        }
    };
    Ok(ApprovalPolicy {
        applies,
        distinct_from: distinct_from.collect::<Result<BTreeSet<_>, Refused>>()?,
        uses,
        pending_ms: required_ms("pending", policy.pending.as_ref())?,
        execution_ms: required_ms("execution", policy.execution.as_ref())?,
        cool_down_ms: optional_millis(path.field("cool_down"), policy.cool_down.as_ref())?.unwrap_or(0),
        resource_type: policy.resource_type.into(),
        permission: policy.permission.into(),
        grants: policy.grants,
        approver_permission: policy.approver_permission.into(),
        quorum: policy.quorum,
        human_only: policy.human_only,
        bind: names_of(policy.bind),
        veto: policy.veto,
        pending_per_actor_max: match policy.pending_per_actor_max {
            0 => PENDING_PER_ACTOR_DEFAULT,
            max => max,
        },
        version: 0,
        set_at: Timestamp::UNIX_EPOCH,
        set_by: "".into(),
    })
}

fn distinct(path: Path<'_>, number: i32) -> Read<Distinct> {
    Ok(match defined(path, number)? {
        wire::Distinct::Unspecified => return Err(missing(path)),
        wire::Distinct::Actor => Distinct::Actor,
        wire::Distinct::Root => Distinct::Root,
        wire::Distinct::Sponsor => Distinct::Sponsor,
        wire::Distinct::Requester => Distinct::Requester,
        wire::Distinct::SessionOpener => Distinct::SessionOpener,
    })
}

/// The wire form of a policy.
pub(crate) fn approval_policy_to_wire(policy: &ApprovalPolicy) -> wire::ApprovalPolicy {
    let applies = match policy.applies {
        Applies::AgentChains => wire::Applies::AgentChains,
        Applies::All => wire::Applies::All,
    };
    let distinct_from = policy.distinct_from.iter().map(|distinct| match distinct {
        Distinct::Actor => wire::Distinct::Actor.into(),
        Distinct::Root => wire::Distinct::Root.into(),
        Distinct::Sponsor => wire::Distinct::Sponsor.into(),
        Distinct::Requester => wire::Distinct::Requester.into(),
        Distinct::SessionOpener => wire::Distinct::SessionOpener.into(),
    });
    wire::ApprovalPolicy {
        resource_type: policy.resource_type.to_string(),
        permission: policy.permission.to_string(),
        applies: applies.into(),
        approver_permission: policy.approver_permission.to_string(),
        quorum: policy.quorum,
        distinct_from: distinct_from.collect(),
        human_only: policy.human_only,
        uses: Some(match policy.uses {
            ApprovalUses::Counted(uses) => wire::approval_policy::Uses::Counted(uses),
            ApprovalUses::TimeBoxed => wire::approval_policy::Uses::TimeBoxed(true),
        }),
        bind: texts(&policy.bind),
        pending: Some(millis_to_wire(policy.pending_ms)),
        execution: Some(millis_to_wire(policy.execution_ms)),
        veto: policy.veto,
        pending_per_actor_max: policy.pending_per_actor_max,
        cool_down: (policy.cool_down_ms > 0).then(|| millis_to_wire(policy.cool_down_ms)),
        version: policy.version,
        set_at: Some(timestamp_to_wire(policy.set_at)),
        set_by: policy.set_by.to_string(),
        grants: policy.grants,
    }
}

/// A request for an approval, under an id that was drawn.
pub(crate) fn ask_approval(id: ApprovalId, request: &wire::RequestApprovalRequest) -> Read<AskApproval> {
    let root = Path::Root;
    let chain = root.field("chain");
    let claim = claim(chain, request.chain.as_ref())?;
    if claim.approval.is_some() {
        let message = "an approval is asked for: none can be presented";
        return Err(super::invalid(chain.field("approval_id"), message));
    }
    Ok(AskApproval {
        id,
        claim,
        permission: name(root.field("permission"), &request.permission)?,
        resource: object(root.field("resource"), request.resource.as_ref())?,
        values: context(root.field("context"), request.context.as_ref())?,
        requester: optional_object(root.field("requester"), request.requester.as_ref())?,
    })
}

/// A request for an approval of a grant, under an id that was drawn.
pub(crate) fn ask_grant_approval(
    id: ApprovalId,
    request: &wire::RequestGrantApprovalRequest,
) -> Read<AskGrantApproval> {
    let root = Path::Root;
    Ok(AskGrantApproval {
        id,
        session: session_id(root.field("session_id"), &request.session_id)?,
        grantor: object(root.field("grantor"), request.grantor.as_ref())?,
        relationship: relationship(root.field("relationship"), request.relationship.as_ref())?,
        not_after: optional_timestamp(root.field("not_after"), request.not_after.as_ref())?,
    })
}

/// A vote.
pub(crate) fn cast_vote(request: wire::VoteRequest) -> Read<CastVote> {
    let root = Path::Root;
    Ok(CastVote {
        approval: approval_id(root.field("approval_id"), &request.approval_id)?,
        approver: object(root.field("approver"), request.approver.as_ref())?,
        approves: request.approves,
        comment: request.comment,
    })
}

/// Where an approval stands at an instant.
pub(crate) fn approval_state(approval: &Approval, now: Timestamp) -> wire::ApprovalState {
    if is_expired(approval, now) {
        return wire::ApprovalState::Expired;
    }
    match approval.state {
        ApprovalState::Pending => wire::ApprovalState::Pending,
        ApprovalState::Approved { .. } => wire::ApprovalState::Approved,
        ApprovalState::Denied { .. } => wire::ApprovalState::Denied,
        ApprovalState::Cancelled { .. } => wire::ApprovalState::Cancelled,
        ApprovalState::Consumed { .. } => wire::ApprovalState::Consumed,
    }
}

/// The wire form of an approval, as it stands at an instant.
pub(crate) fn approval_to_wire(approval: &Approval, now: Timestamp) -> wire::Approval {
    let chain = wire::Chain {
        root: Some(object_to_wire(&approval.root)),
        actors: approval.actors.iter().map(object_to_wire).collect(),
        delegation_id: approval.delegation.map(|id| id.to_string()).unwrap_or_default(),
        session_id: approval.session.map(|id| id.to_string()).unwrap_or_default(),
        approval_id: String::new(),
    };
    let use_before = match approval.state {
        ApprovalState::Approved { use_before, .. } => Some(timestamp_to_wire(use_before)),
        _ => None,
    };
    wire::Approval {
        id: approval.id.to_string(),
        action_hash: approval.action_hash.to_string(),
        chain: Some(chain),
        resource: Some(object_to_wire(&approval.resource)),
        permission: approval.permission.to_string(),
        bound: Some(convert::context::to_wire(&approval.bound)),
        reason: approval.reason.clone(),
        binding: Some(binding_to_wire(&approval.binding)),
        requester: approval.requester.as_ref().map(object_to_wire),
        created_at: Some(timestamp_to_wire(approval.created_at)),
        decide_before: Some(timestamp_to_wire(approval.decide_before)),
        use_before,
        uses_left: matches!(approval.uses, ApprovalUses::Counted(_)).then_some(approval.uses_left),
        votes: approval.votes.iter().map(vote_to_wire).collect(),
        state: approval_state(approval, now).into(),
        broken_by: approval.glass.as_ref().map(|glass| object_to_wire(&glass.user)),
        grant: approval.grant.as_ref().map(|grant| wire::GrantAsked {
            grantor: Some(object_to_wire(&grant.grantor)),
            relationship: Some(relationship_to_wire(&grant.relationship)),
        }),
    }
}

fn vote_to_wire(vote: &Vote) -> wire::ApprovalVote {
    wire::ApprovalVote {
        approver: Some(object_to_wire(&vote.approver)),
        approves: vote.approves,
        comment: vote.comment.clone(),
        at: Some(timestamp_to_wire(vote.at)),
    }
}
