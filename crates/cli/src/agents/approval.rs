//! `pemba approval ...`.

use anyhow::{Context as _, Result};
use pemba_client::wire;
use pemba_proto::pemba::v1::approval_policy::Uses;
use pemba_proto::pemba::v1::{
    Applies, Approval, ApprovalPolicy, ApprovalResponse, ApprovalState, CancelApprovalRequest,
    DeleteApprovalPolicyRequest, Distinct, GetApprovalRequest, ListApprovalPoliciesRequest,
    ListApprovalsRequest, RequestApprovalRequest, RequestGrantApprovalRequest, SetApprovalPolicyRequest,
    VoteRequest, VoteResponse,
};
use serde_json::{Value, json};

use super::approval_args::{
    ApprovalCommand, ApprovalPolicyCommand, ListApprovals, Request, RequestGrant, SetPolicy,
};
use super::chain::chain_text;
use super::json::to_json;
use super::nouns::{instant_text, object_text, relationship_text, relative_text};
use super::services::{Services, answer, given};
use super::session::binding_text;
use super::table::{Table, details};
use super::time::{Span, When, span_text};
use super::words::word;
use crate::output::Output;

pub(super) async fn run(command: ApprovalCommand, output: &mut Output) -> Result<()> {
    match command {
        ApprovalCommand::Policy(command) => policy(command, output).await,
        ApprovalCommand::Request(new) => request(*new, output).await,
        ApprovalCommand::RequestGrant(new) => request_grant(*new, output).await,
        ApprovalCommand::Vote { id, approver, approve, reject: _, comment, connection } => {
            let request =
                VoteRequest { approval_id: id, approver: Some(approver), approves: approve, comment };
            let mut approvals = Services::connect(&connection).await?.approvals();
            voted(answer(approvals.vote(request)).await?, output)
        }
        ApprovalCommand::Get { id, connection } => {
            let mut approvals = Services::connect(&connection).await?.approvals();
            let response = answer(approvals.get_approval(GetApprovalRequest { id })).await?;
            show(&given(response.approval, "approval")?, output)
        }
        ApprovalCommand::List(filter) => list(filter, output).await,
        ApprovalCommand::Cancel { id, reason, connection } => {
            let mut approvals = Services::connect(&connection).await?.approvals();
            let response = answer(approvals.cancel_approval(CancelApprovalRequest { id, reason })).await?;
            let value = to_json("pemba.v1.ApprovalResponse", &response)?;
            let approval = given(response.approval, "approval")?;
            Ok(output.either(&format!("{} is {}", approval.id, state_of(&approval)), &value)?)
        }
    }
}

fn state_of(approval: &Approval) -> String {
    word::<ApprovalState>(approval.state)
}

async fn request(new: Request, output: &mut Output) -> Result<()> {
    let context = crate::remote::context(new.context.as_deref())?;
    let request = RequestApprovalRequest {
        chain: Some(new.chain.chain(new.root)?),
        resource: Some(new.resource),
        permission: new.permission,
        context: wire::context_to_wire(&context)?,
        reason: new.reason,
        requester: new.requester,
    };
    let mut approvals = Services::connect(&new.connection).await?.approvals();
    asked(answer(approvals.request_approval(request)).await?, output)
}

async fn request_grant(new: RequestGrant, output: &mut Output) -> Result<()> {
    let request = RequestGrantApprovalRequest {
        session_id: new.session,
        grantor: Some(new.grantor),
        relationship: Some(new.relationship),
        not_after: new.until.map(When::to_wire),
        reason: new.reason,
    };
    let mut approvals = Services::connect(&new.connection).await?.approvals();
    asked(answer(approvals.request_grant_approval(request)).await?, output)
}

/// What an approval is for, in words.
fn action_text(approval: &Approval) -> String {
    match &approval.grant {
        None => format!("{} on {}", approval.permission, object_text(approval.resource.as_ref())),
        Some(grant) => {
            let (grantor, what) = (object_text(grant.grantor.as_ref()), grant.relationship.as_ref());
            format!("{grantor} grants {}", what.map(relationship_text).unwrap_or_default())
        }
    }
}

