//! Watch and schema requests.

use pemba_model::limits::SCHEMA_MAX_BYTES;
use pemba_proto::authzed::api::v1::{WatchKind, WatchRequest, WriteSchemaRequest};

use super::rule::{Rule, WATCHED_TYPE};
use super::{Checked, Found, Invalid, Path, names, references};

/// Most object types or filters of one watch: each is compared with each change.
const WATCH_SELECTORS_MAX: usize = 1000;

pub(crate) fn watch(request: &WatchRequest) -> Checked {
    let root = Path::Root;
    for (name, count) in [
        ("optional_object_types", request.optional_object_types.len()),
        ("optional_relationship_filters", request.optional_relationship_filters.len()),
        ("optional_update_kinds", request.optional_update_kinds.len()),
    ] {
        if count > WATCH_SELECTORS_MAX {
            let message = format!("{count} elements are given; at most {WATCH_SELECTORS_MAX} are allowed");
            return Err(Invalid::at(root.field(name), message));
        }
    }
    let mut found = Found::in_message("authzed.api.v1.WatchRequest");
    for (index, object_type) in request.optional_object_types.iter().enumerate() {
        names::text(&mut found, root.item("optional_object_types", index), &WATCHED_TYPE, object_type);
    }
    if let Some(token) = &request.optional_start_cursor {
        names::token(&mut found, root.field("optional_start_cursor").field("token"), &token.token);
    }
    for (index, filter) in request.optional_relationship_filters.iter().enumerate() {
        references::filter(&mut found, root.item("optional_relationship_filters", index), filter);
    }
    found.checked()?;
    for (index, kind) in request.optional_update_kinds.iter().enumerate() {
        if WatchKind::try_from(*kind).is_err() {
            let message = format!("`{kind}` is not one of the defined values");
            return Err(Invalid::at(root.item("optional_update_kinds", index), message));
        }
    }
    if !request.optional_object_types.is_empty() && !request.optional_relationship_filters.is_empty() {
        let message = "object types are given too; only one of `optional_object_types` and \
                       `optional_relationship_filters` is allowed";
        return Err(Invalid::at(root.field("optional_relationship_filters"), message));
    }
    Ok(())
}

pub(crate) fn write_schema(request: &WriteSchemaRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.WriteSchemaRequest");
    let size = request.schema.len();
    if size > SCHEMA_MAX_BYTES {
        let message = format!("the text is {size} bytes long; at most {SCHEMA_MAX_BYTES} are allowed");
        found.breaks(Path::Root.field("schema"), Rule::MaxBytes(SCHEMA_MAX_BYTES), message);
    }
    found.checked()
}
