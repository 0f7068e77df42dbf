//! Watch and schema requests.

use pemba_model::limits::SCHEMA_MAX_BYTES;
use pemba_proto::authzed::api::v1::{WatchKind, WatchRequest, WriteSchemaRequest};

use super::{Checked, Invalid, Path, names, references};

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
    for (index, object_type) in request.optional_object_types.iter().enumerate() {
        names::object_type(root.item("optional_object_types", index), object_type)?;
    }
    if let Some(token) = &request.optional_start_cursor {
        names::token(root.field("optional_start_cursor").field("token"), &token.token)?;
    }
    for (index, filter) in request.optional_relationship_filters.iter().enumerate() {
        references::filter(root.item("optional_relationship_filters", index), filter)?;
    }
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
    let size = request.schema.len();
    if size > SCHEMA_MAX_BYTES {
        let message = format!("the text is {size} bytes long; at most {SCHEMA_MAX_BYTES} are allowed");
        return Err(Invalid::at(Path::Root.field("schema"), message));
    }
    Ok(())
}
