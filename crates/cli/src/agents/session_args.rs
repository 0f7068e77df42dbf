//! `pemba session ...`: its commands and flags.

use clap::{Args, Subcommand};
use pemba_proto::authzed::api::v1::{ObjectReference, Relationship};
use pemba_proto::pemba::v1::ScopeClause;

use super::nouns::{object, relationship};
use super::scope::clause;
use super::time::{Span, When};
use crate::args::Connection;

/// Sessions: one task, for a while, of one client.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Open a session; prints its id first.
    Open(Box<Open>),
    /// Show a session.
    Get {
        /// Its id, `ses_...`.
        id: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List sessions.
    List(ListSessions),
    /// Grant relationships that only requests presenting the session see.
    Grant(Box<Grant>),
    /// End a session and everything granted in it, in one write.
    Close {
        /// Its id, `ses_...`.
        id: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// A session to open.
#[derive(Debug, Args)]
pub struct Open {
    /// Who acts in it, `type:id`.
    #[arg(value_parser = object)]
    pub(super) actor: ObjectReference,
    /// The last hop of the chain it is for, `dlg_...`; none when the actor acts on its own authority.
    #[arg(long, default_value = "")]
    pub(super) delegation: String,
    /// One more bound, a clause as for `pemba delegation create --scope`; may be repeated.
    #[arg(long, value_name = "CLAUSE", value_parser = clause)]
    pub(super) scope: Vec<ScopeClause>,
    /// When it is over: a time, or a span ahead such as `1h30m`.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: When,
    /// How long it may lie unused; for ever unless given.
    #[arg(long, value_name = "SPAN")]
    pub(super) idle: Option<Span>,
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) purpose: String,
    /// The task it belongs to.
    #[arg(long, default_value = "")]
    pub(super) task: String,
    /// A label; may be repeated.
    #[arg(long)]
    pub(super) label: Vec<String>,
    /// How the human behind it had proven who they are, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) authentication: String,
    /// When they had, an RFC 3339 time.
    #[arg(long, value_name = "WHEN")]
    pub(super) authenticated_at: Option<When>,
    /// The human who opens it.
    #[arg(long, value_name = "HUMAN", value_parser = object)]
    pub(super) opened_for: Option<ObjectReference>,
    /// The API client that may present it; the one that opens it unless given.
    #[arg(long, value_name = "CLIENT", conflicts_with = "thumbprint")]
    pub(super) client: Option<String>,
    /// The SHA-256 thumbprint of the certificate that may present it, 64 lower-case hexadecimal digits.
    #[arg(long, value_name = "DIGITS")]
    pub(super) thumbprint: Option<String>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Which sessions to list.
#[derive(Debug, Args)]
pub struct ListSessions {
    /// Only of this actor.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) actor: Option<ObjectReference>,
    /// Only those that are open.
    #[arg(long)]
    pub(super) open: bool,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Relationships to grant.
#[derive(Debug, Args)]
pub struct Grant {
    /// The session, `ses_...`.
    pub(super) id: String,
    /// Who grants, `type:id`; needs what `pemba policy grant` says for each relation, or an approval.
    #[arg(value_parser = object)]
    pub(super) grantor: ObjectReference,
    /// Relationships, `type:id#relation@type:id`, each to the session's actor or the root of its chain.
    #[arg(required = true, value_parser = relationship)]
    pub(super) relationships: Vec<Relationship>,
    /// When they end: a time, or a span ahead; with the session, or as approved, unless given.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
    /// The approval of exactly this grant, `apr_...`, of one relationship; granting uses it up.
    #[arg(long, value_name = "APPROVAL", default_value = "")]
    pub(super) approval: String,
    /// Why.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}
