//! What administrators say about object types and permissions.

use std::collections::BTreeSet;

use pemba_model::SmolStr;
use serde::{Deserialize, Serialize};

use super::codec::{Key, Record, RecordKind};

/// Labels of permissions that mean something here.
pub mod label {
    /// Reads, and what it reads is not sensitive: holds in quarantine.
    pub const SAFE: &str = "safe";
    /// Reads: holds while writing is switched off.
    pub const READ: &str = "read";
}

/// What the objects of a type are, as principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// People: may sponsor and approve.
    Human,
    /// Agents of any kind.
    Agent,
}

/// What happens with a principal that has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeMode {
    /// It is denied.
    Managed,
    /// It is allowed what it has, and reported.
    Observed,
}

/// What the objects of a type are. A type without one is observed and neither human nor agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypePolicy {
    /// The type.
    pub object_type: SmolStr,
    /// What its objects are.
    pub kind: PrincipalKind,
    /// What happens with those that have no record.
    pub mode: TypeMode,
}

impl Record for TypePolicy {
    const KIND: RecordKind = RecordKind::TypePolicy;

    fn key(&self) -> Key {
        Key::of_text(Self::KIND, &self.object_type)
    }
}

/// The labels of one permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionLabels {
    /// The type.
    pub resource_type: SmolStr,
    /// The permission.
    pub permission: SmolStr,
    /// Its labels.
    pub labels: BTreeSet<SmolStr>,
}

impl Record for PermissionLabels {
    const KIND: RecordKind = RecordKind::PermissionLabels;

    fn key(&self) -> Key {
        Key::of_text(Self::KIND, &format!("{}#{}", self.resource_type, self.permission))
    }
}

/// Who may grant a relation for the life of a session: whoever has `grantor_permission` on the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantPolicy {
    /// The type.
    pub resource_type: SmolStr,
    /// The relation granted.
    pub relation: SmolStr,
    /// What the grantor must have on the resource.
    pub grantor_permission: SmolStr,
}

impl Record for GrantPolicy {
    const KIND: RecordKind = RecordKind::GrantPolicy;

    fn key(&self) -> Key {
        Key::of_text(Self::KIND, &format!("{}#{}", self.resource_type, self.relation))
    }
}
