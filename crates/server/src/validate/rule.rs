//! The rules of the interface as its clients know them: names, patterns, sizes, and how an error tells of one.

use pemba_model::limits::{
    CAVEAT_NAME_MAX_BYTES, OBJECT_ID_MAX_BYTES, OBJECT_TYPE_MAX_BYTES, RELATION_MAX_BYTES,
};
use pemba_model::{InvalidName, WILDCARD_ID, names};
use pemba_proto::buf::validate::field_path_element::Subscript;
use pemba_proto::buf::validate::{FieldPath, FieldPathElement, Violation};
use prost_types::field_descriptor_proto::Type;

use super::path::Step;
use crate::descriptors;

/// A rule that a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// A message must be given.
    Required,
    /// One member of a oneof must be given.
    OneRequired,
    /// Only `true` may be given.
    True,
    /// A number that names a value of the enum.
    Defined,
    /// Not the value 0 of the enum.
    NotZero,
    /// Text of at least this many bytes.
    MinBytes(usize),
    /// Text of at most this many bytes.
    MaxBytes(usize),
    /// Text of this pattern.
    Pattern(&'static str),
}

/// A step into the rules of a field: number, name, type.
type RuleStep = (i32, &'static str, Type);

const STRING: RuleStep = (14, "string", Type::Message);
const ENUM: RuleStep = (16, "enum", Type::Message);
/// Where the rules of a list's elements stand.
const OF_ELEMENTS: [RuleStep; 2] = [(18, "repeated", Type::Message), (4, "items", Type::Message)];

impl Rule {
    fn id(self) -> &'static str {
        match self {
            Rule::Required | Rule::OneRequired => "required",
            Rule::True => "bool.const",
            Rule::Defined => "enum.defined_only",
            Rule::NotZero => "enum.not_in",
            Rule::MinBytes(_) => "string.min_bytes",
            Rule::MaxBytes(_) => "string.max_bytes",
            Rule::Pattern(_) => "string.pattern",
        }
    }

    /// The wording that clients know.
    fn message(self) -> String {
        match self {
            Rule::Required => "value is required".to_owned(),
            Rule::OneRequired => "exactly one field is required in oneof".to_owned(),
            Rule::True => "must equal true".to_owned(),
            Rule::Defined => "value must be one of the defined enum values".to_owned(),
            Rule::NotZero => "must not be in list [0]".to_owned(),
            Rule::MinBytes(bytes) => format!("must be at least {bytes} bytes"),
            Rule::MaxBytes(bytes) => format!("must be at most {bytes} bytes"),
            Rule::Pattern(pattern) => format!("does not match regex pattern `{pattern}`"),
        }
    }

    /// Where the rule stands; empty for one that is about no field.
    fn steps(self) -> Vec<RuleStep> {
        match self {
            Rule::Required => vec![(25, "required", Type::Bool)],
            Rule::OneRequired => Vec::new(),
            Rule::True => vec![(13, "bool", Type::Message), (1, "const", Type::Bool)],
            Rule::Defined => vec![ENUM, (2, "defined_only", Type::Bool)],
            Rule::NotZero => vec![ENUM, (4, "not_in", Type::Int32)],
            Rule::MinBytes(_) => vec![STRING, (4, "min_bytes", Type::Uint64)],
            Rule::MaxBytes(_) => vec![STRING, (5, "max_bytes", Type::Uint64)],
            Rule::Pattern(_) => vec![STRING, (6, "pattern", Type::String)],
        }
    }

    fn is_about_text(self) -> bool {
        matches!(self, Rule::MinBytes(_) | Rule::MaxBytes(_) | Rule::Pattern(_))
    }

    /// The rule broken at the end of `steps` into the message of that full name.
    pub(super) fn violation(self, message: &str, steps: &[Step]) -> Violation {
        let is_element = self.is_about_text() && steps.last().is_some_and(|step| step.index.is_some());
        let rules = OF_ELEMENTS.into_iter().filter(|_| is_element).chain(self.steps());
        let rules: Vec<FieldPathElement> = rules
            .map(|(number, name, of_type)| FieldPathElement {
                field_number: Some(number),
                field_name: Some(name.to_owned()),
                field_type: Some(of_type.into()),
                ..Default::default()
            })
            .collect();
        Violation {
            field: Some(FieldPath { elements: elements(message, steps) }),
            rule: (!rules.is_empty()).then_some(FieldPath { elements: rules }),
            rule_id: Some(self.id().to_owned()),
            message: Some(self.message()),
            for_key: None,
        }
    }
}

