//! `CheckPermission`.

use std::sync::Arc;

use bytes::Bytes;
use pemba_agents::authority::Outcome;
use pemba_agents::chain::Claim;
use pemba_agents::client::Client;
use pemba_db::{CheckRequest, View};
use pemba_engine::{CheckAnswer, Permissionship, QueryError};
use pemba_model::{Context, ObjectRef, SmolStr, SubjectRef, Timestamp};
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship as WirePermissionship;
use pemba_proto::authzed::api::v1::{
    CheckPermissionRequest, CheckPermissionResponse, DebugInformation, ZedToken,
};
use prost_types::Struct;
use tonic::Status;

use super::{no_wildcard_subject, request_context};
use crate::access;
use crate::chains::{Basis, Case, Presented, Told, book_of, newer_ledger};
use crate::consistency::{encode, resolve, wanted};
use crate::convert::{Tracing, object, partial_caveat_info, subject, timestamp_to_wire};
use crate::direct::{Check, Wanted, check_answer, framed};
use crate::errors;
use crate::state::State;
use crate::status::{TEXT_MAX_BYTES, TRACE_KEY, is_unanswered, with_metadata};
use crate::validate::{self, Invalid, Path};

/// The field that an error names when the wildcard asks.
pub(super) const SUBJECT_FIELD: &str = "subject.object_id";

/// Steps that a check takes on the thread of its connection, well below a millisecond; a longer one starts again on
/// a query thread.
const INLINE_STEPS_MAX: u64 = 10_000;

struct Question {
    resource: ObjectRef,
    permission: SmolStr,
    subject: SubjectRef,
    context: Option<Context>,
}

impl Question {
    fn ask(&self, view: &View) -> Result<CheckAnswer, QueryError> {
        view.check(&self.resource, &self.permission, &self.subject, self.context.as_ref())
    }

    fn request(&self) -> CheckRequest<'_> {
        CheckRequest {
            resource: &self.resource,
            permission: &self.permission,
            subject: &self.subject,
            context: self.context.as_ref(),
        }
    }

    fn trace(&self, view: &View) -> Result<DebugInformation, Status> {
        Tracing::new(view, 1).trace(&self.request()).map_err(|error| errors::query(&error))
    }

    /// An error with the trace of what has no answer, as far as it has room.
    fn explained(&self, status: Status, view: &View) -> Status {
        explained(status, &mut Tracing::new(view, 1), &self.request())
    }
}

/// What is asked, after it was found to break no rule.
pub(super) struct Asking<'a> {
    pub(super) resource: ObjectRef,
    pub(super) permission: &'a str,
    pub(super) subject: SubjectRef,
    pub(super) context: Option<&'a Struct>,
    pub(super) wanted: Wanted<'a>,
    pub(super) is_traced: bool,
}

/// `is_traced` asks for the trace whatever the request says.
pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: &CheckPermissionRequest,
    presented: Option<Presented>,
    is_traced: bool,
) -> Result<(CheckPermissionResponse, Told), Status> {
    validate::check_permission(request)?;
    validate::no_wildcard_with_relation(Path::Root.field("subject"), request.subject.as_ref())?;
    let asking = Asking {
        resource: object(request.resource.as_ref()),
        permission: &request.permission,
        subject: subject(request.subject.as_ref()),
        context: request.context.as_ref(),
        wanted: wanted(request.consistency.as_ref()),
        is_traced: is_traced || request.with_tracing,
    };
    ask(state, client, asking, presented).await
}

/// Answers a common request in its frame, if nothing has to be waited for and relationships alone decide.
pub(super) fn now(
    state: &Arc<State>,
    client: &Arc<Client>,
    common: &Check<'_>,
) -> Option<Result<Bytes, Status>> {
    let subject = common.subject.to_model();
    let (resource, permission) = (common.resource.to_model(), common.permission);
    let asked = (common.resource.object_type, permission);
    if let Err(status) = access::check(client, Path::Root, asked, &subject, false) {
        return Some(Err(status));
    }
    let view =
        match resolve(common.wanted).and_then(|consistency| state.view_now(&consistency)).transpose()? {
            Ok(view) => view,
            Err(status) => return Some(Err(status)),
        };
    if !book_of(&**view.ledger()).is_empty() {
        return None;
    }
    match view.bounded(INLINE_STEPS_MAX).check(&resource, permission, &subject, None) {
        Err(QueryError::TooManySteps { .. }) => None,
        Err(error) => Some(Err(errors::query(&error))),
        Ok(answer) => {
            let token = view.token();
            let is_plain =
                answer.missing.is_empty() && expires_at(answer.permissionship, answer.valid_until).is_none();
            Some(Ok(if is_plain {
                check_answer(&token.to_string(), permissionship(answer.permissionship))
            } else {
                framed(&response(encode(token), &answer, None))
            }))
        }
    }
}

