//! `LookupResources`: ids in the order of their ordinals, each once.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use pemba_agents::client::Client;
use pemba_db::{Consistency, Database};
use pemba_engine::{Ordinal, TypeId};
use pemba_model::{Context, SmolStr, SubjectRef};
use pemba_proto::authzed::api::v1::{
    self as wire, LookupPermissionship, LookupResourcesRequest, LookupResourcesResponse, ZedToken,
};
use prost::Message as _;
use tonic::{Code, Status};

use super::check::{claim, presentable};
use super::read::position;
use super::{no_wildcard_subject, optional_limit, request_context};
use crate::access;
use crate::chains::{self, Basis, Presented, Reached, ReachedResource, Told, book_of, newer_ledger};
use crate::consistency::encode;
use crate::convert::{partial_caveat_info, subject};
use crate::cursor::{Call, Scope};
use crate::errors;
use crate::found::{Asked, Found};
use crate::state::State;
use crate::status::plain;
use crate::stream::{GatheredResources, Outgoing, Page};
use crate::validate::{self, Path};

/// Ids that the processor is asked for before the one that is written: each is somewhere else in memory.
const IDS_AHEAD: usize = 16;

/// What is asked.
struct Question {
    state: Arc<State>,
    client: Arc<Client>,
    presented: Option<Presented>,
    /// What is to be told beside the answer, once it is known.
    told: Arc<OnceLock<Told>>,
    resource_type: SmolStr,
    permission: String,
    subject: SubjectRef,
    context: Option<Context>,
    /// The encoded request without consistency, limit and cursor.
    arguments: Arc<[u8]>,
}

/// A lookup in progress.
struct Lookup {
    question: Question,
    scope: Scope,
    after: Option<Ordinal>,
    left: Option<u32>,
    stage: Stage,
}

enum Stage {
    Start {
        database: Database,
        consistency: Consistency,
    },
    Found(Box<Listed>),
    /// Where more than relationships decides.
    Reached {
        database: Database,
        reached: Box<Reached>,
    },
}

struct Listed {
    basis: Basis,
    looked_up_at: ZedToken,
    /// As what to keep it for the next page.
    asked: Option<Asked>,
    found: Arc<Found>,
}

pub(super) async fn answer<G: GatheredResources + 'static>(
    state: &Arc<State>,
    client: &Arc<Client>,
    mut request: LookupResourcesRequest,
    presented: Option<Presented>,
) -> Result<(Outgoing<G::Part>, Told), Status> {
    validate::lookup_resources(&request)?;
    let asking = subject(request.subject.as_ref());
    match presented {
        Some(_) => presentable(Path::Root, &asking, false)?,
        None => {
            access::lookup_resources(client, &request.resource_object_type, &request.permission, &asking)?;
        }
    }
    let left = optional_limit(request.optional_limit, state.limits.lookup_limit_max)?;
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let database = state.database()?.clone();
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_limit = 0;
    let mut arguments = request.encode_to_vec();
    if let Some(presented) = presented {
        arguments.extend(presented.to_bytes());
    }
    let scope = Scope::new(Call::LookupResources, database.database_id(), &arguments);
    let (consistency, after) = position(&database, &scope, requested, cursor)?;
    let told = Arc::new(OnceLock::new());
    let question = Question {
        state: Arc::clone(state),
        client: Arc::clone(client),
        presented,
        told: Arc::clone(&told),
        subject: asking,
        resource_type: request.resource_object_type.as_str().into(),
        permission: request.permission,
        context,
        arguments: arguments.into(),
    };
    let lookup = Lookup { question, scope, after, left, stage: Stage::Start { database, consistency } };
    let outgoing = state.streams.paged(&state.queries, lookup, next::<G>).await?;
    Ok((outgoing, told.get().cloned().unwrap_or_default()))
}

