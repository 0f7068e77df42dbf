//! The grammars of names and ids, each as a predicate and as a check that says what is wrong.

use crate::limits::{CAVEAT_NAME_MAX_BYTES, OBJECT_ID_MAX_BYTES, OBJECT_TYPE_MAX_BYTES, RELATION_MAX_BYTES};

/// Longest part of a bad value that an error repeats, in characters.
const SHOWN_MAX_CHARS: usize = 64;

/// A name or id outside its grammar or its size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{shown}` {reason}")]
pub struct InvalidName {
    /// What kind of name was expected: "object type", "relation", "object id", "caveat name".
    pub what: &'static str,
    /// The value, cut to 64 characters.
    pub shown: String,
    /// The rule it breaks, with the bound where there is one.
    pub reason: String,
}

impl InvalidName {
    fn new(what: &'static str, value: &str, reason: String) -> Self {
        let mut shown: String = value.chars().take(SHOWN_MAX_CHARS).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        InvalidName { what, shown, reason }
    }
}

fn is_identifier(text: &str, min_bytes: usize, max_bytes: usize) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    (min_bytes..=max_bytes).contains(&bytes.len())
        && first.is_ascii_lowercase()
        && (last.is_ascii_lowercase() || last.is_ascii_digit())
        && all(bytes, |b| b.is_ascii_lowercase() | b.is_ascii_digit() | (b == b'_'))
}

/// Whether all bytes are so. Looks at every one, which takes less than to stop at the first that is not: names are short and mostly
/// fine, and without a branch many are looked at at once.
fn all(bytes: &[u8], is_fine: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |fine, byte| fine & is_fine(*byte))
}

/// Whether `text` is a relation or permission name: 3 to 64 of `[a-z0-9_]`, first a letter, last not `_`.
pub fn is_relation(text: &str) -> bool {
    is_identifier(text, 3, RELATION_MAX_BYTES)
}

/// Whether `text` is an object type: a name, after any number of `prefix/` segments of 3 to 63, at most 128 bytes.
pub fn is_object_type(text: &str) -> bool {
    if text.len() > OBJECT_TYPE_MAX_BYTES {
        return false;
    }
    match text.rsplit_once('/') {
        None => is_identifier(text, 3, 64),
        Some((prefixes, name)) => {
            is_identifier(name, 3, 64) && prefixes.split('/').all(|segment| is_identifier(segment, 3, 63))
        }
    }
}

/// Whether `byte` may occur in an object id.
pub fn is_object_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'/' | b'_' | b'|' | b'-' | b'=' | b'+')
}

/// Whether `text` is the id of one object: 1 to 1024 of `[A-Za-z0-9/_|=+-]`. The wildcard `*` is not.
pub fn is_object_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= OBJECT_ID_MAX_BYTES && all(text.as_bytes(), is_object_id_byte)
}

/// Whether `text` is a caveat name: `[A-Za-z0-9_]`, then up to 127 of `[A-Za-z0-9/_|-]`.
pub fn is_caveat_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    bytes.len() <= CAVEAT_NAME_MAX_BYTES
        && (first.is_ascii_alphanumeric() || *first == b'_')
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'|' | b'-'))
}

/// Checks an object type; the error names the rule.
pub fn check_object_type(text: &str) -> Result<(), InvalidName> {
    if is_object_type(text) {
        return Ok(());
    }
    let reason = if text.len() > OBJECT_TYPE_MAX_BYTES {
        format!("is {} bytes long; at most {OBJECT_TYPE_MAX_BYTES} are allowed", text.len())
    } else {
        "must be names of 3 to 64 of `a-z`, `0-9`, `_` joined by `/`, each starting with a letter and ending with a \
         letter or digit"
            .to_owned()
    };
    Err(InvalidName::new("object type", text, reason))
}

/// Checks a relation or permission name; the error names the rule.
pub fn check_relation(text: &str) -> Result<(), InvalidName> {
    if is_relation(text) {
        return Ok(());
    }
    let reason = if text.len() > RELATION_MAX_BYTES {
        format!("is {} bytes long; at most {RELATION_MAX_BYTES} are allowed", text.len())
    } else {
        "must be 3 to 64 of `a-z`, `0-9`, `_`, starting with a letter and ending with a letter or digit"
            .to_owned()
    };
    Err(InvalidName::new("relation", text, reason))
}

/// Checks the id of one object; `*` is refused.
pub fn check_object_id(text: &str) -> Result<(), InvalidName> {
    if is_object_id(text) {
        return Ok(());
    }
    let reason = if text.len() > OBJECT_ID_MAX_BYTES {
        format!("is {} bytes long; at most {OBJECT_ID_MAX_BYTES} are allowed", text.len())
    } else if text.is_empty() {
        "must not be empty".to_owned()
    } else {
        "may only contain `a-z`, `A-Z`, `0-9`, `/`, `_`, `|`, `-`, `=`, `+`".to_owned()
    };
    Err(InvalidName::new("object id", text, reason))
}

/// Checks a caveat name.
pub fn check_caveat_name(text: &str) -> Result<(), InvalidName> {
    if is_caveat_name(text) {
        return Ok(());
    }
    let reason = format!(
        "must be 1 to {CAVEAT_NAME_MAX_BYTES} of `a-z`, `A-Z`, `0-9`, `/`, `_`, `|`, `-`, starting with a letter, digit or `_`"
    );
    Err(InvalidName::new("caveat name", text, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relation_names_have_three_to_sixty_four_characters() {
        for good in ["abc", "view", "a_b", "a1c", "v2x", &"a".repeat(64)] {
            assert!(is_relation(good), "{good}");
        }
        for bad in ["", "ab", "_abc", "abc_", "Abc", "1bc", "a-c", &"a".repeat(65)] {
            assert!(!is_relation(bad), "{bad}");
        }
    }

    #[test]
    fn object_types_take_prefixes() {
        for good in ["user", "docs/document", "one/two/three", &format!("{}/abc", "p".repeat(63))] {
            assert!(is_object_type(good), "{good}");
        }
        for bad in ["", "us", "/user", "user/", "ab/user", "a//user", &format!("{}/abc", "p".repeat(64))] {
            assert!(!is_object_type(bad), "{bad}");
        }
        assert!(!is_object_type(&["abcdefgh"; 20].join("/")), "longer than 128 bytes");
    }

    #[test]
    fn object_ids_exclude_the_wildcard() {
        assert!(is_object_id("a/b|c-d=e+f_1"));
        assert!(is_object_id(&"x".repeat(1024)));
        for bad in ["", "*", "a b", "ä", &"x".repeat(1025)] {
            assert!(!is_object_id(bad), "{bad}");
        }
    }

    #[test]
    fn errors_name_the_value_and_the_bound() {
        let error = check_object_id(&"x".repeat(2000)).unwrap_err().to_string();
        assert!(error.contains("2000 bytes") && error.contains("1024"), "{error}");
        assert!(error.len() < 300, "the value is cut: {error}");
        assert!(check_relation("ab").unwrap_err().to_string().contains("`ab`"));
    }

    #[test]
    fn caveat_names() {
        assert!(is_caveat_name("_x") && is_caveat_name("ns/cav-1|b"));
        assert!(!is_caveat_name("") && !is_caveat_name("-a") && !is_caveat_name(&"c".repeat(129)));
    }
}