/// Answers, wherever the request was read.
pub(super) async fn ask(
    state: &Arc<State>,
    client: &Arc<Client>,
    asking: Asking<'_>,
    presented: Option<Presented>,
) -> Result<(CheckPermissionResponse, Told), Status> {
    let Asking { resource, permission, subject, context, wanted, is_traced } = asking;
    if presented.is_some() {
        presentable(Path::Root, &subject, is_traced)?;
    } else {
        let asked = (resource.object_type.as_str(), permission);
        access::check(client, Path::Root, asked, &subject, is_traced)?;
    }
    let context = request_context(Path::Root.field("context"), context, &state.limits)?;
    let consistency = resolve(wanted)?;
    let view = state.view(consistency).await?;
    let newer = newer_ledger(state, &consistency)?;
    let asked = (resource.object_type.as_str(), permission);
    no_wildcard_subject(&view, asked, &subject, SUBJECT_FIELD)?;
    let question = Question { resource, permission: SmolStr::new(permission), subject, context };
    if presented.is_some() || !book_of(&**newer.as_ref().unwrap_or(view.ledger())).is_empty() {
        let ledger = newer.unwrap_or_else(|| Arc::clone(view.ledger()));
        let basis = Basis::new(state, client, view, ledger);
        return match question.subject.relation {
            None => decided(state, basis, question, presented, is_traced).await,
            Some(_) => of_userset(state, basis, question, is_traced).await,
        };
    }
    let checked_at = encode(view.token());
    let (answer, debug_trace) = match question.ask(&view.bounded(INLINE_STEPS_MAX)) {
        Ok(answer) if !is_traced => (answer, None),
        Err(error) if !matches!(error, QueryError::TooManySteps { .. }) => return Err(errors::query(&error)),
        answer => elsewhere(state, question, view, answer.ok(), is_traced).await?,
    };
    Ok((response(checked_at, &answer, debug_trace), Told::default()))
}

/// The answer for a userset: nobody who could act, so that only the usersets it rests on are judged.
async fn of_userset(
    state: &State,
    basis: Basis,
    question: Question,
    is_traced: bool,
) -> Result<(CheckPermissionResponse, Told), Status> {
    let checked_at = encode(basis.view.token());
    let work = move || {
        let Question { resource, permission, subject, context } = &question;
        let answer = basis.judged().check(resource, permission, subject, context.as_ref());
        let answer = answer.map_err(|error| match (errors::query(&error), is_traced) {
            (status, true) => question.explained(status, &basis.view),
            (status, false) => status,
        })?;
        let debug_trace = if is_traced { Some(question.trace(&basis.view)?) } else { None };
        Ok(response(checked_at, &answer, debug_trace))
    };
    Ok((state.queries.run(work).await?, Told::default()))
}

fn response(
    checked_at: ZedToken,
    answer: &CheckAnswer,
    debug_trace: Option<DebugInformation>,
) -> CheckPermissionResponse {
    CheckPermissionResponse {
        checked_at: Some(checked_at),
        permissionship: permissionship(answer.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&answer.missing),
        debug_trace,
        optional_expires_at: expires_at(answer.permissionship, answer.valid_until),
    }
}

/// What takes longer, on a query thread: an answer, unless there is one already, and its trace.
async fn elsewhere(
    state: &State,
    question: Question,
    view: View,
    answer: Option<CheckAnswer>,
    is_traced: bool,
) -> Result<(CheckAnswer, Option<DebugInformation>), Status> {
    let work = move || {
        let answer = match answer {
            Some(answer) => answer,
            None => question.ask(&view).map_err(|error| match (errors::query(&error), is_traced) {
                (status, true) => question.explained(status, &view),
                (status, false) => status,
            })?,
        };
        let trace = if is_traced { Some(question.trace(&view)?) } else { None };
        Ok((answer, trace))
    };
    state.queries.run(work).await
}