fn asked(response: ApprovalResponse, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.ApprovalResponse", &response)?;
    let approval = given(response.approval, "approval")?;
    let what = action_text(&approval);
    let (who, state) = (chain_text(approval.chain.as_ref()), state_of(&approval));
    let until = relative_text(approval.decide_before);
    let text = format!("{}\n{state}: {what} by {who}; to be decided {until}", approval.id);
    Ok(output.either(&text, &value)?)
}

fn voted(response: VoteResponse, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.VoteResponse", &response)?;
    let approval = given(response.approval, "approval")?;
    let text = match (state_of(&approval), response.votes_needed) {
        (state, needed) if state == "pending" && needed > 0 => {
            format!("{} is pending: {needed} more must approve", approval.id)
        }
        (state, _) if state == "approved" => {
            format!("{} is approved; to be used {}", approval.id, relative_text(approval.use_before))
        }
        (state, _) => format!("{} is {state}", approval.id),
    };
    Ok(output.either(&text, &value)?)
}

fn show(approval: &Approval, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.Approval", approval)?)?);
    }
    let votes = approval.votes.iter().map(|vote| {
        let voice = if vote.approves { "approves" } else { "rejects" };
        let comment = if vote.comment.is_empty() { String::new() } else { format!(": {}", vote.comment) };
        format!("{} {voice}, {}{comment}", object_text(vote.approver.as_ref()), relative_text(vote.at))
    });
    let chain = approval.chain.clone().unwrap_or_default();
    let bound = match &approval.bound {
        Some(_) => Value::Object(wire::context_from_wire(approval.bound.clone())?).to_string(),
        None => String::new(),
    };
    let pairs = vec![
        ("approval", approval.id.clone()),
        ("state", state_of(approval)),
        ("action", action_text(approval)),
        ("by", chain_text(Some(&chain))),
        ("delegation", chain.delegation_id),
        ("session", chain.session_id),
        ("bound to", bound),
        ("reason", approval.reason.clone()),
        ("requester", object_text(approval.requester.as_ref())),
        ("presented by", binding_text(approval.binding.as_ref())),
        ("glass broken by", object_text(approval.broken_by.as_ref())),
        ("votes", votes.collect::<Vec<_>>().join("\n")),
        ("asked", instant_text(approval.created_at)),
        ("decide before", instant_text(approval.decide_before)),
        ("use before", instant_text(approval.use_before)),
        ("uses left", approval.uses_left.map(|left| left.to_string()).unwrap_or_default()),
        ("action hash", approval.action_hash.clone()),
    ];
    Ok(details(output, pairs)?)
}

async fn list(filter: ListApprovals, output: &mut Output) -> Result<()> {
    let mut request = ListApprovalsRequest {
        actor: filter.actor,
        votable_by: filter.votable_by,
        state: filter.state.map_or(0, ApprovalState::into),
        limit: super::PAGE,
        cursor: String::new(),
    };
    let mut approvals = Services::connect(&filter.connection).await?.approvals();
    let mut table =
        Table::new(&["approval", "state", "permission", "resource", "by", "votes", "decide", "reason"]);
    loop {
        let page = answer(approvals.list_approvals(request.clone())).await?;
        for approval in page.approvals {
            if output.is_json() {
                output.json(&to_json("pemba.v1.Approval", &approval)?)?;
                continue;
            }
            table.row(vec![
                approval.id.clone(),
                state_of(&approval),
                approval.permission.clone(),
                object_text(approval.resource.as_ref()),
                chain_text(approval.chain.as_ref()),
                approval.votes.len().to_string(),
                relative_text(approval.decide_before),
                approval.reason.clone(),
            ]);
        }
        if page.cursor.is_empty() {
            return if output.is_json() { Ok(()) } else { Ok(table.print(output)?) };
        }
        request.cursor = page.cursor;
    }
}

