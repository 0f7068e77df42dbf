//! `LookupSubjects`: the wildcard with what it excludes first, then the subjects granted by name.

use std::sync::Arc;

use pemba_db::{Consistency, Database, View};
use pemba_engine::{FoundSubject, Permissionship, SubjectSet};
use pemba_model::{Context, ObjectRef, SmolStr, WILDCARD_ID};
use pemba_proto::authzed::api::v1::lookup_subjects_request::WildcardOption;
use pemba_proto::authzed::api::v1::{
    LookupPermissionship, LookupSubjectsRequest, LookupSubjectsResponse, ResolvedSubject, ZedToken,
};
use tonic::{Code, Status};

use super::{PAGE_MESSAGES, request_context};
use crate::consistency::{consistency, encode};
use crate::convert::{object, partial_caveat_info};
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Outgoing, Page};
use crate::validate::{self, Path};

/// What is asked.
struct Question {
    database: Database,
    consistency: Consistency,
    resource: ObjectRef,
    permission: String,
    subject_type: String,
    subject_relation: Option<SmolStr>,
    context: Option<Context>,
    wants_wildcard: bool,
}

/// A lookup in progress.
enum Lookup {
    Start(Box<Question>),
    Found(Box<Found>),
}

struct Found {
    view: View,
    looked_up_at: ZedToken,
    set: SubjectSet,
    /// Subjects granted by name that are told already.
    told: usize,
}

pub(super) async fn answer(
    state: &Arc<State>,
    request: LookupSubjectsRequest,
) -> Result<Outgoing<LookupSubjectsResponse>, Status> {
    validate::lookup_subjects(&request)?;
    if request.optional_concrete_limit != 0 {
        let instead = "read the stream up to the number wanted and cancel it";
        return Err(errors::unimplemented("LookupSubjects with optional_concrete_limit", instead));
    }
    if request.optional_cursor.is_some() {
        let instead = "all subjects come in one stream";
        return Err(errors::unimplemented("LookupSubjects with optional_cursor", instead));
    }
    let context = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let relation = &request.optional_subject_relation;
    let question = Question {
        database: state.database()?.clone(),
        consistency: consistency(request.consistency.as_ref())?,
        resource: object(request.resource.as_ref()),
        subject_relation: if relation.is_empty() { None } else { Some(relation.as_str().into()) },
        wants_wildcard: request.wildcard_option() != WildcardOption::ExcludeWildcards,
        permission: request.permission,
        subject_type: request.subject_object_type,
        context,
    };
    state.streams.paged(&state.queries, Lookup::Start(Box::new(question)), next).await
}

fn next(lookup: Lookup) -> Result<Page<Lookup, LookupSubjectsResponse>, Status> {
    let mut messages = Vec::new();
    let mut found = match lookup {
        Lookup::Found(found) => found,
        Lookup::Start(question) => {
            let found = find(&question)?;
            if question.wants_wildcard && found.set.wildcard.0 != Permissionship::No {
                messages.push(wildcard(&found)?);
            }
            found
        }
    };
    let page = found.set.concrete.iter().skip(found.told).take(PAGE_MESSAGES);
    for subject in page {
        let resolved = resolved(&found, subject)?;
        messages.push(message(&found, resolved, Vec::new()));
    }
    found.told = found.told.saturating_add(PAGE_MESSAGES);
    let is_over = found.told >= found.set.concrete.len();
    Ok(Page { messages, rest: (!is_over).then_some(Lookup::Found(found)) })
}

fn find(question: &Question) -> Result<Box<Found>, Status> {
    let view = question.database.view(&question.consistency).map_err(|error| errors::view(&error))?;
    let set = view
        .lookup_subjects(
            &question.resource,
            &question.permission,
            &question.subject_type,
            question.subject_relation.as_deref(),
            question.context.as_ref(),
        )
        .map_err(|error| errors::query(&error))?;
    Ok(Box::new(Found { looked_up_at: encode(view.token()), view, set, told: 0 }))
}

fn wildcard(found: &Found) -> Result<LookupSubjectsResponse, Status> {
    let (permissionship, missing) = &found.set.wildcard;
    let everybody = ResolvedSubject {
        subject_object_id: WILDCARD_ID.to_owned(),
        permissionship: lookup_permissionship(*permissionship).into(),
        partial_caveat_info: partial_caveat_info(missing),
    };
    let excluded = found.set.excluded.iter().map(|subject| resolved(found, subject));
    Ok(message(found, everybody, excluded.collect::<Result<Vec<_>, Status>>()?))
}

fn resolved(found: &Found, subject: &FoundSubject) -> Result<ResolvedSubject, Status> {
    let id =
        found.set.subject_type.and_then(|subject_type| found.view.object_id(subject_type, subject.ordinal));
    let Some(id) = id else {
        return Err(plain(Code::Internal, "a found subject has no name"));
    };
    Ok(ResolvedSubject {
        subject_object_id: id.to_owned(),
        permissionship: lookup_permissionship(subject.permissionship).into(),
        partial_caveat_info: partial_caveat_info(&subject.missing),
    })
}

fn lookup_permissionship(permissionship: Permissionship) -> LookupPermissionship {
    match permissionship {
        Permissionship::No => LookupPermissionship::Unspecified,
        Permissionship::Conditional => LookupPermissionship::ConditionalPermission,
        Permissionship::Yes => LookupPermissionship::HasPermission,
    }
}

#[expect(deprecated, reason = "older clients read only the deprecated fields")]
fn message(
    found: &Found,
    subject: ResolvedSubject,
    excluded: Vec<ResolvedSubject>,
) -> LookupSubjectsResponse {
    LookupSubjectsResponse {
        looked_up_at: Some(found.looked_up_at.clone()),
        subject_object_id: subject.subject_object_id.clone(),
        excluded_subject_ids: excluded.iter().map(|subject| subject.subject_object_id.clone()).collect(),
        permissionship: subject.permissionship,
        partial_caveat_info: subject.partial_caveat_info.clone(),
        subject: Some(subject),
        excluded_subjects: excluded,
        after_result_cursor: None,
    }
}
