//! Agents and humans on the wire.

use pemba_agents::Moment;
use pemba_agents::command::{Registration, SetHuman};
use pemba_agents::liveness::liveness;
use pemba_agents::records::{Agent, AgentChange, AgentKind, Binding, Human, HumanStatus, Status, Transfer};
use pemba_model::SmolStr;
use pemba_proto::pemba::v1 as wire;

use super::{
    Read, defined, millis_to_wire, missing, names_of, object, objects, optional_millis, optional_timestamp,
    scope, scope_to_wire, text, texts,
};
use crate::convert::{object_to_wire, optional, timestamp_to_wire};
use crate::validate::Path;

/// What is said of an agent; `path` is that of the message.
pub(crate) fn registration(
    path: Path<'_>,
    spec: Option<wire::AgentSpec>,
    active: bool,
) -> Read<Registration> {
    let spec = spec.ok_or_else(|| missing(path))?;
    let ceiling = spec.ceiling.map(|ceiling| scope(path.field("ceiling"), ceiling)).transpose()?;
    Ok(Registration {
        principal: object(path.field("principal"), spec.principal.as_ref())?,
        kind: kind(defined(path.field("kind"), spec.kind)?, path.field("kind"))?,
        active,
        bindings: spec.external_names.into_iter().map(external_name).collect(),
        sponsors: objects(path, "sponsors", &spec.sponsors)?,
        owners: objects(path, "owners", &spec.owners)?,
        purpose: spec.purpose,
        purpose_permissions: names_of(spec.purpose_permissions),
        blueprint: optional(&spec.blueprint),
        environment: optional(&spec.environment),
        tenant: optional(&spec.tenant),
        labels: names_of(spec.labels),
        not_before: optional_timestamp(path.field("not_before"), spec.not_before.as_ref())?,
        not_after: optional_timestamp(path.field("not_after"), spec.not_after.as_ref())?,
        attest_every_ms: optional_millis(path.field("attest_every"), spec.attest_every.as_ref())?,
        max_depth: (spec.max_depth > 0).then_some(spec.max_depth),
        ceiling,
        own_grants_required: spec.own_grants_required,
        orphan_grace_ms: optional_millis(path.field("orphan_grace"), spec.orphan_grace.as_ref())?,
    })
}

fn external_name(name: wire::ExternalName) -> Binding {
    Binding { issuer: name.issuer.into(), subject: name.subject.into() }
}

fn kind(kind: wire::AgentKind, path: Path<'_>) -> Read<AgentKind> {
    Ok(match kind {
        wire::AgentKind::Unspecified => return Err(missing(path)),
        wire::AgentKind::Agent => AgentKind::Agent,
        wire::AgentKind::Workflow => AgentKind::Workflow,
        wire::AgentKind::Workload => AgentKind::Workload,
        wire::AgentKind::MachineClient => AgentKind::MachineClient,
        wire::AgentKind::ModelServer => AgentKind::ModelServer,
        wire::AgentKind::Integration => AgentKind::Integration,
        wire::AgentKind::Connector => AgentKind::Connector,
    })
}

fn kind_to_wire(kind: AgentKind) -> wire::AgentKind {
    match kind {
        AgentKind::Agent => wire::AgentKind::Agent,
        AgentKind::Workflow => wire::AgentKind::Workflow,
        AgentKind::Workload => wire::AgentKind::Workload,
        AgentKind::MachineClient => wire::AgentKind::MachineClient,
        AgentKind::ModelServer => wire::AgentKind::ModelServer,
        AgentKind::Integration => wire::AgentKind::Integration,
        AgentKind::Connector => wire::AgentKind::Connector,
    }
}

/// The wire form of a status.
pub(crate) fn status_to_wire(status: Status) -> wire::AgentStatus {
    match status {
        Status::Proposed => wire::AgentStatus::Proposed,
        Status::Active => wire::AgentStatus::Active,
        Status::Suspended => wire::AgentStatus::Suspended,
        Status::Quarantined => wire::AgentStatus::Quarantined,
        Status::Retired => wire::AgentStatus::Retired,
    }
}

