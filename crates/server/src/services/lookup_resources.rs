//! `LookupResources`: ids in the order of their ordinals, each once.

use std::ops::Bound;
use std::sync::Arc;

use pemba_db::{Consistency, Database, View};
use pemba_engine::{Ordinal, ResourceSet};
use pemba_model::{Context, SmolStr, SubjectRef};
use pemba_proto::authzed::api::v1::{
    self as wire, LookupPermissionship, LookupResourcesRequest, LookupResourcesResponse, ZedToken,
};
use prost::Message as _;
use roaring::RoaringBitmap;
use tonic::{Code, Status};

use super::read::position;
use super::{PAGE_MESSAGES, no_wildcard_subject, optional_limit, request_context};
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
    let asked = (question.resource_type.as_str(), question.permission.as_str());
    no_wildcard_subject(&view, asked, &question.subject, "subject_id")?;
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
    let page: Vec<Ordinal> = found.all.range((from, Bound::Unbounded)).take(wanted).map(Ordinal).collect();
    let mut missing = missing(&found, &question, &page)?.into_iter();
    let mut messages = Vec::with_capacity(page.len());
    for ordinal in page {
        let is_conditional = found.set.conditional.contains(ordinal.0);
        let missing = if is_conditional { missing.next() } else { None };
        let id = id(&found, &question, ordinal)?;
        messages.push(message(&found, &scope, (id, ordinal), missing.as_deref()));
        after = Some(ordinal);
    }
    left = left.map(|left| left.saturating_sub(u32::try_from(messages.len()).unwrap_or(u32::MAX)));
    let is_over = messages.len() < wanted || left == Some(0);
    let rest = (!is_over).then_some(Lookup { question, scope, after, left, stage: Stage::Found(found) });
    Ok(Page { messages, rest })
}

/// A result; `missing` is there for a conditional one.
fn message(
    found: &Found,
    scope: &Scope,
    (id, ordinal): (&str, Ordinal),
    missing: Option<&[SmolStr]>,
) -> LookupResourcesResponse {
    let permissionship = match missing {
        Some(_) => LookupPermissionship::ConditionalPermission,
        None => LookupPermissionship::HasPermission,
    };
    let cursor = Cursor { revision: found.view.revision(), position: ordinal };
    LookupResourcesResponse {
        looked_up_at: Some(found.looked_up_at.clone()),
        resource_object_id: id.to_owned(),
        permissionship: permissionship.into(),
        partial_caveat_info: missing.and_then(partial_caveat_info),
        after_result_cursor: Some(wire::Cursor { token: scope.encode(cursor) }),
    }
}

/// The id of a result.
fn id<'a>(found: &'a Found, question: &'a Question, ordinal: Ordinal) -> Result<&'a str, Status> {
    if ordinal == Ordinal::UNMENTIONED {
        return Ok(&question.subject.object.object_id);
    }
    let resource_type = found.set.resource_type;
    resource_type
        .and_then(|resource_type| found.view.object_id(resource_type, ordinal))
        .ok_or_else(|| plain(Code::Internal, "a found resource has no name"))
}

/// The parameters that each conditional result of a page misses, in order: a set has no room for them, so they are
/// asked for again, all at once.
fn missing(found: &Found, question: &Question, page: &[Ordinal]) -> Result<Vec<Vec<SmolStr>>, Status> {
    let is_conditional = |ordinal: &Ordinal| found.set.conditional.contains(ordinal.0);
    let conditional: Vec<Ordinal> = page.iter().copied().filter(is_conditional).collect();
    if conditional.is_empty() {
        return Ok(Vec::new());
    }
    let Question { resource_type, permission, subject, context } = question;
    let missing =
        found.view.lookup_missing(resource_type, permission, subject, &conditional, context.as_ref());
    let missing = missing.map_err(|error| errors::query(&error))?;
    if missing.len() == conditional.len() {
        Ok(missing)
    } else {
        Err(plain(Code::Internal, "a conditional result has no parameters"))
    }
}
