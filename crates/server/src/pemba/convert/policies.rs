//! What administrators say about types, permissions and sessions, and kill switches, on the wire.

use pemba_agents::command::Throw;
use pemba_agents::records::{
    GrantPolicy, Kill, KillMode, KillSelector, PermissionLabels, PrincipalKind, TypeMode, TypePolicy,
};
use pemba_model::SmolStr;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::kill_selector::Selector as WireSelector;

use super::{Read, defined, missing, object, optional_timestamp, texts};
use crate::convert::{object_to_wire, timestamp_to_wire};
use crate::validate::Path;

/// What the objects of a type are.
pub(crate) fn type_policy(path: Path<'_>, policy: Option<wire::TypePolicy>) -> Read<TypePolicy> {
    let policy = policy.ok_or_else(|| missing(path))?;
    let kind = match defined(path.field("kind"), policy.kind)? {
        wire::PrincipalKind::Unspecified => return Err(missing(path.field("kind"))),
        wire::PrincipalKind::Human => PrincipalKind::Human,
        wire::PrincipalKind::Agent => PrincipalKind::Agent,
    };
    let mode = match defined(path.field("mode"), policy.mode)? {
        wire::TypeMode::Unspecified => return Err(missing(path.field("mode"))),
        wire::TypeMode::Managed => TypeMode::Managed,
        wire::TypeMode::Observed => TypeMode::Observed,
    };
    Ok(TypePolicy { object_type: policy.object_type.into(), kind, mode })
}

/// The wire form of what the objects of a type are.
pub(crate) fn type_policy_to_wire(policy: &TypePolicy) -> wire::TypePolicy {
    let kind = match policy.kind {
        PrincipalKind::Human => wire::PrincipalKind::Human,
        PrincipalKind::Agent => wire::PrincipalKind::Agent,
    };
    let mode = match policy.mode {
        TypeMode::Managed => wire::TypeMode::Managed,
        TypeMode::Observed => wire::TypeMode::Observed,
    };
    wire::TypePolicy { object_type: policy.object_type.to_string(), kind: kind.into(), mode: mode.into() }
}

/// The wire form of a permission's labels.
pub(crate) fn labels_to_wire(labels: &PermissionLabels) -> wire::PermissionLabels {
    wire::PermissionLabels {
        resource_type: labels.resource_type.to_string(),
        permission: labels.permission.to_string(),
        labels: texts(&labels.labels),
    }
}

/// Who may grant a relation inside sessions.
pub(crate) fn grant_policy(path: Path<'_>, policy: Option<wire::GrantPolicy>) -> Read<GrantPolicy> {
    let policy = policy.ok_or_else(|| missing(path))?;
    Ok(GrantPolicy {
        resource_type: policy.resource_type.into(),
        relation: policy.relation.into(),
        grantor_permission: policy.grantor_permission.into(),
    })
}

/// The wire form of who may grant a relation inside sessions.
pub(crate) fn grant_policy_to_wire(policy: &GrantPolicy) -> wire::GrantPolicy {
    wire::GrantPolicy {
        resource_type: policy.resource_type.to_string(),
        relation: policy.relation.to_string(),
        grantor_permission: policy.grantor_permission.to_string(),
    }
}

/// A switch to throw.
pub(crate) fn throw(request: wire::ThrowKillSwitchRequest) -> Read<Throw> {
    let path = Path::Root;
    let mode = match defined(path.field("mode"), request.mode)? {
        wire::KillMode::Unspecified => return Err(missing(path.field("mode"))),
        wire::KillMode::DenyAll => KillMode::DenyAll,
        wire::KillMode::DenyWrite => KillMode::DenyWrite,
        wire::KillMode::RequireApproval => KillMode::RequireApproval,
    };
    Ok(Throw {
        name: request.name.into(),
        selector: kill_selector(path.field("selector"), request.selector)?,
        mode,
        until: optional_timestamp(path.field("until"), request.until.as_ref())?,
    })
}

fn kill_selector(path: Path<'_>, selector: Option<wire::KillSelector>) -> Read<KillSelector> {
    let chosen = selector.and_then(|selector| selector.selector).ok_or_else(|| missing(path))?;
    Ok(match chosen {
        WireSelector::Agent(agent) => KillSelector::Agent(object(path.field("agent"), Some(&agent))?),
        WireSelector::Blueprint(name) => KillSelector::Blueprint(name.into()),
        WireSelector::Owner(owner) => KillSelector::Owner(object(path.field("owner"), Some(&owner))?),
        WireSelector::Sponsor(sponsor) => {
            KillSelector::Sponsor(object(path.field("sponsor"), Some(&sponsor))?)
        }
        WireSelector::Label(name) => KillSelector::Label(name.into()),
        WireSelector::Tenant(name) => KillSelector::Tenant(name.into()),
        WireSelector::All(wire::AllAgents {}) => KillSelector::All,
    })
}

/// The wire form of a switch.
pub(crate) fn kill_to_wire(kill: &Kill) -> wire::KillSwitch {
    let selector = match &kill.selector {
        KillSelector::Agent(agent) => WireSelector::Agent(object_to_wire(agent)),
        KillSelector::Blueprint(name) => WireSelector::Blueprint(SmolStr::to_string(name)),
        KillSelector::Owner(owner) => WireSelector::Owner(object_to_wire(owner)),
        KillSelector::Sponsor(sponsor) => WireSelector::Sponsor(object_to_wire(sponsor)),
        KillSelector::Label(name) => WireSelector::Label(SmolStr::to_string(name)),
        KillSelector::Tenant(name) => WireSelector::Tenant(SmolStr::to_string(name)),
        KillSelector::All => WireSelector::All(wire::AllAgents {}),
    };
    let mode = match kill.mode {
        KillMode::DenyAll => wire::KillMode::DenyAll,
        KillMode::DenyWrite => wire::KillMode::DenyWrite,
        KillMode::RequireApproval => wire::KillMode::RequireApproval,
    };
    wire::KillSwitch {
        name: kill.name.to_string(),
        selector: Some(wire::KillSelector { selector: Some(selector) }),
        mode: mode.into(),
        reason: kill.reason.clone(),
        by: kill.by.to_string(),
        at: Some(timestamp_to_wire(kill.at)),
        until: kill.until.map(timestamp_to_wire),
    }
}
