//! What administrators say about types, permissions and grants inside sessions.

use pemba_agents::client::Verb;
use pemba_agents::{Moment, command};
use pemba_proto::pemba::v1 as wire;
use tonic::Status;

use crate::access;
use crate::consistency::encode;
use crate::errors;
use crate::pemba::Fields;
use crate::pemba::caller::Caller;
use crate::pemba::convert;
use crate::pemba::moment::{Newest, run};
use crate::state::State;
use crate::validate::Path;

/// The fields of a policy stand in it.
const POLICY: Fields = Fields { under: "policy", beside: &[], renamed: &[] };
const LABELS: Fields = Fields { under: "labels", beside: &[], renamed: &[] };

pub(super) async fn set_type(
    state: &State,
    caller: &Caller,
    request: wire::SetTypePolicyRequest,
) -> Result<wire::SetTypePolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let new = convert::type_policy(Path::Root.field("policy"), request.policy)
        .map_err(|refused| errors::agents(&refused))?;
    let (token, _) = run(state, POLICY, move |moment| command::set_type_policy(moment, new)).await?;
    Ok(wire::SetTypePolicyResponse { written_at: Some(encode(token)) })
}

pub(super) async fn set_labels(
    state: &State,
    caller: &Caller,
    request: wire::SetPermissionLabelsRequest,
) -> Result<wire::SetPermissionLabelsResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let Some(new) = request.labels else {
        return Err(errors::agents(&convert::missing(Path::Root.field("labels"))));
    };
    let set = move |moment: &Moment<'_>| {
        let labels = convert::names_of(new.labels);
        command::set_permission_labels(moment, new.resource_type.into(), new.permission.into(), labels)
    };
    let (token, _) = run(state, LABELS, set).await?;
    Ok(wire::SetPermissionLabelsResponse { written_at: Some(encode(token)) })
}

pub(super) async fn set_grant(
    state: &State,
    caller: &Caller,
    request: wire::SetGrantPolicyRequest,
) -> Result<wire::SetGrantPolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let new = convert::grant_policy(Path::Root.field("policy"), request.policy)
        .map_err(|refused| errors::agents(&refused))?;
    let (token, _) = run(state, POLICY, move |moment| command::set_grant_policy(moment, new)).await?;
    Ok(wire::SetGrantPolicyResponse { written_at: Some(encode(token)) })
}

pub(super) fn get(state: &State, caller: &Caller) -> Result<wire::GetPoliciesResponse, Status> {
    access::read_records(&caller.client, Verb::Policy)?;
    let newest = Newest::of(state)?;
    let book = newest.moment()?.book;
    let mut type_policies: Vec<_> = book.type_policies().map(convert::type_policy_to_wire).collect();
    type_policies.sort_unstable_by(|a, b| a.object_type.cmp(&b.object_type));
    let mut labels: Vec<_> = book.all_labels().map(convert::labels_to_wire).collect();
    labels.sort_unstable_by(|a, b| (&a.resource_type, &a.permission).cmp(&(&b.resource_type, &b.permission)));
    let mut grant_policies: Vec<_> = book.grant_policies().map(convert::grant_policy_to_wire).collect();
    grant_policies
        .sort_unstable_by(|a, b| (&a.resource_type, &a.relation).cmp(&(&b.resource_type, &b.relation)));
    Ok(wire::GetPoliciesResponse { type_policies, labels, grant_policies })
}
