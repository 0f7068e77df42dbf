//! `SchemaService`.

use std::sync::Arc;

use pemba_proto::authzed::api::v1::schema_service_server::SchemaService;
use pemba_proto::authzed::api::v1::{
    ComputablePermissionsRequest, ComputablePermissionsResponse, DependentRelationsRequest,
    DependentRelationsResponse, DiffSchemaRequest, DiffSchemaResponse, ReadSchemaRequest, ReadSchemaResponse,
    ReflectSchemaRequest, ReflectSchemaResponse, WriteSchemaRequest, WriteSchemaResponse,
};
use tonic::{Code, Request, Response, Status};

use super::reflection;
use crate::access::{self, caller};
use crate::consistency::encode;
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::validate;

/// The service.
pub(crate) struct Schemas {
    state: Arc<State>,
}

impl Schemas {
    pub(crate) fn new(state: Arc<State>) -> Schemas {
        Schemas { state }
    }
}

#[tonic::async_trait]
impl SchemaService for Schemas {
    async fn read_schema(
        &self,
        request: Request<ReadSchemaRequest>,
    ) -> Result<Response<ReadSchemaResponse>, Status> {
        access::read_schema(&caller(request)?.0)?;
        match self.state.database()?.read_schema() {
            Some(schema) => Ok(Response::new(ReadSchemaResponse {
                schema_text: schema.text,
                read_at: Some(encode(schema.token)),
            })),
            None => Err(plain(Code::NotFound, "no schema has been written; write one with `WriteSchema`")),
        }
    }

    async fn write_schema(
        &self,
        request: Request<WriteSchemaRequest>,
    ) -> Result<Response<WriteSchemaResponse>, Status> {
        let (client, request) = caller(request)?;
        validate::write_schema(&request)?;
        access::write_schema(&client)?;
        let text = request.schema;
        if self.state.read_only {
            // A schema that is none is told as such everywhere.
            pemba_schema::compile(&text).map_err(|rejected| errors::schema(&rejected.into(), &text))?;
        }
        let written = self.state.writer()?.write_schema(text.clone()).await;
        let committed = written.map_err(|error| errors::schema(&error, &text))?;
        Ok(Response::new(WriteSchemaResponse { written_at: Some(encode(committed.token)) }))
    }

    async fn reflect_schema(
        &self,
        request: Request<ReflectSchemaRequest>,
    ) -> Result<Response<ReflectSchemaResponse>, Status> {
        let (client, request) = caller(request)?;
        reflection::reflect(&self.state, &client, request).await.map(Response::new)
    }

    async fn computable_permissions(
        &self,
        request: Request<ComputablePermissionsRequest>,
    ) -> Result<Response<ComputablePermissionsResponse>, Status> {
        let (client, request) = caller(request)?;
        reflection::computable(&self.state, &client, request).await.map(Response::new)
    }

    async fn dependent_relations(
        &self,
        request: Request<DependentRelationsRequest>,
    ) -> Result<Response<DependentRelationsResponse>, Status> {
        let (client, request) = caller(request)?;
        reflection::dependent(&self.state, &client, request).await.map(Response::new)
    }

    async fn diff_schema(
        &self,
        request: Request<DiffSchemaRequest>,
    ) -> Result<Response<DiffSchemaResponse>, Status> {
        let (client, request) = caller(request)?;
        reflection::diff(&self.state, &client, request).await.map(Response::new)
    }
}
