//! `ExportBulkRelationships`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Consistency, Database, View};
use pemba_engine::{EdgeKey, Graph as _, Ordinal, TypeId};
use pemba_model::RelationshipFilter;
use pemba_proto::authzed::api::v1::{
    self as wire, ExportBulkRelationshipsRequest, ExportBulkRelationshipsResponse,
};
use pemba_schema::SubjectShape;
use prost::Message as _;
use tonic::Status;

use super::read::position;
use super::{optional_limit, read_page};
use crate::access;
use crate::convert::{filter, relationship_to_wire};
use crate::cursor::{Call, Cursor, Scope};
use crate::errors;
use crate::state::State;
use crate::stream::{Outgoing, Page};
use crate::validate;

/// Where an export stands; the view is opened with the first message.
struct Export {
    database: Database,
    consistency: Consistency,
    view: Option<View>,
    filter: RelationshipFilter,
    has_filter: bool,
    scope: Scope,
    after: Option<EdgeKey>,
    rows: usize,
    steps_max: u64,
}

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Client,
    request: ExportBulkRelationshipsRequest,
) -> Result<Outgoing<ExportBulkRelationshipsResponse>, Status> {
    validate::export(&request)?;
    let rows = optional_limit(request.optional_limit, state.limits.export_page_max)?;
    let rows = rows.unwrap_or(state.limits.export_page_default).max(1) as usize;
    let database = state.database()?.clone();
    let wanted = request.optional_relationship_filter;
    let exported = wanted.as_ref().map(filter);
    access::export(client, exported.as_ref())?;
    let arguments = wanted.as_ref().map(wire::RelationshipFilter::encode_to_vec).unwrap_or_default();
    let scope = Scope::new(Call::Export, database.database_id(), &arguments);
    let (consistency, after) = position(&database, &scope, request.consistency, request.optional_cursor)?;
    let export = Export {
        database,
        consistency,
        view: None,
        has_filter: exported.is_some(),
        filter: exported.unwrap_or_default(),
        scope,
        after,
        rows,
        steps_max: state.limits.query_steps_max,
    };
    state.streams.paged(&state.queries, export, next).await
}

/// Whether both ends of an edge still have their names. One that lost its name to a later incarnation has nothing and
/// gives nothing; written elsewhere by name, the edge would be the later one's.
fn is_held(view: &View, key: EdgeKey) -> bool {
    let snapshot = view.snapshot();
    let names = snapshot.names();
    let Some(kind) = snapshot.catalog().kind(key.kind) else { return false };
    let has_name = |of: TypeId, object: Ordinal| {
        names.replaced(of).next().is_none()
            || names.object_id(of, object).is_some_and(|id| names.ordinal(of, id) == Some(object))
    };
    has_name(kind.resource_type, key.resource)
        && (kind.shape == SubjectShape::Wildcard || has_name(kind.subject_type, key.subject))
}

/// One message a page, since a message is a page already.
fn next(mut export: Export) -> Result<Page<Export, ExportBulkRelationshipsResponse>, Status> {
    let view = match export.view.take() {
        Some(view) => view,
        None => {
            let view = export.database.view(&export.consistency).map_err(|error| errors::view(&error))?;
            if export.has_filter {
                view.validate_filter(&export.filter).map_err(|error| errors::filter(&error))?;
            }
            view
        }
    };
    let mut relationships = Vec::new();
    let page = read_page(&view, &export.filter, export.after, export.rows, export.steps_max, |key| {
        is_held(&view, key)
    })?;
    for (key, relationship) in page {
        export.after = Some(key);
        relationships.push(relationship_to_wire(&relationship));
    }
    let Some(position) = export.after.filter(|_| !relationships.is_empty()) else {
        return Ok(Page { messages: Vec::new(), rest: None });
    };
    let is_over = relationships.len() < export.rows;
    let token = export.scope.encode(Cursor { revision: view.revision(), position });
    let message =
        ExportBulkRelationshipsResponse { after_result_cursor: Some(wire::Cursor { token }), relationships };
    export.view = Some(view);
    Ok(Page { messages: vec![message], rest: (!is_over).then_some(export) })
}
