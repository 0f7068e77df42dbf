//! Delegations: made, renewed, revoked.

use std::sync::Arc;

use pemba_engine::Permissionship;
use pemba_model::{ObjectRef, SubjectRef, Timestamp, names};

use super::changes::{By, Changes, check_ahead, check_object, check_text, millis};
use crate::answer;
use crate::authority::may_act;
use crate::chain::{Over, delegation_over, incarnation_of};
use crate::error::{Reason, Refused};
use crate::id::{DelegationId, SessionId};
use crate::limits::{RENEWED_SCOPES_MAX, USES_MAX};
use crate::moment::Moment;
use crate::records::{Delegation, Ended, Session};
use crate::scope::{Scope, Selector, check_count};

/// A delegation to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegate {
    /// Its id, drawn by the caller.
    pub id: DelegationId,
    /// The hop before; absent for the first, then `from` is the root.
    pub parent: Option<DelegationId>,
    /// The root, where the caller says so; it must be that of the hop before.
    pub root: Option<ObjectRef>,
    /// Who delegates.
    pub from: ObjectRef,
    /// To whom.
    pub to: SubjectRef,
    /// What.
    pub scope: Scope,
    /// The first instant at which it holds; absent is now.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it no longer holds.
    pub not_after: Timestamp,
    /// How many further hops may follow.
    pub depth_left: u32,
    /// The session it holds in only.
    pub session: Option<SessionId>,
    /// How often it may be used.
    pub uses: Option<u32>,
    /// What the delegator agreed to.
    pub consent: String,
}

/// A delegation, with what of its scope the root cannot do today: harmless, but it may wake later.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegated {
    /// The delegation.
    pub delegation: Delegation,
    /// `permission` on `object` pairs of explicit objects that the root lacks now; at most 100.
    pub sleeping: Vec<String>,
}

/// Most pairs of a scope that are tried against the root's present authority.
const SLEEPING_TRIED_MAX: usize = 100;

/// Makes a delegation.
pub fn delegate(moment: &Moment<'_>, by: &By, new: Delegate) -> Result<Changes<Delegated>, Refused> {
    check_object("from", &new.from)?;
    check_text("consent", &new.consent)?;
    check_to(moment, &new)?;
    new.scope.check(moment.facts.schema).map_err(|refused| refused.under("scope"))?;
    let now = moment.now();
    let not_before = new.not_before.unwrap_or(now);
    check_ahead("not_after", new.not_after, now)?;
    if not_before >= new.not_after {
        let message = format!("{not_before} is not before not_after, {}", new.not_after);
        return Err(Refused::new(Reason::InvalidPeriod, "not_before", message));
    }
    check_life(moment, new.not_after)?;
    if new.uses.is_some_and(|uses| uses == 0 || uses > USES_MAX) {
        let message = format!("from 1 to {USES_MAX} uses can be counted");
        return Err(Refused::new(Reason::InvalidValue, "uses", message));
    }
    let parent = new.parent.map(|id| parent_of(moment, &new, id)).transpose()?;
    if parent.is_none() {
        check_first(moment, &new)?;
    }
    let root = parent.as_ref().map_or(&new.from, |parent| &parent.root).clone();
    let depth = parent.as_ref().map_or(1, |parent| parent.depth + 1);
    check_depth(moment, &new, depth)?;
    check_alive(moment, "from", &new.from)?;
    if new.to.relation.is_none() {
        check_alive(moment, "to", &new.to.object)?;
    }
    check_session(moment, &new)?;
    check_ceiling(moment, &new)?;
    let to_incarnation =
        if new.to.relation.is_some() { 0 } else { incarnation_of(moment.book, &new.to.object) };
    let delegation = Delegation {
        id: new.id,
        parent: new.parent,
        incarnations: [
            incarnation_of(moment.book, &root),
            incarnation_of(moment.book, &new.from),
            to_incarnation,
        ],
        root,
        from: new.from,
        to: new.to,
        scope: new.scope,
        within: Vec::new(),
        not_before,
        not_after: new.not_after,
        depth_left: new.depth_left,
        depth,
        session: new.session.or(parent.as_ref().and_then(|parent| parent.session)),
        uses_left: new.uses,
        consent: new.consent,
        version: 1,
        created_by: by.client.clone(),
        created_at: now,
        created_revision: moment.revision.0,
        revoked: None,
    };
    let sleeping = sleeping(moment, &delegation)?;
    let mut changes = Changes::new(Delegated { sleeping, delegation: delegation.clone() });
    changes.put(&delegation)?;
    changes.forget(moment);
    Ok(changes)
}

