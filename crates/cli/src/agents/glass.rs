//! `pemba glass ...`.

use anyhow::Result;
use pemba_client::{Error, wire};
use pemba_proto::pemba::v1::{
    BreakGlassPolicy, BreakGlassRequest, BrokenGlass, BrokenGlassResponse, DeleteBreakGlassPolicyRequest,
    GetBrokenGlassRequest, ListBreakGlassPoliciesRequest, ListBrokenGlassRequest, ReviewBrokenGlassRequest,
    SetBreakGlassPolicyRequest, WatchBrokenGlassRequest,
};
use serde_json::json;

use super::approval::parts;
use super::chain::chain_text;
use super::glass_args::{Break, GlassCommand, GlassPolicyCommand, ListGlass, SetGlassPolicy};
use super::json::to_json;
use super::nouns::{instant_text, object_text, relative_text};
use super::services::{Services, answer, given};
use super::table::{Table, details};
use super::time::span_text;
use crate::output::Output;

pub(super) async fn run(command: GlassCommand, output: &mut Output) -> Result<()> {
    match command {
        GlassCommand::Policy(command) => policy(command, output).await,
        GlassCommand::Break(new) => break_glass(*new, output).await,
        GlassCommand::Review { id, reviewer, justified, unjustified: _, comment, connection } => {
            let request = ReviewBrokenGlassRequest { id, reviewer: Some(reviewer), justified, comment };
            let mut glass = Services::connect(&connection).await?.glass();
            changed(answer(glass.review_broken_glass(request)).await?, output)
        }
        GlassCommand::Get { id, connection } => {
            let mut glass = Services::connect(&connection).await?.glass();
            let response = answer(glass.get_broken_glass(GetBrokenGlassRequest { id })).await?;
            show(&given(response.broken, "broken")?, output)
        }
        GlassCommand::List(filter) => list(filter, output).await,
        GlassCommand::Watch { connection } => {
            let mut glass = Services::connect(&connection).await?.glass();
            let mut stream = answer(glass.watch_broken_glass(WatchBrokenGlassRequest {})).await?;
            while let Some(message) = stream.message().await.map_err(Error::from)? {
                let broken = given(message.broken, "broken")?;
                output.either(&line(&broken), &to_json("pemba.v1.BrokenGlass", &broken)?)?;
            }
            Ok(())
        }
    }
}

/// Where a review stands, in words.
fn state_of(broken: &BrokenGlass) -> &'static str {
    match &broken.review {
        Some(review) if review.justified => "justified",
        Some(_) => "unjustified",
        None if broken.overdue => "overdue",
        None => "open",
    }
}

fn line(broken: &BrokenGlass) -> String {
    let what = format!("{} on {}", broken.permission, object_text(broken.resource.as_ref()));
    let user = object_text(broken.user.as_ref());
    format!("{} {}: {user} broke the glass for {what}: {}", broken.id, state_of(broken), broken.reason)
}

fn changed(response: BrokenGlassResponse, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.BrokenGlassResponse", &response)?;
    let broken = given(response.broken, "broken")?;
    Ok(output.either(&line(&broken), &value)?)
}

async fn break_glass(new: Break, output: &mut Output) -> Result<()> {
    let context = crate::remote::context(new.context.as_deref())?;
    let request = BreakGlassRequest {
        chain: Some(new.chain.chain(new.root)?),
        resource: Some(new.resource),
        permission: new.permission,
        context: wire::context_to_wire(&context)?,
        user: Some(new.user),
        reason: new.reason,
    };
    let mut glass = Services::connect(&new.connection).await?.glass();
    let response = answer(glass.break_glass(request)).await?;
    let value = to_json("pemba.v1.BrokenGlassResponse", &response)?;
    let broken = given(response.broken, "broken")?;
    let (serves, review) = (relative_text(broken.use_before), relative_text(broken.review_before));
    let text = format!("{}\nit ends {serves}, and is to be reviewed {review}", broken.id);
    Ok(output.either(&text, &value)?)
}

