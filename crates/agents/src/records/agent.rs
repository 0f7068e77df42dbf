//! Agents and humans: who can be held to account.

use std::collections::BTreeSet;

use pemba_model::{ObjectRef, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::format_smolstr;

use super::codec::{Key, Record, RecordKind};
use crate::scope::Scope;

/// What kind of thing an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Decides by itself what to do next.
    Agent,
    /// Runs steps that were laid down.
    Workflow,
    /// A program that serves.
    Workload,
    /// Credentials that a machine holds.
    MachineClient,
    /// Serves a model.
    ModelServer,
    /// Joins two systems.
    Integration,
    /// Brings a source of data within reach.
    Connector,
}

/// Where an agent stands. `Expired`, `Unattested` and `Orphaned` follow from the record and the instant and are never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Registered; does not act yet.
    Proposed,
    /// Acts.
    Active,
    /// Stopped until resumed.
    Suspended,
    /// Acts on what is labelled `safe`; all else needs an approval.
    Quarantined,
    /// Stopped for good.
    Retired,
}

/// A name under which an agent is known elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Who vouches for the name; `spiffe` for SPIFFE ids.
    pub issuer: SmolStr,
    /// The name.
    pub subject: SmolStr,
}

/// A sponsor offered and not yet accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who leaves; absent when a sponsor only joins.
    pub from: Option<ObjectRef>,
    /// Who is asked.
    pub to: ObjectRef,
    /// Who proposed it.
    pub by: SmolStr,
    /// When.
    pub at: Timestamp,
}

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Who it is.
    pub principal: ObjectRef,
    /// How often this id was registered; from 1. Everything given to an earlier incarnation is gone for good.
    pub incarnation: u32,
    /// Counts every change since the first registration of the id; from 1.
    pub version: u64,
    /// What kind of thing it is.
    pub kind: AgentKind,
    /// Where it stands.
    pub status: Status,
    /// Why it stands there.
    pub status_reason: String,
    /// Names elsewhere.
    pub bindings: Vec<Binding>,
    /// The humans who answer for it; at least one.
    pub sponsors: Vec<ObjectRef>,
    /// Who runs it.
    pub owners: Vec<ObjectRef>,
    /// What it is for, for reviewers.
    pub purpose: String,
    /// `type#permission` pairs it may ever use; empty allows all. Part of the ceiling.
    pub purpose_permissions: BTreeSet<SmolStr>,
    /// What it was made from.
    pub blueprint: Option<SmolStr>,
    /// Where it runs.
    pub environment: Option<SmolStr>,
    /// Whose it is.
    pub tenant: Option<SmolStr>,
    /// Free labels; `critical` takes the grace away when the last sponsor goes.
    pub labels: BTreeSet<SmolStr>,
    /// The first instant at which it acts.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it no longer acts.
    pub not_after: Option<Timestamp>,
    /// The first instant at which it no longer acts unless somebody attests it again.
    pub attest_by: Option<Timestamp>,
    /// How far an attestation reaches.
    pub attest_every_ms: Option<u64>,
    /// Most hops between a root and it; the server's bound when absent.
    pub max_depth: Option<u32>,
    /// What it can ever be delegated; absent does not bound it. Grants nothing.
    pub ceiling: Option<Scope>,
    /// Whether it must have every permission itself as well.
    pub own_grants_required: bool,
    /// How long it goes on without a live sponsor.
    pub orphan_grace_ms: Option<u64>,
    /// A sponsor offered.
    pub transfer: Option<Transfer>,
    /// When this incarnation was registered.
    pub created_at: Timestamp,
    /// By which client.
    pub created_by: SmolStr,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

impl Agent {
    /// Whether a permission on a type is among what it may ever use.
    pub fn is_for(&self, resource_type: &str, permission: &str) -> bool {
        self.purpose_permissions.is_empty()
            || self.purpose_permissions.contains(&format_smolstr!("{resource_type}#{permission}"))
    }
}

impl Record for Agent {
    const KIND: RecordKind = RecordKind::Agent;

    fn key(&self) -> Key {
        Key::of_object(Self::KIND, &self.principal)
    }
}

/// One change of an agent, for its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentChange {
    /// The agent.
    pub principal: ObjectRef,
    /// Its incarnation then.
    pub incarnation: u32,
    /// Its version after the change.
    pub version: u64,
    /// What was done: `registered`, `updated`, `activated`, `suspended`, `resumed`, `quarantined`, `retired`, `attested`,
    /// `sponsor_proposed`, `sponsor_accepted`.
    pub action: SmolStr,
    /// Where it stands after it.
    pub status: Status,
    /// Why, in the words of who did it.
    pub reason: String,
    /// The client that did it.
    pub by: SmolStr,
    /// When.
    pub at: Timestamp,
}

impl Record for AgentChange {
    const KIND: RecordKind = RecordKind::AgentChange;

    fn key(&self) -> Key {
        Key::of_object(Self::KIND, &self.principal).numbered(self.version)
    }
}

/// Whether a human still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HumanStatus {
    /// They do.
    Active,
    /// They left, or were locked out.
    Disabled,
}

/// What is known of a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Human {
    /// The account.
    pub principal: ObjectRef,
    /// Whether they still count.
    pub status: HumanStatus,
    /// The person behind it, where one has several accounts: equal names are one person.
    pub person: Option<SmolStr>,
    /// Counts every change; from 1.
    pub version: u64,
    /// When the status was set.
    pub since: Timestamp,
    /// By which client.
    pub by: SmolStr,
    /// Why.
    pub reason: String,
}

impl Record for Human {
    const KIND: RecordKind = RecordKind::Human;

    fn key(&self) -> Key {
        Key::of_object(Self::KIND, &self.principal)
    }
}
