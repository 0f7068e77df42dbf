//! The text form of objects, subjects and relationships, as files, the command line and assertions use it:
//! `type:id#relation@type:id[#relation][\[caveat[:{json}]\]][\[expiration:RFC3339\]]`.

use smol_str::SmolStr;

use crate::names;
use crate::relationship::{CaveatRef, Context, ObjectRef, Relationship, SubjectRef, WILDCARD_ID};
use crate::timestamp::Timestamp;

/// Longest relationship text that is read, in bytes: the sum of its parts' limits, caveat context included.
pub const RELATIONSHIP_TEXT_MAX_BYTES: usize = 64 * 1024;

/// The relation text that means "the object itself".
const ELLIPSIS: &str = "...";

/// A text that is not a relationship, object or subject, with the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} in `{shown}`")]
pub struct InvalidText {
    /// What is wrong.
    pub message: String,
    /// The text, cut to 200 characters.
    pub shown: String,
}

fn invalid(text: &str, message: impl Into<String>) -> InvalidText {
    InvalidText { message: message.into(), shown: text.chars().take(200).collect() }
}

/// Reads `type:id`. The id must be that of one object.
pub fn parse_object(text: &str) -> Result<ObjectRef, InvalidText> {
    let object = parse_object_or_wildcard(text, text)?;
    if object.is_wildcard() {
        return Err(invalid(text, "the wildcard `*` is not allowed here"));
    }
    Ok(object)
}

/// Reads `type:id`, `type:*` or `type:id#relation`; `#...` is the object itself.
pub fn parse_subject(text: &str) -> Result<SubjectRef, InvalidText> {
    parse_subject_in(text, text)
}

/// Reads `type:id#relation`, as assertions and expected relations name a resource's permission.
pub fn parse_object_relation(text: &str) -> Result<(ObjectRef, SmolStr), InvalidText> {
    let (object, relation) =
        text.split_once('#').ok_or_else(|| invalid(text, "expected `#` and a relation after the object"))?;
    names::check_relation(relation).map_err(|error| invalid(text, error.to_string()))?;
    let object = parse_object(object).map_err(|error| invalid(text, error.message))?;
    Ok((object, relation.into()))
}

/// Reads a relationship with its optional caveat and expiry.
pub fn parse_relationship(text: &str) -> Result<Relationship, InvalidText> {
    if text.len() > RELATIONSHIP_TEXT_MAX_BYTES {
        let message = format!(
            "the relationship is {} bytes long; at most {RELATIONSHIP_TEXT_MAX_BYTES} are allowed",
            text.len()
        );
        return Err(invalid(text, message));
    }
    let (edge, attributes) = match text.find('[') {
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at..).unwrap_or("")),
        None => (text, ""),
    };
    let (resource, subject) =
        edge.split_once('@').ok_or_else(|| invalid(text, "expected `@` between resource and subject"))?;
    let (resource, relation) = resource
        .split_once('#')
        .ok_or_else(|| invalid(text, "expected `#` and a relation after the resource"))?;
    names::check_relation(relation).map_err(|error| invalid(text, error.to_string()))?;
    let resource = parse_object_or_wildcard(resource, text)?;
    if resource.is_wildcard() {
        return Err(invalid(text, "the resource id must not be the wildcard `*`"));
    }
    let subject = parse_subject_in(subject, text)?;
    let (caveat, expires_at) = parse_attributes(attributes, text)?;
    Ok(Relationship { resource, relation: relation.into(), subject, caveat, expires_at })
}

fn parse_object_or_wildcard(text: &str, whole: &str) -> Result<ObjectRef, InvalidText> {
    let (object_type, object_id) =
        text.split_once(':').ok_or_else(|| invalid(whole, format!("expected `type:id`, found `{text}`")))?;
    names::check_object_type(object_type).map_err(|error| invalid(whole, error.to_string()))?;
    if object_id != WILDCARD_ID {
        names::check_object_id(object_id).map_err(|error| invalid(whole, error.to_string()))?;
    }
    Ok(ObjectRef::new(object_type, object_id))
}

fn parse_subject_in(text: &str, whole: &str) -> Result<SubjectRef, InvalidText> {
    let (object, relation) = match text.split_once('#') {
        None | Some((_, ELLIPSIS)) => (text.split('#').next().unwrap_or(text), None),
        Some((object, relation)) => (object, Some(relation)),
    };
    let object = parse_object_or_wildcard(object, whole)?;
    let Some(relation) = relation else { return Ok(SubjectRef { object, relation: None }) };
    names::check_relation(relation).map_err(|error| invalid(whole, error.to_string()))?;
    if object.is_wildcard() {
        return Err(invalid(whole, "a wildcard subject takes no relation"));
    }
    Ok(SubjectRef { object, relation: Some(relation.into()) })
}

