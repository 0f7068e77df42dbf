//! The ids of records that nobody names: 128 bits, drawn by the caller, with a prefix that says what they stand for.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not an id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not an id of a {what}: expected `{prefix}` and 32 hexadecimal digits")]
pub struct InvalidId {
    /// What was expected: "delegation", "session", "approval".
    pub what: &'static str,
    /// How its ids begin.
    pub prefix: &'static str,
    /// The text, cut to 64 characters.
    pub shown: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// Reads the text form.
            pub fn parse(text: &str) -> Result<$name, InvalidId> {
                text.strip_prefix($prefix)
                    .filter(|digits| digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|digits| u128::from_str_radix(digits, 16).ok())
                    .map($name)
                    .ok_or_else(|| InvalidId {
                        what: $what,
                        prefix: $prefix,
                        shown: text.chars().take(64).collect(),
                    })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:032x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                $name::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

id!(
    /// A delegation's id, `dlg_` and 32 hexadecimal digits.
    DelegationId, "delegation", "dlg_"
);
id!(
    /// A session's id, `ses_` and 32 hexadecimal digits.
    SessionId, "session", "ses_"
);
id!(
    /// An approval's id, `apr_` and 32 hexadecimal digits.
    ApprovalId, "approval", "apr_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_text_form() {
        let id = DelegationId(0xab);
        assert_eq!(id.to_string(), "dlg_000000000000000000000000000000ab");
        assert_eq!(DelegationId::parse(&id.to_string()), Ok(id));
        for bad in [
            "",
            "dlg_",
            "dlg_ab",
            "ses_000000000000000000000000000000ab",
            "dlg_000000000000000000000000000000AB",
            "dlg_+00000000000000000000000000000ab",
        ] {
            assert!(DelegationId::parse(bad).is_err(), "{bad}");
        }
    }
}
