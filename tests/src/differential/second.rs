//! A second opinion of the oracle: the same case in another store, with a schema or relationships that say the same but
//! keep clear of one of its known faults.

use super::answer::Answer;
use super::generate::TYPES;
use super::peer::Peer;
use super::step::{Edge, PAST_S, Step};

/// How often a schema is written before the store is taken to refuse it.
const TRIES_MAX: usize = 20;

/// In what the other store differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Relations allow subjects that no relationship has. Where a relation allows as many kinds of a type without a
    /// caveat as it allows of the kind asked for, a check of SpiceDB 1.56 looks at no caveat; and so with expiries.
    Coincidence,
    /// No relationship that has expired, besides.
    Expired,
    /// No wildcard of the subject's type either, for a question about a userset.
    Wildcards,
}

impl Without {
    /// From the one that changes least.
    pub const ALL: [Without; 3] = [Without::Coincidence, Without::Expired, Without::Wildcards];

    /// The rule that such an answer stands for.
    pub fn rule(self) -> &'static str {
        match self {
            Without::Coincidence => "checks-look-at-every-caveat-and-expiry",
            Without::Expired => "expired-relationships-count-no-more",
            Without::Wildcards => "wildcards-cover-objects-only",
        }
    }

    fn keeps(self, edge: &Edge, kind: &str) -> bool {
        let is_wildcard = edge.subject.object.id == "*" && edge.subject.object.kind == kind;
        let has_expired = edge.expires_at_s == Some(PAST_S);
        match self {
            Without::Coincidence => true,
            Without::Expired => !has_expired,
            Without::Wildcards => !has_expired && !is_wildcard,
        }
    }
}

/// A store of the oracle that follows a case.
pub struct Second {
    peer: Peer,
    /// The run of a case that the store follows, in which way, and how many of its changes it has seen.
    follows: Option<(u64, Without, String, usize)>,
}

impl Second {
    /// A store that follows nothing yet.
    pub fn new(peer: Peer) -> Second {
        Second { peer, follows: None }
    }

    /// What the store answers after the changes before; `None` when it does not take a schema that the case has. `run` is
    /// the number of the run, `kind` the type of the subject that is asked about.
    pub async fn ask(
        &mut self,
        (run, before): (u64, &[Step]),
        without: Without,
        kind: &str,
        step: &Step,
    ) -> Option<Answer> {
        let seen = match &self.follows {
            Some((of, way, which, seen)) if *of == run && *way == without && which == kind => *seen,
            _ => {
                self.follows = None;
                if !self.peer.clear(&TYPES).await {
                    return None;
                }
                0
            }
        };
        self.follows = None;
        for step in before.get(seen..)? {
            if !self.follow(without, kind, step).await {
                return None;
            }
        }
        if step.is_change() {
            return Some(self.change(without, kind, step).await);
        }
        self.follows = Some((run, without, kind.to_owned(), before.len()));
        Some(self.peer.ask(step).await)
    }

    /// Makes a change that the first store has taken; whether this one takes it too.
    async fn follow(&mut self, without: Without, kind: &str, step: &Step) -> bool {
        // What had to match before did; here a relationship that is left out may be missing.
        let mut step = step.clone();
        if let Step::Write { preconditions, .. } | Step::Delete { preconditions, .. } = &mut step {
            preconditions.clear();
        }
        for _ in 0..TRIES_MAX {
            match self.change(without, kind, &step).await {
                // Where types have relations of the same name, it depends on chance what it says of wildcards.
                Answer::Fault(fault) if fault.message.contains("wildcard relations cannot") => {}
                Answer::Fault(_) => return false,
                _ => return true,
            }
        }
        false
    }

    async fn change(&mut self, without: Without, kind: &str, step: &Step) -> Answer {
        match step {
            Step::Schema(text) => self.peer.ask(&Step::Schema(padded(text))).await,
            Step::Write { updates, preconditions } => {
                let updates: Vec<_> =
                    updates.iter().filter(|(_, edge)| without.keeps(edge, kind)).cloned().collect();
                if updates.is_empty() {
                    // Still a write, so that tokens have the same numbers.
                    self.peer.tokens.extend(self.peer.tokens.last().cloned());
                    return Answer::Done;
                }
                self.peer.ask(&Step::Write { updates, preconditions: preconditions.clone() }).await
            }
            _ => self.peer.ask(step).await,
        }
    }
}

/// Relations that are added to every type; more than a relation allows kinds of one type.
const ADDED: [&str; 4] = ["unused_one", "unused_two", "unused_three", "unused_four"];

/// A schema in which every relation allows usersets of relations that nobody uses, of every type.
fn padded(text: &str) -> String {
    let name = |line: &str| {
        let rest = line.strip_prefix("definition ")?;
        rest.split([' ', '{']).next().filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let names: Vec<String> = text.lines().filter_map(name).collect();
    let usersets: String =
        names.iter().flat_map(|name| ADDED.iter().map(move |added| format!(" | {name}#{added}"))).collect();
    let mut padded = String::new();
    for line in text.lines() {
        let added = |name: &str| -> String {
            ADDED.iter().map(|added| format!("  relation {added}: {name}\n")).collect()
        };
        match (name(line), line.strip_suffix("{}"), line.strip_suffix('{')) {
            (Some(name), Some(head), _) => padded.push_str(&format!("{head}{{\n{}}}\n", added(&name))),
            (Some(name), None, Some(_)) => padded.push_str(&format!("{line}\n{}", added(&name))),
            _ if line.trim_start().starts_with("relation ") => {
                padded.push_str(&format!("{line}{usersets}\n"))
            }
            _ => padded.push_str(&format!("{line}\n")),
        }
    }
    padded
}
