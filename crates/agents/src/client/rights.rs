//! Rules, compiled so that a question costs three look-ups however many rules there are.

use std::fmt;

use pemba_model::{InvalidName, Relationship, RelationshipFilter, SmolStr, names};
use rustc_hash::FxHashMap;

use super::verb::Verb;

/// Most rules of one client: one bit each of a set.
pub const RULES_MAX: usize = 128;
/// Most names in one list of a rule.
pub const NAMES_MAX: usize = 1000;

/// The rules of one client as bits.
type RuleSet = u128;

/// Which names a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All there are, and all there will be.
    All,
    /// These.
    Only(Vec<SmolStr>),
}

/// What a client may do: these verbs on relationships or permissions that lie in all three selections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// At least one.
    pub verbs: Vec<Verb>,
    /// Types of the resources.
    pub resource_types: Selection,
    /// Relations and permissions.
    pub relations: Selection,
    /// Types of the subjects.
    pub subject_types: Selection,
}

/// The part of the graph that a request is about; `None` means that it is about all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope<'a> {
    /// The type of the resources.
    pub resource_type: Option<&'a str>,
    /// The relation or permission.
    pub relation: Option<&'a str>,
    /// The type of the subjects.
    pub subject_type: Option<&'a str>,
}

/// A rule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// Too many of them.
    #[error("{count} rules are given; at most {RULES_MAX} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// It allows nothing.
    #[error("`{field}` is empty: it would allow nothing")]
    Empty {
        /// The empty list.
        field: &'static str,
    },
    /// A list is too long.
    #[error("`{field}` has {count} names; at most {NAMES_MAX} are allowed")]
    TooManyNames {
        /// The list.
        field: &'static str,
        /// Its length.
        count: usize,
    },
    /// A name outside its grammar.
    #[error("`{field}`: {error}")]
    Name {
        /// The list it is in.
        field: &'static str,
        /// What is wrong.
        error: InvalidName,
    },
    /// A verb about the whole database, narrowed by names, which would not narrow it.
    #[error("`{field}` must be `all` or absent: `{verb}` is about the whole database; use two rules")]
    Unscoped {
        /// The list that says otherwise.
        field: &'static str,
        /// The verb.
        verb: Verb,
    },
}

/// The rules of a client, ready to be asked. Without a rule nothing is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Indexed by verb.
    by_verb: [RuleSet; Verb::ALL.len()],
    resource_types: Index,
    relations: Index,
    subject_types: Index,
}

/// Which rules select a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Index {
    all: RuleSet,
    named: FxHashMap<SmolStr, RuleSet>,
}

impl Rule {
    /// Checks sizes and names. The error names the field.
    pub fn check(&self) -> Result<(), InvalidRule> {
        if self.verbs.is_empty() {
            return Err(InvalidRule::Empty { field: "verbs" });
        }
        let unscoped = self.verbs.iter().copied().find(|verb| !verb.is_scoped());
        let object_type = names::check_object_type as fn(&str) -> Result<(), InvalidName>;
        for (field, selection, grammar) in [
            ("resource_types", &self.resource_types, object_type),
            ("relations", &self.relations, names::check_relation),
            ("subject_types", &self.subject_types, object_type),
        ] {
            let Selection::Only(names) = selection else { continue };
            if let Some(verb) = unscoped {
                return Err(InvalidRule::Unscoped { field, verb });
            }
            match names.len() {
                0 => return Err(InvalidRule::Empty { field }),
                count if count > NAMES_MAX => return Err(InvalidRule::TooManyNames { field, count }),
                _ => {}
            }
            names
                .iter()
                .try_for_each(|name| grammar(name))
                .map_err(|error| InvalidRule::Name { field, error })?;
        }
        Ok(())
    }
}

