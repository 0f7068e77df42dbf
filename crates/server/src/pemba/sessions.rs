//! `SessionService`.

use std::sync::Arc;

use pemba_agents::client::Verb;
use pemba_agents::records::Session;
use pemba_agents::{Moment, Reason, Refused, SessionId, command};
use pemba_model::ObjectRef;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::session_service_server::SessionService;
use tonic::{Request, Response, Status};

use super::caller::{Caller, caller};
use super::convert;
use super::moment::{Newest, run};
use super::page::{Asked, Page};
use super::{Fields, draw_id};
use crate::access;
use crate::consistency::encode;
use crate::cursor::Call;
use crate::errors;
use crate::state::State;
use crate::validate::Path;

/// What the request calls the fields of a session.
const NEW: Fields = Fields { under: "", beside: &[], renamed: &[("delegation", "delegation_id")] };
const GRANT: Fields =
    Fields { under: "", beside: &[], renamed: &[("session", "session_id"), ("approval", "approval_id")] };

/// The service.
pub(crate) struct Sessions {
    state: Arc<State>,
}

impl Sessions {
    pub(crate) fn new(state: Arc<State>) -> Sessions {
        Sessions { state }
    }
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn open_session(
        &self,
        request: Request<wire::OpenSessionRequest>,
    ) -> Result<Response<wire::SessionResponse>, Status> {
        let (caller, request) = caller(request)?;
        open(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_session(
        &self,
        request: Request<wire::GetSessionRequest>,
    ) -> Result<Response<wire::GetSessionResponse>, Status> {
        let (caller, request) = caller(request)?;
        get(&self.state, &caller, &request).map(Response::new)
    }

    async fn list_sessions(
        &self,
        request: Request<wire::ListSessionsRequest>,
    ) -> Result<Response<wire::ListSessionsResponse>, Status> {
        let (caller, request) = caller(request)?;
        list(&self.state, &caller, request).await.map(Response::new)
    }

    async fn grant_in_session(
        &self,
        request: Request<wire::GrantInSessionRequest>,
    ) -> Result<Response<wire::SessionResponse>, Status> {
        let (caller, request) = caller(request)?;
        grant(&self.state, &caller, request).await.map(Response::new)
    }

    async fn close_session(
        &self,
        request: Request<wire::CloseSessionRequest>,
    ) -> Result<Response<wire::SessionResponse>, Status> {
        let (caller, request) = caller(request)?;
        close(&self.state, &caller, request).await.map(Response::new)
    }
}

/// Who acts in it must be somebody the client may speak for.
async fn open(
    state: &State,
    caller: &Caller,
    request: wire::OpenSessionRequest,
) -> Result<wire::SessionResponse, Status> {
    access::change_records(&caller.client, Verb::Session)?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let id = SessionId(draw_id()?);
    let new = convert::open_session(id, request, || caller.presenter.binding(), moment.now())
        .map_err(|refused| errors::agents(&refused))?;
    // Without the delegation the command refuses.
    let delegation = new.delegation.and_then(|id| moment.book.delegation(id));
    let root = delegation.map_or(&new.actor, |delegation| &delegation.root);
    access::act_in(&caller.client, Path::Root.field("actor"), root, &new.actor)?;
    if let Some(human) = &new.opened_for {
        access::speak_for(&caller.client, Path::Root.field("opened_for"), human)?;
    }
    drop(newest);
    let by = caller.by(String::new());
    let (token, session) = run(state, NEW, move |moment| command::open_session(moment, &by, new)).await?;
    answer(state, token, &session)
}

fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetSessionRequest,
) -> Result<wire::GetSessionResponse, Status> {
    access::read_records(&caller.client, Verb::Session)?;
    let id = convert::session_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let session = found(&moment, "id", id)?;
    Ok(wire::GetSessionResponse { session: Some(shown(session, &moment)) })
}

fn found<'a>(moment: &Moment<'a>, field: &'static str, id: SessionId) -> Result<&'a Arc<Session>, Status> {
    moment.book.session(id).ok_or_else(|| {
        errors::agents(&Refused::new(Reason::SessionNotFound, field, format!("there is no session {id}")))
    })
}

fn shown(session: &Session, moment: &Moment<'_>) -> wire::Session {
    convert::session_to_wire(session, None, moment.now())
}

async fn list(
    state: &State,
    caller: &Caller,
    request: wire::ListSessionsRequest,
) -> Result<wire::ListSessionsResponse, Status> {
    access::read_records(&caller.client, Verb::Session)?;
    let newest = Newest::of(state)?;
    let same = wire::ListSessionsRequest { limit: 0, cursor: String::new(), ..request.clone() };
    let asked = Asked::read(state, Call::ListSessions, &same, request.limit, &request.cursor)?;
    let actor = convert::optional_object(Path::Root.field("actor"), request.actor.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let only_open = request.only_open;
    state.queries.run(move || page(&newest, &asked, actor.as_ref(), only_open)).await
}

fn page(
    newest: &Newest,
    asked: &Asked<u128>,
    actor: Option<&ObjectRef>,
    only_open: bool,
) -> Result<wire::ListSessionsResponse, Status> {
    let moment = newest.moment()?;
    let (book, after) = (moment.book, asked.after.map(SessionId));
    let keep = |session: &Arc<Session>| {
        let wire = shown(session, &moment);
        Ok::<_, Status>(((!only_open || wire.open).then_some(wire), 1))
    };
    let Page { items, cursor } = match actor {
        Some(actor) => {
            let ids = book.sessions_of(actor, after);
            asked.take(moment.revision, ids.filter_map(|id| Some((id.0, book.session(id)?))), keep)?
        }
        None => {
            let all = book.sessions().after(after.as_ref()).map(|(id, session)| (id.0, session));
            asked.take(moment.revision, all, keep)?
        }
    };
    Ok(wire::ListSessionsResponse { sessions: items, cursor })
}

/// Who grants must be somebody the client may speak for.
async fn grant(
    state: &State,
    caller: &Caller,
    request: wire::GrantInSessionRequest,
) -> Result<wire::SessionResponse, Status> {
    access::change_records(&caller.client, Verb::Session)?;
    let new = convert::grant(&request).map_err(|refused| errors::agents(&refused))?;
    access::speak_for(&caller.client, Path::Root.field("grantor"), &new.grantor)?;
    let (by, presenter) = (caller.by(request.reason), caller.presenter.clone());
    let grant = move |moment: &Moment<'_>| command::grant_in_session(moment, &by, &presenter, new);
    let (token, session) = run(state, GRANT, grant).await?;
    answer(state, token, &session)
}

/// Whose session it is may close it, whoever may speak for who acts in it, and whoever may throw kill switches.
async fn close(
    state: &State,
    caller: &Caller,
    request: wire::CloseSessionRequest,
) -> Result<wire::SessionResponse, Status> {
    let id = convert::session_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    if caller.client.may(Verb::Kill).is_err() {
        access::change_records(&caller.client, Verb::Session)?;
        let newest = Newest::of(state)?;
        let session = Arc::clone(found(&newest.moment()?, "id", id)?);
        let is_own =
            caller.presenter.is(&session.binding) || caller.client.may_assert_actor(&session.actor).is_ok();
        if !is_own {
            access::speak_for(&caller.client, Path::Root.field("id"), &session.actor)?;
        }
    }
    let by = caller.by(request.reason);
    let (token, session) =
        run(state, Fields::default(), move |moment| command::close_session(moment, &by, id)).await?;
    answer(state, token, &session)
}

fn answer(state: &State, token: pemba_db::Token, session: &Session) -> Result<wire::SessionResponse, Status> {
    let newest = Newest::of(state)?;
    let session = shown(session, &newest.moment()?);
    Ok(wire::SessionResponse { session: Some(session), written_at: Some(encode(token)) })
}