fn show(broken: &BrokenGlass, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.BrokenGlass", broken)?)?);
    }
    let chain = broken.chain.clone().unwrap_or_default();
    let review = broken.review.as_ref().map(|review| {
        let at = relative_text(review.at);
        format!("{}, {at}: {}", object_text(review.reviewer.as_ref()), review.comment)
    });
    let pairs = vec![
        ("approval", broken.id.clone()),
        ("review", state_of(broken).to_owned()),
        ("user", object_text(broken.user.as_ref())),
        ("action", format!("{} on {}", broken.permission, object_text(broken.resource.as_ref()))),
        ("by", chain_text(Some(&chain))),
        ("delegation", chain.delegation_id),
        ("session", chain.session_id),
        ("reason", broken.reason.clone()),
        ("client", broken.by.clone()),
        ("broken", instant_text(broken.at)),
        ("use before", instant_text(broken.use_before)),
        ("review before", instant_text(broken.review_before)),
        ("reviewed", review.unwrap_or_default()),
    ];
    Ok(details(output, pairs)?)
}

async fn list(filter: ListGlass, output: &mut Output) -> Result<()> {
    let mut request = ListBrokenGlassRequest {
        user: filter.user,
        only_open: filter.open,
        only_overdue: filter.overdue,
        limit: super::PAGE,
        cursor: String::new(),
    };
    let mut glass = Services::connect(&filter.connection).await?.glass();
    let mut table =
        Table::new(&["approval", "review", "user", "permission", "resource", "by", "broken", "reason"]);
    loop {
        let page = answer(glass.list_broken_glass(request.clone())).await?;
        for broken in page.broken {
            if output.is_json() {
                output.json(&to_json("pemba.v1.BrokenGlass", &broken)?)?;
                continue;
            }
            table.row(vec![
                broken.id.clone(),
                state_of(&broken).to_owned(),
                object_text(broken.user.as_ref()),
                broken.permission.clone(),
                object_text(broken.resource.as_ref()),
                chain_text(broken.chain.as_ref()),
                relative_text(broken.at),
                broken.reason.clone(),
            ]);
        }
        if page.cursor.is_empty() {
            return if output.is_json() { Ok(()) } else { Ok(table.print(output)?) };
        }
        request.cursor = page.cursor;
    }
}

async fn policy(command: GlassPolicyCommand, output: &mut Output) -> Result<()> {
    match command {
        GlassPolicyCommand::Set(new) => set(*new, output).await,
        GlassPolicyCommand::List { connection } => {
            let mut glass = Services::connect(&connection).await?.glass();
            let request = ListBreakGlassPoliciesRequest {};
            policies(answer(glass.list_break_glass_policies(request)).await?.policies, output)
        }
        GlassPolicyCommand::Delete { permission, connection } => {
            let (resource_type, name) = parts(&permission)?;
            let request = DeleteBreakGlassPolicyRequest { resource_type, permission: name };
            let mut glass = Services::connect(&connection).await?.glass();
            let response = answer(glass.delete_break_glass_policy(request)).await?;
            let token = response.written_at.unwrap_or_default().token;
            let text = format!("nobody breaks the glass for {permission}");
            Ok(output.either(&text, &json!({"written_at": token}))?)
        }
    }
}

async fn set(new: SetGlassPolicy, output: &mut Output) -> Result<()> {
    let (resource_type, permission) = parts(&new.permission)?;
    let policy = BreakGlassPolicy {
        resource_type,
        permission,
        user_permission: new.user_permission,
        reviewer_permission: new.reviewer_permission,
        life: Some(new.life.to_wire()),
        review: Some(new.review.to_wire()),
        ..BreakGlassPolicy::default()
    };
    let mut glass = Services::connect(&new.connection).await?.glass();
    let request = SetBreakGlassPolicyRequest { policy: Some(policy) };
    let response = answer(glass.set_break_glass_policy(request)).await?;
    let value = to_json("pemba.v1.SetBreakGlassPolicyResponse", &response)?;
    let policy = given(response.policy, "policy")?;
    let text = format!(
        "who may {} breaks the glass for {}, and who may {} reviews it; policy version {}",
        policy.user_permission, new.permission, policy.reviewer_permission, policy.version
    );
    Ok(output.either(&text, &value)?)
}

fn policies(policies: Vec<BreakGlassPolicy>, output: &mut Output) -> Result<()> {
    let mut table = Table::new(&["permission", "users have", "reviewers have", "serves", "review in"]);
    for policy in policies {
        if output.is_json() {
            output.json(&to_json("pemba.v1.BreakGlassPolicy", &policy)?)?;
            continue;
        }
        table.row(vec![
            format!("{}#{}", policy.resource_type, policy.permission),
            policy.user_permission,
            policy.reviewer_permission,
            policy.life.map(span_text).unwrap_or_default(),
            policy.review.map(span_text).unwrap_or_default(),
        ]);
    }
    if output.is_json() { Ok(()) } else { Ok(table.print(output)?) }
}
