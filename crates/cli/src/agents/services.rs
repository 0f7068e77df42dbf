//! The connection of these commands: a generated client for each service of `pemba.v1`.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pemba_client::{AuthenticatedChannel, Client, Error};
use pemba_proto::pemba::v1::agent_service_client::AgentServiceClient;
use pemba_proto::pemba::v1::approval_service_client::ApprovalServiceClient;
use pemba_proto::pemba::v1::authority_service_client::AuthorityServiceClient;
use pemba_proto::pemba::v1::break_glass_service_client::BreakGlassServiceClient;
use pemba_proto::pemba::v1::delegation_service_client::DelegationServiceClient;
use pemba_proto::pemba::v1::session_service_client::SessionServiceClient;
use tonic::{Response, Status};

use crate::args::Connection;

/// Longest wait for one answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// The services of one server.
pub(crate) struct Services {
    client: Client,
}

impl Services {
    /// Opens the connection.
    pub(crate) async fn connect(connection: &Connection) -> Result<Services> {
        Ok(Services { client: crate::remote::connect(connection).await? })
    }

    pub(crate) fn agents(&self) -> AgentServiceClient<AuthenticatedChannel> {
        AgentServiceClient::new(self.client.channel())
    }

    pub(crate) fn delegations(&self) -> DelegationServiceClient<AuthenticatedChannel> {
        DelegationServiceClient::new(self.client.channel())
    }

    pub(crate) fn sessions(&self) -> SessionServiceClient<AuthenticatedChannel> {
        SessionServiceClient::new(self.client.channel())
    }

    pub(crate) fn approvals(&self) -> ApprovalServiceClient<AuthenticatedChannel> {
        ApprovalServiceClient::new(self.client.channel())
    }

    pub(crate) fn glass(&self) -> BreakGlassServiceClient<AuthenticatedChannel> {
        BreakGlassServiceClient::new(self.client.channel())
    }

    pub(crate) fn authority(&self) -> AuthorityServiceClient<AuthenticatedChannel> {
        AuthorityServiceClient::new(self.client.channel())
    }
}

/// Waits for an answer, not for ever.
pub(crate) async fn answer<R>(call: impl Future<Output = Result<Response<R>, Status>>) -> Result<R> {
    let seconds = ANSWER_WAIT_MAX.as_secs();
    let waited = tokio::time::timeout(ANSWER_WAIT_MAX, call).await;
    let answered = waited.with_context(|| format!("no answer within {seconds} seconds"))?;
    Ok(answered.map_err(Error::from)?.into_inner())
}

/// The part of an answer that every server sends.
pub(crate) fn given<T>(part: Option<T>, name: &str) -> Result<T> {
    part.with_context(|| format!("the server's answer lacks `{name}`"))
}
