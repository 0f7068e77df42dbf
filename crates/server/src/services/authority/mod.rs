//! `AuthorityService`: decisions for chains of principals. Each call resolves the chain, asks whether the client may
//! speak for who acts in it and may ask what it asks, and answers with what `pemba_agents::authority` decides.

mod bulk;
mod check;
mod consume;
mod explain;
mod explain_text;
mod lookup_resources;
mod lookup_subjects;
mod watch;
mod wire;

use std::sync::Arc;

use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::authority_service_server::AuthorityService;
use tonic::{Request, Response, Status};

use crate::access::caller;
use crate::state::State;
use crate::stream::Outgoing;

/// The service.
pub(crate) struct Authority {
    state: Arc<State>,
}

impl Authority {
    pub(crate) fn new(state: Arc<State>) -> Authority {
        Authority { state }
    }
}

#[tonic::async_trait]
impl AuthorityService for Authority {
    type LookupResourcesAsStream = Outgoing<own::LookupResourcesAsResponse>;
    type LookupSubjectsAsStream = Outgoing<own::LookupSubjectsAsResponse>;
    type WatchDecisionStream = Outgoing<own::WatchDecisionResponse>;

    async fn check_as(
        &self,
        request: Request<own::CheckAsRequest>,
    ) -> Result<Response<own::CheckAsResponse>, Status> {
        let (client, request) = caller(request)?;
        check::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn check_bulk_as(
        &self,
        request: Request<own::CheckBulkAsRequest>,
    ) -> Result<Response<own::CheckBulkAsResponse>, Status> {
        let (client, request) = caller(request)?;
        bulk::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn lookup_resources_as(
        &self,
        request: Request<own::LookupResourcesAsRequest>,
    ) -> Result<Response<Self::LookupResourcesAsStream>, Status> {
        let (client, request) = caller(request)?;
        lookup_resources::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn lookup_subjects_as(
        &self,
        request: Request<own::LookupSubjectsAsRequest>,
    ) -> Result<Response<Self::LookupSubjectsAsStream>, Status> {
        let (client, request) = caller(request)?;
        lookup_subjects::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn explain(
        &self,
        request: Request<own::ExplainRequest>,
    ) -> Result<Response<own::ExplainResponse>, Status> {
        let (client, request) = caller(request)?;
        explain::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn check_and_consume(
        &self,
        request: Request<own::CheckAndConsumeRequest>,
    ) -> Result<Response<own::CheckAndConsumeResponse>, Status> {
        let (client, request) = caller(request)?;
        consume::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn watch_decision(
        &self,
        request: Request<own::WatchDecisionRequest>,
    ) -> Result<Response<Self::WatchDecisionStream>, Status> {
        let (client, request) = caller(request)?;
        watch::answer(&self.state, &client, request).map(Response::new)
    }
}
