//! Who calls: its rights, and what it shows for sessions and approvals that are its own.

use std::sync::Arc;

use pemba_agents::chain::Presenter;
use pemba_agents::client::Client;
use pemba_agents::command::By;
use tonic::{Request, Status};

use crate::access;

/// The client that calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// With its rights.
    pub(crate) client: Arc<Client>,
    /// As sessions and approvals know it.
    pub(crate) presenter: Presenter,
}

impl Caller {
    /// The client, for the record.
    pub(crate) fn by(&self, reason: String) -> By {
        By { client: self.client.name.clone(), reason }
    }
}

/// The caller and the message.
pub(crate) fn caller<M>(request: Request<M>) -> Result<(Caller, M), Status> {
    let (client, message) = access::caller(request)?;
    let thumbprint = client.certificate.clone();
    let presenter = Presenter { client: client.name.clone(), thumbprint, session_used_at: None };
    Ok((Caller { client, presenter }, message))
}
