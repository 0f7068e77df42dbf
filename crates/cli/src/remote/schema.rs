//! Writing and reading the server's schema.

use anyhow::{Result, bail};
use pemba_client::Code;
use serde_json::json;

use super::connect;
use crate::args::{Connection, SchemaCommand};
use crate::output::Output;
use crate::schema_files::read_schema;

/// The schema that the server stores; the empty text when it has none.
pub(crate) fn stored(connection: &Connection) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match connect(connection).await?.read_schema().await {
            Ok((text, _)) => Ok(text),
            Err(error) if error.code() == Code::NotFound => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    })
}

pub(super) async fn run(command: SchemaCommand, output: &mut Output) -> Result<bool> {
    match command {
        SchemaCommand::Write { file, connection } => {
            let text = read_schema(&file)?;
            if let Err(rejected) = pemba_schema::compile(&text) {
                let name = file.display().to_string();
                bail!(
                    "the schema is refused\n{}",
                    crate::diagnostics::render(&name, &text, &rejected.diagnostics)
                );
            }
            let token = connect(&connection).await?.write_schema(text).await?;
            output.either(&format!("schema written at {token}"), &json!({"written_at": token.as_str()}))?;
        }
        SchemaCommand::Read { connection } => match connect(&connection).await?.read_schema().await {
            Ok((text, token)) => {
                output.either(text.trim_end(), &json!({"schema": text, "read_at": token.as_str()}))?;
            }
            Err(error) if error.code() == Code::NotFound => bail!("the server has no schema yet"),
            Err(error) => return Err(error.into()),
        },
        SchemaCommand::Check { .. }
        | SchemaCommand::Lint { .. }
        | SchemaCommand::Diff(_)
        | SchemaCommand::Fmt { .. } => {
            bail!("this command does not ask a server")
        }
    }
    Ok(true)
}
