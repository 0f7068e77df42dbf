//! `ExpandPermissionTree`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_proto::authzed::api::v1::{ExpandPermissionTreeRequest, ExpandPermissionTreeResponse};
use tonic::Status;

use crate::access;
use crate::consistency::{consistency, encode};
use crate::convert::{object, tree_to_wire};
use crate::errors;
use crate::state::State;
use crate::validate;

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Client,
    request: ExpandPermissionTreeRequest,
) -> Result<ExpandPermissionTreeResponse, Status> {
    validate::expand(&request)?;
    let resource = object(request.resource.as_ref());
    access::expand(client, &resource.object_type, &request.permission)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    // A leaf may list millions of subjects.
    let expand = move || {
        let tree = view.expand(&resource, &request.permission).map_err(|error| errors::query(&error))?;
        Ok(ExpandPermissionTreeResponse {
            expanded_at: Some(encode(view.token())),
            tree_root: Some(tree_to_wire(&tree)),
        })
    };
    state.queries.run(expand).await
}