fn check_to(moment: &Moment<'_>, new: &Delegate) -> Result<(), Refused> {
    check_object("to", &new.to.object)?;
    let Some(relation) = &new.to.relation else { return Ok(()) };
    names::check_relation(relation)
        .map_err(|error| Refused::new(Reason::InvalidValue, "to", error.to_string()))?;
    let definition = moment.facts.schema.definitions.get(&new.to.object.object_type).ok_or_else(|| {
        let message = format!("the schema has no type `{}`", new.to.object.object_type);
        Refused::new(Reason::UnknownType, "to", message)
    })?;
    crate::scope::check_member(definition, relation, "to")?;
    if new.uses.is_none() && new.session.is_none() {
        let message = format!("a delegation to `{}` needs a session or counted uses", new.to);
        return Err(Refused::new(Reason::UsersetUnbounded, "to", message));
    }
    Ok(())
}

/// The hop before, if the new one may follow it.
fn parent_of(moment: &Moment<'_>, new: &Delegate, id: DelegationId) -> Result<Arc<Delegation>, Refused> {
    let parent = moment.book.delegation(id).ok_or_else(|| {
        Refused::new(Reason::DelegationNotFound, "parent", format!("there is no delegation {id}"))
    })?;
    if let Some(root) = new.root.as_ref().filter(|root| **root != parent.root) {
        let message = format!("{id} is on the authority of `{}`, not of `{root}`", parent.root);
        return Err(Refused::new(Reason::RootMismatch, "root", message));
    }
    check_delegator(moment, new, parent)?;
    check_lineage(moment, new, parent)?;
    if parent.depth_left == 0 {
        let message = format!("{id} may not be delegated further");
        return Err(Refused::new(Reason::DepthExceeded, "parent", message));
    }
    if new.depth_left >= parent.depth_left {
        let message = format!("at most {} further hops may follow", parent.depth_left - 1);
        return Err(Refused::new(Reason::DepthExceeded, "depth_left", message));
    }
    if new.not_after > parent.not_after {
        let message = format!("{} is after the end of {id}, {}", new.not_after, parent.not_after);
        return Err(Refused::new(Reason::OutlivesParent, "not_after", message));
    }
    if new.session.is_some() && parent.session.is_some() && new.session != parent.session {
        let message = format!("{id} holds in another session only");
        return Err(Refused::new(Reason::SessionMismatch, "session", message));
    }
    check_within(moment, parent, &new.scope)?;
    Ok(Arc::clone(parent))
}

/// Who delegates must be who the hop before is to.
fn check_delegator(moment: &Moment<'_>, new: &Delegate, parent: &Delegation) -> Result<(), Refused> {
    let mismatch = || {
        let message = format!("{} is to `{}`, not to `{}`", parent.id, parent.to, new.from);
        Err(Refused::new(Reason::DelegatorMismatch, "from", message))
    };
    match &parent.to.relation {
        None if parent.to.object == new.from => Ok(()),
        None => mismatch(),
        Some(_) => {
            let answer = moment.judged().is_member(&parent.to, &new.from, None)?;
            if answer.permissionship == Permissionship::Yes { Ok(()) } else { mismatch() }
        }
    }
}

/// Every hop before must hold, and nobody may be in the chain twice.
fn check_lineage(moment: &Moment<'_>, new: &Delegate, parent: &Arc<Delegation>) -> Result<(), Refused> {
    let twice = |principal: &ObjectRef| {
        let message = format!("`{principal}` is in the chain already");
        Err(Refused::new(Reason::PrincipalTwice, "to", message))
    };
    each_live_hop(moment, parent, new.session, "parent", |one| {
        if one.from == new.to.object || one.to == new.to { twice(&new.to.object) } else { Ok(()) }
    })
}

/// Walks from a hop to the root. Each must hold, in the session given or else in its own, or have its time still to come.
fn each_live_hop(
    moment: &Moment<'_>,
    last: &Arc<Delegation>,
    session: Option<SessionId>,
    field: &str,
    visit: impl Fn(&Delegation) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let over = |message: String| Refused::new(Reason::DelegationOver, field, message);
    let mut one = last;
    loop {
        match delegation_over(one, session.or(one.session), moment.now()) {
            Ok(_) | Err((Over::NotYet, _)) => {}
            Err((why, _)) => return Err(over(format!("{} is over: {}", one.id, why.as_str()))),
        }
        visit(one)?;
        let Some(id) = one.parent else { return Ok(()) };
        let gone = || over(format!("{id}, on which {} rests, is gone", one.id));
        one = moment.book.delegation(id).ok_or_else(gone)?;
    }
}

