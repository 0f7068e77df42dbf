//! `LookupSubjects`: the wildcard with what it excludes first, then the subjects granted by name in the order of their
//! ordinals. Pages are exact: each entry comes once, the wildcard on the first page only and beside its limit.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Consistency, Database, View};
use pemba_engine::{FoundSubject, Ordinal, Permissionship};
use pemba_model::{Context, ObjectRef, SmolStr, WILDCARD_ID};
use pemba_proto::authzed::api::v1::lookup_subjects_request::WildcardOption;
use pemba_proto::authzed::api::v1::{
    self as wire, LookupPermissionship, LookupSubjectsRequest, LookupSubjectsResponse, ResolvedSubject,
    ZedToken,
};
use prost::Message as _;
use tonic::{Code, Status};

use super::check::granted;
use super::read::position;
use super::{lookup_subjects_as, optional_limit, request_context};
use crate::access;
use crate::chains::{Asked, Basis, Presented, Root, Roots, Told, newer_ledger};
use crate::consistency::encode;
use crate::convert::{object, partial_caveat_info};
use crate::cursor::{AfterSubject, Call, Scope};
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Gathered, Outgoing, Page};
use crate::validate::{self, Path};

/// What is asked.
struct Question {
    state: Arc<State>,
    client: Arc<Client>,
    database: Database,
    consistency: Consistency,
    resource: ObjectRef,
    permission: String,
    subject_type: String,
    subject_relation: Option<SmolStr>,
    context: Option<Context>,
    wants_wildcard: bool,
}

/// A lookup in progress.
struct Lookup {
    scope: Scope,
    after: Option<AfterSubject>,
    /// Subjects granted by name that may still be told.
    left: Option<u32>,
    stage: Stage,
}

enum Stage {
    Start(Box<Question>),
    Found(Box<Found>),
}

struct Found {
    view: View,
    resource_id: SmolStr,
    looked_up_at: ZedToken,
    roots: Roots,
    wants_wildcard: bool,
}

pub(super) async fn answer<G: Gathered<LookupSubjectsResponse> + 'static>(
    state: &Arc<State>,
    client: &Arc<Client>,
    mut request: LookupSubjectsRequest,
    presented: Option<Presented>,
) -> Result<(Outgoing<G::Part>, Told), Status> {
    validate::lookup_subjects(&request)?;
    let resource = object(request.resource.as_ref());
    let (resource_type, subject_type) = (&resource.object_type, &request.subject_object_type);
    access::lookup_subjects(client, resource_type, &request.permission, subject_type)?;
    let left = optional_limit(request.optional_concrete_limit, state.limits.lookup_limit_max)?;
    if let Some(presented) = presented {
        return lookup_subjects_as::answer::<G>(state, client, request, resource, presented).await;
    }
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let database = state.database()?.clone();
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_concrete_limit = 0;
    let scope = Scope::new(Call::LookupSubjects, database.database_id(), &request.encode_to_vec());
    let (consistency, after) = position(&database, &scope, requested, cursor)?;
    let relation = &request.optional_subject_relation;
    let question = Question {
        state: Arc::clone(state),
        client: Arc::clone(client),
        database,
        consistency,
        resource,
        subject_relation: if relation.is_empty() { None } else { Some(relation.as_str().into()) },
        wants_wildcard: request.wildcard_option() != WildcardOption::ExcludeWildcards,
        permission: request.permission,
        subject_type: request.subject_object_type,
        context,
    };
    let lookup = Lookup { scope, after, left, stage: Stage::Start(Box::new(question)) };
    let outgoing = state.streams.paged(&state.queries, lookup, next::<G>).await?;
    Ok((outgoing, Told::default()))
}

fn next<G: Gathered<LookupSubjectsResponse>>(lookup: Lookup) -> Result<Page<Lookup, G::Part>, Status> {
    let Lookup { scope, mut after, mut left, stage } = lookup;
    let found = match stage {
        Stage::Found(found) => found,
        Stage::Start(question) => find(*question)?,
    };
    let mut cursors = scope.at(found.view.revision());
    let mut cursor = |position| Some(wire::Cursor { token: cursors.text(position).to_owned() });
    let mut gathered = G::default();
    if after.is_none() && found.wants_wildcard {
        let position = AfterSubject::Wildcard;
        for message in by_wildcard(&found)? {
            after = Some(position);
            gathered.push(LookupSubjectsResponse { after_result_cursor: cursor(position), ..message });
        }
    }
    let from = match after {
        Some(AfterSubject::Named(last)) => {
            found.roots.set.concrete.partition_point(|one| one.ordinal <= last)
        }
        Some(AfterSubject::Wildcard) | None => 0,
    };
    let wanted = left.map_or(G::MESSAGES_MAX, |left| G::MESSAGES_MAX.min(left as usize));
    let mut told = 0;
    for subject in found.roots.set.concrete.iter().skip(from).take(wanted) {
        let position = AfterSubject::Named(subject.ordinal);
        after = Some(position);
        told += 1;
        let message = message(&found, resolved(&found, subject)?, Vec::new());
        gathered.push(LookupSubjectsResponse { after_result_cursor: cursor(position), ..message });
    }
    left = left.map(|left| left.saturating_sub(u32::try_from(told).unwrap_or(u32::MAX)));
    let is_over = told < wanted || left == Some(0);
    let rest = (!is_over).then_some(Lookup { scope, after, left, stage: Stage::Found(found) });
    Ok(Page { messages: gathered.parts(), rest })
}

