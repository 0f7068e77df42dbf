//! Whom a client may name as the principal it speaks for.

use std::str::FromStr;

use pemba_model::text::{InvalidText, parse_subject};
use pemba_model::{ObjectRef, SmolStr};
use rustc_hash::FxHashSet;

/// Most patterns in one list.
pub const PATTERNS_MAX: usize = 10_000;

/// Some principals.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: all.
    All,
    /// `type:*`: all of a type.
    Type(SmolStr),
    /// `type:id`: this one.
    Object(ObjectRef),
}

/// A union of patterns; empty covers nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patterns {
    all: bool,
    types: FxHashSet<SmolStr>,
    objects: FxHashSet<ObjectRef>,
}

/// Whom a client may name besides itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MayAssert {
    /// Principals whose authority may be used: the subject of a check is one.
    pub roots: Patterns,
    /// Principals who may be said to act.
    pub actors: Patterns,
}

impl FromStr for Pattern {
    type Err = InvalidText;

    /// Reads `type:id`, `type:*` or `*`.
    fn from_str(text: &str) -> Result<Pattern, InvalidText> {
        if text == "*" {
            return Ok(Pattern::All);
        }
        let subject = parse_subject(text)?;
        if subject.relation.is_some() {
            let message = "a pattern is `type:id`, `type:*` or `*`, without a relation".to_owned();
            return Err(InvalidText { message, shown: text.chars().take(200).collect() });
        }
        let object = subject.object;
        Ok(if object.is_wildcard() { Pattern::Type(object.object_type) } else { Pattern::Object(object) })
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Patterns {
        let mut union = Patterns::default();
        for pattern in patterns {
            match pattern {
                Pattern::All => union.all = true,
                Pattern::Type(object_type) => {
                    union.types.insert(object_type);
                }
                Pattern::Object(object) => {
                    union.objects.insert(object);
                }
            }
        }
        union
    }
}

impl Patterns {
    /// Whether a pattern covers the principal.
    pub fn cover(&self, principal: &ObjectRef) -> bool {
        self.all
            || self.types.contains(&principal.object_type)
            || !self.objects.is_empty() && self.objects.contains(principal)
    }
}

impl MayAssert {
    /// Everybody, as root and as actor.
    pub fn everybody() -> MayAssert {
        let all = || Patterns::from_iter([Pattern::All]);
        MayAssert { roots: all(), actors: all() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        texts.iter().map(|text| text.parse::<Pattern>().unwrap()).collect()
    }

    #[test]
    fn a_pattern_covers_what_it_says_and_nothing_else() {
        let (ada, bob, bot) =
            (ObjectRef::new("user", "ada"), ObjectRef::new("user", "bob"), ObjectRef::new("agent", "ada"));
        let covered = |texts: &[&str]| [&ada, &bob, &bot].map(|principal| patterns(texts).cover(principal));
        assert_eq!(covered(&[]), [false, false, false]);
        assert_eq!(covered(&["*"]), [true, true, true]);
        assert_eq!(covered(&["user:*"]), [true, true, false]);
        assert_eq!(covered(&["user:ada"]), [true, false, false]);
        assert_eq!(covered(&["user:bob", "agent:*"]), [false, true, true]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "user", "user:", "user:a b", "user:ada#friends", "**", "us*:ada", "user:a*"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
