//! `pemba policy ...`: what types are as principals, labels of permissions, and who may grant inside sessions.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use pemba_proto::pemba::v1::{
    GetPoliciesRequest, GetPoliciesResponse, GrantPolicy, PermissionLabels, PrincipalKind,
    SetGrantPolicyRequest, SetPermissionLabelsRequest, SetTypePolicyRequest, TypeMode, TypePolicy,
};
use serde_json::json;

use super::json::to_json;
use super::services::{Services, answer};
use super::table::Table;
use super::words::{parser, word};
use crate::args::Connection;
use crate::output::Output;

/// What principals and permissions are.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say what the objects of a type are as principals.
    Type {
        /// The type.
        object_type: String,
        /// Whether they are people, who may sponsor and approve, or agents.
        #[arg(long, value_parser = parser::<PrincipalKind>())]
        kind: PrincipalKind,
        /// Whether those without a record are denied (`managed`), or allowed what they have and reported (`observed`).
        #[arg(long, default_value = "observed", value_parser = parser::<TypeMode>())]
        mode: TypeMode,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Set the labels of a permission; without any, take them away.
    Labels {
        /// The permission, `type#permission`.
        permission: String,
        /// The labels: `safe` holds in quarantine, `read` under a `deny-write` switch, others are your own.
        labels: Vec<String>,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Say what somebody must have on a resource to grant a relation of it for the life of a session.
    Grant {
        /// The relation, `type#relation`.
        relation: String,
        /// The permission that granting needs; without one nobody may grant it.
        grantor_permission: Option<String>,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show them all.
    List {
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}

pub(super) async fn run(command: PolicyCommand, output: &mut Output) -> Result<()> {
    match command {
        PolicyCommand::Type { object_type, kind, mode, connection } => {
            let policy =
                TypePolicy { object_type: object_type.clone(), kind: kind.into(), mode: mode.into() };
            let request = SetTypePolicyRequest { policy: Some(policy) };
            let mut agents = Services::connect(&connection).await?.agents();
            let token = answer(agents.set_type_policy(request)).await?.written_at.unwrap_or_default().token;
            let (kind, mode) = (word::<PrincipalKind>(kind.into()), word::<TypeMode>(mode.into()));
            set(&format!("objects of type {object_type} are {kind}s, {mode}"), &token, output)
        }
        PolicyCommand::Labels { permission, labels, connection } => {
            let (of, name) = split(&permission)?;
            let list = if labels.is_empty() { "no labels".to_owned() } else { labels.join(", ") };
            let labels = PermissionLabels { resource_type: of, permission: name, labels };
            let request = SetPermissionLabelsRequest { labels: Some(labels) };
            let mut agents = Services::connect(&connection).await?.agents();
            let response = answer(agents.set_permission_labels(request)).await?;
            set(&format!("{permission}: {list}"), &response.written_at.unwrap_or_default().token, output)
        }
        PolicyCommand::Grant { relation, grantor_permission, connection } => {
            let (of, name) = split(&relation)?;
            let text = match &grantor_permission {
                Some(permission) => format!("{relation} may be granted in sessions by who has {permission}"),
                None => format!("{relation} may be granted in sessions by nobody"),
            };
            let grantor_permission = grantor_permission.unwrap_or_default();
            let policy = GrantPolicy { resource_type: of, relation: name, grantor_permission };
            let request = SetGrantPolicyRequest { policy: Some(policy) };
            let mut agents = Services::connect(&connection).await?.agents();
            let token = answer(agents.set_grant_policy(request)).await?.written_at.unwrap_or_default().token;
            set(&text, &token, output)
        }
        PolicyCommand::List { connection } => {
            let mut agents = Services::connect(&connection).await?.agents();
            list(&answer(agents.get_policies(GetPoliciesRequest {})).await?, output)
        }
    }
}

/// `type#name` in its parts.
fn split(text: &str) -> Result<(String, String)> {
    let parts = text.split_once('#').filter(|(of, name)| !of.is_empty() && !name.is_empty());
    let (of, name) = parts.with_context(|| format!("`{text}` is not `type#name`"))?;
    Ok((of.to_owned(), name.to_owned()))
}

fn set(text: &str, token: &str, output: &mut Output) -> Result<()> {
    Ok(output.either(text, &json!({"written_at": token}))?)
}

fn list(policies: &GetPoliciesResponse, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.GetPoliciesResponse", policies)?)?);
    }
    let mut types = Table::new(&["type", "kind", "mode"]);
    for policy in &policies.type_policies {
        let (kind, mode) = (word::<PrincipalKind>(policy.kind), word::<TypeMode>(policy.mode));
        types.row(vec![policy.object_type.clone(), kind, mode]);
    }
    let mut labels = Table::new(&["permission", "labels"]);
    for labelled in &policies.labels {
        let name = format!("{}#{}", labelled.resource_type, labelled.permission);
        labels.row(vec![name, labelled.labels.join(", ")]);
    }
    let mut grants = Table::new(&["relation", "granted in sessions by who has"]);
    for policy in &policies.grant_policies {
        let name = format!("{}#{}", policy.resource_type, policy.relation);
        grants.row(vec![name, policy.grantor_permission.clone()]);
    }
    for (title, table) in [("Types", types), ("Labels", labels), ("Grants", grants)] {
        output.line(title)?;
        table.print(output)?;
    }
    Ok(())
}
