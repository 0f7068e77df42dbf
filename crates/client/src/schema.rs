//! Reading and writing the schema.

use pemba_proto::authzed::api::v1;

use crate::{
    client::{Client, Repeat},
    consistency::Token,
    error::Error,
};

impl Client {
    /// Replaces the whole schema.
    ///
    /// # Errors
    /// `InvalidArgument` when the text does not parse or stored relationships would no longer fit,
    /// `FailedPrecondition` when its names and types do not fit together.
    pub async fn write_schema(&self, schema: impl Into<String>) -> Result<Token, Error> {
        let request = v1::WriteSchemaRequest { schema: schema.into() };
        let answer =
            self.unary(request, Repeat::Safe, |mut api, request| async move {
                api.schema.write_schema(request).await
            })
            .await?;
        Ok(Token::from_wire(answer.written_at))
    }

    /// The schema's text, which may be laid out differently than it was written, and the revision it was read at.
    ///
    /// # Errors
    /// `NotFound` when no schema has been written.
    pub async fn read_schema(&self) -> Result<(String, Token), Error> {
        let answer = self
            .unary(v1::ReadSchemaRequest {}, Repeat::Safe, |mut api, request| async move {
                api.schema.read_schema(request).await
            })
            .await?;
        Ok((answer.schema_text, Token::from_wire(answer.read_at)))
    }
}
