//! `CheckBulkPermissions`.

use std::sync::Arc;

use pemba_db::View;
use pemba_model::Context;
use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem,
};
use tonic::Status;

use super::check::{SUBJECT_FIELD, permissionship};
use super::request_context;
use crate::consistency::{consistency, encode};
use crate::convert::{object, partial_caveat_info, subject};
use crate::errors;
use crate::state::State;
use crate::status::to_wire;
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
    let items = with_contexts(state, request.items)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    if items.len() <= INLINE_ITEMS_MAX {
        return Ok(checked(&view, items));
    }
    state.queries.run(move || Ok(checked(&view, items))).await
}

type Item = (CheckBulkPermissionsRequestItem, Option<Context>);

/// A context that is too large or no JSON fails the whole call, as a request's would.
fn with_contexts(state: &State, items: Vec<CheckBulkPermissionsRequestItem>) -> Result<Vec<Item>, Status> {
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let path = Path::Root.item("items", index);
            let context = request_context(path.field("context"), item.context.as_ref(), &state.limits)?;
            Ok((item, context))
        })
        .collect()
}

fn checked(view: &View, items: Vec<Item>) -> CheckBulkPermissionsResponse {
    let pairs = items
        .into_iter()
        .enumerate()
        .map(|(index, (item, context))| {
            let response = match check_item(view, index, &item, context.as_ref()) {
                Ok(answer) => Response::Item(answer),
                Err(status) => Response::Error(to_wire(&status)),
            };
            CheckBulkPermissionsPair { request: Some(item), response: Some(response) }
        })
        .collect();
    CheckBulkPermissionsResponse { checked_at: Some(encode(view.token())), pairs }
}

fn check_item(
    view: &View,
    index: usize,
    item: &CheckBulkPermissionsRequestItem,
    context: Option<&Context>,
) -> Result<CheckBulkPermissionsResponseItem, Status> {
    validate::bulk_check_item(index, item)?;
    if !validate::no_wildcard_subject(item.subject.as_ref()) {
        return Err(errors::wildcard_not_allowed(SUBJECT_FIELD));
    }
    let answer = view
        .check(&object(item.resource.as_ref()), &item.permission, &subject(item.subject.as_ref()), context)
        .map_err(|error| errors::query(&error))?;
    Ok(CheckBulkPermissionsResponseItem {
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace: None,
    })
}
