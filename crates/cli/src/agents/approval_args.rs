//! `pemba approval ...`: its commands and flags.

use clap::{ArgGroup, Args, Subcommand};
use pemba_proto::authzed::api::v1::{ObjectReference, Relationship};
use pemba_proto::pemba::v1::{Applies, ApprovalState, Distinct};

use super::chain::ChainFlags;
use super::nouns::{object, relationship};
use super::time::{Span, When};
use super::words::parser;
use crate::args::Connection;

/// Approvals: actions that wait for somebody.
#[derive(Debug, Subcommand)]
pub enum ApprovalCommand {
    /// Say who must approve what.
    #[command(subcommand)]
    Policy(ApprovalPolicyCommand),
    /// Ask for an approval, where everything else allows the action; prints its id first.
    Request(Box<Request>),
    /// Ask that a grant inside a session be approved; prints the approval's id first. Grant with
    /// `pemba session grant --approval`.
    RequestGrant(Box<RequestGrant>),
    /// Vote on an approval that waits.
    #[command(group = ArgGroup::new("voice").required(true).args(["approve", "reject"]))]
    Vote {
        /// The approval, `apr_...`.
        id: String,
        /// Who votes, `type:id`.
        #[arg(value_parser = object)]
        approver: ObjectReference,
        /// Vote for it.
        #[arg(long)]
        approve: bool,
        /// Vote against it.
        #[arg(long)]
        reject: bool,
        /// What the approver has to say.
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an approval.
    Get {
        /// The approval, `apr_...`.
        id: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List approvals.
    List(ListApprovals),
    /// Take back an approval that waits or was given.
    Cancel {
        /// The approval, `apr_...`.
        id: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// `pemba approval policy ...`.
#[derive(Debug, Subcommand)]
pub enum ApprovalPolicyCommand {
    /// Set who must approve a permission; approvals asked under the policy before it are void.
    Set(Box<SetPolicy>),
    /// List the policies.
    List {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a permission go without approval, or take the approval of grants away.
    Delete {
        /// The permission, `type#permission`; with `--grants` the relation.
        permission: String,
        /// Delete the policy about granting the relation inside sessions.
        #[arg(long)]
        grants: bool,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// Who must approve a permission.
#[derive(Debug, Args)]
pub struct SetPolicy {
    /// The permission, `type#permission`; with `--grants` the relation.
    pub(super) permission: String,
    /// Whether it is about granting the relation inside sessions, and not about using the permission.
    #[arg(long, conflicts_with_all = ["time_boxed", "bind"])]
    pub(super) grants: bool,
    /// What an approver must have on the resource.
    #[arg(long, value_name = "PERMISSION")]
    pub(super) approver_permission: String,
    /// How many must approve.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) quorum: u32,
    /// When it applies: when an agent is in the chain, or always.
    #[arg(long, default_value = "agent-chains", value_parser = parser::<Applies>())]
    pub(super) applies: Applies,
    /// Whom an approver must not be, besides everybody of the chain; may be repeated or separated by commas.
    #[arg(long, value_name = "WHOM", value_delimiter = ',', value_parser = parser::<Distinct>())]
    pub(super) distinct_from: Vec<Distinct>,
    /// Whether only humans may approve.
    #[arg(long)]
    pub(super) human_only: bool,
    /// How often an approval serves, each time by `pemba check --consume`.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "time_boxed")]
    pub(super) uses: u32,
    /// Whether an approval serves as often as wanted until it is over.
    #[arg(long)]
    pub(super) time_boxed: bool,
    /// A context value an approval is bound to; may be repeated or separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) bind: Vec<String>,
    /// How long it waits for votes.
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub(super) pending: Span,
    /// How long it may be used once it is approved.
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    pub(super) execution: Span,
    /// Whether it takes more than one rejection to end it: votes against it only do not count.
    #[arg(long)]
    pub(super) no_veto: bool,
    /// Most that wait at once for one actor; 0 is the server's bound.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) pending_per_actor_max: u32,
    /// How long the same action may not be asked for again after a rejection.
    #[arg(long, value_name = "SPAN")]
    pub(super) cool_down: Option<Span>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// An approval to ask for.
#[derive(Debug, Args)]
pub struct Request {
    /// The resource, `type:id`.
    #[arg(value_parser = object)]
    pub(super) resource: ObjectReference,
    /// The permission.
    pub(super) permission: String,
    /// The root, `type:id`: whose authority is used. May be left out with a delegation.
    #[arg(value_parser = object)]
    pub(super) root: Option<ObjectReference>,
    /// Who acts.
    #[command(flatten)]
    pub(super) chain: ChainFlags,
    /// Values for caveats and those the approval is bound to, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(super) context: Option<String>,
    /// Why, for the approvers.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) reason: String,
    /// Who asks, `type:id`, where they say so.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) requester: Option<ObjectReference>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// A grant inside a session to ask for.
#[derive(Debug, Args)]
pub struct RequestGrant {
    /// The session, `ses_...`.
    pub(super) session: String,
    /// Who is to grant, `type:id`.
    #[arg(value_parser = object)]
    pub(super) grantor: ObjectReference,
    /// The relationship, `type:id#relation@type:id`, to the session's actor or the root of its chain.
    #[arg(value_parser = relationship)]
    pub(super) relationship: Relationship,
    /// When it is to end: a time, or a span ahead; with the session unless given.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
    /// Why, for the approvers.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) reason: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Which approvals to list.
#[derive(Debug, Args)]
pub struct ListApprovals {
    /// Only for this actor.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) actor: Option<ObjectReference>,
    /// Only those this principal may vote on now.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) votable_by: Option<ObjectReference>,
    /// Only in this state.
    #[arg(long, value_parser = parser::<ApprovalState>())]
    pub(super) state: Option<ApprovalState>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}
