//! `CheckBulkPermissions`.

use std::sync::Arc;

use bytes::Bytes;
use pemba_agents::client::Client;
use pemba_db::{CheckRequest, View};
use pemba_engine::{CheckAnswer, QueryError};
use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_model::{Context, ObjectRef, SubjectRef};
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem,
};
use tonic::{Code, Status};

use super::check::{SUBJECT_FIELD, explained, permissionship};
use super::{bulk_check_as, no_wildcard_subject, request_context};
use crate::access;
use crate::chains::{Basis, Presented, Told, book_of, newer_ledger};
use crate::consistency::{consistency, encode, resolve};
use crate::convert::{Tracing, object, partial_caveat_info, subject};
use crate::direct::{self, Bulk, BulkAnswer, bulk_answer};
use crate::errors;
use crate::state::State;
use crate::status::{plain, to_wire};
use crate::validate::{self, Path};

/// Items that are answered on the thread of the connection; more would delay other calls on it.
pub(super) const INLINE_ITEMS_MAX: usize = 128;
/// Steps that each of them takes there; a longer one sends all of them to a query thread.
const INLINE_ITEM_STEPS_MAX: u64 = 1_000;

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: CheckBulkPermissionsRequest,
    presented: Option<Presented>,
) -> Result<(CheckBulkPermissionsResponse, Told), Status> {
    validate::bulk_check(&request)?;
    if request.items.len() > BULK_CHECK_ITEMS_MAX {
        return Err(errors::too_many_checks(request.items.len()));
    }
    let contexts = contexts(state, &request.items)?;
    let is_traced = request.with_tracing;
    let consistency = consistency(request.consistency.as_ref())?;
    let view = state.view(consistency).await?;
    let questions = questions(&view, request.items, contexts);
    if presented.is_none() {
        permitted(client, &questions, is_traced)?;
    }
    let newer = newer_ledger(state, &consistency)?;
    let is_gated = presented.is_some() || !book_of(&**newer.as_ref().unwrap_or(view.ledger())).is_empty();
    if is_gated {
        let ledger = newer.unwrap_or_else(|| Arc::clone(view.ledger()));
        let basis = Basis::new(state, client, view, ledger);
        return bulk_check_as::answer(state, basis, questions, presented, is_traced).await;
    }
    if questions.len() <= INLINE_ITEMS_MAX && !is_traced {
        return Ok((checked(&view, questions, None), Told::default()));
    }
    state
        .queries
        .run(move || {
            let tracing = is_traced.then(|| Tracing::new(&view, questions.len()));
            Ok((checked(&view, questions, tracing), Told::default()))
        })
        .await
}

/// One item that the client may not ask refuses the whole call. Items that cannot be asked tell it nothing.
fn permitted(client: &Client, questions: &[Question], is_traced: bool) -> Result<(), Status> {
    for (index, question) in questions.iter().enumerate() {
        if let Ok((resource, subject)) = &question.asked {
            let asked = (resource.object_type.as_str(), question.item.permission.as_str());
            access::check(client, Path::Root.item("items", index), asked, subject, is_traced)?;
        }
    }
    Ok(())
}

/// A context that is too large or no JSON fails the whole call, as a request's would.
fn contexts(
    state: &State,
    items: &[CheckBulkPermissionsRequestItem],
) -> Result<Vec<Option<Context>>, Status> {
    let items = items.iter().enumerate();
    items
        .map(|(index, item)| {
            let path = Path::Root.item("items", index);
            request_context(path.field("context"), item.context.as_ref(), &state.limits)
        })
        .collect()
}

/// One item, with what is asked or why it cannot be.
pub(super) struct Question {
    pub(super) item: CheckBulkPermissionsRequestItem,
    pub(super) asked: Result<(ObjectRef, SubjectRef), Status>,
    pub(super) context: Option<Context>,
}

impl Question {
    pub(super) fn request(&self) -> Option<CheckRequest<'_>> {
        let (resource, subject) = self.asked.as_ref().ok()?;
        let (permission, context) = (self.item.permission.as_str(), self.context.as_ref());
        Some(CheckRequest { resource, permission, subject, context })
    }
}

fn questions(
    view: &View,
    items: Vec<CheckBulkPermissionsRequestItem>,
    contexts: Vec<Option<Context>>,
) -> Vec<Question> {
    let items = items.into_iter().zip(contexts).enumerate();
    items
        .map(|(index, (item, context))| Question { asked: asked(view, index, &item), item, context })
        .collect()
}

fn asked(
    view: &View,
    index: usize,
    item: &CheckBulkPermissionsRequestItem,
) -> Result<(ObjectRef, SubjectRef), Status> {
    validate::bulk_check_item(index, item)?;
    let (resource, subject) = (object(item.resource.as_ref()), subject(item.subject.as_ref()));
    no_wildcard_subject(view, (&resource.object_type, &item.permission), &subject, SUBJECT_FIELD)?;
    Ok((resource, subject))
}

/// How a bulk check in its frame is answered.
pub(super) enum Now {
    /// With this, to so many questions.
    Answer(Bytes, usize),
    /// With what this makes on a query thread, to so many questions.
    Later(Box<dyn FnOnce() -> Result<Bytes, Status> + Send>, usize),
    /// By the generated code: more than relationships decides, or may be asked for.
    Generated,
}

