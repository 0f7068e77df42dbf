//! `pemba delegation ...`: its commands and flags.

use clap::{Args, Subcommand};
use pemba_proto::authzed::api::v1::{ObjectReference, SubjectReference};
use pemba_proto::pemba::v1::ScopeClause;

use super::nouns::{object, subject};
use super::scope::clause;
use super::time::When;
use crate::args::Connection;

/// Delegations: one hop of authority each.
#[derive(Debug, Subcommand)]
pub enum DelegationCommand {
    /// Let one act on another's authority, for less and for a while; prints the delegation's id first.
    Create(Box<Create>),
    /// Show a delegation and every hop before it, outermost first.
    Get {
        /// Its id, `dlg_...`.
        id: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List delegations.
    List(ListDelegations),
    /// Move the end of a delegation, and narrow it; never widens.
    Renew(Box<Renew>),
    /// End a delegation, and with it everything that rests on it, in one write.
    Revoke {
        /// Its id, `dlg_...`.
        id: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// A delegation to make.
#[derive(Debug, Args)]
pub struct Create {
    /// Who delegates, `type:id`; without `--parent` it is the root.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) from: ObjectReference,
    /// To whom, `type:id`, or `type:id#relation` for whoever of it acts.
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(super) to: SubjectReference,
    /// What, `TYPE:PERMISSION[,PERMISSION...]@OBJECTS`; may be repeated, any clause suffices. OBJECTS are ids
    /// (`ticket:view,reply@t1,t2`), all from which a relation leads to one object (`ticket:view@subtree(parent=folder:x)`),
    /// or all of the type (`ticket:view@*`). A caveat may follow: `ticket:view@*[on_network:{"cidr":"10.0.0.0/8"}]`.
    #[arg(long, required = true, value_name = "CLAUSE", value_parser = clause)]
    pub(super) scope: Vec<ScopeClause>,
    /// When it ends: a time, or a span ahead such as `1h30m`.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: When,
    /// When it begins: a time, or a span ahead; now unless given.
    #[arg(long, value_name = "WHEN")]
    pub(super) not_before: Option<When>,
    /// The hop before, `dlg_...`; none for the first.
    #[arg(long, value_name = "DELEGATION", default_value = "")]
    pub(super) parent: String,
    /// Whose authority it is; only compared with the hop before.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) root: Option<ObjectReference>,
    /// How many further hops may follow.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) depth_left: u32,
    /// The session it holds in only, `ses_...`.
    #[arg(long, default_value = "")]
    pub(super) session: String,
    /// How often it may be used; as often as wanted unless given.
    #[arg(long, value_name = "N")]
    pub(super) uses: Option<u32>,
    /// What the delegator agreed to, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) consent: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Which delegations to list; at least one of `--root`, `--from` and `--to`.
#[derive(Debug, Args)]
pub struct ListDelegations {
    /// Only on this authority.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object, required_unless_present_any = ["from", "to"])]
    pub(super) root: Option<ObjectReference>,
    /// Only made by this one.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) from: Option<ObjectReference>,
    /// Only made to this one.
    #[arg(long, value_name = "PRINCIPAL", value_parser = object)]
    pub(super) to: Option<ObjectReference>,
    /// Only those that can be used now.
    #[arg(long)]
    pub(super) alive: bool,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// A change of a delegation; what is not given stays.
#[derive(Debug, Args)]
pub struct Renew {
    /// Its id, `dlg_...`.
    pub(super) id: String,
    /// What, in place of what it was; may be repeated. Only narrower.
    #[arg(long, value_name = "CLAUSE", value_parser = clause)]
    pub(super) scope: Vec<ScopeClause>,
    /// When it ends: a time, or a span ahead.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<When>,
    /// How many further hops may follow.
    #[arg(long, value_name = "N")]
    pub(super) depth_left: Option<u32>,
    /// How often it may still be used.
    #[arg(long, value_name = "N")]
    pub(super) uses_left: Option<u32>,
    /// The version it must have.
    #[arg(long = "if-version", value_name = "N")]
    pub(super) version: Option<u64>,
    /// Why.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}
