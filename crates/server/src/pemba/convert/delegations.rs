//! Delegations on the wire.

use pemba_agents::command::{Delegate, Renew};
use pemba_agents::records::Delegation;
use pemba_agents::standing::is_alive;
use pemba_agents::{DelegationId, Moment};
use pemba_proto::pemba::v1 as wire;

use super::{
    Read, ended_to_wire, missing, object, optional_delegation_id, optional_object, optional_session_id,
    optional_timestamp, scope, scope_to_wire, subject,
};
use crate::convert::{object_to_wire, subject_to_wire, timestamp_to_wire};
use crate::validate::Path;

/// A delegation to make, under an id that was drawn.
pub(crate) fn delegate(id: DelegationId, request: wire::DelegateRequest) -> Read<Delegate> {
    let root = Path::Root;
    let scope_path = root.field("scope");
    let wanted = request.scope.ok_or_else(|| missing(scope_path))?;
    Ok(Delegate {
        id,
        parent: optional_delegation_id(root.field("parent_id"), &request.parent_id)?,
        root: optional_object(root.field("root"), request.root.as_ref())?,
        from: object(root.field("from"), request.from.as_ref())?,
        to: subject(root.field("to"), request.to.as_ref())?,
        scope: scope(scope_path, wanted)?,
        not_before: optional_timestamp(root.field("not_before"), request.not_before.as_ref())?,
        not_after: optional_timestamp(root.field("not_after"), request.not_after.as_ref())?
            .ok_or_else(|| missing(root.field("not_after")))?,
        depth_left: request.depth_left,
        session: optional_session_id(root.field("session_id"), &request.session_id)?,
        uses: request.uses,
        consent: request.consent,
    })
}

/// A renewal.
pub(crate) fn renew(request: wire::RenewDelegationRequest) -> Read<Renew> {
    let root = Path::Root;
    Ok(Renew {
        scope: request.scope.map(|wanted| scope(root.field("scope"), wanted)).transpose()?,
        not_after: optional_timestamp(root.field("not_after"), request.not_after.as_ref())?,
        depth_left: request.depth_left,
        uses_left: request.uses_left,
        version: (request.version > 0).then_some(request.version),
    })
}

/// The wire form of a delegation, as it stands at a moment.
pub(crate) fn delegation_to_wire(moment: &Moment<'_>, delegation: &Delegation) -> wire::Delegation {
    wire::Delegation {
        id: delegation.id.to_string(),
        parent_id: delegation.parent.map(|id| id.to_string()).unwrap_or_default(),
        root: Some(object_to_wire(&delegation.root)),
        from: Some(object_to_wire(&delegation.from)),
        to: Some(subject_to_wire(&delegation.to)),
        scope: Some(scope_to_wire(&delegation.scope)),
        not_before: Some(timestamp_to_wire(delegation.not_before)),
        not_after: Some(timestamp_to_wire(delegation.not_after)),
        depth_left: delegation.depth_left,
        depth: delegation.depth,
        session_id: delegation.session.map(|id| id.to_string()).unwrap_or_default(),
        uses_left: delegation.uses_left,
        consent: delegation.consent.clone(),
        version: delegation.version,
        created_by: delegation.created_by.to_string(),
        created_at: Some(timestamp_to_wire(delegation.created_at)),
        revoked: delegation.revoked.as_ref().map(ended_to_wire),
        alive: is_alive(moment.book, moment.limits, delegation, moment.now()),
    }
}
