//! `LookupSubjectsAs`: the wildcard first, then the roots by name in the order of their ordinals, each with its
//! delegates where they are asked for, and last the delegates of those whom only the wildcard covers.

use std::collections::HashSet;
use std::sync::Arc;

use pemba_agents::authority::{self, Ground, Outcome, Question, Reach};
use pemba_agents::chain::{Chain, Claim};
use pemba_agents::client::Client;
use pemba_agents::{DelegationId, Refused};
use pemba_db::{Consistency, Database};
use pemba_engine::{Graph, Ordinal, Permissionship};
use pemba_model::{Context, ObjectRef, SmolStr, WILDCARD_ID};
use pemba_proto::authzed::api::v1::{Cursor as WireCursor, ObjectReference};
use pemba_proto::pemba::v1 as own;
use prost::Message as _;
use tonic::{Code, Status};

use super::super::read::position;
use super::super::{PAGE_MESSAGES, optional_limit, request_context};
use super::wire;
use crate::access;
use crate::chains::{Ask, Asked, Basis, Roots, newer_ledger};
use crate::consistency::encode;
use crate::convert::{object, object_to_wire, partial_caveat_info};
use crate::cursor::{AfterReach, Call, Cursor, Scope};
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Outgoing, Page};
use crate::validate::{self, Path};

/// Delegations that one page looks at: of those that reach nothing there may be many.
const DELEGATIONS_PER_PAGE_MAX: usize = 1024;

/// What is asked.
struct Subjects {
    state: Arc<State>,
    client: Arc<Client>,
    resource: ObjectRef,
    permission: String,
    subject_type: String,
    values: Option<Context>,
    include_delegates: bool,
}

/// A lookup in progress.
struct Going {
    database: Database,
    subjects: Subjects,
    scope: Scope,
    after: Option<AfterReach>,
    left: Option<u32>,
    stage: Stage,
}

enum Stage {
    Start(Consistency),
    Found(Box<Found>),
}

struct Found {
    basis: Basis,
    roots: Roots,
    /// The ids of the roots by name.
    named: HashSet<SmolStr>,
    /// The ids of those whom the wildcard does not cover.
    excluded: HashSet<SmolStr>,
}

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    mut request: own::LookupSubjectsAsRequest,
) -> Result<Outgoing<own::LookupSubjectsAsResponse>, Status> {
    validate::lookup_subjects_as(&request)?;
    let resource = object(request.resource.as_ref());
    access::lookup_subjects(client, &resource.object_type, &request.permission, &request.subject_type)?;
    let left = optional_limit(request.optional_limit, state.limits.lookup_limit_max)?;
    let values = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let database = state.database()?.clone();
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_limit = 0;
    let scope = Scope::new(Call::LookupSubjectsAs, database.database_id(), &request.encode_to_vec());
    let (consistency, after) = position(&database, &scope, requested, cursor)?;
    let subjects = Subjects {
        state: Arc::clone(state),
        client: Arc::clone(client),
        resource,
        permission: request.permission,
        subject_type: request.subject_type,
        values,
        include_delegates: request.include_delegates,
    };
    let going = Going { database, subjects, scope, after, left, stage: Stage::Start(consistency) };
    state.streams.paged(&state.queries, going, next).await
}

fn find(database: &Database, consistency: &Consistency, subjects: &Subjects) -> Result<Found, Status> {
    let Subjects { state, client, resource, permission, subject_type, values, .. } = subjects;
    let view = database.view(consistency).map_err(|error| errors::view(&error))?;
    let ledger = newer_ledger(state, consistency)?.unwrap_or_else(|| Arc::clone(view.ledger()));
    let basis = Basis::new(state, client, view, ledger);
    let set = basis
        .judged()
        .lookup_subjects(resource, permission, subject_type, None, values.as_ref())
        .map_err(|error| errors::query(&error))?;
    let values = values.as_ref();
    let asked = Asked { resource, permission, subject_type, values, with_waiting: true };
    let roots = Roots::of(&basis, &asked, set).map_err(|refused| errors::agents(&refused))?;
    let id = |ordinal| id_of(&basis, &roots, resource, ordinal).map(SmolStr::new);
    let named = roots.set.concrete.iter().filter_map(|root| id(root.ordinal));
    let named = named.chain(roots.instead.iter().map(|root| root.id.clone())).collect();
    let certainly = roots.set.excluded.iter().filter(|one| one.permissionship == Permissionship::Yes);
    let excluded = certainly.filter_map(|one| id(one.ordinal)).chain(roots.gone.iter().cloned()).collect();
    Ok(Found { basis, roots, named, excluded })
}