async fn policy(command: ApprovalPolicyCommand, output: &mut Output) -> Result<()> {
    match command {
        ApprovalPolicyCommand::Set(new) => set(*new, output).await,
        ApprovalPolicyCommand::List { connection } => {
            let mut approvals = Services::connect(&connection).await?.approvals();
            let response = answer(approvals.list_approval_policies(ListApprovalPoliciesRequest {})).await?;
            policies(response.policies, output)
        }
        ApprovalPolicyCommand::Delete { permission, grants, connection } => {
            let (resource_type, name) = parts(&permission)?;
            let request = DeleteApprovalPolicyRequest { resource_type, permission: name, grants };
            let mut approvals = Services::connect(&connection).await?.approvals();
            let token =
                answer(approvals.delete_approval_policy(request)).await?.written_at.unwrap_or_default().token;
            let text = match grants {
                false => format!("{permission} needs no approval"),
                true => format!("no approval lets anybody grant {permission}"),
            };
            Ok(output.either(&text, &json!({"written_at": token}))?)
        }
    }
}

/// `type#permission` in its parts.
pub(super) fn parts(text: &str) -> Result<(String, String)> {
    let (of, name) = text.split_once('#').with_context(|| format!("`{text}` is not `type#permission`"))?;
    Ok((of.to_owned(), name.to_owned()))
}

async fn set(new: SetPolicy, output: &mut Output) -> Result<()> {
    let (resource_type, permission) = parts(&new.permission)?;
    let uses = if new.time_boxed { Uses::TimeBoxed(true) } else { Uses::Counted(new.uses) };
    let policy = ApprovalPolicy {
        resource_type,
        permission,
        grants: new.grants,
        applies: new.applies.into(),
        approver_permission: new.approver_permission,
        quorum: new.quorum,
        distinct_from: new.distinct_from.into_iter().map(Distinct::into).collect(),
        human_only: new.human_only,
        uses: Some(uses),
        bind: new.bind,
        pending: Some(new.pending.to_wire()),
        execution: Some(new.execution.to_wire()),
        veto: !new.no_veto,
        pending_per_actor_max: new.pending_per_actor_max,
        cool_down: new.cool_down.map(Span::to_wire),
        ..ApprovalPolicy::default()
    };
    let mut approvals = Services::connect(&new.connection).await?.approvals();
    let request = SetApprovalPolicyRequest { policy: Some(policy) };
    let response = answer(approvals.set_approval_policy(request)).await?;
    let value = to_json("pemba.v1.SetApprovalPolicyResponse", &response)?;
    let policy = given(response.policy, "policy")?;
    let (quorum, approvers) = (policy.quorum, &policy.approver_permission);
    let about = if policy.grants { "granting " } else { "" };
    let text = format!(
        "{about}{} needs {quorum} who may {approvers}; policy version {}",
        new.permission, policy.version
    );
    Ok(output.either(&text, &value)?)
}

fn policies(policies: Vec<ApprovalPolicy>, output: &mut Output) -> Result<()> {
    let mut table = Table::new(&[
        "permission",
        "applies",
        "quorum",
        "approvers have",
        "not",
        "humans only",
        "uses",
        "bound to",
        "wait",
        "use in",
    ]);
    for policy in policies {
        if output.is_json() {
            output.json(&to_json("pemba.v1.ApprovalPolicy", &policy)?)?;
            continue;
        }
        let uses = match policy.uses {
            Some(Uses::Counted(uses)) => uses.to_string(),
            Some(Uses::TimeBoxed(_)) => "any".to_owned(),
            None => String::new(),
        };
        let distinct: Vec<_> = policy.distinct_from.iter().map(|whom| word::<Distinct>(*whom)).collect();
        table.row(vec![
            format!(
                "{}{}#{}",
                if policy.grants { "granting " } else { "" },
                policy.resource_type,
                policy.permission
            ),
            word::<Applies>(policy.applies),
            policy.quorum.to_string(),
            policy.approver_permission,
            distinct.join(", "),
            if policy.human_only { "yes" } else { "no" }.to_owned(),
            uses,
            policy.bind.join(", "),
            policy.pending.map(span_text).unwrap_or_default(),
            policy.execution.map(span_text).unwrap_or_default(),
        ]);
    }
    if output.is_json() { Ok(()) } else { Ok(table.print(output)?) }
}