fn parse_attributes(text: &str, whole: &str) -> Result<(Option<CaveatRef>, Option<Timestamp>), InvalidText> {
    let (mut caveat, mut expires_at, mut rest) = (None, None, text);
    if let Some(after) = rest.strip_prefix('[').filter(|after| !after.starts_with("expiration:")) {
        let (read, remaining) = parse_caveat(after, whole)?;
        caveat = Some(read);
        rest = remaining;
    }
    if let Some(after) = rest.strip_prefix("[expiration:") {
        let (instant, remaining) =
            after.split_once(']').ok_or_else(|| invalid(whole, "expected `]` after the expiration"))?;
        expires_at = Some(Timestamp::parse(instant).map_err(|error| invalid(whole, error.to_string()))?);
        rest = remaining;
    }
    if !rest.is_empty() {
        return Err(invalid(
            whole,
            format!("unexpected `{}` after the relationship", rest.chars().take(20).collect::<String>()),
        ));
    }
    Ok((caveat, expires_at))
}

/// Reads `name]` or `name:{json}]` and returns what follows.
fn parse_caveat<'a>(text: &'a str, whole: &str) -> Result<(CaveatRef, &'a str), InvalidText> {
    let end = text.find([':', ']']).ok_or_else(|| invalid(whole, "expected `]` after the caveat"))?;
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    names::check_caveat_name(name).map_err(|error| invalid(whole, error.to_string()))?;
    let (context, rest) = match rest.strip_prefix(':') {
        None => (Context::new(), rest),
        Some(json) => {
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<Context>();
            let context = match values.next() {
                Some(Ok(context)) => context,
                Some(Err(error)) => {
                    return Err(invalid(whole, format!("the caveat context is no JSON object: {error}")));
                }
                None => return Err(invalid(whole, "expected a JSON object after `:`")),
            };
            (context, json.get(values.byte_offset()..).unwrap_or(""))
        }
    };
    let rest = rest.strip_prefix(']').ok_or_else(|| invalid(whole, "expected `]` after the caveat"))?;
    Ok((CaveatRef { name: name.into(), context }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_is_read_back() {
        for text in [
            "document:readme#viewer@user:alice",
            "docs/document:a/b|c#viewer@group:eng#member",
            "document:readme#viewer@user:*",
            "document:readme#viewer@user:alice[on_weekdays]",
            "document:readme#viewer@user:alice[limit:{\"max\":3,\"tags\":[\"a]\",\"b\"]}]",
            "document:readme#viewer@user:alice[expiration:2030-01-01T00:00:00Z]",
            "document:readme#viewer@user:alice[limit:{\"max\":3}][expiration:2030-01-01T00:00:00Z]",
        ] {
            assert_eq!(parse_relationship(text).unwrap().to_string(), text);
        }
        let ellipsis = parse_relationship("document:readme#viewer@user:alice#...").unwrap();
        assert_eq!(ellipsis.subject.relation, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("document:readme#viewer", "`@`"),
            ("document:readme@user:alice", "`#`"),
            ("readme#viewer@user:alice", "type:id"),
            ("document:*#viewer@user:alice", "wildcard"),
            ("document:readme#viewer@user:*#member", "wildcard"),
            ("document:readme#vi@user:alice", "`vi`"),
            ("document:readme#viewer@user:alice[", "caveat"),
            ("document:readme#viewer@user:alice[cav:3]", "JSON"),
            ("document:readme#viewer@user:alice[expiration:never]", "never"),
            ("document:readme#viewer@user:alice[cav]x", "unexpected"),
        ] {
            let error = parse_relationship(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = parse_relationship(&text);
            let _ = parse_subject(&text);
            let _ = parse_object_relation(&text);
        }

        #[test]
        fn near_relationships_never_panic_and_round_trip(text in "[a-c]{2,4}:[a*]#[a-c]{3}@[a-c]{3}:[a*](#[.a-c]{3})?(\\[[a-c:{}\"1\\]]{0,9})?") {
            if let Ok(relationship) = parse_relationship(&text) {
                prop_assert_eq!(parse_relationship(&relationship.to_string()).unwrap(), relationship);
            }
        }
    }
}
