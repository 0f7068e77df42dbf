//! A server whose database keeps records, with a clock that a test moves, and short ways to change the records.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_agents::command::{self, By, Changes};
use pemba_agents::records::{
    AgentKind, Applies, ApprovalPolicy, ApprovalUses, HumanStatus, KillMode, KillSelector, PrincipalKind,
    SessionBinding, TypeMode, TypePolicy,
};
use pemba_agents::scope::{Clause, Scope, Selector};
use pemba_agents::{AgentLimits, ApprovalId, Book, DelegationId, Facts, Moment, Refused, SessionId};
use pemba_db::{Command, Database, DecideError, Decided, ManualClock, Options, Storage};
use pemba_model::{ObjectRef, SubjectRef, Timestamp};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::authority_service_client::AuthorityServiceClient;
use pemba_server::{Server, ServerOptions};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::harness::{self, Harness, connect, options};

pub const SCHEMA: &str = "use expiration

caveat on_call(level int) {
  level > 3
}

definition user {}

definition agent {}

definition folder {
  relation parent: folder
}

definition document {
  relation folder: folder
  relation owner: user | agent
  relation viewer: user | user:* | agent | agent:* | user with on_call | user with expiration
  relation banned: user
  permission view = (viewer + owner) - banned
  permission edit = owner
  permission approve = owner
}
";

/// When the clock of a stage begins.
pub const START_MS: i64 = 1_800_000_000_000;
/// The client of a server without keys.
pub const CLIENT: &str = "anybody";

pub struct Stage {
    pub harness: Harness,
    pub clock: Arc<ManualClock>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
pub enum Failed {
    Refused(Refused),
    Database(DecideError),
}

impl From<DecideError> for Failed {
    fn from(error: DecideError) -> Failed {
        Failed::Database(error)
    }
}

pub fn object(text: &str) -> ObjectRef {
    let (object_type, id) = text.split_once(':').unwrap();
    ObjectRef::new(object_type, id)
}

pub fn wire_object(text: &str) -> wire::ObjectReference {
    let (object_type, id) = text.split_once(':').unwrap();
    harness::object(object_type, id)
}

pub fn by() -> By {
    By { client: CLIENT.into(), reason: "a test".into() }
}

/// `view` and `edit` on these documents, or on all.
pub fn documents(ids: &[&str]) -> Scope {
    let selector = match ids {
        [] => Selector::AllOfType,
        ids => Selector::Objects(ids.iter().map(|id| (*id).into()).collect()),
    };
    Scope {
        clauses: [Clause {
            resource_type: "document".into(),
            permissions: ["view".into(), "edit".into()].into(),
            selector,
            caveat: None,
        }]
        .into(),
    }
}

impl Stage {
    /// With the schema, the human `user:ada` who owns `document:plan` and `document:note`, and the agents `agent:a` and
    /// `agent:b` for whom she answers.
    pub async fn start() -> Stage {
        Stage::start_with(|_| ()).await
    }

    /// The same with other options.
    pub async fn start_with(change: impl FnOnce(&mut ServerOptions)) -> Stage {
        let stage = Stage::bare(change).await;
        stage.harness.touch(&["document:plan#owner@user:ada", "document:note#owner@user:ada"]).await;
        stage.set_human("user:ada", HumanStatus::Active).await;
        stage.register("agent:a").await;
        stage.register("agent:b").await;
        stage
    }