/// The steps with what the descriptors say of their fields; of a oneof they say nothing but the name.
fn elements(message: &str, steps: &[Step]) -> Vec<FieldPathElement> {
    let mut at = descriptors::message(message);
    let element = |step: &Step| {
        let field = at.take().and_then(|message| message.get_field_by_name(step.name));
        at = field.as_ref().and_then(|field| field.kind().as_message().cloned());
        FieldPathElement {
            field_number: field.as_ref().and_then(|field| i32::try_from(field.number()).ok()),
            field_name: Some(step.name.to_owned()),
            field_type: field.map(|field| field.field_descriptor_proto().r#type().into()),
            subscript: step.index.map(|index| Subscript::Index(u64::try_from(index).unwrap_or(u64::MAX))),
            ..Default::default()
        }
    };
    steps.iter().map(element).collect()
}

/// A kind of text: its pattern and size, as clients know them, and what is said of a text that is outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    pattern: &'static str,
    max_bytes: usize,
    /// Whether a text of any size has the pattern.
    matches: fn(&str) -> bool,
    check: fn(&str) -> Result<(), InvalidName>,
}

impl Grammar {
    /// The rules that a text breaks, the size first, and what is wrong with it.
    pub(super) fn broken(&self, text: &str) -> Option<(impl Iterator<Item = Rule>, InvalidName)> {
        let error = (self.check)(text).err()?;
        let size = (text.len() > self.max_bytes).then_some(Rule::MaxBytes(self.max_bytes));
        let pattern = (!(self.matches)(text)).then_some(Rule::Pattern(self.pattern));
        Some((size.into_iter().chain(pattern), error))
    }
}

fn or_empty(text: &str, matches: fn(&str) -> bool) -> bool {
    text.is_empty() || matches(text)
}

fn check_or_empty(text: &str, check: fn(&str) -> Result<(), InvalidName>) -> Result<(), InvalidName> {
    if text.is_empty() { Ok(()) } else { check(text) }
}

/// An object type of any size.
fn is_type(text: &str) -> bool {
    let (prefixes, name) = text.rsplit_once('/').map_or((None, text), |(all, name)| (Some(all), name));
    let is_prefix = |part: &str| names::is_relation(part) && part.len() < RELATION_MAX_BYTES;
    names::is_relation(name) && prefixes.is_none_or(|prefixes| prefixes.split('/').all(is_prefix))
}

/// The id of one object, of any size.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(names::is_object_id_byte)
}

fn is_id_or_wildcard(text: &str) -> bool {
    text == WILDCARD_ID || is_id(text)
}

fn check_id_or_wildcard(text: &str) -> Result<(), InvalidName> {
    if text == WILDCARD_ID { Ok(()) } else { names::check_object_id(text) }
}

pub(super) const OBJECT_TYPE: Grammar = Grammar {
    pattern: "^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$",
    max_bytes: OBJECT_TYPE_MAX_BYTES,
    matches: is_type,
    check: names::check_object_type,
};

/// As clients know it, though a segment of 64 before a `/` makes no type.
pub(super) const WATCHED_TYPE: Grammar =
    Grammar { pattern: "^([a-z][a-z0-9_]{1,62}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$", ..OBJECT_TYPE };

pub(super) const OPTIONAL_OBJECT_TYPE: Grammar = Grammar {
    pattern: "^(([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9])?$",
    max_bytes: OBJECT_TYPE_MAX_BYTES,
    matches: |text| or_empty(text, is_type),
    check: |text| check_or_empty(text, names::check_object_type),
};

pub(super) const RELATION: Grammar = Grammar {
    pattern: "^[a-z][a-z0-9_]{1,62}[a-z0-9]$",
    max_bytes: RELATION_MAX_BYTES,
    matches: names::is_relation,
    check: names::check_relation,
};

