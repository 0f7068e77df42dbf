//! `pemba delegation ...`.

use anyhow::Result;
use pemba_proto::pemba::v1::{
    DelegateRequest, Delegation, DelegationResponse, GetDelegationRequest, ListDelegationsRequest,
    RenewDelegationRequest, RevokeDelegationRequest,
};

use super::delegation_args::{Create, DelegationCommand, ListDelegations, Renew};
use super::json::to_json;
use super::nouns::{instant, instant_text, object_text, relative_text, subject_text};
use super::scope::{scope, scope_texts};
use super::services::{Services, answer, given};
use super::table::{Table, details};
use super::time::{When, now};
use crate::output::Output;

pub(super) async fn run(command: DelegationCommand, output: &mut Output) -> Result<()> {
    match command {
        DelegationCommand::Create(new) => create(*new, output).await,
        DelegationCommand::Get { id, connection } => {
            let mut delegations = Services::connect(&connection).await?.delegations();
            get(answer(delegations.get_delegation(GetDelegationRequest { id })).await?.chain, output)
        }
        DelegationCommand::List(filter) => list(filter, output).await,
        DelegationCommand::Renew(change) => renew(*change, output).await,
        DelegationCommand::Revoke { id, reason, connection } => {
            let request = RevokeDelegationRequest { id, reason };
            let mut delegations = Services::connect(&connection).await?.delegations();
            let response = answer(delegations.revoke_delegation(request)).await?;
            changed(
                response,
                |delegation| format!("revoked {}, and all that rests on it", delegation.id),
                output,
            )
        }
    }
}

/// Where a delegation stands, in one word or two.
fn state_of(delegation: &Delegation) -> String {
    let is_past = |time| instant(time).is_some_and(|at| at <= now());
    let state = if delegation.alive {
        "alive"
    } else if delegation.revoked.is_some() {
        "revoked"
    } else if is_past(delegation.not_after) {
        "expired"
    } else if delegation.uses_left == Some(0) {
        "used up"
    } else if !is_past(delegation.not_before) {
        "not yet"
    } else {
        "not alive"
    };
    state.to_owned()
}

async fn create(new: Create, output: &mut Output) -> Result<()> {
    let request = DelegateRequest {
        parent_id: new.parent,
        root: new.root,
        from: Some(new.from),
        to: Some(new.to),
        scope: scope(new.scope),
        not_before: new.not_before.map(When::to_wire),
        not_after: Some(new.until.to_wire()),
        depth_left: new.depth_left,
        session_id: new.session,
        uses: new.uses,
        consent: new.consent,
    };
    let response = answer(Services::connect(&new.connection).await?.delegations().delegate(request)).await?;
    let value = to_json("pemba.v1.DelegateResponse", &response)?;
    let delegation = given(response.delegation, "delegation")?;
    let (from, to) = (object_text(delegation.from.as_ref()), subject_text(delegation.to.as_ref()));
    let ends = relative_text(delegation.not_after);
    output.either(&format!("{}\n{from} delegates to {to}; it ends {ends}", delegation.id), &value)?;
    if !output.is_json() {
        for pair in response.sleeping {
            output.line(&format!("asleep, since the root may not now: {pair}"))?;
        }
    }
    Ok(())
}

fn changed(
    response: DelegationResponse,
    text: impl Fn(&Delegation) -> String,
    output: &mut Output,
) -> Result<()> {
    let value = to_json("pemba.v1.DelegationResponse", &response)?;
    let delegation = given(response.delegation, "delegation")?;
    Ok(output.either(&text(&delegation), &value)?)
}

async fn renew(change: Renew, output: &mut Output) -> Result<()> {
    let request = RenewDelegationRequest {
        id: change.id,
        scope: scope(change.scope),
        not_after: change.until.map(When::to_wire),
        depth_left: change.depth_left,
        uses_left: change.uses_left,
        version: change.version.unwrap_or(0),
        reason: change.reason,
    };
    let mut delegations = Services::connect(&change.connection).await?.delegations();
    let response = answer(delegations.renew_delegation(request)).await?;
    let text = |delegation: &Delegation| {
        format!("renewed {}: it ends {}", delegation.id, relative_text(delegation.not_after))
    };
    changed(response, text, output)
}

/// Shows a chain, outermost hop first.
fn get(chain: Vec<Delegation>, output: &mut Output) -> Result<()> {
    for (number, hop) in chain.into_iter().enumerate() {
        if output.is_json() {
            output.json(&to_json("pemba.v1.Delegation", &hop)?)?;
            continue;
        }
        if number > 0 {
            output.line("")?;
        }
        details(output, pairs_of(&hop))?;
    }
    Ok(())
}

fn pairs_of(hop: &Delegation) -> Vec<(&'static str, String)> {
    let ended = hop.revoked.as_ref().map(|ended| {
        let reason = if ended.reason.is_empty() { String::new() } else { format!(": {}", ended.reason) };
        format!("{} by {}{reason}", instant_text(ended.at), ended.by)
    });
    vec![
        ("delegation", hop.id.clone()),
        ("state", state_of(hop)),
        ("root", object_text(hop.root.as_ref())),
        ("from", object_text(hop.from.as_ref())),
        ("to", subject_text(hop.to.as_ref())),
        ("scope", scope_texts(hop.scope.as_ref()).join("\n")),
        ("from on", instant_text(hop.not_before)),
        ("until", instant_text(hop.not_after)),
        ("revoked", ended.unwrap_or_default()),
        ("hops", format!("{} from the root, {} may follow", hop.depth, hop.depth_left)),
        ("parent", hop.parent_id.clone()),
        ("session", hop.session_id.clone()),
        ("uses left", hop.uses_left.map(|left| left.to_string()).unwrap_or_default()),
        ("consent", hop.consent.clone()),
        ("created", format!("{} by {}", instant_text(hop.created_at), hop.created_by)),
        ("version", hop.version.to_string()),
    ]
}

async fn list(filter: ListDelegations, output: &mut Output) -> Result<()> {
    let mut request = ListDelegationsRequest {
        root: filter.root,
        from: filter.from,
        to: filter.to,
        only_alive: filter.alive,
        limit: super::PAGE,
        cursor: String::new(),
    };
    let mut delegations = Services::connect(&filter.connection).await?.delegations();
    let mut table = Table::new(&["delegation", "root", "from", "to", "state", "ends", "scope"]);
    loop {
        let page = answer(delegations.list_delegations(request.clone())).await?;
        for hop in page.delegations {
            if output.is_json() {
                output.json(&to_json("pemba.v1.Delegation", &hop)?)?;
                continue;
            }
            table.row(vec![
                hop.id.clone(),
                object_text(hop.root.as_ref()),
                object_text(hop.from.as_ref()),
                subject_text(hop.to.as_ref()),
                state_of(&hop),
                relative_text(hop.not_after),
                scope_texts(hop.scope.as_ref()).join(" "),
            ]);
        }
        if page.cursor.is_empty() {
            return if output.is_json() { Ok(()) } else { Ok(table.print(output)?) };
        }
        request.cursor = page.cursor;
    }
}
