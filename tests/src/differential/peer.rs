//! One of the two servers, asked over gRPC.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::schema_service_client::SchemaServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use super::answer::{Answer, Fault, Verdict, relationship_text, tree_text};
use super::generate::TYPES;
use super::oracle::Kind;
use super::step::{At, Context, Filter, Item, Object, Operation, Step, Subject, wire_context};

/// Longest that one call may take; a server that takes longer has no answer.
const CALL_MAX: Duration = Duration::from_secs(8);

/// Puts a key on every request.
#[derive(Clone)]
pub struct Bearer(String);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        request.set_timeout(CALL_MAX);
        Ok(request)
    }
}

/// A client of one server, with the tokens of its writes.
#[derive(Clone)]
pub struct Peer {
    /// PermissionsService.
    pub permissions: PermissionsServiceClient<InterceptedService<Channel, Bearer>>,
    /// SchemaService.
    pub schemas: SchemaServiceClient<InterceptedService<Channel, Bearer>>,
    /// The tokens of the writes so far.
    pub tokens: Vec<wire::ZedToken>,
    /// Whether it has ExportBulkRelationships; else each type is read.
    has_export: bool,
}

impl Peer {
    /// A client that connects when first used.
    pub fn new(endpoint: &str, key: &str) -> Peer {
        let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect_lazy();
        let bearer = Bearer(key.to_owned());
        Peer {
            permissions: PermissionsServiceClient::with_interceptor(channel.clone(), bearer.clone())
                .max_decoding_message_size(64 << 20),
            schemas: SchemaServiceClient::with_interceptor(channel, bearer),
            tokens: Vec::new(),
            has_export: true,
        }
    }

    /// A client of the oracle.
    pub fn of_oracle(oracle: (&str, Kind), key: &str) -> Peer {
        let (endpoint, kind) = oracle;
        Peer { has_export: kind == Kind::Binary, ..Peer::new(endpoint, key) }
    }

    /// Asks one thing.
    pub async fn ask(&mut self, step: &Step) -> Answer {
        let answer = match step {
            Step::Check(item, at) => self.check(item, *at).await,
            Step::Bulk(items) => self.bulk(items).await,
            Step::LookupResources { resource_type, permission, subject, context, page } => {
                self.lookup_resources((resource_type, permission, subject), context, *page).await
            }
            Step::LookupSubjects { resource, permission, subject_type, subject_relation, context } => {
                self.lookup_subjects((resource, permission), (subject_type, subject_relation), context).await
            }
            Step::Expand { resource, permission } => self.expand(resource, permission).await,
            Step::Read { filter, page, at } => self.read(filter, *page, *at).await,
            Step::Export => self.export().await,
            Step::Write { updates, preconditions } => {
                let updates = updates
                    .iter()
                    .map(|(operation, edge)| wire::RelationshipUpdate {
                        operation: match operation {
                            Operation::Create => 1,
                            Operation::Touch => 2,
                            Operation::Delete => 3,
                        },
                        relationship: Some(edge.wire()),
                    })
                    .collect();
                let request = wire::WriteRelationshipsRequest {
                    updates,
                    optional_preconditions: wire_preconditions(preconditions),
                    ..Default::default()
                };
                let written = bounded(self.permissions.write_relationships(request)).await;
                written.map(|response| {
                    self.tokens.extend(response.into_inner().written_at);
                    Answer::Done
                })
            }
            Step::Delete { filter, preconditions, limit, partial } => {
                let request = wire::DeleteRelationshipsRequest {
                    relationship_filter: Some(filter.wire()),
                    optional_preconditions: wire_preconditions(preconditions),
                    optional_limit: *limit,
                    optional_allow_partial_deletions: *partial,
                    ..Default::default()
                };
                let deleted = bounded(self.permissions.delete_relationships(request)).await;
                deleted.map(|response| {
                    let response = response.into_inner();
                    self.tokens.extend(response.deleted_at.clone());
                    Answer::Deleted(response.deletion_progress, response.relationships_deleted_count)
                })
            }
            Step::Schema(text) => {
                let request = wire::WriteSchemaRequest { schema: text.clone() };
                let written = bounded(self.schemas.write_schema(request)).await;
                written.map(|response| {
                    self.tokens.extend(response.into_inner().written_at);
                    Answer::Done
                })
            }
        };
        answer.unwrap_or_else(|status| Answer::Fault(Fault::of(&status)))
    }

