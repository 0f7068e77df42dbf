//! A server with agents, humans and documents, on a clock that is moved by hand.

use std::sync::Arc;

use pemba_db::{Database, ManualClock, Storage};
use pemba_model::{Limits, Timestamp};
use pemba_proto::authzed::api::v1 as authzed;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::agent_service_client::AgentServiceClient;
use pemba_proto::pemba::v1::approval_service_client::ApprovalServiceClient;
use pemba_proto::pemba::v1::delegation_service_client::DelegationServiceClient;
use pemba_proto::pemba::v1::session_service_client::SessionServiceClient;
use pemba_server::{ClientKey, ServerOptions};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::*;

pub const AGENTS: &str = "use expiration

caveat small(amount int) {
  amount < 100
}

definition user {}

definition agent {}

definition team {
  relation member: user | agent
}

definition document {
  relation parent: document
  relation owner: user
  relation editor: user | agent
  relation viewer: user | agent
  relation approver: user | agent
  permission view = viewer + edit
  permission edit = editor + owner
  permission approve = approver
}
";

/// When every world begins.
pub const BEGIN: &str = "2030-01-01T00:00:00Z";

pub struct World {
    pub harness: Harness,
    pub clock: Arc<ManualClock>,
}

impl World {
    /// With the schema; users are humans, agents are agents, and neither needs a record.
    pub async fn start() -> World {
        let world = World::start_on(Storage::Memory, None).await;
        world.harness.write_schema(AGENTS).await.unwrap();
        world.declare("user", wire::PrincipalKind::Human, wire::TypeMode::Observed).await;
        world.declare("agent", wire::PrincipalKind::Agent, wire::TypeMode::Observed).await;
        world
    }

    /// With what is stored.
    pub async fn start_on(storage: Storage, clients: Option<Vec<ClientKey>>) -> World {
        let limits = Limits::default();
        let clock = Arc::new(ManualClock::new(Timestamp::parse(BEGIN).unwrap()));
        let database = Database::open(storage, with_book(&limits, clock.clone())).unwrap();
        let change = |options: &mut ServerOptions| {
            options.database = Some(database.clone());
            options.clients = clients;
        };
        let mut harness = Harness::start_with(limits, change).await;
        harness.database = database;
        World { harness, clock }
    }

    pub fn agents(&self) -> AgentServiceClient<Channel> {
        AgentServiceClient::new(self.harness.channel.clone())
    }

    pub fn delegations(&self) -> DelegationServiceClient<Channel> {
        DelegationServiceClient::new(self.harness.channel.clone())
    }

    pub fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.harness.channel.clone())
    }

    pub fn approvals(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.harness.channel.clone())
    }

    pub async fn declare(&self, object_type: &str, kind: wire::PrincipalKind, mode: wire::TypeMode) {
        let policy =
            wire::TypePolicy { object_type: object_type.into(), kind: kind.into(), mode: mode.into() };
        let request = wire::SetTypePolicyRequest { policy: Some(policy) };
        self.agents().set_type_policy(request).await.unwrap();
    }

    pub async fn register(&self, id: &str) -> wire::Agent {
        self.try_register(spec(id)).await.unwrap()
    }

    pub async fn try_register(&self, spec: wire::AgentSpec) -> Result<wire::Agent, Status> {
        let request = wire::RegisterAgentRequest { spec: Some(spec), ..Default::default() };
        Ok(self.agents().register_agent(request).await?.into_inner().agent.unwrap())
    }

    pub async fn agent(&self, id: &str) -> wire::Agent {
        let request = wire::GetAgentRequest { principal: Some(agent(id)) };
        self.agents().get_agent(request).await.unwrap().into_inner().agent.unwrap()
    }

    pub async fn delegate(&self, request: wire::DelegateRequest) -> Result<wire::Delegation, Status> {
        Ok(self.delegations().delegate(request).await?.into_inner().delegation.unwrap())
    }

    pub async fn open(&self, request: wire::OpenSessionRequest) -> Result<wire::Session, Status> {
        Ok(self.sessions().open_session(request).await?.into_inner().session.unwrap())
    }

    pub fn head(&self) -> u64 {
        self.harness.database.head().0
    }

    pub fn in_ms(&self, ms: i64) -> Option<prost_types::Timestamp> {
        let instant = self.harness.database.head_view().now().plus_millis(ms);
        let nanos = i32::try_from(instant.nanos()).unwrap();
        Some(prost_types::Timestamp { seconds: instant.seconds(), nanos })
    }
}

/// What `agent:id` is registered with.
pub fn spec(id: &str) -> wire::AgentSpec {
    wire::AgentSpec {
        principal: Some(agent(id)),
        kind: wire::AgentKind::Agent.into(),
        sponsors: vec![user("sam")],
        purpose: "reads documents".into(),
        ..Default::default()
    }
}

pub fn agent(id: &str) -> authzed::ObjectReference {
    object("agent", id)
}

pub fn user(id: &str) -> authzed::ObjectReference {
    object("user", id)
}

pub fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// One clause with explicit documents, or with all where none is named.
pub fn documents(permissions: &[&str], ids: &[&str]) -> wire::Scope {
    let selector = if ids.is_empty() {
        wire::scope_clause::Selector::AllOfType(wire::AllOfType {})
    } else {
        let ids = ids.iter().map(ToString::to_string).collect();
        wire::scope_clause::Selector::Objects(wire::ObjectIds { ids })
    };
    let clause = wire::ScopeClause {
        resource_type: "document".into(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        selector: Some(selector),
        optional_caveat: None,
    };
    wire::Scope { clauses: vec![clause] }
}

/// A refusal: its code, its reason and the field of the request, which both details name.
#[track_caller]
pub fn assert_agents_error(status: &Status, code: Code, reason: &str, field: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("pemba", reason), "{status:?}");
    assert_eq!(info.metadata["field"], field, "{status:?}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, field);
    assert!(status.message().contains(field), "{}", status.message());
}
