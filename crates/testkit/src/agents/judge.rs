//! The verdict: every rule, whether or not one of them decides alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::CaveatEvaluator;
use pemba_model::{ObjectRef, Relationship, SmolStr, SubjectRef};

use super::bounds::{Says, both, in_scope, plainly};
use super::facts::{Facts, Hop, Mode, Session};
use crate::oracle::{Answer, Oracle, Solution, Value};

/// A question about one object.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who acts alone, where no delegation is named.
    pub root: Option<&'a ObjectRef>,
    /// Who of a userset acts.
    pub actor: Option<&'a ObjectRef>,
    /// The last hop.
    pub delegation: Option<u128>,
    /// The session.
    pub session: Option<u128>,
    /// An approval of exactly this action.
    pub approval: Option<u128>,
    /// The permission.
    pub permission: &'a str,
    /// The object.
    pub object: &'a ObjectRef,
}

/// What must be answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No.
    Deny,
    /// It waits for these parameters, sorted.
    Conditional(Vec<SmolStr>),
    /// It waits for somebody.
    RequiresApproval,
    /// It is to be counted.
    RequiresConsumption,
    /// Yes.
    Allow,
}

/// The naive evaluator's answers about single principals, each worked out once.
#[derive(Debug)]
pub struct Authority {
    oracle: Oracle,
    solved: RefCell<BTreeMap<ObjectRef, Solution>>,
}

impl Authority {
    /// The answers of an evaluator.
    pub fn new(oracle: Oracle) -> Authority {
        Authority { oracle, solved: RefCell::default() }
    }

    fn says(&self, who: &ObjectRef, permission: &str, object: &ObjectRef) -> Says {
        let subject = SubjectRef { object: who.clone(), relation: None };
        let mut solved = self.solved.borrow_mut();
        let solution = solved.entry(who.clone()).or_insert_with(|| self.oracle.solve(&subject));
        match self.oracle.answer(solution, &subject, object, permission) {
            Answer::Value(value, missing) => (value, missing.into_iter().collect()),
            other => panic!("`{permission}` of `{who}` on `{object}` has no value: {other:?}"),
        }
    }
}

/// What verdicts are reached from.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// What is known.
    pub facts: &'a Facts,
    /// The live relationships.
    pub live: &'a [Relationship],
    /// Their answers.
    pub plain: &'a Authority,
    /// Their answers together with what the request and its session bring along.
    pub seen: &'a Authority,
    /// Decides caveats with the request's values.
    pub caveats: &'a dyn CaveatEvaluator,
}