/// The same error; with the trace of the question, as far as an error has room for it, if it took too many steps.
pub(super) fn explained(status: Status, tracing: &mut Tracing<'_>, request: &CheckRequest<'_>) -> Status {
    if !is_unanswered(&status) {
        return status;
    }
    match tracing.unanswered(request, TEXT_MAX_BYTES) {
        Some(trace) => with_metadata(&status, TRACE_KEY, trace),
        None => status,
    }
}

/// The answer for a chain: the one presented, or the subject alone.
async fn decided(
    state: &State,
    basis: Basis,
    question: Question,
    presented: Option<Presented>,
    is_traced: bool,
) -> Result<(CheckPermissionResponse, Told), Status> {
    let Question { resource, permission, subject, context } = &question;
    let claim = claim(presented, &subject.object);
    let chain = basis.chain(&claim, Path::Root.field("subject"))?;
    let told = match presented {
        Some(_) => Told::applied(&chain),
        None => Told::default(),
    };
    access::check_as(&basis.client, Path::Root, (&resource.object_type, permission.as_str()), &chain)?;
    let case = Arc::new(Case {
        claim,
        chain,
        resource: resource.clone(),
        permission: permission.to_string(),
        values: context.clone(),
        brought: Vec::new(),
    });
    let decision = match case.decide_soon(state, &basis).await {
        Err(status) if is_traced => {
            return Err(state.queries.run(move || Ok(question.explained(status, &basis.view))).await?);
        }
        decided => decided?,
    };
    let granted = granted(decision.outcome);
    let checked_at = Some(encode(basis.view.token()));
    let debug_trace =
        if is_traced { Some(state.queries.run(move || question.trace(&basis.view)).await?) } else { None };
    let answer = CheckPermissionResponse {
        checked_at,
        permissionship: permissionship(granted).into(),
        partial_caveat_info: partial_caveat_info(&decision.missing),
        debug_trace,
        optional_expires_at: expires_at(granted, decision.valid_until),
    };
    Ok((answer, told.with(decision.outcome)))
}

/// Whose authority a check is about: that of the chain presented, of which the subject is an end, or the subject's own.
pub(super) fn claim(presented: Option<Presented>, subject: &ObjectRef) -> Claim {
    match presented {
        Some(presented) => presented.claim(subject.clone()),
        None => Claim { root: Some(subject.clone()), ..Claim::default() },
    }
}

/// Whether a chain may be presented with a question at `at`: it is about a principal, and asks for no trace, which
/// would show the root's relationships.
pub(super) fn presentable(at: Path<'_>, subject: &SubjectRef, is_traced: bool) -> Result<(), Status> {
    if subject.relation.is_some() {
        let message = "with a chain presented the subject is its root or who acts, and takes no relation";
        return Err(Invalid::at(at.field("subject").field("optional_relation"), message).into());
    }
    if is_traced {
        let message = "a chain presented is not traced; ask `pemba.v1.AuthorityService/Explain`";
        return Err(Invalid::at(at.field("with_tracing"), message).into());
    }
    Ok(())
}

/// What an outcome is to those who know three answers: nothing that must wait is granted.
pub(super) fn granted(outcome: Outcome) -> Permissionship {
    match outcome {
        Outcome::Deny | Outcome::RequiresApproval | Outcome::RequiresConsumption => Permissionship::No,
        Outcome::Conditional => Permissionship::Conditional,
        Outcome::Allow => Permissionship::Yes,
    }
}

/// The instant up to which a grant certainly holds. A denial expires too, when a relationship that excludes does, but
/// clients read this field as the end of a grant.
fn expires_at(
    permissionship: Permissionship,
    valid_until: Option<Timestamp>,
) -> Option<prost_types::Timestamp> {
    match permissionship {
        Permissionship::No => None,
        Permissionship::Conditional | Permissionship::Yes => valid_until.map(timestamp_to_wire),
    }
}

pub(super) fn permissionship(permissionship: Permissionship) -> WirePermissionship {
    match permissionship {
        Permissionship::No => WirePermissionship::NoPermission,
        Permissionship::Conditional => WirePermissionship::ConditionalPermission,
        Permissionship::Yes => WirePermissionship::HasPermission,
    }
}
