//! `pemba kill ...`: the switches that stop agents.

use anyhow::Result;
use clap::{Args, Subcommand};
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::kill_selector::Selector;
use pemba_proto::pemba::v1::{
    AllAgents, KillMode, KillSelector, KillSwitch, KillSwitchResponse, LiftKillSwitchRequest,
    ListKillSwitchesRequest, ThrowKillSwitchRequest,
};

use super::json::to_json;
use super::nouns::{instant, object, object_text, relative_text};
use super::services::{Services, answer, given};
use super::table::Table;
use super::time::{When, now};
use super::words::{parser, word};
use crate::args::Connection;
use crate::output::Output;

/// Kill switches: in force with the next decision.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in the life of the process")]
pub enum KillCommand {
    /// Throw a switch.
    Throw {
        /// Its name, by which it is lifted.
        name: String,
        /// Whom it stops.
        #[command(flatten)]
        selector: SelectorFlags,
        /// What it does: deny everything, deny what is not labelled `read` or `safe`, or make everything need an approval.
        #[arg(long, default_value = "deny-all", value_parser = parser::<KillMode>())]
        mode: KillMode,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// When it lifts itself: a time, or a span ahead.
        #[arg(long, value_name = "WHEN")]
        until: Option<When>,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Lift a switch.
    Lift {
        /// Its name.
        name: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List the switches.
    List {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// Whom a switch stops; exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SelectorFlags {
    /// One agent, `type:id`, registered or not.
    #[arg(long, value_parser = object)]
    agent: Option<ObjectReference>,
    /// All agents from a blueprint.
    #[arg(long)]
    blueprint: Option<String>,
    /// All agents of an owner.
    #[arg(long, value_parser = object)]
    owner: Option<ObjectReference>,
    /// All agents of a sponsor.
    #[arg(long, value_parser = object)]
    sponsor: Option<ObjectReference>,
    /// All agents with a label.
    #[arg(long)]
    label: Option<String>,
    /// All agents of a tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Every agent: those with a record, and all objects of types declared to be agents.
    #[arg(long)]
    all: bool,
}

impl SelectorFlags {
    fn selector(self) -> KillSelector {
        let all = self.all.then_some(Selector::All(AllAgents {}));
        let selector = self
            .agent
            .map(Selector::Agent)
            .or(self.blueprint.map(Selector::Blueprint))
            .or(self.owner.map(Selector::Owner))
            .or(self.sponsor.map(Selector::Sponsor))
            .or(self.label.map(Selector::Label))
            .or(self.tenant.map(Selector::Tenant))
            .or(all);
        KillSelector { selector }
    }
}

/// Whom a switch stops, in words.
fn selector_text(selector: Option<&KillSelector>) -> String {
    match selector.and_then(|selector| selector.selector.as_ref()) {
        None => String::new(),
        Some(Selector::Agent(agent)) => object_text(Some(agent)),
        Some(Selector::Blueprint(name)) => format!("agents from blueprint {name}"),
        Some(Selector::Owner(owner)) => format!("agents of owner {}", object_text(Some(owner))),
        Some(Selector::Sponsor(sponsor)) => format!("agents of sponsor {}", object_text(Some(sponsor))),
        Some(Selector::Label(name)) => format!("agents with label {name}"),
        Some(Selector::Tenant(name)) => format!("agents of tenant {name}"),
        Some(Selector::All(_)) => "every agent".to_owned(),
    }
}

pub(super) async fn run(command: KillCommand, output: &mut Output) -> Result<()> {
    match command {
        KillCommand::Throw { name, selector, mode, reason, until, connection } => {
            let request = ThrowKillSwitchRequest {
                name,
                selector: Some(selector.selector()),
                mode: mode.into(),
                reason,
                until: until.map(When::to_wire),
            };
            let mut agents = Services::connect(&connection).await?.agents();
            changed(answer(agents.throw_kill_switch(request)).await?, true, output)
        }
        KillCommand::Lift { name, reason, connection } => {
            let request = LiftKillSwitchRequest { name, reason };
            let mut agents = Services::connect(&connection).await?.agents();
            changed(answer(agents.lift_kill_switch(request)).await?, false, output)
        }
        KillCommand::List { connection } => {
            let mut agents = Services::connect(&connection).await?.agents();
            let response = answer(agents.list_kill_switches(ListKillSwitchesRequest {})).await?;
            list(response.kill_switches, output)
        }
    }
}

fn changed(response: KillSwitchResponse, is_thrown: bool, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.KillSwitchResponse", &response)?;
    let kill = given(response.kill_switch, "kill_switch")?;
    let (name, whom) = (&kill.name, selector_text(kill.selector.as_ref()));
    let text = match (is_thrown, relative_text(kill.until)) {
        (false, _) => format!("the switch {name} is lifted from {whom}"),
        (true, until) if until.is_empty() => {
            format!("the switch {name} is thrown: {} for {whom}", word::<KillMode>(kill.mode))
        }
        (true, until) => {
            format!("the switch {name} is thrown: {} for {whom}, lifts {until}", word::<KillMode>(kill.mode))
        }
    };
    Ok(output.either(&text, &value)?)
}

fn list(kills: Vec<KillSwitch>, output: &mut Output) -> Result<()> {
    let mut table = Table::new(&["switch", "stops", "mode", "thrown", "by", "lifts", "reason"]);
    for kill in kills {
        if output.is_json() {
            output.json(&to_json("pemba.v1.KillSwitch", &kill)?)?;
            continue;
        }
        let is_over = instant(kill.until).is_some_and(|until| until <= now());
        let lifts = if is_over { "is over".to_owned() } else { relative_text(kill.until) };
        table.row(vec![
            kill.name,
            selector_text(kill.selector.as_ref()),
            word::<KillMode>(kill.mode),
            relative_text(kill.at),
            kill.by,
            lifts,
            kill.reason,
        ]);
    }
    if output.is_json() { Ok(()) } else { Ok(table.print(output)?) }
}
