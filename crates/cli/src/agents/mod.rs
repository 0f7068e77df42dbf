//! The commands about agents: clients of `pemba.v1`.
//!
//! Every command prints lines for people, or with `--json` the answer of the server, a value a line.

mod agent;
mod agent_args;
mod approval;
mod approval_args;
pub(crate) mod authority;
pub(crate) mod chain;
mod decision;
mod delegation;
mod delegation_args;
mod glass;
mod glass_args;
mod human;
mod json;
mod kill;
mod nouns;
mod policy;
mod scope;
pub(crate) mod services;
mod session;
mod session_args;
mod spec;
mod table;
mod time;
mod words;

use anyhow::Result;
use clap::Subcommand;

use crate::output::Output;

/// Records asked for at once in a list; the commands ask for page after page.
const PAGE: u32 = 100;

/// A command about agents.
#[derive(Debug, Subcommand)]
pub enum AgentsCommand {
    /// Register agents and follow them through their lives.
    #[command(subcommand)]
    Agent(agent_args::AgentCommand),
    /// Say who of the people behind agents still counts.
    #[command(subcommand)]
    Human(human::HumanCommand),
    /// Say what types, permissions and relations are to agents.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Stop agents: kill switches, in force with the next decision.
    #[command(subcommand)]
    Kill(kill::KillCommand),
    /// Let one act on another's authority.
    #[command(subcommand)]
    Delegation(delegation_args::DelegationCommand),
    /// Bound what is done to the life of a task.
    #[command(subcommand)]
    Session(session_args::SessionCommand),
    /// Put people between an agent and what it must not do alone.
    #[command(subcommand)]
    Approval(approval_args::ApprovalCommand),
    /// Let a human do at once what others are to approve, and somebody else review it.
    #[command(subcommand)]
    Glass(glass_args::GlassCommand),
    /// Say why a chain may do something, or what keeps it from it.
    Explain(authority::ExplainArgs),
}

/// Runs one. Returns whether its answer is yes, where it has one.
pub(crate) async fn run(command: AgentsCommand, output: &mut Output) -> Result<bool> {
    match command {
        AgentsCommand::Agent(command) => agent::run(command, output).await?,
        AgentsCommand::Human(command) => human::run(command, output).await?,
        AgentsCommand::Policy(command) => policy::run(command, output).await?,
        AgentsCommand::Kill(command) => kill::run(command, output).await?,
        AgentsCommand::Delegation(command) => delegation::run(command, output).await?,
        AgentsCommand::Session(command) => session::run(command, output).await?,
        AgentsCommand::Approval(command) => approval::run(command, output).await?,
        AgentsCommand::Glass(command) => glass::run(command, output).await?,
        AgentsCommand::Explain(args) => return authority::explain(args, output).await,
    }
    Ok(true)
}
