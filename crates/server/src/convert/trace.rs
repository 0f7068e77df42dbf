//! How a check came to its answer, as clients show it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pemba_db::{CheckRequest, View};
use pemba_engine::{CheckAnswer, Cut, Permissionship, QueryError, Trace};
use pemba_model::limits::{TRACE_NODES_MAX, TRACE_TEXT_MAX_BYTES};
use pemba_model::{Context, SubjectRef};
use pemba_proto::authzed::api::v1::check_debug_trace::{
    PermissionType, Permissionship as TracedPermissionship, Resolution, SubProblems,
};
use pemba_proto::authzed::api::v1::{CheckDebugTrace, DebugInformation, SubjectReference};

use super::proto_text;
use super::trace_condition::Conditions;
use super::{object_to_wire, subject_to_wire, timestamp_to_wire};

/// Where an answer comes from, before the number of the process.
const SOURCE: &str = "pemba";
/// The same for a node whose children are not all shown, because the trace would be too large or too deep.
const SOURCE_OF_CUT: &str = "pemba-cut";

/// Traces the questions of one request, within bounds that hold for all of them together.
pub(crate) struct Tracing<'a> {
    view: &'a View,
    schema: String,
    questions_left: usize,
    nodes_left: usize,
    /// Bytes of schema text that may still be told.
    schemas_left: usize,
    /// Bytes of conditions, and of traces without results, that may still be told.
    conditions_left: usize,
}

impl<'a> Tracing<'a> {
    /// For at most `questions` questions of this view.
    pub(crate) fn new(view: &'a View, questions: usize) -> Tracing<'a> {
        let schema = pemba_schema::print(view.snapshot().schema());
        Tracing {
            view,
            questions_left: questions,
            nodes_left: TRACE_NODES_MAX,
            schemas_left: TRACE_TEXT_MAX_BYTES.max(schema.len()),
            conditions_left: TRACE_TEXT_MAX_BYTES,
            schema,
        }
    }

    /// The trace of one question. The first always has the schema; one for which there is no room has none.
    pub(crate) fn trace(&mut self, request: &CheckRequest<'_>) -> Result<DebugInformation, QueryError> {
        let since = Instant::now();
        let CheckRequest { resource, permission, subject, context } = *request;
        let trace = self.view.trace(resource, permission, subject, context, self.nodes_max())?;
        Ok(self.shown(&trace, subject, context, since.elapsed()))
    }

    /// Most nodes of the next trace.
    pub(crate) fn nodes_max(&self) -> usize {
        (self.nodes_left / self.questions_left.max(1)).max(1)
    }

    /// A trace that was made elsewhere, of this view or with more on top of it.
    pub(crate) fn shown(
        &mut self,
        trace: &Trace,
        subject: &SubjectRef,
        context: Option<&Context>,
        took: Duration,
    ) -> DebugInformation {
        let subject = subject_to_wire(subject);
        let mut nodes = Nodes {
            subject: &subject,
            operation: operation_id(),
            conditions: Conditions {
                schema: self.view.snapshot().schema(),
                request: context,
                left: &mut self.conditions_left,
            },
            count: 0,
        };
        let mut check = nodes.node(trace, LEVELS_MAX);
        // All nodes are answered at once.
        check.duration = Some(duration(took));
        self.questions_left = self.questions_left.saturating_sub(1);
        self.nodes_left = self.nodes_left.saturating_sub(nodes.count);
        DebugInformation { check: Some(check), schema_used: self.schema() }
    }

    /// What an error tells of a question that takes too many steps, as text of at most `max_bytes`: the nodes that are
    /// come by first, without results, and the schema if there is room. `None` if nothing can be told, or nothing more
    /// for this request.
    pub(crate) fn unanswered(&mut self, request: &CheckRequest<'_>, max_bytes: usize) -> Option<String> {
        let left = self.conditions_left.checked_sub(max_bytes)?;
        let text = self.unanswered_text(request, max_bytes)?;
        self.conditions_left = left;
        Some(text)
    }

    fn unanswered_text(&self, request: &CheckRequest<'_>, max_bytes: usize) -> Option<String> {
        let subject = subject_to_wire(request.subject);
        let mut texts = UNANSWERED_NODES.into_iter().filter_map(|nodes_max| {
            let trace = self.view.trace_unanswered(request, nodes_max).ok()?;
            let mut check = unanswered(&trace, &subject);
            check.trace_operation_id = operation_id();
            let mut told = DebugInformation { check: Some(check), schema_used: self.schema.clone() };
            let whole = proto_text::render("authzed.api.v1.DebugInformation", &told)?;
            if whole.len() <= max_bytes {
                return Some(whole);
            }
            told.schema_used.clear();
            proto_text::render("authzed.api.v1.DebugInformation", &told)
        });
        texts.find(|text| text.len() <= max_bytes)
    }

    fn schema(&mut self) -> String {
        match self.schemas_left.checked_sub(self.schema.len()) {
            Some(left) => {
                self.schemas_left = left;
                self.schema.clone()
            }
            None => String::new(),
        }
    }
}

/// Nodes that an error may have room for, the most first.
const UNANSWERED_NODES: [usize; 6] = [16, 12, 8, 4, 2, 1];

/// A node whose result is not known. Only where more is cut off it says where it comes from.
fn unanswered(trace: &Trace, subject: &SubjectReference) -> CheckDebugTrace {
    let permission_type =
        if trace.is_permission { PermissionType::Permission } else { PermissionType::Relation };
    let traces = trace.children.iter().map(|child| unanswered(child, subject)).collect();
    let is_cut = trace.cut == Some(Cut::Limit);
    CheckDebugTrace {
        resource: Some(object_to_wire(&trace.resource)),
        permission: trace.permission.to_string(),
        permission_type: permission_type.into(),
        subject: Some(subject.clone()),
        source: if is_cut { format!("{SOURCE_OF_CUT}:{:016x}", process_number()) } else { String::new() },
        resolution: (!trace.children.is_empty()).then_some(Resolution::SubProblems(SubProblems { traces })),
        ..Default::default()
    }
}

/// Deepest nesting that protobuf decoders take, in messages, without those around the root of a trace.
const LEVELS_MAX: usize = 100 - 4;

struct Nodes<'a> {
    subject: &'a SubjectReference,
    operation: String,
    conditions: Conditions<'a>,
    count: usize,
}

