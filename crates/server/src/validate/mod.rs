//! Every request against the rules of the interface: required messages, patterns, sizes, enums.
//!
//! Each function looks at one request and names every field that breaks a rule, its value and the bound; what is no rule
//! of one field is looked at after that, up to the first fault. What needs the schema or the data is not looked at here.

mod authority;
mod check;
mod found;
mod names;
mod path;
mod references;
mod relationships;
mod rule;
mod watch;

pub(crate) use authority::{authority_question, authority_reading, lookup_resources_as, lookup_subjects_as};
pub(crate) use check::{
    bulk_check, bulk_check_item, check_permission, expand, lookup_resources, lookup_subjects,
    no_wildcard_with_relation,
};
pub(crate) use found::{Fault, Found, Invalid};
pub(crate) use path::Path;
pub(crate) use relationships::{counter_name, delete, export, import, read, register_counter, write};
pub(crate) use watch::{watch, write_schema};

use rule::Rule;

/// Fine, or what is not.
pub(crate) type Checked = Result<(), Invalid>;

/// The message at `path`, which must be there.
fn required<'a, T>(found: &mut Found, path: Path<'_>, value: Option<&'a T>) -> Option<&'a T> {
    if value.is_none() {
        found.breaks(path, Rule::Required, "a value is required");
    }
    value
}

/// A number that names a value of an enum other than 0.
fn defined<E: TryFrom<i32>>(found: &mut Found, path: Path<'_>, number: i32) {
    let rule = match E::try_from(number) {
        _ if number == 0 => Rule::NotZero,
        Ok(_) => return,
        Err(_) => Rule::Defined,
    };
    found.breaks(path, rule, format!("`{number}` is not one of the defined values other than 0"));
}
