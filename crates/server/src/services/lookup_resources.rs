//! `LookupResources`: ids in the order of their ordinals, each once.

use std::ops::Bound;
use std::sync::Arc;

use pemba_db::{Consistency, Database, View};
use pemba_engine::{Ordinal, ResourceSet};
use pemba_model::{Context, ObjectRef, SmolStr, SubjectRef};
use pemba_proto::authzed::api::v1::{
    self as wire, LookupPermissionship, LookupResourcesRequest, LookupResourcesResponse, ZedToken,
};
use prost::Message as _;
use roaring::RoaringBitmap;
use tonic::{Code, Status};

use super::read::position;
use super::{PAGE_MESSAGES, optional_limit, request_context};
use crate::consistency::encode;
use crate::convert::{partial_caveat_info, subject};
use crate::cursor::{Call, Cursor, Scope};
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Outgoing, Page};
use crate::validate::{self, Path};

/// What is asked.
struct Question {
    resource_type: SmolStr,
    permission: String,
    subject: SubjectRef,
    context: Option<Context>,
}

/// A lookup in progress.
struct Lookup {
    question: Question,
    scope: Scope,
    after: Option<Ordinal>,
    left: Option<u32>,
    stage: Stage,
}

enum Stage {
    Start { database: Database, consistency: Consistency },
    Found(Box<Found>),
}

struct Found {
    view: View,
    looked_up_at: ZedToken,
    set: ResourceSet,
    all: RoaringBitmap,
}

pub(super) async fn answer(
    state: &Arc<State>,
    mut request: LookupResourcesRequest,
) -> Result<Outgoing<LookupResourcesResponse>, Status> {
    validate::lookup_resources(&request)?;
    validate::no_wildcard_with_relation(Path::Root.field("subject"), request.subject.as_ref())?;
    if !validate::no_wildcard_subject(request.subject.as_ref()) {
        return Err(errors::wildcard_not_allowed("subject_id"));
    }
    let left = optional_limit(request.optional_limit, state.limits.lookup_limit_max)?;
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let database = state.database()?.clone();
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_limit = 0;
    let scope = Scope::new(Call::LookupResources, database.database_id(), &request.encode_to_vec());
    let (consistency, after) = position(&database, &scope, requested, cursor)?;
    let question = Question {
        subject: subject(request.subject.as_ref()),
        resource_type: request.resource_object_type.as_str().into(),
        permission: request.permission,
        context,
    };
    let lookup = Lookup { question, scope, after, left, stage: Stage::Start { database, consistency } };
    state.streams.paged(&state.queries, lookup, next).await
}

fn find(database: &Database, consistency: &Consistency, question: &Question) -> Result<Box<Found>, Status> {
    let view = database.view(consistency).map_err(|error| errors::view(&error))?;
    let set = view
        .lookup_resources(
            &question.resource_type,
            &question.permission,
            &question.subject,
            question.context.as_ref(),
        )
        .map_err(|error| errors::query(&error))?;
    let all = &set.definite | &set.conditional;
    Ok(Box::new(Found { looked_up_at: encode(view.token()), view, set, all }))
}

fn next(lookup: Lookup) -> Result<Page<Lookup, LookupResourcesResponse>, Status> {
    let Lookup { question, scope, mut after, mut left, stage } = lookup;
    let found = match stage {
        Stage::Start { database, consistency } => find(&database, &consistency, &question)?,
        Stage::Found(found) => found,
    };
    let wanted = left.map_or(PAGE_MESSAGES, |left| PAGE_MESSAGES.min(left as usize));
    let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.0));
    let mut messages = Vec::new();
    for ordinal in found.all.range((from, Bound::Unbounded)).take(wanted).map(Ordinal) {
        messages.push(message(&found, &question, &scope, ordinal)?);
        after = Some(ordinal);
    }
    left = left.map(|left| left.saturating_sub(u32::try_from(messages.len()).unwrap_or(u32::MAX)));
    let is_over = messages.len() < wanted || left == Some(0);
    let rest = (!is_over).then_some(Lookup { question, scope, after, left, stage: Stage::Found(found) });
    Ok(Page { messages, rest })
}

fn message(
    found: &Found,
    question: &Question,
    scope: &Scope,
    ordinal: Ordinal,
) -> Result<LookupResourcesResponse, Status> {
    let id = found.set.resource_type.and_then(|resource_type| found.view.object_id(resource_type, ordinal));
    let Some(id) = id else {
        return Err(plain(Code::Internal, "a found resource has no name"));
    };
    let is_conditional = found.set.conditional.contains(ordinal.0);
    let partial_caveat_info = if is_conditional { missing(found, question, id)? } else { None };
    let permissionship = if is_conditional {
        LookupPermissionship::ConditionalPermission
    } else {
        LookupPermissionship::HasPermission
    };
    let cursor = Cursor { revision: found.view.revision(), position: ordinal };
    Ok(LookupResourcesResponse {
        looked_up_at: Some(found.looked_up_at.clone()),
        resource_object_id: id.to_owned(),
        permissionship: permissionship.into(),
        partial_caveat_info,
        after_result_cursor: Some(wire::Cursor { token: scope.encode(cursor) }),
    })
}

/// The parameters that one conditional result misses: a set has no room for them, so it is asked for again alone.
fn missing(found: &Found, question: &Question, id: &str) -> Result<Option<wire::PartialCaveatInfo>, Status> {
    let resource = ObjectRef::new(question.resource_type.clone(), id);
    let answer = found
        .view
        .check(&resource, &question.permission, &question.subject, question.context.as_ref())
        .map_err(|error| errors::query(&error))?;
    Ok(partial_caveat_info(&answer.missing))
}