impl Nodes<'_> {
    /// `levels` says how deep the messages in this one may nest.
    fn node(&mut self, trace: &Trace, levels: usize) -> CheckDebugTrace {
        self.count += 1;
        let permission_type =
            if trace.is_permission { PermissionType::Permission } else { PermissionType::Relation };
        let caveat_evaluation_info = self.conditions.evaluation(&trace.condition, &trace.answer, levels);
        let resolution = match trace.cut {
            Some(Cut::Repeated | Cut::Cycle) => Resolution::WasCachedResult(true),
            Some(Cut::Limit) | None if trace.children.is_empty() => Resolution::WasCachedResult(false),
            Some(Cut::Limit) | None => Resolution::SubProblems(SubProblems {
                traces: trace
                    .children
                    .iter()
                    .map(|child| self.node(child, levels.saturating_sub(2)))
                    .collect(),
            }),
        };
        let source = if trace.cut == Some(Cut::Limit) { SOURCE_OF_CUT } else { SOURCE };
        CheckDebugTrace {
            resource: Some(object_to_wire(&trace.resource)),
            permission: trace.permission.to_string(),
            permission_type: permission_type.into(),
            subject: Some(self.subject.clone()),
            result: result(&trace.answer).into(),
            caveat_evaluation_info,
            duration: None,
            optional_expires_at: expires_at(&trace.answer),
            trace_operation_id: self.operation.clone(),
            source: format!("{source}:{:016x}", process_number()),
            resolution: Some(resolution),
        }
    }
}

/// What a check of the node says. A node that has no answer is open: its failed caveat did not matter above.
fn result(answer: &Result<CheckAnswer, QueryError>) -> TracedPermissionship {
    match answer.as_ref().map(|answer| answer.permissionship) {
        Ok(Permissionship::No) => TracedPermissionship::NoPermission,
        Ok(Permissionship::Yes) => TracedPermissionship::HasPermission,
        Ok(Permissionship::Conditional) | Err(_) => TracedPermissionship::ConditionalPermission,
    }
}

/// The end of a grant, as in the answer of a check.
fn expires_at(answer: &Result<CheckAnswer, QueryError>) -> Option<prost_types::Timestamp> {
    let granted = answer.as_ref().ok().filter(|answer| answer.permissionship != Permissionship::No)?;
    granted.valid_until.map(timestamp_to_wire)
}

fn duration(took: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(took.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(took.subsec_nanos()).unwrap_or(i32::MAX),
    }
}

/// The id that the nodes of one trace share, in the form of a random UUID.
fn operation_id() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff
    )
}

/// Tells this process from others.
fn process_number() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(random)
}

/// A number that no other call is likely to get; not for secrets.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_random_uuids_and_differ() {
        let (one, two) = (operation_id(), operation_id());
        assert_ne!(one, two);
        for id in [one, two] {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
        assert_eq!(process_number(), process_number());
    }
}
