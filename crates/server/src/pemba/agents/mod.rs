//! `AgentService`: which call is answered where.

mod histories;
mod humans;
mod identity;
mod kills;
mod list;
mod policies;

use std::sync::Arc;

use pemba_agents::command::Transition;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::agent_service_server::AgentService;
use tonic::{Request, Response, Status};

use super::caller::caller;
use crate::state::State;

/// The service.
pub(crate) struct Agents {
    state: Arc<State>,
}

impl Agents {
    pub(crate) fn new(state: Arc<State>) -> Agents {
        Agents { state }
    }

    async fn transition(
        &self,
        request: Request<wire::TransitionRequest>,
        transition: Transition,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        let (caller, request) = caller(request)?;
        identity::transition(&self.state, &caller, request, transition).await.map(Response::new)
    }
}

#[tonic::async_trait]
impl AgentService for Agents {
    async fn register_agent(
        &self,
        request: Request<wire::RegisterAgentRequest>,
    ) -> Result<Response<wire::AgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        identity::register(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_agent(
        &self,
        request: Request<wire::GetAgentRequest>,
    ) -> Result<Response<wire::GetAgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        list::get(&self.state, &caller, &request).map(Response::new)
    }

    async fn list_agents(
        &self,
        request: Request<wire::ListAgentsRequest>,
    ) -> Result<Response<wire::ListAgentsResponse>, Status> {
        let (caller, request) = caller(request)?;
        list::list(&self.state, &caller, request).await.map(Response::new)
    }

    async fn update_agent(
        &self,
        request: Request<wire::UpdateAgentRequest>,
    ) -> Result<Response<wire::AgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        identity::update(&self.state, &caller, request).await.map(Response::new)
    }

    async fn activate_agents(
        &self,
        request: Request<wire::TransitionRequest>,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        self.transition(request, Transition::Activate).await
    }

    async fn suspend_agents(
        &self,
        request: Request<wire::TransitionRequest>,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        self.transition(request, Transition::Suspend).await
    }

    async fn resume_agents(
        &self,
        request: Request<wire::TransitionRequest>,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        self.transition(request, Transition::Resume).await
    }

    async fn quarantine_agents(
        &self,
        request: Request<wire::TransitionRequest>,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        self.transition(request, Transition::Quarantine).await
    }

    async fn retire_agents(
        &self,
        request: Request<wire::TransitionRequest>,
    ) -> Result<Response<wire::TransitionResponse>, Status> {
        self.transition(request, Transition::Retire).await
    }

    async fn attest_agent(
        &self,
        request: Request<wire::AttestAgentRequest>,
    ) -> Result<Response<wire::AgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        identity::attest(&self.state, &caller, request).await.map(Response::new)
    }

    async fn propose_sponsor(
        &self,
        request: Request<wire::ProposeSponsorRequest>,
    ) -> Result<Response<wire::AgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        humans::propose_sponsor(&self.state, &caller, request).await.map(Response::new)
    }

    async fn accept_sponsor(
        &self,
        request: Request<wire::AcceptSponsorRequest>,
    ) -> Result<Response<wire::AgentResponse>, Status> {
        let (caller, request) = caller(request)?;
        humans::accept_sponsor(&self.state, &caller, request).await.map(Response::new)
    }

    async fn list_agent_changes(
        &self,
        request: Request<wire::ListAgentChangesRequest>,
    ) -> Result<Response<wire::ListAgentChangesResponse>, Status> {
        let (caller, request) = caller(request)?;
        histories::changes(&self.state, &caller, &request).map(Response::new)
    }

    async fn set_human(
        &self,
        request: Request<wire::SetHumanRequest>,
    ) -> Result<Response<wire::SetHumanResponse>, Status> {
        let (caller, request) = caller(request)?;
        humans::set(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_human(
        &self,
        request: Request<wire::GetHumanRequest>,
    ) -> Result<Response<wire::GetHumanResponse>, Status> {
        let (caller, request) = caller(request)?;
        humans::get(&self.state, &caller, &request).map(Response::new)
    }

    async fn set_type_policy(
        &self,
        request: Request<wire::SetTypePolicyRequest>,
    ) -> Result<Response<wire::SetTypePolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        policies::set_type(&self.state, &caller, request).await.map(Response::new)
    }

    async fn set_permission_labels(
        &self,
        request: Request<wire::SetPermissionLabelsRequest>,
    ) -> Result<Response<wire::SetPermissionLabelsResponse>, Status> {
        let (caller, request) = caller(request)?;
        policies::set_labels(&self.state, &caller, request).await.map(Response::new)
    }

    async fn set_grant_policy(
        &self,
        request: Request<wire::SetGrantPolicyRequest>,
    ) -> Result<Response<wire::SetGrantPolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        policies::set_grant(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_policies(
        &self,
        request: Request<wire::GetPoliciesRequest>,
    ) -> Result<Response<wire::GetPoliciesResponse>, Status> {
        let (caller, _) = caller(request)?;
        policies::get(&self.state, &caller).map(Response::new)
    }

    async fn throw_kill_switch(
        &self,
        request: Request<wire::ThrowKillSwitchRequest>,
    ) -> Result<Response<wire::KillSwitchResponse>, Status> {
        let (caller, request) = caller(request)?;
        kills::throw(&self.state, &caller, request).await.map(Response::new)
    }

    async fn lift_kill_switch(
        &self,
        request: Request<wire::LiftKillSwitchRequest>,
    ) -> Result<Response<wire::KillSwitchResponse>, Status> {
        let (caller, request) = caller(request)?;
        kills::lift(&self.state, &caller, request).await.map(Response::new)
    }

    async fn list_kill_switches(
        &self,
        request: Request<wire::ListKillSwitchesRequest>,
    ) -> Result<Response<wire::ListKillSwitchesResponse>, Status> {
        let (caller, _) = caller(request)?;
        kills::list(&self.state, &caller).map(Response::new)
    }
}