fn find(question: Question) -> Result<Box<Found>, Status> {
    let Question { state, client, database, consistency, resource, permission, subject_type, .. } = question;
    let view = database.view(&consistency).map_err(|error| errors::view(&error))?;
    let values = question.context.as_ref();
    let relation = question.subject_relation.as_deref();
    let ledger = newer_ledger(&state, &consistency)?.unwrap_or_else(|| Arc::clone(view.ledger()));
    let basis = Basis::new(&state, &client, view.clone(), ledger);
    let set = basis
        .judged()
        .lookup_subjects(&resource, &permission, &subject_type, relation, values)
        .map_err(|error| errors::query(&error))?;
    let roots = if relation.is_none() && !basis.book().is_empty() {
        let asked = Asked {
            resource: &resource,
            permission: &permission,
            subject_type: &subject_type,
            values,
            with_waiting: false,
        };
        Roots::of(&basis, &asked, set).map_err(|refused| errors::agents(&refused))?
    } else {
        Roots::all(set)
    };
    Ok(Box::new(Found {
        looked_up_at: encode(view.token()),
        view,
        resource_id: resource.object_id,
        roots,
        wants_wildcard: question.wants_wildcard,
    }))
}

/// What the wildcard gives: those to whom by their records it gives another thing, and itself with whom it excludes.
fn by_wildcard(found: &Found) -> Result<Vec<LookupSubjectsResponse>, Status> {
    let Roots { set, gone, instead, .. } = &found.roots;
    let (permissionship, missing) = &set.wildcard;
    let mut all: Vec<_> = instead.iter().map(|root| message(found, by_record(root), Vec::new())).collect();
    if *permissionship == Permissionship::No {
        return Ok(all);
    }
    let everybody = ResolvedSubject {
        subject_object_id: WILDCARD_ID.to_owned(),
        permissionship: lookup_permissionship(*permissionship).into(),
        partial_caveat_info: partial_caveat_info(missing),
    };
    let excluded = set.excluded.iter().map(|subject| resolved(found, subject));
    let gone = gone.iter().map(|id| {
        Ok(ResolvedSubject {
            subject_object_id: id.to_string(),
            permissionship: LookupPermissionship::HasPermission.into(),
            partial_caveat_info: None,
        })
    });
    let excluded = excluded.chain(gone).collect::<Result<Vec<_>, Status>>()?;
    all.push(message(found, everybody, excluded));
    Ok(all)
}

fn by_record(root: &Root) -> ResolvedSubject {
    ResolvedSubject {
        subject_object_id: root.id.to_string(),
        permissionship: lookup_permissionship(granted(root.outcome)).into(),
        partial_caveat_info: partial_caveat_info(&root.missing),
    }
}

fn resolved(found: &Found, subject: &FoundSubject) -> Result<ResolvedSubject, Status> {
    let named = || found.view.object_id(found.roots.set.subject_type?, subject.ordinal);
    let is_resource = subject.ordinal == Ordinal::UNMENTIONED;
    let Some(id) = (if is_resource { Some(found.resource_id.as_str()) } else { named() }) else {
        return Err(plain(Code::Internal, "a found subject has no name"));
    };
    Ok(ResolvedSubject {
        subject_object_id: id.to_owned(),
        permissionship: lookup_permissionship(subject.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&subject.missing),
    })
}

pub(super) fn lookup_permissionship(permissionship: Permissionship) -> LookupPermissionship {
    match permissionship {
        Permissionship::No => LookupPermissionship::Unspecified,
        Permissionship::Conditional => LookupPermissionship::ConditionalPermission,
        Permissionship::Yes => LookupPermissionship::HasPermission,
    }
}

fn message(
    found: &Found,
    subject: ResolvedSubject,
    excluded: Vec<ResolvedSubject>,
) -> LookupSubjectsResponse {
    told(&found.looked_up_at, subject, excluded)
}

#[expect(deprecated, reason = "older clients read only the deprecated fields")]
pub(super) fn told(
    looked_up_at: &ZedToken,
    subject: ResolvedSubject,
    excluded: Vec<ResolvedSubject>,
) -> LookupSubjectsResponse {
    LookupSubjectsResponse {
        looked_up_at: Some(looked_up_at.clone()),
        subject_object_id: subject.subject_object_id.clone(),
        excluded_subject_ids: excluded.iter().map(|subject| subject.subject_object_id.clone()).collect(),
        permissionship: subject.permissionship,
        partial_caveat_info: subject.partial_caveat_info.clone(),
        subject: Some(subject),
        excluded_subjects: excluded,
        after_result_cursor: None,
    }
}
