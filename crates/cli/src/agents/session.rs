//! `pemba session ...`.

use anyhow::Result;
use pemba_proto::pemba::v1::binding::Binding as Bound;
use pemba_proto::pemba::v1::{
    Binding, CloseSessionRequest, GetSessionRequest, GrantInSessionRequest, ListSessionsRequest,
    OpenSessionRequest, Session, SessionResponse,
};

use super::json::to_json;
use super::nouns::{instant, instant_text, object_text, relationship_text, relative_text};
use super::scope::{scope, scope_texts};
use super::services::{Services, answer, given};
use super::session_args::{Grant, ListSessions, Open, SessionCommand};
use super::table::{Table, details};
use super::time::{Span, When, now, span_text};
use crate::output::Output;

pub(super) async fn run(command: SessionCommand, output: &mut Output) -> Result<()> {
    match command {
        SessionCommand::Open(new) => open(*new, output).await,
        SessionCommand::Get { id, connection } => {
            let mut sessions = Services::connect(&connection).await?.sessions();
            let response = answer(sessions.get_session(GetSessionRequest { id })).await?;
            show(&given(response.session, "session")?, output)
        }
        SessionCommand::List(filter) => list(filter, output).await,
        SessionCommand::Grant(new) => grant(*new, output).await,
        SessionCommand::Close { id, reason, connection } => {
            let request = CloseSessionRequest { id, reason };
            let mut sessions = Services::connect(&connection).await?.sessions();
            let text = |session: &Session| format!("closed {}, and all granted in it", session.id);
            changed(answer(sessions.close_session(request)).await?, text, output)
        }
    }
}

fn changed(response: SessionResponse, text: impl Fn(&Session) -> String, output: &mut Output) -> Result<()> {
    let value = to_json("pemba.v1.SessionResponse", &response)?;
    let session = given(response.session, "session")?;
    Ok(output.either(&text(&session), &value)?)
}

async fn open(new: Open, output: &mut Output) -> Result<()> {
    // A span is counted by the server's clock, an instant is what it is.
    let (not_after, life) = match new.until {
        When::At(_) => (Some(new.until.to_wire()), None),
        When::In(span) => (None, Some(span.to_wire())),
    };
    let bound = new.client.map(Bound::Client).or(new.thumbprint.map(Bound::Thumbprint));
    let request = OpenSessionRequest {
        actor: Some(new.actor),
        delegation_id: new.delegation,
        scope: scope(new.scope),
        binding: bound.map(|bound| Binding { binding: Some(bound) }),
        purpose: new.purpose,
        task: new.task,
        authentication: new.authentication,
        authenticated_at: new.authenticated_at.map(When::to_wire),
        labels: new.label,
        opened_for: new.opened_for,
        not_after,
        life,
        idle: new.idle.map(Span::to_wire),
    };
    let mut sessions = Services::connect(&new.connection).await?.sessions();
    let text = |session: &Session| {
        let (actor, ends) = (object_text(session.actor.as_ref()), relative_text(session.not_after));
        let binding = binding_text(session.binding.as_ref());
        format!("{}\nopen for {actor}, presented by {binding}; it ends {ends}", session.id)
    };
    changed(answer(sessions.open_session(request)).await?, text, output)
}

async fn grant(new: Grant, output: &mut Output) -> Result<()> {
    let request = GrantInSessionRequest {
        session_id: new.id,
        grantor: Some(new.grantor),
        relationships: new.relationships,
        not_after: new.until.map(When::to_wire),
        reason: new.reason,
        approval_id: new.approval,
    };
    let mut sessions = Services::connect(&new.connection).await?.sessions();
    let text = |session: &Session| {
        let grants: Vec<_> = session.grants.iter().map(relationship_text).collect();
        format!("granted in {}:\n{}", session.id, grants.join("\n"))
    };
    changed(answer(sessions.grant_in_session(request)).await?, text, output)
}

/// To whom a session or an approval belongs, in words.
pub(super) fn binding_text(binding: Option<&Binding>) -> String {
    match binding.and_then(|binding| binding.binding.as_ref()) {
        None => String::new(),
        Some(Bound::Client(name)) => format!("client {name}"),
        Some(Bound::Thumbprint(digits)) => format!("certificate {digits}"),
    }
}

/// Where a session stands, in one word.
fn state_of(session: &Session) -> String {
    let is_past = instant(session.not_after).is_some_and(|at| at <= now());
    let state = match (session.open, &session.closed) {
        (true, _) => "open",
        (false, Some(_)) => "closed",
        (false, None) if is_past => "expired",
        (false, None) => "not open",
    };
    state.to_owned()
}

fn show(session: &Session, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(&to_json("pemba.v1.Session", session)?)?);
    }
    let closed = session.closed.as_ref().map(|ended| {
        let reason = if ended.reason.is_empty() { String::new() } else { format!(": {}", ended.reason) };
        format!("{} by {}{reason}", instant_text(ended.at), ended.by)
    });
    let grants: Vec<_> = session.grants.iter().map(relationship_text).collect();
    let proven = match instant_text(session.authenticated_at) {
        at if at.is_empty() => session.authentication.clone(),
        at => format!("{} at {at}", session.authentication),
    };
    let pairs = vec![
        ("session", session.id.clone()),
        ("state", state_of(session)),
        ("actor", object_text(session.actor.as_ref())),
        ("delegation", session.delegation_id.clone()),
        ("presented by", binding_text(session.binding.as_ref())),
        ("scope", scope_texts(session.scope.as_ref()).join("\n")),
        ("grants", grants.join("\n")),
        ("purpose", session.purpose.clone()),
        ("task", session.task.clone()),
        ("labels", session.labels.join(", ")),
        ("proven by", proven),
        ("opened", format!("{} by {}", instant_text(session.opened_at), session.opened_by)),
        ("opened for", object_text(session.opened_for.as_ref())),
        ("until", instant_text(session.not_after)),
        ("idle", session.idle.map(span_text).unwrap_or_default()),
        ("closed", closed.unwrap_or_default()),
    ];
    Ok(details(output, pairs)?)
}

async fn list(filter: ListSessions, output: &mut Output) -> Result<()> {
    let mut request = ListSessionsRequest {
        actor: filter.actor,
        only_open: filter.open,
        limit: super::PAGE,
        cursor: String::new(),
    };
    let mut sessions = Services::connect(&filter.connection).await?.sessions();
    let mut table = Table::new(&["session", "actor", "state", "ends", "task", "grants", "delegation"]);
    loop {
        let page = answer(sessions.list_sessions(request.clone())).await?;
        for session in page.sessions {
            if output.is_json() {
                output.json(&to_json("pemba.v1.Session", &session)?)?;
                continue;
            }
            table.row(vec![
                session.id.clone(),
                object_text(session.actor.as_ref()),
                state_of(&session),
                relative_text(session.not_after),
                session.task.clone(),
                session.grants.len().to_string(),
                session.delegation_id.clone(),
            ]);
        }
        if page.cursor.is_empty() {
            return if output.is_json() { Ok(()) } else { Ok(table.print(output)?) };
        }
        request.cursor = page.cursor;
    }
}
