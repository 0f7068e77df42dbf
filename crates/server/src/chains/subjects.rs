//! Which of the subjects that have a permission by relationships may use it: lookups agree with checks.

use std::collections::{BTreeMap, BTreeSet};

use pemba_agents::authority::{Outcome, Question};
use pemba_agents::chain::{Chain, Claim};
use pemba_agents::liveness::liveness;
use pemba_agents::records::{Applies, KillSelector};
use pemba_agents::{Book, Refused};
use pemba_engine::{FoundSubject, Ordinal, Permissionship, SubjectSet};
use pemba_model::{Context, ObjectRef, SmolStr};

use super::basis::Basis;

/// The roots that may use a permission.
pub(crate) struct Roots {
    /// By relationships, less those that may not. The wildcard stands for whoever has no record, and for those with one
    /// that are not in `gone`.
    pub(crate) set: SubjectSet,
    /// Who does not have what the wildcard gives, besides those that the relationships exclude; ids, ascending.
    pub(crate) gone: Vec<SmolStr>,
    /// Whom by their records the wildcard gives another thing than to those without one, which may be nothing; ascending
    /// by id.
    pub(crate) instead: Vec<Root>,
    /// What the wildcard comes to.
    pub(crate) everybody: Outcome,
    /// Named roots that must wait.
    pub(crate) outcomes: BTreeMap<Ordinal, Outcome>,
}

/// A root by name.
pub(crate) struct Root {
    pub(crate) id: SmolStr,
    pub(crate) outcome: Outcome,
    pub(crate) missing: Vec<SmolStr>,
}

/// What is asked about roots.
pub(crate) struct Asked<'a> {
    pub(crate) resource: &'a ObjectRef,
    pub(crate) permission: &'a str,
    pub(crate) subject_type: &'a str,
    pub(crate) values: Option<&'a Context>,
    /// Whether those who must wait for an approval count too.
    pub(crate) with_waiting: bool,
}

impl Roots {
    /// All that relationships give, when there are no records.
    pub(crate) fn all(set: SubjectSet) -> Roots {
        let everybody = match set.wildcard.0 {
            Permissionship::No => Outcome::Deny,
            Permissionship::Conditional => Outcome::Conditional,
            Permissionship::Yes => Outcome::Allow,
        };
        Roots { set, gone: Vec::new(), instead: Vec::new(), everybody, outcomes: BTreeMap::new() }
    }

    /// Of the subjects that the relationships give a permission those that may use it.
    pub(crate) fn of(basis: &Basis, asked: &Asked<'_>, set: SubjectSet) -> Result<Roots, Refused> {
        let mut roots = Roots::all(set);
        roots.keep_named(basis, asked)?;
        roots.keep_wildcard(basis, asked)?;
        Ok(roots)
    }

    fn keep_named(&mut self, basis: &Basis, asked: &Asked<'_>) -> Result<(), Refused> {
        let found = std::mem::take(&mut self.set.concrete);
        for subject in found {
            let Some(root) = named(basis, asked, &self.set, &subject) else { continue };
            let (outcome, missing) = match standing(basis, (asked.resource, asked.permission), &root) {
                Standing::Denied => continue,
                Standing::Plain => {
                    self.set.concrete.push(subject);
                    continue;
                }
                Standing::Gated => decided(basis, asked, root)?,
            };
            if !asked.counts(outcome) {
                continue;
            }
            let permissionship = match outcome {
                Outcome::Conditional => Permissionship::Conditional,
                _ => Permissionship::Yes,
            };
            if matches!(outcome, Outcome::RequiresApproval | Outcome::RequiresConsumption) {
                self.outcomes.insert(subject.ordinal, outcome);
            }
            self.set.concrete.push(FoundSubject { permissionship, missing, ..subject });
        }
        Ok(())
    }

