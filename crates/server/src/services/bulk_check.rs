//! `CheckBulkPermissions`.

use std::sync::Arc;

use pemba_db::{CheckRequest, View};
use pemba_engine::CheckAnswer;
use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_model::{Context, ObjectRef, SubjectRef};
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem,
};
use tonic::{Code, Status};

use super::check::{SUBJECT_FIELD, permissionship};
use super::request_context;
use crate::consistency::{consistency, encode};
use crate::convert::{object, partial_caveat_info, subject};
use crate::errors;
use crate::state::State;
use crate::status::{plain, to_wire};
use crate::validate::{self, Path};

/// Items that are answered on the thread of the connection; more would delay other calls on it.
const INLINE_ITEMS_MAX: usize = 64;

pub(super) async fn answer(
    state: &Arc<State>,
    request: CheckBulkPermissionsRequest,
) -> Result<CheckBulkPermissionsResponse, Status> {
    validate::bulk_check(&request)?;
    if request.items.len() > BULK_CHECK_ITEMS_MAX {
        return Err(errors::too_many_checks(request.items.len()));
    }
    let contexts = contexts(state, &request.items)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let questions = questions(request.items, contexts);
    if questions.len() <= INLINE_ITEMS_MAX {
        return Ok(checked(&view, questions));
    }
    state.queries.run(move || Ok(checked(&view, questions))).await
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
struct Question {
    item: CheckBulkPermissionsRequestItem,
    asked: Result<(ObjectRef, SubjectRef), Status>,
    context: Option<Context>,
}

fn questions(items: Vec<CheckBulkPermissionsRequestItem>, contexts: Vec<Option<Context>>) -> Vec<Question> {
    let items = items.into_iter().zip(contexts).enumerate();
    items.map(|(index, (item, context))| Question { asked: asked(index, &item), item, context }).collect()
}

fn asked(index: usize, item: &CheckBulkPermissionsRequestItem) -> Result<(ObjectRef, SubjectRef), Status> {
    validate::bulk_check_item(index, item)?;
    if !validate::no_wildcard_subject(item.subject.as_ref()) {
        return Err(errors::wildcard_not_allowed(SUBJECT_FIELD));
    }
    Ok((object(item.resource.as_ref()), subject(item.subject.as_ref())))
}

fn checked(view: &View, questions: Vec<Question>) -> CheckBulkPermissionsResponse {
    let requests: Vec<CheckRequest<'_>> = questions
        .iter()
        .filter_map(|question| {
            let (resource, subject) = question.asked.as_ref().ok()?;
            let (permission, context) = (question.item.permission.as_str(), question.context.as_ref());
            Some(CheckRequest { resource, permission, subject, context })
        })
        .collect();
    let mut answers = view.check_bulk(&requests).into_iter();
    let pairs = questions
        .into_iter()
        .map(|question| {
            let answer = question.asked.and_then(|_| match answers.next() {
                Some(answer) => answer.map_err(|error| errors::query(&error)),
                None => Err(plain(Code::Internal, "the check has no answer")),
            });
            let response = match answer {
                Ok(answer) => Response::Item(response_item(&answer)),
                Err(status) => Response::Error(to_wire(&status)),
            };
            CheckBulkPermissionsPair { request: Some(question.item), response: Some(response) }
        })
        .collect();
    CheckBulkPermissionsResponse { checked_at: Some(encode(view.token())), pairs }
}

fn response_item(answer: &CheckAnswer) -> CheckBulkPermissionsResponseItem {
    CheckBulkPermissionsResponseItem {
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace: None,
    }
}