impl Rights {
    /// Compiles rules: at most `RULES_MAX`, each as `Rule::check` demands.
    pub fn new(rules: &[Rule]) -> Result<Rights, InvalidRule> {
        if rules.len() > RULES_MAX {
            return Err(InvalidRule::TooMany { count: rules.len() });
        }
        let mut rights = Rights::default();
        for (at, rule) in rules.iter().enumerate() {
            rule.check()?;
            let bit = 1 << at;
            let is_admin = rule.verbs.contains(&Verb::Admin);
            for (set, verb) in rights.by_verb.iter_mut().zip(Verb::ALL) {
                if is_admin || rule.verbs.contains(&verb) {
                    *set |= bit;
                }
            }
            rights.resource_types.add(&rule.resource_types, bit);
            rights.relations.add(&rule.relations, bit);
            rights.subject_types.add(&rule.subject_types, bit);
        }
        Ok(rights)
    }

    /// Every verb on everything.
    pub fn everything() -> Rights {
        let index = || Index { all: 1, named: FxHashMap::default() };
        Rights {
            by_verb: [1; Verb::ALL.len()],
            resource_types: index(),
            relations: index(),
            subject_types: index(),
        }
    }

    /// Whether some rule has the verb, whatever it is narrowed to.
    pub fn has(&self, verb: Verb) -> bool {
        self.rules(verb) != 0
    }

    /// Whether one rule with the verb holds the whole scope. Rules are not added up: a scope that only several cover
    /// together is not covered.
    pub fn cover(&self, verb: Verb, scope: Scope<'_>) -> bool {
        let rules = self.rules(verb)
            & self.resource_types.of(scope.resource_type)
            & self.relations.of(scope.relation)
            & self.subject_types.of(scope.subject_type);
        rules != 0
    }

    fn rules(&self, verb: Verb) -> RuleSet {
        self.by_verb.get(verb as usize).copied().unwrap_or(0)
    }
}

impl Index {
    fn add(&mut self, selection: &Selection, bit: RuleSet) {
        match selection {
            Selection::All => self.all |= bit,
            Selection::Only(names) => {
                for name in names {
                    *self.named.entry(name.clone()).or_default() |= bit;
                }
            }
        }
    }

    /// The rules that select the name; for all names, those that select all.
    fn of(&self, name: Option<&str>) -> RuleSet {
        self.all | name.and_then(|name| self.named.get(name)).copied().unwrap_or(0)
    }
}

impl<'a> From<&'a Relationship> for Scope<'a> {
    fn from(relationship: &'a Relationship) -> Scope<'a> {
        Scope {
            resource_type: Some(&relationship.resource.object_type),
            relation: Some(&relationship.relation),
            subject_type: Some(&relationship.subject.object.object_type),
        }
    }
}

impl<'a> From<&'a RelationshipFilter> for Scope<'a> {
    /// All that the filter may select, whatever its ids.
    fn from(filter: &'a RelationshipFilter) -> Scope<'a> {
        Scope {
            resource_type: filter.resource_type.as_deref(),
            relation: filter.relation.as_deref(),
            subject_type: filter.subject.as_ref().map(|subject| subject.subject_type.as_str()),
        }
    }
}