impl Judge<'_> {
    /// The verdict.
    pub fn verdict(&self, ask: &Ask<'_>) -> Verdict {
        let session = ask.session.map(|id| self.session(id));
        let leaf = ask.delegation.or_else(|| session.and_then(|session| session.delegation));
        let Some(hops) = self.hops(leaf) else { return Verdict::Deny };
        let principals = principals(ask, session, &hops);
        let mut says = plainly(self.holds_together(&hops, &principals));
        says = both(says, plainly(session.is_none_or(|session| self.is_open(session, &principals))));
        for (at, hop) in hops.iter().enumerate() {
            says = both(says, self.hop(ask, hop, at, &principals));
        }
        for (place, who) in principals.iter().enumerate() {
            says = both(says, self.principal(ask, who, place, &hops));
        }
        if let Some(scope) = session.and_then(|session| session.scope.as_ref()) {
            says = both(says, in_scope(scope, (ask.permission, ask.object), self.live, self.caveats));
        }
        says = both(says, self.seen.says(&principals[0], ask.permission, ask.object));
        match says {
            (Value::No, _) => Verdict::Deny,
            (Value::Maybe, missing) => Verdict::Conditional(missing.into_iter().collect()),
            (Value::Yes, _) => self.countersigned(ask, &hops, &principals),
        }
    }

    fn session(&self, id: u128) -> &Session {
        self.facts.sessions.iter().find(|session| session.id == id).unwrap()
    }

    /// The hops to a leaf, outermost first; `None` when one is gone.
    pub(super) fn hops(&self, leaf: Option<u128>) -> Option<Vec<&Hop>> {
        let mut hops = Vec::new();
        let mut next = leaf;
        while let Some(id) = next {
            let hop = self.facts.hops.iter().find(|hop| hop.id == id)?;
            hops.insert(0, hop);
            next = hop.parent;
        }
        Some(hops)
    }

    fn holds_together(&self, hops: &[&Hop], principals: &[ObjectRef]) -> bool {
        let different: BTreeSet<&ObjectRef> = principals.iter().collect();
        different.len() == principals.len()
            && hops.iter().enumerate().all(|(at, hop)| {
                let own = self.facts.agent(&principals[at + 1]).and_then(|agent| agent.max_depth);
                hop.root == principals[0]
                    && hop.from == principals[at]
                    && at < self.facts.depth_max
                    && own.is_none_or(|max| at < max)
                    && hops.len() - 1 - at <= hop.depth_left
            })
    }

    fn is_open(&self, session: &Session, principals: &[ObjectRef]) -> bool {
        let now = self.facts.now;
        principals.last() == Some(&session.actor)
            && self.facts.incarnation(&session.actor) == session.incarnation
            && !session.is_closed
            && now < session.not_after
            && session.idle_ms.is_none_or(|idle| now < session.used_at.plus_millis(idle))
    }

    /// A hop's own terms, its scopes, and who acts by it.
    fn hop(&self, ask: &Ask<'_>, hop: &Hop, at: usize, principals: &[ObjectRef]) -> Says {
        let now = self.facts.now;
        let holds = !hop.is_revoked
            && hop.not_before <= now
            && now < hop.not_after
            && hop.uses_left != Some(0)
            && (hop.session.is_none() || hop.session == ask.session);
        let who = &principals[at + 1];
        let given_by = self.facts.is_alive(&hop.from, Some(hop.incarnations[1]));
        let given_to = self.facts.is_alive(who, Some(hop.incarnations[2]).filter(|given| *given != 0));
        let for_root = at > 0 || self.facts.is_alive(&hop.root, Some(hop.incarnations[0]));
        let mut says = plainly(holds && given_by && given_to && for_root);
        for scope in &hop.scopes {
            says = both(says, in_scope(scope, (ask.permission, ask.object), self.live, self.caveats));
        }
        match &hop.to.relation {
            Some(relation) => {
                let group = &hop.to.object;
                let is_given = !self.facts.is_agent(group) || self.facts.is_alive(group, None);
                both(both(says, plainly(is_given)), self.plain.says(who, relation, group))
            }
            None => says,
        }
    }

    /// What holds for everybody in the chain.
    fn principal(&self, ask: &Ask<'_>, who: &ObjectRef, place: usize, hops: &[&Hop]) -> Says {
        let labelled = |label| self.facts.has_label(&ask.object.object_type, ask.permission, label);
        let reads = labelled("read") || labelled("safe");
        let mut says =
            plainly(self.facts.is_alive(who, None) && (reads || !self.facts.is_under(who, Mode::DenyWrite)));
        let Some(agent) = self.facts.agent(who) else { return says };
        if let Some(ceiling) = &agent.ceiling {
            says = both(says, in_scope(ceiling, (ask.permission, ask.object), self.live, self.caveats));
        }
        let purpose = format!("{}#{}", ask.object.object_type, ask.permission);
        says = both(says, plainly(agent.purpose.is_empty() || agent.purpose.contains(purpose.as_str())));
        if agent.own_grants_required && place > 0 && !hops.is_empty() {
            says = both(says, self.plain.says(who, ask.permission, ask.object));
        }
        says
    }

    /// Whether a switch or a quarantine wants an approval.
    pub(super) fn is_imposed(&self, ask: &Ask<'_>, principals: &[ObjectRef]) -> bool {
        let is_safe = self.facts.has_label(&ask.object.object_type, ask.permission, "safe");
        principals.iter().any(|who| {
            self.facts.is_under(who, Mode::RequireApproval) || (self.facts.is_quarantined(who) && !is_safe)
        })
    }

    /// What is left when everything else says yes.
    fn countersigned(&self, ask: &Ask<'_>, hops: &[&Hop], principals: &[ObjectRef]) -> Verdict {
        let must = self.is_imposed(ask, principals);
        let has_agent = principals.iter().any(|who| self.facts.is_agent(who));
        let policy = self.policy(ask).filter(|policy| must || has_agent || !policy.agents_only);
        let mut is_counted = hops.iter().any(|hop| hop.uses_left.is_some());
        match policy {
            None if must => return Verdict::RequiresApproval,
            None => {}
            Some(policy) => match self.approval(ask, policy, principals, must) {
                None => return Verdict::RequiresApproval,
                Some(approval) => is_counted |= approval.uses_left.is_some(),
            },
        }
        if is_counted { Verdict::RequiresConsumption } else { Verdict::Allow }
    }
}

/// Everybody in the chain, the root first.
pub(super) fn principals(ask: &Ask<'_>, session: Option<&Session>, hops: &[&Hop]) -> Vec<ObjectRef> {
    let acts = ask.actor.or(session.map(|session| &session.actor));
    let Some(first) = hops.first() else {
        return vec![ask.root.or(acts).unwrap().clone()];
    };
    let mut all = vec![first.root.clone()];
    for (at, hop) in hops.iter().enumerate() {
        let who = match (&hop.to.relation, hops.get(at + 1)) {
            (None, _) => &hop.to.object,
            (Some(_), Some(next)) => &next.from,
            (Some(_), None) => acts.unwrap(),
        };
        all.push(who.clone());
    }
    all
}