fn id_of<'a>(basis: &'a Basis, roots: &Roots, resource: &'a ObjectRef, ordinal: Ordinal) -> Option<&'a str> {
    if ordinal == Ordinal::UNMENTIONED {
        return Some(&resource.object_id);
    }
    basis.view.object_id(roots.set.subject_type?, ordinal)
}

fn next(going: Going) -> Result<Page<Going, own::LookupSubjectsAsResponse>, Status> {
    let Going { database, subjects, scope, after, left, stage } = going;
    let mut found = match stage {
        Stage::Start(consistency) => Box::new(find(&database, &consistency, &subjects)?),
        Stage::Found(found) => found,
    };
    // Whoever ended since the roots were found is nobody's delegate.
    found.basis.ledger = database.ledger();
    let wanted = left.map_or(PAGE_MESSAGES, |left| PAGE_MESSAGES.min(left as usize));
    let mut page = Telling {
        subjects: &subjects,
        found: &found,
        scope: &scope,
        wanted,
        delegations_left: DELEGATIONS_PER_PAGE_MAX,
        after,
        messages: Vec::new(),
    };
    let is_over = page.tell()?;
    let (messages, after) = (page.messages, page.after);
    let told = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let left = left.map(|left| left.saturating_sub(told));
    let is_over = is_over || left == Some(0);
    let stage = Stage::Found(found);
    let rest = (!is_over).then_some(Going { database, subjects, scope, after, left, stage });
    Ok(Page { messages, rest })
}

/// A page being made.
struct Telling<'a> {
    subjects: &'a Subjects,
    found: &'a Found,
    scope: &'a Scope,
    wanted: usize,
    delegations_left: usize,
    after: Option<AfterReach>,
    messages: Vec<own::LookupSubjectsAsResponse>,
}

