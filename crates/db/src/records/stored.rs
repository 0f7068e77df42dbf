//! Shapes shared by several records, as they are encoded.

use std::borrow::Cow;
use std::sync::Arc;

use pemba_engine::Qualifier;
use pemba_model::{CaveatRef, Context, SmolStr, Timestamp};

use super::codec::{self, BorrowDecode, Encode};
use super::error::RecordError;

/// An instant: seconds since 1970, then nanoseconds.
#[derive(Debug, Clone, Copy, Encode, BorrowDecode)]
pub(super) struct StoredTime(i64, u32);

/// What qualifies an edge.
#[derive(Debug, Clone, Encode, BorrowDecode)]
pub(super) struct StoredQualifier<'a> {
    caveat: Option<StoredCaveat<'a>>,
    expires_at: Option<StoredTime>,
}

#[derive(Debug, Clone, Encode, BorrowDecode)]
struct StoredCaveat<'a> {
    name: Cow<'a, str>,
    context_json: Cow<'a, str>,
}

impl StoredTime {
    pub(super) fn of(instant: Timestamp) -> StoredTime {
        StoredTime(instant.seconds(), instant.nanos())
    }

    pub(super) fn read(self) -> Result<Timestamp, String> {
        Timestamp::new(self.0, self.1).map_err(|error| error.to_string())
    }
}

impl<'a> StoredQualifier<'a> {
    pub(super) fn of(qualifier: &'a Qualifier) -> Result<StoredQualifier<'a>, RecordError> {
        let caveat = qualifier.caveat.as_ref().map(StoredCaveat::of).transpose()?;
        Ok(StoredQualifier { caveat, expires_at: qualifier.expires_at.map(StoredTime::of) })
    }

    pub(super) fn read(&self) -> Result<Arc<Qualifier>, String> {
        let caveat = self.caveat.as_ref().map(StoredCaveat::read).transpose()?;
        let expires_at = self.expires_at.map(StoredTime::read).transpose()?;
        if caveat.is_none() && expires_at.is_none() {
            return Err("qualifier holds neither caveat nor expiry".to_owned());
        }
        Ok(Arc::new(Qualifier { caveat, expires_at }))
    }
}

impl<'a> StoredCaveat<'a> {
    fn of(caveat: &'a CaveatRef) -> Result<StoredCaveat<'a>, RecordError> {
        Ok(StoredCaveat {
            name: Cow::Borrowed(&caveat.name),
            context_json: Cow::Owned(context_text(&caveat.context)?),
        })
    }

    fn read(&self) -> Result<CaveatRef, String> {
        Ok(CaveatRef {
            name: SmolStr::new(&self.name),
            context: codec::context_from_json(&self.context_json)?,
        })
    }
}

/// A context as JSON text.
pub(super) fn context_text(context: &Context) -> Result<String, RecordError> {
    codec::context_to_json(context).ok_or(RecordError::ContextTooDeep { max: codec::CONTEXT_DEPTH_MAX })
}
