//! `CheckBulkPermissions` where more than relationships decides: one chain for all items, or each subject alone.

use pemba_agents::authority::Question as AuthorityQuestion;
use pemba_agents::chain::Chain;
use pemba_agents::judged::Asked;
use pemba_engine::{CheckAnswer, QueryError};
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem,
};
use tonic::Status;

use super::bulk_check::{INLINE_ITEMS_MAX, Question, failure};
use super::check::{claim, granted, permissionship, presentable};
use crate::access;
use crate::chains::{Basis, Presented, Told, is_plain};
use crate::consistency::encode;
use crate::convert::{Tracing, partial_caveat_info};
use crate::errors;
use crate::state::State;
use crate::validate::Path;

/// Answers the questions of a call whose items may be asked, or of one that presents a chain.
pub(super) async fn answer(
    state: &State,
    basis: Basis,
    questions: Vec<Question>,
    presented: Option<Presented>,
    is_traced: bool,
) -> Result<(CheckBulkPermissionsResponse, Told), Status> {
    let chain = match presented {
        Some(presented) => chain(&basis, &questions, presented, is_traced)?,
        None => None,
    };
    let told = chain.as_ref().map_or_else(Told::default, Told::applied);
    let is_short = questions.len() <= INLINE_ITEMS_MAX && !is_traced;
    let work = move || Ok((checked(&basis, questions, presented, is_traced), told));
    if is_short { work() } else { state.queries.run(work).await }
}

/// The chain of a call that presents one. Every item must be about it, and the client may ask them all, or the whole
/// call is refused.
fn chain(
    basis: &Basis,
    questions: &[Question],
    presented: Presented,
    is_traced: bool,
) -> Result<Option<Chain>, Status> {
    let mut first = None;
    for (index, question) in questions.iter().enumerate() {
        let at = Path::Root.item("items", index);
        let Ok((resource, subject)) = &question.asked else { continue };
        presentable(at, subject, is_traced)?;
        let chain = basis.chain(&presented.claim(subject.object.clone()), at.field("subject"))?;
        let asked = (resource.object_type.as_str(), question.item.permission.as_str());
        access::check_as(&basis.client, at, asked, &chain)?;
        first.get_or_insert(chain);
    }
    Ok(first)
}

fn checked(
    basis: &Basis,
    questions: Vec<Question>,
    presented: Option<Presented>,
    is_traced: bool,
) -> CheckBulkPermissionsResponse {
    let mut tracing = is_traced.then(|| Tracing::new(&basis.view, questions.len()));
    let mut together = together(basis, &questions, presented).into_iter();
    let pairs = questions
        .into_iter()
        .map(|question| {
            let answered = together.next().flatten();
            let response = match item(basis, &question, (presented, answered), tracing.as_mut()) {
                Ok(item) => Response::Item(item),
                Err(status) => failure(status, &question, tracing.as_mut()),
            };
            CheckBulkPermissionsPair { request: Some(question.item), response: Some(response) }
        })
        .collect();
    CheckBulkPermissionsResponse { checked_at: Some(encode(basis.view.token())), pairs }
}

/// The answers of the items that relationships alone decide, asked of the engine together: those about usersets, and
/// those about somebody with whom the records have nothing to do. `None` for any other.
fn together(
    basis: &Basis,
    questions: &[Question],
    presented: Option<Presented>,
) -> Vec<Option<Result<CheckAnswer, QueryError>>> {
    let plain = questions.iter().map(|question| {
        let (resource, subject) = question.asked.as_ref().ok()?;
        let (permission, values) = (question.item.permission.as_str(), question.context.as_ref());
        let is_plain = subject.relation.is_some()
            || (presented.is_none() && is_plain(basis, (resource, permission), &subject.object));
        is_plain.then_some(Asked { resource, permission, subject, values })
    });
    let plain: Vec<Option<Asked<'_>>> = plain.collect();
    let asked: Vec<Asked<'_>> = plain.iter().flatten().copied().collect();
    let mut answers = basis.judged().check_bulk(&asked).into_iter();
    plain.iter().map(|one| if one.is_some() { answers.next() } else { None }).collect()
}

/// What one item is told; `answered` is what relationships say where they alone decide.
fn item(
    basis: &Basis,
    question: &Question,
    (presented, answered): (Option<Presented>, Option<Result<CheckAnswer, QueryError>>),
    tracing: Option<&mut Tracing<'_>>,
) -> Result<CheckBulkPermissionsResponseItem, Status> {
    let (resource, subject) = question.asked.as_ref().map_err(Status::clone)?;
    let permission = question.item.permission.as_str();
    let (granted, missing) = if let Some(answer) = answered {
        // A userset is nobody who could act, and nobody a client could speak for.
        if subject.relation.is_none() {
            let chain = Chain::of_one(subject.object.clone());
            access::chain(&basis.client, Path::Root.field("subject"), &chain)?;
        }
        let CheckAnswer { permissionship, missing, .. } = answer.map_err(|error| errors::query(&error))?;
        (permissionship, missing)
    } else {
        let claim = claim(presented, &subject.object);
        let chain = basis.chain(&claim, Path::Root.field("subject"))?;
        let question =
            AuthorityQuestion { claim: &claim, permission, resource, values: question.context.as_ref() };
        let decision = basis.decide(&chain, &[], &question).map_err(|refused| errors::agents(&refused))?;
        basis.used(&chain, decision.limit.as_ref());
        (granted(decision.outcome), decision.missing)
    };
    let debug_trace = match tracing.zip(question.request()) {
        Some((tracing, request)) => Some(tracing.trace(&request).map_err(|error| errors::query(&error))?),
        None => None,
    };
    Ok(CheckBulkPermissionsResponseItem {
        permissionship: permissionship(granted).into(),
        partial_caveat_info: partial_caveat_info(&missing),
        debug_trace,
    })
}
