//! Names, ids and opaque texts against their patterns and sizes.

use pemba_model::limits::CURSOR_MAX_BYTES;
use pemba_model::{InvalidName, WILDCARD_ID, names};

use super::{Checked, Invalid, Path};

fn named(path: Path<'_>, result: Result<(), InvalidName>) -> Checked {
    result.map_err(|error| Invalid::at(path, error.to_string()))
}

pub(super) fn object_type(path: Path<'_>, text: &str) -> Checked {
    named(path, names::check_object_type(text))
}

pub(super) fn optional_object_type(path: Path<'_>, text: &str) -> Checked {
    if text.is_empty() { Ok(()) } else { object_type(path, text) }
}

pub(super) fn relation(path: Path<'_>, text: &str) -> Checked {
    named(path, names::check_relation(text))
}

pub(super) fn optional_relation(path: Path<'_>, text: &str) -> Checked {
    if text.is_empty() { Ok(()) } else { relation(path, text) }
}

/// The id of one object, or the wildcard: where it may not stand is decided by the request.
pub(super) fn object_id(path: Path<'_>, text: &str) -> Checked {
    if text == WILDCARD_ID { Ok(()) } else { named(path, names::check_object_id(text)) }
}

/// What a filter says of a resource's id; the wildcard is no resource.
pub(super) fn optional_resource_id(path: Path<'_>, text: &str) -> Checked {
    if text.is_empty() { Ok(()) } else { named(path, names::check_object_id(text)) }
}

/// What a filter says of a subject's id.
pub(super) fn optional_subject_id(path: Path<'_>, text: &str) -> Checked {
    if text.is_empty() { Ok(()) } else { object_id(path, text) }
}

pub(super) fn caveat_name(path: Path<'_>, text: &str) -> Checked {
    named(path, names::check_caveat_name(text))
}

pub(super) fn token(path: Path<'_>, text: &str) -> Checked {
    if text.is_empty() {
        return Err(Invalid::at(path, "the token must be at least 1 byte long, it is empty"));
    }
    Ok(())
}

pub(super) fn cursor(path: Path<'_>, text: &str) -> Checked {
    if (1..=CURSOR_MAX_BYTES).contains(&text.len()) {
        return Ok(());
    }
    let message = format!("the cursor must be 1 to {CURSOR_MAX_BYTES} bytes long, it has {}", text.len());
    Err(Invalid::at(path, message))
}