pub(super) const OPTIONAL_RELATION: Grammar = Grammar {
    pattern: "^([a-z][a-z0-9_]{1,62}[a-z0-9])?$",
    max_bytes: RELATION_MAX_BYTES,
    matches: |text| or_empty(text, names::is_relation),
    check: |text| check_or_empty(text, names::check_relation),
};

/// The id of one object, or the wildcard: where it may not stand is decided by the request.
pub(super) const OBJECT_ID: Grammar = Grammar {
    pattern: r"^(([a-zA-Z0-9/_|\-=+]{1,})|\*)$",
    max_bytes: OBJECT_ID_MAX_BYTES,
    matches: is_id_or_wildcard,
    check: check_id_or_wildcard,
};

/// What a filter says of a resource's id; the wildcard is no resource.
pub(super) const OPTIONAL_RESOURCE_ID: Grammar = Grammar {
    pattern: r"^([a-zA-Z0-9/_|\-=+]{1,})?$",
    max_bytes: OBJECT_ID_MAX_BYTES,
    matches: |text| or_empty(text, is_id),
    check: |text| check_or_empty(text, names::check_object_id),
};

/// What a filter says of a subject's id.
pub(super) const OPTIONAL_SUBJECT_ID: Grammar = Grammar {
    pattern: r"^(([a-zA-Z0-9/_|\-=+]{1,})|\*)?$",
    max_bytes: OBJECT_ID_MAX_BYTES,
    matches: |text| or_empty(text, is_id_or_wildcard),
    check: |text| check_or_empty(text, check_id_or_wildcard),
};

pub(super) const CAVEAT_NAME: Grammar = Grammar {
    pattern: "^([a-zA-Z0-9_][a-zA-Z0-9/_|-]{0,127})$",
    max_bytes: CAVEAT_NAME_MAX_BYTES,
    matches: names::is_caveat_name,
    check: names::check_caveat_name,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_break_two_rules() {
        let broken = |grammar: Grammar, text: &str| -> Vec<&str> {
            grammar.broken(text).map(|(rules, _)| rules.map(Rule::id).collect()).unwrap_or_default()
        };
        let (size, pattern) = ("string.max_bytes", "string.pattern");
        assert_eq!(broken(RELATION, &"a".repeat(65)), [size, pattern]);
        assert_eq!(broken(OBJECT_TYPE, &["abcdefgh"; 20].join("/")), [size]);
        assert_eq!(broken(OBJECT_TYPE, &["abcdefgh"; 20].join("//")), [size, pattern]);
        assert_eq!(broken(OBJECT_ID, &"a".repeat(1025)), [size]);
        assert_eq!(broken(OBJECT_ID, ""), [pattern]);
        assert_eq!(broken(CAVEAT_NAME, &"a".repeat(129)), [size, pattern]);
        for grammar in [OPTIONAL_OBJECT_TYPE, OPTIONAL_RELATION, OPTIONAL_RESOURCE_ID, OPTIONAL_SUBJECT_ID] {
            assert!(broken(grammar, "").is_empty());
            assert_eq!(broken(grammar, "!"), [pattern]);
        }
        assert!(broken(OPTIONAL_SUBJECT_ID, "*").is_empty());
        assert_eq!(broken(OPTIONAL_RESOURCE_ID, "*"), [pattern]);
    }

    #[test]
    fn elements_of_lists_have_rules_of_their_own() {
        let steps = [Step { name: "optional_object_types", index: Some(2) }];
        let violation = OBJECT_TYPE.broken("D").unwrap().0.next().unwrap();
        let violation = violation.violation("authzed.api.v1.WatchRequest", &steps);
        let names: Vec<String> =
            violation.rule.unwrap().elements.into_iter().filter_map(|element| element.field_name).collect();
        assert_eq!(names, ["repeated", "items", "string", "pattern"]);
        let field = violation.field.unwrap().elements.remove(0);
        assert_eq!((field.field_number, field.field_type()), (Some(1), Type::String));
        assert_eq!(field.subscript, Some(Subscript::Index(2)));
    }
}
