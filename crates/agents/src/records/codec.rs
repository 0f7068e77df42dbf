//! Records as documents: a key that names kind and record, and a value that begins with the version of its form.
//!
//! The value is JSON: records gain fields over the years, and who audits a log must be able to read it.

use pemba_model::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The form of a value: JSON, as the structures of this module are today.
const FORM: u8 = 1;

/// What a document's key begins with. The numbers are stored: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// `TypePolicy`.
    TypePolicy = 1,
    /// `PermissionLabels`.
    PermissionLabels = 2,
    /// `GrantPolicy`.
    GrantPolicy = 3,
    /// `Agent`.
    Agent = 4,
    /// `AgentChange`.
    AgentChange = 5,
    /// `Human`.
    Human = 6,
    /// `Kill`.
    Kill = 7,
    /// `Delegation`.
    Delegation = 8,
    /// `Session`.
    Session = 9,
    /// `ApprovalPolicy`.
    ApprovalPolicy = 10,
    /// `Approval`.
    Approval = 11,
    /// `Consumption`.
    Consumption = 12,
    /// `BreakGlassPolicy`.
    BreakGlassPolicy = 13,
    /// `BrokenGlass`.
    BrokenGlass = 14,
}

impl RecordKind {
    const ALL: [RecordKind; 14] = [
        RecordKind::TypePolicy,
        RecordKind::PermissionLabels,
        RecordKind::GrantPolicy,
        RecordKind::Agent,
        RecordKind::AgentChange,
        RecordKind::Human,
        RecordKind::Kill,
        RecordKind::Delegation,
        RecordKind::Session,
        RecordKind::ApprovalPolicy,
        RecordKind::Approval,
        RecordKind::Consumption,
        RecordKind::BreakGlassPolicy,
        RecordKind::BrokenGlass,
    ];

    /// The kind of a document, by its key.
    pub fn of(key: &[u8]) -> Option<RecordKind> {
        let first = key.first()?;
        RecordKind::ALL.into_iter().find(|kind| *kind as u8 == *first)
    }
}

/// A document's key: the kind's number, then what tells the record from others of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// A key of a text.
    pub fn of_text(kind: RecordKind, text: &str) -> Key {
        let mut bytes = vec![kind as u8];
        bytes.extend_from_slice(text.as_bytes());
        Key(bytes)
    }

    /// A key of an object.
    pub fn of_object(kind: RecordKind, object: &ObjectRef) -> Key {
        Key::of_text(kind, &object.to_string())
    }

    /// A key of a 128-bit id.
    pub fn of_id(kind: RecordKind, id: u128) -> Key {
        let mut bytes = vec![kind as u8];
        bytes.extend_from_slice(&id.to_be_bytes());
        Key(bytes)
    }

    /// The key, followed by a number; keys of one record sort by it.
    #[must_use]
    pub fn numbered(mut self, number: u64) -> Key {
        self.0.push(0);
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }
}

/// What becomes one document.
pub trait Record: Serialize + DeserializeOwned {
    /// The kind.
    const KIND: RecordKind;
    /// The document's key.
    fn key(&self) -> Key;
}

/// The value of a record's document.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, String> {
    let mut bytes = vec![FORM];
    serde_json::to_writer(&mut bytes, record).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The record of a document's value.
pub fn decode<R: Record>(value: &[u8]) -> Result<R, String> {
    match value.split_first() {
        Some((&FORM, json)) => serde_json::from_slice(json).map_err(|error| error.to_string()),
        Some((form, _)) => Err(format!("its form {form} is not known to this version")),
        None => Err("it is empty".to_owned()),
    }
}