fn check_first(moment: &Moment<'_>, new: &Delegate) -> Result<(), Refused> {
    if let Some(root) = new.root.as_ref().filter(|root| **root != new.from) {
        let message = format!("`{}` cannot give the authority of `{root}` without a delegation", new.from);
        return Err(Refused::new(Reason::RootMismatch, "root", message));
    }
    if new.to.object == new.from {
        let message = format!("`{}` would delegate to itself", new.from);
        return Err(Refused::new(Reason::PrincipalTwice, "to", message));
    }
    let (count, max) =
        (moment.book.delegations_of_root_count(&new.from), moment.limits.delegations_per_root_max);
    if count >= max {
        let message = format!("`{}` has {count} delegations; at most {max} are allowed", new.from);
        return Err(Refused::new(Reason::TooMuch, "from", message));
    }
    Ok(())
}

fn check_depth(moment: &Moment<'_>, new: &Delegate, depth: u32) -> Result<(), Refused> {
    let server_max = moment.limits.depth_max;
    let own_max = moment.book.agent(&new.to.object).and_then(|agent| agent.max_depth);
    let max = own_max.unwrap_or(server_max).min(server_max);
    if depth > max {
        let message = format!("`{}` would be {depth} hops below the root; at most {max} are allowed", new.to);
        return Err(Refused::new(Reason::DepthExceeded, "to", message));
    }
    if depth.saturating_add(new.depth_left) > server_max {
        let message = format!("with {} further hops it would be deeper than {server_max}", new.depth_left);
        return Err(Refused::new(Reason::DepthExceeded, "depth_left", message));
    }
    Ok(())
}

fn check_life(moment: &Moment<'_>, not_after: Timestamp) -> Result<(), Refused> {
    let latest = moment.now().plus_millis(millis(moment.limits.delegation_life_max_ms));
    if not_after <= latest {
        return Ok(());
    }
    let message = format!("{not_after} is too far ahead; {latest} is the latest");
    Err(Refused::new(Reason::TooMuch, "not_after", message))
}

fn check_alive(moment: &Moment<'_>, field: &str, principal: &ObjectRef) -> Result<(), Refused> {
    if may_act(moment.book, moment.limits, principal, moment.now()) {
        return Ok(());
    }
    Err(Refused::new(Reason::WrongStatus, field, format!("`{principal}` may not act")))
}

fn check_session(moment: &Moment<'_>, new: &Delegate) -> Result<(), Refused> {
    let Some(id) = new.session else { return Ok(()) };
    let session: &Arc<Session> = moment.book.session(id).ok_or_else(|| {
        Refused::new(Reason::SessionNotFound, "session", format!("there is no session {id}"))
    })?;
    if crate::chain::session_over(session, None, moment.now()).is_err() {
        return Err(Refused::new(Reason::SessionOver, "session", format!("{id} is over")));
    }
    if new.not_after > session.not_after {
        let message = format!("{} is after the end of {id}, {}", new.not_after, session.not_after);
        return Err(Refused::new(Reason::OutlivesParent, "not_after", message));
    }
    Ok(())
}

fn check_ceiling(moment: &Moment<'_>, new: &Delegate) -> Result<(), Refused> {
    let ceiling = moment.book.agent(&new.to.object).and_then(|agent| agent.ceiling.as_ref());
    match ceiling {
        Some(ceiling) => {
            ceiling.check_contains(&moment.facts, &new.scope).map_err(|refused| refused.under("scope"))
        }
        None => Ok(()),
    }
}

/// What of the explicit objects of a scope the root cannot do now.
fn sleeping(moment: &Moment<'_>, delegation: &Delegation) -> Result<Vec<String>, Refused> {
    let root = SubjectRef { object: delegation.root.clone(), relation: None };
    let mut found = Vec::new();
    let mut tried = 0;
    for clause in &*delegation.scope.clauses {
        let Selector::Objects(ids) = &clause.selector else { continue };
        for (id, permission) in ids.iter().flat_map(|id| clause.permissions.iter().map(move |p| (id, p))) {
            tried += 1;
            if tried > SLEEPING_TRIED_MAX {
                return Ok(found);
            }
            let object = ObjectRef::new(clause.resource_type.clone(), id.clone());
            let answer = match moment.judged().check(&object, permission, &root, None) {
                Ok(answer) => answer,
                Err(error) if error.failed_caveat().is_some() => answer::yes(),
                Err(error) => return Err(error.into()),
            };
            if answer.permissionship == Permissionship::No {
                found.push(format!("{permission} on {object}"));
            }
        }
    }
    Ok(found)
}

