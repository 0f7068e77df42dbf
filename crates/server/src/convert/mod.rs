//! Between the wire's messages and the model's nouns. Requests come here after `validate` has passed them.

pub(crate) mod context;
mod proto_text;
pub(crate) mod reflection;
mod relationship;
mod trace;
mod trace_condition;
mod tree;

pub(crate) use relationship::{
    filter, filtered_text, object, object_to_wire, preconditions, relationship, relationship_to_wire,
    subject, subject_to_wire, timestamp, timestamp_to_wire, update, updated_to_wire,
};
pub(crate) use trace::Tracing;
pub(crate) use tree::tree_to_wire;

use pemba_model::{Context, SmolStr};
use pemba_proto::authzed::api::v1::PartialCaveatInfo;
use prost_types::Struct;

use crate::validate::{Invalid, Path};

/// The empty text is how the wire says "none".
pub(crate) fn optional(text: &str) -> Option<SmolStr> {
    if text.is_empty() { None } else { Some(SmolStr::new(text)) }
}

/// A context at `path`; absent means none.
pub(crate) fn optional_context(path: Path<'_>, context: Option<&Struct>) -> Result<Option<Context>, Invalid> {
    context
        .map(|context| {
            self::context::from_wire(context).map_err(|error| Invalid::at(path, error.to_string()))
        })
        .transpose()
}

/// The parameters a conditional answer misses; `None` for a definite one.
pub(crate) fn partial_caveat_info(missing: &[SmolStr]) -> Option<PartialCaveatInfo> {
    if missing.is_empty() {
        return None;
    }
    Some(PartialCaveatInfo { missing_required_context: missing.iter().map(ToString::to_string).collect() })
}