impl Telling<'_> {
    fn is_full(&self) -> bool {
        self.messages.len() >= self.wanted || self.delegations_left == 0
    }

    /// Fills the page; says whether nothing is left to tell.
    fn tell(&mut self) -> Result<bool, Status> {
        let roots = &self.found.roots;
        if self.after.is_none() {
            self.tell_wildcard()?;
        }
        for root in &roots.set.concrete {
            let (done, within) = match self.after {
                Some(AfterReach::Named(last, delegation)) if last == root.ordinal => {
                    (false, Some(delegation))
                }
                Some(AfterReach::Named(last, _)) => (root.ordinal < last, None),
                Some(AfterReach::Covered(_)) => (true, None),
                _ => (false, None),
            };
            if done {
                continue;
            }
            if self.is_full() {
                return Ok(false);
            }
            let id = id_of(&self.found.basis, roots, &self.subjects.resource, root.ordinal)
                .ok_or_else(|| plain(Code::Internal, "a found subject has no name"))?;
            let object = ObjectRef::new(self.subjects.subject_type.as_str(), id);
            if within.is_none() {
                let by_relationships = match root.permissionship {
                    Permissionship::Conditional => Outcome::Conditional,
                    _ => Outcome::Allow,
                };
                let outcome = roots.outcomes.get(&root.ordinal).copied().unwrap_or(by_relationships);
                self.tell_root(
                    AfterReach::Named(root.ordinal, None),
                    object_to_wire(&object),
                    outcome,
                    &root.missing,
                );
            }
            if self.subjects.include_delegates
                && !self.tell_delegates(root.ordinal, &object, within.flatten())?
            {
                return Ok(false);
            }
        }
        if self.subjects.include_delegates { self.tell_covered() } else { Ok(true) }
    }

    /// The wildcard with whom it does not cover, or those with a record where it covers nobody else.
    fn tell_wildcard(&mut self) -> Result<(), Status> {
        let Found { basis, roots, .. } = self.found;
        let subject_type = &self.subjects.subject_type;
        for root in &roots.instead {
            let object = object_to_wire(&ObjectRef::new(subject_type.as_str(), root.id.clone()));
            self.tell_root(AfterReach::Wildcard, object, root.outcome, &root.missing);
        }
        if roots.set.wildcard.0 == Permissionship::No {
            return Ok(());
        }
        let resource = &self.subjects.resource;
        let excluded = roots.set.excluded.iter().map(|one| id_of(basis, roots, resource, one.ordinal));
        let mut excluded_ids = excluded
            .map(|id| {
                id.map(str::to_owned).ok_or_else(|| plain(Code::Internal, "a found subject has no name"))
            })
            .collect::<Result<Vec<String>, Status>>()?;
        excluded_ids.extend(roots.gone.iter().map(SmolStr::to_string));
        let everybody = object_to_wire(&ObjectRef::new(subject_type.as_str(), WILDCARD_ID));
        self.tell_root(AfterReach::Wildcard, everybody, roots.everybody, &roots.set.wildcard.1);
        if let Some(message) = self.messages.last_mut() {
            message.excluded_ids = excluded_ids;
        }
        Ok(())
    }

    fn tell_root(&mut self, at: AfterReach, root: ObjectReference, outcome: Outcome, missing: &[SmolStr]) {
        let message = own::LookupSubjectsAsResponse {
            root: Some(root),
            outcome: wire::outcome(outcome).into(),
            partial_caveat_info: partial_caveat_info(missing),
            ..self.message(at)
        };
        self.after = Some(at);
        self.messages.push(message);
    }

    fn message(&self, at: AfterReach) -> own::LookupSubjectsAsResponse {
        let view = &self.found.basis.view;
        let cursor = Cursor { revision: view.revision(), position: at };
        own::LookupSubjectsAsResponse {
            looked_up_at: Some(encode(view.token())),
            after_result_cursor: Some(WireCursor { token: self.scope.encode(cursor) }),
            ..own::LookupSubjectsAsResponse::default()
        }
    }

    /// The delegates of one root; says whether all were told.
    fn tell_delegates(
        &mut self,
        ordinal: Ordinal,
        root: &ObjectRef,
        after: Option<DelegationId>,
    ) -> Result<bool, Status> {
        for id in self.found.basis.book().delegations_of_root(root, after) {
            if self.is_full() {
                return Ok(false);
            }
            self.tell_delegate(AfterReach::Named(ordinal, Some(id)), id)?;
        }
        Ok(true)
    }

    /// The delegates of roots that are not told by name: those whom the wildcard covers, and those with a record where
    /// it covers nobody else. Says whether all were told.
    fn tell_covered(&mut self) -> Result<bool, Status> {
        let Found { basis, roots, named, excluded } = self.found;
        let is_covered = |root: &ObjectRef| {
            let by_record = roots.instead.iter().any(|one| one.id == root.object_id);
            let by_wildcard = roots.set.wildcard.0 != Permissionship::No
                && !named.contains(&root.object_id)
                && !excluded.contains(&root.object_id);
            root.object_type == self.subjects.subject_type.as_str() && (by_record || by_wildcard)
        };
        if roots.instead.is_empty() && roots.set.wildcard.0 == Permissionship::No {
            return Ok(true);
        }
        let after = match self.after {
            Some(AfterReach::Covered(last)) => Some(last),
            _ => None,
        };
        for (id, delegation) in basis.book().delegations().after(after.as_ref()) {
            if self.is_full() {
                return Ok(false);
            }
            if is_covered(&delegation.root) {
                self.tell_delegate(AfterReach::Covered(*id), *id)?;
            } else {
                self.delegations_left = self.delegations_left.saturating_sub(1);
                self.after = Some(AfterReach::Covered(*id));
            }
        }
        Ok(true)
    }

    fn tell_delegate(&mut self, at: AfterReach, id: DelegationId) -> Result<(), Status> {
        self.delegations_left = self.delegations_left.saturating_sub(1);
        self.after = Some(at);
        let Subjects { resource, permission, values, .. } = self.subjects;
        let claim = Claim::default();
        let question = Question { claim: &claim, permission, resource, values: values.as_ref() };
        let basis = &self.found.basis;
        let nobody = Chain::of_one(ObjectRef::new("", ""));
        let reach = basis.ask(&nobody, &[], Delegate { id, question: &question });
        let Some(Reach { chain, decision }) = reach.map_err(|refused| errors::agents(&refused))? else {
            return Ok(());
        };
        let message = own::LookupSubjectsAsResponse {
            root: Some(object_to_wire(&chain.root)),
            actors: chain.actors().map(object_to_wire).collect(),
            delegation_id: id.to_string(),
            outcome: wire::outcome(decision.outcome).into(),
            partial_caveat_info: partial_caveat_info(&decision.missing),
            ..self.message(at)
        };
        self.messages.push(message);
        Ok(())
    }
}

struct Delegate<'a> {
    id: DelegationId,
    question: &'a Question<'a>,
}

impl Ask for Delegate<'_> {
    type Answer = Option<Reach>;

    fn ask<G: Graph>(self, ground: &Ground<'_, G>, _: &Chain) -> Result<Option<Reach>, Refused> {
        authority::reach(ground, self.id, self.question)
    }
}