/// A renewal: what is absent stays. Nothing may become wider; only the end may move, within the hop before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Renew {
    /// A narrower scope.
    pub scope: Option<Scope>,
    /// Another end.
    pub not_after: Option<Timestamp>,
    /// Fewer further hops.
    pub depth_left: Option<u32>,
    /// Fewer uses.
    pub uses_left: Option<u32>,
    /// The version it must have.
    pub version: Option<u64>,
}

/// Renews a delegation that is not over.
pub fn renew(
    moment: &Moment<'_>,
    by: &By,
    id: DelegationId,
    new: Renew,
) -> Result<Changes<Delegation>, Refused> {
    check_text("reason", &by.reason)?;
    let before = moment.book.delegation(id).ok_or_else(|| {
        Refused::new(Reason::DelegationNotFound, "id", format!("there is no delegation {id}"))
    })?;
    if let Some(version) = new.version {
        super::identity::check_version(before.version, version)?;
    }
    // A renewal may not bring back what is over.
    each_live_hop(moment, before, None, "id", |_| Ok(()))?;
    let mut after = before.as_ref().clone();
    after.version += 1;
    if let Some(scope) = new.scope {
        scope.check(moment.facts.schema).map_err(|refused| refused.under("scope"))?;
        check_within(moment, before, &scope)?;
        // The hop before may have been narrowed since this one was made.
        if let Some(parent) = before.parent.and_then(|id| moment.book.delegation(id)) {
            check_within(moment, parent, &scope)?;
        }
        if !before.scope.always_contains(&scope) {
            after.within.push(before.scope.clone());
            check_count("scope", after.within.len(), RENEWED_SCOPES_MAX)?;
        }
        after.scope = scope;
    }
    if let Some(not_after) = new.not_after {
        check_ahead("not_after", not_after, moment.now())?;
        check_life(moment, not_after)?;
        check_within_parent(moment, before, not_after)?;
        after.not_after = not_after;
    }
    if let Some(depth_left) = new.depth_left {
        if depth_left > before.depth_left {
            let message = format!("{depth_left} is more than the {} it has", before.depth_left);
            return Err(Refused::new(Reason::DepthExceeded, "depth_left", message));
        }
        after.depth_left = depth_left;
    }
    if let Some(uses) = new.uses_left {
        let max = before.uses_left.unwrap_or(USES_MAX);
        if uses == 0 || uses > max {
            let message = format!("from 1 to {max} uses may be left, not {uses}");
            return Err(Refused::new(Reason::UsesWider, "uses_left", message));
        }
        after.uses_left = Some(uses);
    }
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}

/// Checks that a scope lies within all that bounds a hop.
fn check_within(moment: &Moment<'_>, hop: &Delegation, scope: &Scope) -> Result<(), Refused> {
    hop.scopes().try_for_each(|outer| {
        outer.check_contains(&moment.facts, scope).map_err(|refused| refused.under("scope"))
    })
}

fn check_within_parent(
    moment: &Moment<'_>,
    delegation: &Delegation,
    not_after: Timestamp,
) -> Result<(), Refused> {
    let parent = delegation.parent.and_then(|id| moment.book.delegation(id));
    let session = delegation.session.and_then(|id| moment.book.session(id));
    let ends = [parent.map(|parent| parent.not_after), session.map(|session| session.not_after)];
    match ends.into_iter().flatten().min() {
        Some(end) if not_after > end => {
            let message = format!("{not_after} is after the end of what it rests on, {end}");
            Err(Refused::new(Reason::OutlivesParent, "not_after", message))
        }
        _ => Ok(()),
    }
}

/// Revokes a delegation: it and everything that rests on it is dead from this revision on. Revoking twice changes
/// nothing.
pub fn revoke(moment: &Moment<'_>, by: &By, id: DelegationId) -> Result<Changes<Delegation>, Refused> {
    check_text("reason", &by.reason)?;
    let before = moment.book.delegation(id).ok_or_else(|| {
        Refused::new(Reason::DelegationNotFound, "id", format!("there is no delegation {id}"))
    })?;
    if before.revoked.is_some() {
        return Ok(Changes::new(before.as_ref().clone()));
    }
    let after = Delegation {
        revoked: Some(Ended { at: moment.now(), by: by.client.clone(), reason: by.reason.clone() }),
        version: before.version + 1,
        ..before.as_ref().clone()
    };
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}