    /// With the schema and nothing else.
    pub async fn bare(change: impl FnOnce(&mut ServerOptions)) -> Stage {
        let limits = pemba_model::Limits::default();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START_MS)));
        let database = Database::open(
            Storage::Memory,
            Options { limits: limits.clone(), clock: clock.clone(), ledger: Arc::new(Book::default()) },
        );
        let database = database.unwrap();
        let mut options = ServerOptions { database: Some(database.clone()), ..options(&limits) };
        change(&mut options);
        let server = Server::start(options).unwrap();
        let channel = connect(&server).await;
        database.write_schema(SCHEMA.to_owned()).await.unwrap();
        Stage { harness: Harness { server, database, channel }, clock }
    }

    pub fn authority(&self) -> AuthorityServiceClient<Channel> {
        AuthorityServiceClient::new(self.harness.channel.clone())
    }

    pub fn now(&self) -> Timestamp {
        self.harness.database.head_view().now()
    }

    pub fn in_ms(&self, ms: i64) -> Timestamp {
        self.now().plus_millis(ms)
    }

    /// Gives a command, as the administrative services do.
    pub async fn command<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
    ) -> Result<T, Failed> {
        give(&self.harness.database, command).await
    }

    pub async fn register(&self, agent: &str) {
        self.register_with(agent, |_| ()).await;
    }

    pub async fn register_with(&self, agent: &str, change: impl FnOnce(&mut command::Registration)) {
        let mut new = command::Registration {
            principal: object(agent),
            kind: AgentKind::Agent,
            active: true,
            bindings: Vec::new(),
            sponsors: vec![object("user:ada")],
            owners: Vec::new(),
            purpose: String::new(),
            purpose_permissions: BTreeSet::new(),
            blueprint: None,
            environment: None,
            tenant: None,
            labels: BTreeSet::new(),
            not_before: None,
            not_after: None,
            attest_every_ms: None,
            max_depth: None,
            ceiling: None,
            own_grants_required: false,
            orphan_grace_ms: None,
        };
        change(&mut new);
        self.command(move |moment| command::register(moment, &by(), new)).await.unwrap();
    }

    /// From the root to an agent, over all documents, for an hour.
    pub async fn delegate(&self, id: u128, from: &str, to: &str) -> String {
        self.delegate_with(id, from, to, |_| ()).await
    }

    pub async fn delegate_with(
        &self,
        id: u128,
        from: &str,
        to: &str,
        change: impl FnOnce(&mut command::Delegate),
    ) -> String {
        let mut new = command::Delegate {
            id: DelegationId(id),
            parent: None,
            root: None,
            from: object(from),
            to: SubjectRef { object: object(to), relation: None },
            scope: documents(&[]),
            not_before: None,
            not_after: self.in_ms(3_600_000),
            depth_left: 4,
            session: None,
            uses: None,
            consent: String::new(),
        };
        change(&mut new);
        if new.parent.is_some() {
            new.depth_left = new.depth_left.min(2);
        }
        self.command(move |moment| command::delegate(moment, &by(), new)).await.unwrap();
        DelegationId(id).to_string()
    }

    pub async fn revoke(&self, id: u128) {
        self.command(move |moment| command::revoke(moment, &by(), DelegationId(id))).await.unwrap();
    }

    pub async fn open_session(
        &self,
        id: u128,
        actor: &str,
        change: impl FnOnce(&mut command::OpenSession),
    ) -> String {
        let mut new = command::OpenSession {
            id: SessionId(id),
            actor: object(actor),
            delegation: None,
            scope: None,
            binding: SessionBinding::Client(CLIENT.into()),
            purpose: String::new(),
            task: None,
            authentication: None,
            authenticated_at: None,
            labels: BTreeSet::new(),
            opened_for: None,
            not_after: self.in_ms(1_800_000),
            idle_ms: None,
        };
        change(&mut new);
        self.command(move |moment| command::open_session(moment, &by(), new)).await.unwrap();
        SessionId(id).to_string()
    }

    pub async fn close_session(&self, id: u128) {
        self.command(move |moment| command::close_session(moment, &by(), SessionId(id))).await.unwrap();
    }

    pub async fn kill(&self, name: &str, selector: KillSelector, mode: KillMode) {
        let new = command::Throw { name: name.into(), selector, mode, until: None };
        self.command(move |moment| command::throw_kill(moment, &by(), new)).await.unwrap();
    }

    pub async fn lift(&self, name: &str) {
        let name = name.to_owned();
        self.command(move |moment| command::lift_kill(moment, &by(), &name)).await.unwrap();
    }

    pub async fn transition(&self, agent: &str, to: command::Transition) {
        let agents = [object(agent)];
        self.command(move |moment| command::transition(moment, &by(), &agents, to, None)).await.unwrap();
    }

    pub async fn set_human(&self, human: &str, status: HumanStatus) {
        let new = command::SetHuman { principal: object(human), status, person: None };
        self.command(move |moment| command::set_human(moment, &by(), new)).await.unwrap();
    }

    pub async fn set_type(&self, object_type: &str, kind: PrincipalKind, mode: TypeMode) {
        let new = TypePolicy { object_type: object_type.into(), kind, mode };
        self.command(move |moment| command::set_type_policy(moment, new)).await.unwrap();
    }

    /// `document#edit` must be approved by whoever has `approve`.
    pub async fn approve_edits(&self, applies: Applies, uses: ApprovalUses) {
        let new = ApprovalPolicy {
            resource_type: "document".into(),
            permission: "edit".into(),
            grants: false,
            applies,
            approver_permission: "approve".into(),
            quorum: 1,
            distinct_from: BTreeSet::new(),
            human_only: false,
            uses,
            bind: BTreeSet::new(),
            pending_ms: 60_000,
            execution_ms: 60_000,
            veto: true,
            pending_per_actor_max: 10,
            cool_down_ms: 0,
            version: 0,
            set_at: self.now(),
            set_by: CLIENT.into(),
        };
        self.command(move |moment| command::set_approval_policy(moment, &by(), new)).await.unwrap();
    }

    /// Asks for an approval of editing a document by a delegation, and has it approved.
    pub async fn approved(&self, id: u128, delegation: u128, document: &str, approver: &str) -> String {
        let claim = pemba_agents::chain::Claim {
            delegation: Some(DelegationId(delegation)),
            ..pemba_agents::chain::Claim::default()
        };
        let ask = command::AskApproval {
            id: ApprovalId(id),
            claim,
            permission: "edit".into(),
            resource: object(document),
            values: None,
            requester: None,
        };
        let presenter = pemba_agents::chain::Presenter {
            client: CLIENT.into(),
            ..pemba_agents::chain::Presenter::default()
        };
        self.command(move |moment| command::ask_approval(moment, &by(), &presenter, ask)).await.unwrap();
        let vote = command::CastVote {
            approval: ApprovalId(id),
            approver: object(approver),
            approves: true,
            comment: String::new(),
        };
        self.command(move |moment| command::vote(moment, vote)).await.unwrap();
        ApprovalId(id).to_string()
    }

    /// A v1 check with metadata: the answer, and what came beside it.
    pub async fn check(
        &self,
        question: &str,
        metadata: &[(&'static str, &str)],
    ) -> Result<Response<wire::CheckPermissionResponse>, Status> {
        let request = with(harness::check_request(question), metadata);
        self.harness.permissions().check_permission(request).await
    }

    /// HAS, NO or CONDITIONAL, for what is presented.
    pub async fn answer(&self, question: &str, metadata: &[(&'static str, &str)]) -> i32 {
        self.check(question, metadata).await.unwrap().into_inner().permissionship
    }

    /// The decision about `type:id#permission` for a chain.
    pub async fn decide(&self, chain: own::Chain, question: &str) -> own::Decision {
        let answer = self.authority().check_as(check_as(chain, question)).await.unwrap();
        answer.into_inner().decision.unwrap()
    }

    pub async fn outcome(&self, chain: own::Chain, question: &str) -> own::Outcome {
        self.decide(chain, question).await.outcome()
    }
}

pub async fn give<T: Send + 'static>(
    database: &Database,
    command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
) -> Result<T, Failed> {
    let decided = database.decide(move |asked: &Command<'_>| {
        let view = asked.view;
        let ledger = view.ledger();
        let moment = Moment {
            facts: Facts::of(view.snapshot(), view.now(), view.steps_max()),
            book: ledger.as_any().downcast_ref::<Book>().unwrap(),
            limits: &AgentLimits::default(),
            revision: asked.revision,
        };
        let Changes { documents, reincarnate, reply } = command(&moment).map_err(Failed::Refused)?;
        Ok(Decided { documents, reincarnate, updates: Vec::new(), metadata: None, reply })
    });
    decided.await.map(|(_, reply)| reply)
}

pub fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// The text of one metadata value.
pub fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap())
}

pub fn by_delegation(id: &str) -> own::Chain {
    own::Chain { delegation_id: id.to_owned(), ..own::Chain::default() }
}

pub fn alone(root: &str) -> own::Chain {
    own::Chain { root: Some(wire_object(root)), ..own::Chain::default() }
}

pub fn check_as(chain: own::Chain, question: &str) -> own::CheckAsRequest {
    let (resource, permission) = question.split_once('#').unwrap();
    own::CheckAsRequest {
        chain: Some(chain),
        resource: Some(wire_object(resource)),
        permission: permission.to_owned(),
        ..own::CheckAsRequest::default()
    }
}
