//! A ledger for tests: it keeps the documents themselves and believes nothing it is told.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_db::View;
use pemba_model::{DocumentChange, Ledger, LedgerError};

/// The documents that it was told, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Documents(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

/// A document that begins like this is refused.
pub(crate) const REFUSED: &[u8] = b"refused";

impl Documents {
    /// No documents, as a database is opened with.
    pub(crate) fn none() -> Arc<dyn Ledger> {
        Arc::new(Documents::default())
    }

    /// The documents of a ledger.
    pub(crate) fn of(ledger: &Arc<dyn Ledger>) -> &Documents {
        ledger.as_any().downcast_ref().unwrap()
    }

    /// The documents at a view's revision.
    pub(crate) fn at(view: &View) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &Documents::of(view.ledger()).0
    }
}

impl Ledger for Documents {
    fn apply(&self, changes: &[DocumentChange]) -> Result<Arc<dyn Ledger>, LedgerError> {
        let mut documents = self.0.clone();
        for DocumentChange { key, before, after } in changes {
            let error = |message: &str| LedgerError { key: Arc::clone(key), message: message.to_owned() };
            if documents.get(&**key).map(Vec::as_slice) != before.as_deref() {
                return Err(error("it was something else before"));
            }
            match after {
                Some(value) if value.starts_with(REFUSED) => return Err(error("it is refused")),
                Some(value) => drop(documents.insert(key.to_vec(), value.to_vec())),
                None => drop(documents.remove(&**key)),
            }
        }
        Ok(Arc::new(Documents(documents)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
