//! Checks that say how they came to their answers.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::caveat_eval_info::Result as Evaluated;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::check_debug_trace::Resolution;
use prost_types::value::Kind;
use tonic::{Code, Request, Status};

use crate::harness::*;

const TRACED: &str = "use expiration

caveat above(level int, least int) { level > least }
caveat weekday(day string) { day == \"mon\" }
caveat divides(by int) { 10 / by == 5 }

definition user {}

definition group {
  relation member: user | group#member | user with above
}

definition folder {
  relation viewer: user
  relation parent: folder
  permission view = viewer + parent->view
}

definition document {
  relation parent: folder | folder with weekday
  relation owner: user | user with above
  relation editor: user | user with weekday | user with divides
  relation viewer: user | user:* | group#member | user with expiration | group#member with weekday
  relation banned: user | user with weekday
  permission union = owner + viewer
  permission intersection = owner & editor
  permission exclusion = viewer - banned
  permission arrow = parent->view
  permission all_arrow = parent.all(view)
  permission nested = union + exclusion
  permission either = owner + editor
  permission not_banned = owner - banned
  permission mixed = (owner & editor) - banned
}
";

async fn start() -> Harness {
    let harness = Harness::start_with(pemba_model::Limits::default(), |_| ()).await;
    harness.write_schema(TRACED).await.unwrap();
    harness
        .touch(&[
            "document:a#owner@user:ada",
            "document:a#editor@user:ada",
            "document:a#viewer@user:bob",
            "document:a#banned@user:bob",
            "document:a#viewer@group:eng#member",
            "document:a#parent@folder:f",
            "group:eng#member@group:sub#member",
            "group:sub#member@user:carl",
            "folder:f#parent@folder:g",
            "folder:g#viewer@user:fay",
            "document:c#owner@user:eve[above:{\"least\":3}]",
            "document:c#editor@user:eve[weekday]",
            "document:c#banned@user:eve[weekday]",
            "document:c#parent@folder:f[weekday]",
            "document:c#viewer@group:cg#member[weekday]",
            "group:cg#member@user:gus[above:{\"least\":1}]",
            "document:d#editor@user:hal[divides]",
            "document:e#viewer@user:ivy[expiration:2100-01-01T00:00:00Z]",
            "document:w#viewer@user:*",
            "document:x#viewer@group:x#member",
            "group:x#member@group:y#member",
            "group:y#member@group:x#member",
            "group:y#member@user:zed",
        ])
        .await;
    harness
}

fn number(value: f64) -> Kind {
    Kind::NumberValue(value)
}

fn given(values: &[(&str, Kind)]) -> Option<prost_types::Struct> {
    let field =
        |(name, kind): &(&str, Kind)| ((*name).to_owned(), prost_types::Value { kind: Some(kind.clone()) });
    Some(prost_types::Struct { fields: values.iter().map(field).collect() })
}

async fn check(
    harness: &Harness,
    question: &str,
    values: &[(&str, Kind)],
    with_tracing: bool,
) -> Result<wire::CheckPermissionResponse, Status> {
    let context = if values.is_empty() { None } else { given(values) };
    let request = wire::CheckPermissionRequest { with_tracing, context, ..check_request(question) };
    Ok(harness.permissions().check_permission(request).await?.into_inner())
}

/// The trace of a question, whose answer is that of the same question without a trace.
async fn trace(harness: &Harness, question: &str, values: &[(&str, Kind)]) -> wire::CheckDebugTrace {
    let traced = check(harness, question, values, true).await.unwrap();
    let plain = check(harness, question, values, false).await.unwrap();
    assert_eq!(plain.debug_trace, None);
    let debug = traced.debug_trace.clone().unwrap();
    assert!(debug.schema_used.contains("definition document {"), "{}", debug.schema_used);
    let without = wire::CheckPermissionResponse {
        debug_trace: None,
        checked_at: plain.checked_at.clone(),
        ..traced.clone()
    };
    assert_eq!(without, plain, "{question}");
    let root = debug.check.unwrap();
    assert_eq!(root.result, plain.permissionship, "{question}");
    assert_eq!(root.optional_expires_at, plain.optional_expires_at, "{question}");
    assert!(root.duration.is_some());
    every(&root, &mut |node| {
        assert_eq!(node.subject, check_request(question).subject);
        assert_eq!(node.trace_operation_id, root.trace_operation_id);
        assert_eq!(node.trace_operation_id.len(), 36);
        assert!(node.source.starts_with("pemba:"), "{}", node.source);
        assert!(node.resolution.is_some());
    });
    root
}

fn every(node: &wire::CheckDebugTrace, visit: &mut impl FnMut(&wire::CheckDebugTrace)) {
    visit(node);
    children(node).iter().for_each(|child| every(child, visit));
}

fn children(node: &wire::CheckDebugTrace) -> &[wire::CheckDebugTrace] {
    match &node.resolution {
        Some(Resolution::SubProblems(problems)) => &problems.traces,
        Some(Resolution::WasCachedResult(_)) | None => &[],
    }
}

/// Each node on a line, in the order of the compiled plan: indentation, object, name, R or P for its kind, its result, and a mark for one shown elsewhere.
fn lines(root: &wire::CheckDebugTrace) -> Vec<String> {
    fn walk(node: &wire::CheckDebugTrace, depth: usize, lines: &mut Vec<String>) {
        let resource = node.resource.as_ref().unwrap();
        let kind = ["?", "R", "P"][usize::try_from(node.permission_type).unwrap()];
        let result = ["?", "no", "yes", "maybe"][usize::try_from(node.result).unwrap()];
        let seen = if node.resolution == Some(Resolution::WasCachedResult(true)) { " seen" } else { "" };
        let (object_type, id, name) = (&resource.object_type, &resource.object_id, &node.permission);
        lines.push(format!("{}{object_type}:{id}#{name} {kind} {result}{seen}", "-".repeat(depth)));
        children(node).iter().for_each(|child| walk(child, depth + 1, lines));
    }
    let mut found = Vec::new();
    walk(root, 0, &mut found);
    found
}

#[tokio::test]
async fn each_operator_shows_what_it_looked_at() {
    let harness = start().await;
    let cases: [(&str, &[&str]); 9] = [
        ("document:a#union@user:ada", &["document:a#union P yes", "-document:a#owner R yes"]),
        (
            "document:a#union@user:carl",
            &[
                "document:a#union P yes",
                "-document:a#owner R no",
                "-document:a#viewer R yes",
                "--group:eng#member R yes",
                "---group:sub#member R yes",
            ],
        ),
        (
            "document:a#intersection@user:ada",
            &["document:a#intersection P yes", "-document:a#editor R yes", "-document:a#owner R yes"],
        ),
        ("document:a#intersection@user:bob", &["document:a#intersection P no", "-document:a#editor R no"]),
        (
            "document:a#exclusion@user:bob",
            &["document:a#exclusion P no", "-document:a#viewer R yes", "-document:a#banned R yes"],
        ),
        (
            "document:a#arrow@user:fay",
            &[
                "document:a#arrow P yes",
                "-folder:f#view P yes",
                "--folder:f#viewer R no",
                "--folder:g#view P yes",
                "---folder:g#viewer R yes",
            ],
        ),
        (
            "document:a#all_arrow@user:nobody",
            &[
                "document:a#all_arrow P no",
                "-folder:f#view P no",
                "--folder:f#viewer R no",
                "--folder:g#view P no",
                "---folder:g#viewer R no",
            ],
        ),
        ("document:w#viewer@user:anyone", &["document:w#viewer R yes"]),
        (
            "document:zz#union@user:bob",
            &["document:zz#union P no", "-document:zz#owner R no", "-document:zz#viewer R no"],
        ),
    ];
    for (question, expected) in cases {
        let root = trace(&harness, question, &[]).await;
        assert_eq!(lines(&root), expected, "{question}");
        every(&root, &mut |node| assert_eq!(node.caveat_evaluation_info, None));
    }
}

#[tokio::test]
async fn what_is_shown_elsewhere_and_what_leads_back_is_not_shown_again() {
    let harness = start().await;
    let root = trace(&harness, "document:a#nested@user:nobody", &[]).await;
    let lines_of = lines(&root);
    assert_eq!(lines_of.last().unwrap(), "--document:a#viewer R no seen", "{lines_of:?}");
    let expected = ["document:x#viewer R yes", "-group:x#member R yes", "--group:y#member R yes"];
    assert_eq!(lines(&trace(&harness, "document:x#viewer@user:zed", &[]).await), expected);
    let expected = [
        "document:x#viewer R no",
        "-group:x#member R no",
        "--group:y#member R no",
        "---group:x#member R no seen",
    ];
    assert_eq!(lines(&trace(&harness, "document:x#viewer@user:nobody", &[]).await), expected);
}

#[tokio::test]
async fn a_grant_that_ends_says_when() {
    let harness = start().await;
    let root = trace(&harness, "document:e#union@user:ivy", &[]).await;
    assert_eq!(root.optional_expires_at.unwrap().seconds, 4_102_444_800);
    assert_eq!(children(&root)[0].optional_expires_at, None);
    assert_eq!(children(&root)[1].optional_expires_at.unwrap().seconds, 4_102_444_800);
}

/// Values of a request.
type Values<'a> = &'a [(&'a str, Kind)];

/// Expression, result, the values it ran with, the parameters it misses and its caveat.
fn caveat(node: &wire::CheckDebugTrace) -> (String, Evaluated, Vec<(String, Kind)>, Vec<String>, String) {
    let info = node.caveat_evaluation_info.clone().unwrap();
    let result = info.result();
    let mut values: Vec<(String, Kind)> =
        info.context.unwrap().fields.into_iter().map(|(name, value)| (name, value.kind.unwrap())).collect();
    values.sort_by(|left, right| left.0.cmp(&right.0));
    let missing = info.partial_caveat_info.map(|partial| partial.missing_required_context);
    (info.expression, result, values, missing.unwrap_or_default(), info.caveat_name)
}

#[tokio::test]
async fn a_caveat_shows_its_expression_its_values_and_what_it_misses() {
    let harness = start().await;
    let question = "document:c#owner@user:eve";
    let cases: [(Values<'_>, Evaluated, &[&str]); 3] = [
        (&[], Evaluated::MissingSomeContext, &["level"]),
        (&[("level", Kind::NumberValue(5.0)), ("other", Kind::BoolValue(true))], Evaluated::True, &[]),
        (&[("level", Kind::NumberValue(1.0))], Evaluated::False, &[]),
    ];
    for (given, expected, missing) in cases {
        let root = trace(&harness, question, given).await;
        let (expression, result, values, told_missing, name) = caveat(&root);
        assert_eq!((expression.as_str(), result, name.as_str()), ("level > least", expected, "above"));
        assert_eq!(told_missing, missing);
        let mut expected = vec![("least".to_owned(), number(3.0))];
        expected.extend(given.iter().take(1).map(|(name, kind)| ((*name).to_owned(), kind.clone())));
        assert_eq!(values, expected);
        assert_eq!(root.resolution, Some(Resolution::WasCachedResult(false)));
    }
}

#[tokio::test]
async fn conditions_of_several_caveats_are_one_expression() {
    let harness = start().await;
    let expressions = [
        ("document:c#intersection@user:eve", "(day == \"mon\") && (level > least)"),
        ("document:c#either@user:eve", "(day == \"mon\") || (level > least)"),
        ("document:c#not_banned@user:eve", "(level > least) && (!(day == \"mon\"))"),
        ("document:c#mixed@user:eve", "((day == \"mon\") && (level > least)) && (!(day == \"mon\"))"),
        ("document:c#exclusion@user:gus", "(day == \"mon\") && (level > least)"),
    ];
    for (question, expected) in expressions {
        let root = trace(&harness, question, &[]).await;
        let (expression, result, values, missing, name) = caveat(&root);
        assert_eq!(
            (expression.as_str(), result, name.as_str()),
            (expected, Evaluated::MissingSomeContext, "")
        );
        assert_eq!((values.len(), missing.len()), (1, 2), "{question}");
        for values in [
            &[("level", number(5.0))][..],
            &[("level", number(1.0))],
            &[("level", number(5.0)), ("day", Kind::StringValue("mon".into()))],
            &[("level", number(5.0)), ("day", Kind::StringValue("tue".into()))],
        ] {
            let root = trace(&harness, question, values).await;
            let (expression, result, shown, missing, _) = caveat(&root);
            assert_eq!((expression.as_str(), shown.len()), (expected, 1 + values.len()));
            let expected =
                [Evaluated::Unspecified, Evaluated::False, Evaluated::True, Evaluated::MissingSomeContext];
            assert_eq!(result, expected[usize::try_from(root.result).unwrap()], "{question}");
            assert_eq!(missing.is_empty(), root.result != CONDITIONAL);
        }
    }
    let root = trace(&harness, "document:c#arrow@user:fay", &[]).await;
    let (expression, _, _, missing, name) = caveat(&root);
    assert_eq!((expression.as_str(), name.as_str()), ("day == \"mon\"", "weekday"));
    assert_eq!(missing, ["day"]);
    assert_eq!(children(&root)[0].caveat_evaluation_info, None);
}

#[tokio::test]
async fn a_failing_caveat_fails_the_check_as_without_a_trace() {
    let harness = start().await;
    let by = [("by", number(0.0))];
    for with_tracing in [true, false] {
        let status = check(&harness, "document:d#either@user:hal", &by, with_tracing).await.unwrap_err();
        let expected = [("caveat_name", "divides")];
        assert_error(&status, Code::InvalidArgument, "CAVEAT_EVALUATION_ERROR", &expected);
        let status = check(&harness, "document:a#nothing@user:ada", &[], with_tracing).await.unwrap_err();
        assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &[]);
    }
}

#[tokio::test]
async fn the_older_request_header_asks_too() {
    let harness = start().await;
    for value in ["1", ""] {
        let mut request = Request::new(check_request("document:a#union@user:ada"));
        request.metadata_mut().insert("io.spicedb.requestdebuginfo", value.parse().unwrap());
        let answer = harness.permissions().check_permission(request).await.unwrap();
        assert!(!answer.metadata().keys().any(|key| format!("{key:?}").contains("debug")));
        let root = answer.into_inner().debug_trace.unwrap().check.unwrap();
        assert_eq!(lines(&root), ["document:a#union P yes", "-document:a#owner R yes"]);
    }
}

#[tokio::test]
async fn each_item_of_a_bulk_check_has_its_trace() {
    let harness = start().await;
    let questions = [
        "document:a#union@user:ada",
        "document:a#nothing@user:ada",
        "document:a#exclusion@user:bob",
        "document:a#union@user:*",
        "document:c#owner@user:eve",
    ];
    let items: Vec<_> = questions.iter().map(|question| bulk_item(question)).collect();
    for with_tracing in [true, false] {
        let request =
            wire::CheckBulkPermissionsRequest { items: items.clone(), with_tracing, ..Default::default() };
        let answer = harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner();
        assert_eq!(answer.pairs.len(), questions.len());
        let mut told = Vec::new();
        for (pair, question) in answer.pairs.into_iter().zip(questions) {
            let Response::Item(item) = pair.response.unwrap() else {
                told.push(0);
                continue;
            };
            told.push(item.permissionship);
            assert_eq!(item.debug_trace.is_some(), with_tracing);
            if let Some(debug) = item.debug_trace {
                let root = debug.check.unwrap();
                assert_eq!(lines(&root), lines(&trace(&harness, question, &[]).await));
                assert_eq!(root.result, item.permissionship);
                assert!(!debug.schema_used.is_empty());
            }
        }
        assert_eq!(told, [HAS, 0, NO, 0, CONDITIONAL]);
    }
}

#[tokio::test]
async fn the_traces_of_a_large_bulk_check_are_bounded_together_and_say_what_is_cut() {
    let harness = start().await;
    let items = vec![bulk_item("document:a#union@user:nobody"); 6000];
    let request = wire::CheckBulkPermissionsRequest { items, with_tracing: true, ..Default::default() };
    let mut client = harness.permissions().max_decoding_message_size(64 << 20);
    let answer = client.check_bulk_permissions(request).await.unwrap().into_inner();
    let mut nodes = 0;
    for pair in answer.pairs {
        let Response::Item(item) = pair.response.unwrap() else { panic!("no answer") };
        let root = item.debug_trace.unwrap().check.unwrap();
        assert_eq!(root.result, NO);
        let mut has_cut = false;
        let mut count = 0;
        every(&root, &mut |node| {
            count += 1;
            has_cut |= node.source.starts_with("pemba-cut:");
        });
        assert!(has_cut || count == 5, "{:?}", lines(&root));
        nodes += count;
    }
    assert!((6000..=10_000).contains(&nodes), "{nodes}");
}

#[tokio::test]
async fn a_deep_trace_is_cut_where_clients_could_not_decode_it() {
    let harness = Harness::start_with(pemba_model::Limits::default(), |_| ()).await;
    let schema = "caveat filled(value list<any>) { size(value) > 0 }\ndefinition user {}\n\
        definition group { relation member: group#member | user with filled }";
    harness.write_schema(schema).await.unwrap();
    for length in [10, 43, 44, 45, 60] {
        let chain: Vec<String> = (0..length)
            .map(|at| match at + 1 < length {
                true => format!("group:{length}-{at}#member@group:{length}-{}#member", at + 1),
                false => format!("group:{length}-{at}#member@user:ada[filled]"),
            })
            .collect();
        harness.touch(&chain.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for depth in [1, 2, 3, 4, 10] {
            let mut kind = number(1.0);
            for _ in 0..depth {
                let values = vec![prost_types::Value { kind: Some(kind) }];
                kind = Kind::ListValue(prost_types::ListValue { values });
            }
            let context = given(&[("value", kind)]);
            let item = bulk_item(&format!("group:{length}-0#member@user:ada"));
            let items = vec![wire::CheckBulkPermissionsRequestItem { context, ..item }];
            let request =
                wire::CheckBulkPermissionsRequest { items, with_tracing: true, ..Default::default() };
            let mut pairs =
                harness.permissions().check_bulk_permissions(request).await.unwrap().into_inner().pairs;
            let Some(Response::Item(item)) = pairs.remove(0).response else { panic!("no answer") };
            let root = item.debug_trace.unwrap().check.unwrap();
            assert_eq!((item.permissionship, root.result), (HAS, HAS));
            let mut cut = 0;
            every(&root, &mut |node| cut += usize::from(node.source.starts_with("pemba-cut:")));
            assert_eq!((lines(&root).len(), cut), (length.min(45), usize::from(length > 45)));
        }
    }
}

/// A call that asks for traces is read by the generated code, others where they lie; more than a few items are answered on
/// another thread.
#[tokio::test]
async fn bulk_checks_answer_the_same_however_they_are_read() {
    let harness = start().await;
    let questions = [
        "document:a#union@user:ada",
        "document:a#exclusion@user:bob",
        "document:c#union@user:eve",
        "document:c#exclusion@group:cg#member",
        "document:a#nothing@user:ada",
        "document:none#union@user:nobody",
    ];
    for count in [1, questions.len(), 300] {
        let items: Vec<_> =
            questions.iter().cycle().take(count).map(|question| bulk_item(question)).collect();
        let mut answers = Vec::new();
        for with_tracing in [false, true] {
            let items = items.clone();
            let request = wire::CheckBulkPermissionsRequest { items, with_tracing, ..Default::default() };
            let answer = harness.permissions().check_bulk_permissions(request).await.unwrap();
            let asked = "io.spicedb.respmeta.dispatchedoperationscount";
            let trailer = answer.metadata().get(asked).map(|value| value.to_str().unwrap().to_owned());
            let mut answer = answer.into_inner();
            for pair in &mut answer.pairs {
                match &mut pair.response {
                    Some(Response::Item(item)) => {
                        assert_eq!(item.debug_trace.take().is_some(), with_tracing);
                    }
                    // Metadata is in no order.
                    Some(Response::Error(status)) => assert_eq!(status.details.drain(..).len(), 1),
                    None => panic!("an item has no answer"),
                }
            }
            answers.push((answer, trailer));
        }
        assert_eq!(answers[0].0.pairs.len(), count);
        assert_eq!(answers[0], answers[1]);
    }
}
