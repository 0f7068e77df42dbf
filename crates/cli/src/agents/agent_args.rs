//! `pemba agent ...`: its commands and flags.

use clap::{Args, Subcommand, ValueEnum};
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::{AgentKind, AgentStatus, ExternalName, ScopeClause};

use super::nouns::object;
use super::scope::clause;
use super::time::{Span, When};
use super::words::parser;
use crate::args::Connection;

/// Agents and their lives.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Register an agent; a retired id comes back as a new incarnation.
    Register {
        /// Who it is, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// What is said of it.
        #[command(flatten)]
        spec: SpecFlags,
        /// Let it wait until it is activated.
        #[arg(long)]
        proposed: bool,
        /// Why, for the history.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an agent and whether it may act.
    Get(OneAgent),
    /// List agents.
    List(ListAgents),
    /// Change what is said of an agent: what is given is replaced, the rest stays.
    Update {
        /// Who it is, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// What is said of it.
        #[command(flatten)]
        spec: SpecFlags,
        /// Take back what was said; may be repeated or separated by commas.
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        clear: Vec<Clearable>,
        /// The version it must have; the present one unless given.
        #[arg(long = "if-version", value_name = "N")]
        version: Option<u64>,
        /// Why, for the history.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Let proposed agents act.
    Activate(Transition),
    /// Stop agents until they are resumed, all in one revision.
    Suspend(Transition),
    /// Let suspended or quarantined agents act again.
    Resume(Transition),
    /// Leave agents what is labelled `safe`; everything else needs an approval.
    Quarantine(Transition),
    /// Stop agents for good.
    Retire(Transition),
    /// Say that an agent is still what it should be.
    Attest(Reasoned),
    /// Offer a human the sponsorship of an agent.
    ProposeSponsor {
        /// The agent, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// Who is to sponsor it.
        #[arg(long, value_name = "HUMAN", value_parser = object)]
        to: ObjectReference,
        /// Who leaves when it is accepted; nobody unless given.
        #[arg(long, value_name = "HUMAN", value_parser = object)]
        from: Option<ObjectReference>,
        /// Why, for the history.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Accept a sponsorship that was offered.
    AcceptSponsor {
        /// The agent, `type:id`.
        #[arg(value_parser = object)]
        principal: ObjectReference,
        /// Who accepts.
        #[arg(value_parser = object)]
        sponsor: ObjectReference,
        /// Why, for the history.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show every change of an agent that is remembered, oldest first.
    History(OneAgent),
}

/// One agent.
#[derive(Debug, Args)]
pub struct OneAgent {
    /// Who it is, `type:id`.
    #[arg(value_parser = object)]
    pub(super) principal: ObjectReference,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// One agent, and why.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// Who it is, `type:id`.
    #[arg(value_parser = object)]
    pub(super) principal: ObjectReference,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// A change of the status of agents.
#[derive(Debug, Args)]
pub struct Transition {
    /// The agents, `type:id`; all of them or, when one cannot be changed, none.
    #[arg(required = true, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) principals: Vec<ObjectReference>,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// The version it must have, for one agent.
    #[arg(long = "if-version", value_name = "N")]
    pub(super) version: Option<u64>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Which agents to list; all filters hold together.
#[derive(Debug, Args)]
pub struct ListAgents {
    /// Only of this type.
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    pub(super) object_type: String,
    /// Only with this status.
    #[arg(long, value_parser = parser::<AgentStatus>())]
    pub(super) status: Option<AgentStatus>,
    /// Only from this blueprint.
    #[arg(long, default_value = "")]
    pub(super) blueprint: String,
    /// Only of this tenant.
    #[arg(long, default_value = "")]
    pub(super) tenant: String,
    /// Only in this environment.
    #[arg(long, default_value = "")]
    pub(super) environment: String,
    /// Only with this label.
    #[arg(long, default_value = "")]
    pub(super) label: String,
    /// Only of this sponsor.
    #[arg(long, value_name = "HUMAN", value_parser = object)]
    pub(super) sponsor: Option<ObjectReference>,
    /// Only of this owner.
    #[arg(long, value_name = "OWNER", value_parser = object)]
    pub(super) owner: Option<ObjectReference>,
    /// Only those that may act (`live`), or that may not for this reason: `suspended`, `expired`, `unattested`, `orphaned`,
    /// `killed` and the like.
    #[arg(long, value_name = "STATE", default_value = "")]
    pub(super) state: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// What is said of an agent.
#[derive(Debug, Args)]
pub struct SpecFlags {
    /// What kind of thing it is; `agent` unless given.
    #[arg(long, value_parser = parser::<AgentKind>())]
    pub(super) kind: Option<AgentKind>,
    /// A name it has elsewhere, `ISSUER=SUBJECT`, `spiffe=...` for a SPIFFE id; may be repeated.
    #[arg(long, value_name = "ISSUER=SUBJECT", value_parser = external_name)]
    pub(super) external_name: Vec<ExternalName>,
    /// A human who answers for it; may be repeated. At least one must count, and an update names nobody new.
    #[arg(long, value_name = "HUMAN", value_parser = object)]
    pub(super) sponsor: Vec<ObjectReference>,
    /// Who runs it; may be repeated.
    #[arg(long, value_name = "OWNER", value_parser = object)]
    pub(super) owner: Vec<ObjectReference>,
    /// What it is for, for reviewers.
    #[arg(long, value_name = "TEXT")]
    pub(super) purpose: Option<String>,
    /// A permission it may ever use, `type#permission`; may be repeated. All unless given.
    #[arg(long, value_name = "TYPE#PERMISSION")]
    pub(super) may_use: Vec<String>,
    /// What it was made from.
    #[arg(long)]
    pub(super) blueprint: Option<String>,
    /// Where it runs.
    #[arg(long)]
    pub(super) environment: Option<String>,
    /// Whose it is.
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// A label; may be repeated. `critical` takes the grace away when the last sponsor goes.
    #[arg(long)]
    pub(super) label: Vec<String>,
    /// When it begins to act: a time, or a span ahead.
    #[arg(long, value_name = "WHEN")]
    pub(super) not_before: Option<When>,
    /// When it no longer acts: a time, or a span ahead.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
    /// How often it must be attested, or it stops.
    #[arg(long, value_name = "SPAN")]
    pub(super) attest_every: Option<Span>,
    /// Most hops between a root and it.
    #[arg(long, value_name = "N")]
    pub(super) max_depth: Option<u32>,
    /// What it can ever be delegated, a clause as for `pemba delegation create --scope`; may be repeated.
    #[arg(long, value_name = "CLAUSE", value_parser = clause)]
    pub(super) ceiling: Vec<ScopeClause>,
    /// Whether it must have every permission itself as well.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) own_grants_required: Option<bool>,
    /// How long it goes on without a sponsor that counts.
    #[arg(long, value_name = "SPAN")]
    pub(super) orphan_grace: Option<Span>,
}

/// What `pemba agent update` can take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Clearable {
    /// The names elsewhere.
    ExternalNames,
    /// Who runs it.
    Owners,
    /// What it is for.
    Purpose,
    /// The permissions it may ever use: all.
    MayUse,
    /// What it was made from.
    Blueprint,
    /// Where it runs.
    Environment,
    /// Whose it is.
    Tenant,
    /// The labels.
    Labels,
    /// When it begins.
    NotBefore,
    /// When it ends.
    Until,
    /// The need of attestation.
    AttestEvery,
    /// The bound of hops: the server's.
    MaxDepth,
    /// The ceiling: none.
    Ceiling,
    /// The grace: the server's.
    OrphanGrace,
}

fn external_name(text: &str) -> Result<ExternalName, String> {
    let (issuer, subject) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not `ISSUER=SUBJECT`"))?;
    Ok(ExternalName { issuer: issuer.to_owned(), subject: subject.to_owned() })
}
