//! Documents: keyed values in the same log and revision order as relationships, and what is derived from them.
//!
//! Who stores documents knows only their bytes, and who reads them knows no store. Both know `Ledger`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// One document before and after a change; `None` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentChange {
    /// Which document: at least one byte, at most `document_key_max_bytes`. Keys sort by their bytes.
    pub key: Arc<[u8]>,
    /// As it was.
    pub before: Option<Arc<[u8]>>,
    /// As it is from then on, at most `document_max_bytes`.
    pub after: Option<Arc<[u8]>>,
}

impl DocumentChange {
    /// The change that takes this one back.
    #[must_use]
    pub fn reversed(self) -> DocumentChange {
        DocumentChange { key: self.key, before: self.after, after: self.before }
    }

    /// Bytes of the key and of both values.
    pub fn size_bytes(&self) -> usize {
        let value = |value: &Option<Arc<[u8]>>| value.as_deref().map_or(0, <[u8]>::len);
        self.key.len().saturating_add(value(&self.before)).saturating_add(value(&self.after))
    }
}

/// A document that a ledger does not understand: it is damaged, or of an unknown kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document `{}`: {message}", key_text(.key))]
pub struct LedgerError {
    /// Which document.
    pub key: Arc<[u8]>,
    /// What is wrong with it.
    pub message: String,
}

/// What is derived from documents: immutable, one for each revision, cheap to succeed.
pub trait Ledger: Send + Sync + fmt::Debug + 'static {
    /// The ledger after these changes, of which no two have the same key. What a change says was there before is what
    /// this ledger was told last. It must not depend on anything but the documents: the same documents, told in any
    /// order and in any number of steps, make an equal ledger, so that going back to an older revision works by telling
    /// changes in reverse.
    fn apply(&self, changes: &[DocumentChange]) -> Result<Arc<dyn Ledger>, LedgerError>;

    /// The ledger as its own type.
    fn as_any(&self) -> &dyn Any;
}

/// The ledger of those who derive nothing: it takes every document and keeps none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn apply(&self, _changes: &[DocumentChange]) -> Result<Arc<dyn Ledger>, LedgerError> {
        Ok(Arc::new(NoLedger))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A document's key as errors show it: text as it is, all other bytes as `\x00`.
pub fn key_text(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_taken_back_twice_is_the_change() {
        let change = DocumentChange { key: b"a"[..].into(), before: None, after: Some(b"1"[..].into()) };
        let reversed = change.clone().reversed();
        assert_eq!((reversed.before.as_deref(), reversed.after.as_deref()), (Some(&b"1"[..]), None));
        assert_eq!(reversed.reversed(), change);
    }

    #[test]
    fn an_error_names_the_document() {
        let error = LedgerError { key: b"agent/\x00b\xff"[..].into(), message: "no version".to_owned() };
        assert_eq!(error.to_string(), r"document `agent/\x00b\xff`: no version");
    }

    #[test]
    fn no_ledger_takes_everything() {
        let change = DocumentChange { key: b"a"[..].into(), before: None, after: Some(b"1"[..].into()) };
        let after = NoLedger.apply(&[change]).unwrap();
        assert_eq!(after.as_any().downcast_ref(), Some(&NoLedger));
    }
}
