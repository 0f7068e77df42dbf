//! Following changes.

use anyhow::Result;
use pemba_client::{Token, Watch};
use pemba_model::Operation;
use serde_json::json;

use super::connect;
use crate::args::WatchArgs;
use crate::output::Output;

pub(super) async fn run(args: WatchArgs, output: &mut Output) -> Result<bool> {
    let mut watch = args.types.iter().fold(Watch::new(), |watch, of| watch.object_type(of.as_str()));
    if let Some(token) = args.after {
        watch = watch.after(Token::new(token));
    }
    if args.schema {
        watch = watch.with_schema();
    }
    let mut events = connect(&args.connection).await?.watch(watch);
    while let Some(event) = events.next().await {
        let event = event?;
        let through = event.through.as_str();
        if event.schema_updated {
            output.either("schema changed", &json!({"schema_updated": true, "through": through}))?;
        }
        for update in event.updates {
            let (mark, word) = match update.operation {
                Operation::Delete => ('-', "delete"),
                Operation::Create | Operation::Touch => ('+', "touch"),
            };
            let text = update.relationship.to_string();
            let value = json!({"operation": word, "relationship": text, "through": through});
            output.either(&format!("{mark} {text}"), &value)?;
        }
    }
    Ok(true)
}