/// Finds everything: by relationships alone, or by all that matters to a chain. What was found for the page before is not
/// found anew.
fn find(
    database: &Database,
    consistency: &Consistency,
    question: &Question,
    is_continued: bool,
) -> Result<Stage, Status> {
    let view = database.view(consistency).map_err(|error| errors::view(&error))?;
    let asked = (question.resource_type.as_str(), question.permission.as_str());
    no_wildcard_subject(&view, asked, &question.subject, "subject_id")?;
    let newer = newer_ledger(&question.state, consistency)?;
    let is_gated = question.presented.is_some()
        || (question.subject.relation.is_none()
            && !book_of(&**newer.as_ref().unwrap_or(view.ledger())).is_empty());
    if is_gated {
        let ledger = newer.unwrap_or_else(|| Arc::clone(view.ledger()));
        let basis = Basis::new(&question.state, &question.client, view, ledger);
        let reached = Box::new(reach(basis, question)?);
        return Ok(Stage::Reached { database: database.clone(), reached });
    }
    let Question { state, resource_type, permission, subject, context, arguments, .. } = question;
    let ledger = newer.unwrap_or_else(|| Arc::clone(view.ledger()));
    let basis = Basis::new(state, &question.client, view, ledger);
    let view = &basis.view;
    // Where agents are known, their usersets follow them at the head: what was found is no answer for later.
    let asked = if basis.book().is_empty() {
        Asked::new(view, database.database_id(), arguments, resource_type, subject)
    } else {
        None
    };
    let kept = asked.as_ref().filter(|_| is_continued).and_then(|asked| state.found.get(asked, view.now()));
    let found = match kept {
        Some(found) => {
            state.metrics.lookups_resumed.inc();
            found
        }
        None => {
            let judged = basis.judged();
            let set = judged.lookup_resources(resource_type, permission, subject, context.as_ref());
            Arc::new(Found::new(set.map_err(|error| errors::query(&error))?, view.now()))
        }
    };
    Ok(Stage::Found(Box::new(Listed { looked_up_at: encode(view.token()), asked, found, basis })))
}

fn reach(basis: Basis, question: &Question) -> Result<Reached, Status> {
    let claim = claim(question.presented, &question.subject.object);
    let chain = basis.chain(&claim, Path::Root.field("subject"))?;
    let told = match question.presented {
        Some(_) => Told::applied(&chain),
        None => Told::default(),
    };
    access::lookup_as(&question.client, &question.resource_type, &question.permission, &chain)?;
    let lookup = chains::Lookup {
        claim,
        resource_type: question.resource_type.clone(),
        permission: question.permission.clone(),
        values: question.context.clone(),
        brought: Vec::new(),
    };
    let reached = Reached::find(basis, chain, lookup)?;
    // The first page is the only one that finds.
    let _ = question.told.set(told.with(reached.at_most()));
    Ok(reached)
}

fn next<G: GatheredResources>(lookup: Lookup) -> Result<Page<Lookup, G::Part>, Status> {
    let Lookup { question, scope, mut after, left, stage } = lookup;
    let stage = match stage {
        Stage::Start { database, consistency } => find(&database, &consistency, &question, after.is_some())?,
        stage => stage,
    };
    let wanted = left.map_or(G::MESSAGES_MAX, |left| G::MESSAGES_MAX.min(left as usize));
    let mut gathered = G::default();
    let (told, stage) = match stage {
        Stage::Found(listed) => {
            let told = found_page(&listed, &question, &scope, &mut after, wanted, &mut gathered)?;
            // Its limit ends the call here, and the client may go on.
            if left.is_some_and(|left| left as usize <= told)
                && let Some(asked) = &listed.asked
            {
                question.state.found.keep(asked.clone(), Arc::clone(&listed.found));
            }
            (told, Stage::Found(listed))
        }
        Stage::Reached { database, mut reached } => {
            reached.still_holds(&database)?;
            let told = reached_page(&reached, &scope, &mut after, wanted, &mut gathered)?;
            (told, Stage::Reached { database, reached })
        }
        Stage::Start { .. } => return Err(plain(Code::Internal, "a lookup found nothing to begin with")),
    };
    let left = left.map(|left| left.saturating_sub(u32::try_from(told).unwrap_or(u32::MAX)));
    let is_over = told < wanted || left == Some(0);
    let rest = (!is_over).then_some(Lookup { question, scope, after, left, stage });
    Ok(Page { messages: gathered.parts(), rest })
}

/// Tells a page's resources and moves behind them; says how many.
fn reached_page(
    reached: &Reached,
    scope: &Scope,
    after: &mut Option<Ordinal>,
    wanted: usize,
    gathered: &mut impl GatheredResources,
) -> Result<usize, Status> {
    let view = &reached.basis().view;
    let (mut cursors, looked_up_at) = (scope.at(view.revision()), encode(view.token()));
    let page = reached.page(*after, wanted)?;
    let told = page.len();
    for ReachedResource { ordinal, id, missing } in page {
        push(gathered, &looked_up_at, &id, missing.as_deref(), cursors.text(ordinal));
        *after = Some(ordinal);
    }
    Ok(told)
}

