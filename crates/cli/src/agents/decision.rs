//! A decision as a plain sentence: `DENY: the delegation dlg_... was revoked 3 minutes ago by support-admin`.
//!
//! What limits a decision comes with it. When that something was ended, by whom and why, is looked up; where the client
//! may not, the sentence is shorter.

use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1::kill_selector::Selector;
use pemba_proto::pemba::v1::{
    AgentSpec, ApprovalState, Decision, Delegation, Ended, GetAgentRequest, GetApprovalRequest,
    GetDelegationRequest, GetSessionRequest, KillMode, KillSwitch, Limit, ListAgentChangesRequest,
    ListKillSwitchesRequest, Outcome, Session,
};

use super::nouns::{instant, object_text, objects_text, relative_text};
use super::scope::scope_texts;
use super::services::{Services, answer};
use super::time::{now, relative};
use super::words::word;

/// The decision in one line, and a second one about agents without a record. `approval` is the one that was presented,
/// empty for none.
pub(super) async fn sentence(services: &Services, decision: &Decision, approval: &str) -> String {
    let mut text = match decision.outcome() {
        Outcome::Allow => match instant(decision.valid_until) {
            Some(until) => format!("ALLOW, by the clock until {until} ({})", relative(until, now())),
            None => "ALLOW".to_owned(),
        },
        Outcome::Conditional => {
            let info = decision.partial_caveat_info.clone().unwrap_or_default();
            format!("CONDITIONAL: it depends on {}", info.missing_required_context.join(", "))
        }
        Outcome::RequiresApproval => format!("REQUIRES APPROVAL: {}", unapproved(services, approval).await),
        Outcome::RequiresConsumption => {
            "REQUIRES CONSUMPTION: everything allows it, and it counts; use it with --consume".to_owned()
        }
        Outcome::Deny | Outcome::Unspecified => match &decision.limit {
            Some(limit) => format!("DENY: {}", why(services, limit).await),
            None => "DENY".to_owned(),
        },
    };
    if !decision.shadows.is_empty() {
        text.push_str(&format!("\nwithout a record: {}", objects_text(&decision.shadows)));
    }
    text
}

/// Why nothing that was presented approves an action.
async fn unapproved(services: &Services, approval: &str) -> String {
    let unasked = "everything else allows it, and somebody must approve it".to_owned();
    if approval.is_empty() {
        return unasked;
    }
    let request = GetApprovalRequest { id: approval.to_owned() };
    let found = answer(services.approvals().get_approval(request)).await.ok();
    match found.and_then(|response| response.approval).map(|approval| word::<ApprovalState>(approval.state)) {
        None => unasked,
        Some(state) if state == "approved" => {
            format!("the approval {approval} cannot be used: those who gave it may no longer approve")
        }
        Some(state) => format!("the approval {approval} is {state}"),
    }
}

/// What a limit says.
async fn why(services: &Services, limit: &Limit) -> String {
    let (who, id) = (object_text(limit.principal.as_ref()), limit.id.as_str());
    match limit.kind.as_str() {
        "session" => session(id, &limit.detail, session_of(services, id).await),
        "connection" if limit.detail == "cut" => "a hop of the chain was forgotten".to_owned(),
        "connection" => "the hops of the chain do not follow from one another".to_owned(),
        "hop" => hop(id, &limit.detail, delegation_of(services, id).await),
        "member" => format!("who acts does not belong to those the delegation {id} is to"),
        "liveness" => not_live(services, limit, &who).await,
        "write_denied" => {
            let thrown = kill_text(services, limit).await;
            format!("{who} may only read: {thrown}")
        }
        "scope" => outside("the scope of the delegation", id, delegation_of(services, id).await),
        "session_scope" => format!("it is outside the scope of the session {id}"),
        "ceiling" => format!("it is above the ceiling of {who}"),
        "purpose" => format!("it is not what {who} is for"),
        "own_grants" => format!("{who} must have the permission itself, and lacks it"),
        "root" => format!("{who} lacks the permission"),
        kind => [kind, &who, id, &limit.detail]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(" "),
    }
}

async fn delegation_of(services: &Services, id: &str) -> Option<Delegation> {
    let request = GetDelegationRequest { id: id.to_owned() };
    let chain = answer(services.delegations().get_delegation(request)).await.ok()?.chain;
    chain.into_iter().find(|hop| hop.id == id)
}

async fn session_of(services: &Services, id: &str) -> Option<Session> {
    let request = GetSessionRequest { id: id.to_owned() };
    answer(services.sessions().get_session(request)).await.ok()?.session
}

/// ` 3 minutes ago by support-admin: it was enough`.
fn ended_text(ended: Option<&Ended>) -> String {
    let Some(ended) = ended else { return String::new() };
    told(&relative_text(ended.at), &ended.by, &ended.reason)
}

fn told(when: &str, by: &str, reason: &str) -> String {
    let when = if when.is_empty() { String::new() } else { format!(" {when}") };
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{when}{by}{reason}")
}