    fn keep_wildcard(&mut self, basis: &Basis, asked: &Asked<'_>) -> Result<(), Refused> {
        if self.set.wildcard.0 == Permissionship::No {
            return Ok(());
        }
        // No object has an empty id: it gets what everybody without a record does.
        let (outcome, missing) = decided(basis, asked, ObjectRef::new(asked.subject_type, ""))?;
        let ids = |subjects: &[FoundSubject]| -> BTreeSet<SmolStr> {
            let names = subjects.iter().filter_map(|subject| named(basis, asked, &self.set, subject));
            names.map(|object| object.object_id).collect()
        };
        let known = known(basis.book(), asked.subject_type).into_iter();
        if asked.counts(outcome) {
            let (excluded, by_name) = (ids(&self.set.excluded), ids(&self.set.concrete));
            for known in known.filter(|known| !excluded.contains(&known.object_id)) {
                let id = known.object_id.clone();
                match of_record(basis, asked, known)? {
                    None => {}
                    Some((own, _)) if !asked.counts(own) => self.gone.push(id),
                    Some(own) if own == (outcome, missing.clone()) || by_name.contains(&id) => {}
                    Some((outcome, missing)) => {
                        self.gone.push(id.clone());
                        self.instead.push(Root { id, outcome, missing });
                    }
                }
            }
            let mut excluded = std::mem::take(&mut self.set.excluded);
            for subject in excluded.iter_mut().filter(|one| one.permissionship != Permissionship::Yes) {
                let Some(one) = named(basis, asked, &self.set, subject) else { continue };
                if of_record(basis, asked, one)?.is_some_and(|(own, _)| !asked.counts(own)) {
                    (subject.permissionship, subject.missing) = (Permissionship::Yes, Vec::new());
                }
            }
            self.set.excluded = excluded;
            self.set.wildcard = match outcome {
                Outcome::Conditional => (Permissionship::Conditional, missing),
                _ => (Permissionship::Yes, Vec::new()),
            };
            self.everybody = outcome;
            return Ok(());
        }
        let by_name = ids(&self.set.concrete);
        for known in known.filter(|known| !by_name.contains(&known.object_id)) {
            let id = known.object_id.clone();
            let (outcome, missing) = decided(basis, asked, known)?;
            if asked.counts(outcome) {
                self.instead.push(Root { id, outcome, missing });
            }
        }
        self.set.wildcard = (Permissionship::No, Vec::new());
        self.set.excluded.clear();
        Ok(())
    }
}

impl Asked<'_> {
    fn counts(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Deny => false,
            Outcome::Conditional | Outcome::Allow => true,
            Outcome::RequiresApproval | Outcome::RequiresConsumption => self.with_waiting,
        }
    }
}

/// A found subject by name.
fn named(basis: &Basis, asked: &Asked<'_>, set: &SubjectSet, subject: &FoundSubject) -> Option<ObjectRef> {
    if subject.ordinal == Ordinal::UNMENTIONED {
        return Some(asked.resource.clone());
    }
    let id = basis.view.object_id(set.subject_type?, subject.ordinal)?;
    Some(ObjectRef::new(asked.subject_type, id))
}

/// How a root stands, before anybody looks at the object again.
enum Standing {
    /// It may not act.
    Denied,
    /// It may do what relationships let it.
    Plain,
    /// More matters than relationships.
    Gated,
}

fn standing(basis: &Basis, (resource, permission): (&ObjectRef, &str), root: &ObjectRef) -> Standing {
    let book = basis.book();
    let stands = liveness(book, basis.limits(), book.known(root), None, basis.view.now());
    if stands.not_live.is_some() {
        return Standing::Denied;
    }
    let policy = book.approval_policy(&resource.object_type, permission);
    let is_gated = stands.write_denied.is_some()
        || stands.approval_required.is_some()
        || policy.is_some_and(|policy| policy.applies == Applies::All)
        || book.is_agent(root);
    if is_gated { Standing::Gated } else { Standing::Plain }
}

/// What a check of a root says where it may be another thing than what relationships alone do.
fn of_record(
    basis: &Basis,
    asked: &Asked<'_>,
    root: ObjectRef,
) -> Result<Option<(Outcome, Vec<SmolStr>)>, Refused> {
    match standing(basis, (asked.resource, asked.permission), &root) {
        Standing::Denied => Ok(Some((Outcome::Deny, Vec::new()))),
        Standing::Plain => Ok(None),
        Standing::Gated => decided(basis, asked, root).map(Some),
    }
}

/// Whether relationships alone decide about a root that acts by itself.
pub(crate) fn is_plain(basis: &Basis, asked: (&ObjectRef, &str), root: &ObjectRef) -> bool {
    matches!(standing(basis, asked, root), Standing::Plain)
}

/// What a check of a root says.
fn decided(basis: &Basis, asked: &Asked<'_>, root: ObjectRef) -> Result<(Outcome, Vec<SmolStr>), Refused> {
    let claim = Claim { root: Some(root.clone()), ..Claim::default() };
    let question = Question {
        claim: &claim,
        permission: asked.permission,
        resource: asked.resource,
        values: asked.values,
    };
    let decision = basis.decide(&Chain::of_one(root), &[], &question)?;
    Ok((decision.outcome, decision.missing))
}

/// The subjects of a type that have a record, or a switch of their own; ascending.
fn known(book: &Book, subject_type: &str) -> BTreeSet<ObjectRef> {
    let of_type = |object: &&ObjectRef| object.object_type == subject_type;
    let agents = book.agents().after(None).map(|(principal, _)| principal);
    let humans = book.humans().after(None).map(|(principal, _)| principal);
    let killed = book.kills().filter_map(|kill| match &kill.selector {
        KillSelector::Agent(agent) => Some(agent),
        _ => None,
    });
    agents.chain(humans).chain(killed).filter(of_type).cloned().collect()
}
