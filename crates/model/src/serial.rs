//! The nouns in self-describing formats: each as its text form, so that a stored record reads like a relationship does.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::text;
use crate::timestamp::Timestamp;

fn read<'de, D, T, E>(deserializer: D, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

macro_rules! as_text {
    ($noun:ty, $parse:path) => {
        impl Serialize for $noun {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $noun {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$noun, D::Error> {
                read(deserializer, $parse)
            }
        }
    };
}

as_text!(ObjectRef, text::parse_object);
as_text!(SubjectRef, text::parse_subject);
as_text!(Relationship, text::parse_relationship);
as_text!(Timestamp, Timestamp::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_read_back_as_they_were_written() {
        let text =
            r#"doc:a#viewer@group:b#member[over:{"limit":3}][expiration:2027-01-02T03:04:05.000000006Z]"#;
        let relationship = text::parse_relationship(text).unwrap();
        let json = serde_json::to_string(&relationship).unwrap();
        assert_eq!(serde_json::from_str::<Relationship>(&json).unwrap(), relationship);
        let object = ObjectRef::new("docs/doc", "a|b");
        assert_eq!(serde_json::to_string(&object).unwrap(), r#""docs/doc:a|b""#);
        assert_eq!(serde_json::from_str::<ObjectRef>(r#""docs/doc:a|b""#).unwrap(), object);
        let subject = SubjectRef::userset("group", "x", "member");
        assert_eq!(
            serde_json::from_str::<SubjectRef>(&serde_json::to_string(&subject).unwrap()).unwrap(),
            subject
        );
        let instant = Timestamp::new(1_800_000_000, 7).unwrap();
        assert_eq!(
            serde_json::from_str::<Timestamp>(&serde_json::to_string(&instant).unwrap()).unwrap(),
            instant
        );
        assert!(serde_json::from_str::<ObjectRef>(r#""no object""#).is_err());
    }
}