fn session(id: &str, detail: &str, record: Option<Session>) -> String {
    let closed = record.as_ref().and_then(|session| session.closed.as_ref());
    let end = record.as_ref().map(|session| relative_text(session.not_after)).unwrap_or_default();
    match detail {
        "ended" => format!("the session {id} was closed{}", ended_text(closed)),
        "expired" => format!("the session {id} expired {end}").trim_end().to_owned(),
        "idle" => format!("the session {id} lay unused for too long"),
        "other_incarnation" => format!("the session {id} is for an earlier incarnation of its agent"),
        other => format!("the session {id} does not hold: {other}"),
    }
}

fn hop(id: &str, detail: &str, record: Option<Delegation>) -> String {
    let revoked = record.as_ref().and_then(|hop| hop.revoked.as_ref());
    let end = record.as_ref().map(|hop| relative_text(hop.not_after)).unwrap_or_default();
    let start = record.as_ref().map(|hop| relative_text(hop.not_before)).unwrap_or_default();
    let text = match detail {
        "ended" | "revoked" => format!("the delegation {id} was revoked{}", ended_text(revoked)),
        "expired" => format!("the delegation {id} expired {end}"),
        "not_yet" => format!("the delegation {id} does not hold yet; it begins {start}"),
        "used" => format!("the delegation {id} is used up"),
        "outside_session" => {
            let session = record.map(|hop| hop.session_id).unwrap_or_default();
            format!("the delegation {id} holds only in the session {session}, which was not presented")
        }
        other => format!("the delegation {id} does not hold: {other}"),
    };
    text.trim_end().to_owned()
}

fn outside(what: &str, id: &str, record: Option<Delegation>) -> String {
    let clauses = record.map(|hop| scope_texts(hop.scope.as_ref()).join(" ")).unwrap_or_default();
    if clauses.is_empty() {
        format!("it is outside {what} {id}")
    } else {
        format!("it is outside {what} {id}, which is {clauses}")
    }
}

async fn not_live(services: &Services, limit: &Limit, who: &str) -> String {
    let plain = match limit.detail.as_str() {
        "killed" => return format!("{who} is stopped: {}", kill_text(services, limit).await),
        "unregistered" => return format!("{who} is not registered, and its type is managed"),
        "other_incarnation" => return format!("what was given was given to an earlier incarnation of {who}"),
        "not_yet" => return format!("{who} does not act yet"),
        "expired" => return format!("the time of {who} is over"),
        "unattested" => return format!("nobody attested {who} in time"),
        "orphaned" => return format!("{who} has no sponsor left who counts"),
        "human_disabled" => return format!("{who} is disabled"),
        "proposed" => return format!("{who} waits to be activated"),
        other => format!("{who} is {other}"),
    };
    let Some(principal) = limit.principal.clone() else { return plain };
    match last_change(services, principal).await {
        since if since.is_empty() => plain,
        since => format!("{plain}, since{since}"),
    }
}

/// When, by whom and why the status of an agent was changed last.
async fn last_change(services: &Services, principal: ObjectReference) -> String {
    let request = ListAgentChangesRequest { principal: Some(principal) };
    let Ok(response) = answer(services.agents().list_agent_changes(request)).await else {
        return String::new();
    };
    let status = response.changes.last().map(|change| change.status);
    // Later changes may be about something else than the status.
    let since = response.changes.iter().rev().take_while(|change| Some(change.status) == status).last();
    since.map(|change| told(&relative_text(change.at), &change.by, &change.reason)).unwrap_or_default()
}

/// The switch that stops the principal of a limit, with when, by whom and why it was thrown.
async fn kill_text(services: &Services, limit: &Limit) -> String {
    let response = answer(services.agents().list_kill_switches(ListKillSwitchesRequest {})).await;
    let kills = response.map(|response| response.kill_switches).unwrap_or_default();
    let request = GetAgentRequest { principal: limit.principal.clone() };
    let agent = answer(services.agents().get_agent(request)).await.ok().and_then(|response| response.agent);
    let spec = agent.and_then(|agent| agent.spec).unwrap_or_default();
    let found = kills.iter().find(|kill| kill.name == limit.detail).or_else(|| {
        let is_on = |kill: &&KillSwitch| instant(kill.until).is_none_or(|until| now() < until);
        let denies = |kill: &&KillSwitch| kill.mode() == KillMode::DenyAll;
        kills.iter().filter(is_on).filter(denies).find(|kill| selects(kill, limit, &spec))
    });
    match found {
        Some(kill) => {
            let thrown = told(&relative_text(kill.at), &kill.by, &kill.reason);
            format!("the kill switch {} was thrown{thrown}", kill.name)
        }
        None => "a kill switch is on".to_owned(),
    }
}

/// Whether a switch selects the principal of a limit, of whom this is said.
fn selects(kill: &KillSwitch, limit: &Limit, spec: &AgentSpec) -> bool {
    match kill.selector.as_ref().and_then(|selector| selector.selector.as_ref()) {
        None => false,
        Some(Selector::Agent(agent)) => Some(agent) == limit.principal.as_ref(),
        Some(Selector::Blueprint(name)) => *name == spec.blueprint,
        Some(Selector::Owner(owner)) => spec.owners.contains(owner),
        Some(Selector::Sponsor(sponsor)) => spec.sponsors.contains(sponsor),
        Some(Selector::Label(label)) => spec.labels.contains(label),
        Some(Selector::Tenant(tenant)) => *tenant == spec.tenant,
        Some(Selector::All(_)) => true,
    }
}