impl fmt::Display for Scope<'_> {
    /// `type#relation@type`, with `*` for all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: Option<&'_ str>| name.unwrap_or("*").to_owned();
        let (resource, relation) = (shown(self.resource_type), shown(self.relation));
        write!(f, "{resource}#{relation}@{}", shown(self.subject_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Selection {
        Selection::Only(names.iter().map(SmolStr::new).collect())
    }

    fn rule(
        verbs: &[Verb],
        resource_types: Selection,
        relations: Selection,
        subject_types: Selection,
    ) -> Rule {
        Rule { verbs: verbs.to_vec(), resource_types, relations, subject_types }
    }

    fn scope<'a>(resource_type: &'a str, relation: &'a str, subject_type: &'a str) -> Scope<'a> {
        let name = |name: &'a str| (name != "*").then_some(name);
        Scope {
            resource_type: name(resource_type),
            relation: name(relation),
            subject_type: name(subject_type),
        }
    }

    /// What the rules mean, rule by rule and name by name.
    fn naive(rules: &[Rule], verb: Verb, scope: Scope<'_>) -> bool {
        let selects = |selection: &Selection, name: Option<&str>| match (selection, name) {
            (Selection::All, _) => true,
            (Selection::Only(_), None) => false,
            (Selection::Only(names), Some(name)) => names.iter().any(|one| one == name),
        };
        rules.iter().any(|rule| {
            (rule.verbs.contains(&verb) || rule.verbs.contains(&Verb::Admin))
                && selects(&rule.resource_types, scope.resource_type)
                && selects(&rule.relations, scope.relation)
                && selects(&rule.subject_types, scope.subject_type)
        })
    }

    #[test]
    fn compiled_rules_answer_as_the_rules_read() {
        let (check, write) = (Verb::Check, Verb::Write);
        let rules = [
            rule(&[check], only(&["doc"]), only(&["view", "edit"]), only(&["user"])),
            rule(&[check, write], only(&["doc", "folder"]), Selection::All, only(&["group"])),
            rule(&[write], Selection::All, only(&["owner"]), Selection::All),
            rule(&[Verb::Schema], Selection::All, Selection::All, Selection::All),
        ];
        let names = ["*", "doc", "folder", "view", "owner", "user", "group"];
        for count in 0..=rules.len() {
            let rules = &rules[..count];
            let rights = Rights::new(rules).unwrap();
            let mut covered = 0;
            for verb in Verb::ALL {
                for (a, b, c) in names
                    .iter()
                    .flat_map(|a| names.iter().map(move |b| (a, b)))
                    .flat_map(|(a, b)| names.iter().map(move |c| (a, b, c)))
                {
                    let scope = scope(a, b, c);
                    assert_eq!(rights.cover(verb, scope), naive(rules, verb, scope), "{verb} {scope}");
                    covered += u32::from(rights.cover(verb, scope));
                }
                assert_eq!(rights.has(verb), rules.iter().any(|rule| rule.verbs.contains(&verb)));
            }
            assert_eq!(covered == 0, count == 0);
        }
    }

    #[test]
    fn rules_are_not_added_up_and_admin_is_everything() {
        let rights = Rights::new(&[
            rule(&[Verb::Delete], only(&["doc"]), only(&["view"]), Selection::All),
            rule(&[Verb::Delete], only(&["doc"]), only(&["edit"]), Selection::All),
        ])
        .unwrap();
        assert!(rights.cover(Verb::Delete, scope("doc", "view", "*")));
        assert!(!rights.cover(Verb::Delete, scope("doc", "*", "*")));
        let admin = rule(&[Verb::Admin], Selection::All, Selection::All, Selection::All);
        for rights in [Rights::new(&[admin]).unwrap(), Rights::everything()] {
            for verb in Verb::ALL {
                assert!(rights.has(verb) && rights.cover(verb, Scope::default()));
            }
        }
    }

    #[test]
    fn rules_that_cannot_be_are_refused() {
        let all = || Selection::All;
        let refused = |rule: Rule| Rights::new(&[rule]).unwrap_err().to_string();
        let says = |text: String, wanted: &str| assert!(text.contains(wanted), "{text}");
        says(refused(rule(&[], all(), all(), all())), "`verbs` is empty");
        says(refused(rule(&[Verb::Read], only(&[]), all(), all())), "`resource_types` is empty");
        says(
            refused(rule(&[Verb::Read], only(&["Doc"]), all(), all())),
            "`resource_types`: object type `Doc`",
        );
        says(refused(rule(&[Verb::Read], all(), only(&["*"]), all())), "`relations`: relation `*`");
        says(refused(rule(&[Verb::Read], all(), all(), only(&["x"]))), "`subject_types`");
        let narrowed = rule(&[Verb::Read, Verb::Schema], only(&["doc"]), all(), all());
        says(refused(narrowed), "`schema` is about the whole database");
        let names = Selection::Only(vec!["doc".into(); NAMES_MAX + 1]);
        says(refused(rule(&[Verb::Read], names, all(), all())), "1001 names; at most 1000");
        let many = vec![rule(&[Verb::Read], all(), all(), all()); RULES_MAX + 1];
        says(Rights::new(&many).unwrap_err().to_string(), "129 rules are given; at most 128");
        Rights::new(&many[1..]).unwrap();
    }
}