/// Why an agent may not act at a moment, in one word; empty when it may.
pub(crate) fn not_live(moment: &Moment<'_>, agent: &Agent) -> &'static str {
    let standing =
        liveness(moment.book, moment.limits, moment.book.known(&agent.principal), None, moment.now());
    standing.not_live.map_or("", |why| why.as_str())
}

/// The wire form of an agent, as it stands at a moment.
pub(crate) fn agent_to_wire(moment: &Moment<'_>, agent: &Agent) -> wire::Agent {
    wire::Agent {
        spec: Some(spec_to_wire(agent)),
        incarnation: agent.incarnation,
        version: agent.version,
        status: status_to_wire(agent.status).into(),
        status_reason: agent.status_reason.clone(),
        attest_by: agent.attest_by.map(timestamp_to_wire),
        transfer: agent.transfer.as_ref().map(transfer_to_wire),
        created_at: Some(timestamp_to_wire(agent.created_at)),
        created_by: agent.created_by.to_string(),
        changed_at: Some(timestamp_to_wire(agent.changed_at)),
        not_live: not_live(moment, agent).to_owned(),
    }
}

fn spec_to_wire(agent: &Agent) -> wire::AgentSpec {
    let external_names = agent.bindings.iter().map(|name| wire::ExternalName {
        issuer: name.issuer.to_string(),
        subject: name.subject.to_string(),
    });
    wire::AgentSpec {
        principal: Some(object_to_wire(&agent.principal)),
        kind: kind_to_wire(agent.kind).into(),
        external_names: external_names.collect(),
        sponsors: agent.sponsors.iter().map(object_to_wire).collect(),
        owners: agent.owners.iter().map(object_to_wire).collect(),
        purpose: agent.purpose.clone(),
        purpose_permissions: texts(&agent.purpose_permissions),
        blueprint: text(agent.blueprint.as_ref()),
        environment: text(agent.environment.as_ref()),
        tenant: text(agent.tenant.as_ref()),
        labels: texts(&agent.labels),
        not_before: agent.not_before.map(timestamp_to_wire),
        not_after: agent.not_after.map(timestamp_to_wire),
        attest_every: agent.attest_every_ms.map(millis_to_wire),
        max_depth: agent.max_depth.unwrap_or(0),
        ceiling: agent.ceiling.as_ref().map(scope_to_wire),
        own_grants_required: agent.own_grants_required,
        orphan_grace: agent.orphan_grace_ms.map(millis_to_wire),
    }
}

fn transfer_to_wire(transfer: &Transfer) -> wire::SponsorTransfer {
    wire::SponsorTransfer {
        from: transfer.from.as_ref().map(object_to_wire),
        to: Some(object_to_wire(&transfer.to)),
        by: transfer.by.to_string(),
        at: Some(timestamp_to_wire(transfer.at)),
    }
}

/// The wire form of a line of an agent's history.
pub(crate) fn change_to_wire(change: &AgentChange) -> wire::AgentChange {
    wire::AgentChange {
        incarnation: change.incarnation,
        version: change.version,
        action: change.action.to_string(),
        status: status_to_wire(change.status).into(),
        reason: change.reason.clone(),
        by: change.by.to_string(),
        at: Some(timestamp_to_wire(change.at)),
    }
}

/// What is said of a human.
pub(crate) fn human(request: &wire::SetHumanRequest) -> Read<SetHuman> {
    let path = Path::Root;
    let status = match defined(path.field("status"), request.status)? {
        wire::HumanStatus::Unspecified => return Err(missing(path.field("status"))),
        wire::HumanStatus::Active => HumanStatus::Active,
        wire::HumanStatus::Disabled => HumanStatus::Disabled,
    };
    let person: Option<SmolStr> = optional(&request.person);
    Ok(SetHuman { principal: object(path.field("principal"), request.principal.as_ref())?, status, person })
}

/// The wire form of a human.
pub(crate) fn human_to_wire(human: &Human) -> wire::Human {
    let status = match human.status {
        HumanStatus::Active => wire::HumanStatus::Active,
        HumanStatus::Disabled => wire::HumanStatus::Disabled,
    };
    wire::Human {
        principal: Some(object_to_wire(&human.principal)),
        status: status.into(),
        person: text(human.person.as_ref()),
        version: human.version,
        since: Some(timestamp_to_wire(human.since)),
        by: human.by.to_string(),
        reason: human.reason.clone(),
    }
}
