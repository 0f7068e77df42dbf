//! `pemba glass ...`: its commands and flags.

use clap::{ArgGroup, Args, Subcommand};
use pemba_proto::authzed::api::v1::ObjectReference;

use super::chain::ChainFlags;
use super::nouns::object;
use super::time::Span;
use crate::args::Connection;

/// Breaking the glass: an approval on one human's word, reviewed by somebody else afterwards.
#[derive(Debug, Subcommand)]
pub enum GlassCommand {
    /// Say who may break the glass, and who reviews it.
    #[command(subcommand)]
    Policy(GlassPolicyCommand),
    /// Break the glass for one action; prints the id of the approval that comes of it first.
    Break(Box<Break>),
    /// Close the review of what somebody else broke.
    #[command(group = ArgGroup::new("finding").required(true).args(["justified", "unjustified"]))]
    Review {
        /// What was broken, `apr_...`.
        id: String,
        /// Who reviews, `type:id`.
        #[arg(value_parser = object)]
        reviewer: ObjectReference,
        /// It was right.
        #[arg(long)]
        justified: bool,
        /// It was not.
        #[arg(long)]
        unjustified: bool,
        /// What the reviewer found.
        #[arg(long, value_name = "TEXT")]
        comment: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show what was broken.
    Get {
        /// What was broken, `apr_...`.
        id: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List what was broken.
    List(ListGlass),
    /// Tell of every open review, and then of every change.
    Watch {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// `pemba glass policy ...`.
#[derive(Debug, Subcommand)]
pub enum GlassPolicyCommand {
    /// Set who may break the glass in front of a permission.
    Set(Box<SetGlassPolicy>),
    /// List the policies.
    List {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Let nobody break the glass in front of a permission.
    Delete {
        /// The permission, `type#permission`.
        permission: String,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

/// Who may break the glass.
#[derive(Debug, Args)]
pub struct SetGlassPolicy {
    /// The permission, `type#permission`.
    pub(super) permission: String,
    /// What whoever breaks the glass must have on the resource.
    #[arg(long, value_name = "PERMISSION")]
    pub(super) user_permission: String,
    /// What a reviewer must have on the resource.
    #[arg(long, value_name = "PERMISSION")]
    pub(super) reviewer_permission: String,
    /// How long what was broken serves.
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    pub(super) life: Span,
    /// Within what time it must be reviewed.
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    pub(super) review: Span,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// The glass to break.
#[derive(Debug, Args)]
pub struct Break {
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
    /// The human who takes it upon themselves, `type:id`.
    #[arg(long, value_name = "HUMAN", value_parser = object)]
    pub(super) user: ObjectReference,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// Values for caveats and those the approval is bound to, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(super) context: Option<String>,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// What to list.
#[derive(Debug, Args)]
pub struct ListGlass {
    /// Only what this human broke.
    #[arg(long, value_name = "HUMAN", value_parser = object)]
    pub(super) user: Option<ObjectReference>,
    /// Only what waits for its review.
    #[arg(long)]
    pub(super) open: bool,
    /// Only what waits for its review for too long.
    #[arg(long)]
    pub(super) overdue: bool,
    /// The server.
    #[command(flatten)]
    pub(super) connection: Connection,
}
