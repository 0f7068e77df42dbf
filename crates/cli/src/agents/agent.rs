//! `pemba agent ...`.

use anyhow::Result;
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::{
    AcceptSponsorRequest, Agent, AgentKind, AgentResponse, AgentSpec, AgentStatus, AttestAgentRequest,
    GetAgentRequest, ListAgentChangesRequest, ListAgentsRequest, ProposeSponsorRequest, RegisterAgentRequest,
    SponsorTransfer, TransitionRequest, UpdateAgentRequest,
};

use super::agent_args::{AgentCommand, Clearable, ListAgents, OneAgent, SpecFlags, Transition};
use super::json::to_json;
use super::nouns::{instant_text, object_text, objects_text, relative_text};
use super::scope::scope_texts;
use super::services::{Services, answer, given};
use super::spec;
use super::table::{Table, details};
use super::time::span_text;
use super::words::word;
use crate::args::Connection;
use crate::output::Output;

pub(super) async fn run(command: AgentCommand, output: &mut Output) -> Result<()> {
    match command {
        AgentCommand::Register { principal, spec: flags, proposed, reason, connection } => {
            let kind = AgentKind::Agent.into();
            let mut spec = AgentSpec { principal: Some(principal), kind, ..AgentSpec::default() };
            spec::apply(&mut spec, flags);
            let request = RegisterAgentRequest { spec: Some(spec), proposed, reason };
            let mut agents = Services::connect(&connection).await?.agents();
            changed(answer(agents.register_agent(request)).await?, "registered", output)
        }
        AgentCommand::Get(one) => get(one, output).await,
        AgentCommand::List(filter) => list(filter, output).await,
        AgentCommand::Update { principal, spec, clear, version, reason, connection } => {
            update(principal, spec, &clear, (version, reason), &connection, output).await
        }
        AgentCommand::Activate(change) => transition(Move::Activate, change, output).await,
        AgentCommand::Suspend(change) => transition(Move::Suspend, change, output).await,
        AgentCommand::Resume(change) => transition(Move::Resume, change, output).await,
        AgentCommand::Quarantine(change) => transition(Move::Quarantine, change, output).await,
        AgentCommand::Retire(change) => transition(Move::Retire, change, output).await,
        AgentCommand::Attest(one) => {
            let request = AttestAgentRequest { principal: Some(one.principal), reason: one.reason };
            let mut agents = Services::connect(&one.connection).await?.agents();
            changed(answer(agents.attest_agent(request)).await?, "attested", output)
        }
        AgentCommand::ProposeSponsor { principal, to, from, reason, connection } => {
            let request = ProposeSponsorRequest { principal: Some(principal), from, to: Some(to), reason };
            let mut agents = Services::connect(&connection).await?.agents();
            changed(answer(agents.propose_sponsor(request)).await?, "offered to its next sponsor", output)
        }
        AgentCommand::AcceptSponsor { principal, sponsor, reason, connection } => {
            let (principal, sponsor) = (Some(principal), Some(sponsor));
            let request = AcceptSponsorRequest { principal, sponsor, reason };
            let mut agents = Services::connect(&connection).await?.agents();
            changed(answer(agents.accept_sponsor(request)).await?, "accepted by its sponsor", output)
        }
        AgentCommand::History(one) => history(one, output).await,
    }
}

fn name_of(agent: &Agent) -> String {
    object_text(agent.spec.as_ref().and_then(|spec| spec.principal.as_ref()))
}

fn changed(response: AgentResponse, what: &str, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.AgentResponse", &response)?;
    let agent = given(response.agent, "agent")?;
    let (name, incarnation) = (name_of(&agent), agent.incarnation);
    let state = state_of(&agent);
    let text = format!("{name} {what}: {state}, incarnation {incarnation}, version {}", agent.version);
    Ok(output.either(&text, &value)?)
}

/// The stored status, and why it may not act where that is for another reason.
fn state_of(agent: &Agent) -> String {
    let status = word::<AgentStatus>(agent.status);
    if agent.not_live.is_empty() || agent.not_live == status {
        status
    } else {
        format!("{status}, but {}", agent.not_live)
    }
}

async fn present(services: &Services, principal: ObjectReference) -> Result<Agent> {
    let request = GetAgentRequest { principal: Some(principal) };
    given(answer(services.agents().get_agent(request)).await?.agent, "agent")
}