/// Answers a common request where it lies.
pub(super) fn now(state: &Arc<State>, client: &Arc<Client>, framed: &Bytes) -> Now {
    let Some(bulk) = read(framed) else { return Now::Generated };
    let view = resolve(bulk.wanted).and_then(|consistency| state.view_now(&consistency));
    let Ok(Some(view)) = view else { return Now::Generated };
    if !book_of(&**view.ledger()).is_empty() {
        return Now::Generated;
    }
    let Some(asked) = asked_directly(client, &bulk) else { return Now::Generated };
    let count = asked.len();
    if count <= INLINE_ITEMS_MAX
        && let Some(answer) = checked_directly(&view.bounded(INLINE_ITEM_STEPS_MAX), &bulk, &asked, true)
    {
        return Now::Answer(answer, count);
    }
    let framed = framed.clone();
    let work = move || {
        // Reading it again is cheaper than to own what it says.
        let bulk = read(&framed);
        bulk.and_then(|bulk| checked_directly(&view, &bulk, &asked, false))
            .ok_or_else(direct::read_differently)
    };
    Now::Later(Box::new(work), count)
}

fn read(framed: &Bytes) -> Option<Bulk<'_>> {
    Bulk::read(direct::message(framed)?, BULK_CHECK_ITEMS_MAX)
}

/// What the items ask, if the client may ask all of it.
fn asked_directly(client: &Client, bulk: &Bulk<'_>) -> Option<Vec<(ObjectRef, SubjectRef)>> {
    let items = bulk.items.iter().enumerate();
    items
        .map(|(index, item)| {
            let (resource, subject) = (item.resource.to_model(), item.subject.to_model());
            let asked = (item.resource.object_type, item.permission);
            access::check(client, Path::Root.item("items", index), asked, &subject, false).ok()?;
            Some((resource, subject))
        })
        .collect()
}

/// `None` if the view `is_bounded` and one item took more steps than that.
fn checked_directly(
    view: &View,
    bulk: &Bulk<'_>,
    asked: &[(ObjectRef, SubjectRef)],
    is_bounded: bool,
) -> Option<Bytes> {
    let requests: Vec<CheckRequest<'_>> = bulk
        .items
        .iter()
        .zip(asked)
        .map(|(item, (resource, subject))| CheckRequest {
            resource,
            permission: item.permission,
            subject,
            context: None,
        })
        .collect();
    let answers = view.check_bulk(&requests);
    let too_long = |answer: &Result<_, _>| matches!(answer, Err(QueryError::TooManySteps { .. }));
    if is_bounded && answers.iter().any(too_long) {
        return None;
    }
    let answers = answers.into_iter().map(|answer| match answer {
        Ok(answer) if answer.missing.is_empty() => BulkAnswer::Plain(permissionship(answer.permissionship)),
        Ok(answer) => BulkAnswer::More(Box::new(Response::Item(told(&answer)))),
        Err(error) => BulkAnswer::More(Box::new(Response::Error(to_wire(&errors::query(&error))))),
    });
    let pairs = bulk.items.iter().map(|item| item.message).zip(answers);
    Some(bulk_answer(&view.token().to_string(), pairs))
}

fn told(answer: &CheckAnswer) -> CheckBulkPermissionsResponseItem {
    CheckBulkPermissionsResponseItem {
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace: None,
    }
}

fn checked(
    view: &View,
    questions: Vec<Question>,
    mut tracing: Option<Tracing<'_>>,
) -> CheckBulkPermissionsResponse {
    let requests: Vec<CheckRequest<'_>> = questions.iter().filter_map(Question::request).collect();
    let mut answers = view.check_bulk(&requests).into_iter();
    let pairs = questions
        .into_iter()
        .map(|question| {
            let response = match response(&question, &mut answers, tracing.as_mut()) {
                Ok(item) => Response::Item(item),
                Err(status) => failure(status, &question, tracing.as_mut()),
            };
            CheckBulkPermissionsPair { request: Some(question.item), response: Some(response) }
        })
        .collect();
    CheckBulkPermissionsResponse { checked_at: Some(encode(view.token())), pairs }
}

/// Why one item has no answer.
pub(super) fn failure(status: Status, question: &Question, tracing: Option<&mut Tracing<'_>>) -> Response {
    let status = match tracing.zip(question.request()) {
        Some((tracing, request)) => explained(status, tracing, &request),
        None => status,
    };
    Response::Error(to_wire(&status))
}

/// What one item is told; takes an answer if it was asked.
fn response(
    question: &Question,
    answers: &mut impl Iterator<Item = Result<CheckAnswer, QueryError>>,
    tracing: Option<&mut Tracing<'_>>,
) -> Result<CheckBulkPermissionsResponseItem, Status> {
    question.asked.as_ref().map_err(Status::clone)?;
    let Some(answer) = answers.next() else {
        return Err(plain(Code::Internal, "the check has no answer"));
    };
    let answer = answer.map_err(|error| errors::query(&error))?;
    let debug_trace = match tracing.zip(question.request()) {
        Some((tracing, request)) => Some(tracing.trace(&request).map_err(|error| errors::query(&error))?),
        None => None,
    };
    Ok(CheckBulkPermissionsResponseItem { debug_trace, ..told(&answer) })
}