    fn consistency(&self, at: At) -> Option<wire::Consistency> {
        use wire::consistency::Requirement;
        let token = |number: usize| self.tokens.get(number).cloned();
        let requirement = match at {
            At::Head => Some(Requirement::FullyConsistent(true)),
            At::Exact(number) => token(number).map(Requirement::AtExactSnapshot),
            At::Fresh => self.tokens.last().cloned().map(Requirement::AtLeastAsFresh),
        };
        let requirement = requirement.unwrap_or(Requirement::FullyConsistent(true));
        Some(wire::Consistency { requirement: Some(requirement) })
    }

    async fn check(&mut self, item: &Item, at: At) -> Result<Answer, Status> {
        let request = wire::CheckPermissionRequest {
            consistency: self.consistency(at),
            resource: Some(item.resource.wire()),
            permission: item.permission.clone(),
            subject: Some(item.subject.wire()),
            context: wire_context(&item.context),
            ..Default::default()
        };
        let response = bounded(self.permissions.check_permission(request)).await?.into_inner();
        Ok(Answer::Check(Verdict::new(response.permissionship, response.partial_caveat_info.as_ref())))
    }

    async fn bulk(&mut self, items: &[Item]) -> Result<Answer, Status> {
        let items = items
            .iter()
            .map(|item| wire::CheckBulkPermissionsRequestItem {
                resource: Some(item.resource.wire()),
                permission: item.permission.clone(),
                subject: Some(item.subject.wire()),
                context: wire_context(&item.context),
            })
            .collect();
        let consistency = self.consistency(At::Head);
        let request = wire::CheckBulkPermissionsRequest { consistency, items, ..Default::default() };
        let response = bounded(self.permissions.check_bulk_permissions(request)).await?.into_inner();
        let answers = response.pairs.into_iter().map(|pair| match pair.response {
            Some(wire::check_bulk_permissions_pair::Response::Item(item)) => {
                Ok(Verdict::new(item.permissionship, item.partial_caveat_info.as_ref()))
            }
            Some(wire::check_bulk_permissions_pair::Response::Error(status)) => Err(Fault::of_item(&status)),
            None => panic!("a pair without an answer"),
        });
        Ok(Answer::Bulk(answers.collect()))
    }

    async fn lookup_resources(
        &mut self,
        (resource_type, permission, subject): (&str, &str, &Subject),
        context: &Context,
        page: u32,
    ) -> Result<Answer, Status> {
        let mut found = BTreeMap::new();
        let mut repeated = 0;
        let mut cursor: Option<wire::Cursor> = None;
        loop {
            let request = wire::LookupResourcesRequest {
                consistency: self.consistency(At::Head),
                resource_object_type: resource_type.to_owned(),
                permission: permission.to_owned(),
                subject: Some(subject.wire()),
                context: wire_context(context),
                optional_limit: page,
                optional_cursor: cursor.take(),
                ..Default::default()
            };
            let mut stream = bounded(self.permissions.lookup_resources(request)).await?.into_inner();
            let mut got = 0;
            while let Some(message) = next(&mut stream).await? {
                let verdict =
                    Verdict::looked_up(message.permissionship, message.partial_caveat_info.as_ref());
                // A peer may send one conditionally and definitely later; the definite answer counts.
                let old = found.get(&message.resource_object_id);
                repeated += usize::from(old.is_some());
                if old.is_none_or(|old: &Verdict| old.permissionship > verdict.permissionship) {
                    found.insert(message.resource_object_id, verdict);
                }
                cursor = message.after_result_cursor;
                got += 1;
            }
            if page == 0 || got < page || cursor.is_none() {
                return Ok(Answer::Resources { found, repeated });
            }
        }
    }

    async fn lookup_subjects(
        &mut self,
        (resource, permission): (&Object, &str),
        (subject_type, subject_relation): (&str, &str),
        context: &Context,
    ) -> Result<Answer, Status> {
        let request = wire::LookupSubjectsRequest {
            consistency: self.consistency(At::Head),
            resource: Some(resource.wire()),
            permission: permission.to_owned(),
            subject_object_type: subject_type.to_owned(),
            optional_subject_relation: subject_relation.to_owned(),
            context: wire_context(context),
            ..Default::default()
        };
        let mut stream = bounded(self.permissions.lookup_subjects(request)).await?.into_inner();
        let mut found = BTreeMap::new();
        let mut repeated = 0;
        let one = |resolved: &wire::ResolvedSubject| {
            Verdict::looked_up(resolved.permissionship, resolved.partial_caveat_info.as_ref())
        };
        while let Some(message) = next(&mut stream).await? {
            let subject = message.subject.unwrap_or_default();
            let excluded = message.excluded_subjects.iter();
            let excluded =
                excluded.map(|subject| (subject.subject_object_id.clone(), one(subject))).collect();
            let verdict = one(&subject);
            let old = found.insert(subject.subject_object_id, (verdict, excluded));
            repeated += usize::from(old.is_some());
        }
        Ok(Answer::Subjects { found, repeated })
    }