async fn get(one: OneAgent, output: &mut Output) -> Result<()> {
    let services = Services::connect(&one.connection).await?;
    let agent = present(&services, one.principal).await?;
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.Agent", &agent)?)?);
    }
    let spec = agent.spec.clone().unwrap_or_default();
    let names = spec.external_names.iter().map(|name| format!("{}={}", name.issuer, name.subject));
    let number = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    let pairs = vec![
        ("agent", object_text(spec.principal.as_ref())),
        ("kind", word::<AgentKind>(spec.kind)),
        ("status", state_of(&agent)),
        ("reason", agent.status_reason.clone()),
        ("sponsors", objects_text(&spec.sponsors)),
        ("offered", agent.transfer.as_ref().map(transfer_text).unwrap_or_default()),
        ("owners", objects_text(&spec.owners)),
        ("purpose", spec.purpose.clone()),
        ("may use", spec.purpose_permissions.join("\n")),
        ("ceiling", scope_texts(spec.ceiling.as_ref()).join("\n")),
        ("own grants", if spec.own_grants_required { "required".to_owned() } else { String::new() }),
        ("known as", names.collect::<Vec<_>>().join("\n")),
        ("blueprint", spec.blueprint),
        ("environment", spec.environment),
        ("tenant", spec.tenant),
        ("labels", spec.labels.join(", ")),
        ("most hops", number(spec.max_depth)),
        ("not before", instant_text(spec.not_before)),
        ("until", instant_text(spec.not_after)),
        ("attest every", spec.attest_every.map(span_text).unwrap_or_default()),
        ("attest by", instant_text(agent.attest_by)),
        ("orphan grace", spec.orphan_grace.map(span_text).unwrap_or_default()),
        ("incarnation", agent.incarnation.to_string()),
        ("version", agent.version.to_string()),
        ("created", format!("{} by {}", instant_text(agent.created_at), agent.created_by)),
        ("changed", instant_text(agent.changed_at)),
    ];
    Ok(details(output, pairs)?)
}

fn transfer_text(transfer: &SponsorTransfer) -> String {
    let leaves = match object_text(transfer.from.as_ref()) {
        from if from.is_empty() => String::new(),
        from => format!(" instead of {from}"),
    };
    let to = object_text(transfer.to.as_ref());
    format!("to {to}{leaves}, {} by {}", relative_text(transfer.at), transfer.by)
}

async fn list(filter: ListAgents, output: &mut Output) -> Result<()> {
    let mut request = ListAgentsRequest {
        object_type: filter.object_type,
        status: filter.status.map_or(0, AgentStatus::into),
        blueprint: filter.blueprint,
        tenant: filter.tenant,
        environment: filter.environment,
        label: filter.label,
        sponsor: filter.sponsor,
        owner: filter.owner,
        not_live: filter.state,
        limit: super::PAGE,
        cursor: String::new(),
    };
    let mut agents = Services::connect(&filter.connection).await?.agents();
    let mut table = Table::new(&["agent", "status", "incarnation", "sponsors", "ends", "purpose"]);
    loop {
        let page = answer(agents.list_agents(request.clone())).await?;
        for agent in page.agents {
            if output.is_json() {
                output.json(&to_json("pemba.v1.Agent", &agent)?)?;
                continue;
            }
            let spec = agent.spec.clone().unwrap_or_default();
            table.row(vec![
                name_of(&agent),
                state_of(&agent),
                agent.incarnation.to_string(),
                objects_text(&spec.sponsors),
                relative_text(spec.not_after),
                spec.purpose,
            ]);
        }
        if page.cursor.is_empty() {
            return if output.is_json() { Ok(()) } else { Ok(table.print(output)?) };
        }
        request.cursor = page.cursor;
    }
}

async fn update(
    principal: ObjectReference,
    flags: SpecFlags,
    clear: &[Clearable],
    (version, reason): (Option<u64>, String),
    connection: &Connection,
    output: &mut Output,
) -> Result<()> {
    let services = Services::connect(connection).await?;
    let agent = present(&services, principal).await?;
    let mut spec = given(agent.spec, "spec")?;
    clear.iter().for_each(|what| spec::clear(&mut spec, *what));
    spec::apply(&mut spec, flags);
    let version = version.unwrap_or(agent.version);
    let request = UpdateAgentRequest { spec: Some(spec), version, reason };
    changed(answer(services.agents().update_agent(request)).await?, "updated", output)
}

/// A change of status.
#[derive(Debug, Clone, Copy)]
enum Move {
    Activate,
    Suspend,
    Resume,
    Quarantine,
    Retire,
}

async fn transition(by: Move, change: Transition, output: &mut Output) -> Result<()> {
    let request = TransitionRequest {
        principals: change.principals,
        reason: change.reason,
        version: change.version.unwrap_or(0),
    };
    let mut agents = Services::connect(&change.connection).await?.agents();
    let response = match by {
        Move::Activate => answer(agents.activate_agents(request)).await?,
        Move::Suspend => answer(agents.suspend_agents(request)).await?,
        Move::Resume => answer(agents.resume_agents(request)).await?,
        Move::Quarantine => answer(agents.quarantine_agents(request)).await?,
        Move::Retire => answer(agents.retire_agents(request)).await?,
    };
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.TransitionResponse", &response)?)?);
    }
    for agent in &response.agents {
        output.line(&format!("{}: {}, version {}", name_of(agent), state_of(agent), agent.version))?;
    }
    Ok(())
}

async fn history(one: OneAgent, output: &mut Output) -> Result<()> {
    let request = ListAgentChangesRequest { principal: Some(one.principal) };
    let mut agents = Services::connect(&one.connection).await?.agents();
    let response = answer(agents.list_agent_changes(request)).await?;
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.ListAgentChangesResponse", &response)?)?);
    }
    let mut table = Table::new(&["version", "incarnation", "change", "status", "when", "by", "reason"]);
    for change in response.changes {
        table.row(vec![
            change.version.to_string(),
            change.incarnation.to_string(),
            change.action,
            word::<AgentStatus>(change.status),
            relative_text(change.at),
            change.by,
            change.reason,
        ]);
    }
    table.print(output)?;
    if !response.complete {
        output.line("older changes were forgotten")?;
    }
    Ok(())
}
