//! A server with scripted faults: it knows no authorization, only how to be paged, lost and refused.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use pemba_client::{Client, ConnectOptions, RetryPolicy};
use pemba_proto::authzed::api::v1::{
    permissions_service_server::{PermissionsService, PermissionsServiceServer},
    watch_service_server::{WatchService, WatchServiceServer},
    *,
};
use tokio_stream::{Stream, StreamExt as _, iter, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap, transport::Server};

/// What the server has seen and how it is to fail.
#[derive(Default)]
pub struct Script {
    /// Calls in order: the method, what cursor it came with, and its limit.
    pub calls: Vec<(&'static str, String, u32)>,
    /// The value of the authorization header of the last call.
    pub authorization: String,
    /// So many of the next calls end as unavailable at once.
    pub refuse: u32,
    /// The next stream is lost after this many messages.
    pub lose_after: Option<usize>,
    /// Leaves the cursors out.
    pub no_cursors: bool,
    /// How many things there are to list.
    pub results: usize,
    /// Batches of an import that came to its proper end.
    pub imported: Vec<usize>,
    /// How many answers a bulk check gives.
    pub pairs: usize,
}

#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<Script>>);

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Fake {
    /// Starts the server on a free port and connects to it.
    pub async fn start(script: Script) -> (Fake, Client) {
        let fake = Fake(Arc::new(Mutex::new(script)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(PermissionsServiceServer::new(fake.clone()))
            .add_service(WatchServiceServer::new(fake.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let retry = RetryPolicy { wait_first: std::time::Duration::from_millis(1), ..RetryPolicy::default() };
        let options = ConnectOptions::new(address.to_string()).token("key").retry(retry);
        (fake, Client::connect(options).await.unwrap())
    }

    pub fn calls(&self) -> Vec<(&'static str, String, u32)> {
        self.0.lock().unwrap().calls.clone()
    }

    fn seen(
        &self,
        name: &'static str,
        headers: &MetadataMap,
        cursor: &str,
        limit: u32,
    ) -> Result<(), Status> {
        let mut script = self.0.lock().unwrap();
        script.calls.push((name, cursor.to_owned(), limit));
        script.authorization =
            headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        if script.refuse > 0 {
            script.refuse -= 1;
            return Err(Status::unavailable("scripted"));
        }
        Ok(())
    }

    /// Results after `cursor`, at most `limit`, each made by `make` from its number and the cursor after it.
    fn page<T: Send + 'static>(
        &self,
        cursor: &str,
        limit: u32,
        make: impl Fn(usize, Option<String>) -> T,
    ) -> Response<Messages<T>> {
        let mut script = self.0.lock().unwrap();
        let start: usize = if cursor.is_empty() { 0 } else { cursor.parse().unwrap() };
        let count = if limit == 0 { usize::MAX } else { limit as usize };
        let mut messages: Vec<Result<T, Status>> = (start..script.results)
            .take(count)
            .map(|number| Ok(make(number, (!script.no_cursors).then(|| (number + 1).to_string()))))
            .collect();
        if let Some(after) = script.lose_after.take() {
            messages.truncate(after);
            messages.push(Err(Status::unavailable("lost")));
        }
        Response::new(Box::pin(iter(messages)))
    }
}

fn text(cursor: &Option<Cursor>) -> String {
    cursor.clone().unwrap_or_default().token
}

fn relationship(number: usize) -> Relationship {
    let object = |object_type: &str, object_id: String| {
        Some(ObjectReference { object_type: object_type.into(), object_id })
    };
    Relationship {
        resource: object("document", format!("d{number}")),
        relation: "viewer".into(),
        subject: Some(SubjectReference { object: object("user", "u".into()), ..Default::default() }),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl PermissionsService for Fake {
    type ReadRelationshipsStream = Messages<ReadRelationshipsResponse>;
    type LookupResourcesStream = Messages<LookupResourcesResponse>;
    type LookupSubjectsStream = Messages<LookupSubjectsResponse>;
    type ExportBulkRelationshipsStream = Messages<ExportBulkRelationshipsResponse>;

    async fn read_relationships(
        &self,
        request: Request<ReadRelationshipsRequest>,
    ) -> Result<Response<Self::ReadRelationshipsStream>, Status> {
        let cursor = text(&request.get_ref().optional_cursor);
        let limit = request.get_ref().optional_limit;
        self.seen("read", request.metadata(), &cursor, limit)?;
        Ok(self.page(&cursor, limit, |number, after| ReadRelationshipsResponse {
            read_at: Some(ZedToken { token: "at".into() }),
            relationship: Some(relationship(number)),
            after_result_cursor: after.map(|token| Cursor { token }),
        }))
    }

    async fn write_relationships(
        &self,
        request: Request<WriteRelationshipsRequest>,
    ) -> Result<Response<WriteRelationshipsResponse>, Status> {
        self.seen("write", request.metadata(), "", 0)?;
        let token = ZedToken { token: "written".into() };
        Ok(Response::new(WriteRelationshipsResponse { written_at: Some(token) }))
    }

    async fn delete_relationships(
        &self,
        request: Request<DeleteRelationshipsRequest>,
    ) -> Result<Response<DeleteRelationshipsResponse>, Status> {
        self.seen("delete", request.metadata(), "", request.get_ref().optional_limit)?;
        Ok(Response::new(DeleteRelationshipsResponse {
            deleted_at: Some(ZedToken { token: "deleted".into() }),
            deletion_progress: 2,
            relationships_deleted_count: 7,
        }))
    }

    async fn check_permission(
        &self,
        request: Request<CheckPermissionRequest>,
    ) -> Result<Response<CheckPermissionResponse>, Status> {
        self.seen("check", request.metadata(), "", 0)?;
        Ok(Response::new(CheckPermissionResponse {
            checked_at: Some(ZedToken { token: "at".into() }),
            permissionship: 3,
            partial_caveat_info: Some(PartialCaveatInfo { missing_required_context: vec!["ip".into()] }),
            ..Default::default()
        }))
    }

    async fn check_bulk_permissions(
        &self,
        request: Request<CheckBulkPermissionsRequest>,
    ) -> Result<Response<CheckBulkPermissionsResponse>, Status> {
        use check_bulk_permissions_pair::Response as Answer;

        self.seen("bulk", request.metadata(), "", 0)?;
        let answer = |number: usize| match number % 2 {
            0 => Answer::Item(CheckBulkPermissionsResponseItem { permissionship: 2, ..Default::default() }),
            _ => Answer::Error(pemba_proto::google::rpc::Status { code: 9, ..Default::default() }),
        };
        let pairs = (0..self.0.lock().unwrap().pairs)
            .map(|number| CheckBulkPermissionsPair { request: None, response: Some(answer(number)) })
            .collect();
        Ok(Response::new(CheckBulkPermissionsResponse { checked_at: None, pairs }))
    }

    async fn expand_permission_tree(
        &self,
        _: Request<ExpandPermissionTreeRequest>,
    ) -> Result<Response<ExpandPermissionTreeResponse>, Status> {
        Ok(Response::new(ExpandPermissionTreeResponse::default()))
    }

    async fn lookup_resources(
        &self,
        request: Request<LookupResourcesRequest>,
    ) -> Result<Response<Self::LookupResourcesStream>, Status> {
        let cursor = text(&request.get_ref().optional_cursor);
        let limit = request.get_ref().optional_limit;
        self.seen("resources", request.metadata(), &cursor, limit)?;
        Ok(self.page(&cursor, limit, |number, after| LookupResourcesResponse {
            resource_object_id: format!("d{number}"),
            permissionship: 1,
            after_result_cursor: after.map(|token| Cursor { token }),
            ..Default::default()
        }))
    }

    async fn lookup_subjects(
        &self,
        request: Request<LookupSubjectsRequest>,
    ) -> Result<Response<Self::LookupSubjectsStream>, Status> {
        let cursor = text(&request.get_ref().optional_cursor);
        let limit = request.get_ref().optional_concrete_limit;
        self.seen("subjects", request.metadata(), &cursor, limit)?;
        Ok(self.page(&cursor, limit, |number, after| LookupSubjectsResponse {
            subject: Some(ResolvedSubject {
                subject_object_id: if number == 0 { "*".into() } else { format!("u{number}") },
                permissionship: 1,
                partial_caveat_info: None,
            }),
            after_result_cursor: after.map(|token| Cursor { token }),
            ..Default::default()
        }))
    }

    async fn import_bulk_relationships(
        &self,
        request: Request<Streaming<ImportBulkRelationshipsRequest>>,
    ) -> Result<Response<ImportBulkRelationshipsResponse>, Status> {
        let mut batches = Vec::new();
        let mut messages = request.into_inner();
        while let Some(message) = messages.next().await {
            let relationships = message?.relationships;
            if relationships.iter().any(|relationship| relationship.resource.is_none()) {
                return Err(Status::invalid_argument("resource: required"));
            }
            batches.push(relationships.len());
        }
        let num_loaded = batches.iter().sum::<usize>() as u64;
        self.0.lock().unwrap().imported = batches;
        Ok(Response::new(ImportBulkRelationshipsResponse { num_loaded }))
    }

    async fn export_bulk_relationships(
        &self,
        request: Request<ExportBulkRelationshipsRequest>,
    ) -> Result<Response<Self::ExportBulkRelationshipsStream>, Status> {
        let cursor = text(&request.get_ref().optional_cursor);
        self.seen("export", request.metadata(), &cursor, request.get_ref().optional_limit)?;
        Ok(self.page(&cursor, 0, |number, after| ExportBulkRelationshipsResponse {
            after_result_cursor: after.map(|token| Cursor { token }),
            relationships: vec![relationship(number * 2), relationship(number * 2 + 1)],
        }))
    }
}

#[tonic::async_trait]
impl WatchService for Fake {
    type WatchStream = Messages<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let start = request.get_ref().optional_start_cursor.clone().unwrap_or_default().token;
        self.seen("watch", request.metadata(), &start, 0)?;
        Ok(self.page(&start, 0, |number, _| WatchResponse {
            updates: vec![RelationshipUpdate { operation: 2, relationship: Some(relationship(number)) }],
            changes_through: Some(ZedToken { token: (number + 1).to_string() }),
            ..Default::default()
        }))
    }
}
