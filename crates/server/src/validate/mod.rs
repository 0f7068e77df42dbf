//! Every request against the rules of the interface: required messages, patterns, sizes, enums.
//!
//! Each function looks at one request and names the first field that is wrong, its value and the bound. What needs
//! the schema or the data is not looked at here.

mod authority;
mod check;
mod names;
mod path;
mod references;
mod relationships;
mod watch;

pub(crate) use authority::{authority_question, authority_reading, lookup_resources_as, lookup_subjects_as};
pub(crate) use check::{
    bulk_check, bulk_check_item, check_permission, expand, lookup_resources, lookup_subjects,
    no_wildcard_with_relation,
};
pub(crate) use path::Path;
pub(crate) use relationships::{counter_name, delete, export, import, read, register_counter, write};
pub(crate) use watch::{watch, write_schema};

/// A field outside its grammar or limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The path of the field, as `updates[3].relationship.relation`.
    pub(crate) field: String,
    /// What is wrong, with the value and the bound.
    pub(crate) description: String,
}

/// Fine, or the first field that is not.
pub(crate) type Checked = Result<(), Invalid>;

impl Invalid {
    /// The value at `path` is wrong.
    pub(crate) fn at(path: Path<'_>, description: impl Into<String>) -> Invalid {
        Invalid { field: path.to_string(), description: description.into() }
    }
}

/// The message at `path`, which must be there.
fn required<'a, T>(path: Path<'_>, value: Option<&'a T>) -> Result<&'a T, Invalid> {
    value.ok_or_else(|| Invalid::at(path, "a value is required"))
}

/// A number that names a value of an enum other than 0.
fn defined<E: TryFrom<i32>>(path: Path<'_>, number: i32) -> Result<E, Invalid> {
    match E::try_from(number) {
        Ok(value) if number != 0 => Ok(value),
        _ => Err(Invalid::at(path, format!("`{number}` is not one of the defined values other than 0"))),
    }
}
