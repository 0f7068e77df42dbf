//! `pemba check` for a chain, `pemba check --consume` and `pemba explain`.

use anyhow::Result;
use clap::Args;
use pemba_client::wire;
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::{
    Chain, CheckAndConsumeRequest, CheckAsRequest, Decision, ExplainRequest, Outcome,
};

use super::chain::ChainFlags;
use super::decision::sentence;
use super::json::to_json;
use super::nouns::object;
use super::services::{Services, answer, given};
use crate::args::{CheckArgs, Connection, Freshness};
use crate::output::Output;

/// Flags of `pemba explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The resource, `type:id`.
    #[arg(value_parser = object)]
    resource: ObjectReference,
    /// The permission or relation.
    permission: String,
    /// The root, `type:id`: whose authority is used. May be left out with a delegation.
    #[arg(value_parser = object)]
    root: Option<ObjectReference>,
    /// Who acts.
    #[command(flatten)]
    chain: ChainFlags,
    /// Caveat context, a JSON object.
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
    /// How fresh.
    #[command(flatten)]
    freshness: Freshness,
    /// The server.
    #[command(flatten)]
    connection: Connection,
}

/// Answers for a chain. Returns whether it may.
pub(crate) async fn check(args: CheckArgs, output: &mut Output) -> Result<bool> {
    let parsed = |text: String| object(&text).map_err(anyhow::Error::msg);
    let resource = Some(parsed(args.resource)?);
    let approval = args.chain.approval.clone();
    let chain = Some(args.chain.chain(args.subject.map(parsed).transpose()?)?);
    let context = wire::context_to_wire(&crate::remote::context(args.context.as_deref())?)?;
    let services = Services::connect(&args.connection).await?;
    let permission = args.permission;
    if let Some(idempotency_key) = args.consume {
        let request = CheckAndConsumeRequest { chain, resource, permission, context, idempotency_key };
        return consume(&services, request, &approval, output).await;
    }
    let consistency = crate::remote::consistency(&args.freshness).to_wire();
    let contextual_relationships = Vec::new();
    let request =
        CheckAsRequest { consistency, chain, resource, permission, context, contextual_relationships };
    let response = answer(services.authority().check_as(request)).await?;
    let value = to_json("pemba.v1.CheckAsResponse", &response)?;
    let decision = given(response.decision, "decision")?;
    let text = if output.is_json() { String::new() } else { sentence(&services, &decision, &approval).await };
    output.either(&text, &value)?;
    Ok(is_allowed(&decision))
}

/// What the chain of a delegation may do to an object, `type:id`, at the newest revision.
pub(crate) async fn outcome(
    services: &Services,
    resource: &str,
    permission: &str,
    delegation: &str,
) -> Result<Outcome> {
    let chain = Chain { delegation_id: delegation.to_owned(), ..Chain::default() };
    let request = CheckAsRequest {
        consistency: pemba_client::Consistency::FullyConsistent.to_wire(),
        chain: Some(chain),
        resource: Some(object(resource).map_err(anyhow::Error::msg)?),
        permission: permission.to_owned(),
        ..CheckAsRequest::default()
    };
    let response = answer(services.authority().check_as(request)).await?;
    Ok(given(response.decision, "decision")?.outcome())
}

fn is_allowed(decision: &Decision) -> bool {
    decision.outcome() == Outcome::Allow
}

async fn consume(
    services: &Services,
    request: CheckAndConsumeRequest,
    approval: &str,
    output: &mut Output,
) -> Result<bool> {
    let response = answer(services.authority().check_and_consume(request)).await?;
    let value = to_json("pemba.v1.CheckAndConsumeResponse", &response)?;
    let decision = given(response.decision, "decision")?;
    if output.is_json() {
        output.json(&value)?;
        return Ok(is_allowed(&decision));
    }
    let mut text = sentence(services, &decision, approval).await;
    if let Some(left) = response.approval_uses_left {
        text.push_str(&format!("; the approval has {left} uses left"));
    }
    if response.repeated_answer {
        text.push_str("; the answer given to this key before, nothing was used again");
    }
    output.line(&text)?;
    Ok(is_allowed(&decision))
}

/// Tells why. Returns whether it may.
pub(super) async fn explain(args: ExplainArgs, output: &mut Output) -> Result<bool> {
    let chain: Chain = args.chain.chain(args.root)?;
    let approval = chain.approval_id.clone();
    let request = ExplainRequest {
        consistency: crate::remote::consistency(&args.freshness).to_wire(),
        chain: Some(chain),
        resource: Some(args.resource),
        permission: args.permission,
        context: wire::context_to_wire(&crate::remote::context(args.context.as_deref())?)?,
        contextual_relationships: Vec::new(),
    };
    let services = Services::connect(&args.connection).await?;
    let response = answer(services.authority().explain(request)).await?;
    let value = to_json("pemba.v1.ExplainResponse", &response)?;
    let decision = given(response.decision, "decision")?;
    if output.is_json() {
        output.json(&value)?;
    } else {
        output.line(&sentence(&services, &decision, &approval).await)?;
        output.line(response.text.trim_end())?;
    }
    Ok(is_allowed(&decision))
}