    async fn expand(&mut self, resource: &Object, permission: &str) -> Result<Answer, Status> {
        let request = wire::ExpandPermissionTreeRequest {
            consistency: self.consistency(At::Head),
            resource: Some(resource.wire()),
            permission: permission.to_owned(),
        };
        let response = bounded(self.permissions.expand_permission_tree(request)).await?.into_inner();
        Ok(Answer::Tree(tree_text(&response.tree_root.unwrap_or_default())))
    }

    async fn read(&mut self, filter: &Filter, page: u32, at: At) -> Result<Answer, Status> {
        let mut all = BTreeSet::new();
        let mut cursor = None;
        loop {
            let (found, after) = self.page(filter, (page, cursor), at).await?;
            cursor = after;
            all.extend(found.iter().map(relationship_text));
            if page == 0 || u32::try_from(found.len()).unwrap() < page {
                return Ok(Answer::Relationships(all));
            }
        }
    }

    /// The relationships of a page, or all when its size is 0, and the cursor behind them.
    async fn page(
        &mut self,
        filter: &Filter,
        (page, cursor): (u32, Option<wire::Cursor>),
        at: At,
    ) -> Result<(Vec<wire::Relationship>, Option<wire::Cursor>), Status> {
        let request = wire::ReadRelationshipsRequest {
            consistency: self.consistency(at),
            relationship_filter: Some(filter.wire()),
            optional_limit: page,
            optional_cursor: cursor,
        };
        let mut stream = bounded(self.permissions.read_relationships(request)).await?.into_inner();
        let (mut found, mut after) = (Vec::new(), None);
        while let Some(message) = next(&mut stream).await? {
            found.push(message.relationship.unwrap_or_default());
            after = message.after_result_cursor;
        }
        Ok((found, after))
    }

    async fn export(&mut self) -> Result<Answer, Status> {
        let all = self.relationships(At::Head).await?;
        Ok(Answer::Relationships(all.iter().map(relationship_text).collect()))
    }

    /// Every relationship there is.
    pub async fn relationships(&mut self, at: At) -> Result<Vec<wire::Relationship>, Status> {
        let mut all = Vec::new();
        if !self.has_export {
            for kind in TYPES {
                let filter = Filter { resource_type: kind.to_owned(), ..Filter::default() };
                match self.page(&filter, (0, None), at).await {
                    Ok((found, _)) => all.extend(found),
                    // The schema lacks the type.
                    Err(status) if status.code() == Code::FailedPrecondition => {}
                    Err(status) => return Err(status),
                }
            }
            return Ok(all);
        }
        let consistency = self.consistency(at);
        let request = wire::ExportBulkRelationshipsRequest { consistency, ..Default::default() };
        let mut stream = bounded(self.permissions.export_bulk_relationships(request)).await?.into_inner();
        while let Some(message) = next(&mut stream).await? {
            all.extend(message.relationships);
        }
        Ok(all)
    }

    /// Removes everything, relationships, then the schema; whether that was done.
    pub async fn clear(&mut self, types: &[&str]) -> bool {
        for kind in types {
            let filter = Filter { resource_type: (*kind).to_owned(), ..Filter::default() };
            // A type that the schema does not have, or no schema at all, has no relationships either.
            self.ask(&Step::Delete { filter, preconditions: Vec::new(), limit: 0, partial: false }).await;
        }
        let cleared = self.ask(&Step::Schema(String::new())).await;
        self.tokens.clear();
        matches!(cleared, Answer::Done)
    }
}

fn wire_preconditions(preconditions: &[(bool, Filter)]) -> Vec<wire::Precondition> {
    let one = |(must, filter): &(bool, Filter)| wire::Precondition {
        operation: if *must { 2 } else { 1 },
        filter: Some(filter.wire()),
    };
    preconditions.iter().map(one).collect()
}

async fn bounded<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<Response<T>, Status> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::new(Code::DeadlineExceeded, "the test waits no longer")),
    }
}

async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    match tokio::time::timeout(CALL_MAX, stream.message()).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::new(Code::DeadlineExceeded, "the test waits no longer")),
    }
}