/// The same of what relationships alone decide.
fn found_page(
    listed: &Listed,
    question: &Question,
    scope: &Scope,
    after: &mut Option<Ordinal>,
    wanted: usize,
    gathered: &mut impl GatheredResources,
) -> Result<usize, Status> {
    let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.0));
    let page: Vec<Ordinal> =
        listed.found.all.range((from, Bound::Unbounded)).take(wanted).map(Ordinal).collect();
    let mut missing = missing(listed, question, &page)?.into_iter();
    let mut cursors = scope.at(listed.basis.view.revision());
    let has_conditional = !listed.found.set.conditional.is_empty();
    let view = &listed.basis.view;
    let ahead = |at: usize, ask: &dyn Fn(TypeId, Ordinal)| {
        if let (Some(resource_type), Some(ordinal)) = (listed.found.set.resource_type, page.get(at)) {
            ask(resource_type, *ordinal);
        }
    };
    // Where an id is, is somewhere else in memory too.
    let (place, name) = (
        |of, ordinal| view.prefetch_object_place(of, ordinal),
        |of, ordinal| view.prefetch_object_id(of, ordinal),
    );
    (0..2 * IDS_AHEAD).for_each(|at| ahead(at, &place));
    (0..IDS_AHEAD).for_each(|at| ahead(at, &name));
    for (at, ordinal) in page.iter().enumerate() {
        ahead(at + 2 * IDS_AHEAD, &place);
        ahead(at + IDS_AHEAD, &name);
        let is_conditional = has_conditional && listed.found.set.conditional.contains(ordinal.0);
        let missing = if is_conditional { missing.next() } else { None };
        let id = id(listed, question, *ordinal)?;
        push(gathered, &listed.looked_up_at, id, missing.as_deref(), cursors.text(*ordinal));
        *after = Some(*ordinal);
    }
    Ok(page.len())
}

/// Tells a resource; `missing` is there for a conditional one.
fn push(
    gathered: &mut impl GatheredResources,
    looked_up_at: &ZedToken,
    id: &str,
    missing: Option<&[SmolStr]>,
    cursor: &str,
) {
    let Some(missing) = missing else { return gathered.push_granted(&looked_up_at.token, id, cursor) };
    gathered.push(LookupResourcesResponse {
        looked_up_at: Some(looked_up_at.clone()),
        resource_object_id: id.to_owned(),
        permissionship: LookupPermissionship::ConditionalPermission.into(),
        partial_caveat_info: partial_caveat_info(missing),
        after_result_cursor: Some(wire::Cursor { token: cursor.to_owned() }),
    });
}

/// The id of a result.
fn id<'a>(listed: &'a Listed, question: &'a Question, ordinal: Ordinal) -> Result<&'a str, Status> {
    if ordinal == Ordinal::UNMENTIONED {
        return Ok(&question.subject.object.object_id);
    }
    let resource_type = listed.found.set.resource_type;
    resource_type
        .and_then(|resource_type| listed.basis.view.object_id(resource_type, ordinal))
        .ok_or_else(|| plain(Code::Internal, "a found resource has no name"))
}

/// The parameters that each conditional result of a page misses, in order: a set has no room for them, so they are
/// asked for again, all at once.
fn missing(listed: &Listed, question: &Question, page: &[Ordinal]) -> Result<Vec<Vec<SmolStr>>, Status> {
    let is_conditional = |ordinal: &Ordinal| listed.found.set.conditional.contains(ordinal.0);
    let conditional: Vec<Ordinal> = page.iter().copied().filter(is_conditional).collect();
    if conditional.is_empty() {
        return Ok(Vec::new());
    }
    let Question { resource_type, permission, subject, context, .. } = question;
    let judged = listed.basis.judged();
    let missing = judged.lookup_missing(resource_type, permission, subject, &conditional, context.as_ref());
    let missing = missing.map_err(|error| errors::query(&error))?;
    if missing.len() == conditional.len() {
        Ok(missing)
    } else {
        Err(plain(Code::Internal, "a conditional result has no parameters"))
    }
}
