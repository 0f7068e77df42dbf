//! Kill switches: one record stops whatever it selects.

use std::fmt;

use pemba_model::{ObjectRef, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};

/// Which agents a switch stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// One agent, registered or not.
    Agent(ObjectRef),
    /// Every agent made from a blueprint.
    Blueprint(SmolStr),
    /// Every agent somebody runs.
    Owner(ObjectRef),
    /// Every agent somebody answers for.
    Sponsor(ObjectRef),
    /// Every agent with a label.
    Label(SmolStr),
    /// Every agent of a tenant.
    Tenant(SmolStr),
    /// Every agent: those with a record, and all objects of types that are agents.
    All,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Agent(agent) => write!(f, "agent {agent}"),
            Selector::Blueprint(name) => write!(f, "blueprint {name}"),
            Selector::Owner(owner) => write!(f, "owner {owner}"),
            Selector::Sponsor(sponsor) => write!(f, "sponsor {sponsor}"),
            Selector::Label(label) => write!(f, "label {label}"),
            Selector::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Selector::All => f.write_str("all agents"),
        }
    }
}

/// What a switch does. The greater the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillMode {
    /// Everything needs an approval.
    RequireApproval,
    /// What is not labelled `read` or `safe` is denied.
    DenyWrite,
    /// Everything is denied.
    DenyAll,
}

/// A kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Its name.
    pub name: SmolStr,
    /// Whom it stops.
    pub selector: Selector,
    /// How.
    pub mode: KillMode,
    /// Why.
    pub reason: String,
    /// The client that threw it.
    pub by: SmolStr,
    /// When.
    pub at: Timestamp,
    /// The first instant at which it no longer holds.
    pub until: Option<Timestamp>,
}

impl Record for Kill {
    const KIND: RecordKind = RecordKind::Kill;

    fn key(&self) -> Key {
        Key::of_text(Self::KIND, &self.name)
    }
}
